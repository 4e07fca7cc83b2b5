//! The memory ceiling: one figure for the whole server over everything that peers can make it keep.
//!
//! Inboxes, outboxes and messages under assembly count. A reactor takes its share of the ceiling in grains, so the
//! shared counter is touched once for 64 KiB and not once for each byte. Nothing is ever reserved from a length that a
//! peer announced: only bytes that arrived count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much a reactor takes from the ceiling at a time.
const GRAIN_BYTES: usize = 64 * 1024;

/// The ceiling that all reactors of a server share.
#[derive(Debug)]
pub(crate) struct Ceiling {
    taken: AtomicUsize,
    bytes_max: usize,
}

impl Ceiling {
    /// A ceiling of `bytes_max` bytes.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            bytes_max,
        })
    }
}

impl Ceiling {
    /// Takes `bytes` at once, until the charge is dropped. For things that are few and large.
    #[cfg(feature = "deflate")]
    pub(crate) fn charge(ceiling: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let before = ceiling.taken.fetch_add(bytes, Ordering::Relaxed);
        let charge = Charge {
            ceiling: ceiling.clone(),
            bytes,
        };
        // Dropped again if it was too much.
        (before + bytes <= ceiling.bytes_max).then_some(charge)
    }
}

/// Bytes taken from a [`Ceiling`], given back when it is dropped.
#[cfg(feature = "deflate")]
#[derive(Debug)]
pub(crate) struct Charge {
    ceiling: Arc<Ceiling>,
    bytes: usize,
}

#[cfg(feature = "deflate")]
impl Drop for Charge {
    fn drop(&mut self) {
        self.ceiling.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// One reactor's account under the [`Ceiling`].
#[derive(Debug)]
pub(crate) struct Budget {
    ceiling: Arc<Ceiling>,
    used: usize,
    /// What this reactor has taken from the ceiling, in whole grains; at least `used`.
    taken: usize,
}

impl Budget {
    /// An empty account.
    pub(crate) fn new(ceiling: Arc<Ceiling>) -> Self {
        Self {
            ceiling,
            used: 0,
            taken: 0,
        }
    }

    /// Whether there is room for `bytes` more. Ask before new work is begun; at the ceiling it is refused.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let wanted = (self.used + bytes).saturating_sub(self.taken);
        // Also asked when the share that was taken is enough: memory that grows by doubling may have passed the ceiling.
        // Relaxed is enough: the figure is a limit that may be passed by a grain per reactor, no other memory hangs on it.
        self.ceiling.taken.load(Ordering::Relaxed) + wanted <= self.ceiling.bytes_max
    }

    /// What this account's connections hold.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Notes that a connection which held `before` bytes now holds `after`.
    #[inline]
    pub(crate) fn adjust(&mut self, before: usize, after: usize) {
        if before != after {
            self.settle_account(before, after);
        }
    }

    fn settle_account(&mut self, before: usize, after: usize) {
        self.used = self.used + after - before;
        let wanted = self.used.next_multiple_of(GRAIN_BYTES);
        if wanted > self.taken {
            self.ceiling
                .taken
                .fetch_add(wanted - self.taken, Ordering::Relaxed);
            self.taken = wanted;
        } else if self.used == 0 {
            // Of five idle workers' spare grains, a small ceiling would be full for ever.
            self.ceiling.taken.fetch_sub(self.taken, Ordering::Relaxed);
            self.taken = 0;
        } else if self.taken - wanted > GRAIN_BYTES {
            // One spare grain is kept: an account that swings around a border must not touch the shared counter each time.
            self.ceiling
                .taken
                .fetch_sub(self.taken - wanted - GRAIN_BYTES, Ordering::Relaxed);
            self.taken = wanted + GRAIN_BYTES;
        }
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.ceiling.taken.fetch_sub(self.taken, Ordering::Relaxed);
    }
}
