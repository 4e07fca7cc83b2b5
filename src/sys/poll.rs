//! poll: wait for a handful of descriptors without registering them.
//!
//! For programs with one or two sockets; the cost of a call grows with their number.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::epoll::milliseconds_up;
use super::hook::{a_signal_ends_it, answered, ask, retry};
use super::{Call, Probe};
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// There is something to receive, a connection to accept, or an end.
pub const POLLIN: i16 = libc::POLLIN;
/// There is room to send.
pub const POLLOUT: i16 = libc::POLLOUT;
/// The peer will send no more. Told only if asked for.
pub const POLLRDHUP: i16 = libc::POLLRDHUP;
/// An error waits on the descriptor. Told always.
pub const POLLERR: i16 = libc::POLLERR;
/// Both directions are shut. Told always.
pub const POLLHUP: i16 = libc::POLLHUP;
/// The descriptor is not open. Told always.
pub const POLLNVAL: i16 = libc::POLLNVAL;

/// One descriptor to wait for, and what it turned out to be ready for (`struct pollfd`).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct PollFd<'fd>(libc::pollfd, PhantomData<BorrowedFd<'fd>>);

impl<'fd> PollFd<'fd> {
    /// Waits for `events` (`POLLIN`, `POLLOUT`, …) on `fd`.
    #[inline]
    pub fn new(fd: BorrowedFd<'fd>, events: i16) -> Self {
        let raw = libc::pollfd {
            fd: fd.as_raw_fd(),
            events,
            revents: 0,
        };
        PollFd(raw, PhantomData)
    }

    /// The descriptor's number.
    #[inline]
    pub fn fd(&self) -> RawFd {
        self.0.fd
    }

    /// What was asked for.
    #[inline]
    pub fn events(&self) -> i16 {
        self.0.events
    }

    /// What the last [`poll`] answered; 0 before it.
    #[inline]
    pub fn revents(&self) -> i16 {
        self.0.revents
    }
}

impl Debug for PollFd<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollFd")
            .field("fd", &self.fd())
            .field("events", &self.events())
            .field("revents", &self.revents())
            .finish()
    }
}

/// Waits until a descriptor is ready, and answers how many are (`poll(2)`).
///
/// Blocks for at most `timeout`, rounded *up* to whole milliseconds, forever with `None`, not at all with zero. 0 means
/// that the time passed, or that a signal ended the wait: look at the clock. A signal ends no wait of zero: 0 means there
/// that nothing is ready.
///
/// # Errors
///
/// EINVAL: more descriptors than the process may have; ENOMEM.
///
/// ```
/// use longshore::sys::{self, POLLIN, POLLOUT, PollFd, Silent};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, _theirs) = UnixStream::pair()?;
/// let mut fds = [PollFd::new(ours.as_fd(), POLLIN | POLLOUT)];
/// assert_eq!(sys::poll(&mut Silent, &mut fds, None)?, 1);
/// assert_eq!(fds[0].revents(), POLLOUT, "room to send, nothing to receive");
/// # Ok(())
/// # }
/// ```
pub fn poll(
    probe: &mut impl Probe,
    fds: &mut [PollFd<'_>],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let time = milliseconds_up(timeout);
    // A refused or interrupted call writes nothing: an earlier answer must not read as this one's.
    for fd in &mut *fds {
        fd.0.revents = 0;
    }
    let mut attempt = || {
        ask(probe, &Call::Poll { fds, timeout })?;
        let count = fds.len() as libc::nfds_t;
        // SAFETY: the kernel writes to `count` entries of `fds`, which is as long, ours alone, and laid out as `pollfd`
        // (`repr(transparent)` beside a zero-sized marker).
        let answer = unsafe { libc::poll(fds.as_mut_ptr().cast(), count, time) };
        answered(probe, &Call::Poll { fds, timeout }, answer as isize)
    };
    if time == 0 {
        retry(attempt)
    } else {
        a_signal_ends_it(attempt())
    }
}
