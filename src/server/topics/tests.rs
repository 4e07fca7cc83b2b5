//! Passes, cursors and homes, without a server.

mod burst;
mod crowd;
mod full;
mod membership;
mod model;
mod rig;

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{Entry, Homes, Hub, Locals, Postman, RECORD_BYTES, Subscription, WAITING_BYTES_MAX};
use crate::driver::Token;
use crate::limits::Limits;
use crate::ws::Kind;

fn token(index: u32) -> Token {
    Token {
        index,
        generation: 1,
    }
}

fn entry(topic: &Arc<str>, number: u64) -> Arc<Entry> {
    let text = number.to_string();
    Arc::new(Entry::new(
        topic.clone(),
        number,
        Kind::Text,
        text.as_bytes(),
        None,
    ))
}

/// One worker's subscribers, and what their connections know of their subscriptions.
#[derive(Default)]
struct Seated {
    locals: Locals,
    subscriptions: HashMap<(Arc<str>, Token), Subscription>,
}

impl Seated {
    /// A connection subscribes and is welcomed. False if it is there already.
    fn welcome(&mut self, topic: &Arc<str>, token: Token, number: u64) -> bool {
        let key = (topic.clone(), token);
        if self.subscriptions.contains_key(&key) {
            return false;
        }
        let topic = self.locals.await_welcome(topic);
        let standing = self.locals.welcome(topic, token, number);
        let standing = standing.expect("it waits");
        let subscription = Subscription { topic, standing };
        self.subscriptions.insert(key, subscription);
        true
    }

    /// A connection leaves. False if it was not there.
    fn leave(&mut self, topic: &Arc<str>, token: Token) -> bool {
        let subscription = self.subscriptions.remove(&(topic.clone(), token));
        subscription.map(|left| self.locals.leave(left)).is_some()
    }
}

impl Deref for Seated {
    type Target = Locals;
    fn deref(&self) -> &Locals {
        &self.locals
    }
}

impl DerefMut for Seated {
    fn deref_mut(&mut self) -> &mut Locals {
        &mut self.locals
    }
}

/// Makes one call and says who got which numbers.
fn call(locals: &mut Locals) -> Option<(u32, Vec<u64>)> {
    let mut missed = Vec::new();
    let token = locals.next(&mut missed)?;
    Some((
        token.index,
        missed.iter().map(|entry| entry.number).collect(),
    ))
}

fn drain(locals: &mut Locals) -> Vec<(u32, Vec<u64>)> {
    std::iter::from_fn(|| call(locals)).collect()
}

#[test]
fn a_pass_gives_everybody_what_it_missed() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    for index in 0..3 {
        assert!(locals.welcome(&topic, token(index), 0));
    }
    assert!(!locals.welcome(&topic, token(1), 0), "it is there");
    locals.add(entry(&topic, 1));
    locals.add(entry(&topic, 2));
    assert_eq!(call(&mut locals), Some((0, vec![1, 2])));
    // What comes during a pass is got by those behind, and by the others in the next pass.
    locals.add(entry(&topic, 3));
    assert_eq!(
        drain(&mut locals),
        [(1, vec![1, 2, 3]), (2, vec![1, 2, 3]), (0, vec![3])]
    );
    assert!(!locals.has_work());
    locals.add(entry(&topic, 4));
    assert_eq!(drain(&mut locals).len(), 3);
}

#[test]
fn who_comes_to_where_the_pass_has_been_misses_nothing() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    for index in 0..3 {
        locals.welcome(&topic, token(index), 0);
    }
    locals.add(entry(&topic, 1));
    assert_eq!(call(&mut locals), Some((0, vec![1])));
    locals.leave(&topic, token(0));
    // It takes the place that was left. A home welcomes behind what it has sent, so it says 1; another number costs more
    // memory for a pass, and nobody a message.
    locals.welcome(&topic, token(3), 0);
    assert_eq!(
        drain(&mut locals),
        [(1, vec![1]), (2, vec![1]), (3, vec![1])]
    );
    assert_eq!((locals.bytes(), locals.take_lost()), (0, 0));
}

