//! The feed's parts, each without a socket and a clock.

use std::time::{Duration, Instant};

use super::asked::{after, last_event};
use super::desk::{Desk, Turn};
use super::log::{HISTORY_MAX, Log};
use super::pages::address;
use super::ticker::Settings;
use super::told::{self, Client};

const INTERVAL: Duration = Duration::from_millis(500);
const WAIT: Duration = Duration::from_secs(25);
const CLIENT: Client<'_> = Client {
    feed: "0123456789abcdef",
    request_bytes: 78,
};

fn filled(events: u64) -> Log {
    let mut log = Log::default();
    for at_us in 1..=events {
        let event = log.next(at_us);
        log.keep(event);
    }
    log
}

fn ids(log: &Log, after: u64) -> (u64, Vec<u64>) {
    let since = log.since(after, HISTORY_MAX);
    assert_eq!(since.last, log.last());
    let ids = since.events.iter().map(|event| event.id);
    (since.missed, ids.collect())
}

#[test]
fn the_log_gives_what_is_newer_and_counts_what_is_not_kept() {
    assert_eq!(ids(&Log::default(), 0), (0, vec![]));
    assert_eq!(ids(&Log::default(), 9), (0, vec![]));
    let log = filled(3);
    assert_eq!(ids(&log, 0), (0, vec![1, 2, 3]));
    assert_eq!(ids(&log, 2), (0, vec![3]));
    assert_eq!(ids(&log, 3), (0, vec![]));
    assert_eq!(ids(&log, 4), (0, vec![1, 2, 3]), "of another life");
    assert_eq!(ids(&log, u64::MAX), (0, vec![1, 2, 3]));

    let kept = HISTORY_MAX as u64;
    let log = filled(kept + 10);
    assert_eq!(ids(&log, 0), (10, (11..=kept + 10).collect()));
    assert_eq!(ids(&log, 9), (1, (11..=kept + 10).collect()));
    assert_eq!(ids(&log, 10), (0, (11..=kept + 10).collect()));
    assert_eq!(ids(&log, 11), (0, (12..=kept + 10).collect()));
    assert_eq!(log.since(20, 2).events[1].id, 22, "in steps");
}

#[test]
fn a_number_is_digits_alone_and_given_once() {
    for (query, number) in [
        ("", 0),
        ("after=0", 0),
        ("after=17", 17),
        ("after=0017", 17),
        ("_=1&after=17&x", 17),
        ("afters=x&before=y&Ater=z", 0),
        ("after=18446744073709551615", u64::MAX),
        ("after=%31", 1),
        ("after=%34%30", 40),
        ("after%3d1", 0),
        ("%61fter=1%32&%78=%", 12),
    ] {
        assert_eq!(after(query.as_bytes()), Ok(number), "{query}");
    }
    for query in [
        "after",
        "after=",
        "after=x",
        "after=-1",
        "after=+1",
        "after= 1",
        "after=1.0",
        "after=0x1",
        "after=%2531",
        "after=%3",
        "after=%",
        "after=%2b1",
        "after=1&a%66ter=1",
        "after=1=1",
        "after=18446744073709551616",
        "after=1&after=1",
        "after=1&after",
        "after=\u{661}",
    ] {
        assert_eq!(after(query.as_bytes()), Err(()), "{query}");
    }
    assert_eq!(after(b"after=\xff"), Err(()));
}

#[test]
fn a_stream_goes_on_behind_what_its_client_had_last() {
    let last_event = |fields: &[&'static str], query: &str| {
        last_event(fields.iter().map(|id| id.as_bytes()), query.as_bytes())
    };
    assert_eq!(last_event(&[], "after=3"), Ok(3));
    assert_eq!(last_event(&["7"], "after=3"), Ok(7));
    assert_eq!(last_event(&[""], "after=3"), Ok(3));
    assert_eq!(last_event(&["7"], "after=x"), Ok(7), "what counts is good");
    assert_eq!(last_event(&["x"], "after=3"), Err(()));
    assert_eq!(last_event(&["7", "8"], "after=3"), Err(()));
    assert_eq!(last_event(&["7", "7"], ""), Err(()), "as with `after`");
    assert_eq!(last_event(&["", "7"], ""), Err(()));
}

#[test]
fn the_page_names_its_own_host_unless_that_would_be_markup_or_the_shells() {
    for host in ["127.0.0.1:8080", "[::1]:80", "a-b.example"] {
        assert_eq!(address(Some(host.as_bytes())), host);
    }
    for host in ["", "a'b", "a<b", "a&b", "a;b", "$(a)", "a b", "\u{e9}"] {
        assert_eq!(address(Some(host.as_bytes())), "HOST", "{host}");
    }
    assert_eq!(address(None), "HOST");
}

/// A desk whose tickets and streams are numbers, and its clock.
struct Rig {
    desk: Desk<u32, u32>,
    start: Instant,
    /// Whether events can be published.
    published: bool,
}

