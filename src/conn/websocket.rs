//! WebSocket on one connection: control frames, the closing handshake, and who is still there.
//!
//! ```text
//!   Quiet ── 30 s without a byte: Ping ──▶ Pinged ── 20 s ──▶ cut
//!     ▲───────── anything comes ─────────────┘
//!   close() ──▶ Closing ── 5 s, or the peer's Close ──▶ FIN
//! ```
//!
//! Messages are handed up in the pieces in which they came; putting them together, or showing the pieces, is the
//! service's. It does not know HTTP, nor what a message means.

mod pieces;

use std::sync::Arc;

use super::backlog::{Backlog, Payload, Pushed, SlowPeer, Waiting};
use super::deflated::Deflated;
use super::io::Io;
use super::tick::Tick;
use crate::buf::Input;
use crate::events;
use crate::ws::{
    CloseCode, Decoder, Error, Event, Kind, Piece, Role, SendClose, Session, encode_close,
    encode_message, encode_ping, encode_pong,
};
use pieces::Pieces;

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
    /// What waits because the peer does not read.
    backlog: Backlog,
    /// When it ends whatever happens, if it has to.
    ends_at: Tick,
    /// When it ends unless a message comes, if it has to.
    idle_at: Tick,
}

impl Default for More {
    fn default() -> Self {
        Self {
            deflated: None,
            backlog: Backlog::default(),
            ends_at: Tick::NEVER,
            idle_at: Tick::NEVER,
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It leaves now.
    Now,
    /// It leaves when the peer has read what waits before it. Older messages may have been dropped for it, if the
    /// [`SlowPeer`] policy says so.
    Queued,
    /// It was dropped, because too much waits already.
    Dropped,
    /// It was not sent: the closing handshake has begun.
    Closed,
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

    /// Sends a message, or lets it wait. `key` names what it replaces, for [`SlowPeer::Conflate`].
    #[inline]
    pub(crate) fn send(
        &mut self,
        kind: Kind,
        payload: &[u8],
        key: Option<u64>,
        io: &mut Io<'_>,
    ) -> Sent {
        if !self.session.may_begin_message() || !io.is_open() {
            return Sent::Closed;
        }
        if self.must_wait(io) {
            let payload = Payload::Own(payload.to_vec());
            return self.wait(Waiting { kind, key, payload }, io);
        }
        let waits = io.waits();
        self.encode(kind, payload, io);
        if waits { Sent::Queued } else { Sent::Now }
    }

    /// Writes a message, compressed if that was agreed on and is worth while.
    #[inline]
    fn encode(&mut self, kind: Kind, payload: &[u8], io: &mut Io<'_>) {
        let (out, shop) = io.out_and_shop();
        let compressed = deflated(&mut self.more)
            .is_some_and(|deflated| deflated.encode(kind, payload, shop, out));
        if !compressed {
            encode_message(io.out(), kind, payload);
        }
    }

    /// Inflates a piece of a compressed message, behind those that are put together already. False if the connection is
    /// failed for it.
    pub(crate) fn inflate(&mut self, piece: &Piece<'_>, io: &mut Io<'_>) -> bool {
        let limit = io.shared.limits.message_bytes_max;
        let mut message = io.take_message();
        let (_, shop) = io.out_and_shop();
        let inflated = match deflated(&mut self.more) {
            Some(deflated) => deflated.inflate(
                piece.kind,
                piece.bytes,
                piece.last,
                limit,
                shop,
                &mut message,
            ),
            // The decoder refuses RSV1 then.
            None => Ok(()),
        };
        *io.message() = message;
        if let Err((code, reason)) = inflated {
            self.abandon(code, reason, io);
        }
        inflated.is_ok()
    }

    /// Sends a frame that other connections send too, or lets it wait. Its header has `header` bytes.
    pub(crate) fn send_shared(
        &mut self,
        kind: Kind,
        frame: &Arc<[u8]>,
        header: u8,
        key: Option<u64>,
        io: &mut Io<'_>,
    ) -> Sent {
        if !self.session.may_begin_message() || !io.is_open() {
            return Sent::Closed;
        }
        if self.must_wait(io) {
            let payload = Payload::Shared {
                frame: frame.clone(),
                header,
            };
            return self.wait(Waiting { kind, key, payload }, io);
        }
        let waits = io.waits();
        io.send_shared(frame);
        if waits { Sent::Queued } else { Sent::Now }
    }

    /// Whether messages have to wait, uncompressed: behind others, behind one that is not finished, or because the peer
    /// does not read.
    #[inline]
    fn must_wait(&self, io: &Io<'_>) -> bool {
        self.is_inside_own_message()
            || self.backlog_bytes() > 0
            || (self.policy != SlowPeer::Disconnect && io.is_blocked())
    }

    fn wait(&mut self, message: Waiting, io: &mut Io<'_>) -> Sent {
        let backlog = &mut self.more.get_or_insert_default().backlog;
        let before = backlog.bytes();
        let pushed = backlog.push(message, self.policy, io.shared.limits.outbox_bytes_max);
        io.charge_producing(backlog.bytes());
        io.produce();
        if self.keeps_too_much(before, io) {
            return Sent::Closed;
        }
        match pushed {
            Pushed::Queued { .. } => Sent::Queued,
            Pushed::Dropped => Sent::Dropped,
        }
    }

    /// Whether a pong has come, told once.
    #[inline]
    pub(crate) fn take_pong(&mut self) -> bool {
        std::mem::take(&mut self.heard_pong)
    }

    /// Wants the service to be told when there is room for more.
    pub(crate) fn await_room(&mut self, io: &mut Io<'_>) {
        self.awaits_room = true;
        io.produce();
    }

    /// There is room: sends what waits. True if the service wanted to be told of it, and nothing waits any more.
    pub(crate) fn writable(&mut self, io: &mut Io<'_>) -> bool {
        while self.backlog_bytes() > 0 && !self.is_inside_own_message() {
            if io.is_blocked() {
                io.charge_producing(self.backlog_bytes());
                return false;
            }
            let more = self.more.as_mut();
            let message = more.and_then(|more| more.backlog.pop());
            if let Some(message) = message.filter(|_| self.session.may_begin_message()) {
                self.encode(message.kind, message.payload.as_bytes(), io);
            }
        }
        io.charge_producing(self.backlog_bytes());
        io.produce_later();
        std::mem::take(&mut self.awaits_room)
    }

    /// How many bytes of messages wait uncompressed.
    pub(crate) fn backlog_bytes(&self) -> usize {
        self.more.as_ref().map_or(0, |more| more.backlog.bytes())
    }

    /// The next piece of a message. Control frames are answered here, and so are the peer's faults.
    #[inline]
    pub(crate) fn next<'b>(&mut self, input: &mut Input<'b>, io: &mut Io<'_>) -> Option<Piece<'b>> {
        let (limits, slice) = self.bounds(io);
        loop {
            match self.decoder.next_slice(input, &limits, slice) {
                Ok(Some(Event::Data(piece))) if self.session.delivers_messages() => {
                    self.note_message(io);
                    self.note_piece(&piece);
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

/// The compression of a connection that has some.
#[inline]
fn deflated(more: &mut Option<Box<More>>) -> Option<&mut Deflated> {
    more.as_mut()?.deflated.as_deref_mut()
}
