//! Peers that take their time: what they are told at a deadline, and that nobody else waits for them.
//!
//! ```text
//!   connect ──first byte──▶ head ──408     body ──408     reply not read: cut     idle: closed, nothing said
//! ```
//!
//! Deadlines belong to the server, so the tests compare events with one another: of two peers, the one whose time began
//! earlier must have been dealt with when the other one is, whatever it did in between.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::peer::{Peer, pattern, request, with_length};
use crate::server::{Server, eventually, may_open, with_servers};

const MOMENT: Duration = Duration::from_millis(100);
const MIB: usize = 1 << 20;

/// The peer is told `status`, and then the connection ends in order.
fn is_refused(peer: &mut Peer, status: u16, what: &str) {
    let reply = peer.reply();
    assert_eq!(reply.status, status, "{what}");
    assert_eq!(reply.field("Connection"), Some("close"), "{what}");
    peer.ends();
}

/// The connection is closed, which the peer only sees when it sends. It sends `piece` again and again.
fn is_closed_for(peer: &mut Peer, piece: &[u8]) {
    eventually("the server closes", || peer.try_send(piece).is_err());
}

#[test]
fn a_head_has_one_deadline_however_it_comes() {
    with_servers(&["--head-timeout", "1"], |server| {
        let mut dripping = server.connect();
        dripping.send("GET / HTTP/1.1\r\nX: ");
        for _ in 0..5 {
            thread::sleep(MOMENT);
            dripping.send("y");
        }
        let mut later = server.connect();
        later.send("G");
        while !later.has_news() && !dripping.has_news() {
            dripping.send("y");
            thread::sleep(MOMENT / 10);
        }
        is_refused(&mut later, 408, "a head without its end");
        assert!(dripping.has_news(), "it began earlier, so it ended earlier");
        is_refused(&mut dripping, 408, "a dripped head");
    });
}

#[test]
fn a_head_is_timed_from_its_first_byte_and_not_from_the_connection() {
    let limits = ["--head-timeout", "2", "--idle-timeout", "2"];
    with_servers(&limits, |server| {
        // Browsers connect before they know what to ask: neither the head's time nor the idle one runs yet.
        let mut early = server.connect();
        let mut witness = server.connect();
        assert_eq!(witness.fetch("/pipeline").text(), "ok");
        witness.ends();
        thread::sleep(MOMENT);
        assert_eq!(early.fetch("/pipeline").text(), "ok");
        // Requests of any number have a head's time each, not one together.
        for byte in request("GET", "/pipeline").bytes() {
            early.send([byte]);
        }
        assert_eq!(early.reply().text(), "ok");
        early.send("GET /");
        is_refused(&mut early, 408, "the second head");
    });
}

#[test]
fn nothing_is_said_to_a_peer_that_asked_nothing() {
    let limits = [
        "--first-byte-timeout",
        "3",
        "--idle-timeout",
        "3",
        "--head-timeout",
        "0.2",
    ];
    // RFC 9112 §2.2: empty lines before a request are ignored, so they are no request that took too long.
    let silences = ["", "\r", "\r\n", "\r\n\r\n\r"];
    with_servers(&limits, |server| {
        let mut peers = Vec::new();
        for silence in silences {
            let mut fresh = server.connect();
            fresh.send(silence);
            let mut used = server.connect();
            assert_eq!(used.fetch("/pipeline").text(), "ok");
            used.send(silence);
            peers.extend([fresh, used]);
        }
        for peer in &mut peers {
            peer.ends();
        }
        let mut asked = server.connect();
        asked.send("\r\nG");
        is_refused(&mut asked, 408, "a first byte behind an empty line");
    });
}

#[test]
fn empty_lines_move_no_deadline() {
    with_servers(&["--first-byte-timeout", "3"], |server| {
        let mut lines = server.connect();
        thread::sleep(5 * MOMENT);
        let mut mute = server.connect();
        thread::sleep(2 * MOMENT);
        lines.send("\r\n");
        mute.ends();
        assert!(lines.has_news(), "it came earlier, so it went earlier");
        lines.ends();
    });
}

