//! The events: their numbers, and the last of them.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

/// How many events are kept for those who come later, or come back.
pub(super) const HISTORY_MAX: usize = 256;

/// What is unloaded, in turn: the events have to tell something.
const CARGO: [&str; 8] = [
    "tea from Colombo",
    "oranges from Valencia",
    "timber from Riga",
    "wool from Dunedin",
    "cocoa from São Tomé",
    "coffee from Santos",
    "silk from Hangzhou",
    "letters from home",
];

/// One event. It is encoded once, for everybody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// From 1, without a gap.
    pub(super) id: u64,
    pub(super) json: String,
}

#[derive(Serialize)]
struct Members<'e> {
    id: u64,
    at_us: u64,
    text: &'e str,
}

impl Event {
    fn new(id: u64, at_us: u64) -> Self {
        let text = CARGO[(id % CARGO.len() as u64) as usize];
        let json = serde_json::to_string(&Members { id, at_us, text });
        Self {
            id,
            json: json.expect("its keys are text, and nothing in it can fail"),
        }
    }
}

/// What came behind a number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The number of the last event of all.
    pub(super) last: u64,
    /// How many events of these are not kept any more.
    pub(super) missed: u64,
    /// In order, the first of them right behind what was missed.
    pub(super) events: Vec<Arc<Event>>,
}

/// The events, from the first to the last, as far as they are kept.
#[derive(Debug, Default)]
pub(super) struct Log {
    last: u64,
    kept: VecDeque<Arc<Event>>,
}

impl Log {
    /// The number of the last event; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The event that would be next, if it happened at this time.
    pub(super) fn next(&self, at_us: u64) -> Arc<Event> {
        Arc::new(Event::new(self.last + 1, at_us))
    }

    /// Keeps an event, which has the next number.
    pub(super) fn keep(&mut self, event: Arc<Event>) {
        debug_assert_eq!(event.id, self.last + 1, "numbers have no gap");
        self.last = event.id;
        if self.kept.len() == HISTORY_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(event);
    }

    /// What came behind `after`, `events_max` events at most. A number that was never reached is one of another life of
    /// the server, so nothing of this one is known.
    pub(super) fn since(&self, after: u64, events_max: usize) -> Since {
        let after = if after > self.last { 0 } else { after };
        let first_kept = self.last + 1 - self.kept.len() as u64;
        let missed = first_kept.saturating_sub(after + 1);
        let skipped = (after + 1).saturating_sub(first_kept) as usize;
        let fresh = self.kept.iter().skip(skipped).take(events_max);
        Since {
            last: self.last,
            missed,
            events: fresh.cloned().collect(),
        }
    }
}
