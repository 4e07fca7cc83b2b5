//! Masked frames, written to a stream (RFC 6455 §5.3).
//!
//! ```text
//!   message ──▶ Packing, if agreed ──▶ payload
//!   payload   ──copy, mask──▶ scratch [header│first 64 KiB] ──write──▶   [next 64 KiB] ──write──▶ …
//! ```
//!
//! The caller's bytes stay as they are, so masking needs a copy; it is made in pieces, so that a large message does not
//! need its size again. A small frame is one write. It does not know what may be sent now; that is
//! [`Session`](crate::ws::Session).

use std::io::Write;

use super::Error;
use super::deflated::{Packing, Terms};
use super::random::Masks;
use crate::ws::{CloseCode, Kind, Opcode, Utf8Checker, encode_header, encode_masked_close, unmask};

const PIECE_BYTES: usize = 64 << 10;

pub(super) struct Outgoing {
    frames: Frames,
    fragments: Option<Fragments>,
    /// If the server agreed to compression.
    packing: Option<Packing>,
}

/// A message of which some frames have left.
struct Fragments {
    kind: Kind,
    text: Utf8Checker,
    compressed: bool,
}

/// How a frame begins.
#[derive(Clone, Copy)]
pub(super) struct Head {
    opcode: Opcode,
    fin: bool,
    /// The payload belongs to a compressed message.
    compressed: bool,
}

impl Outgoing {
    pub(super) fn new(terms: Option<Terms>) -> Self {
        Self {
            frames: Frames {
                masks: Masks::new(),
                scratch: Vec::new(),
            },
            fragments: None,
            packing: terms.map(Packing::new),
        }
    }

    /// Whether a message was begun and not finished.
    pub(super) const fn is_inside_message(&self) -> bool {
        self.fragments.is_some()
    }

    /// Writes a whole message, compressed if that was agreed on and makes it shorter.
    pub(super) fn message(
        &mut self,
        stream: &mut impl Write,
        kind: Kind,
        message: &[u8],
    ) -> Result<(), Error> {
        let packing = self.packing.as_mut();
        let (compressed, payload) = match packing.and_then(|packing| packing.message(message)) {
            Some(payload) => (true, payload),
            None => (false, message),
        };
        let head = Head {
            opcode: kind.opcode(),
            fin: true,
            compressed,
        };
        self.frames.write(stream, head, payload)
    }

    /// Writes a control frame, or a whole message as it is.
    pub(super) fn plain(
        &mut self,
        stream: &mut impl Write,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let head = Head {
            opcode,
            fin: true,
            compressed: false,
        };
        self.frames.write(stream, head, payload)
    }

    /// How the next fragment's frame begins, after checking that it may be one.
    pub(super) fn check_fragment(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        last: bool,
    ) -> Result<Head, Error> {
        let (opcode, mut text, compressed) = match &self.fragments {
            None => {
                let packing = self.packing.as_ref();
                let compressed = packing.is_some_and(|packing| packing.takes(bytes));
                (kind.opcode(), Utf8Checker::new(), compressed)
            }
            Some(begun) if begun.kind == kind => {
                (Opcode::Continuation, begun.text, begun.compressed)
            }
            Some(_) => return Err(Error::Unfinished),
        };
        if kind == Kind::Text {
            text.check(bytes).map_err(|_| Error::NotUtf8)?;
            if last {
                text.finish().map_err(|_| Error::NotUtf8)?;
            }
        }
        self.fragments = (!last).then_some(Fragments {
            kind,
            text,
            compressed,
        });
        Ok(Head {
            opcode,
            fin: last,
            compressed,
        })
    }

    /// Writes the fragment that was checked.
    pub(super) fn fragment(
        &mut self,
        stream: &mut impl Write,
        head: Head,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let payload = match &mut self.packing {
            Some(packing) if head.compressed => packing.fragment(bytes, head.fin),
            _ => bytes,
        };
        self.frames.write(stream, head, payload)
    }

    /// Writes a Close. A reason that is too long is cut.
    pub(super) fn close(
        &mut self,
        stream: &mut impl Write,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        let Frames { masks, scratch } = &mut self.frames;
        let mask = masks.next().map_err(Error::Random)?;
        scratch.clear();
        encode_masked_close(scratch, mask, code, reason);
        stream.write_all(scratch).map_err(Error::Write)?;
        stream.flush().map_err(Error::Write)
    }
}

/// Masks payloads, and writes them.
struct Frames {
    masks: Masks,
    scratch: Vec<u8>,
}

impl Frames {
    /// Writes one frame, under a mask of its own.
    fn write(&mut self, stream: &mut impl Write, head: Head, payload: &[u8]) -> Result<(), Error> {
        let mask = self.masks.next().map_err(Error::Random)?;
        let mut header = encode_header(head.opcode, head.fin, Some(mask), payload.len() as u64);
        // RFC 7692 §6.1: of a message's frames the first alone says that it is compressed.
        if head.compressed && head.opcode != Opcode::Continuation {
            header = header.compressed();
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(header.as_ref());
        let mut masked = 0;
        loop {
            let start = self.scratch.len();
            let count = (payload.len() - masked).min(PIECE_BYTES - start);
            self.scratch
                .extend_from_slice(&payload[masked..masked + count]);
            unmask(&mut self.scratch[start..], mask, masked);
            masked += count;
            stream.write_all(&self.scratch).map_err(Error::Write)?;
            self.scratch.clear();
            if masked == payload.len() {
                return stream.flush().map_err(Error::Write);
            }
        }
    }
}
