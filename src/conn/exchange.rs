//! HTTP on one connection: one exchange after the other, and how long each step may take.
//!
//! ```text
//!   First byte? ──▶ Head ──▶ Body ──▶ (reply) ──▶ Idle ──▶ Head …
//!      60 s         10 s     1 KiB/s               75 s, at most requests_per_connection_max times
//! ```
//!
//! The next head is not read until the reply to the last one is completely encoded, so pipelined replies keep their
//! order by construction. It does not know what is replied, nor WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::io::Io;
use super::outgoing::{Outgoing, Step};
use crate::buf::Input;
use crate::events;
use crate::http::{Decoder, Ending, Error, Event, Reading, ReplyHead, ReplyTo, Status};

/// Memory that one large piece of a body needed is not kept for the next.
const SCRATCH_KEPT_BYTES_MAX: usize = 128 * 1024;

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first byte, or the first one after a reply.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// Somebody who can take more of a body.
    Paused,
    /// A reply from another thread.
    Reply,
    /// The rest of a reply, which is produced as the peer reads it.
    Sending,
}

/// What a reply that is not encoded yet needs meanwhile.
#[derive(Debug)]
enum Pending {
    /// Tells whoever works on it that the connection has gone.
    Deferred(Arc<AtomicBool>),
    /// The body that is on its way.
    Sending(Outgoing),
}

/// A reply whose body was produced has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes of content.
    pub(crate) bytes: u64,
}

/// HTTP on one connection.
#[derive(Debug)]
pub(crate) struct Exchange {
    decoder: Decoder,
    /// What the reply to the request in hand must respect.
    pub(crate) to: ReplyTo,
    phase: Phase,
    /// Whether the body is collected behind the head, or given to the handler in pieces.
    pub(crate) streams: bool,
    /// The peer has asked for the last time: it said `close`, its request has no body, and nothing came behind it. It must
    /// not send any more (RFC 9112 §9.6).
    pub(crate) peer_done: bool,
    /// How long the head is that is stored at the front of the message buffer.
    pub(crate) head_bytes: u32,
    /// How many bytes of the body have come since its rate was last judged, up to 4 GiB.
    window_bytes: u32,
    /// How many requests there were: a deferred reply names the one that it answers.
    pub(crate) number: u32,
    /// A reply that is not encoded yet.
    pending: Option<Box<Pending>>,
}

impl Exchange {
    /// A connection that has just been accepted.
    pub(crate) fn new(io: &mut Io<'_>) -> Self {
        io.expire_in(io.shared.timeouts.first_byte);
        Self {
            decoder: Decoder::new(),
            to: ReplyTo::CLOSING,
            phase: Phase::Idle,
            streams: false,
            peer_done: false,
            head_bytes: 0,
            window_bytes: 0,
            number: 0,
            pending: None,
        }
    }

    /// The next unit of a request. A fault of the peer is answered here, and ends the connection.
    pub(crate) fn next<'b>(&mut self, input: &mut Input<'b>, io: &mut Io<'_>) -> Option<Event<'b>> {
        let event = self.decoder.next(input, &io.shared.head_limits);
        self.judged(event, io)
    }

