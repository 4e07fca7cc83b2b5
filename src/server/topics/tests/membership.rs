//! However a connection ends, nothing of its subscriptions is left.

use super::rig::{Rig, frame, frames, say, texts};
use crate::driver::sim::{Shape, SimPeer};
use crate::limits::Limits;

const SHAPES: [Shape; 2] = [Shape::Readiness, Shape::Completion];

/// Ways to end, and the limits under which they are one.
type End = (&'static str, fn(&mut Rig, SimPeer));

const ENDS: [End; 8] = [
    ("a close of the peer's", |_, peer| {
        peer.write(&frame(0x88, &1000_u16.to_be_bytes()));
        peer.end();
    }),
    ("a close of ours", |rig, peer| {
        say(&peer, "close");
        rig.turns(10);
        assert_eq!(frames(&peer).pop().map(|(first, _)| first), Some(0x88));
        peer.write(&frame(0x88, &1000_u16.to_be_bytes()));
        peer.end();
    }),
    ("a FIN without a word", |_, peer| peer.end()),
    ("a reset", |_, peer| peer.reset()),
    ("a protocol error", |rig, peer| {
        peer.write(&frame(0xF1, b""));
        rig.turns(10);
        peer.end();
    }),
    ("a panic", |rig, peer| {
        say(&peer, "panic");
        rig.turns(10);
        peer.end();
    }),
    ("leaving", |rig, peer| {
        for topic in ["one", "two", "three"] {
            say(&peer, &format!("leave {topic}"));
        }
        rig.turns(10);
        assert!(rig.reactor.service().topics.is_empty(), "nobody is there");
        peer.end();
    }),
    ("a reset before the welcome", |rig, peer| {
        say(&peer, "join four");
        say(&peer, "join five");
        rig.turn();
        peer.reset();
    }),
];

fn subscriber(rig: &mut Rig) -> SimPeer {
    let peer = rig.connect();
    for topic in ["one", "two", "three"] {
        say(&peer, &format!("join {topic}"));
    }
    rig.turns(10);
    peer
}

#[test]
fn membership_ends_with_the_connection() {
    for shape in SHAPES {
        for (name, end) in ENDS {
            let mut rig = Rig::alone(shape, Limits::default());
            let peer = subscriber(&mut rig);
            assert!(!rig.reactor.service().topics.is_empty());
            // In the middle of a delivery.
            rig.publisher.publish_text("two", "news").expect("room");
            end(&mut rig, peer);
            rig.turns(40);
            assert_eq!(rig.reactor.live(), 0, "{name}");
            assert!(rig.reactor.service().topics.is_empty(), "{name}");
            rig.publisher
                .publish_text("one", "to nobody")
                .expect("room");
            rig.turns(3);
            assert!(rig.reactor.service().topics.is_empty(), "{name}");
        }
    }
}

#[test]
fn a_stop_ends_all_memberships() {
    for shape in SHAPES {
        let mut rig = Rig::alone(shape, Limits::default());
        let peers: Vec<_> = (0..5).map(|_| subscriber(&mut rig)).collect();
        rig.publisher.publish_text("one", "last").expect("room");
        rig.turn();
        rig.reactor.stop();
        rig.turns(5);
        for peer in &peers {
            peer.write(&frame(0x88, &1001_u16.to_be_bytes()));
            peer.end();
        }
        rig.turns(40);
        assert_eq!(rig.reactor.live(), 0);
        assert!(rig.reactor.service().topics.is_empty());
    }
}

#[test]
fn the_others_stay() {
    for shape in SHAPES {
        let mut rig = Rig::alone(shape, Limits::default());
        let (staying, going) = (subscriber(&mut rig), subscriber(&mut rig));
        going.reset();
        rig.turns(10);
        rig.publisher.publish_text("two", "news").expect("room");
        rig.turns(10);
        assert_eq!(texts(&staying), ["news"]);
        assert_eq!(rig.figures().delivered, 1);
    }
}

#[test]
fn a_close_goes_behind_what_was_queued() {
    for shape in SHAPES {
        let limits = Limits {
            outbox_high_bytes: 1000,
            outbox_low_bytes: 500,
            ..Limits::default()
        };
        let mut rig = Rig::alone(shape, limits);
        let peer = rig.connect();
        rig.turns(5);
        peer.window(100);
        say(&peer, "farewell 500");
        say(&peer, "burst 10");
        rig.turns(20);
        let mut got = Vec::new();
        for _ in 0..2000 {
            got.extend_from_slice(&peer.read_all());
            rig.turn();
        }
        let start = got
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head")
            + 4;
        let mut expected = Vec::new();
        for number in 0..500 {
            let text = format!("message {number}");
            expected.extend_from_slice(&[0x81, text.len() as u8]);
            expected.extend_from_slice(text.as_bytes());
        }
        expected.extend_from_slice(b"\x88\x0a\x03\xe8as asked");
        assert!(
            got[start..] == expected,
            "all that was queued, then the Close, then nothing"
        );
        peer.write(&frame(0x88, &1000_u16.to_be_bytes()));
        peer.end();
        rig.turns(20);
        assert_eq!(rig.reactor.live(), 0);
    }
}

#[test]
fn a_close_of_the_peers_is_answered_before_what_was_queued() {
    for shape in SHAPES {
        let limits = Limits {
            outbox_high_bytes: 1000,
            outbox_low_bytes: 500,
            ..Limits::default()
        };
        let mut rig = Rig::alone(shape, limits);
        let peer = rig.connect();
        rig.turns(5);
        peer.window(2000);
        say(&peer, "farewell 500");
        peer.write(&frame(0x88, &4000_u16.to_be_bytes()));
        rig.turns(20);
        let mut got = Vec::new();
        for _ in 0..200 {
            got.extend_from_slice(&peer.read_all());
            rig.turn();
        }
        assert!(got.ends_with(b"\x88\x0a\x03\xe8as asked") || got.ends_with(b"\x88\x02\x0f\xa0"));
        peer.end();
        rig.turns(20);
        assert_eq!(rig.reactor.live(), 0);
    }
}
