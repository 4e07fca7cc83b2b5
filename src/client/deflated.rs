//! Compression on a connection (RFC 7692): what was agreed on, and the two contexts.
//!
//! ```text
//!   Options::deflate ──▶ offer ──▶ … ──▶ judge ──▶ Terms ─┬─▶ Packing    messages out: a compressor
//!                                                         └─▶ Unpacking  messages in: an inflater, and what checks its text
//! ```
//!
//! Both are made for the first message that needs them. It does not know frames: who sets RSV1, or reads it.

use super::fault::Fault;
use super::{Deflate, Error, Options};
use crate::ws::deflate::{Agreed, Compressor, Context, FieldValue, Inflater};
use crate::ws::{self, Kind, Piece, Role, Utf8Checker};

/// The memory of a longer payload is given back when the next one begins.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// The value for the request's `Sec-WebSocket-Extensions`.
pub(super) fn offer(options: &Options<'_>) -> Option<FieldValue> {
    options.deflate.map(|deflate| deflate.settings.offer())
}

/// What the reply's `Sec-WebSocket-Extensions` makes of the offer. `None`: messages travel as they are.
pub(super) fn judge(options: &Options<'_>, reply: Option<&[u8]>) -> Result<Option<Terms>, Error> {
    let Some(deflate) = options.deflate else {
        return Ok(None);
    };
    let agreed = deflate.settings.judge(reply).map_err(Error::Extension)?;
    Ok(agreed.map(|agreed| Terms { agreed, deflate }))
}

/// What counts on a connection.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) agreed: Agreed,
    deflate: Deflate,
}

/// Compresses what is sent.
pub(super) struct Packing {
    terms: Terms,
    compressor: Option<Compressor>,
    payload: Vec<u8>,
}

impl Packing {
    pub(super) const fn new(terms: Terms) -> Self {
        Self {
            terms,
            compressor: None,
            payload: Vec::new(),
        }
    }

    /// Whether a message, or the first fragment of one, is long enough to be compressed.
    pub(super) const fn takes(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.terms.deflate.bytes_min
    }

    /// The payload of a whole message's frame. `None` if the message is better sent as it is.
    pub(super) fn message(&mut self, message: &[u8]) -> Option<&[u8]> {
        if !self.takes(message) {
            return None;
        }
        // A context that is kept has moved on: this has to be sent, whatever its length.
        let kept = self.terms.agreed.sending(Role::Client).context == Context::Kept;
        let payload = self.fragment(message, true);
        (kept || payload.len() < message.len()).then_some(payload)
    }

    /// The payload of the next fragment's frame.
    pub(super) fn fragment(&mut self, fragment: &[u8], last: bool) -> &[u8] {
        let Terms { agreed, deflate } = self.terms;
        let compressor = self.compressor.get_or_insert_with(|| {
            let way = agreed.sending(Role::Client);
            Compressor::new(way.context, way.window, deflate.mem_level, deflate.level)
        });
        if self.payload.capacity() > KEPT_BYTES_MAX {
            self.payload = Vec::new();
        }
        self.payload.clear();
        compressor.compress_fragment(fragment, last, &mut self.payload);
        &self.payload
    }
}

/// Inflates what comes.
pub(super) struct Unpacking {
    context: Context,
    inflater: Option<Inflater>,
    text: Utf8Checker,
}

impl Unpacking {
    pub(super) const fn new(terms: Terms) -> Self {
        Self {
            context: terms.agreed.receiving(Role::Client).context,
            inflater: None,
            text: Utf8Checker::new(),
        }
    }

    /// Appends what a piece of a message inflates to; the whole message to at most `limit` bytes.
    pub(super) fn inflate(
        &mut self,
        piece: &Piece<'_>,
        limit: u64,
        message: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let context = self.context;
        let inflater = self.inflater.get_or_insert_with(|| Inflater::new(context));
        let count = inflater.inflate(piece.bytes, piece.last, limit, message)?;
        if piece.kind == Kind::Text {
            let fresh = &message[message.len() - count..];
            let mut checked = self.text.check(fresh);
            if piece.last {
                checked = checked.and_then(|()| self.text.finish());
            }
            checked.map_err(|_| ws::Error::InvalidUtf8)?;
        }
        Ok(())
    }
}
