//! One worker's subscribers, and how far each has come.
//!
//! ```text
//!   log        17  18  19  20           entries that somebody here has not got yet
//!   cursors    a: 20   b: 17   c: 21    the number of the next entry of each
//!   pass       a ─▶ b ─▶ c              one subscriber at a time gets everything up to the end of the log
//! ```
//!
//! When a pass is over, everybody has got what was there when it began, and that goes. What came meanwhile begins the
//! next pass. It knows no sockets: it says whom to call, and what that one has missed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Entry;
use crate::driver::Token;

/// A subscriber of a topic.
#[derive(Clone, Copy, Debug)]
struct Subscriber {
    token: Token,
    /// The number of the next entry that it gets.
    next: u64,
}

/// A topic that has subscribers here.
#[derive(Debug, Default)]
struct Local {
    log: VecDeque<Arc<Entry>>,
    /// Bytes of it.
    bytes: usize,
    subscribers: Vec<Subscriber>,
    /// Where each connection's subscriber stands.
    places: HashMap<u32, usize>,
    /// The subscriber that is called next.
    pass: usize,
    /// Entries below this number are everybody's when the pass is over.
    target: u64,
    /// Whether a pass is under way.
    in_pass: bool,
    /// Somebody was moved behind the pass.
    passed_over: bool,
}

/// All topics that have subscribers here.
#[derive(Debug, Default)]
pub(in crate::server) struct Locals {
    topics: HashMap<Arc<str>, Local>,
    /// Topics with a pass under way.
    busy: VecDeque<Arc<str>>,
    /// How many entries were given up because they came faster than they could be delivered.
    lost: u64,
}

/// The most bytes of entries of one topic that wait for a pass. Beyond it the oldest are given up: somebody publishes
/// faster than this worker can deliver.
const LOG_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Locals {
    /// A connection gets what comes behind `number`. False if it is there already.
    pub(in crate::server) fn welcome(
        &mut self,
        topic: &Arc<str>,
        token: Token,
        number: u64,
    ) -> bool {
        let local = self.topics.entry(topic.clone()).or_default();
        if local.places.contains_key(&token.index) {
            return false;
        }
        let next = number + 1;
        local.places.insert(token.index, local.subscribers.len());
        local.subscribers.push(Subscriber { token, next });
        true
    }

    /// A connection leaves. False if it was not there.
    pub(in crate::server) fn leave(&mut self, topic: &Arc<str>, token: Token) -> bool {
        let Some(local) = self.topics.get_mut(topic) else {
            return false;
        };
        let Some(place) = local.places.remove(&token.index) else {
            return false;
        };
        local.subscribers.swap_remove(place);
        if let Some(moved) = local.subscribers.get(place) {
            local.places.insert(moved.token.index, place);
            local.passed_over |= place < local.pass;
        }
        if local.subscribers.is_empty() {
            self.topics.remove(topic);
        }
        true
    }

    /// A message for the subscribers here.
    pub(in crate::server) fn add(&mut self, entry: Arc<Entry>) {
        let topic = entry.topic.clone();
        let Some(local) = self.topics.get_mut(&topic) else {
            return;
        };
        local.bytes += entry.frame.len();
        local.log.push_back(entry);
        while local.bytes > LOG_BYTES_MAX
            && let Some(oldest) = local.log.pop_front()
        {
            local.bytes -= oldest.frame.len();
            self.lost += 1;
        }
        if !local.in_pass {
            local.begin_pass();
            self.busy.push_back(topic);
        }
    }

    /// Whether somebody has to be called.
    pub(in crate::server) fn has_work(&self) -> bool {
        !self.busy.is_empty()
    }

    /// The next subscriber that has missed something, and what.
    pub(in crate::server) fn next(&mut self, missed: &mut Vec<Arc<Entry>>) -> Option<Token> {
        debug_assert!(missed.is_empty());
        while let Some(topic) = self.busy.front() {
            let local = self.topics.get_mut(topic);
            let token = local.and_then(|local| local.next(missed));
            if token.is_some() {
                return token;
            }
            self.busy.pop_front();
        }
        None
    }
}

impl Local {
    fn begin_pass(&mut self) {
        self.in_pass = true;
        self.passed_over = false;
        self.pass = 0;
        self.target = self.log.back().map_or(0, |entry| entry.number + 1);
    }

    fn next(&mut self, missed: &mut Vec<Arc<Entry>>) -> Option<Token> {
        loop {
            while let Some(subscriber) = self.subscribers.get_mut(self.pass) {
                self.pass += 1;
                let first = self.log.front()?.number;
                let skip = subscriber.next.saturating_sub(first) as usize;
                missed.extend(self.log.iter().skip(skip).cloned());
                if let Some(last) = missed.last() {
                    subscriber.next = last.number + 1;
                    return Some(subscriber.token);
                }
            }
            if !self.passed_over {
                while self
                    .log
                    .front()
                    .is_some_and(|entry| entry.number < self.target)
                {
                    let oldest = self.log.pop_front();
                    self.bytes -= oldest.map_or(0, |entry| entry.frame.len());
                }
            }
            if self.log.is_empty() {
                self.in_pass = false;
                return None;
            }
            self.begin_pass();
        }
    }
}
