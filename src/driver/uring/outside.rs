//! Waiting from outside: an eventfd that the kernel writes when the ring has work.
//!
//! ```text
//!   rest:   arm, submit ──▶ take the bell's count ──▶ look: is there anything? ──yes──▶ "at once"
//!                                   ▲                          │ no
//!   kernel: task work ──ring────────┤                          ▼
//!   Waker::wake, second write ──────┘                outer loop waits for the bell
//! ```
//!
//! The order counts. Taking the count first and looking then loses nothing: what comes before the look is seen by it, and
//! what comes behind it rings again. The other way round a completion between the two would be forgotten, and the outer
//! loop would sleep on it. Without taking the count it would never sleep.
//!
//! The kernel rings once, when the first piece of work comes: so the look must see work that was left over, and a wake must
//! leave none behind in silence. From inside an eventfd's wake-up the kernel cannot ring another eventfd at once
//! (`eventfd_signal_allowed`); it does so later, and 6.18 did it only the first time. So a [`Waker`] writes the bell itself,
//! behind the eventfd that ends an inner wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::Submitter;

use super::{Probe, Uring, Waker, sys};
use crate::driver::Outside;
use crate::sys::Registration;

impl<P: Probe> Uring<P> {
    /// Ends a wait of this ring, and an outer loop's if one was [promised](Outside::open_outside) before.
    pub(super) fn make_waker(&self) -> Waker {
        let inner = Waker::eventfd(self.wake.clone());
        let Some(bell) = self.bell.clone() else {
            return inner;
        };
        let outer = Waker::eventfd(bell);
        inner.then(outer)
    }
}

impl<P: Probe> Outside for Uring<P> {
    fn open_outside(&mut self, open: bool) -> io::Result<()> {
        if open == self.rings {
            return Ok(());
        }
        if open {
            let bell = match self.bell.take() {
                Some(bell) => bell,
                None => Arc::new(sys::eventfd(&mut self.probe)?.into()),
            };
            let fd = bell.as_raw_fd();
            let what = Registration::Eventfd { fd };
            let register = |submitter: &Submitter<'_>| submitter.register_eventfd(fd);
            let registered = self.ring.register(&mut self.probe, what, register);
            self.bell = Some(bell);
            registered?;
        } else {
            let what = Registration::NoEventfd;
            let register = |submitter: &Submitter<'_>| submitter.unregister_eventfd();
            self.ring.register(&mut self.probe, what, register)?;
        }
        self.rings = open;
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
