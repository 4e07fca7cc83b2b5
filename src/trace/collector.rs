//! The one thread that takes events out of the queue and shows them.
//!
//! ```text
//!   queue ──▶ held back until nothing earlier can come ──▶ filter ──▶ every sink
//! ```
//!
//! Of calls nothing earlier comes once their threads say so ([`watermark`](super::watermark)). Packets are told by the
//! kernel when it pleases: [`Options::hold`] waits for them.
//!
//! It leaves all signals to the program's other threads, and makes no call that is traced.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::event::Connection;
use super::joins::Joins;
use super::{Event, Filter, Kind, Options, Shared, Sink, UNJOINED};
use crate::sys;

/// Signals beyond the real-time ones do not exist (signal(7)).
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

/// How soon the collector looks again whether a thread has told what it was about to.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A thread that keeps something for itself for so long, as one that is stopped behind its wait, holds up the others' no
/// longer.
const SPEAKS_MAX: Duration = Duration::from_secs(1);

/// Starts the thread. It has blocked every signal when this answers.
pub(super) fn start(
    shared: Arc<Shared>,
    sinks: Vec<Box<dyn Sink>>,
    options: Options,
) -> io::Result<JoinHandle<()>> {
    let (ready, is_ready) = mpsc::channel();
    let collect = move || {
        for signal in SIGNALS {
            // SIGKILL, SIGSTOP and those of the C library cannot be blocked.
            let _ = sys::block(&[signal]);
        }
        let _ = ready.send(());
        let close = ClosesQueue(shared.clone());
        Collector {
            sinks,
            filter: options.filter,
            hold: options.hold,
            held: BTreeMap::new(),
            newest: Duration::ZERO,
            count: 0,
            turns: HashMap::new(),
            joins: Joins::default(),
            failure: None,
        }
        .run(&shared);
        drop(close);
    };
    let thread = thread::Builder::new()
        .name("trace".to_owned())
        .spawn(collect)?;
    // Fails only if the thread has died already: then the queue is closed, and nobody waits for it.
    let _ = is_ready.recv();
    Ok(thread)
}

/// Lets the traced threads go on if a sink panics.
struct ClosesQueue(Arc<Shared>);

impl Drop for ClosesQueue {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

struct Collector {
    sinks: Vec<Box<dyn Sink>>,
    filter: Filter,
    hold: Duration,
    /// Events that something earlier may still precede, by time and order of arrival.
    held: BTreeMap<(Duration, u64), Event>,
    newest: Duration,
    count: u64,
    /// The last turn of each thread, while nothing of it was shown.
    turns: HashMap<i32, Event>,
    joins: Joins,
    /// The first error of a sink.
    failure: Option<io::Error>,
}

impl Collector {
    fn run(mut self, shared: &Shared) {
        loop {
            let patience = (!self.held.is_empty()).then_some(self.hold.max(LOOK_AGAIN));
            let Some(events) = shared.queue.take(patience) else {
                break;
            };
            let mut is_idle = events.is_empty();
            self.hold_back(events);
            // In this order: who is silent now, and told of something before, has put it into the queue.
            let now = shared.began.elapsed();
            let told = shared.watermarks.lowest().unwrap_or(now).min(now);
            let events = shared.queue.take_now();
            is_idle &= events.is_empty();
            self.hold_back(events);
            let told = told.max(now.saturating_sub(SPEAKS_MAX));
            // Nothing came for as long as anything may be late.
            let upto = if is_idle {
                told
            } else {
                told.min(self.newest.saturating_sub(self.hold))
            };
            self.show_held(upto);
            self.flush();
        }
        self.show_held(Duration::MAX);
        self.ask_each(|sink| sink.finish());
        if let Some(error) = self.failure {
            shared.fail(error);
        }
    }

    /// Puts events among the others.
    fn hold_back(&mut self, events: VecDeque<Event>) {
        for event in events {
            self.joins.see(&event);
            self.newest = self.newest.max(event.at);
            self.count += 1;
            self.held.insert((event.at, self.count), event);
        }
    }

    /// Asks every sink for something; one that fails is asked nothing more.
    fn ask_each(&mut self, mut ask: impl FnMut(&mut Box<dyn Sink>) -> io::Result<()>) {
        let failure = &mut self.failure;
        self.sinks.retain_mut(|sink| match ask(sink) {
            Ok(()) => true,
            Err(error) => {
                failure.get_or_insert(error);
                false
            }
        });
    }

    /// Shows what happened up to a time.
    fn show_held(&mut self, upto: Duration) {
        let later = self.held.split_off(&(upto, u64::MAX));
        for event in std::mem::replace(&mut self.held, later).into_values() {
            self.show(event);
        }
    }

    fn show(&mut self, mut event: Event) {
        if let Some(Connection { number, ends }) = &event.connection
            && *number == UNJOINED
        {
            event.connection = self.joins.between(ends);
        }
        let event = &event;
        if !self.filter.is_everything() {
            if matches!(event.kind, Kind::Turn { .. }) {
                self.turns.insert(event.thread.id, event.clone());
                return;
            }
            if !self.filter.shows(event) {
                return;
            }
            let turn = self.turns.remove(&event.thread.id);
            // What comes behind a ring's end belongs to no turn.
            if let Some(turn) = turn.filter(|turn| turn.turn == event.turn) {
                self.give(&turn);
            }
        }
        self.give(event);
    }

    fn give(&mut self, event: &Event) {
        self.ask_each(|sink| sink.event(event));
    }

    fn flush(&mut self) {
        self.ask_each(|sink| sink.flush());
    }
}
