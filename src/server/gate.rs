//! A gate that opens when everybody who is expected has come, or cannot come any more.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets nobody pass before all are there.
pub(super) struct Gate {
    expected: usize,
    state: Mutex<State>,
    open: Condvar,
}

struct State {
    /// Who may still come.
    missing: usize,
    came: usize,
}

/// Somebody who is still to come. Dropped without having [come](Self::come), it failed or was never started.
pub(super) struct Arrival<'g>(&'g Gate);

impl Gate {
    /// A gate for so many.
    pub(super) fn new(expected: usize) -> Self {
        Self {
            expected,
            state: Mutex::new(State {
                missing: expected,
                came: 0,
            }),
            open: Condvar::new(),
        }
    }

    /// One of those who are expected.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival(self)
    }

    /// Waits for all who are expected; whether all of them came.
    pub(super) fn wait(&self) -> bool {
        let closed = |state: &mut State| state.missing > 0;
        let state = self.open.wait_while(self.state(), closed);
        state.unwrap_or_else(PoisonError::into_inner).came == self.expected
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival<'_> {
    /// Is there. Others may still be waited for.
    pub(super) fn come(self) {
        self.0.state().came += 1;
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.missing -= 1;
        if state.missing == 0 {
            self.0.open.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_when_all_are_there() {
        let gate = Gate::new(2);
        let arrivals = [gate.arrival(), gate.arrival()];
        let all = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.wait());
            arrivals.into_iter().for_each(Arrival::come);
            waiting.join().expect("the gate opens")
        });
        assert!(all);
    }

    #[test]
    fn it_opens_when_the_rest_cannot_come_and_says_so() {
        let gate = Gate::new(2);
        let (comes, fails) = (gate.arrival(), gate.arrival());
        comes.come();
        drop(fails);
        assert!(!gate.wait());
    }
}
