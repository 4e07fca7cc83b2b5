//! The subscribers of one topic on one worker, and the entries that some of them have not got yet.
//!
//! ```text
//!   log        17  18  19  20           numbers rise, and may have gaps
//!   cursors    a: 20   b: 17   c: 21    the number of the next entry of each
//!   pass       a ─▶ b ─▶ c              in the order of their places
//! ```
//!
//! A cursor keeps its place: so whoever leaves in the middle of a pass moves nobody to where the pass has been. It does not
//! know the topic's name, nor the other topics.

use std::collections::{VecDeque, vec_deque};
use std::num::NonZeroU64;
use std::sync::Arc;

use super::Entry;
use crate::buf::Places;
use crate::driver::Token;

/// The most entries that a subscriber is given in one call, and the most bytes of them, unless one is larger: so that a
/// turn's calls are bounded work, and a slow peer is noticed between them.
const PORTION_ENTRIES_MAX: usize = 64;
const PORTION_BYTES_MAX: usize = 64 * 1024;

/// A subscriber of a topic.
#[derive(Clone, Copy, Debug)]
struct Subscriber {
    token: Token,
    /// The number of the next entry that it gets, from one.
    next: NonZeroU64,
}

const _: () = assert!(
    size_of::<Option<Subscriber>>() <= 16,
    "a million subscribers have one each"
);

/// A topic's subscribers, and what they have not got.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    /// Oldest first; numbers rise, and may have gaps.
    log: VecDeque<Arc<Entry>>,
    /// Bytes of the log.
    bytes: usize,
    /// Entries below this number were given up since the last whole pass, and are not counted yet for everybody. 0: none.
    given_up: u64,
    subscribers: Places<Subscriber>,
    /// Who is called next: the first subscriber from this place on.
    pass: u32,
    /// Entries below this number are everybody's when the pass is over.
    target: u64,
    /// Whether a pass is under way.
    in_pass: bool,
    /// Somebody came to where the pass had been, and missed something.
    passed_over: bool,
}

impl Cursors {
    /// Whether nobody subscribes.
    pub(super) fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    /// Bytes of the entries that somebody has not got yet.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is something to deliver, or to count.
    pub(super) fn has_pass(&self) -> bool {
        self.in_pass
    }

    /// Takes in a subscriber who gets what comes behind `number`, and says where its cursor is.
    pub(super) fn add(&mut self, token: Token, number: u64) -> u32 {
        let next = NonZeroU64::MIN.saturating_add(number);
        let place = self.subscribers.put(Subscriber { token, next });
        self.passed_over |= self.in_pass && place < self.pass && next.get() < self.target;
        place
    }

    /// Lets a subscriber go. Behind the last one nothing is kept: says how many bytes that were.
    pub(super) fn remove(&mut self, place: u32) -> usize {
        let subscriber = self.subscribers.take(place);
        debug_assert!(subscriber.is_some(), "whoever was welcomed leaves once");
        if self.subscribers.is_empty() {
            std::mem::take(self).bytes
        } else {
            0
        }
    }

    /// Adds an entry. Begins a pass, if none is under way.
    pub(super) fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.bytes();
        self.log.push_back(entry);
        if !self.in_pass {
            self.begin_pass();
        }
    }

    /// Gives up the oldest entries, until the log has at most `level` bytes, or `least` entries. Says how many bytes that
    /// were.
    pub(super) fn cut(&mut self, level: usize, least: usize) -> usize {
        let before = self.bytes;
        while self.bytes > level && self.log.len() > least {
            let Some(oldest) = self.log.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes();
            self.given_up = oldest.number + 1;
        }
        before - self.bytes
    }

    /// Whom the pass comes to next; `None` at its end.
    pub(super) fn next(&mut self, missed: &mut Vec<Arc<Entry>>, lost: &mut u64) -> Option<Token> {
        while let Some((place, &Subscriber { token, next })) = self.subscribers.next_from(self.pass)
        {
            let next = next.get();
            let known = self.log.partition_point(|entry| entry.number < next);
            missed.extend(self.portion(known).cloned());
            // If nothing is left for it, what there was when the pass began has been given up.
            let behind = missed.last().map_or(self.target, |last| last.number + 1);
            if behind > next {
                *lost += behind - next - missed.len() as u64;
                if let Some(subscriber) = self.subscribers.at_mut(place) {
                    subscriber.next = subscriber.next.saturating_add(behind - next);
                }
            }
            self.pass = place + 1;
            if !missed.is_empty() {
                return Some(token);
            }
        }
        None
    }

    /// Forgets what everybody has got, and says how many bytes that were. Begins the next pass, if there is more.
    pub(super) fn end_pass(&mut self) -> usize {
        // Somebody who was passed over is called in the next pass.
        let bytes = if self.passed_over {
            0
        } else {
            self.forget_everybodys()
        };
        self.begin_pass();
        bytes
    }

    fn forget_everybodys(&mut self) -> usize {
        if self.given_up <= self.target {
            self.given_up = 0;
        }
        let everybodys = self.log.partition_point(|entry| entry.number < self.target);
        let gone = self.log.drain(..everybodys);
        let bytes = gone.map(|entry| entry.bytes()).sum();
        self.bytes -= bytes;
        if self.log.is_empty() {
            self.log.shrink_to(PORTION_ENTRIES_MAX);
        }
        bytes
    }

    /// Begins a pass, if there is anything to deliver, or to count.
    fn begin_pass(&mut self) {
        self.in_pass = !self.log.is_empty() || self.given_up > 0;
        self.passed_over = false;
        self.pass = 0;
        // Whoever begins further on gets no less far with a portion.
        self.target = match self.portion(0).last() {
            Some(last) => last.number + 1,
            None => self.given_up,
        };
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
}
