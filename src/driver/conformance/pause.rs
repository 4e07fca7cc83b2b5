//! Line 3 of the contract: a pause loses nothing, and a paused connection costs no turns.

use super::rig::{Heard, Host, Peer, Rig};
use super::run::{Run, ended, failed, pattern, pooled};
use super::seen::Seen;
use crate::driver::{Driver, Op, Submit};
use crate::sys::Family;
use std::time::Duration;

pub(super) fn a_pause_loses_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().pause_recv(token);
    run.settle();
    peer.write(b"while you slept");
    run.assert_silence();
    assert!(run.received(token).is_empty());
    run.driver().resume_recv(token);
    assert_eq!(run.until_received(token, 15), b"while you slept");
    peer.write(b", more");
    run.until_received(token, 21);
}

pub(super) fn a_pause_right_after_the_accept_loses_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut peer = run.rig.connect(&run.address.clone()).expect("connect");
    peer.write(b"early");
    while run.accepted().is_empty() {
        run.turn_with(Duration::from_millis(10), |hands, seen| {
            if let Seen::Accepted(token, _) = seen {
                hands.driver.pause_recv(*token);
            }
        });
    }
    let token = run.accepted()[0];
    run.assert_silence();
    run.driver().resume_recv(token);
    run.until_received(token, 5);
}

pub(super) fn a_pause_in_the_middle_of_a_burst_loses_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let sent = pattern(120_000);
    run.peer_writes(&mut peer, &sent[..1000]);
    run.until_received(token, 1000);
    // The kernel's buffers take the rest in any case, or the peer waits.
    let mut rest = &sent[1000..];
    let mut paused = false;
    run.play("everything", |run| {
        rest = &rest[peer.write(rest)..];
        run.turn_with(Duration::from_millis(1), |hands, seen| {
            if matches!(seen, Seen::Received(..)) {
                hands.driver.pause_recv(token);
                paused = true;
            }
        });
        if std::mem::take(&mut paused) {
            // What had left the kernel may still come; then there is silence until resumed.
            run.settle();
            run.driver().resume_recv(token);
        }
        (run.received(token).len() == sent.len()).then_some(())
    });
    assert!(run.received(token) == sent, "in order");
}

pub(super) fn pausing_and_resuming_in_every_turn_loses_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let sent = pattern(60_000);
    let mut rest = &sent[..];
    let mut turn = 0;
    run.play("everything", |run| {
        let count = rest.len().min(777);
        rest = &rest[peer.write(&rest[..count])..];
        turn += 1;
        // Also twice in a row, and taken back at once.
        for _ in 0..turn % 4 {
            run.driver().pause_recv(token);
        }
        if turn % 5 == 0 {
            run.turn_with(Duration::ZERO, |_, _| {});
        }
        for _ in 0..=turn % 3 {
            run.driver().resume_recv(token);
        }
        run.turn();
        (run.received(token).len() == sent.len()).then_some(())
    });
    assert!(run.received(token) == sent, "in order");
}

pub(super) fn a_paused_connection_can_be_sent_to<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().pause_recv(token);
    peer.write(b"unread");
    let sent = pattern(300_000);
    let submit = run.send(token, pooled(&sent));
    assert!(run.hear(&mut peer, sent.len()) == sent);
    if matches!(submit, Submit::InFlight) {
        run.until_sent(token).expect("sent");
    }
    run.assert_silence();
    run.driver().resume_recv(token);
    run.until_received(token, 6);
}

pub(super) fn the_end_waits_behind_a_pause<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().pause_recv(token);
    run.settle();
    peer.write(&pattern(5000));
    peer.end();
    run.assert_silence();
    assert!(!ended(&run.seen, token));
    run.driver().resume_recv(token);
    run.until("Ended", |seen| ended(seen, token));
    assert_eq!(run.received(token), pattern(5000));
    run.assert_silence();
}

/// Finished both ways, so a poller calls it hung up; and yet there are bytes to be read.
pub(super) fn bytes_and_end_behind_a_pause_survive_our_own_end<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().pause_recv(token);
    run.driver().shutdown_write(token);
    assert_eq!(run.hear_all(&mut peer).1, Heard::End);
    peer.write(&pattern(50_000));
    peer.end();
    run.assert_silence();
    assert_eq!(failed(&run.seen, token), 0);
    run.driver().resume_recv(token);
    run.until("Ended", |seen| ended(seen, token));
    assert!(run.received(token) == pattern(50_000));
    run.assert_silence();
}

/// A Unix peer that closes is reported as hung up at once, whatever it had written before.
pub(super) fn a_unix_peers_last_words_survive_a_pause<R: Rig>() {
    let mut run = Run::<R>::on(&super::run::config(), Family::Unix, 16);
    let (token, mut peer) = run.client();
    run.driver().pause_recv(token);
    run.settle();
    peer.write(&pattern(40_000));
    drop(peer);
    run.assert_silence();
    run.driver().resume_recv(token);
    run.until("Ended", |seen| ended(seen, token));
    assert!(run.received(token) == pattern(40_000));
    assert_eq!(failed(&run.seen, token), 0);
    run.assert_silence();
}

