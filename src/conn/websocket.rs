//! WebSocket on one connection: control frames, the closing handshake, and who is still there.
//!
//! ```text
//!   Quiet ── 30 s without a byte: Ping ──▶ Pinged ── 20 s ──▶ cut
//!     ▲───────── anything comes ─────────────┘
//!   close() ──▶ Closing ── 5 s, or the peer's Close ──▶ FIN
//! ```
//!
//! Messages are handed up in the pieces in which they came; putting them together, or showing the pieces, is the
//! service's. How messages leave stands in `sending`. It does not know HTTP, nor what a message means.

mod broadcast;
mod pieces;
mod sending;
#[cfg(test)]
mod tests;

pub(crate) use broadcast::Broadcast;
pub(crate) use sending::FULL;
pub use sending::Sent;

use super::backlog::SlowPeer;
use super::deflated::Deflated;
use super::io::Io;
use super::tick::Tick;
use crate::buf::Input;
use crate::events;
use crate::ws::{
    CloseCode, Decoder, Error, Event, Piece, Role, SendClose, Session, encode_close, encode_ping,
    encode_pong,
};
use pieces::Pieces;
use sending::{Queue, deflated};

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
    policy: SlowPeer,
    /// Whether the service is to be told when there is room again.
    awaits_room: bool,
    /// Whether a pong has come that the service was not told of.
    heard_pong: bool,
    pieces: Pieces,
    /// What most connections do not have.
    more: Option<Box<More>>,
}

/// What only some connections have.
#[derive(Debug)]
struct More {
    /// Compression, if it was agreed on.
    deflated: Option<Box<Deflated>>,
    /// What waits because the peer does not read, if anything does.
    queue: Option<Box<Queue>>,
    /// When it ends whatever happens, if it has to.
    ends_at: Tick,
    /// When it ends unless a message comes, if it has to.
    idle_at: Tick,
}

impl Default for More {
    fn default() -> Self {
        Self {
            deflated: None,
            queue: None,
            ends_at: Tick::NEVER,
            idle_at: Tick::NEVER,
        }
    }
}

impl WebSocket {
    /// Right behind the handshake.
    pub(crate) fn new(policy: SlowPeer, deflated: Option<Box<Deflated>>, io: &Io<'_>) -> Self {
        let mut decoder = Decoder::new(Role::Server);
        if deflated.is_some() {
            decoder.allow_rsv1();
        }
        let timeouts = &io.shared.timeouts;
        let unless_zero = |ticks| match ticks {
            0 => Tick::NEVER,
            ticks => io.shared.now.after(ticks),
        };
        let (lifetime, idle) = (timeouts.websocket_lifetime, timeouts.websocket_idle);
        let has_more = deflated.is_some() || lifetime > 0 || idle > 0;
        let more = has_more.then(|| {
            Box::new(More {
                deflated,
                ends_at: unless_zero(lifetime),
                idle_at: unless_zero(idle),
                ..More::default()
            })
        });
        Self {
            decoder,
            session: Session::new(),
            phase: Phase::Quiet,
            policy,
            awaits_room: false,
            heard_pong: false,
            pieces: Pieces::default(),
            more,
        }
    }

    /// Says what becomes of messages when the peer does not read.
    pub(crate) fn set_policy(&mut self, policy: SlowPeer) {
        self.policy = policy;
    }

    /// Whether a pong has come, told once.
    #[inline]
    pub(crate) fn take_pong(&mut self) -> bool {
        std::mem::take(&mut self.heard_pong)
    }

