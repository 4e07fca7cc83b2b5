//! Every ping is answered, in order, and a peer that does not read cannot make the answers pile up (RFC 6455 §5.5.2,
//! §5.5.3).

use super::super::application::Simulated;
use super::{BEGIN, LAST, MORE, PING, PONG, TEXT, Talk, frame, handshake, understood};
use crate::limits::Limits;

/// Pings between messages and inside of one, each with a payload of its own, up to the longest.
fn conversation() -> (Vec<u8>, Vec<String>) {
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for (index, size) in [0, 1, 2, 5, 124, 125].into_iter().enumerate() {
        let payload = format!("{index}").repeat(size);
        bytes.extend(frame(PING, payload.as_bytes()));
        expected.push(format!("pong {payload}"));
    }
    let parts = [(BEGIN, "gr"), (MORE, ""), (MORE, "ün "), (LAST, "ist es")];
    for (index, (first, text)) in parts.into_iter().enumerate() {
        bytes.extend(frame(first, text.as_bytes()));
        if index < 3 {
            let payload = format!("between {index}");
            bytes.extend(frame(PING, payload.as_bytes()));
            expected.push(format!("pong {payload}"));
        }
    }
    expected.push("grün ist es".to_owned());
    bytes.extend(frame(TEXT, b"and on"));
    bytes.extend(frame(PING, b"the last"));
    expected.extend(["and on".to_owned(), "pong the last".to_owned()]);
    (bytes, expected)
}

#[test]
fn every_ping_is_answered_in_order_however_they_are_cut() {
    let (bytes, expected) = conversation();
    let play = |seed: u64, pieces: &[&[u8]]| {
        let mut server = Simulated::new(seed, Limits::default());
        let mut talk = Talk::open(&mut server, "/ws");
        for piece in pieces {
            talk.say(piece);
        }
        server.settle();
        understood(&talk.heard())
    };
    assert_eq!(play(0, &[&bytes]), expected);
    for cut in 1..bytes.len() {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(play(0, &[front, back]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    for seed in 0..8 {
        assert_eq!(play(seed, &single), expected, "seed {seed}");
    }
}

#[test]
fn pongs_of_a_deaf_peer_do_not_pile_up_and_none_is_lost() {
    for seed in [0, 7] {
        let mut server = Simulated::new(seed, Limits::default());
        let mut talk = Talk::open(&mut server, "/ws");
        talk.peer.set_window(1000);
        let count: usize = 20_000;
        let pings: Vec<u8> = (0..count)
            .flat_map(|index| frame(PING, format!("{index:0>100}").as_bytes()))
            .collect();
        for lend in pings.chunks(50_000) {
            talk.say(lend);
        }
        server.settle();
        // 2 MB of pongs are asked for. What waits is the outbox up to its mark, and input that had left the kernel: of a
        // ring up to 512 KiB. Twice that, as docs/LIMITS.md says.
        let held = server.reactor.held_bytes();
        assert!(held < 1280 * 1024, "seed {seed}: {held} bytes are held");
        talk.peer.set_window(usize::MAX);
        let mut frames = Vec::new();
        let mut turns = 0;
        while frames.len() < count && turns < 100_000 {
            server.turn();
            frames.extend(talk.heard());
            turns += 1;
        }
        assert_eq!(frames.len(), count, "seed {seed}");
        for (index, (first, payload)) in frames.into_iter().enumerate() {
            assert_eq!(first, PONG);
            assert_eq!(payload, format!("{index:0>100}").into_bytes());
        }
    }
}

#[test]
fn pings_that_come_with_the_handshake_are_answered_behind_it() {
    let mut server = Simulated::new(0, Limits::default());
    let peer = server.connect();
    let bytes = [handshake("/ws").as_bytes(), &frame(PING, b"early")].concat();
    peer.write(&bytes);
    server.settle();
    assert!(peer.read().ends_with(b"\r\n\r\n\x8a\x05early"));
}
