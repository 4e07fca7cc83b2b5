//! Who listens, and what is due when. It reads no clock and answers nobody: a turn says what has to be said to whom, and
//! the ticker says it.
//!
//! ```text
//!   somebody listens ──▶ an event each interval ──▶ all waiting tickets, all streams
//!          │                      │ a ticket's time is over ──▶ this ticket
//!          │                      └ 15 s without an event ────▶ all streams: still here
//!          └─ nobody since 10 s ──▶ sleep
//! ```
//!
//! Numbers stay where they are while nobody listens: the next one who does hears of the next event.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::{Event, Log};
use super::ticker::Settings;

/// How long somebody who asked counts as listening: pollers ask again.
const HEARD: Duration = Duration::from_secs(10);

/// Without an event, streams say that they are alive. Less than what firewalls and proxies usually allow.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A long poll that waits. It has everything there is so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waiting<T> {
    pub(super) ticket: T,
    pub(super) request_bytes: u64,
    until: Instant,
}

/// What is to be said, by whoever does not hold the lock any more.
#[derive(Debug)]
pub(super) struct Turn<T, W> {
    /// The number of the last event of all.
    pub(super) last: u64,
    /// A new event, for those who have waited.
    pub(super) event: Option<Arc<Event>>,
    pub(super) answered: Vec<Waiting<T>>,
    /// Their time is over, and there is nothing new.
    pub(super) expired: Vec<Waiting<T>>,
    /// Streams that have something to say.
    pub(super) wake: Vec<W>,
    /// When the next turn is due. `None`: when somebody listens again.
    pub(super) until: Option<Instant>,
}

impl<T, W> Turn<T, W> {
    /// Whether nobody is to be told anything.
    pub(super) fn is_silent(&self) -> bool {
        self.answered.is_empty() && self.expired.is_empty() && self.wake.is_empty()
    }
}

/// The feed's state. `T` answers a long poll, `W` wakes a stream.
#[derive(Debug)]
pub(super) struct Desk<T, W> {
    settings: Settings,
    pub(super) log: Log,
    /// In the order of their ends, because all of them wait equally long.
    waiting: VecDeque<Waiting<T>>,
    streams: HashMap<u64, W>,
    streams_ever: u64,
    sockets: usize,
    heard_until: Option<Instant>,
    event_at: Option<Instant>,
    beat_at: Option<Instant>,
    /// How often streams had to say that they are alive.
    pub(super) beats: u64,
    pub(super) closed: bool,
    /// When the ticker looks again by itself; `None`: not at all.
    looks_at: Option<Instant>,
}

impl<T, W: Clone> Desk<T, W> {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            log: Log::default(),
            waiting: VecDeque::new(),
            streams: HashMap::new(),
            streams_ever: 0,
            sockets: 0,
            heard_until: None,
            event_at: None,
            beat_at: None,
            beats: 0,
            closed: false,
            looks_at: None,
        }
    }

    /// Whether one more may listen. Places of long polls whose clients have gone are free.
    pub(super) fn has_room(&mut self, has_gone: impl Fn(&T) -> bool) -> bool {
        let is_full = |desk: &Self| {
            let listeners = desk.waiting.len() + desk.streams.len() + desk.sockets;
            listeners >= desk.settings.listeners_max
        };
        if is_full(self) {
            self.waiting.retain(|waiting| !has_gone(&waiting.ticket));
        }
        !self.closed && !is_full(self)
    }

    /// Somebody has asked. True if the ticker must be woken.
    #[must_use]
    pub(super) fn hear(&mut self, now: Instant) -> bool {
        self.heard_until = Some(now + HEARD);
        self.looks_at.is_none()
    }

    /// A long poll waits for what comes. True if the ticker must be woken.
    #[must_use]
    pub(super) fn wait(&mut self, ticket: T, request_bytes: u64, now: Instant) -> bool {
        let until = now + self.settings.wait;
        self.waiting.push_back(Waiting {
            ticket,
            request_bytes,
            until,
        });
        self.looks_at.is_none_or(|looks_at| until < looks_at)
    }

    /// A stream begins; gives its number.
    pub(super) fn add_stream(&mut self, wake: W) -> u64 {
        self.streams_ever += 1;
        self.streams.insert(self.streams_ever, wake);
        self.streams_ever
    }

    pub(super) fn remove_stream(&mut self, number: u64) {
        self.streams.remove(&number);
    }

    pub(super) fn add_socket(&mut self) {
        self.sockets += 1;
    }

    pub(super) fn remove_socket(&mut self) {
        self.sockets -= 1;
    }

    /// What is due. `publish` tells an event to the WebSockets, and says whether it could: an event that not everybody
    /// would hear does not happen.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        at_us: u64,
        publish: impl FnOnce(&Event) -> bool,
    ) -> Turn<T, W> {
        let mut turn = Turn {
            last: self.log.last(),
            event: None,
            answered: Vec::new(),
            expired: Vec::new(),
            wake: Vec::new(),
            until: None,
        };
        if !self.is_heard(now) {
            (self.event_at, self.beat_at, self.looks_at) = (None, None, None);
            return turn;
        }
        let event_at = *self.event_at.get_or_insert(now + self.settings.interval);
        if event_at <= now {
            self.happen(&mut turn, at_us, publish);
            // In step; but what a stopped machine has slept through does not come all at once.
            let next = event_at + self.settings.interval;
            self.event_at = Some(if next > now {
                next
            } else {
                now + self.settings.interval
            });
        }
        while self.waiting.front().is_some_and(|one| one.until <= now) {
            turn.expired.extend(self.waiting.pop_front());
        }
        if turn.event.is_some() {
            self.beat_at = None;
        }
        if *self.beat_at.get_or_insert(now + HEARTBEAT) <= now {
            self.beats += 1;
            self.beat_at = Some(now + HEARTBEAT);
            turn.wake = self.wakes();
        }
        let times = [
            self.event_at,
            self.beat_at,
            self.waiting.front().map(|one| one.until),
        ];
        turn.until = times.into_iter().flatten().min();
        self.looks_at = turn.until;
        turn
    }

    fn happen(&mut self, turn: &mut Turn<T, W>, at_us: u64, publish: impl FnOnce(&Event) -> bool) {
        let event = self.log.next(at_us);
        if publish(&event) {
            self.log.keep(event.clone());
            turn.last = event.id;
            turn.event = Some(event);
            turn.answered.extend(self.waiting.drain(..));
            turn.wake = self.wakes();
        }
    }

    /// Nothing happens any more: gives everybody who waits, and every stream.
    pub(super) fn close(&mut self) -> (Vec<Waiting<T>>, Vec<W>) {
        self.closed = true;
        (self.waiting.drain(..).collect(), self.wakes())
    }

    fn wakes(&self) -> Vec<W> {
        self.streams.values().cloned().collect()
    }

    fn is_heard(&self, now: Instant) -> bool {
        let listeners = self.waiting.len() + self.streams.len() + self.sockets;
        listeners > 0 || self.heard_until.is_some_and(|until| until > now)
    }
}
