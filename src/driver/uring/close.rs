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
//! cancels what waits, and closes behind the last answer. That misses nothing: with `DEFER_TASKRUN` an operation
//! moves on only inside our own enter, so at the moment of the cancellation it stands still.
//!
//! Each operation is cancelled by its name, which the kernel finds by a hash. Cancelling by descriptor is one submission,
//! but looks at every request that the ring has armed: with 18,500 connections on a ring a close took milliseconds, and
//! stopping a server with a million of them did not end in eight minutes. (shutdown(2) both ways would
//! end the operations too. But the ring runs it on a worker thread, which looks the descriptor up when it gets there; by
//! then the index may be the next client's.)
//!
//! It does not know why a connection ends.

use std::os::fd::AsFd;
use std::time::Duration;

use io_uring::squeue;

use super::complete::Outcome;
use super::ring::Completion;
use super::slots::{Flags, State};
use super::{Event, Probe, SocketOption, Token, Uring, op, sys};

impl<P: Probe> Uring<P> {
    /// Ends what is in flight on a socket and closes it behind the last answer.
    pub(super) fn start_close(&mut self, token: Token) {
        let target = self.slots.target(token);
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        let connecting = slot.state == State::Connecting;
        slot.state = State::Draining;
        if slot.in_flight == 0 {
            self.close_now(token);
            return;
        }
        if slot.flags.has(Flags::DATAGRAM) {
            // Several sends may have one name. There are few such sockets.
            self.cancel_quietly(op::cancel_all(target));
            return;
        }
        // What else may be in flight comes to its end by itself.
        let waiting = [
            (slot.flags.has(Flags::ARMED), op::RECEIVE),
            (slot.flags.has(Flags::WATCHED), op::WATCH),
            (slot.send.is_some(), op::SEND),
            (connecting, op::CONNECT),
        ];
        for (_, operation) in waiting.into_iter().filter(|(waits, _)| *waits) {
            self.cancel_quietly(op::cancel(token.pack(operation)));
        }
    }

    fn cancel_quietly(&mut self, entry: squeue::Entry) {
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push_quietly(&mut self.probe, entry) };
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
            let _ = sys::close(&mut self.probe, fd.into());
            let unsent = self.take_unsent(token);
            self.queued.push_back(Event::Closed { token, unsent });
            return;
        }
        // SAFETY: the entry points to nothing.
        unsafe { self.submit(token, op::CLOSE, op::close(token.index)) };
    }
}
