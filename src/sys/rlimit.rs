//! What the process may use: open descriptors, locked memory.
//!
//! The soft limit is in force; the process may raise it up to the hard one.
#![forbid(unsafe_code)]

use super::hook::{ask, told};
use super::{Call, Probe};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// The soft and hard limit of open descriptors (`RLIMIT_NOFILE`, `getrlimit(2)`).
///
/// Descriptors in a ring's direct table do not count against it; the table's length is bounded by it.
///
/// # Errors
///
/// None that is known.
pub fn nofile() -> io::Result<(u64, u64)> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?)
}

/// The soft and hard limit of locked memory, in bytes (`RLIMIT_MEMLOCK`, `getrlimit(2)`); `u64::MAX` is no limit.
///
/// Rings and registered buffers count against it before 5.12.
///
/// # Errors
///
/// None that is known.
pub fn memlock() -> io::Result<(u64, u64)> {
    Ok(getrlimit(Resource::RLIMIT_MEMLOCK)?)
}

/// Raises the soft limit of open descriptors to the hard one, and answers it (`setrlimit(2)`).
///
/// It holds for the whole process, and for programs that it starts: those that use `select(2)` expect 1024. Two calls, or
/// one if there is nothing to raise. Never blocks.
///
/// # Errors
///
/// EPERM: a filter forbids it. The limit stays as it was.
///
/// ```
/// use longshore::sys::{self, Silent};
///
/// let limit = sys::raise_nofile(&mut Silent)?;
/// assert_eq!(sys::nofile()?, (limit, limit));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn raise_nofile(probe: &mut impl Probe) -> io::Result<u64> {
    let resource = Resource::RLIMIT_NOFILE;
    let number = libc::RLIMIT_NOFILE;
    ask(
        probe,
        &Call::Getrlimit {
            resource: number,
            soft: 0,
            hard: 0,
        },
    )?;
    let answer = getrlimit(resource);
    let (soft, hard) = answer.unwrap_or_default();
    let result = answer.map(|_| 0).map_err(io::Error::from);
    told(
        probe,
        &Call::Getrlimit {
            resource: number,
            soft,
            hard,
        },
        result,
    )?;
    if soft == hard {
        return Ok(hard);
    }
    let call = Call::Setrlimit {
        resource: number,
        soft: hard,
        hard,
    };
    ask(probe, &call)?;
    let result = setrlimit(resource, hard, hard)
        .map(|()| 0)
        .map_err(io::Error::from);
    told(probe, &call, result)?;
    Ok(hard)
}
