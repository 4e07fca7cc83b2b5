//! What a service may do with its connection during one dispatch.

use std::sync::Arc;

use super::deflated::Shop;
use super::stream::{Busy, Flags, Life, Stream};
use super::tick::{Tick, Timeouts};
use crate::buf::{Budget, FileSlice, Part, Pool};
use crate::driver::Token;
use crate::events;
use crate::http::{DateCache, HeadLimits, Status};
use crate::limits::Limits;

/// The most free boxes that are kept.
const BOXES_MAX: usize = 64;
/// A message buffer that grew beyond this is freed when its message is done.
const MESSAGE_KEPT_BYTES_MAX: usize = 16 * 1024;
/// A send in flight of up to this many bytes is not charged: it costs a pooled buffer, and mostly ends in this turn.
const IN_FLIGHT_FREE_BYTES_MAX: usize = 16 * 1024;

/// Shared bytes of up to this many are copied into the cork.
const SHARED_COPIED_BYTES_MAX: usize = 4 * 1024;

/// What all connections of one reactor share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Pool,
    pub(crate) budget: Budget,
    pub(crate) limits: Arc<Limits>,
    /// The part of them that the HTTP decoder enforces.
    pub(crate) head_limits: HeadLimits,
    pub(crate) timeouts: Timeouts,
    /// The moment at which the present turn began.
    pub(crate) now: Tick,
    /// The `Date` of replies, made once a second.
    pub(crate) date: DateCache,
    /// Whether the server is stopping.
    pub(crate) stopping: bool,
    /// The status of the last refusal and its bytes of content, until the service looks.
    pub(crate) refused: Option<(Status, u64)>,
    /// Compressors and inflaters of WebSockets.
    pub(crate) shop: Shop,
    /// Memory for one call at a time, left empty by each.
    pub(crate) scratch: Vec<u8>,
    #[expect(
        clippy::vec_box,
        reason = "a box moves between this list and a connection, its contents stay in place"
    )]
    boxes: Vec<Box<Busy>>,
}

impl Shared {
    pub(crate) fn new(limits: Arc<Limits>, budget: Budget) -> Self {
        Self {
            pool: Pool::default(),
            budget,
            timeouts: Timeouts::new(&limits),
            head_limits: head_limits(&limits),
            limits,
            now: Tick(0),
            date: DateCache::new(),
            stopping: false,
            refused: None,
            shop: Shop::default(),
            scratch: Vec::new(),
            boxes: Vec::new(),
        }
    }

    /// The box of a connection that becomes busy.
    pub(crate) fn busy<'s>(&mut self, stream: &'s mut Stream) -> &'s mut Busy {
        stream
            .busy
            .get_or_insert_with(|| self.boxes.pop().unwrap_or_default())
    }

    /// Charges the memory ceiling for what the connection keeps, and takes the box of one that is idle again.
    pub(crate) fn account(&mut self, stream: &mut Stream) {
        let Some(busy) = stream.busy.as_mut() else {
            return;
        };
        if busy.is_idle() {
            if let Some(mut busy) = stream.busy.take() {
                self.budget.adjust(busy.charged, 0);
                busy.charged = 0;
                if self.boxes.len() < BOXES_MAX && busy.held_bytes() <= MESSAGE_KEPT_BYTES_MAX {
                    self.boxes.push(busy);
                }
            }
            return;
        }
        let held = busy.held_bytes();
        self.budget.adjust(busy.charged, held);
        busy.charged = held;
    }

    /// A send that holds `bytes` of memory is in flight; 0: no more.
    pub(crate) fn note_in_flight(&mut self, stream: &mut Stream, bytes: usize) {
        if bytes > IN_FLIGHT_FREE_BYTES_MAX {
            self.busy(stream).in_flight = bytes;
        } else if let Some(busy) = stream.busy.as_mut() {
            busy.in_flight = 0;
        }
    }

    /// Forgets what a closed connection kept.
    pub(crate) fn release(&mut self, stream: &mut Stream) {
        stream.flags.clear(Flags::IN_FLIGHT);
        if let Some(busy) = stream.busy.as_mut() {
            busy.outbox.clear(&mut self.pool);
            busy.inbox.keep_last(0);
            busy.message = Vec::new();
            busy.in_flight = 0;
            busy.producing = 0;
        }
        self.account(stream);
    }
}

