//! One worker's subscribers, and how far each has come.
//!
//! ```text
//!   log        17  18  19  20           entries that somebody here has not got yet
//!   cursors    a: 20   b: 17   c: 21    the number of the next entry of each
//!   pass       a ─▶ b ─▶ c              one subscriber at a time gets everything up to the end of the log
//! ```
//!
//! When a pass is over, everybody has got what was there when it began, and that goes. What came meanwhile begins the
//! next pass. Topics with a pass under way take turns, one subscriber each: a topic that is never quiet holds up no other.
//!
//! Entries may be missing, if somebody published faster than this worker could deliver. A cursor sees that in the numbers,
//! and it is counted. It knows no sockets: it says whom to call, and what that one has missed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Entry, WAITING_BYTES_MAX};
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
    /// Oldest first; numbers rise, and may have gaps.
    log: VecDeque<Arc<Entry>>,
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
    /// Bytes of all logs.
    bytes: usize,
    /// How often a subscriber has missed an entry since somebody asked.
    lost: u64,
}

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
        if local.subscribers.is_empty()
            && let Some(local) = self.topics.remove(topic)
        {
            self.bytes -= local.log.iter().map(|entry| entry.bytes()).sum::<usize>();
        }
        true
    }

    /// A message for the subscribers here.
    pub(in crate::server) fn add(&mut self, entry: Arc<Entry>) {
        let topic = entry.topic.clone();
        let Some(local) = self.topics.get_mut(&topic) else {
            return;
        };
        let fresh = entry.bytes();
        self.bytes += fresh;
        local.log.push_back(entry);
        while self.bytes > WAITING_BYTES_MAX.max(fresh)
            && let Some(oldest) = local.log.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
        if !local.in_pass && local.begin_pass() {
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
        while let Some(topic) = self.busy.pop_front() {
            let Some(local) = self.topics.get_mut(&topic) else {
                continue;
            };
            let token = local.next(missed, &mut self.lost);
            if token.is_none() {
                self.bytes -= local.end_pass();
            }
            // With a pass that is still under way, or the next one that has begun, it waits for its next turn.
            if token.is_some() || local.begin_pass() {
                self.busy.push_back(topic);
            }
            if token.is_some() {
                return token;
            }
        }
        None
    }

    /// How often a subscriber has missed an entry since this was last asked.
    pub(in crate::server) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
impl Locals {
    /// Whether nobody subscribes here, and nothing is kept.
    pub(in crate::server) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.bytes == 0
    }

    /// Bytes of all logs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Local {
    /// Begins a pass, if there is anything to deliver.
    fn begin_pass(&mut self) -> bool {
        self.in_pass = !self.log.is_empty();
        self.passed_over = false;
        self.pass = 0;
        self.target = self.log.back().map_or(0, |entry| entry.number + 1);
        self.in_pass
    }

    /// Whom the pass comes to next; `None` at its end.
    fn next(&mut self, missed: &mut Vec<Arc<Entry>>, lost: &mut u64) -> Option<Token> {
        while let Some(subscriber) = self.subscribers.get_mut(self.pass) {
            self.pass += 1;
            let known = self
                .log
                .partition_point(|entry| entry.number < subscriber.next);
            missed.extend(self.log.range(known..).cloned());
            if let Some(last) = missed.last() {
                let behind = last.number + 1;
                *lost += behind - subscriber.next - missed.len() as u64;
                subscriber.next = behind;
                return Some(subscriber.token);
            }
        }
        None
    }

    /// Forgets what everybody has got, and says how many bytes that were.
    fn end_pass(&mut self) -> usize {
        // Somebody who was passed over is called in the next pass.
        let everybodys = if self.passed_over {
            0
        } else {
            self.log.partition_point(|entry| entry.number < self.target)
        };
        self.log
            .drain(..everybodys)
            .map(|entry| entry.bytes())
            .sum()
    }
}
