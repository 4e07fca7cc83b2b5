//! A reactor inside somebody else's loop.
//!
//! ```text
//!   outer loop: poll(2) on outer_descriptor() and its own, for at most outer_timeout()
//!        └──▶ turn_within(0): wait ▶ events ▶ mail ▶ deadlines ▶ rest ──▶ back to the outer loop
//! ```
//!
//! Between two turns nobody runs this code. So each turn ends by submitting what would otherwise leave with the next
//! wait, and by announcing its sleep, so that mail from other threads wakes the outer loop.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Reactor;
use crate::conn::Service;
use crate::driver::{Driver, Outside};

impl<D: Driver, S: Service> Reactor<D, S> {
    /// An outer loop has to make a turn at once: something was asked for between two turns.
    pub(crate) fn wants_a_turn(&mut self) {
        self.rest_until = Some(Duration::ZERO);
    }
}

impl<D: Outside, S: Service> Reactor<D, S> {
    /// Lets an outer loop wait for this reactor, or no more.
    pub(crate) fn open_outside(&mut self, open: bool) -> io::Result<()> {
        self.driver.open_outside(open)
    }

    /// Readable when a turn has something to do, beside what is [due](Self::outer_timeout).
    pub(crate) fn outer_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.driver.descriptor()
    }

    /// How long an outer loop may wait for the descriptor before it makes a turn. `None`: for ever.
    pub(crate) fn outer_timeout(&self) -> Option<Duration> {
        let now = self.clock.read();
        let rest = self.rest_until.map(|until| until.saturating_sub(now));
        match (rest, self.next_timeout()) {
            (Some(rest), Some(due)) => Some(rest.min(due)),
            (rest, due) => rest.or(due),
        }
    }

    /// Makes one turn, then rests: whatever the outer loop does next, nothing is forgotten.
    pub(crate) fn turn_within(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let longest = self.figures.longest_turn;
        self.poll_once(timeout)?;
        // What passed between two turns was the outer loop's.
        self.figures.longest_turn = longest;
        self.note_turn(self.clock.read());
        self.ebb();
        self.rest()
    }

    /// Leaves nothing undone that a wait would have done, and lets mail wake the outer loop.
    pub(crate) fn rest(&mut self) -> io::Result<()> {
        let due = self.driver.rest()?;
        let now = self.clock.read();
        self.rest_until = due.map(|due| now + due);
        if self.mailbox.announce_sleep() {
            self.wants_a_turn();
        }
        Ok(())
    }

    /// Makes one turn of a loop that is nobody else's.
    pub(crate) fn turn(&mut self) -> io::Result<()> {
        self.poll_once(None)?;
        self.ebb();
        Ok(())
    }
}