/// The part of the limits that the decoder enforces.
fn head_limits(limits: &Limits) -> HeadLimits {
    HeadLimits {
        head_bytes_max: limits.head_bytes_max,
        fields_max: limits.fields_max,
        target_bytes_max: limits.target_bytes_max,
        chunk_extension_bytes_max: limits.chunk_extension_bytes_max,
        trailer_bytes_max: limits.trailer_bytes_max,
        body_bytes_max: limits
            .streamed_body_bytes_max
            .max(limits.collected_body_bytes_max),
    }
}

/// A connection, as its service sees it during one dispatch.
pub(crate) struct Io<'a> {
    stream: &'a mut Stream,
    /// Collects what is said in this dispatch, so that it leaves in one send.
    cork: &'a mut Vec<u8>,
    /// How many bytes went from it to the outbox, so that something else could stand behind them.
    moved: usize,
    pub(crate) shared: &'a mut Shared,
    /// More bytes came behind those that are offered now.
    pub(crate) more_follows: bool,
    /// Names the connection, for mail from other threads.
    pub(crate) token: Token,
}

impl<'a> Io<'a> {
    pub(crate) fn new(
        stream: &'a mut Stream,
        cork: &'a mut Vec<u8>,
        shared: &'a mut Shared,
        token: Token,
    ) -> Self {
        Self {
            stream,
            cork,
            moved: 0,
            shared,
            more_follows: false,
            token,
        }
    }

