//! Layer 6, the loop: one thread, one driver, many connections.
//!
//! ```text
//!          ┌──────────────────── a turn ────────────────────┐
//!   wait ──▶ events: dispatch to the connection, then settle ──▶ mail ──▶ deadlines ──▶ back
//! ```
//!
//! *Settle* is the one place where a connection's wishes become I/O: send what was said, pause or resume receiving,
//! send FIN, close, set the deadline. It runs right behind each dispatch, so a reply leaves at once and in one send.
//!
//! The loop does not know what the bytes mean, and makes no system call itself, but for giving back the heap's memory when
//! a crowd has gone (`ebb`).
#![forbid(unsafe_code)]

mod clock;
mod deadlines;
mod ebb;
mod mailbox;
mod outer;
mod reach;
mod settle;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use deadlines::Deadlines;
use ebb::Ebb;
pub(crate) use mailbox::{Letter, Mailbox, Post};

use reach::Reach;

use crate::buf::{Budget, Slab};
use crate::conn::{Connection, Service, Shared, Tick};
use crate::driver::{Driver, Listener, ListenerId, Token};
use crate::events;
use crate::limits::Limits;

/// One connection in the table.
struct Entry<T> {
    generation: u32,
    connection: Connection<T>,
}

/// Figures of a reactor's life so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Connections that were accepted.
    pub(crate) accepted: u64,
    /// Turns that were made.
    pub(crate) turns: u64,
    /// How often accepting failed for lack of descriptors or memory.
    pub(crate) accept_failures: u64,
    /// The longest turn, from the end of its wait to the beginning of the next one's.
    pub(crate) longest_turn: Duration,
}

/// A driver, its connections, and the service that gives their bytes a meaning.
pub(crate) struct Reactor<D: Driver, S: Service> {
    driver: D,
    service: S,
    table: Slab<Option<Entry<S::State>>>,
    live: usize,
    deadlines: Deadlines,
    ebb: Ebb,
    clock: Clock,
    shared: Shared,
    /// Collects what is said in one dispatch. Empty between dispatches.
    cork: Vec<u8>,
    mailbox: Arc<Mailbox<S::Mail>>,
    listeners: Vec<ListenerId>,
    /// Listeners that take in who waits, and are closed then.
    closing: Vec<ListenerId>,
    /// When a stop that was asked for becomes abrupt.
    stop_at: Option<Tick>,
    figures: Figures,
    /// How long the loop looks again and again before it sleeps. Zero: not at all.
    busy_poll: Duration,
    /// Until when it does so.
    restless_until: Duration,
    /// Something has come in this turn.
    stirred: bool,
    /// Memory that is used again in each turn.
    letters: Vec<Letter<S::Mail>>,
    /// Connections whose deadline has passed, and that were not called yet.
    expired: VecDeque<u32>,
    /// Connections that have more to say than one turn gives them.
    again: Vec<Token>,
    /// What there is beside accepted connections.
    reach: Reach,
    /// When an outer loop has to make a turn even if the driver's descriptor is not readable.
    rest_until: Option<Duration>,
}

impl<D: Driver, S: Service> Reactor<D, S> {
    /// Puts a reactor together. Call it on the thread that will run it.
    ///
    /// `make_service` is given the mailbox's address, so that the service can hand it to other threads.
    pub(crate) fn new(
        driver: D,
        limits: Arc<Limits>,
        budget: Budget,
        make_service: impl FnOnce(Post<S::Mail>) -> S,
    ) -> Self {
        let mailbox = Mailbox::new(driver.waker());
        let service = make_service(Post::new(mailbox.clone()));
        Self {
            driver,
            service,
            table: Slab::default(),
            live: 0,
            deadlines: Deadlines::default(),
            ebb: Ebb::default(),
            clock: Clock::start(),
            shared: Shared::new(limits, budget),
            cork: Vec::new(),
            mailbox,
            listeners: Vec::new(),
            closing: Vec::new(),
            stop_at: None,
            figures: Figures::default(),
            busy_poll: Duration::ZERO,
            restless_until: Duration::ZERO,
            stirred: false,
            letters: Vec::new(),
            expired: VecDeque::new(),
            again: Vec::new(),
            reach: Reach::default(),
            rest_until: Some(Duration::ZERO),
        }
    }

