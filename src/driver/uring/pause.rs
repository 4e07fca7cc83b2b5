//! Pausing: the receive in flight is cancelled, and a poll takes its place.
//!
//! ```text
//!   receive in flight ── pause_recv ──▶ cancel it; poll ── POLLERR ──▶ Failed
//!          ▲                                       └────── POLLRDHUP: the peer's FIN, which waits
//!          └───────────── resume_recv ── cancel the poll; receive
//! ```
//!
//! Without the poll nothing would be in flight on a paused connection, and a peer that resets it would keep its slot for
//! ever. A poll receives nothing, so the peer's window still closes.
//!
//! The poll is multishot, because a ring reports the peer's FIN whether it was asked for or not. A single poll would end
//! there, and each one after it at once: either the turns would never rest, or a reset behind the FIN would be missed.
//! A multishot one reports what holds at first, and then only what wakes it.
//!
//! Pause and resume only note what is wanted and cancel. What is wanted is armed before the next wait, so that neither
//! order of a completion and a call does harm: a poll that completes after `resume_recv` is ignored, since the receive
//! will say the same; a receive that completes after the poll has told of the reset is ignored in turn.
//!
//! It does not know why a connection is paused.

use std::io;
use std::os::fd::AsFd;

use super::complete::Outcome;
use super::ring::Completion;
use super::slots::Flags;
use super::{Event, Op, Probe, Token, Uring, op, sys};

impl<P: Probe> Uring<P> {
    /// Stops receiving.
    pub(super) fn pause(&mut self, token: Token) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        slot.flags.clear(Flags::READING);
        if slot.flags.has(Flags::ARMED) && !slot.flags.has(Flags::CANCELLING) {
            slot.flags.set(Flags::CANCELLING);
            let operation = if slot.flags.has(Flags::DATAGRAM) {
                op::DATAGRAM
            } else {
                op::RECEIVE
            };
            self.cancel(token, operation);
        }
        self.receive_again(token);
    }

    /// Receives again.
    pub(super) fn resume(&mut self, token: Token) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        slot.flags.set(Flags::READING);
        if slot.flags.has(Flags::WATCHED) && !slot.flags.has(Flags::UNWATCHING) {
            slot.flags.set(Flags::UNWATCHING);
            self.cancel(token, op::WATCH);
        }
        self.receive_again(token);
    }

    /// Cancels the one operation of its kind that is in flight on a connection.
    fn cancel(&mut self, token: Token, operation: u8) {
        let entry = op::cancel(token.pack(operation));
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push_quietly(&mut self.probe, entry) };
    }

    /// Polls a paused connection, if that is not done already. A datagram socket has nobody who could reset it.
    pub(super) fn watch(&mut self, token: Token) {
        let target = self.slots.target(token);
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        let settled = [Flags::WATCHED, Flags::UNWATCHABLE, Flags::DATAGRAM];
        if settled.into_iter().any(|flag| slot.flags.has(flag)) {
            return;
        }
        slot.flags.set(Flags::WATCHED);
        // SAFETY: the entry points to nothing.
        unsafe { self.submit(token, op::WATCH, op::poll_multishot(target)) };
    }

    /// A poll has completed.
    pub(super) fn watched(&mut self, token: Token, completion: Completion) -> Outcome {
        let Some(slot) = self.slots.open(token) else {
            return Outcome::Nothing;
        };
        if !completion.more() {
            slot.flags.clear(Flags::WATCHED);
            slot.flags.clear(Flags::UNWATCHING);
            // It may be wanted again: cancelled by a resume that was taken back, or ended for lack of room in the queue.
            self.receive_again(token);
        }
        let Some(slot) = self.slots.open(token) else {
            return Outcome::Nothing;
        };
        let events = match completion.outcome() {
            Ok(events) => events,
            Err(error) => {
                if error.raw_os_error() != Some(libc::ECANCELED) {
                    slot.flags.set(Flags::UNWATCHABLE);
                }
                return Outcome::Nothing;
            }
        };
        if slot.flags.has(Flags::READING) || slot.flags.has(Flags::ENDED) {
            return Outcome::Nothing;
        }
        let has = |event: i16| events & usize::from(event.cast_unsigned()) != 0;
        if has(libc::POLLERR) {
            slot.flags.set(Flags::ENDED);
            let (op, error) = (Op::Receive, self.reason(token));
            return Outcome::Event(Event::Failed { token, op, error });
        }
        if has(libc::POLLHUP) {
            // Finished both ways, without an error. What waits to be received is told after the pause.
            slot.flags.set(Flags::UNWATCHABLE);
        }
        Outcome::Nothing
    }

    /// Why a connection broke. To ask a direct descriptor would take another operation, so there it is what it mostly is.
    fn reason(&mut self, token: Token) -> io::Error {
        let fd = self.slots.peek(token).and_then(|slot| slot.fd.as_ref());
        let told = fd.map(|fd| sys::error(&mut self.probe, fd.as_fd()));
        match told {
            Some(Ok(Some(error))) => error,
            _ => io::Error::from_raw_os_error(libc::ECONNRESET),
        }
    }
}
