//! Line 9 of the contract, and who is accepted when.
//!
//! Running out of descriptors needs a process of its own: see `exhaustion`.

use std::time::Instant;

use super::rig::{Heard, Peer, Rig};
use super::run::{PATIENCE, Run, config, pooled};
use super::seen::Seen;
use crate::driver::{Config, Driver, ListenerId};
use crate::sys::Family;

/// Takes turns until the listener is closed, and everybody who waited is in.
fn until_stopped<R: Rig>(run: &mut Run<R>, listener: ListenerId) {
    let is_closed = |seen: &&Seen| matches!(seen, Seen::ListenerClosed(of) if *of == listener);
    run.until("ListenerClosed", |seen| {
        seen.iter().any(|seen| is_closed(&seen))
    });
    run.settle();
    assert_eq!(run.seen.iter().filter(is_closed).count(), 1, "told once");
}

fn crowd<R: Rig>(run: &mut Run<R>, count: usize) -> Vec<R::Peer> {
    (0..count)
        .map(|_| run.rig.connect(&run.address.clone()).expect("connect"))
        .collect()
}

pub(super) fn a_crowd_is_accepted<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.extend(crowd(&mut run, 50));
        run.turn();
    }
    run.until("all of them", |seen| {
        super::run::accepted(seen).len() == 200
    });
    for token in run.accepted() {
        run.send(token, pooled(b"welcome"));
    }
    for peer in &mut peers {
        assert_eq!(run.hear(peer, 7), b"welcome");
    }
}

pub(super) fn one_turn_accepts_no_more_than_it_may<R: Rig>() {
    let mut run = Run::<R>::with(&Config {
        accepts_per_turn: 8,
        ..config()
    });
    let _peers = crowd(&mut run, 40);
    let mut before = 0;
    while before < 40 {
        run.turn();
        let count = run.accepted().len();
        if R::COUNTS_ACCEPTS {
            assert!(count - before <= 8, "{} in one turn", count - before);
        }
        before = count;
    }
    run.assert_silence();
}

pub(super) fn a_full_table_turns_nobody_away<R: Rig>() {
    let mut run = Run::<R>::with(&Config {
        connections_max: 4,
        ..config()
    });
    let mut peers = crowd(&mut run, 12);
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.write(&[number as u8]);
    }
    run.until("four of them", |seen| super::run::accepted(seen).len() == 4);
    // Being full costs nothing, however many wait.
    run.assert_silence();
    assert_eq!(run.accepted().len(), 4);
    for peer in &mut peers {
        assert_eq!(peer.read(1), Heard::Nothing, "nobody is turned away");
    }
    let mut served = 0;
    while served < 12 {
        let token = run.accepted()[served];
        let number = run.until_received(token, 1)[0];
        run.send_all(token, pooled(&[number]));
        run.close(token);
        run.until_closed(token);
        assert!(run.ledger.live() <= 4);
        served += 1;
        let expected = (4 + served).min(12);
        run.until("the next one", |seen| {
            super::run::accepted(seen).len() == expected
        });
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        assert_eq!(run.hear_all(peer), (vec![number as u8], Heard::End));
    }
}

/// The place came free in the turn before: the wait must not sleep over the client who waits for it.
pub(super) fn a_free_place_is_filled_at_once<R: Rig>() {
    let mut run = Run::<R>::with(&Config {
        connections_max: 1,
        ..config()
    });
    let (first, _peer) = run.client();
    let _waiting = crowd(&mut run, 1);
    run.assert_silence();
    run.close(first);
    run.until_closed(first);
    let begun = Instant::now();
    while run.accepted().len() < 2 {
        run.turn_with(2 * PATIENCE, |_, _| {});
    }
    assert!(begun.elapsed() < PATIENCE, "it slept");
}

pub(super) fn a_full_table_with_two_listeners_turns_nobody_away<R: Rig>() {
    let mut run = Run::<R>::on(
        &Config {
            connections_max: 12,
            ..config()
        },
        Family::Inet,
        2,
    );
    let other = run.rig.listener(Family::Inet, 2);
    let address = other.address.clone();
    run.driver().listen(other).expect("listen");
    let mut peers = Vec::new();
    let mut served = 0;
    // Bursts on both, which together are more than there is room for.
    for _ in 0..30 {
        for _ in 0..3 {
            peers.push(run.rig.connect(&run.address.clone()).expect("connect"));
            peers.push(run.rig.connect(&address).expect("connect"));
        }
        while served < peers.len() {
            run.until("the next one", |seen| {
                super::run::accepted(seen).len() > served
            });
            let token = run.accepted()[served];
            run.send_all(token, pooled(b"ok"));
            run.close(token);
            served += 1;
        }
    }
    for peer in &mut peers {
        assert_eq!(run.hear_all(peer), (b"ok".to_vec(), Heard::End));
    }
}

pub(super) fn a_pause_lets_clients_wait<R: Rig>() {
    let mut run = Run::<R>::new();
    let listener = run.listener;
    run.driver().pause_accept(listener);
    run.settle();
    let _peers = crowd(&mut run, 5);
    run.assert_silence();
    assert!(run.accepted().is_empty());
    run.driver().resume_accept(listener);
    run.until("all of them", |seen| super::run::accepted(seen).len() == 5);
    // Twice paused, once resumed, and a pause that is taken back at once.
    run.driver().pause_accept(listener);
    run.driver().pause_accept(listener);
    run.driver().resume_accept(listener);
    run.driver().pause_accept(listener);
    run.driver().resume_accept(listener);
    let _more = crowd(&mut run, 5);
    run.until("all of them", |seen| super::run::accepted(seen).len() == 10);
}

