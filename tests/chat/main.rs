//! The chat room from outside: `longshore serve` with two workers, and clients over raw sockets, on every backend.
//!
//! What a browser makes of it is judged by `tests/chat/run`.
#![forbid(unsafe_code)]

mod client;
mod hostile;
mod presence;
#[path = "../served/mod.rs"]
mod served;

use std::thread;
use std::time::Duration;

use client::{Client, ask, handshake, numbers, text};
use serde_json::{Value, json};
use served::{Server, on_every_backend, with_every_backend};

#[test]
fn everybody_hears_everything_in_one_order() {
    on_every_backend(&[], |server| {
        let enter = |number| Client::enter(server.port, &format!("guest {number}")).0;
        let mut clients: Vec<Client> = (0..12).map(enter).collect();
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(move || {
                    for number in 0..4 {
                        client.say(&number.to_string(), &format!("{number} of {}", client.name));
                    }
                });
            }
        });
        let heard: Vec<Vec<Value>> = clients
            .iter_mut()
            .map(|client| (0..48).map(|_| client.next("said")).collect())
            .collect();
        assert_eq!(numbers(&heard[0]), (1..=48).collect::<Vec<_>>());
        for other in &heard {
            assert_eq!(*other, heard[0]);
        }
        // Everybody's own words are in the order in which they were said.
        for client in &clients {
            let own = heard[0].iter().filter(|said| said["from"] == *client.name);
            let ids: Vec<String> = own.map(|said| text(said, "id")).collect();
            assert_eq!(ids, ["0", "1", "2", "3"], "{}", client.name);
        }
        let (_late, history) = Client::enter(server.port, "late");
        let same = history.iter().zip(&heard[0]);
        assert_eq!(history.len(), 48);
        assert!(
            same.map(|(one, other)| (text(one, "text"), text(other, "text")))
                .all(|(a, b)| a == b)
        );
    });
}

#[test]
fn who_comes_back_has_missed_nothing_and_gets_nothing_twice() {
    on_every_backend(&[], |server| {
        let mut ada = Client::connect(server.port, "Ada");
        ada.send(&json!({"type": "hello", "name": "Ada", "key": ada.key}));
        let room = text(&ada.next("welcome"), "room");
        let mut heard: Vec<u64> = Vec::new();
        thread::scope(|scope| {
            for speaker in 0..10 {
                let port = server.port;
                scope.spawn(move || {
                    let (mut client, _) = Client::enter(port, &format!("speaker {speaker}"));
                    for number in 0..5 {
                        client.say(&number.to_string(), "on and on");
                        thread::sleep(Duration::from_millis(20));
                    }
                    // Until all of its own came back.
                    for _ in 0..5 {
                        while client.next("said")["from"] != *client.name {}
                    }
                });
            }
            while heard.len() < 50 {
                let since = heard.last().copied().unwrap_or(0);
                let (next, missed) = ada.again(server.port, &room, since);
                ada = next;
                heard.extend(numbers(&missed));
                if heard.len() < 50 {
                    heard.extend(numbers(&[ada.next("said")]));
                }
            }
        });
        assert_eq!(heard, (1..=50).collect::<Vec<_>>());
    });
}

#[test]
fn what_is_sent_again_is_said_once() {
    on_every_backend(&[], |server| {
        let (mut ada, _) = Client::enter(server.port, "Ada");
        let (mut bob, _) = Client::enter(server.port, "Bob");
        ada.say("one", "Did that arrive?");
        let first = ada.next("said");
        // The connection broke before she knew.
        let (mut again, history) = ada.again(server.port, "of another life", 0);
        assert_eq!(numbers(&history), [1]);
        again.say("one", "Did that arrive?");
        assert_eq!(again.next("said"), first);
        again.say("two", "It did.");
        bob.say("one", "The same id, but mine.");
        let heard = [bob.next("said"), bob.next("said"), bob.next("said")];
        assert_eq!(numbers(&heard), [1, 2, 3]);
    });
}

#[test]
fn text_is_data() {
    on_every_backend(&[], |server| {
        let (mut ada, _) = Client::enter(server.port, "<i>\"Ada\"\\</i>");
        let (mut bob, _) = Client::enter(server.port, "Bob");
        for (number, words) in [
            "<script>alert(1)</script>",
            "\"},{\"type\":\"welcome\"",
            "a\nb\tc \\ / \u{2028} 🦀",
            "\u{202e}backwards",
        ]
        .into_iter()
        .enumerate()
        {
            ada.say(&number.to_string(), words);
            let said = bob.next("said");
            assert_eq!(text(&said, "text"), words);
            assert_eq!(text(&said, "from"), "<i>\"Ada\"\\</i>");
        }
    });
}

#[test]
fn a_restart_is_a_new_room() {
    with_every_backend(|backend| {
        let server = Server::start(backend, 0, &[]);
        let port = server.port;
        let mut ada = Client::connect(port, "Ada");
        ada.send(&json!({"type": "hello", "name": "Ada", "key": ada.key}));
        let room = text(&ada.next("welcome"), "room");
        ada.say("1", "before");
        ada.next("said");
        server.stop();
        ada.rest();
        assert_eq!(ada.closed, Some(1001), "going away");

        let server = Server::start(backend, port, &[]);
        let (mut bob, history) = Client::enter(port, "Bob");
        assert!(history.is_empty(), "nothing is kept on disk");
        bob.say("1", "after");
        bob.next("said");
        let (_ada, history) = ada.again(port, &room, 100);
        assert_eq!(numbers(&history), [1], "100 was a number of another room");
        server.stop();
    });
}

#[test]
fn only_our_own_pages_may_open_it() {
    on_every_backend(&[], |server| {
        let port = server.port;
        for (origin, status) in [
            ("http://evil.example", "403"),
            ("null", "403"),
            (&format!("http://127.0.0.1:{}", port ^ 1), "403"),
            (&format!("http://127.0.0.1:{port}"), "101"),
        ] {
            let (_stream, head) = handshake(port, &format!("Origin: {origin}\r\n"));
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")),
                "{origin}: {head}"
            );
        }
        for (path, kind) in [
            ("/chat", "text/html; charset=utf-8"),
            ("/chat/chat.css", "text/css; charset=utf-8"),
            ("/chat/chat.js", "text/javascript; charset=utf-8"),
        ] {
            let (_stream, head) = ask(port, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            for expected in [
                "HTTP/1.1 200 OK\r\n",
                &format!("Content-Type: {kind}\r\n"),
                "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                 img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
                "X-Content-Type-Options: nosniff\r\n",
                "Referrer-Policy: no-referrer\r\n",
            ] {
                assert!(head.contains(expected), "{path}: {head}");
            }
        }
        let (_stream, head) = ask(port, "GET /chat/ws HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    });
}
