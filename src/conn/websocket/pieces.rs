//! Messages in pieces, both ways: what is shown to the handler before it is whole, and what it says bit by bit.
//!
//! ```text
//!   peer's message    first piece ──▶ … ──▶ last piece         shown as they come, nothing is put together
//!   our message       first frame ──▶ … ──▶ FIN                between them: Ping, Pong, Close, nothing else (§5.4)
//!                           └── whole messages wait here ──▶ then these
//! ```
//!
//! A message of ours that was begun is bytes, and bytes are never dropped. So it is begun only while the peer reads;
//! then it costs what any message costs, piece by piece. This does not know what a message means.

use super::WebSocket;
use crate::conn::Io;
use crate::conn::backlog::SlowPeer;
use crate::conn::websocket::Sent;
use crate::ws::{CloseCode, Kind, Limits, Opcode, encode_frame};

/// How many compressed bytes are inflated before one looks whether the peer still reads. They become 528 KiB at most:
/// deflate makes 1032 bytes of one.
const COMPRESSED_SLICE_BYTES: usize = 512;

/// How far the messages in pieces have come, as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pieces(u8);

impl Pieces {
    /// Messages that begin from now on are shown in pieces.
    const WANTED: u8 = 1;
    /// The message that is being received is shown in pieces.
    const SHOWN: u8 = 1 << 1;
    /// A piece of it was shown.
    const BEGUN: u8 = 1 << 2;
    /// A message of ours was begun and is not finished.
    const SENDING: u8 = 1 << 3;
    /// A message of ours was dropped at its first piece, and so are its others.
    const DROPPING: u8 = 1 << 4;

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn put(&mut self, bit: u8, on: bool) {
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }
}

impl WebSocket {
    /// Shows messages in pieces, or whole, from the next one on.
    pub(crate) fn set_pieces(&mut self, wanted: bool) {
        self.pieces.put(Pieces::WANTED, wanted);
    }

    /// Whether the piece that came last is to be shown, not put together.
    #[inline]
    pub(crate) fn shows_piece(&self) -> bool {
        self.pieces.has(Pieces::SHOWN)
    }

    /// A piece is shown. True if it is the first of its message that is.
    pub(crate) fn show_piece(&mut self, last: bool) -> bool {
        let first = !self.pieces.has(Pieces::BEGUN);
        self.pieces.put(Pieces::BEGUN, !last);
        first
    }

    /// What the message in hand, or the next one, may have, and how much of it is taken at a time.
    ///
    /// How a message is shown is settled before its header is taken, and not changed by what the handler wishes later: the
    /// header is held to a limit, and a piece need not come with it.
    #[inline]
    pub(super) fn bounds(&mut self, io: &Io<'_>) -> (Limits, usize) {
        if !self.decoder.is_inside_message() {
            let wanted = self.pieces.has(Pieces::WANTED);
            self.pieces.put(Pieces::SHOWN, wanted);
        }
        let limits = &io.shared.limits;
        let streamed = self.pieces.has(Pieces::SHOWN);
        if !streamed {
            let message_bytes_max = limits.message_bytes_max;
            return (Limits { message_bytes_max }, usize::MAX);
        }
        let compresses = self
            .more
            .as_ref()
            .is_some_and(|more| more.deflated.is_some());
        let slice = if compresses {
            COMPRESSED_SLICE_BYTES
        } else {
            usize::MAX
        };
        let message_bytes_max = limits.streamed_message_bytes_max;
        (Limits { message_bytes_max }, slice)
    }

    /// Inflates into `room`, from the front of `compressed`: how many bytes, and whether that was all. `None` if the
    /// connection is failed for it.
    pub(crate) fn inflate_some(
        &mut self,
        kind: Kind,
        compressed: &mut &[u8],
        last: bool,
        room: &mut [u8],
        io: &mut Io<'_>,
    ) -> Option<(usize, bool)> {
        let limit = io.shared.limits.streamed_message_bytes_max;
        let (_, shop) = io.out_and_shop();
        let inflated = match super::deflated(&mut self.more) {
            Some(deflated) => deflated.inflate_some(kind, compressed, last, limit, shop, room),
            // The decoder refuses RSV1 then.
            None => Ok(0),
        };
        match inflated {
            Ok(count) => Some((count, count < room.len())),
            Err((code, reason)) => {
                self.abandon(code, reason, io);
                None
            }
        }
    }

    /// Whether a message of ours was begun and is not finished: until then no other may begin (RFC 6455 §5.4).
    #[inline]
    pub(super) fn is_inside_own_message(&self) -> bool {
        self.pieces.has(Pieces::SENDING)
    }

    /// Sends the next piece of a message, or begins one with it.
    pub(crate) fn send_piece(
        &mut self,
        kind: Kind,
        payload: &[u8],
        last: bool,
        io: &mut Io<'_>,
    ) -> Sent {
        if !self.takes_messages(io) {
            return Sent::Closed;
        }
        if self.pieces.has(Pieces::DROPPING) {
            self.pieces.put(Pieces::DROPPING, !last);
            return Sent::Dropped;
        }
        let begins = !self.is_inside_own_message();
        if begins && last {
            return self.send(kind, payload, None, io);
        }
        if begins && self.must_wait(io) {
            self.pieces.put(Pieces::DROPPING, true);
            return Sent::Dropped;
        }
        let waits = io.waits();
        let opcode = if begins {
            kind.opcode()
        } else {
            Opcode::Continuation
        };
        encode_frame(io.out(), opcode, last, None, payload);
        self.pieces.put(Pieces::SENDING, !last);
        if last && self.backlog_bytes() > 0 {
            self.send_behind(io);
        }
        if waits { Sent::Queued } else { Sent::Now }
    }

    /// Whether more waits behind an unfinished message than may, and is not one message alone: `before` waited already.
    /// Nothing may be dropped, so the connection ends.
    pub(super) fn keeps_too_much(&mut self, before: usize, io: &mut Io<'_>) -> bool {
        let over = self.policy == SlowPeer::Disconnect
            && before > 0
            && self.backlog_bytes() > io.shared.limits.outbox_bytes_max;
        if over {
            let reason = "too much waits behind an unfinished message";
            self.abandon(CloseCode::TRY_LATER, reason, io);
        }
        over
    }
}