#[test]
fn who_waits_for_a_welcome_gets_nothing_and_keeps_nothing() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    let number = locals.await_welcome(&topic);
    locals.add(entry(&topic, 1));
    assert!(!locals.has_work() && locals.bytes() == 0);
    // The last one who was welcomed leaves in the middle of a pass: the log goes, the topic stays.
    locals.welcome(&topic, token(0), 1);
    locals.add(entry(&topic, 2));
    locals.leave(&topic, token(0));
    assert_eq!(locals.bytes(), 0);
    assert_eq!(drain(&mut locals), []);
    assert!(locals.locals.welcome(number, token(1), 2).is_some());
    assert!(locals.locals.welcome(number, token(1), 2).is_none(), "once");
    locals.add(entry(&topic, 3));
    assert_eq!(drain(&mut locals), [(1, vec![3])]);
}

#[test]
fn a_topic_that_is_left_while_it_is_queued_keeps_its_number_till_then() {
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    let mut locals = Seated::default();
    locals.welcome(&one, token(0), 0);
    let first = locals.number(&one).expect("it is there");
    locals.add(entry(&one, 1));
    locals.leave(&one, token(0));
    assert_eq!(locals.number(&one), None);
    locals.welcome(&other, token(1), 0);
    assert_ne!(locals.number(&other), Some(first));
    locals.add(entry(&other, 1));
    assert_eq!(drain(&mut locals), [(1, vec![1])]);
    locals.welcome(&one, token(0), 1);
    assert_eq!(locals.number(&one), Some(first), "and is used again");
}

#[test]
fn many_topics_that_were_left_leave_no_memory_behind() {
    let topics: Vec<Arc<str>> = (0..20_000)
        .map(|number| number.to_string().into())
        .collect();
    let mut locals = Seated::default();
    for topic in &topics {
        locals.welcome(topic, token(0), 0);
    }
    assert!(locals.names_room() >= 20_000);
    for topic in &topics {
        assert!(locals.leave(topic, token(0)));
    }
    assert!(locals.is_empty());
    assert!(locals.names_room() <= 4096);
}

#[test]
fn nobody_gets_what_was_before_it() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    locals.welcome(&topic, token(0), 0);
    locals.add(entry(&topic, 1));
    locals.welcome(&topic, token(1), 1);
    locals.add(entry(&topic, 2));
    assert_eq!(drain(&mut locals), [(0, vec![1, 2]), (1, vec![2])]);
}

#[test]
fn leaving_in_the_middle_of_a_pass_costs_nobody_else_a_message() {
    for leaving in 0..5 {
        for calls in 0..5 {
            let topic: Arc<str> = "t".into();
            let mut locals = Seated::default();
            for index in 0..5 {
                locals.welcome(&topic, token(index), 0);
            }
            locals.add(entry(&topic, 1));
            let mut got: Vec<u32> = (0..calls)
                .filter_map(|_| call(&mut locals))
                .map(|(index, _)| index)
                .collect();
            assert!(locals.leave(&topic, token(leaving)));
            assert!(!locals.leave(&topic, token(leaving)));
            locals.add(entry(&topic, 2));
            let mut second = Vec::new();
            for (index, numbers) in drain(&mut locals) {
                if numbers.contains(&1) {
                    got.push(index);
                }
                if numbers.contains(&2) {
                    second.push(index);
                }
            }
            got.retain(|index| *index != leaving);
            got.sort_unstable();
            second.sort_unstable();
            let rest: Vec<u32> = (0..5).filter(|index| *index != leaving).collect();
            assert_eq!(got, rest, "{leaving} left after {calls} calls");
            assert_eq!(second, rest, "{leaving} left after {calls} calls");
        }
    }
}

#[test]
fn a_topic_without_subscribers_is_no_work() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    locals.welcome(&topic, token(0), 0);
    locals.add(entry(&topic, 1));
    locals.leave(&topic, token(0));
    assert_eq!(drain(&mut locals), []);
    locals.add(entry(&topic, 2));
    assert!(!locals.has_work());
    assert!(locals.is_empty());
}

