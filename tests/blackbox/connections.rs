//! Requests one behind the other on a connection: their order, when it stays, and when it ends.
//!
//! ```text
//!   peer    A B C ──────────▶        ◀── replies to A, B, C, in this order, then nothing or the end
//! ```

use std::thread;
use std::time::Duration;

use crate::peer::{chunked, pattern, request, with_length};
use crate::server::{Counts, Server, on_each_backend, with_servers};

const MIB: usize = 1 << 20;

/// Requests of every shape, with what their replies must be.
fn mixture(count: usize) -> (Vec<u8>, Vec<(&'static str, u16, String)>) {
    let (mut requests, mut expected) = (Vec::new(), Vec::new());
    for index in 0..count {
        let name = format!("cargo {index}");
        let (request, reply) = match index % 7 {
            0 => (
                request("GET", "/plaintext").into_bytes(),
                ("GET", 200, "Hello, World!".into()),
            ),
            1 => (
                with_length("POST", "/echo", name.as_bytes()),
                ("POST", 200, name),
            ),
            2 => (
                with_length("HEAD", "/echo", name.as_bytes()),
                ("HEAD", 200, String::new()),
            ),
            3 => (
                chunked("POST", "/echo", name.as_bytes(), 3),
                ("POST", 200, name),
            ),
            4 => (
                request("OPTIONS", "/json").into_bytes(),
                ("OPTIONS", 204, String::new()),
            ),
            5 => {
                let path = format!("/baseline11?a={index}&b=1");
                (
                    request("GET", &path).into_bytes(),
                    ("GET", 200, (index + 1).to_string()),
                )
            }
            _ => (
                chunked("POST", "/upload", name.as_bytes(), 4),
                ("POST", 200, name.len().to_string()),
            ),
        };
        requests.extend_from_slice(&request);
        expected.push(reply);
    }
    (requests, expected)
}

#[test]
fn pipelined_replies_keep_their_order() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &[]);
        let (requests, expected) = mixture(200);
        let mut peer = server.connect();
        peer.send(&requests);
        for (index, (method, status, body)) in expected.iter().enumerate() {
            let reply = peer.reply_to(method);
            assert_eq!(
                (reply.status, reply.text()),
                (*status, body.as_str()),
                "reply {index}"
            );
        }
        peer.stays_silent(Duration::from_millis(50));
        drop(peer);
        let counts = Counts {
            connections: 1,
            requests: 200,
            messages: 0,
        };
        assert_eq!(server.stop(), counts, "{backend}");
    });
}

#[test]
fn versions_and_options_decide_what_becomes_of_the_connection() {
    // version, Connection, what the reply says, whether it stays
    let table = [
        ("1.1", "", None, true),
        ("1.1", "Connection: keep-alive\r\n", None, true),
        ("1.1", "Connection: close\r\n", Some("close"), false),
        (
            "1.1",
            "Connection: keep-alive, Close\r\n",
            Some("close"),
            false,
        ),
        ("1.0", "", Some("close"), false),
        (
            "1.0",
            "Connection: Keep-Alive\r\n",
            Some("keep-alive"),
            true,
        ),
        ("1.0", "Connection: close\r\n", Some("close"), false),
    ];
    with_servers(&[], |server| {
        for (version, option, said, stays) in table {
            let request = format!("GET /pipeline HTTP/{version}\r\nHost: a\r\n{option}\r\n");
            let mut peer = server.connect();
            for _ in 0..if stays { 3 } else { 1 } {
                let reply = peer.ask(&request);
                assert_eq!(
                    (reply.text(), reply.field("Connection")),
                    ("ok", said),
                    "{request}"
                );
            }
            if !stays {
                peer.ends();
            }
        }
        let mut ancient = server.connect();
        assert_eq!(
            ancient.ask("GET /pipeline HTTP/1.0\r\n\r\n").text(),
            "ok",
            "Host came with 1.1"
        );
        ancient.ends();
    });
}

