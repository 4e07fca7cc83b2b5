//! A thread's descriptor table: the numbers that it knows files by.
//!
//! Threads share one table, and `ulimit -n` is its length. A thread that takes a table of its own has a limit of its own,
//! and the numbers that it opens from then on mean nothing to the others.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{ask, told};
use super::{Call, Probe};
use nix::sched::{CloneFlags, unshare};
use std::io;
#[cfg(feature = "server")]
use std::os::fd::RawFd;

/// Gives the calling thread a descriptor table of its own, a copy of the one that it shared (`unshare(2)`, `CLONE_FILES`).
/// Never blocks.
///
/// From now on `ulimit -n` counts for this thread alone. A descriptor that was open stays open under its number, here and
/// there, until it is closed in both tables. One that is opened later exists in one of them: it must not be passed on.
///
/// # Errors
///
/// ENOMEM: no memory for the copy.
///
/// ```
/// use longshore::sys::{self, Silent};
///
/// std::thread::spawn(|| sys::own_table(&mut Silent)).join().expect("no panic")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn own_table(probe: &mut impl Probe) -> io::Result<()> {
    let flags = CloneFlags::CLONE_FILES;
    let call = Call::Unshare {
        flags: flags.bits(),
    };
    ask(probe, &call)?;
    let result = unshare(flags).map(|()| 0).map_err(io::Error::from);
    told(probe, &call, result).map(drop)
}

/// Closes this table's copies of descriptors that belong to threads with tables of their own (`close(2)`).
///
/// Whoever calls keeps it true that nobody owns these numbers *in this table*: their owners live on threads that have left
/// it, or have not been part of it since it was copied.
#[cfg(feature = "server")]
pub(crate) fn close_copies(probe: &mut impl Probe, copies: impl Iterator<Item = RawFd>) {
    for fd in copies {
        let call = Call::Close { fd };
        if ask(probe, &call).is_err() {
            continue;
        }
        debug_assert!(fd >= 0, "a descriptor's number");
        // SAFETY: no owner of `fd` in this table is left, kept true by the caller as asked above.
        let answer = unsafe { libc::close(fd) };
        // There is nothing to be done about a failure: the number is free in any case (close(2)).
        let _ = super::hook::answered(probe, &call, answer as isize);
    }
}