    /// Looks for events again and again, for so long after the last one, before it sleeps.
    pub(crate) fn busy_poll(&mut self, how_long: Duration) {
        self.busy_poll = how_long;
    }

    /// Accepts on `listener` from now on.
    pub(crate) fn listen(&mut self, listener: Listener) -> io::Result<ListenerId> {
        let id = self.driver.listen(listener)?;
        self.listeners.push(id);
        Ok(id)
    }

    /// Where other threads leave mail.
    pub(crate) fn post(&self) -> Post<S::Mail> {
        Post::new(self.mailbox.clone())
    }

    /// The service.
    pub(crate) fn service(&self) -> &S {
        &self.service
    }

    /// The service.
    pub(crate) fn service_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// How many bytes the connections make the server keep.
    pub(crate) fn held_bytes(&self) -> usize {
        self.shared.budget.used()
    }

    /// How many connections there are, those that are about to close included.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// What has happened so far.
    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }

    /// The driver's probe.
    pub(crate) fn probe(&mut self) -> &mut D::Probe {
        self.driver.probe()
    }

    /// Whether a stop was asked for and everything is over.
    pub(crate) fn is_finished(&self) -> bool {
        let listening = !self.listeners.is_empty() || !self.closing.is_empty();
        self.stop_at.is_some() && self.live == 0 && !listening && self.reach.is_quiet()
    }

    /// Whether the time to finish after a stop has passed.
    fn is_cut(&self) -> bool {
        self.stop_at == Some(Tick::NEVER)
    }

    /// How long the loop may wait before something is due.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timeout_from(self.clock.read())
    }

    /// How long the loop may wait from `instant` on before something is due.
    fn timeout_from(&self, instant: Duration) -> Option<Duration> {
        if !self.again.is_empty() || !self.expired.is_empty() || self.service.has_calls() {
            return Some(Duration::ZERO);
        }
        let next = self
            .deadlines
            .next()
            .min(self.stop_at.unwrap_or(Tick::NEVER))
            .min(self.ebb.due());
        (next != Tick::NEVER).then(|| next.elapsed().saturating_sub(instant))
    }

    /// Runs turns until a stop was asked for and everything is over. Calls `turned` behind each.
    pub(crate) fn run(&mut self, mut turned: impl FnMut(&Self)) -> io::Result<()> {
        while !self.is_finished() {
            self.poll_once(None)?;
            self.ebb();
            turned(self);
        }
        events::stop_ended(self.is_cut());
        Ok(())
    }

    /// Stops accepting, lets what is begun finish, and closes the rest when [`Limits::stop_timeout`] has passed.
    /// A second call closes everything at once.
    pub(crate) fn stop(&mut self) {
        if self.is_cut() {
            return;
        }
        events::stop_begun(self.live, self.stop_at.is_some());
        if self.stop_at.is_some() {
            self.stop_at = Some(self.shared.now);
            return;
        }
        self.shared.stopping = true;
        self.service.stop_begun();
        self.stop_at = Some(self.shared.now.after(self.shared.timeouts.stop));
        for listener in std::mem::take(&mut self.listeners) {
            self.driver.stop_listening(listener);
            self.closing.push(listener);
        }
        self.give_up_connecting();
        for token in self.tokens() {
            self.with_connection(token, |connection, service, dispatch| {
                connection.call(dispatch, |state, io| service.stopping(state, io));
            });
        }
    }

    /// Ends whatever the kernel still works on for us. Call it last.
    pub(crate) fn teardown(&mut self) -> io::Result<()> {
        self.driver.teardown(Duration::from_secs(5))
    }

    fn tokens(&mut self) -> Vec<Token> {
        let taken = self.table.iter_mut().filter_map(|(index, entry)| {
            entry.as_ref().map(|entry| Token {
                index,
                generation: entry.generation,
            })
        });
        taken.collect()
    }
}

impl<D: Driver, S: Service> Drop for Reactor<D, S> {
    fn drop(&mut self) {
        // Threads that wait for room in the mailbox must not wait for ever.
        self.mailbox.close();
    }
}
