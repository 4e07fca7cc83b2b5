//! Bursts of short messages to peers that do not read: what is held, what a turn gives, and who is told.

use super::rig::{Rig, frame, frames, say, texts};
use crate::driver::sim::{Shape, SimPeer};
use crate::limits::Limits;

/// As in `reactor/turn.rs`, times the most messages of a call.
const PER_TURN_MAX: u64 = 512 * 64;

const MIB: usize = 1 << 20;

/// A worker with subscribers whose windows hold 1000 bytes more.
fn subscribed(count: usize, memory_bytes_max: usize) -> (Rig, Vec<SimPeer>) {
    let limits = Limits {
        memory_bytes_max,
        ..Limits::default()
    };
    let mut rig = Rig::alone(Shape::Readiness, limits);
    let peers: Vec<_> = (0..count).map(|_| rig.connect()).collect();
    rig.turns(10);
    for peer in &peers {
        say(peer, "join t");
    }
    rig.turns(10);
    for peer in &peers {
        assert!(frames(peer).is_empty());
        peer.window(1000);
    }
    (rig, peers)
}

fn publish(rig: &Rig, count: usize) {
    let text = "x".repeat(1000);
    for _ in 0..count {
        rig.publisher.publish_text("t", &text).expect("room");
    }
}

#[test]
fn a_burst_ends_peers_that_let_too_much_wait() {
    let (mut rig, _peers) = subscribed(20, 32 * MIB);
    publish(&rig, 20_000);
    let mut before = 0;
    for turn in 0..40 {
        rig.turn();
        assert!(rig.reactor.held_bytes() <= 32 * MIB, "turn {turn}");
        let delivered = rig.figures().delivered;
        assert!(delivered - before <= PER_TURN_MAX, "turn {turn}");
        before = delivered;
    }
    assert_eq!(rig.reactor.live(), 0);
    assert_eq!(rig.reactor.held_bytes(), 0);
}

#[test]
fn at_the_memory_ceiling_a_burst_closes_with_1013() {
    let (mut rig, peers) = subscribed(20, 4 * MIB);
    publish(&rig, 800);
    for turn in 0..5 {
        rig.turn();
        let held = rig.reactor.held_bytes();
        assert!(held <= 4 * MIB + 64 * 1024, "turn {turn}: {held}");
    }
    let mut told = 0;
    for peer in &peers {
        peer.window(usize::MAX);
    }
    rig.turns(20);
    for peer in &peers {
        let frames = frames(peer);
        let texts = frames.iter().filter(|(first, _)| *first == 0x81).count();
        match frames.last() {
            Some((0x88, payload)) => {
                assert_eq!(payload[..2], 1013_u16.to_be_bytes());
                told += 1;
            }
            _ => assert_eq!(texts, 800, "everything, or a Close"),
        }
    }
    assert!(told > 0);
}

#[test]
fn a_burst_reaches_whoever_reads() {
    let (mut rig, peers) = subscribed(3, 32 * MIB);
    for peer in &peers {
        peer.window(usize::MAX);
    }
    publish(&rig, 5_000);
    let mut got = [0; 3];
    for _ in 0..10 {
        rig.turn();
        for (got, peer) in got.iter_mut().zip(&peers) {
            *got += texts(peer).len();
        }
    }
    assert_eq!(got, [5_000; 3]);
    assert_eq!(rig.figures().delivered, 15_000);
}

#[test]
fn at_the_memory_ceiling_nothing_waits_behind_an_unfinished_message() {
    // With a ceiling of one byte nothing may wait; with the other, some messages may.
    for memory_bytes_max in [1, 300 * 1024] {
        let limits = Limits {
            memory_bytes_max,
            ..Limits::default()
        };
        let mut rig = Rig::alone(Shape::Readiness, limits);
        let peer = rig.connect();
        rig.turns(5);
        say(&peer, "join t");
        rig.turns(5);
        say(&peer, "piece begun");
        rig.turns(5);
        for _ in 0..400 {
            publish(&rig, 1);
            rig.turns(2);
            assert!(rig.reactor.held_bytes() <= memory_bytes_max + 2000);
        }
        assert_eq!(rig.figures().dropped, 0, "all are kept, or it is told");
        let (first, payload) = frames(&peer).pop().expect("a Close");
        assert_eq!((first, &payload[..2]), (0x88, &1013_u16.to_be_bytes()[..]));
    }
}

#[test]
fn who_comes_back_before_the_welcome_gets_the_history_it_asked_for() {
    let limits = Limits {
        topic_history_max: 5,
        ..Limits::default()
    };
    let mut rig = Rig::alone(Shape::Readiness, limits);
    rig.publisher.publish_text("t", "old").expect("room");
    let peer = rig.connect();
    rig.turns(5);
    // In one segment: the first welcome cannot come between them.
    let orders = ["join t", "leave t", "watch t"].map(|order| frame(0x81, order.as_bytes()));
    peer.write(&orders.concat());
    rig.turns(10);
    rig.publisher.publish_text("t", "new").expect("room");
    rig.turns(5);
    assert_eq!(texts(&peer), ["new"]);
    assert_eq!(rig.figures().delivered, 1, "and once");
}

#[test]
fn a_handler_may_finish_a_message_with_a_large_one_waiting_behind_it() {
    // The last piece sends what waited: a large shared frame, before which the cork goes to the outbox, in the middle of
    // the handler's call.
    let mut rig = Rig::alone(Shape::Readiness, Limits::default());
    let peer = rig.connect();
    for order in ["join t", "piece begun"] {
        rig.turns(5);
        say(&peer, order);
    }
    rig.turns(5);
    rig.publisher
        .publish_text("t", &"x".repeat(5000))
        .expect("room");
    rig.turns(5);
    let firsts = |peer| -> Vec<u8> { frames(peer).iter().map(|(first, _)| *first).collect() };
    assert_eq!(firsts(&peer), [0x01]);
    // Pings in the same segment: their pongs are in the cork when the handler is called.
    let pings = frame(0x89, b"12345678").repeat(200);
    peer.write(&[pings, frame(0x81, b"last end")].concat());
    rig.turns(10);
    let mut expected = vec![0x8a; 200];
    expected.extend([0x80, 0x81]);
    assert_eq!(firsts(&peer), expected);
}
