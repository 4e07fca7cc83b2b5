//! One message that many connections send.
//!
//! ```text
//!              ┌ as it is ───────────────────────────▶ frame, made once
//!   payload ───┤
//!              └ window, level, memory ── OnceLock ──▶ compressed frame, made once, by whoever needs it first
//! ```
//!
//! Connections whose compressor forgets each message may send the same compressed bytes, if window, level and memory are
//! the same: that is a *form*. A connection whose context is kept has bytes of its own, so it gets the message as it is.
//!
//! A form is made by one worker and seen by all. Another one that needs the same form meanwhile waits for it: making it
//! again would take as long. It does not know who the connections are, nor what a topic is.

use std::sync::{Arc, OnceLock};

use crate::conn::deflated::{Form, Shop};
use crate::ws::{Kind, encode_header};

/// The most forms of one message: a peer chooses among seven windows, so one set of terms always has room. Whoever wants an
/// eighth gets the message as it is.
const FORMS_MAX: usize = 7;

/// A message that many connections send.
#[derive(Debug)]
pub(crate) struct Broadcast {
    pub(crate) kind: Kind,
    /// The whole frame, header and payload.
    frame: Arc<[u8]>,
    /// How many bytes of it are header.
    header: u8,
    /// Compressed frames. Most messages have none.
    forms: OnceLock<Box<[OnceLock<Compressed>; FORMS_MAX]>>,
}

/// One form.
#[derive(Debug)]
struct Compressed {
    form: Form,
    /// `None` if it would not be shorter: that is found out once, too.
    frame: Option<Arc<[u8]>>,
}

impl Broadcast {
    /// Encodes the frame as it is.
    pub(crate) fn new(kind: Kind, payload: &[u8]) -> Self {
        let header = encode_header(kind.opcode(), true, None, payload.len() as u64);
        let header = header.as_ref();
        let mut frame = Vec::with_capacity(header.len() + payload.len());
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        Self {
            kind,
            frame: frame.into(),
            header: header.len() as u8,
            forms: OnceLock::new(),
        }
    }

    /// The message's bytes.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.frame[usize::from(self.header)..]
    }

    /// Bytes of the frame as it is. Each form has less.
    pub(crate) fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// The frame for connections of this form, or of none.
    pub(super) fn frame(&self, form: Option<Form>, shop: &mut Shop) -> &Arc<[u8]> {
        form.and_then(|form| self.compressed(form, shop))
            .unwrap_or(&self.frame)
    }

    fn compressed(&self, form: Form, shop: &mut Shop) -> Option<&Arc<[u8]>> {
        for place in self.forms.get_or_init(Box::default).iter() {
            let made = place.get_or_init(|| Compressed {
                form,
                frame: shop.encode_shared(form, self.kind, self.payload()),
            });
            if made.form == form {
                return made.frame.as_ref();
            }
        }
        None
    }
}
