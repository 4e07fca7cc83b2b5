//! What was published, and what became of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures of all topics of a server, since it was bound. Got from [`Publisher::figures`](crate::Publisher::figures).
///
/// Of one message to three subscribers, two of whom agreed on the same compression: one is `encoded`, one `compressed`,
/// three are `delivered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicFigures {
    /// Messages that were encoded, each once, however many subscribe.
    pub encoded: u64,
    /// Compressed forms of them that were made, each once for all connections of a server that agreed on the same terms.
    pub compressed: u64,
    /// How often a message was given to a subscriber: sent, or queued behind what it has not read.
    pub delivered: u64,
    /// How often a subscriber's [`SlowPeer`](crate::SlowPeer) policy dropped a message, that one or an older one. Of what
    /// was queued and dropped later, `delivered` has counted both.
    pub dropped: u64,
    /// How often a subscriber missed a message because its worker did not keep up: 64 MiB waited for that worker already.
    /// Counted when the subscriber's turn comes.
    pub lost: u64,
}

/// The counters behind the figures.
#[derive(Debug, Default)]
pub(in crate::server) struct Counters {
    encoded: AtomicU64,
    compressed: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
}

impl Counters {
    /// Adds `fresh` figures.
    pub(in crate::server) fn add(&self, fresh: TopicFigures) {
        for (counter, count) in [
            (&self.encoded, fresh.encoded),
            (&self.compressed, fresh.compressed),
            (&self.delivered, fresh.delivered),
            (&self.dropped, fresh.dropped),
            (&self.lost, fresh.lost),
        ] {
            // Most are zero, and the counters' memory is shared by all workers.
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn read(&self) -> TopicFigures {
        TopicFigures {
            encoded: self.encoded.load(Ordering::Relaxed),
            compressed: self.compressed.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}
