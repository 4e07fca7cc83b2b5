//! Line 8 of the contract: wakes; and how long a wait lasts.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::rig::{Peer, Rig};
use super::run::{PATIENCE, Run};
use super::seen::Seen;
use crate::driver::Driver;

fn wakes(seen: &[Seen]) -> usize {
    seen.iter()
        .filter(|seen| matches!(seen, Seen::Woken))
        .count()
}

pub(super) fn a_wake_before_the_wait_is_not_lost<R: Rig>() {
    let mut run = Run::<R>::new();
    let waker = run.driver().waker();
    run.settle();
    for round in 1..=20 {
        waker.wake();
        let begun = Instant::now();
        while wakes(&run.seen) < round {
            run.turn_with(2 * PATIENCE, |_, _| {});
        }
        assert!(begun.elapsed() < PATIENCE, "it slept over it");
    }
    run.assert_silence();
}

pub(super) fn a_wake_in_the_middle_of_a_turn_is_not_lost<R: Rig>() {
    let mut run = Run::<R>::new();
    let waker = run.driver().waker();
    run.settle();
    waker.wake();
    let begun = Instant::now();
    let mut again = Some(waker);
    while wakes(&run.seen) < 2 {
        run.turn_with(2 * PATIENCE, |_, seen| {
            if matches!(seen, Seen::Woken)
                && let Some(waker) = again.take()
            {
                waker.wake();
            }
        });
    }
    assert!(begun.elapsed() < PATIENCE, "it slept over it");
}

pub(super) fn many_wakes_are_a_few_events<R: Rig>() {
    let mut run = Run::<R>::new();
    let waker = run.driver().waker();
    for _ in 0..10_000 {
        waker.wake();
    }
    run.until("Woken", |seen| wakes(seen) > 0);
    run.assert_silence();
    assert!(wakes(&run.seen) <= 3, "{} events", wakes(&run.seen));
}

pub(super) fn a_wake_wakes_nobody_else<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let waker = run.driver().waker();
    for _ in 0..50 {
        waker.wake();
        peer.write(b"x");
        run.turn();
    }
    run.until_received(token, 50);
}

// The rest needs a driver that sleeps.

pub(super) fn a_wake_from_another_thread_ends_a_wait_without_limit<R: Rig>() {
    let mut run = Run::<R>::new();
    run.settle();
    let waker = run.driver().waker();
    // Two wakes may be one event, so each is asked for when the one before it was seen.
    let (ask, asked) = channel::<()>();
    let thread = std::thread::spawn(move || {
        while asked.recv().is_ok() {
            std::thread::sleep(Duration::from_millis(30));
            waker.wake();
        }
    });
    for round in 1..=5 {
        ask.send(()).expect("the thread runs");
        while wakes(&run.seen) < round {
            run.driver().wait(None).expect("wait");
            while let Some(event) = run.rig.driver().next_event() {
                run.seen.push(Seen::of(event));
            }
        }
    }
    drop(ask);
    thread.join().expect("the thread ends");
}

pub(super) fn a_wake_outlives_the_driver<R: Rig>() {
    let mut run = Run::<R>::new();
    let waker = run.driver().waker();
    drop(run);
    waker.wake();
}

pub(super) fn a_wait_lasts_as_long_as_it_may<R: Rig>() {
    let mut run = Run::<R>::new();
    let (_token, _peer) = run.client();
    run.settle();
    for millis in [1, 20, 90] {
        let limit = Duration::from_millis(millis);
        let begun = Instant::now();
        assert_eq!(run.turn_with(limit, |_, _| {}), 0);
        let slept = begun.elapsed();
        assert!(slept >= limit, "{slept:?} of {limit:?}");
        assert!(slept < PATIENCE, "{slept:?}");
    }
    let begun = Instant::now();
    for _ in 0..1000 {
        run.turn_with(Duration::ZERO, |_, _| {});
    }
    assert!(begun.elapsed() < PATIENCE, "no wait at all");
}
