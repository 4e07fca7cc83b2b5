//! The hook around every system call.
//!
//! Every function of [`sys`](crate::sys) takes a `&mut impl Probe` first, tells it what it is about to ask of the kernel
//! ([`Probe::before`]) and what the kernel answered ([`Probe::after`]). With [`Silent`] both are empty, `ACTIVE` is
//! `false`, and the compiler removes them and everything that only they needed.

use std::io;

/// What a probe says to a call that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make the call as it is.
    Go,
    /// Make the call, but with at most this many bytes (data calls only; at least 1; others ignore it).
    Shorten(usize),
    /// Do not make the call: it fails with this errno.
    Refuse(i32),
}

/// Watches, counts or disturbs system calls.
pub trait Probe: Sized {
    /// `false` lets the compiler remove the hook.
    const ACTIVE: bool;

    /// Called before a system call is made.
    fn before(&mut self, call: &Call<'_>) -> Verdict;

    /// Called with the kernel's answer: bytes, a descriptor or zero, or the error.
    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>);
}

/// The probe that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Probe for Silent {
    const ACTIVE: bool = false;

    #[inline(always)]
    fn before(&mut self, _call: &Call<'_>) -> Verdict {
        Verdict::Go
    }

    #[inline(always)]
    fn after(&mut self, _call: &Call<'_>, _result: Result<usize, &io::Error>) {}
}

/// One system call with its arguments.
#[derive(Debug)]
pub enum Call<'a> {
    /// recv(2)
    Recv { fd: i32, bytes: &'a [u8] },
}
