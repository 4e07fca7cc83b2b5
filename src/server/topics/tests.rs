//! Passes, cursors and homes, without a server.

use std::sync::Arc;

use super::{Entry, Locals};
use crate::driver::Token;
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
    let mut locals = Locals::default();
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
fn nobody_gets_what_was_before_it() {
    let topic: Arc<str> = "t".into();
    let mut locals = Locals::default();
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
            let mut locals = Locals::default();
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
    let mut locals = Locals::default();
    locals.welcome(&topic, token(0), 0);
    locals.add(entry(&topic, 1));
    locals.leave(&topic, token(0));
    assert_eq!(drain(&mut locals), []);
    locals.add(entry(&topic, 2));
    assert!(!locals.has_work());
    assert_eq!(&*entry(&topic, 7).frame, b"\x81\x017");
}
