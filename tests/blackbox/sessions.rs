//! How a WebSocket lives and ends: pongs, deadlines, and who closes when.

use std::thread;
use std::time::Duration;

use crate::frames::{BINARY, CLOSE, PING, PONG, TEXT, close, frame};
use crate::peer::{Peer, pattern};
use crate::server::{eventually, with_servers};

/// Asserts that the next data comes before any Close, and answers pings until the Close comes: its code.
fn code_of_close(peer: &mut Peer, answer: &[u8]) -> u16 {
    loop {
        let (first, payload) = peer.frame();
        match first {
            CLOSE => {
                let code = payload.first_chunk().expect("a code");
                return u16::from_be_bytes(*code);
            }
            PING if !answer.is_empty() => peer.send(answer),
            _ => {}
        }
    }
}

#[test]
fn every_ping_is_answered_in_order() {
    with_servers(&[], |server| {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for index in 0..1000 {
            let payload = format!("{index:0>width$}", width = index % 126).into_bytes();
            let payload = payload[..payload.len().min(125)].to_vec();
            stream.extend(frame(PING, &payload));
            expected.push((PONG, payload));
            if index % 7 == 0 {
                // Between the fragments of a message, too.
                let first = if index == 0 { 0x02 } else { 0x00 };
                stream.extend(frame(first, b"xyz"));
            }
        }
        let mut at_once = Peer::websocket(server.address());
        at_once.send(&stream);
        for pong in &expected {
            assert_eq!(&at_once.frame(), pong, "{}", server.backend);
        }
        let mut dripped = Peer::websocket(server.address());
        for byte in &stream[..2000] {
            dripped.send([*byte]);
        }
        dripped.send(&stream[2000..]);
        for pong in &expected {
            assert_eq!(&dripped.frame(), pong, "{}", server.backend);
        }
    });
}

#[test]
fn who_pings_and_never_reads_costs_little_and_is_cut() {
    let args = ["--write-stall-timeout", "1", "--send-buffer", "65536"];
    with_servers(&args, |server| {
        let mut deaf = Peer::websocket(server.address());
        let before = server.resident_bytes();
        let flood = frame(PING, &[b'p'; 125]).repeat(200_000);
        let sent = deaf.stuff(&flood);
        assert!(sent < flood.len(), "the server stopped reading");
        let grown = server.peak_bytes().saturating_sub(before);
        assert!(grown < 4 << 20, "{}: {grown} bytes", server.backend);
        let mut healthy = Peer::websocket(server.address());
        healthy.send(frame(TEXT, b"hello"));
        assert_eq!(healthy.frame(), (TEXT, b"hello".to_vec()));
        eventually("the deaf one is cut", || deaf.try_send([0; 100]).is_err());
    });
}

#[test]
fn pongs_do_not_count_against_the_idle_time() {
    let args = ["--ping-interval", "0.5", "--websocket-idle-timeout", "3"];
    with_servers(&args, |server| {
        let mut alive = Peer::websocket(server.address());
        let mut talking = Peer::websocket(server.address());
        let mut pings = 0;
        let code = loop {
            talking.send(frame(TEXT, b"still here"));
            assert_eq!(talking.frame().0, TEXT, "who sends messages stays");
            if !alive.has_news() {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            let (first, payload) = alive.frame();
            if first == CLOSE {
                break u16::from_be_bytes(*payload.first_chunk().expect("a code"));
            }
            assert_eq!(first, PING);
            pings += 1;
            alive.send(frame(PONG, &payload));
        };
        assert!(pings > 0, "it was asked, and answered");
        assert_eq!(code, 1001);
        alive.send(close(1001, b""));
        alive.ends();
    });
}

#[test]
fn a_lifetime_ends_busy_and_silent_connections() {
    let args = ["--websocket-lifetime-max", "0.7", "--ping-interval", "0.2"];
    with_servers(&args, |server| {
        // Neither answers a ping in the 20 s that it has: its life is over before.
        let mut silent = Peer::websocket(server.address());
        let mut busy = Peer::websocket(server.address());
        let mut speaker = Peer::over(busy.stream.try_clone().expect("a descriptor"));
        let speaking = thread::spawn(move || {
            // Until the server has closed.
            while speaker.try_send(frame(TEXT, b"and on")).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(code_of_close(&mut busy, b""), 1001, "{}", server.backend);
        assert_eq!(code_of_close(&mut silent, b""), 1001, "{}", server.backend);
        busy.send(close(1001, b""));
        busy.ends();
        silent.send(close(1001, b""));
        silent.ends();
        drop((busy, silent));
        speaking.join().expect("it ends");
    });
}

#[test]
fn a_close_that_is_never_answered_ends_all_the_same() {
    let mut args = vec!["--websocket-lifetime-max", "0.3", "--close-timeout", "0.3"];
    args.extend(["--linger-timeout", "20"]);
    with_servers(&args, |server| {
        let mut peer = Peer::websocket(server.address());
        assert_eq!(code_of_close(&mut peer, b""), 1001);
        // It goes on talking, but does not close: what was sent before it read the Close still counts, and no answer
        // comes.
        peer.send(frame(TEXT, b"late"));
        peer.ends();
    });
}

/// RFC 6455 §7.1.1: the server ends the TCP connection first, and in order: whatever is under way in both directions,
/// the client reads everything up to the Close, and then a FIN.
#[test]
fn the_server_ends_first_and_nothing_is_reset() {
    with_servers(&["--linger-timeout", "20"], |server| {
        let body = pattern(100_000);
        for round in 0..10 {
            let mut peer = Peer::websocket(server.address());
            // Echoes that are not read yet, a Close, and more behind it that nobody wants.
            for _ in 0..4 {
                peer.send(frame(BINARY, &body));
            }
            peer.send(close(1000, b""));
            let rest = frame(BINARY, &body).repeat(round);
            let _ = peer.try_send(&rest);
            for _ in 0..4 {
                assert!(peer.frame() == (BINARY, body.clone()));
            }
            peer.is_closed_with(1000);
            // Its FIN came while ours is still to come; it goes on taking what we send.
            peer.send(frame(BINARY, &body));
        }
        let mut healthy = Peer::websocket(server.address());
        healthy.send(frame(TEXT, b"hello"));
        assert_eq!(healthy.frame(), (TEXT, b"hello".to_vec()));
    });
}
