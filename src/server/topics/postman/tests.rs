//! What waits for one worker, without workers.

use super::*;
use crate::server::topics::{Entry, RECORD_BYTES};
use crate::ws::Kind;

fn entry(number: u64, bytes: usize) -> News {
    let payload = vec![b'x'; bytes];
    let entry = Entry::new("t".into(), number, Kind::Text, &payload, None);
    News::Entry(Arc::new(entry))
}

fn leave() -> News {
    let topic = "t".into();
    News::Leave { topic, worker: 0 }
}

#[test]
fn places_of_what_was_given_up_are_given_back() {
    let mut waiting = Waiting::default();
    for number in 1..=1000 {
        waiting.push(To::Worker, entry(number, 1 << 20));
        assert!(waiting.news.len() <= 64, "{number}");
        assert!(waiting.bytes <= WAITING_BYTES_MAX);
    }
}

#[test]
fn so_are_those_behind_news_that_stay() {
    let mut waiting = Waiting::default();
    let mut leaves = 0;
    for number in 1..=1000 {
        if number % 100 == 1 {
            waiting.push(To::Worker, leave());
            leaves += 1;
        }
        waiting.push(To::Worker, entry(number, 1 << 20));
        let full = waiting.news.len() - waiting.empty;
        assert!(full <= 64 + leaves && waiting.empty <= full, "{number}");
    }
    // Everything that stays is still there, in order.
    let (mut left, mut last) = (0, 0);
    while let Some((to, news)) = waiting.pop() {
        match &news {
            News::Entry(entry) => {
                assert!(entry.number > last);
                last = entry.number;
            }
            _ => left += 1,
        }
        // Put back and taken again, as when a box is full.
        waiting.put_back(to, news);
        assert!(waiting.pop().is_some());
    }
    assert_eq!((left, last), (leaves, 1000));
    assert_eq!(
        (waiting.bytes, waiting.empty, waiting.news.len()),
        (0, 0, 0)
    );
}

#[test]
fn empty_messages_are_bounded_too() {
    let mut waiting = Waiting::default();
    for number in 1..=400_000 {
        waiting.push(To::Worker, entry(number, 0));
    }
    assert!(waiting.news.len() * RECORD_BYTES <= WAITING_BYTES_MAX);
}
