//! WebSocket on `/ws`: every fault has its close code, silence is found out, and size alone stops nobody.

use std::thread;
use std::time::{Duration, Instant};

use crate::frames::{BINARY, CLOSE, HANDSHAKE, PING, PONG, TEXT, close, frame, header};
use crate::peer::{Peer, pattern};
use crate::server::{PATIENCE, Server, on_each_backend, with_servers};

const MIB: usize = 1 << 20;

/// Frames that are wrong, and the close code that says so (RFC 6455 §7.4.1).
fn bad_frames() -> Vec<(&'static str, Vec<u8>, u16)> {
    let fragmented = |then: Vec<u8>| [frame(0x01, b"begun"), then].concat();
    let huge = |bytes: u64| header(BINARY, bytes);
    vec![
        ("RSV1 without an extension", frame(0xC1, b"x"), 1002),
        ("RSV2", frame(0xA1, b"x"), 1002),
        ("RSV3", frame(0x91, b"x"), 1002),
        ("RSV1 on a ping", frame(0xC9, b"x"), 1002),
        ("reserved data opcode", frame(0x83, b"x"), 1002),
        ("reserved control opcode", frame(0x8B, b""), 1002),
        ("not masked", vec![TEXT, 1, b'x'], 1002),
        (
            "control frame of 126 bytes",
            frame(PING, &[b'x'; 126]),
            1002,
        ),
        ("fragmented ping", frame(0x09, b""), 1002),
        ("fragmented close", frame(0x08, &[3, 232]), 1002),
        ("lone continuation", frame(0x80, b"x"), 1002),
        ("lone unfinished continuation", frame(0x00, b"x"), 1002),
        (
            "new message inside another",
            fragmented(frame(TEXT, b"x")),
            1002,
        ),
        ("length 5 in two bytes", vec![BINARY, 0xFE, 0, 5], 1002),
        (
            "length 65535 in eight bytes",
            vec![BINARY, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
            1002,
        ),
        ("length with its top bit", huge(1 << 63), 1002),
        (
            "one byte more than a message may have",
            huge(16 * MIB as u64 + 1),
            1009,
        ),
        ("a length that is never sent", huge(u64::MAX >> 1), 1009),
        (
            "too much in a continuation",
            fragmented(header(0x80, 16 * MIB as u64)),
            1009,
        ),
        ("no UTF-8", frame(TEXT, b"\xff"), 1007),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
        ("an overlong slash", frame(TEXT, b"\xc0\xaf"), 1007),
        ("a cut character", frame(TEXT, b"gr\xc3"), 1007),
        (
            "bad UTF-8 in an unfinished message",
            frame(0x01, b"x\xff"),
            1007,
        ),
        (
            "bad UTF-8 across a border",
            [frame(0x01, b"\xe2\x82"), frame(0x80, b"\x28")].concat(),
            1007,
        ),
        ("close of one byte", frame(CLOSE, b"\x03"), 1002),
        ("close code 999", close(999, b""), 1002),
        ("close code 1004", close(1004, b""), 1002),
        ("close code 1005", close(1005, b""), 1002),
        ("close code 1006", close(1006, b""), 1002),
        ("close code 1015", close(1015, b""), 1002),
        ("close code 2999", close(2999, b""), 1002),
        ("close code 5000", close(5000, b""), 1002),
        ("a reason that is no UTF-8", close(1000, b"\xff"), 1007),
    ]
}

#[test]
fn a_bad_frame_is_answered_by_a_close_with_its_code() {
    let behind = frame(TEXT, &[b'x'; 1000]).repeat(200);
    with_servers(&[], |server| {
        for (index, (fault, frames, code)) in bad_frames().into_iter().enumerate() {
            let mut peer = Peer::websocket(server.address());
            peer.send(frame(TEXT, b"a good one before it"));
            assert_eq!(peer.frame(), (TEXT, b"a good one before it".to_vec()));
            peer.send(&frames);
            // Some have 200 KB behind them: nothing of that is answered, and the Close is not lost to a reset.
            if index % 4 == 0 {
                peer.send(&behind);
            }
            println!("{}: {fault}", server.backend);
            peer.is_closed_with(code);
        }
    });
}

#[test]
fn a_close_is_answered_with_its_own_code() {
    with_servers(&[], |server| {
        for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
            let mut peer = Peer::websocket(server.address());
            // Frames behind a Close are never read.
            peer.send([close(code, b"bye"), frame(TEXT, b"more")].concat());
            peer.is_closed_with(code);
        }
        let mut empty = Peer::websocket(server.address());
        empty.send(frame(CLOSE, b""));
        assert_eq!(empty.frame(), (CLOSE, Vec::new()));
        empty.ends();
        let mut gone = Peer::websocket(server.address());
        gone.half_close();
        gone.ends();
    });
}

