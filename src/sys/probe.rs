//! The hook around every system call.
//!
//! Every function of [`sys`](crate::sys) takes a `&mut impl Probe` first, tells it what it is about to ask of the kernel
//! ([`Probe::before`]) and what the kernel answered ([`Probe::after`]). With [`Silent`] both are empty, `ACTIVE` is
//! `false`, and the compiler removes them and everything that only they needed.
//!
//! A ring's operations are no system calls of their own: a driver tells of them through [`Probe::submitted`] and
//! [`Probe::completed`]. A probe does not know who calls or why.
#![forbid(unsafe_code)]

use super::{Address, Call};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What a probe says to a call that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make the call as it is.
    Go,
    /// Make the call, but with at most this many bytes (data calls only; at least 1; others ignore it).
    Shorten(usize),
    /// Do not make the call: it fails with this errno. `close` ignores it, or the descriptor would leak.
    Refuse(i32),
}

/// What no call shows: a ring's completions say how many bytes came, and not which.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Aside<'a> {
    /// A wait has ended, and these are the events or completions of the turn that begins.
    Turn {
        /// The call that waited.
        source: &'static str,
        /// How many there are.
        events: usize,
    },
    /// The bytes that the last completion of this name has brought.
    Lent {
        /// The receive's name.
        user_data: u64,
        /// As many as its result says.
        bytes: &'a [u8],
    },
    /// What a ring's question for the peer's address was answered.
    Peer {
        /// The question's name.
        user_data: u64,
        /// The answer.
        address: &'a Address,
    },
}

/// Watches, counts or disturbs system calls.
///
/// `before` and `after` come in pairs, one pair per attempt: a call that is repeated after EINTR is told twice. A
/// refused call has its pair too. In `before`, the buffer of a receiving call holds whatever it held; in `after`, its
/// first `result` bytes are what arrived.
///
/// ```
/// use longshore::sys::{self, Call, Probe, Verdict};
///
/// struct Last(Option<&'static str>);
///
/// impl Probe for Last {
///     const ACTIVE: bool = true;
///     fn before(&mut self, call: &Call<'_>) -> Verdict {
///         self.0 = Some(call.name());
///         Verdict::Go
///     }
///     fn after(&mut self, _: &Call<'_>, _: Result<usize, &std::io::Error>) {}
/// }
///
/// let mut last = Last(None);
/// let _epoll = sys::epoll_create1(&mut last)?;
/// assert_eq!(last.0, Some("epoll_create1"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Probe: Sized {
    /// `false` lets the compiler remove the hook.
    const ACTIVE: bool;

    /// Called before a system call is made.
    fn before(&mut self, call: &Call<'_>) -> Verdict;

    /// Called with the kernel's answer: bytes, a descriptor or zero, or the error.
    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>);

    /// Called when an operation was put into a ring's submission queue.
    #[inline]
    fn submitted(&mut self, _call: &Call<'_>, _user_data: u64) {}

    /// Called with a completion: the operation's [`Call::name`], and the fields of the entry as they stand.
    ///
    /// A multishot operation completes many times for one [`Probe::submitted`]. A negative `result` is an errno.
    #[inline]
    fn completed(&mut self, _name: &'static str, _user_data: u64, _result: i32, _flags: u32) {}

    /// Called with what a driver knows beside calls.
    #[inline]
    fn aside(&mut self, _aside: &Aside<'_>) {}

    /// How many of `len` bytes a ring's send or a lend may carry: from 1 to `len`, `len` by default, 0 only for 0.
    #[inline]
    fn shorten(&mut self, len: usize) -> usize {
        len
    }
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

/// A probe that may be there: chosen when the program runs, where [`Silent`] is chosen when it is compiled.
impl<P: Probe> Probe for Option<P> {
    const ACTIVE: bool = P::ACTIVE;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        self.as_mut()
            .map_or(Verdict::Go, |probe| probe.before(call))
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        if let Some(probe) = self {
            probe.after(call, result);
        }
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        if let Some(probe) = self {
            probe.submitted(call, user_data);
        }
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        if let Some(probe) = self {
            probe.completed(name, user_data, result, flags);
        }
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        if let Some(probe) = self {
            probe.aside(aside);
        }
    }

    fn shorten(&mut self, len: usize) -> usize {
        self.as_mut().map_or(len, |probe| probe.shorten(len))
    }
}

/// A borrowed probe is a probe: several sockets may tell one counter, one after the other.
impl<P: Probe> Probe for &mut P {
    const ACTIVE: bool = P::ACTIVE;

    #[inline]
    fn before(&mut self, call: &Call<'_>) -> Verdict {
        (**self).before(call)
    }

    #[inline]
    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        (**self).after(call, result);
    }

    #[inline]
    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        (**self).submitted(call, user_data);
    }

    #[inline]
    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        (**self).completed(name, user_data, result, flags);
    }

    #[inline]
    fn aside(&mut self, aside: &Aside<'_>) {
        (**self).aside(aside);
    }

    #[inline]
    fn shorten(&mut self, len: usize) -> usize {
        (**self).shorten(len)
    }
}

/// A probe shared between threads, or with the one who reads its figures afterwards.
///
/// The lock is taken twice per call and never held during one. A thread that panicked while holding it leaves the
/// probe usable.
impl<P: Probe> Probe for Arc<Mutex<P>> {
    const ACTIVE: bool = P::ACTIVE;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .before(call)
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .after(call, result);
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .submitted(call, user_data);
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .completed(name, user_data, result, flags);
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .aside(aside);
    }

    fn shorten(&mut self, len: usize) -> usize {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .shorten(len)
    }
}