#[test]
fn what_the_head_decides_is_answered_without_the_body() {
    let cases = [
        ("POST /nowhere", 404),
        ("POST /plaintext", 405),
        ("PUT /upload", 405),
        ("BREW /plaintext", 501),
    ];
    with_servers(&[], |server| {
        for (line, status) in cases {
            let waiting = format!(
                "{line} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            );
            let large = format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n");
            for request in [waiting, large] {
                let mut peer = server.connect();
                let reply = peer.ask(&request);
                assert_eq!(reply.status, status, "{request}");
                peer.ends();
            }
            // A small body is read, because that keeps the connection.
            let mut kept = server.connect();
            for _ in 0..2 {
                let small = format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\ncargo");
                assert_eq!(kept.ask(small).status, status, "{line}");
            }
        }
    });
}

#[test]
fn the_server_says_continue_only_to_a_peer_that_waits() {
    let head =
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for _ in 0..2 {
            assert_eq!(peer.ask(head).status, 100);
            peer.stays_silent(Duration::from_millis(20));
            assert_eq!(peer.ask("cargo").text(), "cargo");
        }
        peer.send(format!("{head}ca"));
        peer.stays_silent(Duration::from_millis(20));
        assert_eq!(peer.ask("rgo").text(), "cargo", "the body was on its way");
        let whole = peer.ask(format!("{head}cargo"));
        assert_eq!(
            (whole.status, whole.text()),
            (200, "cargo"),
            "the body was there"
        );

        let chunked = head.replace("Content-Length: 5", "Transfer-Encoding: chunked");
        assert_eq!(peer.ask(&chunked).status, 100);
        assert_eq!(peer.ask("5\r\ncargo\r\n0\r\n\r\n").text(), "cargo");
        let empty = peer.ask(head.replace("Content-Length: 5", "Content-Length: 0"));
        assert_eq!(
            (empty.status, empty.text()),
            (200, ""),
            "there is nothing to continue with"
        );

        // RFC 9110 §10.1.1: an HTTP/1.0 peer does not know what a 100 is.
        let mut old = server.connect();
        old.send(head.replace("HTTP/1.1", "HTTP/1.0"));
        old.stays_silent(Duration::from_millis(50));
        assert_eq!(old.ask("cargo").text(), "cargo");

        let mut large = server.connect();
        let refused = large.ask(head.replace("Length: 5", "Length: 5000000"));
        assert_eq!(refused.status, 413, "refused before it is sent");
        large.ends();
        let mut other = server.connect();
        assert_eq!(
            other.ask(head.replace("100-continue", "a-miracle")).status,
            417
        );
        other.ends();
    });
}

#[test]
fn a_half_closed_peer_still_gets_its_replies() {
    with_servers(&[], |server| {
        let mut one = server.connect();
        one.send(request("GET", "/pipeline"));
        one.half_close();
        assert_eq!(one.reply().text(), "ok");
        one.ends();

        let (requests, expected) = mixture(50);
        let mut many = server.connect();
        many.send(&requests);
        many.half_close();
        for (method, status, body) in &expected {
            let reply = many.reply_to(method);
            assert_eq!((reply.status, reply.text()), (*status, body.as_str()));
        }
        many.ends();

        let mut large = server.connect();
        let body = pattern(MIB);
        large.send(with_length("POST", "/echo", &body));
        large.half_close();
        assert!(large.reply().body == body);
        large.ends();

        let mut silent = server.connect();
        silent.half_close();
        silent.ends();
        for unfinished in [
            "GET / HT",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\ncar",
        ] {
            let mut peer = server.connect();
            peer.send(unfinished);
            peer.half_close();
            assert_eq!(
                peer.reply().status,
                400,
                "RFC 9112 §8: {unfinished:?} is incomplete"
            );
            peer.ends();
        }
    });
}

#[test]
fn nothing_behind_the_last_request_is_answered() {
    let fetch = request("GET", "/plaintext");
    let lasts = [
        (
            "GET /pipeline HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            200,
        ),
        ("GET /pipeline HTTP/1.0\r\n\r\n", 200),
        ("GET /pipeline HTTP/1.1\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n",
            413,
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            400,
        ),
    ];
    with_servers(&[], |server| {
        for (last, status) in lasts {
            // All at once, and with the bytes behind it apart.
            for pause in [None, Some(Duration::from_millis(10))] {
                let mut peer = server.connect();
                peer.send(format!("{fetch}{last}"));
                if let Some(pause) = pause {
                    thread::sleep(pause);
                }
                peer.send(fetch.repeat(3));
                assert_eq!(peer.reply().text(), "Hello, World!");
                let reply = peer.reply();
                assert_eq!(reply.status, status, "{last:?}");
                assert_eq!(reply.field("Connection"), Some("close"), "{last:?}");
                peer.ends();
            }
        }
    });
}

#[test]
fn empty_lines_before_a_request_are_ignored() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for lines in ["\r\n", "\r\n\r\n"] {
            assert_eq!(
                peer.ask(format!("{lines}{}", request("GET", "/pipeline")))
                    .text(),
                "ok"
            );
        }
        let mut flood = server.connect();
        assert_eq!(
            flood.ask("\r\n".repeat(20)).status,
            400,
            "a bounded number of them"
        );
        flood.ends();
    });
}
