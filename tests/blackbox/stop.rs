//! Signals: a stop in order finishes what is begun, a second one ends at once.

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::frames::{CLOSE, HANDSHAKE, PING, PONG, TEXT, close, frame};
use crate::peer::{Peer, pattern, with_length};
use crate::server::{Counts, Server, eventually, on_each_backend};

#[test]
fn a_stop_finishes_what_is_begun() {
    on_each_backend(|backend| {
        let limits = [
            "--stop-timeout",
            "600",
            "--head-timeout",
            "300",
            "--body-grace",
            "300",
        ];
        let server = Server::start(backend, &limits);
        let body = pattern(1 << 20);
        let mut uploads: Vec<Peer> = Vec::new();
        for path in ["/upload", "/echo"] {
            let mut upload = server.connect();
            let request = with_length("POST", path, &body);
            upload.send(&request[..request.len() / 2]);
            uploads.push(upload);
        }
        let mut head = server.connect();
        head.send("GET /pipeline HTTP/1.1\r\nHo");
        let mut idle = server.connect();
        assert_eq!(idle.fetch("/pipeline").text(), "ok");
        let mut fresh = server.connect();
        let mut websocket = Peer::websocket(server.address());
        websocket.send(frame(0x01, b"half a message"));
        // What is not read when the stop comes is not begun.
        for peer in uploads.iter().chain([&head, &websocket]) {
            peer.is_read();
        }
        server.signal(Signal::SIGTERM);
        // Who has begun nothing is closed at once.
        idle.ends();
        fresh.ends();
        let (first, payload) = websocket.frame();
        assert_eq!(
            (first, &payload[..2]),
            (CLOSE, &1001_u16.to_be_bytes()[..]),
            "going away"
        );
        websocket.send(close(1001, b""));
        websocket.ends();
        // Who has begun may finish, and is told that this was the last.
        head.send("st: a\r\n\r\n");
        let reply = head.reply();
        assert_eq!(
            (reply.text(), reply.field("Connection")),
            ("ok", Some("close")),
            "{backend}"
        );
        head.ends();
        for (mut upload, path) in uploads.into_iter().zip(["/upload", "/echo"]) {
            let request = with_length("POST", path, &body);
            upload.send(&request[request.len() / 2..]);
            let reply = upload.reply();
            assert_eq!(reply.field("Connection"), Some("close"), "{backend} {path}");
            if path == "/upload" {
                assert_eq!(reply.text(), "1048576");
            } else {
                assert!(reply.body == body);
            }
            upload.ends();
        }
        let (counts, _) = server.ended_well();
        assert_eq!(
            counts,
            Counts {
                connections: 6,
                requests: 5,
                messages: 0
            },
            "{backend}"
        );
    });
}

#[test]
fn a_stop_takes_only_so_long() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &["--stop-timeout", "0.5"]);
        let mut upload = server.connect();
        upload.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
        let mut deaf = server.connect();
        deaf.stuff(&with_length("POST", "/echo", &pattern(1 << 20)).repeat(8));
        let mut websocket = Peer::websocket(server.address());
        // Neither finishes, reads, or answers the Close; the server ends even so.
        server.stop();
        upload.is_cut();
        deaf.is_cut();
        websocket.is_cut();
    });
}

#[test]
fn a_stop_ends_whatever_asks_next() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &["--stop-timeout", "600"]);
        // A handshake that is on its way when the stop comes becomes a WebSocket, but does not stay one.
        let mut late = server.connect();
        let (front, back) = HANDSHAKE.split_at(30);
        late.send(front);
        late.is_read();
        server.signal(Signal::SIGTERM);
        thread::sleep(Duration::from_millis(50));
        late.send(back);
        let reply = late.reply();
        assert_eq!(reply.status, 101, "{backend}");
        let (first, payload) = late.frame();
        assert_eq!(
            (first, &payload[..2]),
            (CLOSE, &1001_u16.to_be_bytes()[..]),
            "{backend}"
        );
        late.send(close(1001, b""));
        late.ends();
        server.ended_well();
    });
}

#[test]
fn a_restart_is_announced_if_it_is_one() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &["--stop-close-code", "1012"]);
        let mut peer = Peer::websocket(server.address());
        // A message that is not finished does not keep the connection.
        peer.send(frame(0x01, b"half a message"));
        peer.send(frame(PING, b""));
        assert_eq!(peer.frame().0, PONG);
        server.signal(Signal::SIGTERM);
        let (first, payload) = peer.frame();
        assert_eq!(
            (first, &payload[..2]),
            (CLOSE, &1012_u16.to_be_bytes()[..]),
            "{backend}: service restart"
        );
        peer.send(close(1012, b""));
        peer.ends();
        server.ended_well();
    });
}

#[test]
fn nobody_is_lost_at_the_door_when_the_server_stops() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &["--stop-timeout", "600"]);
        // Connected and asked before the stop: each of them gets its reply.
        let mut peers: Vec<Peer> = (0..100).map(|_| server.connect()).collect();
        for peer in &mut peers {
            peer.send("GET /pipeline HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        server.signal(Signal::SIGTERM);
        for peer in &mut peers {
            assert_eq!(peer.reply().text(), "ok", "{backend}");
            peer.ends();
        }
        let (counts, _) = server.ended_well();
        assert_eq!(counts.requests, 100, "{backend}");
    });
}

#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [
        (Signal::SIGTERM, Signal::SIGTERM),
        (Signal::SIGINT, Signal::SIGINT),
    ] {
        on_each_backend(|backend| {
            let mut server = Server::start(backend, &["--stop-timeout", "60"]);
            let mut upload = server.connect();
            upload.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
            server.signal(first);
            // The same signal twice before the first is taken would be one: wait until it stops.
            eventually("it stops", || {
                std::net::TcpStream::connect(server.address()).is_err()
            });
            server.signal(second);
            let status = server.wait();
            assert_eq!(
                status.code(),
                Some(128 + second as i32),
                "{backend}: {status}"
            );
            assert_eq!(status.signal(), None, "{backend}");
            upload.is_cut();
        });
    }
}

#[test]
fn an_interrupt_stops_like_a_termination() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &["--ping-interval", "1"]);
        let mut peer = Peer::websocket(server.address());
        peer.send(frame(TEXT, b"hello"));
        assert_eq!(peer.frame(), (TEXT, b"hello".to_vec()));
        peer.send(frame(PING, b""));
        server.signal(Signal::SIGINT);
        drop(peer);
        let (counts, _) = server.ended_well();
        assert_eq!(
            counts,
            Counts {
                connections: 1,
                requests: 1,
                messages: 1
            },
            "{backend}"
        );
    });
}
