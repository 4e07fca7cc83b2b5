//! A hundred thousand subscribers on one worker: what a turn costs, and who is served meanwhile.

use super::rig::{Rig, frames, say, texts};
use crate::driver::sim::{Shape, SimPeer};
use crate::limits::Limits;

const CROWD: usize = 100_000;
/// As in `reactor/turn.rs`.
const CALLS_PER_TURN_MAX: u64 = 512;

#[test]
fn publishing_to_many_does_not_hold_the_loop() {
    let mut rig = Rig::alone(Shape::Readiness, Limits::default());
    let crowd: Vec<SimPeer> = (0..CROWD)
        .map(|_| {
            let peer = rig.connect();
            say(&peer, "join news");
            peer
        })
        .collect();
    let other = rig.connect();
    rig.turns(12);
    assert_eq!(rig.reactor.live(), CROWD + 1);
    frames(&other);
    for number in 0..3 {
        let text = format!("message {number}");
        rig.publisher.publish_text("news", &text).expect("room");
    }
    let (mut turns, mut before) = (0, 0);
    // A peer that says something is answered in the same turn, however many are still to be called.
    while rig.figures().delivered < 3 * CROWD as u64 {
        say(&other, "hello");
        rig.turn();
        assert_eq!(texts(&other), ["hello"], "turn {turns}");
        let delivered = rig.figures().delivered;
        assert!(delivered - before <= 3 * CALLS_PER_TURN_MAX, "turn {turns}");
        before = delivered;
        turns += 1;
        assert!(turns < 1000, "it goes on");
    }
    assert!(turns >= CROWD as u64 / CALLS_PER_TURN_MAX);
    assert_eq!(rig.figures().encoded, 3);
    for peer in &crowd {
        assert_eq!(texts(peer), ["message 0", "message 1", "message 2"]);
    }
}
