//! Up to which time everything has been told.
//!
//! ```text
//!   a thread    ── I speak, of nothing before t ─▶ the clock ─▶ the event ─▶ the queue ── I am silent ──▶
//!   collector   ── the clock: now ─▶ the least t of all threads ─▶ the queue, emptied ─▶ shows what is before both
//! ```
//!
//! An event has its time before it is in the queue, and its thread may be interrupted between the two for as long as the
//! kernel likes: waiting for a while would keep the order on an idle machine only. So each thread says when it is about to
//! tell something. It names a time that it has passed already, which no event of it can be before.
//!
//! It knows no events.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// The thread has nothing to tell.
const SILENT: u64 = u64::MAX;

/// What one thread says of itself.
#[derive(Debug)]
pub(super) struct Speaker(Arc<AtomicU64>);

impl Speaker {
    /// From here on something may come that happened at `time` or later. Said before the clock is read.
    pub(super) fn speaks_since(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(SILENT);
        // SeqCst, here and where it is read: the word stands before the clock is read, for every thread.
        self.0.store(nanos, Ordering::SeqCst);
    }

    /// Everything is in the queue.
    pub(super) fn is_silent(&self) {
        self.0.store(SILENT, Ordering::SeqCst);
    }
}

/// What all threads say.
#[derive(Debug, Default)]
pub(super) struct Watermarks(Mutex<Vec<Weak<AtomicU64>>>);

impl Watermarks {
    /// One more thread, which is silent. It is forgotten when the answer is dropped.
    pub(super) fn speaker(&self) -> Speaker {
        let word = Arc::new(AtomicU64::new(SILENT));
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.push(Arc::downgrade(&word));
        Speaker(word)
    }

    /// The earliest time of which something may still come; `None` if all are silent.
    pub(super) fn lowest(&self) -> Option<Duration> {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lowest = SILENT;
        words.retain(|word| {
            let word = word.upgrade();
            if let Some(word) = &word {
                lowest = lowest.min(word.load(Ordering::SeqCst));
            }
            word.is_some()
        });
        (lowest != SILENT).then(|| Duration::from_nanos(lowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_word_counts_until_it_is_taken_back() {
        let marks = Watermarks::default();
        let (one, other) = (marks.speaker(), marks.speaker());
        assert_eq!(marks.lowest(), None);
        let second = Duration::from_secs(1);
        one.speaks_since(2 * second);
        other.speaks_since(second);
        assert_eq!(marks.lowest(), Some(second));
        other.is_silent();
        assert_eq!(marks.lowest(), Some(2 * second));
        drop(one);
        assert_eq!(marks.lowest(), None, "who is gone says nothing more");
    }
}
