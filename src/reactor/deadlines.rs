//! When each connection has to be looked at again: four bytes each, in one array.
//!
//! A lower bound of the earliest deadline is kept, so that an idle server sleeps. When the bound is reached, one sweep
//! over the array finds what is due and the next bound: a million connections are 4 MB, read at memory speed. Deadlines
//! move with every request, so any structure that keeps them in order would pay for each of those moves.

use std::collections::VecDeque;

use crate::buf::Slab;
use crate::conn::Tick;

/// `Slab` fills with defaults; a connection without a deadline must be that.
#[derive(Clone, Copy, Debug)]
struct Due(Tick);

impl Default for Due {
    fn default() -> Self {
        Self(Tick::NEVER)
    }
}

/// All deadlines, by the connection's index.
#[derive(Debug)]
pub(super) struct Deadlines {
    due: Slab<Due>,
    /// No deadline is earlier.
    bound: Tick,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            due: Slab::default(),
            bound: Tick::NEVER,
        }
    }
}

impl Deadlines {
    /// Sets or, with [`Tick::NEVER`], removes a connection's deadline.
    #[inline]
    pub(super) fn set(&mut self, index: u32, at: Tick) {
        if at != Tick::NEVER {
            self.due.reach(index);
        }
        if let Some(due) = self.due.at_mut(index) {
            due.0 = at;
        }
        self.bound = self.bound.min(at);
    }

    /// Gives back the memory of those who have none.
    pub(super) fn give_back(&mut self) {
        self.due
            .give_back(|due| due.iter().all(|due| due.0 == Tick::NEVER));
    }

    /// No deadline is earlier than this.
    pub(super) fn next(&self) -> Tick {
        self.bound
    }

    /// Moves the indexes that are due at `now` into `expired`; their deadlines are removed.
    pub(super) fn sweep(&mut self, now: Tick, expired: &mut VecDeque<u32>) {
        if self.bound > now {
            return;
        }
        let mut bound = Tick::NEVER;
        for (index, due) in self.due.iter_mut() {
            if due.0 <= now {
                due.0 = Tick::NEVER;
                expired.push_back(index);
            } else {
                bound = bound.min(due.0);
            }
        }
        self.bound = bound;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_finds_what_is_due_and_the_next_bound() {
        let mut deadlines = Deadlines::default();
        let mut expired = VecDeque::new();
        deadlines.set(5, Tick(10));
        deadlines.set(2000, Tick(30));
        deadlines.set(7, Tick(20));
        deadlines.set(5, Tick(25));
        assert_eq!(deadlines.next(), Tick(10), "a bound, not the minimum");
        deadlines.sweep(Tick(10), &mut expired);
        assert!(expired.is_empty());
        assert_eq!(deadlines.next(), Tick(20));
        deadlines.sweep(Tick(25), &mut expired);
        assert_eq!(expired, [5, 7]);
        assert_eq!(deadlines.next(), Tick(30));
        deadlines.set(2000, Tick::NEVER);
        deadlines.sweep(Tick(30), &mut expired);
        assert_eq!((expired.len(), deadlines.next()), (2, Tick::NEVER));
    }
}
