//! How messages leave: at once, or when the peer has read what waits before them.
//!
//! ```text
//!   send ──▶ room? ──yes──▶ frame ──▶ cork, outbox
//!              │ no, and the policy is not to disconnect
//!              ▼
//!            Queue: backlog, and behind it our Close ── room again ──▶ frames ──▶ …
//! ```
//!
//! A message that was answered with [`Sent::Queued`] was promised. So a Close of ours goes behind the queue, for at most
//! `close_timeout`: RFC 6455 §5.5.1 forbids data behind a Close, not before. When the peer closes, or the connection
//! fails, the queue is forgotten: nobody need read it any more. It does not know who calls it, nor topics.

use std::sync::Arc;

use super::{Broadcast, More, Phase, WebSocket};
use crate::conn::Io;
use crate::conn::backlog::{Backlog, Payload, Pushed, SlowPeer, Waiting};
use crate::conn::deflated::Deflated;
use crate::ws::{CloseCode, Kind, Piece, SendClose, encode_close, encode_message};

/// What a peer is told at the memory ceiling, with 1013.
pub(crate) const FULL: &str = "the server's memory limit is reached";

/// So many bytes are sent to a peer that has read everything, also at the memory ceiling: a send in flight of this size is
/// not charged.
const FREE_BYTES_MAX: usize = 16 * 1024;

/// What waits because the peer does not read.
#[derive(Debug, Default)]
pub(super) struct Queue {
    backlog: Backlog,
    /// The Close behind it, if we have begun to close.
    farewell: Option<(CloseCode, Box<str>)>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It leaves now.
    Now,
    /// It leaves when the peer has read what waits before it, also if this side closes meanwhile. Older messages may have
    /// been dropped for it, if the [`SlowPeer`] policy says so. It is lost if a later message takes its place, if the peer
    /// closes or goes, or if it does not read on within `close_timeout` of our closing.
    Queued,
    /// It was dropped, because too much waits already.
    Dropped,
    /// It was not sent: the closing handshake has begun.
    Closed,
}

impl WebSocket {
    /// Sends a message, or lets it wait. `key` names what it replaces, for [`SlowPeer::Conflate`].
    #[inline]
    pub(crate) fn send(
        &mut self,
        kind: Kind,
        payload: &[u8],
        key: Option<u64>,
        io: &mut Io<'_>,
    ) -> Sent {
        let waiting = || Waiting {
            kind,
            key,
            payload: Payload::Own(payload.to_vec()),
        };
        self.send_or_wait(waiting, |own, io| own.encode(kind, payload, io), io)
            .0
    }

    /// Sends a message as it is, or lets it wait.
    pub(crate) fn send_uncompressed(
        &mut self,
        kind: Kind,
        payload: &[u8],
        io: &mut Io<'_>,
    ) -> Sent {
        let waiting = || Waiting {
            kind,
            key: None,
            payload: Payload::Plain(payload.to_vec()),
        };
        let encode = |_: &mut Self, io: &mut Io<'_>| encode_message(io.out(), kind, payload);
        self.send_or_wait(waiting, encode, io).0
    }

    /// Sends a message that other connections send too, or lets it wait. Also says how many older ones were dropped for it.
    pub(crate) fn send_shared(
        &mut self,
        message: &Arc<Broadcast>,
        key: Option<u64>,
        io: &mut Io<'_>,
    ) -> (Sent, u32) {
        let waiting = || Waiting {
            kind: message.kind,
            key,
            payload: Payload::Shared(message.clone()),
        };
        self.send_or_wait(waiting, |own, io| own.encode_shared(message, io), io)
    }

