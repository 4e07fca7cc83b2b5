//! What a running server has done so far, readable from any thread while it runs.
//!
//! ```text
//!   worker 0 ── a few stores behind each turn ──▶ account 0 ─┐
//!   worker 1 ───────────────────────────────────▶ account 1 ─┼──▶ Ledger::figures, from any thread
//!     …                                                      ─┘
//! ```
//!
//! Each worker has an account on cache lines of its own, which only it writes: no lock, and nobody waits for anybody. It
//! does not know what the process costs the kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a worker, or all of them, have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerFigures {
    /// Connections that are open now, closing ones included.
    pub connections: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// WebSocket messages that came.
    pub messages: u64,
    /// How often accepting had to rest for lack of descriptors or memory.
    pub accept_failures: u64,
    /// Bytes that peers make the server keep now: unfinished input, unsent output. At most
    /// [`Limits::memory_bytes_max`](crate::Limits::memory_bytes_max).
    pub held_bytes: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// The longest turn of any worker: so long may a connection have waited for the others.
    pub longest_turn: Duration,
}

/// Reads a running server's figures. From [`Bound::ledger`](super::Bound::ledger); clones read the same server.
///
/// ```
/// # use longshore::{Handler, Replied, Reply, Request, Server};
/// # struct Hello;
/// # impl Handler for Hello {
/// #     type Connection = ();
/// #     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied { reply.text("") }
/// # }
/// let bound = Server::new().listen("127.0.0.1:0".parse()?).bind()?;
/// let ledger = bound.ledger();
/// # bound.stopper().stop();
/// bound.run(|_worker| Hello)?;
/// assert_eq!(ledger.figures().connections, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ledger {
    accounts: Arc<[Account]>,
}

impl Ledger {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            accounts: (0..workers).map(|_| Account::default()).collect(),
        }
    }

    /// The figures of all workers together. They are not of one moment: each worker's are those of its last turn.
    pub fn figures(&self) -> LedgerFigures {
        let mut total = LedgerFigures::default();
        for worker in self.workers() {
            total.connections += worker.connections;
            total.accepted += worker.accepted;
            total.requests += worker.requests;
            total.messages += worker.messages;
            total.accept_failures += worker.accept_failures;
            total.held_bytes += worker.held_bytes;
            total.turns += worker.turns;
            total.longest_turn = total.longest_turn.max(worker.longest_turn);
        }
        total
    }

    /// Each worker's figures, by number. Listeners share clients by a hash, so workers differ by a few percent.
    pub fn workers(&self) -> impl Iterator<Item = LedgerFigures> {
        self.accounts.iter().map(Account::read)
    }

    /// A worker's account.
    pub(super) fn account(&self, worker: usize) -> &Account {
        &self.accounts[worker]
    }
}

/// One worker's figures. Written by it alone, so plain stores are enough; 128 bytes, since processors fetch cache lines in
/// pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Account {
    connections: AtomicU64,
    accepted: AtomicU64,
    requests: AtomicU64,
    messages: AtomicU64,
    accept_failures: AtomicU64,
    held_bytes: AtomicU64,
    turns: AtomicU64,
    longest_turn_nanos: AtomicU64,
}

impl Account {
    pub(super) fn write(&self, figures: &LedgerFigures) {
        let longest = figures.longest_turn.as_nanos() as u64;
        let pairs = [
            (&self.connections, figures.connections),
            (&self.accepted, figures.accepted),
            (&self.requests, figures.requests),
            (&self.messages, figures.messages),
            (&self.accept_failures, figures.accept_failures),
            (&self.held_bytes, figures.held_bytes),
            (&self.turns, figures.turns),
            (&self.longest_turn_nanos, longest),
        ];
        for (counter, value) in pairs {
            counter.store(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> LedgerFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LedgerFigures {
            connections: read(&self.connections),
            accepted: read(&self.accepted),
            requests: read(&self.requests),
            messages: read(&self.messages),
            accept_failures: read(&self.accept_failures),
            held_bytes: read(&self.held_bytes),
            turns: read(&self.turns),
            longest_turn: Duration::from_nanos(read(&self.longest_turn_nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_added_and_the_longest_turn_is_the_longest() {
        let ledger = Ledger::new(2);
        let figures = |connections, millis| LedgerFigures {
            connections,
            accepted: 10,
            turns: 3,
            longest_turn: Duration::from_millis(millis),
            ..LedgerFigures::default()
        };
        ledger.account(0).write(&figures(2, 7));
        ledger.account(1).write(&figures(3, 5));
        ledger.account(1).write(&figures(4, 6));
        let total = ledger.figures();
        assert_eq!((total.connections, total.accepted, total.turns), (6, 20, 6));
        assert_eq!(total.longest_turn, Duration::from_millis(7));
        let each: Vec<u64> = ledger.workers().map(|worker| worker.connections).collect();
        assert_eq!(each, [2, 4]);
    }
}
