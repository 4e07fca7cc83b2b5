//! Closing a socket, whatever is in flight on it.
//!
//! A closed connection's slot lives until the kernel has answered everything that is in flight:
//!
//! ```text
//!   Open ── close() ──▶ Draining ── last completion ──▶ Closing ── close(2) ──▶ Closed, generation + 1
//!      └── reset(): setsockopt SO_LINGER, then the same
//! ```
//!
//! Closing a descriptor does not cancel requests, since each holds the file: the peer would hear no FIN. So `Draining`
//! cancels by descriptor, and closes behind the last answer. That misses nothing: with `DEFER_TASKRUN` an operation
//! moves on only inside our own enter, so at the moment of the cancellation it stands still. (shutdown(2) both ways would
//! end the operations too. But the ring runs it on a worker thread, which looks the descriptor up when it gets there; by
//! then the index may be the next client's.)
//!
//! It does not know why a connection ends.

use std::os::fd::AsFd;
use std::time::Duration;

use super::complete::Outcome;
use super::ring::Completion;
use super::slots::State;
use super::{Event, Probe, SocketOption, Token, Uring, op, sys};

impl<P: Probe> Uring<P> {
    /// Ends what is in flight on a socket and closes it behind the last answer.
    pub(super) fn start_close(&mut self, token: Token) {
        let target = self.slots.target(token);
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        slot.state = State::Draining;
        if slot.in_flight == 0 {
            self.close_now(token);
            return;
        }
        let entry = op::quiet(op::cancel_all(target));
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push(&mut self.probe, &entry) };
    }

    /// Lets the close that follows throw away what was not sent, and say RST.
    ///
    /// A ring sets the option as it submits it, before the cancellation behind it. Whether that worked is not asked: a
    /// kernel that does not know the operation (before 6.7) answers EOPNOTSUPP, and the peer hears a FIN.
    pub(super) fn refuse_linger(&mut self, token: Token) {
        let target = self.slots.target(token);
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        if let Some(fd) = slot.fd.as_ref() {
            let now = SocketOption::Linger(Some(Duration::ZERO));
            let _ = sys::setsockopt(&mut self.probe, fd.as_fd(), &now);
            return;
        }
        let entry = op::refuse_linger(target);
        // SAFETY: the option's value is a static that nobody writes to.
        unsafe { self.submit(token, op::LINGER, entry) };
    }

    /// A completion of a connection that was closed meanwhile. The last one closes the descriptor.
    pub(super) fn drained(
        &mut self,
        token: Token,
        operation: u8,
        completion: Completion,
    ) -> Outcome {
        self.discard(completion);
        if operation == op::SEND
            && let (Ok(count), Some(slot)) = (completion.outcome(), self.slots.known(token))
            && let Some(sending) = slot.send.as_mut()
        {
            sending.took(count);
        }
        if self
            .slots
            .known(token)
            .is_some_and(|slot| slot.in_flight == 0)
        {
            // Not before: until now the kernel may have written to them.
            self.peers.remove(&token.index);
            self.connecting.remove(&token.index);
            self.reads.remove(&token.index);
            self.close_now(token);
        }
        Outcome::Nothing
    }

    /// Begins to close a socket on which nothing is in flight.
    pub(super) fn close_now(&mut self, token: Token) {
        let Some(slot) = self.slots.known(token) else {
            return;
        };
        slot.state = State::Closing;
        if let Some(fd) = slot.fd.take() {
            let _ = sys::close(&mut self.probe, fd);
            let unsent = self.take_unsent(token);
            self.queued.push_back(Event::Closed { token, unsent });
            return;
        }
        // SAFETY: the entry points to nothing.
        unsafe { self.submit(token, op::CLOSE, op::close(token.index)) };
    }
}