#[test]
fn a_topic_that_is_never_quiet_holds_up_no_other() {
    let (loud, quiet): (Arc<str>, Arc<str>) = ("loud".into(), "quiet".into());
    let mut locals = Seated::default();
    for index in 0..100 {
        locals.welcome(&loud, token(index), 0);
    }
    locals.welcome(&quiet, token(100), 0);
    locals.add(entry(&loud, 1));
    locals.add(entry(&quiet, 1));
    let mut number = 1;
    let heard = (0..10).find_map(|_| {
        number += 1;
        locals.add(entry(&loud, number));
        call(&mut locals).filter(|(index, _)| *index == 100)
    });
    assert_eq!(heard, Some((100, vec![1])));
}

#[test]
fn a_gap_is_seen_and_nothing_behind_it_is_missed() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    locals.welcome(&topic, token(0), 10);
    locals.welcome(&topic, token(1), 13);
    // 12 and 15 were given up on their way.
    for number in [11, 13, 14, 16] {
        locals.add(entry(&topic, number));
    }
    assert_eq!(
        drain(&mut locals),
        [(0, vec![11, 13, 14, 16]), (1, vec![14, 16])]
    );
    assert_eq!(locals.take_lost(), 3, "12 and 15 for one, 15 for the other");
    locals.add(entry(&topic, 17));
    assert_eq!(drain(&mut locals).len(), 2);
    assert_eq!(locals.take_lost(), 0);
}

fn large(topic: &Arc<str>, number: u64, bytes: usize) -> Arc<Entry> {
    let payload = vec![0; bytes];
    let topic = topic.clone();
    Arc::new(Entry::new(topic, number, Kind::Binary, &payload, None))
}

#[test]
fn a_call_gives_a_portion_and_others_come_between() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    for index in 0..3 {
        locals.welcome(&topic, token(index), 0);
    }
    for number in 1..=1000 {
        locals.add(entry(&topic, number));
    }
    let calls = drain(&mut locals);
    assert!(calls.iter().all(|(_, numbers)| numbers.len() <= 64));
    assert!(calls.windows(2).all(|two| two[0].0 != two[1].0));
    for index in 0..3 {
        let mine = calls.iter().filter(|(called, _)| *called == index);
        let numbers = mine.flat_map(|(_, numbers)| numbers.iter().copied());
        assert!(numbers.eq(1..=1000), "{index}");
    }
    for number in 1001..=1010 {
        locals.add(large(&topic, number, 30_000));
    }
    locals.add(large(&topic, 1011, 100_000));
    let calls = drain(&mut locals);
    assert_eq!(calls.len(), 3 * 6, "two at a time, and one alone");
    assert_eq!((locals.take_lost(), locals.bytes()), (0, 0));
}

#[test]
fn a_flood_takes_nothing_from_a_quiet_topic() {
    let (loud, quiet): (Arc<str>, Arc<str>) = ("loud".into(), "quiet".into());
    for flood_first in [true, false] {
        let mut locals = Seated::default();
        locals.welcome(&loud, token(0), 0);
        locals.welcome(&quiet, token(1), 0);
        let say = |locals: &mut Seated| locals.add(large(&quiet, 1, 2000));
        if !flood_first {
            say(&mut locals);
        }
        for number in 1..=200 {
            locals.add(large(&loud, number, 1 << 20));
        }
        if flood_first {
            say(&mut locals);
        }
        let calls = drain(&mut locals);
        assert!(calls.contains(&(1, vec![1])), "{calls:?}");
        assert_eq!(locals.take_lost() + calls.len() as u64 - 1, 200);
    }
}

#[test]
fn a_loss_is_counted_also_when_nothing_comes_behind_it() {
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    let mut locals = Seated::default();
    for index in 0..3 {
        locals.welcome(&one, token(index), 0);
    }
    locals.welcome(&other, token(3), 0);
    locals.add(large(&one, 1, 40 << 20));
    assert_eq!(call(&mut locals), Some((0, vec![1])));
    locals.add(large(&other, 1, 30 << 20));
    assert_eq!(drain(&mut locals), [(3, vec![1])]);
    assert_eq!(locals.take_lost(), 2, "one had got it");
    assert!(!locals.has_work() && locals.bytes() == 0);
    locals.add(large(&one, 2, 10));
    assert_eq!(drain(&mut locals).len(), 3);
    assert_eq!(locals.take_lost(), 0, "counted once");
}

