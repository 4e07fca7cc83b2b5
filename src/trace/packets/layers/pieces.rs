//! The parts of a payload, as they are cut off, with their texts.
//!
//! It does not know what they mean: [`follow`](super::follow) does.

use super::LayerKind;
use crate::sys::Escaped;
use std::fmt::Display;

/// A part of a payload.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) kind: LayerKind,
    pub(super) bytes: usize,
    pub(super) text: String,
}

/// The parts that were cut off.
pub(super) struct Pieces {
    pub(super) all: Vec<Piece>,
    bytes_max: usize,
    /// The last part, while more data of its kind belongs to it.
    open: Option<Open>,
}

/// Data that may go on.
struct Open {
    note: &'static str,
    /// Its first bytes: one more than are shown, so that the text says that there are more.
    first: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            all: Vec::new(),
            bytes_max,
            open: None,
        }
    }

    pub(super) fn push(&mut self, kind: LayerKind, bytes: usize, text: String) {
        if bytes > 0 {
            self.close();
            self.all.push(Piece { kind, bytes, text });
        }
    }

    /// Data, with a note before it. It belongs to the data before it if that has the same note and nothing is between.
    pub(super) fn data(&mut self, note: &'static str, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.open.as_ref().is_none_or(|open| open.note != note) {
            self.push(LayerKind::Data, bytes.len(), String::new());
            let first = Vec::new();
            self.open = Some(Open { note, first });
        } else if let Some(last) = self.all.last_mut() {
            last.bytes += bytes.len();
        }
        if let Some(Open { first, .. }) = &mut self.open {
            let room = self.bytes_max.saturating_add(1) - first.len();
            first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// Gives the open part its text: once, since a body may hold thousands of blank lines.
    fn close(&mut self) {
        if let Some((open, last)) = self.open.take().zip(self.all.last_mut()) {
            let Open { note, first } = open;
            last.text = format!("{note}{}", Escaped(&first, self.bytes_max));
        }
    }

    pub(super) fn finish(mut self) -> Vec<Piece> {
        self.close();
        self.all
    }

    /// Data of which something is to be said, a broken rule above all: a part of its own, whatever is before and behind.
    pub(super) fn noted(&mut self, note: &impl Display, bytes: &[u8]) {
        let note = note.to_string();
        let note = note.trim_end_matches('.');
        let text = format!("{note}: {}", Escaped(bytes, self.bytes_max));
        self.push(LayerKind::Data, bytes.len(), text);
    }

    /// Bytes by which a body is cut into chunks.
    pub(super) fn framing(&mut self, name: &str, bytes: &[u8]) {
        let text = format!("{name} {}", Escaped(bytes, self.bytes_max));
        self.push(LayerKind::Http, bytes.len(), text);
    }

    pub(super) fn masked(&mut self, mask: [u8; 4], bytes: &[u8]) {
        let shown = bytes.iter().take(self.bytes_max);
        let plain: Vec<u8> = { shown.zip(mask.iter().cycle()) }
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let more = if plain.len() < bytes.len() { "..." } else { "" };
        let text = format!("unmasked {}{more}", Escaped(&plain, self.bytes_max));
        self.push(LayerKind::Data, bytes.len(), text);
    }

    pub(super) fn compressed(&mut self, bytes: &[u8]) {
        self.push(LayerKind::Data, bytes.len(), "compressed".to_owned());
    }
}
