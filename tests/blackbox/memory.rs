//! What peers can make the server keep. The limits are documented; a flood that is never read must stay within them.
//!
//! ```text
//!   64 peers × 2 × (unread input + what is being put together + replies)     and never more than --memory-bytes-max
//! ```
//!
//! `docs/LIMITS.md` says where the parts and the 2 come from.

use std::thread;
use std::time::Duration;

use crate::frames::{BINARY, frame, header};
use crate::peer::{Peer, pattern, with_length};
use crate::server::{Server, eventually, with_servers};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const PEERS: u64 = 64;
/// The defaults of --outbox-high-bytes and --body-bytes-max.
const OUTBOX_HIGH: u64 = 64 * KIB;
const BODY_MAX: u64 = MIB;

/// The most memory that `PEERS` peers may cost, if the largest unit (body, message, or reply) has `unit` bytes.
fn bound(server: &Server, unit: u64) -> u64 {
    let unread = match server.backend.as_str() {
        // All 256 buffers of the ring may have been filled by one peer before it was paused.
        "io-uring" => 512 * KIB,
        _ => 64 * KIB,
    };
    PEERS * 2 * (unread + unit + OUTBOX_HIGH)
}

/// What 64 peers cost, each of which sends `flood` and reads nothing, while others are served. Also gives one of the
/// peers, and how many bytes it could send.
fn cost_of(server: &Server, connect: impl Fn() -> Peer, flood: &[u8]) -> (u64, Peer, usize) {
    let mut healthy = server.connect();
    assert_eq!(healthy.fetch("/pipeline").text(), "ok");
    let before = server.resident_bytes();
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let mut peer = connect();
        let sent = peer.stuff(flood);
        peers.push((peer, sent));
        assert_eq!(healthy.fetch("/plaintext").text(), "Hello, World!");
    }
    let grown = server.peak_bytes().saturating_sub(before);
    println!(
        "{}: {} KiB for each peer",
        server.backend,
        grown / KIB / PEERS
    );
    assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
    let (peer, sent) = peers.swap_remove(0);
    (grown, peer, sent)
}

/// So long that nobody is cut for not reading, however slowly the flood is built: how much is kept is the question here.
const PATIENT: [&str; 2] = ["--write-stall-timeout", "300"];

#[test]
fn pipelines_that_are_never_read_stay_within_the_outbox() {
    with_servers(&PATIENT, |server| {
        // 10,000 replies of 1.2 KiB: 12 MiB for each peer, if nobody stopped.
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let flood = request.repeat(10_000);
        let (grown, mut peer, sent) = cost_of(server, || server.connect(), flood.as_bytes());
        let bound = bound(server, 2 * KIB);
        assert!(grown < bound, "{}: {grown} bytes", server.backend);
        // Nobody was cut to keep it small: once it reads, it gets every reply.
        for _ in 0..sent / request.len() {
            assert_eq!(peer.reply().status, 200);
        }
    });
}

#[test]
fn echoes_that_are_never_read_stay_within_the_limits() {
    with_servers(&PATIENT, |server| {
        let body = pattern(MIB as usize);
        let request = with_length("POST", "/echo", &body);
        let flood = request.repeat(10);
        let (grown, mut peer, sent) = cost_of(server, || server.connect(), &flood);
        let bound = bound(server, BODY_MAX);
        assert!(grown < bound, "{}: {grown} bytes", server.backend);
        for _ in 0..sent / request.len() {
            assert!(peer.reply().body == body);
        }
    });
}

#[test]
fn messages_that_are_never_read_stay_within_the_outbox() {
    with_servers(&PATIENT, |server| {
        let (payload, connect) = (pattern(1000), || Peer::websocket(server.address()));
        let message = frame(BINARY, &payload);
        let (grown, mut peer, sent) = cost_of(server, connect, &message.repeat(10_000));
        let bound = bound(server, 2 * KIB);
        assert!(grown < bound, "{}: {grown} bytes", server.backend);
        for _ in 0..sent / message.len() {
            assert!(peer.frame() == (BINARY, payload.clone()));
        }
    });
}

