//! Layers as lines for people, and bytes in hexadecimal.

use super::Layer;
use std::fmt::{self, Display, Formatter};

impl Layer {
    /// `WebSocket      6 bytes`, its name and its count.
    pub(in crate::trace) fn name_and_count(&self) -> impl Display {
        let s = if self.bytes == 1 { " " } else { "s" };
        format!("{:<9} {:>5} byte{s}", self.kind.name(), self.bytes)
    }

    /// `81 84 37 fa 21 3d`, with `...` behind if there are more.
    pub(in crate::trace) fn hex(&self) -> impl Display {
        let more = match (self.first.len() < self.bytes, self.first.is_empty()) {
            (false, _) => "",
            (true, true) => "...",
            (true, false) => " ...",
        };
        let pairs: Vec<_> = { self.first.iter() }
            .map(|byte| format!("{byte:02x}"))
            .collect();
        pairs.join(" ") + more
    }
}

impl Display for Layer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.name_and_count(), self.hex())?;
        match &*self.text {
            "" => Ok(()),
            text => write!(f, "  {text}"),
        }
    }
}
