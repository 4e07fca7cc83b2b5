//! What is refused: with which status, exactly once, and so that the peer can read it.
//!
//! ```text
//!   bad request, more bytes ──▶ one reply ──▶ FIN ──▶ (more bytes are read and forgotten) ──▶ close
//! ```
//!
//! Closing a socket with unread input makes the kernel send a reset: the peer's sends fail, and it may lose a reply that it
//! has not read yet (RFC 9112 §9.6). So every refusal is also tried with 200 KiB behind it.

use std::thread;
use std::time::Duration;

use crate::frames::HANDSHAKE;
use crate::peer::{Peer, with_length};
use crate::server::{Server, on_each_backend, with_servers};

const POST: &str = "POST /echo HTTP/1.1\r\nHost: a\r\n";

/// Heads that are wrong, and what they get.
fn bad_heads() -> Vec<(String, u16)> {
    let get = |rest: &str| format!("GET / HTTP/1.1\r\n{rest}\r\n");
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let framed = |fields: &str| format!("{POST}{fields}\r\n0\r\n\r\n");
    let many_fields = "X: 1\r\n".repeat(101);
    vec![
        (
            get(&format!("Host: a\r\nX: {}\r\n", "y".repeat(17_000))),
            431,
        ),
        (get(&format!("Host: a\r\n{many_fields}")), 431),
        (line(&format!("GET /{} HTTP/1.1", "x".repeat(9000))), 414),
        (line("GET / HTTP/2.0"), 505),
        (line("GET / HTTP/0.9"), 505),
        (line("GET / HTTP/1.1x"), 400),
        (line("GET /"), 400),
        (line("GET  / HTTP/1.1"), 400),
        (line("GET /a b HTTP/1.1"), 400),
        (line("GET /\u{e9} HTTP/1.1"), 400),
        (line("GET example HTTP/1.1"), 400),
        (line("G@T / HTTP/1.1"), 400),
        (line(&format!("{} / HTTP/1.1", "M".repeat(300))), 501),
        (get(""), 400),
        (get("Host: a\r\nHost: a\r\n"), 400),
        (get("Host: a b\r\n"), 400),
        (get("Host: a\r\nX : 1\r\n"), 400),
        (get("Host: a\r\nX: 1\r\n folded\r\n"), 400),
        (get("Host: a\r\nno colon\r\n"), 400),
        (get("Host: a\r\nX: a\rb\r\n"), 400),
        (get("Host: a\r\nX: a\nb\r\n"), 400),
        (get("Host: a\r\nX: a\0b\r\n"), 400),
        (get("Host: a\r\nExpect: a-miracle\r\n"), 417),
        ("GET / HTTP/1.1\nHost: a\n\n".to_owned(), 400),
        (framed("Content-Length: 5\r\nContent-Length: 5\r\n"), 400),
        (framed("Content-Length: +5\r\n"), 400),
        (framed("Content-Length: 5, 5\r\n"), 400),
        (framed("Content-Length: 18446744073709551616\r\n"), 400),
        (
            framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            400,
        ),
        (
            framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            400,
        ),
        (framed("Transfer-Encoding: gzip\r\n"), 400),
        (framed("Transfer-Encoding: gzip, chunked\r\n"), 501),
        (framed("Transfer-Encoding: xchunked\r\n"), 400),
        (
            framed("Transfer-Encoding: chunked\r\n").replace("1.1", "1.0"),
            400,
        ),
    ]
}

/// Bodies that are wrong.
fn bad_bodies() -> Vec<(String, u16)> {
    let chunks = |body: &str| format!("{POST}Transfer-Encoding: chunked\r\n\r\n{body}");
    let upload = |request: String| request.replace("/echo", "/upload");
    let length = |bytes: u64| format!("{POST}Content-Length: {bytes}\r\n\r\n");
    let extensions = format!("1;x={}\r\nx\r\n", "y".repeat(1000)).repeat(5);
    vec![
        (length(1_048_577), 413),
        (length(u64::MAX), 413),
        (upload(length(1_073_741_825)), 413),
        (chunks(&format!("100001\r\n{}", "y".repeat(0x10_0001))), 413),
        (upload(chunks("40000001\r\n")), 413),
        (chunks("x\r\n"), 400),
        (chunks("\r\n"), 400),
        (chunks("-1\r\n"), 400),
        (chunks("0x1\r\n"), 400),
        (chunks("11111111111111111\r\n"), 400),
        (chunks("5\r\ncargo!\r\n"), 400),
        (chunks("5\ncargo\n0\n\n"), 400),
        (chunks("5;\x01\r\ncargo\r\n"), 400),
        (chunks(&format!("5;x={}\r\n", "y".repeat(5000))), 400),
        (chunks(&extensions), 400),
        (
            chunks(&format!("0\r\nX: {}\r\n\r\n", "y".repeat(5000))),
            431,
        ),
        (
            chunks(&format!("0\r\n{}\r\n", "X: 1\r\n".repeat(1000))),
            431,
        ),
        (chunks("0\r\nno colon\r\n\r\n"), 400),
        (chunks("0\r\nX : 1\r\n\r\n"), 400),
        (chunks("0\r\nX: a\nb\r\n\r\n"), 400),
        (upload(chunks("3\r\nabc\r\nz\r\n")), 400),
    ]
}

