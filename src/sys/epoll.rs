//! epoll: which of many descriptors are ready.
//!
//! ```text
//!   epoll_create1 ──► ep ◄── epoll_ctl_add / _mod / _del   (fd, events, key)
//!                     │
//!                 epoll_wait ──► [EpollEvent { events, key }]
//! ```
//!
//! The key is the caller's: epoll stores it and gives it back. Nothing here knows what it means, and an event may carry
//! the key of a descriptor that was closed a moment ago.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{a_signal_ends_it, answered, ask, retry};
use super::{Call, Probe};
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// There is something to receive, a connection to accept, or an end.
pub const EPOLLIN: u32 = libc::EPOLLIN as u32;
/// There is room to send.
pub const EPOLLOUT: u32 = libc::EPOLLOUT as u32;
/// The peer will send no more. Told only if asked for.
pub const EPOLLRDHUP: u32 = libc::EPOLLRDHUP as u32;
/// Urgent data, or another exception. Told only if asked for.
pub const EPOLLPRI: u32 = libc::EPOLLPRI as u32;
/// An error waits on the descriptor. Told always.
pub const EPOLLERR: u32 = libc::EPOLLERR as u32;
/// Both directions are shut. Told always.
pub const EPOLLHUP: u32 = libc::EPOLLHUP as u32;
/// Tell of changes, not of states: what is not read to the end is not told again.
pub const EPOLLET: u32 = libc::EPOLLET as u32;
/// Tell once, then nothing until the next [`epoll_ctl_mod`].
pub const EPOLLONESHOT: u32 = libc::EPOLLONESHOT as u32;
/// Of several epolls that watch one descriptor, wake not all (4.5+).
pub const EPOLLEXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;

/// One ready descriptor, as the kernel writes it (`struct epoll_event`).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct EpollEvent(libc::epoll_event);

impl EpollEvent {
    /// An event: a place in the array for [`epoll_wait`] with zeros, or one made by hand.
    #[inline]
    pub const fn new(events: u32, key: u64) -> Self {
        EpollEvent(libc::epoll_event { events, u64: key })
    }

    /// What the descriptor is ready for: `EPOLLIN` and its kin.
    #[inline]
    pub const fn events(&self) -> u32 {
        self.0.events
    }

    /// The key that was registered with the descriptor.
    #[inline]
    pub const fn key(&self) -> u64 {
        self.0.u64
    }
}

impl Default for EpollEvent {
    fn default() -> Self {
        EpollEvent::new(0, 0)
    }
}

impl Debug for EpollEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpollEvent")
            .field("events", &self.events())
            .field("key", &self.key())
            .finish()
    }
}

