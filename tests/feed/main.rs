//! The feed from outside: `longshore serve` with two workers, and clients over raw sockets, on every backend.
//!
//! What a browser makes of it is judged by `tests/feed/run`.
#![forbid(unsafe_code)]

mod client;
mod ends;
mod hostile;
mod limits;
#[path = "../served/mod.rs"]
mod served;

use std::collections::BTreeMap;
use std::thread;

use client::{Events, Http, Socket, get, id, listed};
use served::{Server, on_every_backend, with_every_backend};

/// Fast enough that a test need not wait.
const FAST: [&str; 2] = ["--feed-interval", "20"];

/// The events 1 to 12 by one way.
const TOLD: u64 = 12;

fn polled(port: u16, path: &str) -> Vec<String> {
    let (mut http, mut events, mut after) = (Http::connect(port), Vec::new(), 0);
    while after < TOLD {
        events.extend(listed(&http.get(&format!("{path}?after={after}"))));
        after = events.last().map_or(0, |event| id(event));
    }
    events
}

fn streamed(port: u16) -> Vec<String> {
    let mut stream = Events::open(port, "", "");
    let mut events = Vec::new();
    while events.len() < TOLD as usize {
        let (_, said) = stream.event();
        assert_eq!(said.id, id(&said.data).to_string());
        events.push(said.data);
    }
    assert_eq!(stream.others, ["retry: 1000"]);
    events
}

fn pushed(port: u16) -> Vec<String> {
    let mut socket = Socket::open(port, "");
    (0..TOLD).map(|_| socket.next().expect("open")).collect()
}

#[test]
fn all_four_tell_the_same_events() {
    on_every_backend(&FAST, |server| {
        let port = server.port;
        let ways: [(&str, Vec<String>); 6] = thread::scope(|scope| {
            let ways = [
                ("poll", scope.spawn(move || polled(port, "/feed/poll"))),
                (
                    "long-poll",
                    scope.spawn(move || polled(port, "/feed/long-poll")),
                ),
                ("events", scope.spawn(move || streamed(port))),
                // Both workers' subscribers.
                ("ws", scope.spawn(move || pushed(port))),
                ("ws again", scope.spawn(move || pushed(port))),
                ("ws once more", scope.spawn(move || pushed(port))),
            ];
            ways.map(|(name, way)| (name, way.join().expect("it ends")))
        });
        for (name, events) in &ways {
            let ids: Vec<u64> = events.iter().map(|event| id(event)).collect();
            assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "{name}");
            let (_, first) = &ways[0];
            let both = first.len().min(events.len());
            assert!(both >= TOLD as usize);
            assert_eq!(events[..both], first[..both], "{name}, byte for byte");
        }
        let times = ways[0].1.iter().map(|event| {
            let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
            event["at_us"].as_u64().expect("a time")
        });
        assert!(times.is_sorted());
    });
}

#[test]
fn who_comes_back_goes_on_behind_what_it_has() {
    on_every_backend(&FAST, |server| {
        let port = server.port;
        let mut seen = BTreeMap::new();
        for _ in 0..5 {
            let after = seen.keys().last().copied().unwrap_or(0);
            // The header counts, as a browser means it: it repeats the address of its first time.
            let field = format!("Last-Event-ID: {after}\r\n");
            let mut stream = Events::open(port, "?after=0", &field);
            for _ in 0..2 {
                let (state, said) = stream.event();
                assert!(state.is_none_or(|state| state["missed"] == 0));
                assert!(seen.insert(id(&said.data), said.data).is_none(), "twice");
            }
            let after = *seen.keys().last().expect("two at least");
            let mut socket = Socket::open(port, &format!("?after={after}"));
            for _ in 0..2 {
                let event = socket.next().expect("open");
                assert!(seen.insert(id(&event), event).is_none(), "twice");
            }
            let after = *seen.keys().last().expect("four at least");
            for event in listed(&get(port, &format!("/feed/long-poll?after={after}"))) {
                assert!(seen.insert(id(&event), event).is_none(), "twice");
            }
        }
        let numbers: Vec<u64> = seen.keys().copied().collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        // From far behind, everything since then comes, and then what is new.
        let (mut socket, mut stream) = (
            Socket::open(port, "?after=2"),
            Events::open(port, "?after=2", ""),
        );
        for (number, json) in seen.range(3..) {
            assert_eq!(socket.next().as_ref(), Ok(json), "{number}");
            assert_eq!(stream.event().1.data, *json, "{number}");
        }
        assert_eq!(id(&socket.next().expect("open")), numbers.len() as u64 + 1);
    });
}

#[test]
fn a_number_that_was_never_reached_counts_as_none() {
    on_every_backend(&FAST, |server| {
        let port = server.port;
        let first = listed(&get(port, "/feed/long-poll"));
        assert!(!first.is_empty());
        for after in ["1000000", "18446744073709551615"] {
            let query = format!("?after={after}");
            let polled = listed(&get(port, &format!("/feed/poll{query}")));
            assert_eq!(polled[0], first[0]);
            let waited = listed(&get(port, &format!("/feed/long-poll{query}")));
            assert_eq!(waited[0], first[0]);
            assert_eq!(Events::open(port, &query, "").event().1.data, first[0]);
            let mut socket = Socket::open(port, &query);
            assert_eq!(socket.next().as_ref(), Ok(&first[0]));
        }
    });
}

#[test]
fn who_has_fallen_behind_is_told_how_far() {
    on_every_backend(&["--feed-interval", "10"], |server| {
        let port = server.port;
        let mut http = Http::connect(port);
        let mut last = 0;
        while last < 300 {
            let list = http.get(&format!("/feed/long-poll?after={last}")).json();
            last = list["last"].as_u64().expect("a number");
        }
        let list = http.get("/feed/poll?after=10").json();
        let events = list["events"].as_array().expect("events");
        let first = events[0]["id"].as_u64().expect("a number");
        assert_eq!(events.len(), 256, "as many as are kept");
        assert_eq!(list["missed"], first - 11);
        assert!(first > 40, "{first}");

        let mut socket = Socket::open(port, "?after=10");
        let first = id(&socket.next().expect("open"));
        assert_eq!(socket.state["missed"], first - 11);

        let (state, said) = Events::open(port, "?after=10", "").event();
        assert_eq!(
            state.expect("it comes first")["missed"],
            id(&said.data) - 11
        );
    });
}

#[test]
fn a_restart_is_a_new_feed() {
    with_every_backend(|backend| {
        let server = Server::start(backend, 0, &FAST);
        let port = server.port;
        let before = get(port, "/feed/long-poll").json();
        let mut stream = Events::open(port, "", "");
        let (state, _) = stream.event();
        assert_eq!(state.expect("it comes first")["feed"], before["feed"]);
        assert_eq!(Socket::open(port, "").state["feed"], before["feed"]);
        server.stop();
        let server = Server::start(backend, port, &FAST);
        let after = get(port, "/feed/long-poll?after=900").json();
        assert_ne!(after["feed"], before["feed"]);
        assert_eq!(after["events"][0]["id"], 1);
        server.stop();
    });
}