    /// Where to write what shall be sent.
    #[inline]
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        self.cork
    }

    /// Where to write, and the date to write.
    #[inline]
    pub(crate) fn out_and_date(&mut self) -> (&mut Vec<u8>, &DateCache) {
        (self.cork, &self.shared.date)
    }

    /// Where to write, and what compresses.
    #[inline]
    pub(crate) fn out_and_shop(&mut self) -> (&mut Vec<u8>, &mut Shop) {
        (self.cork, &mut self.shared.shop)
    }

    /// How many bytes wait to be sent, those of this dispatch included.
    #[inline]
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.cork.len() + self.stream.unsent()
    }

    /// Whether anything waits for the peer, beyond what was said in this dispatch.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        self.stream.unsent() > 0
    }

    /// Whether so much waits that no more work should be begun. Input that is left unread now is offered again when
    /// the peer has read enough.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.waiting_bytes() > self.shared.limits.outbox_high_bytes
    }

    /// Whether input should be left unread: the peer does not read, the service holds it, or the end has begun.
    #[inline]
    pub(crate) fn wants_no_input(&self) -> bool {
        self.stream.life != Life::Open || self.stream.flags.has(Flags::HELD) || self.is_blocked()
    }

    /// Wants no input until [`release_input`](Self::release_input).
    pub(crate) fn hold_input(&mut self) {
        self.stream.flags.set(Flags::HELD);
    }

    /// Wants input again.
    pub(crate) fn release_input(&mut self) {
        self.stream.flags.clear(Flags::HELD);
    }

    /// Charges the memory ceiling for what producing a body holds; 0: no more.
    pub(crate) fn charge_producing(&mut self, bytes: usize) {
        if bytes > 0 {
            self.shared.busy(self.stream).producing = bytes;
        } else if let Some(busy) = self.stream.busy.as_mut() {
            busy.producing = 0;
        }
    }

    /// Has more to say: [`Service::writable`](super::Service::writable) is called when there is room.
    pub(crate) fn produce(&mut self) {
        self.stream.flags.set(Flags::PRODUCES);
    }

    /// Has nothing more to say for now.
    pub(crate) fn produce_later(&mut self) {
        self.stream.flags.clear(Flags::PRODUCES);
    }

    /// Queues a slice of a file behind what was said so far.
    pub(crate) fn send_file(&mut self, slice: FileSlice) {
        self.flush_cork();
        self.shared.busy(self.stream).outbox.push_file(slice);
    }

    /// Queues bytes that many connections send. Short ones are copied: that costs less than a part of their own.
    pub(crate) fn send_shared(&mut self, bytes: &Arc<[u8]>) {
        if bytes.len() <= SHARED_COPIED_BYTES_MAX {
            self.cork.extend_from_slice(bytes);
            return;
        }
        self.flush_cork();
        let part = Part::Shared {
            bytes: bytes.clone(),
            range: 0..bytes.len() as u32,
        };
        self.shared
            .busy(self.stream)
            .outbox
            .push(part, &mut self.shared.pool);
    }

    /// Moves what was said so far to the outbox, so that something else can stand behind it.
    fn flush_cork(&mut self) {
        if self.cork.is_empty() {
            return;
        }
        self.moved += self.cork.len();
        self.stream.transport.said(self.cork);
        let part = Part::Pooled(std::mem::replace(self.cork, self.shared.pool.take()));
        self.shared
            .busy(self.stream)
            .outbox
            .push(part, &mut self.shared.pool);
    }

    /// Nothing more will be said: send what waits, then FIN, then linger, then close.
    pub(crate) fn finish(&mut self) {
        if self.stream.life == Life::Open {
            self.stream.life = Life::Flushing;
            self.stream.due = Tick::NEVER;
        }
    }

    /// The same for a peer that has said that it will send no more: no lingering.
    pub(crate) fn finish_with_peer(&mut self) {
        self.stream.flags.set(Flags::PEER_DONE);
        self.finish();
    }

    /// Says nothing more, and goes on listening: our FIN follows what waits (shutdown(2), `SHUT_WR`).
    pub(crate) fn half_close(&mut self) {
        self.stream.flags.set(Flags::HALF_CLOSES);
    }

    /// Whether nothing may be said any more.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.stream.flags.has(Flags::HALF_CLOSES)
    }

    /// Close at once; what waits is lost.
    pub(crate) fn abort(&mut self) {
        self.stream.end();
    }

    /// Close at once, with a reset: the peer shall not take what it has got for complete.
    pub(crate) fn reset(&mut self) {
        self.stream.flags.set(Flags::RESETS);
        self.stream.end();
    }

    /// Whether the connection still takes part: neither finished nor aborted.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.life == Life::Open
    }

    /// Wants to be told in `ticks`, unless another deadline is set before.
    #[inline]
    pub(crate) fn expire_in(&mut self, ticks: u32) {
        if self.stream.life == Life::Open {
            self.stream.due = self.shared.now.after(ticks);
        }
    }

    /// Wants not to be told.
    pub(crate) fn never_expire(&mut self) {
        self.stream.due = Tick::NEVER;
    }

    /// The buffer of the message that is being put together. It is kept between dispatches while it holds anything.
    pub(crate) fn message(&mut self) -> &mut Vec<u8> {
        &mut self.shared.busy(self.stream).message
    }

    /// What was put together of a message so far.
    pub(crate) fn stored_message(&self) -> &[u8] {
        self.stream.busy.as_ref().map_or(&[], |busy| &busy.message)
    }

    /// Takes the message out; its memory comes back with [`recycle_message`](Self::recycle_message).
    pub(crate) fn take_message(&mut self) -> Vec<u8> {
        self.stream
            .busy
            .as_mut()
            .map(|busy| std::mem::take(&mut busy.message))
            .unwrap_or_default()
    }

    /// Gives a message's buffer back, emptied.
    pub(crate) fn recycle_message(&mut self, mut message: Vec<u8>) {
        message.clear();
        if message.capacity() <= MESSAGE_KEPT_BYTES_MAX
            && let Some(busy) = self.stream.busy.as_mut()
        {
            busy.message = message;
        }
    }

    /// How many bytes were said in this dispatch, shared ones that were not copied apart.
    #[inline]
    pub(crate) fn said(&self) -> usize {
        self.moved + self.cork.len()
    }

    /// Whether the memory ceiling allows what was said since `before` bytes were. Small replies always pass: at the
    /// ceiling, whoever asks for little is still answered.
    #[inline]
    pub(crate) fn may_keep(&self, before: usize) -> bool {
        let said = self.said() - before;
        said <= IN_FLIGHT_FREE_BYTES_MAX || self.has_room(said)
    }

    /// Takes back what was said since `before` bytes were, but for whole frames and replies that went to the outbox.
    pub(crate) fn take_back(&mut self, before: usize) {
        self.cork.truncate(before.saturating_sub(self.moved));
    }

    /// Whether the memory ceiling leaves room for `bytes` more, if they are any.
    #[inline]
    pub(crate) fn has_room_if(&self, bytes: usize) -> bool {
        bytes == 0 || self.has_room(bytes)
    }

    /// Whether the memory ceiling leaves room for `bytes` more.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let has_room = self.shared.budget.has_room(bytes);
        if !has_room {
            events::memory_full(self.token.index, self.shared.limits.memory_bytes_max);
        }
        has_room
    }
}