pub(super) fn stopping_takes_in_all_who_wait<R: Rig>() {
    let mut run = Run::<R>::new();
    let listener = run.listener;
    run.settle();
    let mut peers = crowd(&mut run, 30);
    run.driver().stop_listening(listener);
    until_stopped(&mut run, listener);
    assert_eq!(run.accepted().len(), 30);
    for token in run.accepted() {
        run.send_all(token, pooled(b"welcome"));
    }
    for peer in &mut peers {
        assert_eq!(run.hear(peer, 7), b"welcome");
    }
    let late = run.rig.connect(&run.address.clone());
    let error = late.err().expect("nobody listens any more");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    // Once is enough, and the others' requests about it are void.
    run.driver().stop_listening(listener);
    run.driver().pause_accept(listener);
    run.driver().resume_accept(listener);
    run.driver().stop_listening(ListenerId(77));
    run.assert_silence();
    until_stopped(&mut run, listener);
}

pub(super) fn stopping_while_paused_takes_in_all_who_wait<R: Rig>() {
    let mut run = Run::<R>::new();
    let listener = run.listener;
    run.driver().pause_accept(listener);
    run.settle();
    let _peers = crowd(&mut run, 10);
    run.settle();
    run.driver().stop_listening(listener);
    until_stopped(&mut run, listener);
    assert_eq!(run.accepted().len(), 10);
    assert!(run.rig.connect(&run.address.clone()).is_err());
}

/// A listener that is to stop, with two of six clients inside and no room for the others.
fn stopping_with_four_outside<R: Rig>() -> (Run<R>, ListenerId, Vec<R::Peer>) {
    let mut run = Run::<R>::with(&Config {
        connections_max: 2,
        ..config()
    });
    let listener = run.listener;
    let peers = crowd(&mut run, 6);
    run.until("two of them", |seen| super::run::accepted(seen).len() == 2);
    run.driver().stop_listening(listener);
    (run, listener, peers)
}

pub(super) fn stopping_with_a_full_table_turns_nobody_away<R: Rig>() {
    let (mut run, listener, mut peers) = stopping_with_four_outside::<R>();
    let mut served = 0;
    while served < 6 {
        run.until("the next one", |seen| {
            super::run::accepted(seen).len() > served
        });
        let token = run.accepted()[served];
        run.send_all(token, pooled(b"ok"));
        run.close(token);
        run.until_closed(token);
        served += 1;
    }
    until_stopped(&mut run, listener);
    for peer in &mut peers {
        assert_eq!(run.hear_all(peer), (b"ok".to_vec(), Heard::End));
    }
    assert!(run.rig.connect(&run.address.clone()).is_err());
}

pub(super) fn closing_a_listener_at_once_resets_who_waits<R: Rig>() {
    let (mut run, listener, mut peers) = stopping_with_four_outside::<R>();
    run.settle();
    let closed = |seen: &Seen| matches!(seen, Seen::ListenerClosed(_));
    assert!(!run.seen.iter().any(closed), "four still wait");
    run.driver().close_listener(listener);
    until_stopped(&mut run, listener);
    assert_eq!(run.accepted().len(), 2);
    for token in run.accepted() {
        run.send_all(token, pooled(b"stay"));
    }
    let (inside, outside) = peers.split_at_mut(2);
    for peer in inside {
        assert_eq!(run.hear(peer, 4), b"stay");
    }
    for peer in outside {
        assert_eq!(run.hear_all(peer), (Vec::new(), Heard::Reset));
    }
    // Neither needs the other, and each is void for a listener that is gone.
    run.driver().close_listener(listener);
    run.driver().close_listener(ListenerId(77));
    run.assert_silence();
    let other = run.rig.listener(Family::Inet, 16);
    let other = run.driver().listen(other).expect("listen");
    run.driver().close_listener(other);
    until_stopped(&mut run, other);
}

pub(super) fn two_listeners_keep_apart<R: Rig>() {
    let mut run = Run::<R>::new();
    let other = run.rig.listener(Family::Unix, 16);
    let address = other.address.clone();
    let second = run.driver().listen(other).expect("listen");
    assert_ne!(run.listener, second);
    let _here = crowd(&mut run, 3);
    let _there = run.rig.connect(&address).expect("connect");
    run.until("all of them", |seen| super::run::accepted(seen).len() == 4);
    let of = |seen: &[Seen], id| {
        let on = |seen: &&Seen| matches!(seen, Seen::Accepted(_, listener) if *listener == id);
        seen.iter().filter(on).count()
    };
    assert_eq!(of(&run.seen, run.listener), 3);
    assert_eq!(of(&run.seen, second), 1);
    run.driver().stop_listening(second);
    until_stopped(&mut run, second);
    assert!(run.rig.connect(&address).is_err());
    let _more = crowd(&mut run, 2);
    run.until("the others", |seen| super::run::accepted(seen).len() == 6);
}

pub(super) fn a_client_that_is_gone_before_the_accept_does_no_harm<R: Rig>() {
    let mut run = Run::<R>::new();
    for peer in crowd(&mut run, 10) {
        peer.reset();
    }
    let (token, mut peer) = run.client();
    // Those who are gone may be accepted too; each then says so.
    peer.write(b"I am here");
    run.until("the bytes", |seen| {
        seen.iter().any(|seen| matches!(seen, Seen::Received(..)))
    });
    run.settle();
    let _ = token;
    for token in run.accepted() {
        run.close(token);
        run.until_closed(token);
    }
}
