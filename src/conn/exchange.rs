//! HTTP on one connection: one exchange after the other, and how long each step may take.
//!
//! ```text
//!   First byte? ──▶ Head ──▶ Body ──▶ (reply) ──▶ Idle ──▶ Head …
//!      60 s         10 s     1 KiB/s               75 s
//! ```
//!
//! The next head is not read until the reply to the last one is completely encoded, so pipelined replies keep their
//! order by construction. It does not know what is replied, nor WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::io::Io;
use super::tick::{Tick, seconds, ticks};
use crate::buf::Input;
use crate::http::{Decoder, Ending, Error, Event, ReplyTo, Status, encode_error};

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first byte, or the first one after a reply.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// A reply from another thread.
    Reply,
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
    /// How long the head is that is stored at the front of the message buffer.
    pub(crate) head_bytes: u32,
    /// When the body began.
    body_began: Tick,
    /// How many of its bytes have come, up to 4 GiB.
    body_bytes: u32,
    /// How many requests there were: a deferred reply names the one that it answers.
    pub(crate) number: u32,
    /// Tells whoever works on a deferred reply that the connection has gone.
    cancelled: Option<Arc<AtomicBool>>,
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
            head_bytes: 0,
            body_began: Tick(0),
            body_bytes: 0,
            number: 0,
            cancelled: None,
        }
    }

    /// The next unit of a request. A fault of the peer is answered here, and ends the connection.
    #[inline]
    pub(crate) fn next<'b>(&mut self, input: &mut Input<'b>, io: &mut Io<'_>) -> Option<Event<'b>> {
        match self.decoder.next(input, &io.shared.head_limits) {
            Ok(event) => event,
            Err(error) => {
                self.refuse(error, io);
                None
            }
        }
    }

    /// As the decoder's.
    pub(crate) fn missing(&mut self, stored: &[u8], fresh: &[u8]) -> usize {
        self.decoder.missing(stored, fresh)
    }

    /// A head was read; its reply is due after its body.
    #[inline]
    pub(crate) fn begin(&mut self, to: ReplyTo) {
        self.to = to;
        self.number = self.number.wrapping_add(1);
    }

    /// A body is on its way that has not come completely.
    pub(crate) fn begin_body(&mut self, streams: bool, io: &mut Io<'_>) {
        self.streams = streams;
        self.phase = Phase::Body;
        self.body_began = io.shared.now;
        self.body_bytes = 0;
        io.expire_in(io.shared.timeouts.body_grace);
    }

    /// Some of it came.
    pub(crate) fn body_came(&mut self, bytes: usize) {
        self.body_bytes = self.body_bytes.saturating_add(bytes as u32);
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
        self.cancelled = Some(cancelled);
        io.hold_input();
        io.never_expire();
    }

    /// Whether the exchange `number` waits for a reply from elsewhere.
    pub(crate) fn waits_for(&self, number: u32) -> bool {
        self.phase == Phase::Reply && self.number == number
    }

    /// The reply from elsewhere has come.
    pub(crate) fn reply_came(&mut self, keep_alive: bool, io: &mut Io<'_>) {
        self.cancelled = None;
        io.release_input();
        self.replied(keep_alive, io);
        self.set_deadline(0, io);
    }

    /// The connection is over: whoever works on a reply is told.
    pub(crate) fn cancel(&self) {
        if let Some(cancelled) = &self.cancelled {
            cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// A reply was encoded. Closes if the connection was not to be kept.
    #[inline]
    pub(crate) fn replied(&mut self, keep_alive: bool, io: &mut Io<'_>) {
        self.phase = Phase::Idle;
        if !keep_alive {
            io.finish();
        }
    }

    /// A dispatch is over: sets the deadline for what is waited for now. `unread` bytes could not be understood yet.
    #[inline]
    pub(crate) fn set_deadline(&mut self, unread: usize, io: &mut Io<'_>) {
        match self.phase {
            // Requests wait because the peer does not read their replies: the write stall has the clock, and they are
            // offered again when it has read enough.
            Phase::Idle if unread > 0 && io.wants_no_input() => io.never_expire(),
            Phase::Idle if unread > 0 => {
                self.phase = Phase::Head;
                io.expire_in(io.shared.timeouts.head);
            }
            Phase::Idle => io.expire_in(io.shared.timeouts.idle),
            // Set when it began, and not moved by what comes: a dripped head has ten seconds in all.
            Phase::Head | Phase::Body | Phase::Reply => {}
        }
    }

    /// The deadline has passed.
    pub(crate) fn expired(&mut self, io: &mut Io<'_>) {
        match self.phase {
            // It is still reading the last reply.
            Phase::Idle if io.waiting_bytes() > 0 => io.expire_in(io.shared.timeouts.idle),
            // Nothing was asked, so nothing is answered: a 408 would be read as the answer to the next request.
            Phase::Idle => io.finish(),
            Phase::Head => self.refuse_head(
                Status::REQUEST_TIMEOUT,
                "The request head took too long.",
                io,
            ),
            Phase::Body => self.judge_rate(io),
            Phase::Reply => {}
        }
    }

    fn judge_rate(&mut self, io: &mut Io<'_>) {
        let elapsed = seconds(io.shared.now.since(self.body_began)).max(1);
        if u64::from(self.body_bytes) / elapsed
            < u64::from(io.shared.limits.body_bytes_per_second_min)
        {
            self.refuse_with(
                Status::REQUEST_TIMEOUT,
                "The request body came too slowly.",
                io,
            );
        } else {
            io.expire_in(ticks(std::time::Duration::from_secs(1)));
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

    /// Answers once and ends the connection: nothing behind a refused request is ever read as a request.
    pub(crate) fn refuse_with(&mut self, status: Status, reason: &str, io: &mut Io<'_>) {
        let to = self.to;
        let (out, date) = io.out_and_date();
        encode_error(out, to, status, reason, date);
        io.finish();
    }
}
