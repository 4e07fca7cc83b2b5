//! Peers that reset, drip, or never read. Nobody else must notice.

use std::thread;
use std::time::Duration;

use crate::frames::{BINARY, HANDSHAKE, TEXT, frame};
use crate::peer::{Peer, chunked, pattern, with_length};
use crate::server::{Server, eventually, with_servers};

const PIPELINE: &str = "GET /pipeline HTTP/1.1\r\nHost: a\r\n\r\n";

/// A healthy peer is served, and correctly.
fn serves_others(server: &Server) {
    let mut http = server.connect();
    for _ in 0..20 {
        assert_eq!(
            http.fetch("/plaintext").text(),
            "Hello, World!",
            "{}",
            server.backend
        );
    }
    let body = pattern(10_000);
    assert!(
        http.ask(with_length("POST", "/echo", &body)).body == body,
        "{}",
        server.backend
    );
    let mut websocket = Peer::websocket(server.address());
    websocket.send(frame(BINARY, &body));
    assert!(websocket.frame() == (BINARY, body), "{}", server.backend);
}

/// Things that a peer may be in the middle of.
fn conversations() -> Vec<Vec<u8>> {
    let websocket = |frames: Vec<u8>| [HANDSHAKE.as_bytes(), &frames].concat();
    vec![
        PIPELINE.repeat(3).into_bytes(),
        with_length("POST", "/echo", b"a body of a few bytes"),
        chunked("POST", "/upload", b"a body in some chunks", 4),
        websocket([frame(TEXT, b"a message"), frame(0x01, b"and half")].concat()),
    ]
}

#[test]
fn a_reset_at_any_moment_costs_one_connection() {
    with_servers(&[], |server| {
        for conversation in conversations() {
            for cut in (0..=conversation.len()).step_by(5) {
                let mut peer = server.connect();
                peer.send(&conversation[..cut]);
                // Sometimes the server has read, sometimes the reset overtakes it.
                if cut % 2 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                peer.reset();
            }
        }
        // While much is on its way to the peer.
        for _ in 0..10 {
            let mut peer = server.connect();
            peer.send(with_length("POST", "/echo", &pattern(1 << 20)));
            peer.take(1000);
            peer.reset();
        }
        serves_others(server);
    });
}

#[test]
fn a_half_close_at_any_moment_gets_an_end() {
    with_servers(&[], |server| {
        for conversation in conversations() {
            for cut in (0..=conversation.len()).step_by(5) {
                let mut peer = server.connect();
                peer.send(&conversation[..cut]);
                peer.half_close();
                let replies = peer.rest();
                let whole = replies.is_empty() || replies.starts_with(b"HTTP/1.1 ");
                assert!(whole, "cut at {cut}");
            }
        }
        serves_others(server);
    });
}

#[test]
fn single_bytes_are_served_like_whole_requests() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for conversation in conversations() {
            for byte in conversation {
                peer.send([byte]);
                thread::sleep(Duration::from_micros(50));
            }
        }
        for _ in 0..3 {
            assert_eq!(peer.reply().text(), "ok");
        }
        assert_eq!(peer.reply().text(), "a body of a few bytes");
        assert_eq!(peer.reply().text(), "21");
        assert_eq!(peer.reply().status, 101);
        assert_eq!(peer.frame(), (TEXT, b"a message".to_vec()));
    });
}

#[test]
fn many_single_byte_peers_do_not_starve_a_healthy_one() {
    with_servers(&[], |server| {
        let mut slow: Vec<Peer> = (0..50).map(|_| server.connect()).collect();
        let request = PIPELINE.as_bytes();
        for (index, byte) in request.iter().enumerate() {
            for peer in &mut slow {
                peer.send([*byte]);
            }
            if index % 10 == 0 {
                serves_others(server);
            }
        }
        for peer in &mut slow {
            assert_eq!(peer.reply().text(), "ok");
        }
    });
}

#[test]
fn a_peer_that_never_reads_is_cut() {
    with_servers(&["--write-stall-timeout", "1"], |server| {
        let mut pipeline = server.connect();
        pipeline.stuff(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                .repeat(30_000)
                .as_bytes(),
        );
        let mut echo = server.connect();
        for _ in 0..16 {
            echo.stuff(&with_length("POST", "/echo", &pattern(1 << 20)));
        }
        let mut websocket = Peer::websocket(server.address());
        websocket.stuff(&frame(BINARY, &pattern(1 << 20)).repeat(16));
        // Flushing its last reply: the end of a connection is no excuse.
        let mut last = server.connect();
        last.stuff(&with_length("POST", "/echo", &pattern(1 << 20)).repeat(8));
        last.half_close();
        for (name, mut peer) in [
            ("pipeline", pipeline),
            ("echo", echo),
            ("websocket", websocket),
        ] {
            // The reset shows in the next attempt to send, without reading anything.
            eventually("a peer that does not read is cut", || {
                peer.try_send(b"x").is_err()
            });
            println!(
                "{}: {name} cut behind {} bytes",
                server.backend,
                peer.is_cut()
            );
        }
        drop(last);
        serves_others(server);
    });
}

#[test]
fn a_peer_that_reads_slowly_gets_everything() {
    with_servers(
        &["--write-stall-timeout", "1", "--send-buffer", "32768"],
        |server| {
            let body = pattern(1 << 20);
            let mut peer = server.connect();
            let requests = 3;
            peer.stuff(&with_length("POST", "/echo", &body).repeat(requests));
            // Slower than the time of a stall for the whole, but never still for so long.
            let mut received = 0;
            let head = peer.reply_head_bytes();
            let total = requests * (head + body.len());
            received += peer.take(head).len();
            while received < total {
                if received < total / 2 {
                    thread::sleep(Duration::from_millis(100));
                }
                received += peer.take((total - received).min(60_000)).len();
            }
            assert_eq!(peer.fetch("/pipeline").text(), "ok", "{}", server.backend);
        },
    );
}
