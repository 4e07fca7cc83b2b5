//! Dates of the kernel on the time line of a trace.
//!
//! ```text
//!   calls     CLOCK_MONOTONIC ──────────────────────────▶ time since the trace began
//!   packets   CLOCK_REALTIME ── how long ago was that? ─┘
//! ```
//!
//! The date can be set, and is slewed all the time; what is asked is only how long ago something was, and that is some
//! milliseconds at the most. It does not know what happened.

use std::time::{Duration, Instant, SystemTime};

/// Both clocks count as read at once if this passed meanwhile; else the thread was interrupted, and it is tried again.
const APART_MAX: Duration = Duration::from_micros(2);
/// How often it is tried.
const TRIES_MAX: u32 = 8;

/// Both clocks, as near to one moment as can be.
pub(super) fn now() -> (Instant, SystemTime) {
    let mut best: Option<(Duration, Instant, SystemTime)> = None;
    for _ in 0..TRIES_MAX {
        let before = Instant::now();
        let wall = SystemTime::now();
        let apart = before.elapsed();
        if best.is_none_or(|(least, ..)| apart < least) {
            best = Some((apart, before + apart / 2, wall));
        }
        if apart <= APART_MAX {
            break;
        }
    }
    let (_, now, wall) = best.expect("it was tried at least once");
    (now, wall)
}

/// When something happened that the kernel dates, since `began`. What it dates later than now happened now.
pub(super) fn since(began: Instant, at: SystemTime) -> Duration {
    let (now, wall) = now();
    let ago = wall.duration_since(at).unwrap_or_default();
    now.saturating_duration_since(began).saturating_sub(ago)
}