    /// The next piece of a message. Control frames are answered here, and so are the peer's faults.
    #[inline]
    pub(crate) fn next<'b>(&mut self, input: &mut Input<'b>, io: &mut Io<'_>) -> Option<Piece<'b>> {
        let (limits, slice) = self.bounds(io);
        loop {
            match self.decoder.next_slice(input, &limits, slice) {
                Ok(Some(Event::Data(piece))) if self.session.delivers_messages() => {
                    self.note_message(io);
                    return Some(piece);
                }
                Ok(Some(Event::Data(_))) => {}
                Ok(Some(Event::Pong(_))) => self.heard_pong = true,
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
                    // RFC 6455 §5.5.1: who has sent its Close need not read on.
                    self.forget_all(io);
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
            self.expire_in(io.shared.timeouts.ping_interval, io);
        }
    }

    /// When it ends whatever happens, and unless a message comes.
    fn ends(&self) -> (Tick, Tick) {
        let more = self.more.as_ref();
        more.map_or((Tick::NEVER, Tick::NEVER), |more| {
            (more.ends_at, more.idle_at)
        })
    }

    /// Part of a message has come.
    #[inline]
    fn note_message(&mut self, io: &Io<'_>) {
        if let Some(more) = &mut self.more
            && more.idle_at != Tick::NEVER
        {
            more.idle_at = io.shared.now.after(io.shared.timeouts.websocket_idle);
        }
    }

    /// Sets the deadline, no later than the end of the connection's life.
    fn expire_in(&self, ticks: u32, io: &mut Io<'_>) {
        let end = self.ends().0.min(self.ends().1);
        io.expire_in(ticks.min(end.since(io.shared.now)));
    }

    /// The deadline has passed.
    pub(crate) fn expired(&mut self, io: &mut Io<'_>) {
        if self.phase != Phase::Closing && self.is_at_its_end(io) {
            return;
        }
        match self.phase {
            // A peer that takes a long message sends nothing meanwhile, and would see a ping only behind it. While
            // anything waits for the peer, the write stall has the clock.
            Phase::Quiet | Phase::Pinged if io.waiting_bytes() > 0 => {
                self.phase = Phase::Quiet;
                self.expire_in(io.shared.timeouts.ping_interval, io);
            }
            Phase::Quiet => {
                encode_ping(io.out(), b"");
                self.phase = Phase::Pinged;
                self.expire_in(io.shared.timeouts.ping, io);
            }
            Phase::Pinged => {
                events::timed_out(io.token.index, "ping_timeout");
                io.abort();
            }
            Phase::Closing => {
                events::timed_out(io.token.index, "close_timeout");
                self.say_farewell(io);
                io.finish();
            }
        }
    }

    /// Closes a connection that has lived its time, or was idle for too long.
    fn is_at_its_end(&mut self, io: &mut Io<'_>) -> bool {
        let now = io.shared.now;
        let (ends_at, idle_at) = self.ends();
        let (limit, reason) = if ends_at <= now {
            (
                "websocket_lifetime_max",
                "the connection has lived its time",
            )
        } else if idle_at <= now {
            ("websocket_idle_timeout", "no message came for too long")
        } else {
            return false;
        };
        events::timed_out(io.token.index, limit);
        self.close(CloseCode::GOING_AWAY, reason, io);
        true
    }

    /// Begins the closing handshake, or ends it if the peer began. The Close goes behind the messages that wait.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str, io: &mut Io<'_>) {
        if self.close_behind_queue(code, reason, io) {
            return;
        }
        if let Some(SendClose(code)) = self.session.close(Some(code)) {
            encode_close(io.out(), code, reason);
            self.phase = Phase::Closing;
            io.expire_in(io.shared.timeouts.close);
        }
    }

    /// Closes for a cause of our own, without waiting for an answer.
    pub(crate) fn abandon(&mut self, code: CloseCode, reason: &str, io: &mut Io<'_>) {
        self.forget_all(io);
        if let Some(SendClose(code)) = self.session.abandon(code) {
            encode_close(io.out(), code, reason);
        }
        io.finish();
    }

    fn fail(&mut self, error: Error, io: &mut Io<'_>) {
        self.forget_all(io);
        if let Some(SendClose(code)) = self.session.fail(error) {
            encode_close(io.out(), code, error.reason());
        }
        io.finish();
    }
}
