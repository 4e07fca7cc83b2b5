//! On the in-memory driver: every cut, and every seed.

use super::application::{Simulated, masked};
use super::recorded::{Recorded, all};
use crate::limits::Limits;

/// Plays a recording in the given pieces, and says what came back and whether the connection was closed.
fn play(seed: u64, pieces: &[&[u8]], at_once: bool) -> (String, bool) {
    let mut server = Simulated::new(seed, Limits::default());
    let peer = server.connect();
    for piece in pieces {
        peer.write(piece);
        if !at_once {
            server.settle();
        }
    }
    server.settle();
    peer.end();
    server.settle();
    let mut reply = peer.read();
    server.settle();
    reply.extend(peer.read());
    assert!(!peer.is_reset(), "nothing is closed over unread input");
    assert!(peer.is_ended(), "both sides have ended");
    (masked(&reply), server.reactor.live() == 0)
}

fn expected(recorded: &Recorded) -> String {
    let (reply, closed) = play(0, &[&recorded.bytes], true);
    assert!(closed, "{}", recorded.name);
    let count = reply.matches("HTTP/1.1 ").count();
    assert_eq!(count, recorded.replies, "{}: {reply}", recorded.name);
    assert!(!reply.contains("never"), "{}: {reply}", recorded.name);
    reply
}

#[test]
fn every_cut_gives_the_same_bytes() {
    for recorded in all() {
        let whole = expected(&recorded);
        for cut in 1..recorded.bytes.len() {
            let (front, back) = recorded.bytes.split_at(cut);
            let (reply, closed) = play(0, &[front, back], false);
            assert!(
                closed && reply == whole,
                "{} cut at {cut}:\n{reply}\ninstead of\n{whole}",
                recorded.name
            );
        }
    }
}

#[test]
fn byte_by_byte_gives_the_same_bytes() {
    for recorded in all() {
        let whole = expected(&recorded);
        let single: Vec<&[u8]> = recorded.bytes.chunks(1).collect();
        for at_once in [true, false] {
            assert_eq!(play(0, &single, at_once).0, whole, "{}", recorded.name);
        }
    }
}

#[test]
fn every_seed_gives_the_same_bytes() {
    for recorded in all() {
        let whole = expected(&recorded);
        for seed in 1..200_u64 {
            let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let size = 1 + (seed >> 40) as usize % 40;
            let pieces: Vec<&[u8]> = recorded.bytes.chunks(size).collect();
            for at_once in [true, false] {
                let (reply, closed) = play(seed, &pieces, at_once);
                assert!(
                    closed && reply == whole,
                    "{} seed {seed}: {reply}",
                    recorded.name
                );
            }
        }
    }
}

#[test]
fn a_reset_at_any_byte_disturbs_nobody() {
    for recorded in all() {
        for cut in (0..recorded.bytes.len()).step_by(3) {
            let mut server = Simulated::new(cut as u64, Limits::default());
            let (healthy, dying) = (server.connect(), server.connect());
            dying.write(&recorded.bytes[..cut]);
            server.settle();
            dying.reset();
            healthy.write(b"GET /fine HTTP/1.1\r\nHost: a\r\n\r\n");
            server.settle();
            assert_eq!(server.reactor.live(), 1, "{} at {cut}", recorded.name);
            assert!(
                masked(&healthy.read()).ends_with("/fine"),
                "{} at {cut}",
                recorded.name
            );
        }
    }
}