/// Makes an epoll (`epoll_create1(2)`). Never blocks.
///
/// # Errors
///
/// EMFILE, ENFILE, ENOMEM: out of descriptors or memory.
///
/// ```
/// use longshore::sys::{self, EPOLLIN, EpollEvent, Silent};
/// use std::os::fd::AsFd;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let probe = &mut Silent;
/// let (ep, bell) = (sys::epoll_create1(probe)?, sys::eventfd(probe)?);
/// sys::epoll_ctl_add(probe, ep.as_fd(), bell.as_fd(), EPOLLIN, 42)?;
///
/// let mut events = [EpollEvent::default(); 8];
/// let soon = Some(Duration::from_micros(200));
/// assert_eq!(sys::epoll_wait(probe, ep.as_fd(), &mut events, soon)?, 0);
///
/// sys::eventfd_write(probe, bell.as_fd())?;
/// assert_eq!(sys::epoll_wait(probe, ep.as_fd(), &mut events, None)?, 1);
/// assert_eq!((events[0].events(), events[0].key()), (EPOLLIN, 42));
/// # Ok(())
/// # }
/// ```
pub fn epoll_create1(probe: &mut impl Probe) -> io::Result<OwnedFd> {
    let flags = libc::EPOLL_CLOEXEC;
    let call = Call::EpollCreate1 { flags };
    let fd = retry(|| {
        ask(probe, &call)?;
        // SAFETY: an integer; no memory is shared with the kernel.
        let answer = unsafe { libc::epoll_create1(flags) };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Watches a descriptor (`epoll_ctl(2)` with `EPOLL_CTL_ADD`). Never blocks.
///
/// Closing the last copy of a descriptor removes it by itself.
///
/// # Errors
///
/// EEXIST: it is watched already; EPERM: it is a file or directory, which are always ready; ENOSPC: the user's limit
/// `fs.epoll.max_user_watches`; ENOMEM; ELOOP: epolls in a circle.
#[inline]
pub fn epoll_ctl_add(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    fd: BorrowedFd<'_>,
    events: u32,
    key: u64,
) -> io::Result<()> {
    control(
        probe,
        ep,
        libc::EPOLL_CTL_ADD,
        fd,
        Some(EpollEvent::new(events, key)),
    )
}

/// Watches a descriptor for something else, under another key (`epoll_ctl(2)` with `EPOLL_CTL_MOD`). Never blocks.
///
/// With `EPOLLET` it also tells again what is ready now.
///
/// # Errors
///
/// ENOENT: it is not watched; EINVAL: it was added with `EPOLLEXCLUSIVE`.
#[inline]
pub fn epoll_ctl_mod(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    fd: BorrowedFd<'_>,
    events: u32,
    key: u64,
) -> io::Result<()> {
    control(
        probe,
        ep,
        libc::EPOLL_CTL_MOD,
        fd,
        Some(EpollEvent::new(events, key)),
    )
}

/// Watches a descriptor no longer (`epoll_ctl(2)` with `EPOLL_CTL_DEL`). Never blocks.
///
/// Events already taken by [`epoll_wait`] may still carry its key.
///
/// # Errors
///
/// ENOENT: it is not watched.
#[inline]
pub fn epoll_ctl_del(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    fd: BorrowedFd<'_>,
) -> io::Result<()> {
    control(probe, ep, libc::EPOLL_CTL_DEL, fd, None)
}

#[inline]
fn control(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    op: i32,
    fd: BorrowedFd<'_>,
    mut event: Option<EpollEvent>,
) -> io::Result<()> {
    let (epoll, fd) = (ep.as_raw_fd(), fd.as_raw_fd());
    let call = Call::EpollCtl {
        epoll,
        op,
        fd,
        events: event.as_ref().map_or(0, EpollEvent::events),
        key: event.as_ref().map_or(0, EpollEvent::key),
    };
    retry(|| {
        ask(probe, &call)?;
        // NULL goes with EPOLL_CTL_DEL alone, since Linux 2.6.9 (epoll_ctl(2), BUGS).
        let pointer = event
            .as_mut()
            .map_or(ptr::null_mut(), |event| &raw mut event.0);
        // SAFETY: `event` is null or lives through the call, and the kernel only reads it.
        let answer = unsafe { libc::epoll_ctl(epoll, op, fd, pointer) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// Set once the kernel, or the filter of a container, has refused `epoll_pwait2(2)`.
static PWAIT2_REFUSED: AtomicBool = AtomicBool::new(false);

/// Waits until a descriptor is ready, and answers how many of `events` were filled (`epoll_wait(2)`).
///
/// Blocks for at most `timeout`, forever with `None`, not at all with zero. A finite time is kept to the nanosecond by
/// `epoll_pwait2(2)` (5.11+); where that is missing it is rounded *up* to whole milliseconds, so that a deadline has
/// always passed when the wait ends. 0 means that the time passed, or that a signal ended the wait: look at the clock.
///
/// # Errors
///
/// EBADF, EINVAL: a wrong descriptor, or `events` is empty.
#[inline]
pub fn epoll_wait(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    debug_assert!(!events.is_empty(), "the kernel refuses an empty array");
    let precise = timeout.is_some_and(|time| !time.is_zero());
    if precise && !PWAIT2_REFUSED.load(Ordering::Relaxed) {
        let result = wait_nanoseconds(probe, ep, events, timeout);
        match result.as_ref().err().and_then(io::Error::raw_os_error) {
            // Filters that do not know a call answer EPERM, which epoll itself never does here.
            Some(libc::ENOSYS | libc::EPERM) => PWAIT2_REFUSED.store(true, Ordering::Relaxed),
            _ => return a_signal_ends_it(result),
        }
    }
    a_signal_ends_it(wait_milliseconds(probe, ep, events, timeout))
}

fn wait_nanoseconds(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let (epoll, room) = (ep.as_raw_fd(), room(events));
    let time = timeout.map(|time| libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    });
    ask(
        probe,
        &Call::EpollPwait2 {
            epoll,
            events,
            timeout,
        },
    )?;
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let no_signals = std::ptr::null::<libc::sigset_t>();
    // SAFETY: the kernel writes at most `room` events to `events`, which is at least as long, ours alone, and laid out
    // as `epoll_event` (`repr(transparent)`); `time` lives through the call. Raw, because C libraries before glibc 2.35
    // have no function for it.
    let answer = unsafe {
        let number = libc::SYS_epoll_pwait2;
        libc::syscall(
            number,
            epoll,
            events.as_mut_ptr(),
            room,
            time,
            no_signals,
            0usize,
        )
    };
    answered(
        probe,
        &Call::EpollPwait2 {
            epoll,
            events,
            timeout,
        },
        answer as isize,
    )
}

fn wait_milliseconds(
    probe: &mut impl Probe,
    ep: BorrowedFd<'_>,
    events: &mut [EpollEvent],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let (epoll, room) = (ep.as_raw_fd(), room(events));
    let time = milliseconds_up(timeout);
    ask(
        probe,
        &Call::EpollWait {
            epoll,
            events,
            timeout,
        },
    )?;
    // SAFETY: the kernel writes at most `room` events to `events`, which is at least as long, ours alone, and laid out
    // as `epoll_event` (`repr(transparent)`).
    let answer = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr().cast(), room, time) };
    answered(
        probe,
        &Call::EpollWait {
            epoll,
            events,
            timeout,
        },
        answer as isize,
    )
}

fn room(events: &[EpollEvent]) -> i32 {
    i32::try_from(events.len()).unwrap_or(i32::MAX)
}

/// The timeout of `poll(2)` and `epoll_wait(2)`: -1 forever, else milliseconds, never less than was asked.
pub(super) fn milliseconds_up(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |time| {
        i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    })
}