#[test]
fn messages_and_control_frames_come_back_in_order() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &[]);
        let mut peer = server.connect();
        // Frames right behind the handshake, in the same segment.
        let mut stream = HANDSHAKE.as_bytes().to_vec();
        stream.extend(frame(TEXT, "grün".as_bytes()));
        stream.extend(frame(0x01, b"in "));
        stream.extend(frame(PING, b"between"));
        stream.extend(frame(0x00, b""));
        stream.extend(frame(PONG, b"unasked"));
        stream.extend(frame(0x80, "pieces ü".as_bytes()));
        stream.extend(frame(BINARY, b""));
        stream.extend(frame(PING, &[b'p'; 125]));
        stream.extend(frame(BINARY, &pattern(70_000)));
        peer.send(&stream);
        assert_eq!(peer.reply().status, 101);
        assert_eq!(peer.frame(), (TEXT, "grün".into()));
        assert_eq!(peer.frame(), (PONG, b"between".to_vec()));
        assert_eq!(peer.frame(), (TEXT, "in pieces ü".into()));
        assert_eq!(peer.frame(), (BINARY, Vec::new()));
        assert_eq!(peer.frame(), (PONG, vec![b'p'; 125]));
        assert!(peer.frame() == (BINARY, pattern(70_000)));
        for index in 0..2000 {
            stream.clear();
            stream.extend(frame(TEXT, index.to_string().as_bytes()));
            peer.send(&stream);
        }
        for index in 0..2000 {
            assert_eq!(peer.frame(), (TEXT, index.to_string().into_bytes()));
        }
        peer.send(close(1000, b""));
        peer.is_closed_with(1000);
        assert_eq!(server.stop().messages, 2004, "{backend}");
    });
}

#[test]
fn the_largest_message_comes_back_whole() {
    with_servers(&[], |server| {
        let body = pattern(16 * MIB);
        let mut whole = Peer::websocket(server.address());
        whole.send(frame(BINARY, &body));
        assert!(whole.frame() == (BINARY, body.clone()));

        let mut pieces = Peer::websocket(server.address());
        let count = body.len().div_ceil(100_000);
        for (index, piece) in body.chunks(100_000).enumerate() {
            let opcode = if index == 0 { 0x02 } else { 0x00 };
            let fin = if index == count - 1 { 0x80 } else { 0 };
            pieces.send(frame(fin | opcode, piece));
        }
        assert!(pieces.frame() == (BINARY, body));
        pieces.send(close(1000, b""));
        pieces.is_closed_with(1000);
    });
}

#[test]
fn a_frame_in_single_bytes_comes_back_whole() {
    with_servers(&[], |server| {
        let body = pattern(64 * 1024);
        let mut peer = Peer::websocket(server.address());
        for byte in frame(BINARY, &body) {
            peer.send([byte]);
        }
        assert!(peer.frame() == (BINARY, body));
    });
}

#[test]
fn a_silent_peer_is_pinged_and_then_cut() {
    let times = ["--ping-interval", "1", "--ping-timeout", "4"];
    with_servers(&times, |server| {
        let mut silent = Peer::websocket(server.address());
        let mut alive = Peer::websocket(server.address());
        let mut talking = Peer::websocket(server.address());
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(250));
            talking.send(frame(TEXT, b"still here"));
            assert_eq!(talking.frame().0, TEXT, "who speaks is not asked");
            if alive.has_news() {
                let (first, payload) = alive.frame();
                assert_eq!(first, PING);
                alive.send(frame(PONG, &payload));
            }
        }
        assert_eq!(silent.frame().0, PING);
        assert_eq!(silent.is_cut(), 0, "it did not answer");
        alive.send(frame(TEXT, b"and well"));
        let mut answer = alive.frame();
        while answer.0 == PING {
            answer = alive.frame();
        }
        assert_eq!(answer, (TEXT, b"and well".to_vec()), "who answers stays");
    });
}

#[test]
fn a_peer_that_is_still_receiving_is_not_silent() {
    // It sends nothing for longer than both times together, because it reads one large message all the while.
    let times = [
        "--ping-interval",
        "0.5",
        "--ping-timeout",
        "0.5",
        "--send-buffer",
        "65536",
    ];
    with_servers(&times, |server| {
        let body = pattern(12 * MIB);
        let message = frame(BINARY, &body);
        let mut peer = Peer::websocket(server.address());
        peer.send(message);
        let deadline = Instant::now() + PATIENCE;
        let mut received = peer.take(10);
        let until = Instant::now() + Duration::from_secs(3);
        while received.len() < body.len() + 10 {
            assert!(Instant::now() < deadline);
            let count = (body.len() + 10 - received.len()).min(100_000);
            received.extend(peer.take(count));
            if Instant::now() < until {
                thread::sleep(Duration::from_millis(40));
            }
        }
        assert!(received[10..] == body);
    });
}
