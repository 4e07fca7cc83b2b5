//! What only a ring can run out of: provided buffers, and places in the completion queue. Both are everyday.

use std::time::Duration;

use super::child::limit_descriptors;
use super::rig::{Heard, Peer, Rig};
use super::run::{Run, accepted, config, pattern, pooled, received};
use super::seen::Seen;
use crate::buf::{FILE_STAGE_BYTES, FileSlice};
use crate::driver::uring::{Uring, available, explain};
use crate::driver::{Config, Driver, Submit};
use crate::sys::Probe;

/// What a ring tells to tests.
pub(super) trait Figures: Driver {
    /// How many operations the kernel has not finished.
    fn in_flight(&self) -> u32;
    /// How many pieces of files stand in memory.
    fn stages_lent(&self) -> usize;
}

impl<P: Probe> Figures for Uring<P> {
    fn in_flight(&self) -> u32 {
        self.in_flight()
    }

    fn stages_lent(&self) -> usize {
        self.stages_lent()
    }
}

/// Many clients send at once, are received from, and are answered.
fn crowd<R: Rig<Driver: Figures>>(run: &mut Run<R>, count: usize, bytes: usize) {
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

pub(super) fn a_dry_buffer_group_loses_nothing<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::with(&Config {
        ring_buffers: 4,
        ..config()
    });
    crowd(&mut run, 60, 9_000);
}

pub(super) fn an_overflown_completion_queue_loses_nothing<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::with(&Config {
        ring_entries: 8,
        ring_completions: 8,
        ..config()
    });
    crowd(&mut run, 100, 5_000);
}

pub(super) fn everything_tiny_at_once_loses_nothing<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::with(&Config {
        ring_entries: 2,
        ring_completions: 4,
        ring_buffers: 2,
        connections_max: 12,
        ..config()
    });
    crowd(&mut run, 12, 7_000);
}

pub(super) fn a_teardown_leaves_nothing_in_flight<R: Rig<Driver: Figures>>() {
    let (mut run, _peers, _bytes) = super::teardown::busy::<R>();
    run.driver()
        .teardown(Duration::from_secs(5))
        .expect("in time");
    assert_eq!(run.driver().in_flight(), 0);
    let (mut run, _peers, _bytes) = super::teardown::busy::<R>();
    run.settle();
    assert!(run.driver().in_flight() > 0);
    run.driver()
        .teardown(Duration::from_secs(5))
        .expect("in time");
    assert_eq!(run.driver().in_flight(), 0);
}

