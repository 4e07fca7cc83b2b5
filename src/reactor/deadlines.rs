//! When each connection has to be looked at again: four bytes each, in one array.
//!
//! ```text
//!   deadlines   ▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ …    32 in a group
//!   bounds         ▒        ▒        ▒          no deadline of the group is earlier
//!   bound                   ▒                   nor any at all: an idle server sleeps till then
//! ```
//!
//! When the bound is reached, one sweep over the groups' bounds finds the groups in which something may be due, and the
//! next bound. Deadlines move with every request, so any structure that keeps them in order would pay for each of those
//! moves; here a move backwards costs two comparisons, and one forwards nothing but a look when the old one has come.
//!
//! Without groups a sweep read all deadlines: with the pings of a million connections on 54 workers, which are swept in
//! each tick, that was 7–10 % of a processor. With them it is 0.6–0.7 % (docs/SCALE.md).

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

/// How many deadlines have a bound of their own: 2 to the power of this.
const GROUP_BITS: u32 = 5;

/// All deadlines, by the connection's index.
#[derive(Debug)]
pub(super) struct Deadlines {
    due: Slab<Due>,
    /// No deadline of a group is earlier, by the group's number.
    bounds: Slab<Due>,
    /// No deadline is earlier.
    bound: Tick,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            due: Slab::default(),
            bounds: Slab::default(),
            bound: Tick::NEVER,
        }
    }
}

impl Deadlines {
    /// Sets or, with [`Tick::NEVER`], removes a connection's deadline.
    #[inline]
    pub(super) fn set(&mut self, index: u32, at: Tick) {
        // A busy connection is set many times to the same tick.
        if self.due.at(index).is_none_or(|due| due.0 != at) {
            self.change(index, at);
        }
    }

    fn change(&mut self, index: u32, at: Tick) {
        let group = index >> GROUP_BITS;
        if at != Tick::NEVER {
            self.due.reach(index);
            self.bounds.reach(group);
        }
        if let Some(due) = self.due.at_mut(index) {
            due.0 = at;
        }
        if let Some(bound) = self.bounds.at_mut(group) {
            bound.0 = bound.0.min(at);
        }
        self.bound = self.bound.min(at);
    }

    /// Gives back the memory of those who have none.
    pub(super) fn give_back(&mut self) {
        let nobody = |due: &[Due]| due.iter().all(|due| due.0 == Tick::NEVER);
        self.due.give_back(nobody);
        self.bounds.give_back(nobody);
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
        let mut earliest = Tick::NEVER;
        for (group, bound) in self.bounds.iter_mut() {
            if bound.0 <= now {
                let first = group << GROUP_BITS;
                let mut rest = Tick::NEVER;
                for (index, due) in (first..).zip(self.due.run_mut(first, 1 << GROUP_BITS)) {
                    if due.0 <= now {
                        due.0 = Tick::NEVER;
                        expired.push_back(index);
                    }
                    rest = rest.min(due.0);
                }
                bound.0 = rest;
            }
            earliest = earliest.min(bound.0);
        }
        self.bound = earliest;
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

    #[test]
    fn who_has_none_costs_nothing() {
        let mut deadlines = Deadlines::default();
        let mut expired = VecDeque::new();
        for index in 0..5000 {
            deadlines.set(index, Tick(index + 1));
        }
        deadlines.sweep(Tick(4500), &mut expired);
        assert!(expired.iter().copied().eq(0..4500));
        deadlines.give_back();
        assert!(deadlines.due.at(0).is_none());
        deadlines.set(0, Tick::NEVER);
        assert!(deadlines.due.at(0).is_none(), "it has none already");
        deadlines.set(0, Tick(4600));
        expired.clear();
        deadlines.sweep(Tick(5000), &mut expired);
        let due: Vec<u32> = [0].into_iter().chain(4500..5000).collect();
        assert!(expired.into_iter().eq(due));
        assert_eq!(deadlines.next(), Tick::NEVER);
    }

    #[test]
    #[ignore = "a measurement, for docs/SCALE.md: it means something in a release build only"]
    fn what_the_sweeps_of_a_million_cost() {
        const WORKERS: usize = 54;
        const EACH: u32 = 18_519;
        // Pings a minute apart, so evenly spread that every worker sweeps in every tick of 50 ms.
        const MINUTE: u32 = 1200;
        let mut workers: Vec<Deadlines> = (0..WORKERS).map(|_| Deadlines::default()).collect();
        for deadlines in &mut workers {
            for index in 0..EACH {
                deadlines.set(index, Tick(1 + index % MINUTE));
            }
        }
        let (mut sweeps, mut due) = (0_u32, 0);
        let mut expired = VecDeque::new();
        let began = std::time::Instant::now();
        for now in (1..=MINUTE).map(Tick) {
            for deadlines in &mut workers {
                sweeps += u32::from(deadlines.next() <= now);
                deadlines.sweep(now, &mut expired);
                due += expired.len();
                for index in expired.drain(..) {
                    deadlines.set(index, Tick(now.0 + MINUTE));
                }
            }
        }
        let took = began.elapsed();
        assert_eq!(due, WORKERS * EACH as usize);
        println!(
            "{sweeps} sweeps a minute, {:.2} µs each: {:.3} % of a processor",
            took.as_secs_f64() * 1e6 / f64::from(sweeps),
            took.as_secs_f64() / 60.0 * 100.0
        );
    }
}