    /// Takes a whole head of the usual form, if one is next: see [`Decoder::usual`].
    #[inline(always)]
    pub(crate) fn usual<'b>(
        &self,
        input: &mut Input<'b>,
        io: &Io<'_>,
        reading: &mut Reading,
    ) -> Option<&'b [u8]> {
        self.decoder.usual(input, &io.shared.head_limits, reading)
    }

    /// Goes on with such a head when it is not plain.
    #[inline(never)]
    pub(crate) fn judge<'b>(
        &mut self,
        reading: &Reading,
        raw: &'b [u8],
        io: &mut Io<'_>,
    ) -> Option<Event<'b>> {
        let event = self.decoder.judge(reading, raw, &io.shared.head_limits);
        self.judged(event, io)
    }

    /// The next unit, where no such head is next.
    #[inline(never)]
    pub(crate) fn unusual<'b>(
        &mut self,
        input: &mut Input<'b>,
        io: &mut Io<'_>,
    ) -> Option<Event<'b>> {
        let event = self.decoder.unusual(input, &io.shared.head_limits);
        self.judged(event, io)
    }

    #[inline]
    fn judged<'b>(
        &mut self,
        event: Result<Option<Event<'b>>, Error>,
        io: &mut Io<'_>,
    ) -> Option<Event<'b>> {
        match event {
            Ok(event) => event,
            Err(error) => {
                self.refuse(error, io);
                None
            }
        }
    }

    /// Whether nothing of a request was read.
    #[inline]
    pub(crate) fn is_between_requests(&self) -> bool {
        self.decoder.at_head()
    }

    /// As the decoder's.
    pub(crate) fn missing(&mut self, stored: &[u8], fresh: &[u8]) -> usize {
        self.decoder.missing(stored, fresh)
    }

    /// A head was read; its reply is due after its body.
    #[inline]
    pub(crate) fn begin(&mut self, to: ReplyTo) -> ReplyTo {
        self.to = to;
        self.number = self.number.wrapping_add(1);
        to
    }

    /// A body is on its way that has not come completely.
    pub(crate) fn begin_body(&mut self, streams: bool, io: &mut Io<'_>) {
        self.streams = streams;
        self.phase = Phase::Body;
        self.restart_rate_window(io);
    }

    /// The body's rate is counted from now on. To be called whenever its input is released: a peer that waited because
    /// we did not read was not slow.
    pub(crate) fn restart_rate_window(&mut self, io: &mut Io<'_>) {
        if self.phase == Phase::Body {
            self.window_bytes = 0;
            io.expire_in(io.shared.timeouts.body_window);
        }
    }

    /// Some of it came.
    pub(crate) fn body_came(&mut self, bytes: usize) {
        self.window_bytes = self.window_bytes.saturating_add(bytes as u32);
    }

    /// The reply will come from elsewhere. Input waits, and so does the clock.
    pub(crate) fn wait_for_reply(
        &mut self,
        keep_alive: bool,
        cancelled: Arc<AtomicBool>,
        io: &mut Io<'_>,
    ) {
        self.phase = Phase::Reply;
        self.to.keep_alive = keep_alive;
        self.pending = Some(Box::new(Pending::Deferred(cancelled)));
        io.hold_input();
        io.never_expire();
    }

    /// Whether the exchange `number` waits for a reply from elsewhere.
    pub(crate) fn waits_for(&self, number: u32) -> bool {
        self.phase == Phase::Reply && self.number == number
    }

    /// The reply from elsewhere has come.
    pub(crate) fn reply_came(&mut self, keep_alive: bool, io: &mut Io<'_>) {
        self.pending = None;
        io.release_input();
        self.replied(keep_alive, io);
        self.set_deadline(&[], io);
    }

    /// Whether the request in hand is the last one that this connection may bring.
    #[inline]
    pub(crate) fn is_last(&self, io: &Io<'_>) -> bool {
        let max = io.shared.limits.requests_per_connection_max;
        max != 0 && self.number >= max
    }

    /// The head of a reply is encoded; its body is produced from now on, as the peer reads it. Input waits meanwhile.
    pub(crate) fn send_body(&mut self, body: Outgoing, keep_alive: bool, io: &mut Io<'_>) {
        self.phase = Phase::Sending;
        self.to.keep_alive = keep_alive;
        io.charge_producing(body.held_bytes);
        self.pending = Some(Box::new(Pending::Sending(body)));
        io.hold_input();
        // The peer's reading has the write stall for its clock; how long the source takes is its own affair.
        io.never_expire();
        io.produce();
    }

    /// There is room: produces the next piece of the body that is on its way. Says when it is complete, or was given up.
    pub(crate) fn writable(&mut self, io: &mut Io<'_>) -> Option<Sent> {
        let Some(Pending::Sending(body)) = self.pending.as_deref_mut() else {
            io.produce_later();
            return None;
        };
        let mut scratch = std::mem::take(&mut io.shared.scratch);
        let step = body.step(io.out(), &mut scratch);
        if scratch.capacity() <= SCRATCH_KEPT_BYTES_MAX {
            io.shared.scratch = scratch;
        }
        let sent = Sent { bytes: body.bytes };
        match step {
            Step::More => return None,
            Step::Later => {
                io.produce_later();
                return None;
            }
            Step::Done => {
                io.produce_later();
                io.charge_producing(0);
                let keep_alive = self.to.keep_alive && !io.shared.stopping;
                self.reply_came(keep_alive, io);
            }
            Step::Broken => self.give_up(io),
        }
        Some(sent)
    }

    /// The body that is on its way cannot be completed. The peer must not take it for whole.
    pub(crate) fn give_up(&mut self, io: &mut Io<'_>) {
        if let Some(Pending::Sending(body)) = self.pending.as_deref()
            && body.ends_with_connection()
        {
            // A FIN would be its end.
            io.reset();
        }
        self.pending = None;
        io.produce_later();
        io.charge_producing(0);
        io.abort();
    }

    /// Somebody has more for the exchange `number`, or can take more of its body.
    pub(crate) fn wake(&mut self, number: u32, io: &mut Io<'_>) {
        match self.phase {
            _ if self.number != number => {}
            Phase::Sending => io.produce(),
            Phase::Paused => {
                self.phase = Phase::Body;
                io.release_input();
                // The pause was ours: the rate is measured anew.
                self.restart_rate_window(io);
            }
            _ => {}
        }
    }

    /// Leaves the rest of the body with the peer until somebody can take it. Meanwhile no clock runs against the peer.
    pub(crate) fn pause_body(&mut self, io: &mut Io<'_>) {
        self.phase = Phase::Paused;
        io.hold_input();
        io.never_expire();
    }

    /// The connection is over: whoever works on a reply is told.
    pub(crate) fn cancel(&self) {
        if let Some(Pending::Deferred(cancelled)) = self.pending.as_deref() {
            cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Bytes of content that a body on its way has brought.
    pub(crate) fn sending_bytes(&self) -> u64 {
        match self.pending.as_deref() {
            Some(Pending::Sending(body)) => body.bytes,
            _ => 0,
        }
    }

    /// A reply was encoded. Closes if the connection was not to be kept.
    #[inline]
    pub(crate) fn replied(&mut self, keep_alive: bool, io: &mut Io<'_>) {
        self.phase = Phase::Idle;
        if keep_alive {
            io.expire_in(io.shared.timeouts.idle);
        } else if self.peer_done {
            io.finish_with_peer();
        } else {
            io.finish();
        }
    }

    /// A dispatch is over: a head that has begun gets its deadline. `unread` could not be understood yet.
    ///
    /// The deadlines of the other phases were set when they began and are not moved by what comes; nor is this one, so that
    /// a dripped head has ten seconds in all.
    #[inline]
    pub(crate) fn set_deadline(&mut self, unread: &[u8], io: &mut Io<'_>) {
        // RFC 9112 §2.2: an empty line in front of a request is ignored, so neither it nor the CR of one begins a head.
        let begun = !matches!(unread.first(), None | Some(b'\r'));
        // Requests may also wait because the peer does not read their replies: the write stall has the clock then, and
        // they are offered again when it has read enough.
        if self.phase == Phase::Idle && begun && !io.wants_no_input() {
            self.phase = Phase::Head;
            io.expire_in(io.shared.timeouts.head);
        }
    }

    /// The deadline has passed.
    pub(crate) fn expired(&mut self, io: &mut Io<'_>) {
        match self.phase {
            // It is still reading the last reply.
            Phase::Idle if io.waiting_bytes() > 0 => {
                // A stop looks again soon, so that it waits no longer than the peer does.
                let idle = io.shared.timeouts.idle;
                io.expire_in(if io.shared.stopping { 1 } else { idle });
            }
            // Nothing was asked, so nothing is answered: a 408 would be read as the answer to the next request.
            Phase::Idle => {
                let never_asked = self.number == 0;
                let limit = if never_asked {
                    "first_byte_timeout"
                } else {
                    "idle_timeout"
                };
                events::timed_out(io.token.index, limit);
                io.finish();
            }
            Phase::Head => {
                events::timed_out(io.token.index, "head_timeout");
                self.refuse_head(
                    Status::REQUEST_TIMEOUT,
                    "The request head took too long.",
                    io,
                );
            }
            Phase::Body => self.judge_rate(io),
            Phase::Paused | Phase::Reply | Phase::Sending => {}
        }
    }

    /// A window is over. Only its own bytes count: a fast start buys no time.
    fn judge_rate(&mut self, io: &mut Io<'_>) {
        // The window's planned length, not what has passed: that we looked late is not the peer's fault.
        if io.wants_no_input() || self.window_bytes >= io.shared.timeouts.body_window_bytes_min {
            self.restart_rate_window(io);
        } else {
            events::timed_out(io.token.index, "body_bytes_per_second_min");
            self.refuse_with(
                Status::REQUEST_TIMEOUT,
                "The request body came too slowly.",
                io,
            );
        }
    }

    /// The peer has sent its FIN.
    pub(crate) fn ended(&mut self, unfinished: bool, io: &mut Io<'_>) {
        if self.phase == Phase::Reply {
            // Half-closed: it still waits for the answer (RFC 9112 §9.6).
            return;
        }
        if self.decoder.ended(usize::from(unfinished)) == Ending::Truncated {
            let (status, reason) = (Status::BAD_REQUEST, "The request is cut short.");
            match self.phase {
                Phase::Body => self.refuse_with(status, reason, io),
                _ => self.refuse_head(status, reason, io),
            }
        }
        io.finish();
    }

    /// The server stops. An idle connection gets one moment more: a request may be on its way already.
    pub(crate) fn stopping(&mut self, io: &mut Io<'_>) {
        if self.phase == Phase::Idle {
            io.expire_in(1);
        }
    }

    fn refuse(&mut self, error: Error, io: &mut Io<'_>) {
        if self.phase != Phase::Body {
            self.to = self.decoder.refused();
        }
        self.refuse_with(error.status(), error.reason(), io);
    }

    /// Refuses a head that is unfinished: what it wants to hear is not known, and the last request is no guide.
    fn refuse_head(&mut self, status: Status, reason: &str, io: &mut Io<'_>) {
        self.to = ReplyTo::CLOSING;
        self.refuse_with(status, reason, io);
    }

    /// Refuses a request whose head was understood.
    pub(crate) fn refuse_error(&mut self, error: Error, io: &mut Io<'_>) {
        self.refuse_with(error.status(), error.reason(), io);
    }

    /// Answers once and ends the connection: nothing behind a refused request is ever read as a request.
    pub(crate) fn refuse_with(&mut self, status: Status, reason: &str, io: &mut Io<'_>) {
        let to = self.to;
        let to = ReplyTo {
            keep_alive: false,
            ..to
        };
        let (out, date) = io.out_and_date();
        let mut head = ReplyHead::new(out, to, status)
            .constant("Server: longshore\r\n")
            .constant("Content-Type: text/plain; charset=utf-8\r\n");
        head.date(date);
        head.finish_with(format!("{reason}\n").as_bytes());
        events::refused(io.token.index, status.code(), reason);
        io.shared.refused = Some((status, reason.len() as u64 + 1));
        io.finish();
    }
}
