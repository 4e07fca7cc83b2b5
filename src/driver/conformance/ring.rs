//! What only a ring can run out of: provided buffers, and places in the completion queue. Both are everyday.

use std::time::Duration;

use super::child::limit_descriptors;
use super::kernel::{Fresh, Kernel};
use super::rig::{Heard, Peer, Rig};
use super::run::{Run, accepted, config, pattern, pooled, received};
use super::seen::Seen;
use crate::buf::{FILE_STAGE_BYTES, FileSlice};
use crate::driver::uring::{Uring, available, explain};
use crate::driver::{Config, Driver};

type OnRing<P> = Run<Kernel<Uring<P>>>;

/// Many clients send at once, are received from, and are answered.
fn crowd<P: Fresh>(run: &mut OnRing<P>, count: usize, bytes: usize) {
    let mut clients: Vec<_> = (0..count).map(|_| run.client()).collect();
    for round in 0..3 {
        run.seen.clear();
        let sent = pattern(bytes);
        for (_, peer) in &mut clients {
            assert_eq!(peer.write(&sent), bytes, "its socket takes that much");
        }
        for (token, _) in &clients {
            run.until("every byte", |seen| received(seen, *token).len() == bytes);
            assert!(run.received(*token) == sent, "round {round}");
            run.send(*token, pooled(b"thanks"));
        }
        for (_, peer) in &mut clients {
            assert_eq!(run.hear(peer, 6), b"thanks");
        }
        run.settle();
    }
    for (token, _) in &clients {
        run.close(*token);
    }
    for (token, _) in &clients {
        run.until_closed(*token);
    }
    run.assert_silence();
}

pub(super) fn a_dry_buffer_group_loses_nothing<P: Fresh>() {
    let mut run = OnRing::<P>::with(&Config {
        ring_buffers: 4,
        ..config()
    });
    crowd(&mut run, 60, 9_000);
}

pub(super) fn an_overflown_completion_queue_loses_nothing<P: Fresh>() {
    let mut run = OnRing::<P>::with(&Config {
        ring_entries: 8,
        ring_completions: 8,
        ..config()
    });
    crowd(&mut run, 100, 5_000);
}

pub(super) fn everything_tiny_at_once_loses_nothing<P: Fresh>() {
    let mut run = OnRing::<P>::with(&Config {
        ring_entries: 2,
        ring_completions: 4,
        ring_buffers: 2,
        connections_max: 12,
        ..config()
    });
    crowd(&mut run, 12, 7_000);
}

pub(super) fn a_teardown_leaves_nothing_in_flight<P: Fresh>() {
    let (mut run, _peers, _bytes) = super::teardown::busy::<Kernel<Uring<P>>>();
    run.driver()
        .teardown(Duration::from_secs(5))
        .expect("in time");
    assert_eq!(run.driver().in_flight(), 0);
    let (mut run, _peers, _bytes) = super::teardown::busy::<Kernel<Uring<P>>>();
    run.settle();
    assert!(run.driver().in_flight() > 0);
    run.driver()
        .teardown(Duration::from_secs(5))
        .expect("in time");
    assert_eq!(run.driver().in_flight(), 0);
}

/// While paused a poll is in flight instead of the receive, and nothing piles up however often that changes.
pub(super) fn a_pause_is_one_operation_and_leaves_none_behind<P: Fresh>() {
    let mut run = OnRing::<P>::new();
    let (token, mut peer) = run.client();
    peer.write(b"stays");
    run.until_received(token, 5);
    run.settle();
    let receiving = run.driver().in_flight();
    for round in 0..60 {
        run.driver().pause_recv(token);
        if round % 3 != 0 {
            run.turn_with(Duration::ZERO, |_, _| {});
        }
        if round % 4 == 0 {
            run.driver().resume_recv(token);
            run.driver().pause_recv(token);
        }
        if round % 2 == 0 {
            run.settle();
            assert_eq!(run.driver().in_flight(), receiving, "a poll, round {round}");
        }
        run.driver().resume_recv(token);
        if round % 5 == 0 {
            run.settle();
            assert_eq!(run.driver().in_flight(), receiving, "a receive");
        }
    }
    run.driver().pause_recv(token);
    run.close(token);
    run.until_closed(token);
    assert_eq!(run.driver().in_flight(), receiving - 1);
}