#[test]
fn empty_messages_are_bounded_too() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    locals.welcome(&topic, token(0), 0);
    for number in 1..=1_000_000 {
        locals.add(large(&topic, number, 0));
    }
    assert!(locals.bytes() <= WAITING_BYTES_MAX);
    let got: usize = drain(&mut locals).iter().map(|call| call.1.len()).sum();
    assert!(got <= WAITING_BYTES_MAX / RECORD_BYTES);
    assert_eq!(locals.take_lost(), 1_000_000 - got as u64);
}

#[test]
fn invented_names_do_not_keep_histories_for_ever() {
    let limits = Limits {
        topic_history_max: 1,
        topic_history_bytes_max: 1000,
        ..Limits::default()
    };
    let mut homes = Homes::new(1, &limits);
    let mut postman = Postman::new(Hub::new(1));
    let mut publish = |homes: &mut Homes, name: &str, bytes: usize| {
        let payload = vec![0; bytes];
        homes.publish(&name.into(), Kind::Binary, &payload, None, &mut postman);
        homes.len()
    };
    assert_eq!(publish(&mut homes, "longer than a history", 1001), 0);
    for number in 0..65_536 {
        publish(&mut homes, &number.to_string(), 0);
    }
    assert_eq!(publish(&mut homes, "one more", 0), 65_536);
    // What no longer keeps any makes room for another.
    assert_eq!(publish(&mut homes, "7", 1001), 65_535);
    assert_eq!(publish(&mut homes, "one more", 0), 65_536);
}

#[test]
fn logs_are_bounded_and_what_is_given_up_is_counted() {
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    let mut locals = Seated::default();
    locals.welcome(&one, token(0), 0);
    locals.welcome(&other, token(1), 0);
    locals.add(large(&other, 1, 1000));
    for number in 1..=100 {
        locals.add(large(&one, number, 1 << 20));
        assert!(locals.bytes() <= WAITING_BYTES_MAX, "all topics together");
    }
    let delivered = drain(&mut locals);
    assert!(delivered.contains(&(1, vec![1])));
    let ones = delivered.iter().filter(|(index, _)| *index == 0);
    let numbers: Vec<u64> = ones.flat_map(|(_, numbers)| numbers.clone()).collect();
    assert_eq!(numbers.last(), Some(&100), "the oldest are given up");
    assert_eq!(locals.take_lost(), 100 - numbers.len() as u64);
    assert_eq!(locals.bytes(), 0);
    // One message may be larger than that, and the topic lives on.
    locals.add(large(&one, 101, WAITING_BYTES_MAX + 1));
    assert_eq!(drain(&mut locals), [(0, vec![101])]);
    locals.add(large(&one, 102, 10));
    assert_eq!(drain(&mut locals), [(0, vec![102])]);
    assert_eq!(locals.take_lost(), 0);
}

#[test]
fn a_hundred_thousand_are_called_one_by_one() {
    let topic: Arc<str> = "t".into();
    let mut locals = Seated::default();
    for index in 0..100_000 {
        locals.welcome(&topic, token(index), 0);
    }
    let mut got = vec![Vec::new(); 100_000];
    for number in 1..=3 {
        locals.add(entry(&topic, number));
        // In the middle of the pass the next message comes, and some leave.
        for _ in 0..50_000 {
            let (index, numbers) = call(&mut locals).expect("more are there");
            got[index as usize].extend(numbers);
        }
        locals.leave(&topic, token(number as u32 * 30_000));
    }
    for (index, numbers) in drain(&mut locals) {
        got[index as usize].extend(numbers);
    }
    for (index, numbers) in got.iter().enumerate() {
        let left = [30_000, 60_000, 90_000].contains(&index);
        assert!(left || *numbers == [1, 2, 3], "{index}: {numbers:?}");
    }
    assert_eq!(locals.take_lost(), 0);
}