#[test]
fn large_messages_that_are_never_read_stay_within_the_outbox() {
    with_servers(&PATIENT, |server| {
        let (payload, connect) = (pattern(MIB as usize), || Peer::websocket(server.address()));
        let message = frame(BINARY, &payload);
        let (grown, mut peer, sent) = cost_of(server, connect, &message.repeat(10));
        let bound = bound(server, MIB);
        assert!(grown < bound, "{}: {grown} bytes", server.backend);
        for _ in 0..sent / message.len() {
            assert!(peer.frame() == (BINARY, payload.clone()));
        }
    });
}

#[test]
fn unfinished_heads_stay_within_theirs() {
    with_servers(&[], |server| {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(16_000));
        let (grown, ..) = cost_of(server, || server.connect(), head.as_bytes());
        // Unread input alone, in memory that doubles.
        assert!(
            grown < PEERS * 32 * KIB + MIB,
            "{}: {grown} bytes",
            server.backend
        );
    });
}

#[test]
fn announced_lengths_reserve_nothing() {
    with_servers(&[], |server| {
        let upload = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nx";
        let (upload, ..) = cost_of(server, || server.connect(), upload);
        let echo = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx";
        let (echo, ..) = cost_of(server, || server.connect(), echo);
        let message = [header(BINARY, 16 * MIB), vec![0; 5]].concat();
        let (message, ..) = cost_of(server, || Peer::websocket(server.address()), &message);
        let grown = upload + echo + message;
        assert!(grown < 8 * MIB, "{}: {grown} bytes", server.backend);
    });
}

#[test]
fn unfinished_messages_stay_below_the_ceiling() {
    with_servers(&["--memory-bytes-max", "20000000"], |server| {
        // 64 × 4 MiB of messages that are never finished.
        let message = [header(BINARY, 5 * MIB), vec![0; 4 * MIB as usize]].concat();
        let (grown, ..) = cost_of(server, || Peer::websocket(server.address()), &message);
        assert!(grown < 48 * MIB, "{}: {grown} bytes", server.backend);
    });
}

#[test]
fn replies_in_flight_stay_below_the_ceiling() {
    with_servers(
        &["--memory-bytes-max", "20000000", "--send-buffer", "65536"],
        |server| {
            // Messages of 4 MiB whose echoes are never read: nearly all of each is handed to the kernel, and stays here.
            let message = frame(BINARY, &pattern(4 * MIB as usize));
            let before = server.resident_bytes();
            let mut peers = Vec::new();
            for _ in 0..20 {
                let mut peer = Peer::websocket(server.address());
                pour(&mut peer, &message);
                // The beginning of the echo, or a refusal: the message was dealt with.
                eventually("something comes", || peer.has_news());
                peers.push(peer);
            }
            let grown = server.peak_bytes().saturating_sub(before);
            assert!(grown < 40 * MIB, "{}: {grown} bytes", server.backend);
        },
    );
}

/// Sends `bytes` in portions until something comes back.
fn pour(peer: &mut Peer, bytes: &[u8]) {
    for portion in bytes.chunks(50_000) {
        if peer.has_news() || peer.try_send(portion).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn new_work_is_refused_at_the_ceiling_and_welcome_below_it() {
    with_servers(&["--memory-bytes-max", "3000000"], |server| {
        let (unfinished, body) = (vec![0; 1_200_000], pattern(1_000_000));
        let message = [header(BINARY, 5 * MIB), unfinished].concat();
        let mut greedy = Peer::websocket(server.address());
        pour(&mut greedy, &message);
        let mut second = Peer::websocket(server.address());
        pour(&mut second, &message);
        second.is_closed_with(1013);
        let mut echo = server.connect();
        pour(&mut echo, &with_length("POST", "/echo", &body));
        assert_eq!(echo.reply().status, 503, "{}", server.backend);
        echo.ends();
        // What needs no memory is still answered, and there is room again when the greedy one has gone.
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        assert!(
            !greedy.has_news(),
            "{}: who came first stays",
            server.backend
        );
        greedy.reset();
        eventually("there is room again", || {
            let mut again = server.connect();
            pour(&mut again, &with_length("POST", "/echo", &body));
            again.reply().status == 200
        });
    });
}