fn is_refused_once(peer: &mut Peer, request: &str, status: u16) {
    let shown = &request[..request.len().min(80)];
    let reply = peer.reply();
    assert_eq!(reply.status, status, "{shown:?}");
    assert_eq!(reply.field("Connection"), Some("close"), "{shown:?}");
    assert!(
        reply.text().ends_with(".\n"),
        "a sentence says why: {:?}",
        reply.text()
    );
    let rest = peer.rest();
    assert!(
        rest.is_empty(),
        "behind the reply to {shown:?}: {}",
        crate::peer::text_of(&rest)
    );
}

#[test]
fn a_bad_request_gets_one_reply_and_the_end() {
    with_servers(&[], |server| {
        for (request, status) in bad_heads().into_iter().chain(bad_bodies()) {
            let mut peer = server.connect();
            peer.send(&request);
            is_refused_once(&mut peer, &request, status);
        }
    });
}

#[test]
fn a_refusal_reaches_a_peer_that_keeps_sending() {
    let behind = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n".repeat(6000);
    with_servers(&[], |server| {
        for (request, status) in bad_heads().into_iter().chain(bad_bodies()).step_by(3) {
            // In one go, and only then is anything read.
            let mut peer = server.connect();
            peer.send(&request);
            peer.send(&behind[..200 * 1024]);
            is_refused_once(&mut peer, &request, status);
        }
        // Slowly, while the server has long been done with it.
        let mut slow = server.connect();
        let request = "GET / HTTP/1.1\r\n\r\n";
        slow.send(request);
        for piece in behind.as_bytes()[..200 * 1024].chunks(20_480) {
            thread::sleep(Duration::from_millis(30));
            slow.send(piece);
        }
        is_refused_once(&mut slow, request, 400);
    });
}

#[test]
fn a_refused_head_request_gets_no_body() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        peer.send("HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        assert_eq!(peer.reply_to("HEAD").status, 400);
        peer.ends();
        let mut chunked = server.connect();
        chunked.send("HEAD /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
        assert_eq!(chunked.reply_to("HEAD").status, 400);
        chunked.ends();
    });
}

#[test]
fn the_limits_of_the_command_line_hold() {
    let limits = "--head-bytes-max 200 --fields-max 3 --target-bytes-max 20 --body-bytes-max 1000 \
        --streamed-body-bytes-max 2000";
    let limits: Vec<&str> = limits.split_whitespace().collect();
    with_servers(&limits, |server| {
        let get = |target: &str, fields: &str| {
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
        };
        let post = |path: &str, size: usize| with_length("POST", path, &vec![b'1'; size]);
        let chunked =
            |path: &str, size: usize| crate::peer::chunked("POST", path, &vec![b'1'; size], 400);
        let padding = 200 - get("/pipeline", "X: \r\n").len();
        let fits = [
            (
                get("/pipeline", &format!("X: {}\r\n", "y".repeat(padding))).into_bytes(),
                200,
            ),
            (get("/pipeline", "X: 1\r\nY: 2\r\n").into_bytes(), 200),
            (get("/pipeline?0123456789", "").into_bytes(), 200),
            (post("/echo", 1000), 200),
            (chunked("/echo", 1000), 200),
            (post("/upload", 2000), 200),
            (chunked("/upload", 2000), 200),
        ];
        let exceeds = [
            (
                get("/pipeline", &format!("X: {}\r\n", "y".repeat(padding + 1))).into_bytes(),
                431,
            ),
            (
                get("/pipeline", "X: 1\r\nY: 2\r\nZ: 3\r\n").into_bytes(),
                431,
            ),
            (get("/pipeline?0123456789a", "").into_bytes(), 414),
            (post("/echo", 1001), 413),
            (chunked("/echo", 1001), 413),
            (post("/upload", 2001), 413),
            (chunked("/upload", 2001), 413),
        ];
        for (request, status) in fits {
            let mut peer = server.connect();
            assert_eq!(
                peer.ask(&request).status,
                status,
                "{}",
                crate::peer::text_of(&request)
            );
            assert_eq!(peer.fetch("/pipeline").text(), "ok");
        }
        for (request, status) in exceeds {
            let mut peer = server.connect();
            assert_eq!(
                peer.ask(&request).status,
                status,
                "{}",
                crate::peer::text_of(&request)
            );
            peer.ends();
        }
    });
}

