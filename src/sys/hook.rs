//! What stands around every raw call: the probe before it, errno and the probe after it, and EINTR.
//!
//! ```text
//!   retry(|| {                                    again while EINTR
//!       let most = ask(probe, &call)?;            the probe may shorten or refuse
//!       let answer = unsafe { libc::… };          the system call
//!       answered(probe, &call, answer)            errno is read, the probe is told
//!   })
//! ```
//!
//! With [`Silent`](super::Silent), `most` is the constant `usize::MAX` and only the raw call and the test of its answer
//! are left. It does not know any call in particular.
#![forbid(unsafe_code)]

use super::{Call, Probe, Verdict};
use std::io;

/// Repeats an attempt while a signal interrupts it (`signal(7)`): the one place where EINTR is retried.
#[inline(always)]
pub(super) fn retry<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            other => return other,
        }
    }
}

/// Turns EINTR into "nothing happened": for calls that wait, where the signal is a reason to look around.
#[inline(always)]
pub(super) fn a_signal_ends_it(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EINTR) => Ok(0),
        other => other,
    }
}

/// Asks the probe; answers how many bytes the call may move.
#[inline(always)]
pub(super) fn ask<P: Probe>(probe: &mut P, call: &Call<'_>) -> io::Result<usize> {
    if !P::ACTIVE {
        return Ok(usize::MAX);
    }
    match probe.before(call) {
        Verdict::Go => Ok(usize::MAX),
        Verdict::Shorten(most) => Ok(most.max(1)),
        Verdict::Refuse(errno) => {
            let error = io::Error::from_raw_os_error(errno);
            probe.after(call, Err(&error));
            Err(error)
        }
    }
}

/// Reads errno if the raw call failed, and nothing else: for calls whose [`Call`] can be told only afterwards.
#[inline(always)]
pub(super) fn outcome(answer: isize) -> io::Result<usize> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer as usize)
    }
}

/// Tells the probe what came of the call.
#[inline(always)]
pub(super) fn told<P: Probe>(
    probe: &mut P,
    call: &Call<'_>,
    result: io::Result<usize>,
) -> io::Result<usize> {
    if P::ACTIVE {
        probe.after(call, result.as_ref().copied());
    }
    result
}

/// Reads errno if the raw call failed, then tells the probe (in this order: a probe may make system calls itself).
#[inline(always)]
pub(super) fn answered<P: Probe>(
    probe: &mut P,
    call: &Call<'_>,
    answer: isize,
) -> io::Result<usize> {
    let result = outcome(answer);
    told(probe, call, result)
}
