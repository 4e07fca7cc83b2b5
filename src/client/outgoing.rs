//! Masked frames, written to a stream (RFC 6455 §5.3).
//!
//! ```text
//!   payload   ──copy, mask──▶ scratch [header│first 64 KiB] ──write──▶   [next 64 KiB] ──write──▶ …
//! ```
//!
//! The caller's bytes stay as they are, so masking needs a copy; it is made in pieces, so that a large message does not
//! need its size again. A small frame is one write. It does not know what may be sent now; that is
//! [`Session`](crate::ws::Session).

use std::io::Write;

use super::Error;
use super::random::Masks;
use crate::ws::{CloseCode, Kind, Opcode, Utf8Checker, encode_header, encode_masked_close, unmask};

const PIECE_BYTES: usize = 64 << 10;

pub(super) struct Outgoing {
    masks: Masks,
    scratch: Vec<u8>,
    fragments: Option<Fragments>,
}

/// A message of which some frames have left.
struct Fragments {
    kind: Kind,
    text: Utf8Checker,
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self {
            masks: Masks::new(),
            scratch: Vec::new(),
            fragments: None,
        }
    }

    /// Whether a message was begun and not finished.
    pub(super) const fn is_inside_message(&self) -> bool {
        self.fragments.is_some()
    }

    /// Which opcode the next fragment has, after checking that it may be one.
    pub(super) fn fragment(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        last: bool,
    ) -> Result<Opcode, Error> {
        let (mut text, opcode) = match &self.fragments {
            None => (Utf8Checker::new(), kind.opcode()),
            Some(begun) if begun.kind == kind => (begun.text, Opcode::Continuation),
            Some(_) => return Err(Error::Unfinished),
        };
        if kind == Kind::Text {
            text.check(bytes).map_err(|_| Error::NotUtf8)?;
            if last {
                text.finish().map_err(|_| Error::NotUtf8)?;
            }
        }
        self.fragments = (!last).then_some(Fragments { kind, text });
        Ok(opcode)
    }

    /// Writes one frame, under a mask of its own.
    pub(super) fn frame(
        &mut self,
        stream: &mut impl Write,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
    ) -> Result<(), Error> {
        let mask = self.masks.next().map_err(Error::Random)?;
        let header = encode_header(opcode, fin, Some(mask), payload.len() as u64);
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

    /// Writes a Close. A reason that is too long is cut.
    pub(super) fn close(
        &mut self,
        stream: &mut impl Write,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        let mask = self.masks.next().map_err(Error::Random)?;
        self.scratch.clear();
        encode_masked_close(&mut self.scratch, mask, code, reason);
        stream.write_all(&self.scratch).map_err(Error::Write)?;
        stream.flush().map_err(Error::Write)
    }
}