#[test]
fn a_slow_head_is_answered_408() {
    with_servers(&["--head-timeout", "0.3"], |server| {
        let unfinished = [
            "G".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\n".to_owned(),
            // The time counts from the first byte of each head, whatever came before it. That it was a HEAD does not
            // make the refusal one without a body.
            "HEAD /pipeline HTTP/1.1\r\nHost: a\r\n\r\nGET / HT".to_owned(),
        ];
        let mut peers: Vec<Peer> = unfinished.iter().map(|_| server.connect()).collect();
        for (peer, bytes) in peers.iter_mut().zip(&unfinished) {
            peer.send(bytes);
        }
        assert_eq!(peers[2].reply_to("HEAD").status, 200);
        for (peer, bytes) in peers.iter_mut().zip(&unfinished) {
            is_refused_once(peer, bytes, 408);
        }
        // A byte now and then does not help.
        let mut dripping = server.connect();
        for byte in "GET / HTTP/1.1\r\nX: ".bytes().chain([b'y'; 200]) {
            if dripping.has_news() || dripping.try_send([byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        is_refused_once(&mut dripping, "a dripped head", 408);
    });
}

#[test]
fn a_slow_body_is_answered_408() {
    // The rate counts after 10 s; a fast body of any length is not touched by it.
    with_servers(&["--body-rate-min", "1000"], |server| {
        let mut peers = Vec::new();
        for path in ["/echo", "/upload"] {
            let mut peer = server.connect();
            peer.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx"
            ));
            peers.push(peer);
        }
        let mut dripping = server.connect();
        dripping.send(format!("{POST}Content-Length: 100000\r\n\r\n"));
        let mut steady = server.connect();
        steady.send(format!("{POST}Content-Length: 100000\r\n\r\n"));
        let mut sent = 0;
        while sent < 100_000 {
            thread::sleep(Duration::from_millis(100));
            steady.send([b's'; 800]);
            sent += 800;
            // An error is the answer that is looked at below.
            let _ = dripping.try_send(b"x");
        }
        assert_eq!(
            steady.reply().body.len(),
            100_000,
            "8000 bytes a second are enough"
        );
        peers.push(dripping);
        for peer in &mut peers {
            is_refused_once(peer, "a slow body", 408);
        }
    });
}

#[test]
fn a_peer_that_asks_nothing_is_closed_silently() {
    let limits = ["--first-byte-timeout", "0.3", "--idle-timeout", "3"];
    with_servers(&limits, |server| {
        let mut mute = server.connect();
        let mut idle = server.connect();
        for _ in 0..5 {
            assert_eq!(idle.fetch("/pipeline").text(), "ok");
            thread::sleep(Duration::from_millis(800));
        }
        mute.ends();
        assert_eq!(
            idle.fetch("/pipeline").text(),
            "ok",
            "five requests within one idle time each"
        );
        idle.ends();
    });
}

#[test]
fn bad_handshakes_are_refused_with_a_status() {
    let without = |field: &str| {
        let lines = HANDSHAKE.split_inclusive("\r\n");
        lines
            .filter(|line| !line.starts_with(field))
            .collect::<String>()
    };
    let table: [(String, u16); 14] = [
        (without("Upgrade"), 426),
        (HANDSHAKE.replace("Upgrade: websocket", "Upgrade: h2c"), 426),
        (without("Connection"), 400),
        (
            HANDSHAKE.replace("Connection: Upgrade", "Connection: keep-alive"),
            400,
        ),
        (without("Sec-WebSocket-Version"), 426),
        (HANDSHAKE.replace("Version: 13", "Version: 8"), 426),
        (HANDSHAKE.replace("Version: 13", "Version: 013"), 426),
        (
            HANDSHAKE.replace("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"),
            426,
        ),
        (without("Sec-WebSocket-Key"), 400),
        (
            HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ="),
            400,
        ),
        (
            HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ++"),
            400,
        ),
        (
            HANDSHAKE.replace(
                "Sec-WebSocket-Key",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key",
            ),
            400,
        ),
        (HANDSHAKE.replace("GET", "POST"), 405),
        (
            HANDSHAKE.replace("Version: 13", "Version: 13\r\nSec-WebSocket-Protocol: a b"),
            400,
        ),
    ];
    on_each_backend(|backend| {
        let server = Server::start(backend, &[]);
        for (handshake, status) in &table {
            let mut peer = server.connect();
            let reply = peer.ask(handshake);
            assert_eq!(reply.status, *status, "{handshake}");
            if *status == 426 && handshake.contains("Upgrade: websocket") {
                assert_eq!(
                    reply.field("Sec-WebSocket-Version"),
                    Some("13"),
                    "RFC 6455 §4.2.2"
                );
            }
            // A refused handshake is a complete request: the connection goes on.
            assert_eq!(peer.fetch("/pipeline").text(), "ok", "{handshake}");
        }
        // Closing connections cannot become WebSockets (RFC 9110 §7.8).
        let mut old = server.connect();
        assert_eq!(
            old.ask(HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0")).status,
            400
        );
        old.ends();
        assert_eq!(server.stop().messages, 0);
    });
}
