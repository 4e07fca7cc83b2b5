//! Stopping a server from any thread.

use std::sync::{Arc, Mutex, PoisonError};

/// Stops a server from any thread. Clones stop the same server.
#[derive(Clone, Default)]
pub struct Stopper {
    workers: Arc<Mutex<Workers>>,
}

/// Who is to be told of a stop.
#[derive(Default)]
struct Workers {
    /// How often a stop was asked for.
    asked: u32,
    tell: Vec<Box<dyn Fn() + Send>>,
}

impl Stopper {
    /// Stops accepting, lets connections finish what they have begun for at most `stop_timeout` (10 s), then closes
    /// them. A second call closes at once.
    pub fn stop(&self) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.asked += 1;
        for tell in &workers.tell {
            tell();
        }
    }

    /// Adds a worker. One that comes after a stop is told at once.
    pub(super) fn register(&self, tell: Box<dyn Fn() + Send>) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..workers.asked {
            tell();
        }
        workers.tell.push(tell);
    }
}