/// A head is kept until it can share a segment with the first bytes of its file (MSG_MORE), at most 200 ms: a slow
/// machine may miss that, but not ten times.
pub(super) fn a_head_waits_for_its_file<P: Fresh>() {
    let mut run = OnRing::<P>::new();
    let waited = (0..10).any(|_| {
        let (token, mut peer) = run.client();
        let mut buf = pooled(b"head");
        let file = super::send_file::large();
        buf.push_file(FileSlice {
            file,
            range: 0..1 << 20,
        });
        run.send(token, buf);
        while run.driver().unsent(token) > 1 << 20 {
            run.turn();
        }
        let heard = peer.read(4);
        run.close(token);
        run.until_closed(token);
        run.driver().unsent(token) == 0 && heard == Heard::Nothing
    });
    assert!(waited, "heads leave alone");
}

pub(super) fn stages_are_given_back<P: Fresh>() {
    let mut run = OnRing::<P>::new();
    let file = super::send_file::large();
    let mut clients: Vec<_> = (0..20).map(|_| run.client()).collect();
    for (token, _) in &clients {
        let mut buf = pooled(b"");
        buf.push_file(FileSlice {
            file: file.clone(),
            range: 0..5 << 20,
        });
        run.send(*token, buf);
    }
    run.settle();
    assert_eq!(run.driver().stages_lent(), 20, "one for each that waits");
    // Some end, some are closed.
    for (token, peer) in &mut clients[..2] {
        for _ in 0..80 {
            run.hear(peer, FILE_STAGE_BYTES);
        }
        run.until_sent(*token).expect("sent");
    }
    assert_eq!(run.driver().stages_lent(), 18);
    for (token, _) in &clients {
        run.close(*token);
    }
    for (token, _) in &clients {
        run.until_closed(*token);
    }
    assert_eq!(run.driver().stages_lent(), 0);
}

/// A queue of 2 is submitted over and over within a turn. What that brings must wait for the next one.
pub(super) fn a_full_submission_queue_does_not_prolong_the_turn<P: Fresh>() {
    let mut run = OnRing::<P>::with(&Config {
        ring_entries: 2,
        ..config()
    });
    let file = super::send_file::large();
    let whole = file.metadata().expect("a file").len();
    let clients: Vec<_> = (0..10).map(|_| run.client()).collect();
    for (token, _) in &clients {
        let mut buf = pooled(b"");
        buf.push_file(FileSlice {
            file: file.clone(),
            range: 0..whole,
        });
        run.send(*token, buf);
    }
    for _ in 0..4 {
        let figures = |run: &mut OnRing<P>| {
            let tokens = clients.iter().map(|(token, _)| *token);
            let unsent = tokens.map(|token| run.driver().unsent(token));
            unsent.collect::<Vec<_>>()
        };
        let before = figures(&mut run);
        run.turn();
        for (before, after) in before.into_iter().zip(figures(&mut run)) {
            assert!(before - after <= FILE_STAGE_BYTES, "{before} to {after}");
        }
    }
}

/// A turn that is broken off keeps what it has not shown.
pub(super) fn a_turn_that_is_broken_off_loses_nothing<P: Fresh>() {
    let mut run = OnRing::<P>::new();
    let (token, mut peer) = run.client();
    let sent = pattern(30_000);
    let mut rest = &sent[..];
    let mut got = Vec::new();
    run.play("every byte", |run| {
        rest = &rest[peer.write(rest)..];
        let driver = run.rig.driver();
        driver.wait(Some(Duration::from_millis(1))).expect("wait");
        if let Some(crate::driver::Event::Received { token: of, bytes }) = driver.next_event() {
            assert_eq!(of, token);
            got.extend_from_slice(bytes);
        }
        (got.len() == sent.len()).then_some(())
    });
    assert!(got == sent);
}

#[test]
fn this_machine_has_rings() {
    if let Err(error) = available() {
        panic!("{error}: {}", explain(&error));
    }
}

/// Direct descriptors do not count against `ulimit -n`: a ring does not even notice.
pub(super) fn a_ring_needs_no_descriptors<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut peers: Vec<_> = (0..60)
        .map(|_| run.rig.connect(&run.address.clone()).expect("connect"))
        .collect();
    limit_descriptors(1);
    run.until("everybody", |seen| accepted(seen).len() == peers.len());
    for seen in &run.seen {
        if let Seen::AcceptFailed(listener, errno) = seen {
            panic!("{listener:?} failed without a reason: {errno:?}");
        }
    }
    for token in run.accepted() {
        run.send_all(token, pooled(b"ok"));
    }
    for peer in &mut peers {
        assert_eq!(run.hear(peer, 2), b"ok");
    }
}
