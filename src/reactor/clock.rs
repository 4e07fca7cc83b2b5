//! The two clocks, read once per turn.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::conn::Tick;

/// Time since the reactor began, and the time of day.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    now: Duration,
    /// When the time of day has to be looked at again.
    next_second: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            began: Instant::now(),
            now: Duration::ZERO,
            next_second: Duration::ZERO,
        }
    }

    /// Reads the steady clock (clock_gettime(2), without entering the kernel).
    pub(super) fn tick(&mut self) -> Tick {
        self.now = self.began.elapsed();
        Tick::at(self.now)
    }

    /// What the steady clock said when the turn began.
    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// What the steady clock says.
    pub(super) fn read(&self) -> Duration {
        self.began.elapsed()
    }

    /// The seconds since 1970, when they have changed since the last call.
    pub(super) fn new_second(&mut self) -> Option<u64> {
        if self.now < self.next_second {
            return None;
        }
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let left = Duration::from_nanos(u64::from(1_000_000_000 - since.subsec_nanos()));
        self.next_second = self.now + left;
        Some(since.as_secs())
    }
}