    /// Encodes a message now if it may leave, or keeps what `waiting` makes of it. Also says how many older ones were
    /// dropped for it.
    #[inline]
    fn send_or_wait(
        &mut self,
        waiting: impl FnOnce() -> Waiting,
        encode: impl FnOnce(&mut Self, &mut Io<'_>),
        io: &mut Io<'_>,
    ) -> (Sent, u32) {
        if !self.takes_messages(io) {
            return (Sent::Closed, 0);
        }
        if self.must_wait(io) {
            return self.wait(waiting(), io);
        }
        let waits = io.waits();
        encode(self, io);
        (if waits { Sent::Queued } else { Sent::Now }, 0)
    }

    /// Whether the memory ceiling allows messages of `bytes` together. If not, and the policy is to keep all, the connection
    /// is closed for it; with another policy each message finds its own end.
    pub(crate) fn may_send_shared(&mut self, bytes: usize, io: &mut Io<'_>) -> bool {
        let is_little = bytes <= FREE_BYTES_MAX && io.waiting_bytes() == 0;
        if self.policy != SlowPeer::Disconnect || is_little || !self.takes_messages(io) {
            return true;
        }
        let has_room = io.has_room(bytes);
        if !has_room {
            self.abandon(CloseCode::TRY_LATER, FULL, io);
        }
        has_room
    }

    /// Whether a message may still be sent: nobody has closed, and nobody waits to.
    #[inline]
    pub(super) fn takes_messages(&self, io: &Io<'_>) -> bool {
        let is_leaving = self.queue().is_some_and(|queue| queue.farewell.is_some());
        self.session.may_begin_message() && io.is_open() && !is_leaving
    }

    /// Whether messages have to wait, uncompressed: behind one of ours that is not finished, because the peer does not
    /// read, or because others do.
    #[inline]
    pub(super) fn must_wait(&self, io: &Io<'_>) -> bool {
        self.is_inside_own_message()
            || self.queue().is_some()
            || (self.policy != SlowPeer::Disconnect && io.is_blocked())
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

    /// Queues a shared frame, in the form that was agreed on.
    fn encode_shared(&mut self, message: &Broadcast, io: &mut Io<'_>) {
        let deflated = deflated(&mut self.more);
        let form = deflated.and_then(|deflated| deflated.form(message.payload().len()));
        let frame = message.frame(form, &mut io.shared.shop);
        io.send_shared(frame);
    }

    /// Inflates a piece of a compressed message, behind those that are put together already. False if the connection is
    /// failed for it.
    pub(crate) fn inflate(&mut self, piece: &Piece<'_>, io: &mut Io<'_>) -> bool {
        let limit = io.shared.limits.message_bytes_max;
        let mut message = io.take_message();
        let before = message.len();
        let (_, shop) = io.out_and_shop();
        let mut inflated = match deflated(&mut self.more) {
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
        // How much a piece becomes is known only now: a thousand times as much, at most.
        if inflated.is_ok() && !io.has_room(message.len() - before) {
            inflated = Err((CloseCode::TRY_LATER, FULL));
        }
        *io.message() = message;
        if let Err((code, reason)) = inflated {
            self.abandon(code, reason, io);
        }
        inflated.is_ok()
    }

    fn wait(&mut self, message: Waiting, io: &mut Io<'_>) -> (Sent, u32) {
        let before = self.backlog_bytes();
        let mut bytes_max = io.shared.limits.outbox_bytes_max;
        if !io.has_room(message.bytes()) {
            if self.policy == SlowPeer::Disconnect {
                // Nothing may be dropped, and nothing more may be kept.
                self.abandon(CloseCode::TRY_LATER, FULL, io);
                return (Sent::Closed, 0);
            }
            // At the memory ceiling the backlog keeps its size.
            bytes_max = bytes_max.min(before);
            if bytes_max == 0 {
                return (Sent::Dropped, 0);
            }
        }
        let queue = self
            .more
            .get_or_insert_default()
            .queue
            .get_or_insert_default();
        let pushed = queue.backlog.push(message, self.policy, bytes_max);
        let bytes = queue.backlog.bytes();
        io.charge_producing(bytes);
        io.produce();
        if self.keeps_too_much(before, io) {
            return (Sent::Closed, 0);
        }
        match pushed {
            Pushed::Queued { dropped } => (Sent::Queued, dropped),
            Pushed::Dropped => (Sent::Dropped, 0),
        }
    }

    /// Wants the service to be told when there is room for more.
    pub(crate) fn await_room(&mut self, io: &mut Io<'_>) {
        self.awaits_room = true;
        io.produce();
    }

    /// There is room: sends what waits, and the Close behind it. True if the service wanted to be told of it, and nothing
    /// waits any more.
    pub(crate) fn writable(&mut self, io: &mut Io<'_>) -> bool {
        while self.backlog_bytes() > 0 && !self.is_inside_own_message() {
            if io.is_blocked() {
                io.charge_producing(self.backlog_bytes());
                return false;
            }
            self.send_oldest(io);
        }
        if self.is_inside_own_message() {
            io.charge_producing(self.backlog_bytes());
        } else {
            self.say_farewell(io);
        }
        io.produce_later();
        std::mem::take(&mut self.awaits_room) && self.takes_messages(io)
    }

    /// Our message in pieces is finished: what was said meanwhile may leave.
    pub(super) fn send_behind(&mut self, io: &mut Io<'_>) {
        if self.policy != SlowPeer::Disconnect {
            io.produce();
            return;
        }
        while self.backlog_bytes() > 0 {
            self.send_oldest(io);
        }
        self.forget_queue(io);
    }

    /// Writes the message that waits longest.
    fn send_oldest(&mut self, io: &mut Io<'_>) {
        let queue = self.queue_mut();
        let Some(message) = queue.and_then(|queue| queue.backlog.pop()) else {
            return;
        };
        match message.payload {
            Payload::Own(payload) => self.encode(message.kind, &payload, io),
            Payload::Plain(payload) => encode_message(io.out(), message.kind, &payload),
            Payload::Shared(shared) => self.encode_shared(&shared, io),
        }
    }

    /// How many bytes of messages wait uncompressed.
    pub(crate) fn backlog_bytes(&self) -> usize {
        self.queue().map_or(0, |queue| queue.backlog.bytes())
    }

    /// Lets our Close wait behind the messages that wait. False if none does, or if they wait for one of ours that is not
    /// finished: it never will be.
    pub(super) fn close_behind_queue(
        &mut self,
        code: CloseCode,
        reason: &str,
        io: &mut Io<'_>,
    ) -> bool {
        if self.is_inside_own_message() {
            self.forget_queue(io);
        }
        let Some(queue) = self.queue_mut() else {
            return false;
        };
        // The first one counts, as it would if it had been sent.
        if queue.farewell.is_none() {
            queue.farewell = Some((code, reason.into()));
            self.phase = Phase::Closing;
            io.expire_in(io.shared.timeouts.close);
        }
        true
    }

    /// Forgets what is left of the queue, and sends the Close that waited behind it.
    pub(super) fn say_farewell(&mut self, io: &mut Io<'_>) {
        let queue = self.queue_mut();
        let farewell = queue.and_then(|queue| queue.farewell.take());
        self.forget_queue(io);
        if let Some((code, reason)) = farewell
            && let Some(SendClose(code)) = self.session.close(Some(code))
        {
            encode_close(io.out(), code, &reason);
            io.expire_in(io.shared.timeouts.close);
        }
    }

    /// Nobody will read what waits.
    fn forget_queue(&mut self, io: &mut Io<'_>) {
        if let Some(more) = &mut self.more
            && more.queue.take().is_some()
        {
            io.charge_producing(0);
        }
    }

    /// Nothing that comes is read any more, and nobody will read what waits: gives memory back at once, also that of the
    /// message in hand and of compression. The connection itself may stay for as long as its peer takes to go.
    pub(super) fn forget_all(&mut self, io: &mut Io<'_>) {
        self.forget_queue(io);
        if let Some(more) = &mut self.more {
            more.deflated = None;
        }
        drop(io.take_message());
    }

    fn queue(&self) -> Option<&Queue> {
        self.more.as_ref()?.queue.as_deref()
    }

    fn queue_mut(&mut self) -> Option<&mut Queue> {
        self.more.as_mut()?.queue.as_deref_mut()
    }
}

/// The compression of a connection that has some.
#[inline]
pub(super) fn deflated(more: &mut Option<Box<More>>) -> Option<&mut Deflated> {
    more.as_mut()?.deflated.as_deref_mut()
}
