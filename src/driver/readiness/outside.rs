//! Waiting from outside: an epoll(7) instance is itself a descriptor that another poller can watch.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::poller::Poller;
use super::{Probe, Readiness};
use crate::driver::Outside;

impl<L: Poller, P: Probe> Outside for Readiness<L, P> {
    fn open_outside(&mut self, _open: bool) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.poller.descriptor())
    }

    fn rest(&mut self) -> io::Result<Option<Duration>> {
        self.retry_accept();
        self.register_those_left();
        // What an edge-triggered poller has reported once, it does not report again: nobody would wake for it.
        if self.ready.is_empty() && self.queued.is_empty() {
            Ok(self.until_retry(None))
        } else {
            Ok(Some(Duration::ZERO))
        }
    }
}
