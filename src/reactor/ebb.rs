//! When a crowd has gone: gives back the memory that it needed.
//!
//! ```text
//!   connections   ▁▃▆█████▆▄▂▁▁▁▁▁▁
//!                            │    └─ five seconds later still fewer: whole segments go back
//!                            └─ half of the most
//! ```
//!
//! Looking through the tables takes as long as they are, so it is done when half of those who needed them have gone, and a
//! while later: a server whose crowd comes and goes keeps its memory. A turn compares three numbers. Each worker looks at its
//! own crowd. This does not know what a connection is.

use super::Reactor;
use crate::conn::{Service, Tick};
use crate::driver::Driver;
use crate::sys;

/// Ticks that pass before memory is given back: five seconds.
const REST_TICKS: u32 = 100;

/// Fewer connections than this never were a crowd: tables have segments of 1024.
const CROWD_MIN: usize = 2048;

/// Places that queues keep, to be used again.
const KEPT_PLACES: usize = 1024;

/// Whether a crowd has gone.
#[derive(Debug)]
pub(super) struct Ebb {
    /// The most connections since memory was last given back.
    most: usize,
    due: Tick,
    /// When the heap is to be trimmed, of which the process has one.
    trim: Tick,
}

impl Default for Ebb {
    fn default() -> Self {
        Self {
            most: 0,
            due: Tick::NEVER,
            trim: Tick::NEVER,
        }
    }
}

impl Ebb {
    /// When memory will be given back, if nobody comes.
    pub(super) fn due(&self) -> Tick {
        self.due.min(self.trim)
    }

    /// Notes how many connections there are. True if it is time to give memory back.
    #[inline]
    pub(super) fn note(&mut self, live: usize, now: Tick) -> bool {
        self.most = self.most.max(live);
        if live > self.most / 2 || self.most < CROWD_MIN {
            self.due = Tick::NEVER;
        } else if self.due == Tick::NEVER {
            self.due = now.after(REST_TICKS);
        } else if self.due <= now {
            *self = Self {
                most: live,
                due: Tick::NEVER,
                trim: self.trim,
            };
            return true;
        }
        false
    }
}

impl<D: Driver, S: Service> Reactor<D, S> {
    /// Gives memory back, if a crowd has gone.
    #[inline]
    pub(super) fn ebb(&mut self) {
        let now = self.shared.now;
        if self.ebb.note(self.live, now) {
            self.give_back();
            self.ebb.trim = now;
        }
        if self.ebb.trim <= now {
            // Workers whose crowds went together take turns.
            let trimmed = sys::trim_heap();
            self.ebb.trim = if trimmed { Tick::NEVER } else { now.after(1) };
        }
    }

    #[cold]
    fn give_back(&mut self) {
        self.table
            .give_back(|places| places.iter().all(Option::is_none));
        self.deadlines.give_back();
        self.driver.give_back();
        self.mailbox.give_back(KEPT_PLACES);
        self.letters.shrink_to(KEPT_PLACES);
        self.expired.shrink_to(KEPT_PLACES);
        self.service.give_back();
    }
}

#[cfg(test)]
mod tests;