/// While paused a poll is in flight instead of the receive, and nothing piles up however often that changes.
pub(super) fn a_pause_is_one_operation_and_leaves_none_behind<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
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
pub(super) fn a_head_waits_for_its_file<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
    let waited = (0..10).any(|_| {
        let (token, mut peer) = run.client();
        let mut buf = pooled(b"head");
        let file = super::send_file::large();
        buf.push_file(FileSlice::new(file, 0..1 << 20));
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

pub(super) fn stages_are_given_back<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
    let file = super::send_file::large();
    let mut clients: Vec<_> = (0..20).map(|_| run.client()).collect();
    for (token, _) in &clients {
        let mut buf = pooled(b"");
        buf.push_file(FileSlice::new(file.clone(), 0..5 << 20));
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
pub(super) fn a_full_submission_queue_does_not_prolong_the_turn<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::with(&Config {
        ring_entries: 2,
        ..config()
    });
    let file = super::send_file::large();
    let whole = file.metadata().expect("a file").len();
    let clients: Vec<_> = (0..10).map(|_| run.client()).collect();
    for (token, _) in &clients {
        let mut buf = pooled(b"");
        buf.push_file(FileSlice::new(file.clone(), 0..whole));
        run.send(*token, buf);
    }
    for _ in 0..4 {
        let figures = |run: &mut Run<R>| {
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

/// What one receive brought in several buffers is one lend, unless a probe splits it or the memory ends in it.
pub(super) fn a_message_that_came_at_once_is_lent_at_once<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    // The second receive is the first that is multishot.
    for size in [1, 1] {
        run.seen.clear();
        peer.write(&pattern(size));
        run.until_received(token, size);
        run.settle();
    }
    let (mut whole, rounds) = (0, 60);
    for _ in 0..rounds {
        run.seen.clear();
        let sent = pattern(9_000);
        assert_eq!(peer.write(&sent), 9_000, "its socket takes that much");
        assert!(run.until_received(token, 9_000) == sent);
        let lends = |seen: &&Seen| matches!(seen, Seen::Received(..));
        let lends = run.seen.iter().filter(lends).count();
        whole += usize::from(lends == 1);
    }
    // 128 KiB of buffers end in about every fourteenth message.
    assert!(
        R::SHORTENS || whole >= rounds * 3 / 4,
        "{whole} of {rounds}"
    );
}

/// What waits in the kernel is received into whole buffers, and lent in pieces as a poller would.
pub(super) fn much_that_came_at_once_is_lent_in_pieces<R: Rig<Driver: Figures>>() {
    const LEND_BYTES_MAX: usize = 64 * 1024;
    let mut run = Run::<R>::with(&Config {
        ring_buffers: Config::default().ring_buffers,
        ..config()
    });
    let (token, mut peer) = run.client();
    let sent = pattern(200_000);
    for _ in 0..8 {
        run.driver().pause_recv(token);
        run.settle();
        run.seen.clear();
        // The socket's buffers grow with use, so that later rounds find more in them.
        let mut rest = &sent[peer.write(&sent)..];
        run.driver().resume_recv(token);
        run.play("every byte", |run| {
            rest = &rest[peer.write(rest)..];
            run.turn();
            (received(&run.seen, token).len() == sent.len()).then_some(())
        });
        assert!(run.received(token) == sent, "in order");
        for seen in &run.seen {
            if let Seen::Received(_, bytes) = seen {
                assert!(bytes.len() <= LEND_BYTES_MAX, "{} at once", bytes.len());
            }
        }
    }
}

/// A large send gives its buffer back in the same call, if the socket takes it.
pub(super) fn a_large_send_is_done_at_once<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.settle();
    let idle = run.driver().in_flight();
    let sent = pattern(16_000);
    for _ in 0..3 {
        let submit = run.send(token, pooled(&sent));
        let done = matches!(&submit, Submit::Done(buf) if buf.remaining() == 0);
        assert!(done || R::SHORTENS, "{submit:?}");
        if !done {
            run.until_sent(token).expect("sent");
        }
        assert_eq!(run.driver().in_flight(), idle);
        assert!(run.hear(&mut peer, sent.len()) == sent);
        run.seen.clear();
    }
    // A socket that is full takes it later, or never.
    let mut taken = 0;
    let whole = loop {
        match run.send(token, pooled(&sent)) {
            Submit::Done(_) => taken += sent.len(),
            Submit::InFlight => {
                run.settle();
                if run.driver().unsent(token) > 0 {
                    break taken + sent.len();
                }
                taken += sent.len();
            }
            Submit::Failed(..) => panic!("nothing has failed"),
        }
    };
    let mut heard = 0;
    while heard < whole {
        let count = (whole - heard).min(sent.len());
        assert!(run.hear(&mut peer, count) == sent[..count]);
        heard += count;
    }
    run.until_sent(token).expect("sent");
    run.send_all(token, pooled(b"the end"));
    assert_eq!(run.hear(&mut peer, 7), b"the end");
}

/// The second receive waits a turn for the first answer, and no longer.
pub(super) fn a_first_answer_that_is_stuck_does_not_deafen<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    peer.write(b"all of it, please");
    let mut answered = false;
    while !answered {
        run.turn_with(Duration::from_millis(4), |hands, seen| {
            if matches!(seen, Seen::Received(..)) && !answered {
                answered = true;
                let submit = hands.send(token, pooled(&pattern(16 << 20)));
                assert!(matches!(submit, Submit::InFlight), "nobody reads");
            }
        });
    }
    run.until_received(token, 17);
    peer.write(b"and more");
    run.until_received(token, 25);
    assert!(run.driver().unsent(token) > 0);
    run.close(token);
    run.until_closed(token);
}

/// Peers that never stop are more than the buffers can serve; who sends little is heard all the same.
pub(super) fn many_who_never_stop_starve_nobody<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::with(&Config {
        ring_buffers: 8,
        ..config()
    });
    let mut greedy: Vec<_> = (0..12).map(|_| run.client()).collect();
    let mut modest: Vec<_> = (0..12).map(|_| run.client()).collect();
    let flood = pattern(256 * 1024);
    for round in 0..5 {
        for (_, peer) in &mut modest {
            peer.write(b"here");
        }
        let mut heard = 0;
        for turn in 0.. {
            assert!(turn < 200, "round {round}: {heard} were heard");
            for (_, peer) in &mut greedy {
                peer.write(&flood);
            }
            run.turn_with(Duration::ZERO, |_, _| {});
            let bytes = |(token, _): &(_, _)| received(&run.seen, *token).len();
            heard = modest.iter().map(bytes).sum();
            run.seen
                .retain(|seen| !matches!(seen, Seen::Received(_, bytes) if bytes.len() > 4));
            if heard == 4 * modest.len() {
                break;
            }
        }
        run.seen.clear();
    }
}

/// A turn that is broken off keeps what it has not shown.
pub(super) fn a_turn_that_is_broken_off_loses_nothing<R: Rig<Driver: Figures>>() {
    let mut run = Run::<R>::new();
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
