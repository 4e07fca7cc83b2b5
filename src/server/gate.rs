//! A gate that opens when everybody who is expected has come, or cannot come any more.

use std::sync::{Condvar, Mutex, PoisonError};

/// Lets nobody pass before all are there.
pub(super) struct Gate {
    missing: Mutex<usize>,
    open: Condvar,
}

/// Somebody who is still to come. Dropped when it has, and also when it failed or was never started.
pub(super) struct Arrival<'g>(&'g Gate);

impl Gate {
    /// A gate for so many.
    pub(super) fn new(expected: usize) -> Self {
        Self {
            missing: Mutex::new(expected),
            open: Condvar::new(),
        }
    }

    /// One of those who are expected.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival(self)
    }

    /// Arrives, and waits for the others.
    pub(super) fn pass(&self, arrival: Arrival<'_>) {
        drop(arrival);
        self.wait();
    }

    /// Waits for all who are expected.
    pub(super) fn wait(&self) {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = |missing: &mut usize| *missing > 0;
        drop(self.open.wait_while(missing, closed));
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let mut missing = self
            .0
            .missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *missing -= 1;
        if *missing == 0 {
            self.0.open.notify_all();
        }
    }
}
