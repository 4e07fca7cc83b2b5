//! The feed, shared by all workers, and the thread that makes its events.
//!
//! Answers and wakes go through workers' mailboxes, which may be full for a moment; a worker that waited for the lock
//! could not empty its own. So they are sent when the lock is free again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{hash, io};

use longshore::trace::Trace;
use longshore::ws::Kind;
use longshore::{Publisher, Ticket, Wake};

use super::answers::listed;
use super::desk::{Desk, Turn, Waiting};
use super::log::{Event, Since};
use super::told::{self, Client};

/// The topic that every WebSocket of the feed subscribes to.
pub(super) const TOPIC: &str = "feed";

/// How the feed runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// From one event to the next.
    pub(super) interval: Duration,
    /// How long a long poll waits.
    pub(super) wait: Duration,
    /// Long polls that wait, event streams and WebSockets.
    pub(super) listeners_max: usize,
}

/// The feed. All clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Tells this life of the server from the one before a restart.
    name: String,
    publisher: Publisher,
    /// Its lock is the feed's order.
    desk: Mutex<Desk<Ticket, Wake>>,
    changed: Condvar,
}

impl Feed {
    /// A feed without events, and the thread that will make them, whose calls are shown in `trace`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(crate) fn open(
        settings: Settings,
        publisher: Publisher,
        trace: Option<Trace>,
    ) -> io::Result<Self> {
        // The hasher of a new map has random keys.
        let name = hash::BuildHasher::hash_one(&hash::RandomState::new(), TOPIC);
        let feed = Self {
            shared: Arc::new(Shared {
                name: format!("{name:016x}"),
                publisher,
                desk: Mutex::new(Desk::new(settings)),
                changed: Condvar::new(),
            }),
        };
        let ticker = feed.clone();
        std::thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || {
                // What it says wakes workers, by calls of its own.
                let _watched = trace.as_ref().map(Trace::watch_thread);
                ticker.run();
            })?;
        Ok(feed)
    }

    /// Ends everything that waits: long polls are answered, streams end behind their last event. WebSockets are the
    /// server's to close.
    pub(crate) fn close(&self) {
        let mut desk = self.lock();
        let last = desk.log.last();
        let (waiting, wakes) = desk.close();
        drop(desk);
        self.shared.changed.notify_one();
        self.answer(waiting, &nothing_since(last));
        wakes.iter().for_each(Wake::wake);
    }

    /// The name of this life of the server.
    pub(super) fn name(&self) -> &str {
        &self.shared.name
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Desk<Ticket, Wake>> {
        // An event is kept by one assignment, behind everything that can fail.
        let desk = self.shared.desk.lock();
        desk.unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the ticker, if the desk said so.
    pub(super) fn wake_if(&self, must_wake: bool) {
        if must_wake {
            self.shared.changed.notify_one();
        }
    }

    fn run(&self) {
        let mut desk = self.lock();
        while !desk.closed {
            let turn = desk.turn(Instant::now(), unix_us(), |event| self.publish(event));
            let until = turn.until;
            if !turn.is_silent() {
                drop(desk);
                self.say(turn);
                desk = self.lock();
                // Meanwhile somebody may have come.
                continue;
            }
            let changed = &self.shared.changed;
            desk = match until {
                None => changed.wait(desk).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let longest = until.saturating_duration_since(Instant::now());
                    let waited = changed.wait_timeout(desk, longest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn say(&self, turn: Turn<Ticket, Wake>) {
        let since = Since {
            events: turn.event.into_iter().collect(),
            ..nothing_since(turn.last)
        };
        self.answer(turn.answered, &since);
        self.answer(turn.expired, &nothing_since(turn.last));
        turn.wake.iter().for_each(Wake::wake);
    }

    fn answer(&self, waiting: Vec<Waiting<Ticket>>, since: &Since) {
        for one in waiting {
            let client = Client {
                feed: self.name(),
                request_bytes: one.request_bytes,
            };
            one.ticket.answer(listed(told::list(client, since)));
        }
    }

    fn publish(&self, event: &Event) -> bool {
        let publisher = &self.shared.publisher;
        let json = event.json.as_bytes();
        publisher.publish(TOPIC, Kind::Text, json).is_ok()
    }
}

/// A WebSocket of the feed: what it was asked with, and its place among those who listen.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(super) feed: Feed,
    pub(super) after: u64,
    pub(super) request_bytes: u64,
    pub(super) is_counted: bool,
}

impl Listening {
    pub(super) fn new(feed: &Feed, after: u64, request_bytes: u64) -> Self {
        Self {
            feed: feed.clone(),
            after,
            request_bytes,
            is_counted: false,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.is_counted {
            self.feed.lock().remove_socket();
        }
    }
}

fn nothing_since(last: u64) -> Since {
    Since {
        last,
        ..Since::default()
    }
}

/// Microseconds since 1970: milliseconds, as JavaScript counts them, would be longer than many of the ways that are
/// measured. They fit into a double, which is what JavaScript makes of them.
fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock that is set before 1970 is no reason to fail.
    since.map_or(0, |since| since.as_micros() as u64)
}
