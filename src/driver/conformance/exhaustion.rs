//! Line 9 of the contract, with no descriptor left. A driver that needs one for each client runs out of them; every driver
//! can be told to stop while somebody else has all of them.

use std::fs::File;
use std::time::Duration;

use super::child::limit_descriptors;
use super::rig::{Heard, Peer, Rig};
use super::run::{Run, accepted, pooled};
use super::seen::Seen;
use crate::driver::{Driver, ListenerId};
use crate::sys::Family;

const CLIENTS: usize = 60;

fn refusals(seen: &[Seen], of: ListenerId) -> usize {
    let refused =
        |seen: &&Seen| matches!(seen, Seen::AcceptFailed(id, Some(libc::EMFILE)) if *id == of);
    seen.iter().filter(refused).count()
}

/// A driver that needs a descriptor for each client runs out, rests, and serves everybody in the end.
pub(super) fn running_out_of_descriptors_turns_nobody_away<R: Rig>() {
    let mut run = Run::<R>::new();
    let (first, mut friend) = run.client();
    let mut peers: Vec<_> = (0..CLIENTS)
        .map(|_| run.rig.connect(&run.address.clone()).expect("connect"))
        .collect();
    limit_descriptors(5);
    let listener = run.listener;
    run.until("EMFILE", |seen| refusals(seen, listener) > 0);
    let before = run.accepted().len();
    assert!(before < CLIENTS, "{before} were accepted");
    // It tries again a few times in a second, and not a thousand times.
    let mut events = 0;
    for _ in 0..10 {
        events += run.turn_with(Duration::from_millis(100), |_, _| {});
    }
    assert!(events < 10, "{events} events while nothing changed");
    // Who is in is served.
    friend.write(b"alive?");
    run.until_received(first, 6);
    run.send_all(first, pooled(b"yes"));
    assert_eq!(run.hear(&mut friend, 3), b"yes");
    for peer in &mut peers {
        assert_eq!(peer.read(1), Heard::Nothing, "nobody is turned away");
    }
    let mut served = 1;
    while served <= CLIENTS {
        run.until("the next one", |seen| accepted(seen).len() > served);
        let token = run.accepted()[served];
        run.send_all(token, pooled(b"ok"));
        run.close(token);
        run.until_closed(token);
        served += 1;
    }
    for peer in &mut peers {
        assert_eq!(run.hear_all(peer), (b"ok".to_vec(), Heard::End));
    }
}

/// accept4(2) says EMFILE also when nobody waits: that must not keep a listener open.
pub(super) fn stopping_without_a_descriptor_ends_when_nobody_waits<R: Rig>() {
    let mut run = Run::<R>::new();
    let (first, mut friend) = run.client();
    let waiting = run.rig.listener(Family::Inet, 16);
    let address = waiting.address.clone();
    let mut peer = run.rig.connect(&address).expect("connect");
    let taken = File::open("/dev/null").expect("a file");
    limit_descriptors(0);
    // One where nobody waits, and one where somebody does, who is told as soon as there is a descriptor for him.
    let empty = run.listener;
    let crowded = run.driver().listen(waiting).expect("listen");
    run.driver().stop_listening(empty);
    run.driver().stop_listening(crowded);
    let is_closed = |seen: &[Seen], id| {
        let closed = |seen: &Seen| matches!(seen, Seen::ListenerClosed(of) if *of == id);
        seen.iter().any(closed)
    };
    run.until("the empty one is closed", |seen| is_closed(seen, empty));
    run.send_all(first, pooled(b"yes"));
    assert_eq!(run.hear(&mut friend, 3), b"yes");
    assert_eq!(peer.read(1), Heard::Nothing, "nobody is turned away");
    drop(taken);
    run.until("the other one is closed", |seen| is_closed(seen, crowded));
    let token = *run.accepted().last().expect("accepted");
    run.send_all(token, pooled(b"ok"));
    run.close(token);
    assert_eq!(run.hear_all(&mut peer), (b"ok".to_vec(), Heard::End));
}
