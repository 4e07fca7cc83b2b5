//! WebSocket on one connection: control frames, the closing handshake, and who is still there.
//!
//! ```text
//!   Quiet ── 30 s without a byte: Ping ──▶ Pinged ── 20 s ──▶ cut
//!     ▲───────── anything comes ─────────────┘
//!   close() ──▶ Closing ── 5 s, or the peer's Close ──▶ FIN
//! ```
//!
//! Messages are handed up in the pieces in which they came; putting them together is the service's. It does not know
//! HTTP, nor what a message means.

use super::io::Io;
use crate::buf::Input;
use crate::events;
use crate::ws::{
    CloseCode, Decoder, Error, Event, Limits, Piece, Role, SendClose, Session, encode_close,
    encode_ping, encode_pong,
};

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Anything.
    Quiet,
    /// A sign of life.
    Pinged,
    /// The peer's Close.
    Closing,
}

/// A WebSocket connection after its handshake, on the server's side.
#[derive(Debug)]
pub(crate) struct WebSocket {
    decoder: Decoder,
    session: Session,
    phase: Phase,
}

impl WebSocket {
    /// Right behind the handshake.
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::new(Role::Server),
            session: Session::new(),
            phase: Phase::Quiet,
        }
    }

    /// The next piece of a message. Control frames are answered here, and so are the peer's faults.
    #[inline]
    pub(crate) fn next<'b>(&mut self, input: &mut Input<'b>, io: &mut Io<'_>) -> Option<Piece<'b>> {
        let limits = Limits {
            message_bytes_max: io.shared.limits.message_bytes_max,
        };
        loop {
            match self.decoder.next(input, &limits) {
                Ok(Some(Event::Data(piece))) if self.session.delivers_messages() => {
                    return Some(piece);
                }
                Ok(Some(Event::Data(_) | Event::Pong(_))) => {}
                Ok(Some(Event::Ping(payload))) => {
                    if self.session.answers_ping() {
                        encode_pong(io.out(), payload);
                    }
                    if io.wants_no_input() {
                        return None;
                    }
                }
                Ok(Some(Event::Close(code, _))) => {
                    self.session.peer_closed();
                    // RFC 6455 §5.5.1: the answer usually echoes the code.
                    if self.session.owes_close()
                        && let Some(SendClose(code)) = self.session.close(code)
                    {
                        encode_close(io.out(), code, "");
                    }
                    io.finish();
                    return None;
                }
                Ok(None) => return None,
                Err(error) => {
                    self.fail(error, io);
                    return None;
                }
            }
        }
    }

    /// As the decoder's.
    pub(crate) fn missing(&self, stored: &[u8], fresh: &[u8]) -> usize {
        self.decoder.missing(stored, fresh)
    }

    /// A dispatch is over, in which something came.
    #[inline]
    pub(crate) fn set_deadline(&mut self, io: &mut Io<'_>) {
        if self.phase != Phase::Closing {
            self.phase = Phase::Quiet;
            io.expire_in(io.shared.timeouts.ping_interval);
        }
    }

    /// The deadline has passed.
    pub(crate) fn expired(&mut self, io: &mut Io<'_>) {
        match self.phase {
            // A peer that takes a long message sends nothing meanwhile, and would see a ping only behind it. While
            // anything waits for the peer, the write stall has the clock.
            Phase::Quiet | Phase::Pinged if io.waiting_bytes() > 0 => {
                self.phase = Phase::Quiet;
                io.expire_in(io.shared.timeouts.ping_interval);
            }
            Phase::Quiet => {
                encode_ping(io.out(), b"");
                self.phase = Phase::Pinged;
                io.expire_in(io.shared.timeouts.ping);
            }
            Phase::Pinged => {
                events::timed_out(io.token.index, "ping_timeout");
                io.abort();
            }
            Phase::Closing => {
                events::timed_out(io.token.index, "close_timeout");
                io.finish();
            }
        }
    }

    /// Whether a message may still be sent.
    pub(crate) fn may_send(&self) -> bool {
        self.session.may_begin_message()
    }

    /// Begins the closing handshake, or ends it if the peer began.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str, io: &mut Io<'_>) {
        if let Some(SendClose(code)) = self.session.close(Some(code)) {
            encode_close(io.out(), code, reason);
            self.phase = Phase::Closing;
            io.expire_in(io.shared.timeouts.close);
        }
    }

    /// Closes for a cause of our own, without waiting for an answer.
    pub(crate) fn abandon(&mut self, code: CloseCode, reason: &str, io: &mut Io<'_>) {
        if let Some(SendClose(code)) = self.session.abandon(code) {
            encode_close(io.out(), code, reason);
        }
        io.finish();
    }

    fn fail(&mut self, error: Error, io: &mut Io<'_>) {
        if let Some(SendClose(code)) = self.session.fail(error) {
            encode_close(io.out(), code, error.reason());
        }
        io.finish();
    }
}
