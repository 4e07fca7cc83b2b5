//! Bytes that nobody can foresee.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, retry};
use super::{Call, Probe};
use std::io;

/// Fills `buf` with random bytes fit for keys, and answers how many of its bytes it filled (`getrandom(2)`, 3.17+).
///
/// The shape of `buf`: up to 256 bytes are always filled whole. More may be cut short by a signal, and 32 MiB - 1 is the
/// most. Blocks only while the machine boots and has not gathered enough entropy. A probe is told how many bytes came,
/// and [`Strace`](super::Strace) does not print them.
///
/// # Errors
///
/// ENOSYS, EPERM: a filter refuses the call.
///
/// ```
/// use longshore::sys::{self, Silent};
///
/// let mut key = [0; 16];
/// assert_eq!(sys::getrandom(&mut Silent, &mut key)?, 16);
/// assert_ne!(key, [0; 16]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn getrandom(probe: &mut impl Probe, buf: &mut [u8]) -> io::Result<usize> {
    let flags = 0; // the pool of /dev/urandom, once it is ready
    retry(|| {
        ask(probe, &Call::Getrandom { bytes: buf, flags })?;
        // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`, kept true by the borrow, which is ours alone.
        let answer = unsafe { libc::getrandom(buf.as_mut_ptr().cast(), buf.len(), flags) };
        answered(probe, &Call::Getrandom { bytes: buf, flags }, answer)
    })
}

#[cfg(test)]
mod tests;
