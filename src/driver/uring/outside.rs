//! Waiting from outside: an eventfd that the kernel writes when the ring has work.
//!
//! ```text
//!   rest:   arm, submit ──▶ take the bell's count ──▶ look: is there anything? ──yes──▶ "at once"
//!                                   ▲                          │ no
//!   kernel: task work ──ring────────┘                          ▼
//!                                                    outer loop waits for the bell
//! ```
//!
//! The order counts. Taking the count first and looking then loses nothing: what comes before the look is seen by it, and
//! what comes behind it rings again. The other way round a completion between the two would be forgotten, and the outer
//! loop would sleep on it. Without taking the count it would never sleep.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use super::{Probe, Uring, sys};
use crate::driver::Outside;

impl<P: Probe> Outside for Uring<P> {
    fn open_outside(&mut self, open: bool) -> io::Result<()> {
        if open && self.bell.is_none() {
            let bell = sys::eventfd(&mut self.probe)?;
            let submitter = self.ring.io.submitter();
            submitter.register_eventfd(bell.as_raw_fd())?;
            self.bell = Some(bell);
        } else if !open && self.bell.take().is_some() {
            self.ring.io.submitter().unregister_eventfd()?;
        }
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(AsFd::as_fd)
    }

    fn rest(&mut self) -> io::Result<Option<Duration>> {
        if self.lend.as_ref().is_none_or(|lend| lend.rest.is_empty()) {
            self.return_lend();
        }
        self.arm_receives();
        self.arm_accepts();
        self.ring.submit_what_waits(&mut self.probe);
        if let Some(bell) = self.bell.as_ref() {
            // EAGAIN: nothing has rung.
            let _ = sys::eventfd_read(&mut self.probe, bell.as_fd());
        }
        let known = !self.queued.is_empty() || self.lend.is_some() || !self.answered.is_empty();
        let idle = !known && !self.ring.has_something();
        Ok(if idle {
            self.until_retry(None)
        } else {
            Some(Duration::ZERO)
        })
    }
}
