//! Coarse time: a deadline is four bytes.

use std::time::Duration;

use crate::limits::Limits;

/// Milliseconds of one tick. Deadlines are seconds long, so 50 ms of slack do not matter; they never fire early.
const MILLIS: u64 = 50;
/// A body's rate is judged over this much at least. Over less than a second, the pauses between segments would decide.
const BODY_WINDOW_MIN: Duration = Duration::from_secs(1);

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

    /// How many ticks lie between `earlier` and this one.
    pub(crate) fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first tick at which at least `ticks` have passed.
    #[inline]
    pub(crate) fn after(self, ticks: u32) -> Self {
        // One more, because the present tick has partly passed.
        Self(self.0.saturating_add(ticks).saturating_add(1))
    }
}

/// How many ticks `duration` is, rounded up.
pub(crate) fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(u128::from(MILLIS))).unwrap_or(u32::MAX)
}

/// The time limits of [`Limits`], in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) head: u32,
    pub(crate) first_byte: u32,
    pub(crate) idle: u32,
    /// How long a body's bytes are counted before they are judged.
    pub(crate) body_window: u32,
    /// The bytes that each such window must bring.
    pub(crate) body_window_bytes_min: u32,
    pub(crate) write_stall: u32,
    pub(crate) ping_interval: u32,
    pub(crate) ping: u32,
    pub(crate) close: u32,
    /// 0: none.
    pub(crate) websocket_lifetime: u32,
    /// 0: none.
    pub(crate) websocket_idle: u32,
    pub(crate) linger: u32,
    pub(crate) stop: u32,
}

impl Timeouts {
    pub(crate) fn new(limits: &Limits) -> Self {
        let body_window = limits.body_grace.max(BODY_WINDOW_MIN);
        let share = body_window.as_secs_f64() * f64::from(limits.body_bytes_per_second_min);
        Self {
            head: ticks(limits.head_timeout),
            first_byte: ticks(limits.first_byte_timeout),
            idle: ticks(limits.idle_timeout),
            body_window: ticks(body_window),
            // A cast of a float stops at the largest value.
            body_window_bytes_min: share as u32,
            write_stall: ticks(limits.write_stall_timeout),
            ping_interval: ticks(limits.ping_interval),
            ping: ticks(limits.ping_timeout),
            close: ticks(limits.close_timeout),
            websocket_lifetime: ticks(limits.websocket_lifetime_max),
            websocket_idle: ticks(limits.websocket_idle_timeout),
            linger: ticks(limits.linger_timeout),
            stop: ticks(limits.stop_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_never_fires_early() {
        assert_eq!(ticks(Duration::from_millis(50)), 1);
        assert_eq!(ticks(Duration::from_millis(51)), 2);
        assert_eq!(Tick(7).after(2), Tick(10), "the present tick has begun");
        assert_eq!(Tick(7).after(u32::MAX), Tick::NEVER);
    }

    #[test]
    fn a_body_window_is_the_grace_and_has_its_share() {
        let shares = [
            (10.0, 1024, 200, 10_240),
            (1.5, 1000, 30, 1500),
            (0.0, 1000, 20, 1000),
            (10.0, 0, 200, 0),
            (100.0, u32::MAX, 2000, u32::MAX),
        ];
        for (grace, rate, window, share) in shares {
            let timeouts = Timeouts::new(&Limits {
                body_grace: Duration::from_secs_f64(grace),
                body_bytes_per_second_min: rate,
                ..Limits::default()
            });
            let found = (timeouts.body_window, timeouts.body_window_bytes_min);
            assert_eq!(found, (window, share), "{grace} s at {rate}");
        }
    }
}
