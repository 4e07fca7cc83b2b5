//! Says who is there, when that has changed.
//!
//! ```text
//!   ring, ring, ring ──▶ gather 100 ms ──▶ one list to everybody ──▶ rest 400 ms ──▶ wait for the next ring
//!                              ▲                                                         │
//!                              └──────────── a grace period ends ◀───────────────────────┘
//! ```
//!
//! A hundred guests who come at once are one list, and no more than two lists a second leave however often somebody comes
//! and goes. It is a thread, because nothing wakes a handler when somebody does *not* come back. It sleeps while nothing
//! changes.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Room;

/// How long changes are gathered into one list.
const GATHER: Duration = Duration::from_millis(100);

/// How long it rests behind a list.
const REST: Duration = Duration::from_millis(400);

/// Announces for ever.
pub(super) fn run(room: &Room) {
    let mut told = 0;
    loop {
        room.wait();
        std::thread::sleep(GATHER);
        told = room.announce(told, Instant::now());
        std::thread::sleep(REST);
    }
}

/// Wakes the herald. Rung while nobody waits, it is heard by the next wait.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    /// Waits until it is rung, for `longest` at most.
    pub(super) fn wait(&self, longest: Option<Duration>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        match longest {
            None => {
                let waited = self.heard.wait_while(rung, |rung| !*rung);
                rung = waited.unwrap_or_else(PoisonError::into_inner);
            }
            Some(longest) => {
                let waited = self.heard.wait_timeout_while(rung, longest, |rung| !*rung);
                rung = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        *rung = false;
    }
}