impl Rig {
    fn new(listeners_max: usize) -> Self {
        let settings = Settings {
            interval: INTERVAL,
            wait: WAIT,
            listeners_max,
        };
        Self {
            desk: Desk::new(settings),
            start: Instant::now(),
            published: true,
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn turn(&mut self, ms: u64) -> Turn<u32, u32> {
        let (now, published) = (self.at(ms), self.published);
        self.desk.turn(now, ms * 1000, |_| published)
    }

    /// The time of the next turn.
    fn next(&mut self, ms: u64) -> Option<u64> {
        let until = self.turn(ms).until?;
        Some(until.duration_since(self.start).as_millis() as u64)
    }
}

#[test]
fn events_happen_while_somebody_listens_and_for_ten_seconds_more() {
    let mut rig = Rig::new(9);
    assert_eq!(rig.next(0), None, "nobody listens");
    assert!(rig.desk.hear(rig.at(1000)), "the ticker sleeps");
    assert_eq!(rig.next(1000), Some(1500));
    assert!(!rig.desk.hear(rig.at(1000)), "it does not any more");
    for ms in (1500..11_000).step_by(500) {
        assert_eq!(rig.next(ms), Some(ms + 500));
    }
    assert_eq!(rig.desk.log.last(), 19);
    assert_eq!(rig.next(11_000), None, "its time is over");
    assert_eq!(rig.desk.log.last(), 19);
    assert!(rig.desk.hear(rig.at(90_000)));
    assert_eq!(rig.next(90_000), Some(90_500), "a whole interval again");
    // The machine slept: one event, and then in a new step.
    let number = rig.desk.add_stream(1);
    assert_eq!(rig.next(95_000), Some(95_500));
    assert_eq!(rig.desk.log.last(), 20);
    assert_eq!(rig.next(120_000), Some(120_500), "streams listen always");
    rig.desk.remove_stream(number);
    assert_eq!(rig.next(120_500), None);
}

#[test]
fn an_event_answers_all_who_wait_and_wakes_all_streams() {
    let mut rig = Rig::new(9);
    rig.desk.add_stream(7);
    for ticket in [1, 2] {
        let _ = rig.desk.wait(ticket, 78, rig.at(0));
    }
    assert_eq!(rig.next(0), Some(500));
    let turn = rig.turn(500);
    let event = turn.event.expect("it is due");
    assert_eq!(
        event.json,
        "{\"id\":1,\"at_us\":500000,\"text\":\"oranges from Valencia\"}"
    );
    let tickets: Vec<_> = turn.answered.iter().map(|one| one.ticket).collect();
    assert_eq!((tickets, turn.wake), (vec![1, 2], vec![7]));
    assert!(turn.expired.is_empty());
    assert!(rig.turn(1000).answered.is_empty(), "answered once");
}

#[test]
fn what_cannot_be_published_does_not_happen() {
    let mut rig = Rig::new(9);
    let _ = rig.desk.wait(1, 78, rig.at(0));
    rig.turn(0);
    rig.published = false;
    let turn = rig.turn(500);
    assert!(turn.is_silent() && rig.desk.log.last() == 0);
    rig.published = true;
    let turn = rig.turn(1000);
    assert_eq!((turn.answered.len(), turn.last), (1, 1));
}

#[test]
fn long_polls_end_and_quiet_streams_say_that_they_live() {
    let mut rig = Rig::new(9);
    rig.published = false;
    rig.desk.add_stream(7);
    assert_eq!(rig.next(0), Some(500));
    // The ticker looks before that: no need to wake it.
    assert!(!rig.desk.wait(1, 78, rig.at(400)));
    for ms in (500..15_000).step_by(500) {
        assert!(rig.turn(ms).is_silent(), "{ms}");
    }
    assert_eq!(rig.desk.beats, 0);
    assert_eq!(rig.turn(15_000).wake, [7]);
    assert_eq!(rig.desk.beats, 1);
    assert_eq!(rig.next(25_000), Some(25_400), "the end of the long poll");
    let turn = rig.turn(25_400);
    assert_eq!((turn.expired.len(), turn.answered.len()), (1, 0));
    assert_eq!(turn.expired[0].ticket, 1);
}

#[test]
fn places_are_counted_together_and_those_of_the_gone_are_free() {
    let mut rig = Rig::new(3);
    let nobody = |_: &u32| false;
    let _ = rig.desk.wait(1, 78, rig.at(0));
    let number = rig.desk.add_stream(7);
    assert!(rig.desk.has_room(nobody));
    rig.desk.add_socket();
    assert!(!rig.desk.has_room(nobody));
    rig.desk.remove_stream(number);
    assert!(rig.desk.has_room(nobody));
    rig.desk.add_stream(8);
    assert!(!rig.desk.has_room(nobody));
    assert!(
        rig.desk.has_room(|ticket| *ticket == 1),
        "its client has gone"
    );
    let _ = rig.desk.wait(2, 78, rig.at(0));
    assert!(!rig.desk.has_room(nobody));
    rig.desk.remove_socket();
    assert!(rig.desk.has_room(nobody));
    let (waiting, streams) = rig.desk.close();
    assert_eq!((waiting.len(), streams), (1, vec![8]));
    assert!(!rig.desk.has_room(nobody), "it is closed");
}

#[test]
fn what_is_told_is_json_and_one_event_has_one_form() {
    let log = filled(2);
    let list = told::list(CLIENT, &log.since(0, HISTORY_MAX));
    let value: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(value["events"][1]["id"], 2);
    let state = told::state(CLIENT, 2, 0);
    assert_eq!(
        state,
        "{\"feed\":\"0123456789abcdef\",\"last\":2,\"missed\":0,\"request_bytes\":78}"
    );
    assert!(list.starts_with(state.trim_end_matches('}')));
    let mut stream = Vec::new();
    told::stream_begins(&mut stream);
    told::stream_state(&mut stream, CLIENT, 2, 0);
    for event in &log.since(0, HISTORY_MAX).events {
        assert!(list.contains(&event.json));
        told::stream_event(&mut stream, event);
    }
    told::stream_alive(&mut stream);
    let stream = String::from_utf8(stream).expect("text");
    let blocks: Vec<_> = stream.split_terminator("\n\n").collect();
    assert_eq!(blocks[1], format!("event: feed\ndata: {state}"));
    assert_eq!(
        blocks[3],
        "id: 2\ndata: {\"id\":2,\"at_us\":2,\"text\":\"timber from Riga\"}"
    );
    assert_eq!((blocks[0], blocks[4]), ("retry: 1000", ": alive"));
}
