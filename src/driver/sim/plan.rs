//! How a simulated kernel behaves.

use std::io;

use crate::sys::{Call, Probe, Verdict};

/// What answers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As from a poller: a send is tried at once, a close is done at once, a pause holds at once.
    Readiness,
    /// As from a ring: everything is answered later, and what was received before a pause still arrives.
    Completion,
}

/// A kernel's behaviour. It stands where a driver has its probe, so that it comes through `Driver::open`: a kernel
/// without system calls has nothing to be watched.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) seed: u64,
    pub(super) shape: Shape,
    /// Whether order, cuts and delays are left to the seed.
    pub(super) chance: bool,
}

impl Plan {
    /// No chance: what is written at once is lent at once, everybody in order, nothing is late.
    pub(crate) fn calm(shape: Shape) -> Self {
        Self {
            seed: 0,
            shape,
            chance: false,
        }
    }

    /// The order of what is ready, where lends and sends are cut, and how late an answer is, all by `seed`.
    pub(crate) fn seeded(seed: u64, shape: Shape) -> Self {
        Self {
            seed,
            shape,
            chance: true,
        }
    }
}

impl Probe for Plan {
    const ACTIVE: bool = false;

    fn before(&mut self, _call: &Call<'_>) -> Verdict {
        Verdict::Go
    }

    fn after(&mut self, _call: &Call<'_>, _result: Result<usize, &io::Error>) {}
}
