//! Whatever the kernel does, and whoever pauses: the bytes of the calm run.

use std::fmt::Write;

use super::{Site, Stage, masked};
use crate::limits::Limits;

/// What a client sends, and how many replies come.
struct Conversation {
    name: &'static str,
    bytes: Vec<u8>,
    replies: usize,
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn in_chunks(target: &str, chunks: &[&str]) -> String {
    let mut text =
        format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in chunks {
        write!(text, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
    }
    text + "0\r\nA: b\r\n\r\n"
}

fn conversations() -> Vec<Conversation> {
    let ranged = |target: &str, set: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nRange: bytes={set}\r\n\r\n")
    };
    let old = |target: &str| format!("GET {target} HTTP/1.0\r\n\r\n");
    let head = |target: &str| format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let long = "0123456789".repeat(60);
    [
        (
            "chunks",
            get("/chunked?5000") + &get("/chunked?0") + &get("/chunked?100000"),
            3,
        ),
        (
            "a length",
            get("/sized?40000") + &get("/sized?0") + &get("/sized?1"),
            3,
        ),
        ("until close", old("/chunked?50000") + &get("/never"), 1),
        (
            "rests",
            get("/rests?9000") + &get("/in") + &get("/rests?20"),
            3,
        ),
        ("rests, old", old("/rests?9000"), 1),
        (
            "trailers",
            get("/trailers?3000") + &get("/channel") + &get("/trailers?0"),
            3,
        ),
        (
            "heads",
            head("/chunked?9") + &head("/sized?9") + &head("/files/8193") + &get("/in"),
            4,
        ),
        (
            "a body",
            post("/in", "hello") + &post("/in", &long) + &get("/in"),
            3,
        ),
        (
            "a body in chunks",
            in_chunks("/in", &["a", "bc", &long, "d"]) + &post("/in", "x"),
            2,
        ),
        (
            "a body that is refused",
            post("/in", "fine") + &post("/in", "yes, no! never") + &get("/never"),
            2,
        ),
        (
            "refused in chunks",
            in_chunks("/in", &["well", "no!", "never"]) + &get("/never"),
            1,
        ),
        (
            "a body, then a stream",
            post("/rests?4000", &long) + &in_chunks("/sized?4000", &["x"]) + &post("/in", "y"),
            3,
        ),
        (
            "files",
            get("/files/300000")
                + &get("/files/1")
                + &get("/files/8192")
                + &get("/files/0")
                + &get("/files/8193"),
            5,
        ),
        (
            "parts of files",
            ranged("/files/300000", "1-299998")
                + &ranged("/files/300000", "9-9,100-90000,-100")
                + &ranged("/files/8193", "0-0,2-2")
                + &get("/chunked?3"),
            4,
        ),
        (
            "a file, then the end",
            old("/files/300000") + &get("/never"),
            1,
        ),
        (
            "a file behind a body",
            post("/in", &long) + &get("/files/8193") + &get("/files/none"),
            3,
        ),
    ]
    .map(|(name, text, replies)| Conversation {
        name,
        bytes: text.into_bytes(),
        replies,
    })
    .into()
}

/// How a conversation is played.
#[derive(Clone, Copy, Debug)]
struct How {
    seed: u64,
    /// Bytes of each write, as far as they go.
    cut: usize,
    /// Turns between two writes.
    pause: usize,
    /// What fits into the peer's window.
    window: usize,
}

const CALM: How = How {
    seed: 0,
    cut: usize::MAX,
    pause: 0,
    window: 1 << 20,
};

fn play(conversation: &Conversation, site: &Site, how: How) -> String {
    let mut stage = Stage::new(how.seed, site, Limits::default());
    let peer = stage.connect();
    peer.window(how.window);
    let mut received = Vec::new();
    for piece in conversation.bytes.chunks(how.cut.min(1 << 20)) {
        peer.write(piece);
        for _ in 0..how.pause {
            stage.turn();
            received.extend(peer.read_all());
        }
    }
    peer.end();
    received.extend(stage.rest(&peer));
    stage.is_empty(conversation.name);
    masked(&received)
}

fn expected(conversation: &Conversation, site: &Site) -> String {
    let reply = play(conversation, site, CALM);
    let name = conversation.name;
    let replies = reply.matches("HTTP/1.1 ").count();
    assert_eq!(replies, conversation.replies, "{name}: {reply}");
    assert!(!reply.contains("never"), "{name}: {reply}");
    reply
}

fn is_same(conversation: &Conversation, site: &Site, how: How, expected: &str) {
    let reply = play(conversation, site, how);
    if reply != expected {
        let same = reply.bytes().zip(expected.bytes());
        let at = same.take_while(|(one, other)| one == other).count();
        let around = |text: &str| {
            let bytes = &text.as_bytes()[at.saturating_sub(60).min(text.len())..];
            String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned()
        };
        let (one, other) = (around(&reply), around(expected));
        panic!(
            "{}, {how:?}: at {at}:\n{one}\ninstead of\n{other}",
            conversation.name
        );
    }
}

#[test]
fn every_seed_gives_the_same_bytes() {
    let site = Site::new();
    for conversation in conversations() {
        let whole = expected(&conversation, &site);
        for seed in 1..=60_u64 {
            let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let how = How {
                seed: mixed,
                cut: 1 + (mixed >> 40) as usize % 60,
                pause: (mixed >> 20) as usize % 3,
                window: [100, 3000, 70_000, 1 << 20][(mixed >> 50) as usize % 4]
                    .max(whole.len() / 300),
            };
            is_same(&conversation, &site, how, &whole);
        }
    }
}

#[test]
fn every_cut_gives_the_same_bytes() {
    let site = Site::new();
    for conversation in conversations() {
        let whole = expected(&conversation, &site);
        // Small writes at first, and then two, whose border wanders through the conversation.
        let step = 1 + conversation.bytes.len() / 120;
        for cut in (1..8).chain((8..conversation.bytes.len()).step_by(step)) {
            let how = How {
                seed: 2 + cut as u64 % 2,
                cut,
                pause: 4,
                window: 1 << 20,
            };
            is_same(&conversation, &site, how, &whole);
        }
    }
}

#[test]
fn pauses_happen() {
    let site = Site::new();
    let mut stage = Stage::new(1, &site, Limits::default());
    let peer = stage.connect();
    for byte in post("/in", "0123456789").bytes() {
        peer.write(&[byte]);
        stage.turn();
    }
    peer.end();
    assert!(masked(&stage.rest(&peer)).contains("\r\n\r\n10 "));
    assert!(
        stage.ledger.pauses.get() > 1,
        "{}",
        stage.ledger.pauses.get()
    );
    stage.is_empty("pauses");
}
