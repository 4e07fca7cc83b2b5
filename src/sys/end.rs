//! How a connection ends: shutdown says the last word, close gives the descriptor back.
//!
//! ```text
//!   shutdown(Write)   our FIN leaves after what was sent; receiving goes on
//!   recv … 0          the peer's FIN
//!   close             with unread input still there the kernel sends RST, and the peer may lose our last bytes
//! ```
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, retry};
use super::{Call, Probe};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

/// Which half of a connection is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// `SHUT_RD`: nothing more is received. TCP tells the peer nothing.
    Read,
    /// `SHUT_WR`: nothing more is sent. The peer receives everything and then the end.
    Write,
    /// `SHUT_RDWR`: both; whoever waits in another thread wakes.
    Both,
}

impl How {
    /// The number that the system call takes: `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
    #[inline]
    pub const fn raw(self) -> i32 {
        match self {
            How::Read => libc::SHUT_RD,
            How::Write => libc::SHUT_WR,
            How::Both => libc::SHUT_RDWR,
        }
    }
}

/// Shuts one half of a connection, or both (`shutdown(2)`). The descriptor stays open. Never blocks.
///
/// # Errors
///
/// ENOTCONN: the connection is already gone, which a closing server expects and ignores.
#[inline]
pub fn shutdown(probe: &mut impl Probe, fd: BorrowedFd<'_>, how: How) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let call = Call::Shutdown { fd, how };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: two integers; no memory is shared with the kernel.
        let answer = unsafe { libc::shutdown(fd, how.raw()) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// Gives a descriptor back (`close(2)`), and says what the kernel said.
///
/// Dropping an `OwnedFd` does the same and says nothing. It blocks only where `SO_LINGER` asks for it.
///
/// EINTR is not retried: Linux frees the number before anything can be interrupted, so a second close would hit
/// whatever descriptor another thread has opened under the same number since. For the same reason a probe cannot refuse
/// this call: the descriptor would leak.
///
/// # Errors
///
/// EIO, ENOSPC, EDQUOT: writes to a file failed late. The descriptor is closed even then.
#[inline]
pub fn close<P: Probe>(probe: &mut P, fd: OwnedFd) -> io::Result<()> {
    let fd = fd.into_raw_fd();
    let call = Call::Close { fd };
    if P::ACTIVE {
        probe.before(&call);
    }
    // SAFETY: `fd` is open and ours alone, kept true by the `OwnedFd` that was consumed.
    let answer = unsafe { libc::close(fd) };
    answered(probe, &call, answer as isize)?;
    Ok(())
}
