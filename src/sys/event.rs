//! eventfd: a counter with a descriptor, with which one thread wakes another's loop.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, outcome, retry, told};
use super::{Call, Probe};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Makes a counter that stands at 0, non-blocking (`eventfd(2)`). Never blocks.
///
/// It is readable while above 0.
///
/// # Errors
///
/// EMFILE, ENFILE, ENOMEM: out of descriptors or memory.
///
/// ```
/// use longshore::sys::{self, Silent};
/// use std::os::fd::AsFd;
///
/// # fn main() -> std::io::Result<()> {
/// let bell = sys::eventfd(&mut Silent)?;
/// sys::eventfd_write(&mut Silent, bell.as_fd())?;
/// sys::eventfd_write(&mut Silent, bell.as_fd())?;
/// assert_eq!(sys::eventfd_read(&mut Silent, bell.as_fd())?, 2);
/// # Ok(())
/// # }
/// ```
pub fn eventfd(probe: &mut impl Probe) -> io::Result<OwnedFd> {
    let (value, flags) = (0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
    let call = Call::Eventfd { value, flags };
    let fd = retry(|| {
        ask(probe, &call)?;
        // SAFETY: two integers; no memory is shared with the kernel.
        let answer = unsafe { libc::eventfd(value, flags) };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Adds 1 to the counter (`write(2)`), from any thread. Never blocks.
///
/// # Errors
///
/// EAGAIN: the counter is full. Then it is readable, and whoever should wake does: callers may ignore it.
pub fn eventfd_write(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<()> {
    let (fd, value) = (fd.as_raw_fd(), 1u64);
    let call = Call::EventfdWrite { fd, value };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: `value` lives through the call, is as long as said and is only read.
        let answer = unsafe { libc::write(fd, (&raw const value).cast(), size_of::<u64>()) };
        answered(probe, &call, answer)
    })?;
    Ok(())
}

/// Takes the counter and sets it to 0 (`read(2)`). Never blocks.
///
/// # Errors
///
/// EAGAIN: it stands at 0.
pub fn eventfd_read(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<u64> {
    let fd = fd.as_raw_fd();
    let mut value = 0u64;
    retry(|| {
        ask(probe, &Call::EventfdRead { fd, value: 0 })?;
        // SAFETY: the kernel writes eight bytes to `value`, which is ours alone and any bytes make one.
        let answer = unsafe { libc::read(fd, (&raw mut value).cast(), size_of::<u64>()) };
        let result = outcome(answer);
        told(probe, &Call::EventfdRead { fd, value }, result)
    })?;
    Ok(value)
}
