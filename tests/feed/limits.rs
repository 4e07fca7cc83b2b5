//! How many may listen, and for how long.

use std::time::Instant;

use longshore::client::{Error, Options, WebSocket};

use crate::client::{Events, Http, Socket, get, listed};
use crate::served::{PATIENCE, on_every_backend};

/// Nothing happens by itself: longer than any test.
const QUIET: [&str; 4] = ["--feed-interval", "60000", "--feed-wait", "60000"];

#[test]
fn one_event_answers_everybody_who_waits() {
    on_every_backend(&["--feed-interval", "400"], |server| {
        let port = server.port;
        let mut clients: Vec<Http> = (0..300).map(|_| Http::connect(port)).collect();
        for round in 1..=2 {
            for client in &mut clients {
                client.send("GET", &format!("/feed/long-poll?after={}", round - 1), "");
            }
            let first = listed(&clients[0].answer())[0].clone();
            for client in &mut clients[1..] {
                assert_eq!(listed(&client.answer())[0], first);
            }
        }
    });
}

#[test]
fn a_long_poll_that_waits_for_nothing_gets_an_empty_list() {
    on_every_backend(
        &["--feed-interval", "60000", "--feed-wait", "100"],
        |server| {
            let mut http = Http::connect(server.port);
            let polled = http.get("/feed/poll").json();
            // It waits, and so does what stands behind it on the same connection.
            http.send("GET", "/feed/long-poll", "");
            http.send("GET", "/plaintext", "");
            let waited = http.answer();
            assert!(listed(&waited).is_empty());
            assert_eq!(waited.json()["feed"], polled["feed"]);
            assert_eq!(http.answer().content, "Hello, World!");
            // HEAD waits for nothing.
            http.send("HEAD", "/feed/long-poll", "");
            let head = http.head();
            assert!(head.contains("\r\nContent-Length: "), "{head}");
        },
    );
}

#[test]
fn places_are_limited_and_free_again() {
    let options = [&QUIET[..], &["--feed-listeners-max", "3"]].concat();
    on_every_backend(&options, |server| {
        let port = server.port;
        let stream = Events::open(port, "", "");
        let mut waits = Http::connect(port);
        waits.send("GET", "/feed/long-poll", "");
        let mut socket = Socket::open(port, "");

        let mut http = until_full(port);
        for path in ["/feed/long-poll", "/feed/events"] {
            let answer = http.get(path);
            assert_eq!(answer.status(), "503", "{path}: {answer:?}");
            assert!(answer.head.contains("\r\nRetry-After: 1\r\n"), "{answer:?}");
        }
        let uri = format!("ws://127.0.0.1:{port}/feed/ws");
        let refused = WebSocket::connect(&uri, &Options::default());
        let Err(Error::Refused(refused)) = refused.map(drop) else {
            panic!("a fourth is let in")
        };
        assert_eq!(refused.status(), 503);
        assert_eq!(http.get("/feed/poll").status(), "200", "who does not wait");

        // Each of them leaves, and somebody else finds its place.
        drop(stream);
        let second = until_let_in(port);
        waits.reset();
        let third = until_let_in(port);
        socket.say("I am leaving");
        assert_eq!(socket.next(), Err(1008), "nobody listens here");
        let fourth = until_let_in(port);
        drop((second, third, fourth));
    });
}

/// A new connection, when all places are taken: the long poll may arrive late, since its connection may be the other
/// worker's.
fn until_full(port: u16) -> Http {
    until_answered(port, "503");
    Http::connect(port)
}

/// An event stream, as soon as there is a place for it.
fn until_let_in(port: u16) -> Http {
    until_answered(port, "200")
}

fn until_answered(port: u16, status: &str) -> Http {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let mut http = Http::connect(port);
        http.send("GET", "/feed/events", "");
        let head = http.head();
        assert!(["200", "503"].contains(&&head[9..12]), "{head}");
        if head[9..12] == *status {
            return http;
        }
    }
    panic!("never {status}");
}

#[test]
fn nothing_happens_while_nobody_listens() {
    on_every_backend(&["--feed-interval", "1000"], |server| {
        let port = server.port;
        // Nobody has asked yet, so there was nothing to tell: the first event comes behind the first question.
        let first = get(port, "/feed/poll").json();
        assert_eq!(
            (&first["last"], first["events"].as_array().map(Vec::len)),
            (&0.into(), Some(0))
        );
        assert_eq!(get(port, "/feed/long-poll").json()["events"][0]["id"], 1);
    });
}

#[test]
fn a_quiet_stream_says_that_it_lives() {
    // A comment is due behind 15 s.
    on_every_backend(&["--feed-interval", "16000"], |server| {
        let mut stream = Events::open(server.port, "", "");
        let (state, said) = stream.event();
        assert_eq!((state.is_some(), said.id.as_str()), (true, "1"));
        assert_eq!(stream.others, ["retry: 1000", ": alive"]);
    });
}
