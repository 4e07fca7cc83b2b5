//! A driver inside somebody else's loop: that loop waits, and the driver is asked when there is something to do.
//!
//! ```text
//!   outer poll(2) on descriptor() ──readable, or rest() has passed──▶ wait(0), next_event … ──▶ rest()
//! ```
//!
//! Pollers are descriptors that an outer poller can watch. The descriptor of a ring with `DEFER_TASKRUN` is not: its
//! completions appear only inside io_uring_enter(2), so an outer poll would never wake. There it is an eventfd that the
//! kernel writes when there is work (`IORING_REGISTER_EVENTFD`).
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Driver;

/// A driver that somebody else may wait for.
pub(crate) trait Outside: Driver {
    /// Lets others wait from now on, or no more. Both may be said again and again. The first time it is to be said before
    /// [`Driver::waker`] is asked for: a waker ends the waits that were possible when it was made.
    fn open_outside(&mut self, open: bool) -> io::Result<()>;

    /// Readable when `wait` would find something. To be watched level-triggered, for input alone. `None` before
    /// [`open_outside`](Self::open_outside).
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// Does what `wait` does before it waits, and says after how long `wait` is to be called even if the descriptor is
    /// not readable. Zero: at once. `None`: not before it is. To be called behind each turn.
    fn rest(&mut self) -> io::Result<Option<Duration>>;
}
