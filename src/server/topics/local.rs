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
//! A cursor is 16 bytes and keeps its place until its subscriber leaves, so a connection that subscribes to one topic
//! knows where its cursor is with eight bytes of its own. Topics are numbered here, names are looked up once.
//!
//! It knows no sockets: it says whom to call, and what that one has missed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::cursors::Cursors;
use super::own::{Standing, Subscription, TopicNumber};
use super::{Entry, WAITING_BYTES_MAX, give_back};
use crate::buf::Places;
use crate::driver::Token;

/// What the logs are cut to when they have grown beyond the most that may wait: looking through them costs as much as
/// there are topics, so it shall not happen for each message.
const KEPT_BYTES_MAX: usize = WAITING_BYTES_MAX - WAITING_BYTES_MAX / 8;

/// A topic that somebody here subscribes to.
#[derive(Debug)]
struct Local {
    name: Arc<str>,
    /// How many subscriptions wait for their welcome, as far as they are still wanted.
    awaited: u32,
    /// It is in the queue of topics that have something to deliver.
    queued: bool,
    cursors: Cursors,
}

impl Local {
    /// Whether nobody subscribes.
    fn is_over(&self) -> bool {
        self.awaited == 0 && self.cursors.is_empty()
    }
}

/// All topics that somebody here subscribes to.
#[derive(Debug, Default)]
pub(in crate::server) struct Locals {
    numbers: HashMap<Arc<str>, TopicNumber>,
    topics: Places<Local>,
    /// Topics with a pass under way, and those that were left meanwhile.
    busy: VecDeque<TopicNumber>,
    /// Bytes of all logs.
    bytes: usize,
    /// How often a subscriber has missed an entry since somebody asked.
    lost: u64,
}

impl Locals {
    /// The number of a topic that somebody here subscribes to.
    pub(in crate::server) fn number(&self, name: &str) -> Option<TopicNumber> {
        self.numbers.get(name).copied()
    }

    /// The name of a topic that somebody here subscribes to: one for all of them.
    pub(in crate::server) fn name(&self, number: TopicNumber) -> Option<&Arc<str>> {
        self.topics.at(number.place()).map(|local| &local.name)
    }

    /// A connection wants to subscribe; it gets nothing before it is welcomed.
    pub(in crate::server) fn await_welcome(&mut self, name: &Arc<str>) -> TopicNumber {
        let number = self.number(name).unwrap_or_else(|| {
            let number = TopicNumber::of(self.topics.put(Local {
                name: name.clone(),
                awaited: 0,
                queued: false,
                cursors: Cursors::default(),
            }));
            self.numbers.insert(name.clone(), number);
            number
        });
        if let Some(local) = self.topics.at_mut(number.place()) {
            local.awaited += 1;
        }
        number
    }

    /// A connection that waited for its welcome gets what comes behind `number`. `None` if nobody waits.
    pub(in crate::server) fn welcome(
        &mut self,
        topic: TopicNumber,
        token: Token,
        number: u64,
    ) -> Option<Standing> {
        let local = self.topics.at_mut(topic.place())?;
        local.awaited = local.awaited.checked_sub(1)?;
        Some(Standing::welcomed(local.cursors.add(token, number)))
    }

    /// A subscription is over.
    pub(in crate::server) fn leave(&mut self, subscription: Subscription) {
        let topic = subscription.topic;
        let Some(local) = self.topics.at_mut(topic.place()) else {
            return;
        };
        match subscription.standing.place() {
            Some(place) => self.bytes -= local.cursors.remove(place),
            None => local.awaited = local.awaited.saturating_sub(1),
        }
        if local.is_over() {
            self.numbers.remove(&local.name);
            give_back(&mut self.numbers);
            // The number stays its own as long as it is queued.
            if !local.queued {
                self.topics.take(topic.place());
            }
        }
    }

    /// A message for the subscribers here.
    pub(in crate::server) fn add(&mut self, entry: Arc<Entry>) {
        let Some(topic) = self.number(&entry.topic) else {
            return;
        };
        let Some(local) = self.topics.at_mut(topic.place()) else {
            return;
        };
        if local.cursors.is_empty() {
            return;
        }
        self.bytes += entry.bytes();
        local.cursors.push(entry);
        if !local.queued && local.cursors.has_pass() {
            local.queued = true;
            self.busy.push_back(topic);
        }
        if self.bytes > WAITING_BYTES_MAX {
            self.give_up(topic);
        }
    }

    /// Cuts the longest logs to one length, all but the entry that was just added to `fresh`.
    fn give_up(&mut self, fresh: TopicNumber) {
        let sizes = self.topics.iter().map(|local| local.cursors.bytes());
        let level = level(sizes.collect(), KEPT_BYTES_MAX);
        for (place, local) in self.topics.iter_mut() {
            let least = usize::from(place == fresh.place());
            self.bytes -= local.cursors.cut(level, least);
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
            let Some(local) = self.topics.at_mut(topic.place()) else {
                continue;
            };
            local.queued = false;
            if local.is_over() {
                self.topics.take(topic.place());
                continue;
            }
            let token = local.cursors.next(missed, &mut self.lost);
            if token.is_none() {
                self.bytes -= local.cursors.end_pass();
            }
            // With a pass that is still under way, or the next one that has begun, it waits for its next turn.
            if local.cursors.has_pass() {
                local.queued = true;
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
        self.topics.is_empty() && self.numbers.is_empty() && self.bytes == 0
    }

    /// For how many names there is room.
    pub(super) fn names_room(&self) -> usize {
        self.numbers.capacity()
    }

    /// Bytes of all logs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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