#[test]
fn a_body_needs_its_rate_in_every_window() {
    let limits = ["--body-grace", "1", "--body-rate-min", "1000"];
    with_servers(&limits, |server| {
        let begin = |path: &str, framing: &str, bytes: &[u8]| {
            let mut peer = server.connect();
            peer.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n"));
            peer.send(bytes);
            peer
        };
        let endless = "Content-Length: 1000000\r\n";
        let chunks = "Transfer-Encoding: chunked\r\n";
        let fast = pattern(100_000);
        let one_chunk = [b"fffff\r\n".as_slice(), &fast].concat();
        let mut slow = [
            ("nothing but a head", begin("/echo", endless, b"")),
            ("a streamed one", begin("/upload", endless, b"")),
            // Worth 100 seconds, if a fast start bought time.
            ("collected", begin("/echo", endless, &fast)),
            ("streamed", begin("/upload", endless, &fast)),
            ("chunked", begin("/upload", chunks, &one_chunk)),
            // The bytes of framing are no body.
            ("trailers", begin("/upload", chunks, b"1\r\nx\r\n0\r\n")),
        ];
        let mut steady = begin("/echo", "Content-Length: 48000\r\n", b"");
        for round in 0..80 {
            thread::sleep(MOMENT);
            steady.send([b's'; 600]);
            if round % 5 == 0 {
                for (name, peer) in &mut slow {
                    let byte: &[u8] = if *name == "trailers" { b"X" } else { b"x" };
                    if !peer.has_news() {
                        peer.send(byte);
                    }
                }
            }
        }
        assert_eq!(steady.reply().body.len(), 48_000, "{}", server.backend);
        for (name, peer) in &mut slow {
            assert!(peer.has_news(), "{name} outlived a body of eight windows");
            is_refused(peer, 408, name);
        }
    });
}

#[test]
fn a_connection_has_a_last_request() {
    with_servers(&["--requests-per-connection-max", "3"], |server| {
        let body = b"with a body".as_slice();
        let fetch = request("GET", "/pipeline").into_bytes();
        let last = [
            fetch.clone(),
            with_length("POST", "/echo", body),
            crate::peer::chunked("POST", "/echo", body, 3),
            with_length("POST", "/nowhere", body),
        ];
        for last in &last {
            let pipeline = [fetch.as_slice(), &fetch, last, &fetch].concat();
            for at_once in [true, false] {
                let mut peer = server.connect();
                if at_once {
                    peer.send(&pipeline);
                }
                for number in 1..=3 {
                    if !at_once {
                        peer.send(if number < 3 { &fetch } else { last });
                    }
                    let closes = (number == 3).then_some("close");
                    assert_eq!(peer.reply().field("Connection"), closes, "{number}");
                }
                peer.ends();
                // The usual end: what still comes is forgotten, and resets nothing.
                peer.try_send(&fetch).expect("it lingers");
            }
        }
        // A WebSocket is no series of requests.
        let mut upgraded = server.connect();
        upgraded.send([&fetch[..], &fetch].concat());
        assert_eq!(upgraded.reply().status, 200);
        assert_eq!(upgraded.reply().status, 200);
        assert_eq!(upgraded.ask(crate::frames::HANDSHAKE).status, 101);
        let message = crate::frames::frame(crate::frames::TEXT, b"still here");
        for _ in 0..5 {
            upgraded.send(&message);
            assert_eq!(upgraded.frame().1, b"still here");
        }
    });
}

#[test]
fn the_limits_of_framing_and_output_have_flags() {
    let limits = "--chunk-extension-bytes-max 9 --trailer-bytes-max 9 --outbox-high-bytes 0";
    let limits: Vec<&str> = limits.split_whitespace().collect();
    with_servers(&limits, |server| {
        let upload = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let bodies = [
            ("1;abcdefgh\r\nx\r\n0\r\nA: bcde\r\n\r\n", 200),
            ("1;abcdefghi\r\nx\r\n0\r\n\r\n", 400),
            ("1\r\nx\r\n0\r\nA: bcdef\r\n\r\n", 431),
        ];
        for (body, status) in bodies {
            let mut peer = server.connect();
            let reply = peer.ask(format!("{upload}{body}"));
            assert_eq!(reply.status, status, "{body:?} on {}", server.backend);
        }
        // Every reply has to leave before the next request is read: slower, and complete.
        let mut pipeline = server.connect();
        pipeline.send(request("GET", "/").repeat(1000));
        for _ in 0..1000 {
            assert_eq!(pipeline.reply().status, 200);
        }
    });
}

