//! One worker's subscribers, and how far each has come.
//!
//! ```text
//!   log        17  18  19  20           entries that somebody here has not got yet
//!   cursors    a: 20   b: 17   c: 21    the number of the next entry of each
//!   pass       a ─▶ b ─▶ c              one subscriber at a time gets the next 64 entries or 64 KiB
//! ```
//!
//! When a pass is over, everybody has got at least the first portion of what was there when it began, and that goes. The
//! rest and what came meanwhile begin the next pass. Topics with a pass under way take turns, one subscriber each: a topic
//! that is never quiet holds up no other.
//!
//! Entries may be missing, if somebody published faster than this worker could deliver. A cursor sees that in the numbers,
//! and it is counted. Here the longest logs give up their oldest entries:
//!
//! ```text
//!   loud   ████████│██████        level ── all logs together within 7/8 of what may wait
//!   quiet  ██      │              what is shorter than the level keeps everything
//! ```
//!
//! It knows no sockets: it says whom to call, and what that one has missed.

use std::collections::{HashMap, VecDeque, vec_deque};
use std::sync::Arc;

use super::{Entry, WAITING_BYTES_MAX};
use crate::driver::Token;

/// The most entries that a subscriber is given in one call, and the most bytes of them, unless one is larger: so that a
/// turn's calls are bounded work, and a slow peer is noticed between them.
const PORTION_ENTRIES_MAX: usize = 64;
const PORTION_BYTES_MAX: usize = 64 * 1024;

/// What the logs are cut to when they have grown beyond the most that may wait: looking through them costs as much as
/// there are topics, so it shall not happen for each message.
const KEPT_BYTES_MAX: usize = WAITING_BYTES_MAX - WAITING_BYTES_MAX / 8;

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
    /// Bytes of the log.
    bytes: usize,
    /// Entries below this number were given up since the last whole pass, and are not counted yet for everybody. 0: none.
    given_up: u64,
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
            self.bytes -= local.bytes;
        }
        true
    }

    /// A message for the subscribers here.
    pub(in crate::server) fn add(&mut self, entry: Arc<Entry>) {
        let topic = entry.topic.clone();
        let Some(local) = self.topics.get_mut(&topic) else {
            return;
        };
        let bytes = entry.bytes();
        self.bytes += bytes;
        local.bytes += bytes;
        local.log.push_back(entry);
        if !local.in_pass && local.begin_pass() {
            self.busy.push_back(topic.clone());
        }
        if self.bytes > WAITING_BYTES_MAX {
            self.give_up(&topic);
        }
    }

    /// Cuts the longest logs to one length, all but the entry that was just added to `fresh`.
    fn give_up(&mut self, fresh: &Arc<str>) {
        let sizes = self.topics.values().map(|local| local.bytes);
        let level = level(sizes.collect(), KEPT_BYTES_MAX);
        for (topic, local) in &mut self.topics {
            let least = usize::from(topic == fresh);
            while local.bytes > level && local.log.len() > least {
                self.bytes -= local.give_up_oldest();
            }
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
    /// Begins a pass, if there is anything to deliver, or to count.
    fn begin_pass(&mut self) -> bool {
        self.in_pass = !self.log.is_empty() || self.given_up > 0;
        self.passed_over = false;
        self.pass = 0;
        // Whoever begins further on gets no less far with a portion.
        self.target = match self.portion(0).last() {
            Some(last) => last.number + 1,
            None => self.given_up,
        };
        self.in_pass
    }

    /// What is given in one call to a subscriber who has got everything in front of place `known`.
    fn portion(&self, known: usize) -> vec_deque::Iter<'_, Arc<Entry>> {
        let mut bytes = 0;
        let fits = |entry: &&Arc<Entry>| {
            let first = bytes == 0;
            bytes += entry.frame_bytes();
            first || bytes <= PORTION_BYTES_MAX
        };
        let behind = self.log.range(known..).take(PORTION_ENTRIES_MAX);
        let count = behind.take_while(fits).count();
        self.log.range(known..known + count)
    }

    /// Gives up the oldest entry, and says how many bytes that were.
    fn give_up_oldest(&mut self) -> usize {
        let Some(oldest) = self.log.pop_front() else {
            return 0;
        };
        self.bytes -= oldest.bytes();
        self.given_up = oldest.number + 1;
        oldest.bytes()
    }

    /// Whom the pass comes to next; `None` at its end.
    fn next(&mut self, missed: &mut Vec<Arc<Entry>>, lost: &mut u64) -> Option<Token> {
        while let Some(&Subscriber { token, next }) = self.subscribers.get(self.pass) {
            let known = self.log.partition_point(|entry| entry.number < next);
            missed.extend(self.portion(known).cloned());
            // If nothing is left for it, what there was when the pass began has been given up.
            let behind = missed.last().map_or(self.target, |last| last.number + 1);
            if behind > next {
                *lost += behind - next - missed.len() as u64;
                self.subscribers[self.pass].next = behind;
            }
            self.pass += 1;
            if !missed.is_empty() {
                return Some(token);
            }
        }
        None
    }

    /// Forgets what everybody has got, and says how many bytes that were.
    fn end_pass(&mut self) -> usize {
        // Somebody who was passed over is called in the next pass.
        if self.passed_over {
            return 0;
        }
        if self.given_up <= self.target {
            self.given_up = 0;
        }
        let everybodys = self.log.partition_point(|entry| entry.number < self.target);
        let gone = self.log.drain(..everybodys);
        let bytes = gone.map(|entry| entry.bytes()).sum();
        self.bytes -= bytes;
        bytes
    }
}

/// The length to which the longest of logs of these `sizes` are cut, so that all together keep `bytes_max`.
fn level(mut sizes: Vec<usize>, bytes_max: usize) -> usize {
    sizes.sort_unstable();
    let (mut rest, mut logs) = (bytes_max, sizes.len());
    for size in sizes {
        let share = rest / logs;
        if size > share {
            return share;
        }
        rest -= size;
        logs -= 1;
    }
    usize::MAX
}
