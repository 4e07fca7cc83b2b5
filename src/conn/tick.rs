//! Coarse time: a deadline is four bytes.

use std::time::Duration;

use crate::limits::Limits;

/// Milliseconds of one tick. Deadlines are seconds long, so 50 ms of slack do not matter; they never fire early.
const MILLIS: u64 = 50;

/// A moment, in ticks of 50 ms since the reactor began. Lasts for six years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(pub(crate) u32);

impl Tick {
    /// No deadline.
    pub(crate) const NEVER: Self = Self(u32::MAX);

    /// The tick that has begun at `elapsed`.
    pub(crate) fn at(elapsed: Duration) -> Self {
        Self((elapsed.as_millis() as u64 / MILLIS) as u32)
    }

    /// When this tick begins.
    pub(crate) fn elapsed(self) -> Duration {
        Duration::from_millis(u64::from(self.0) * MILLIS)
    }

    /// The first tick at which at least `ticks` have passed.
    #[inline]
    pub(crate) fn after(self, ticks: u32) -> Self {
        // One more, because the present tick has partly passed.
        Self(self.0.saturating_add(ticks).saturating_add(1))
    }

    /// How many ticks have passed since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How many ticks `duration` is, rounded up.
pub(crate) fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(u128::from(MILLIS))).unwrap_or(u32::MAX)
}

/// How many whole seconds `ticks` are.
pub(crate) fn seconds(ticks: u32) -> u64 {
    u64::from(ticks) * MILLIS / 1000
}

/// The time limits of [`Limits`], in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) head: u32,
    pub(crate) first_byte: u32,
    pub(crate) idle: u32,
    pub(crate) body_grace: u32,
    pub(crate) write_stall: u32,
    pub(crate) ping_interval: u32,
    pub(crate) ping: u32,
    pub(crate) close: u32,
    pub(crate) linger: u32,
    pub(crate) stop: u32,
}

impl Timeouts {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            head: ticks(limits.head_timeout),
            first_byte: ticks(limits.first_byte_timeout),
            idle: ticks(limits.idle_timeout),
            body_grace: ticks(limits.body_grace),
            write_stall: ticks(limits.write_stall_timeout),
            ping_interval: ticks(limits.ping_interval),
            ping: ticks(limits.ping_timeout),
            close: ticks(limits.close_timeout),
            linger: ticks(limits.linger_timeout),
            stop: ticks(limits.stop_timeout),
        }
    }
}