#[test]
fn lingering_ends_by_time() {
    with_servers(&["--linger-timeout", "0.5"], |server| {
        let mut refused = server.connect();
        refused.send("nonsense\r\n\r\n");
        is_refused(&mut refused, 400, "nonsense");
        is_closed_for(&mut refused, b"x");
        let mut closing = server.connect();
        let last = "GET /pipeline HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        assert_eq!(closing.ask(last).text(), "ok");
        closing.ends();
        is_closed_for(&mut closing, b"x");
    });
}

#[test]
fn lingering_ends_by_bytes() {
    let limits = ["--linger-timeout", "60", "--linger-bytes-max", "10000"];
    with_servers(&limits, |server| {
        let mut peer = server.connect();
        peer.send("nonsense\r\n\r\n");
        is_refused(&mut peer, 400, "nonsense");
        for _ in 0..9 {
            peer.send([b'x'; 1000]);
            thread::sleep(MOMENT / 10);
        }
        // A closed connection answers the first byte with a reset, which the second one meets.
        for _ in 0..2 {
            peer.try_send("x").expect("below the limit it stays");
            thread::sleep(MOMENT);
        }
        is_closed_for(&mut peer, &[b'x'; 1000]);
    });
}

/// A peer whose kernel takes little, so that the server sees at what pace it reads.
fn with_small_receive_buffer(address: SocketAddr) -> Peer {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    // Before connect: the window is agreed on there, tcp(7).
    socket.set_recv_buffer_size(4608).expect("a small buffer");
    socket.connect(&address.into()).expect("somebody listens");
    Peer::over(TcpStream::from(socket))
}

#[test]
fn a_slow_reader_is_no_stalled_one() {
    let limits = ["--write-stall-timeout", "3", "--send-buffer", "4608"];
    with_servers(&limits, |server| {
        let body = pattern(MIB);
        let mut peer = with_small_receive_buffer(server.address());
        peer.send(with_length("POST", "/echo", &body));
        let head = peer.reply_head_bytes();
        peer.take(head);
        // 15 KiB a second, for twice the time of a stall. Then the rest at once, so that the test ends.
        let mut received = Vec::new();
        for _ in 0..60 {
            received.extend(peer.take(1536));
            thread::sleep(MOMENT);
        }
        received.extend(peer.take(MIB - received.len()));
        assert!(received == body, "{}", server.backend);
        assert_eq!(peer.fetch("/pipeline").text(), "ok", "{}", server.backend);
    });
}

/// How many peers are slow at once.
const SLOW: usize = 960;

/// Two hundred requests, one after the other.
fn ordinary(server: &Server) {
    let mut peer = server.connect();
    for _ in 0..200 {
        assert_eq!(peer.fetch("/plaintext").text(), "Hello, World!");
        thread::sleep(MOMENT / 20);
    }
}

#[test]
fn slow_heads_delay_nobody_and_are_all_told() {
    // On three backends at once.
    if !may_open(3 * SLOW as u64 + 2000) {
        return;
    }
    with_servers(&["--head-timeout", "2"], |server| {
        thread::scope(|scope| {
            let ordinary = scope.spawn(|| ordinary(server));
            let mut slow: Vec<Peer> = (0..SLOW).map(|_| server.connect()).collect();
            for peer in &mut slow {
                peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
            }
            // The last one came last, so when its time is over, everybody's is.
            while !slow[SLOW - 1].has_news() {
                for peer in &mut slow {
                    if !peer.has_news() {
                        peer.send("y");
                    }
                }
                thread::sleep(MOMENT);
            }
            for peer in &mut slow {
                is_refused(peer, 408, "a slow head");
            }
            ordinary.join().expect("the ordinary client was served");
        });
    });
}