/// A peer that has gone is noticed while nobody receives: otherwise its slot would stay for ever.
pub(super) fn a_reset_during_a_pause_is_told_once<R: Rig>() {
    let mut run = Run::<R>::new();
    for settled in [true, false] {
        let (token, peer) = run.client();
        run.driver().pause_recv(token);
        if settled {
            run.assert_silence();
        }
        peer.reset();
        run.until("Failed", |seen| failed(seen, token) > 0);
        run.assert_silence();
        run.driver().resume_recv(token);
        run.assert_silence();
        run.driver().pause_recv(token);
        run.driver().resume_recv(token);
        run.assert_silence();
        assert_eq!(failed(&run.seen, token), 1);
        assert!(!ended(&run.seen, token));
        run.close(token);
        run.until_closed(token);
    }
}

/// A ring keeps a descriptor of the process for it, and asks that for the reason.
pub(super) fn a_reset_of_our_own_connection_during_a_pause_is_told_once<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut host = run.rig.host(Family::Inet);
    let token = run
        .driver()
        .connect(&host.address(), None)
        .expect("connect");
    run.ledger.opened(token);
    // Before it stands, too.
    run.driver().pause_recv(token);
    let (peer, _) = run.play("a connection", |run| host.accept().or_else(|| run.pass()));
    let is_connected = |seen: &Seen| matches!(seen, Seen::Connected(of) if *of == token);
    run.until("Connected", |seen| seen.iter().any(is_connected));
    run.driver().pause_recv(token);
    run.assert_silence();
    peer.reset();
    run.until("Failed", |seen| failed(seen, token) > 0);
    let reset = |seen: &Seen| matches!(seen, Seen::Failed(_, Op::Receive, Some(libc::ECONNRESET)));
    assert!(run.seen.iter().any(reset), "the reason is told");
    run.driver().resume_recv(token);
    run.assert_silence();
    assert_eq!(failed(&run.seen, token), 1);
}

/// The FIN waits, and costs nothing; the reset behind it is told.
pub(super) fn a_reset_behind_the_end_during_a_pause_is_told_once<R: Rig>() {
    let mut run = Run::<R>::new();
    for settled in [true, false] {
        let (token, mut peer) = run.client();
        run.driver().pause_recv(token);
        if settled {
            run.settle();
        }
        peer.write(&pattern(3000));
        peer.end();
        run.assert_silence();
        assert!(!ended(&run.seen, token), "it waits");
        peer.reset();
        run.until("Failed", |seen| failed(seen, token) > 0);
        run.assert_silence();
        run.driver().resume_recv(token);
        run.assert_silence();
        assert_eq!(failed(&run.seen, token), 1);
        run.close(token);
        run.until_closed(token);
    }
}

/// Whether the reset or the end of the pause comes first, and whether the driver has had a turn in between.
pub(super) fn a_reset_around_the_end_of_a_pause_is_told_once<R: Rig>() {
    let mut run = Run::<R>::new();
    for order in 0..12 {
        let (reset_first, turn, again) = (order % 2 == 0, order / 2 % 2 == 0, order / 4);
        let (token, peer) = run.client();
        run.driver().pause_recv(token);
        run.settle();
        let mut peer = Some(peer);
        if reset_first {
            peer.take().into_iter().for_each(Peer::reset);
        }
        if turn && reset_first {
            run.turn_with(Duration::ZERO, |_, _| {});
        }
        run.driver().resume_recv(token);
        // Taken back, and that taken back as well.
        for count in 0..again {
            if turn {
                run.turn_with(Duration::ZERO, |_, _| {});
            }
            match count {
                0 => run.driver().pause_recv(token),
                _ => run.driver().resume_recv(token),
            }
        }
        peer.take().into_iter().for_each(Peer::reset);
        run.until("Failed", |seen| failed(seen, token) > 0);
        run.assert_silence();
        assert_eq!(failed(&run.seen, token), 1, "order {order}");
        run.close(token);
        run.until_closed(token);
    }
}

/// The send meets the reset as well, and may be the only one to tell of it.
pub(super) fn a_reset_during_a_pause_fails_the_send_in_flight<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, peer) = run.client();
    run.driver().pause_recv(token);
    let submit = run.send(token, pooled(&pattern(16 << 20)));
    assert!(matches!(submit, Submit::InFlight));
    run.settle();
    peer.reset();
    assert!(run.until_sent(token).is_err());
    run.assert_silence();
    assert!(failed(&run.seen, token) <= 1);
    run.close(token);
    run.until_closed(token);
    run.assert_silence();
}

pub(super) fn closing_a_paused_connection_that_was_reset<R: Rig>() {
    let mut run = Run::<R>::new();
    for turns in 0..3 {
        let (token, peer) = run.client();
        run.driver().pause_recv(token);
        for _ in 0..turns {
            run.turn();
        }
        peer.reset();
        run.close(token);
        run.until_closed(token);
        run.assert_silence();
    }
    assert_eq!(run.ledger.live(), 0);
}
