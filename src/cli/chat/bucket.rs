//! How often something may be done: a token bucket that stores one time.
//!
//! A bucket of 5 that gets a token each second allows five at once, then one a second. Instead of counting tokens it
//! remembers when it would be full again: each take moves that by one interval, and it may not be further away than
//! the whole bucket. It reads no clock.

use std::time::{Duration, Instant};

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    full_at: Instant,
    /// How long a token takes to come back.
    interval: Duration,
    /// How many tokens it holds.
    size: u32,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(size: u32, interval: Duration, now: Instant) -> Self {
        Self {
            full_at: now,
            interval,
            size,
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none; the next comes in so much time.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.interval;
        let ahead = full_at.saturating_duration_since(now);
        let missing = ahead.saturating_sub(self.interval * self.size);
        if !missing.is_zero() {
            return Err(missing);
        }
        self.full_at = full_at;
        Ok(())
    }
}
