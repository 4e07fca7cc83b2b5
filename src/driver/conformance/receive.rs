//! Lines 1 and 2 of the contract: bytes in order, never empty, and one end behind them.
//!
//! That no lend is empty, and that the end comes once and last, is checked by the ledger in every case.

use super::rig::{Heard, Peer, Rig};
use super::run::{Run, config, ended, failed, pattern, pooled};
use super::seen::Seen;
use crate::driver::{Config, Driver, Op};

pub(super) fn a_connection_lives_and_dies<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    assert_eq!(peer.write(b"ping"), 4);
    assert_eq!(run.until_received(token, 4), b"ping");
    run.send_all(token, pooled(b"pong"));
    assert_eq!(run.hear(&mut peer, 4), b"pong");
    run.close(token);
    assert!(run.until_closed(token).is_none());
    assert_eq!(run.hear_all(&mut peer), (Vec::new(), Heard::End));
    assert_eq!(run.ledger.live(), 0);
}

pub(super) fn bytes_sent_before_the_accept_are_received<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut peer = run.rig.connect(&run.address.clone()).expect("connect");
    peer.write(b"early");
    peer.end();
    run.until("Accepted", |seen| !super::run::accepted(seen).is_empty());
    let token = run.accepted()[0];
    run.until("Ended", |seen| ended(seen, token));
    assert_eq!(run.received(token), b"early");
}

pub(super) fn bytes_are_in_order_over_many_lends<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let sent = pattern(300_000);
    let mut rest = &sent[..];
    let mut size = 1;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        run.peer_writes(&mut peer, piece);
        rest = behind;
        size = size * 7 % 4093 + 1;
        if size % 3 == 0 {
            run.turn_with(std::time::Duration::ZERO, |_, _| {});
        }
    }
    assert!(run.until_received(token, sent.len()) == sent, "in order");
}

pub(super) fn many_connections_do_not_mix<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut clients: Vec<_> = (0..40).map(|_| run.client()).collect();
    for round in 0..20_u8 {
        for (token, peer) in &mut clients {
            peer.write(&[token.index as u8, round]);
        }
        run.turn();
    }
    for (token, _) in &clients {
        let received = run.until_received(*token, 40);
        let expected: Vec<u8> = (0..20)
            .flat_map(|round| [token.index as u8, round])
            .collect();
        assert_eq!(received, expected);
    }
}

pub(super) fn the_end_comes_once_and_last<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let sent = pattern(100_000);
    run.peer_writes(&mut peer, &sent);
    peer.end();
    run.until("Ended", |seen| ended(seen, token));
    assert!(run.received(token) == sent);
    run.assert_silence();
}

pub(super) fn a_half_closed_connection_costs_no_turns<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    peer.end();
    run.until("Ended", |seen| ended(seen, token));
    run.assert_silence();
    // Asking to receive again changes nothing: there is nothing more to come.
    run.driver().resume_recv(token);
    run.assert_silence();
    run.driver().pause_recv(token);
    run.driver().resume_recv(token);
    run.assert_silence();
}

pub(super) fn a_half_closed_connection_can_be_answered<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    peer.write(b"last words");
    peer.end();
    run.until("Ended", |seen| ended(seen, token));
    run.send_all(token, pooled(&pattern(200)));
    assert_eq!(run.hear(&mut peer, 200), pattern(200));
    run.driver().shutdown_write(token);
    assert_eq!(run.hear_all(&mut peer).1, Heard::End);
    run.assert_silence();
    run.close(token);
    run.until_closed(token);
}

pub(super) fn a_connection_finished_both_ways_costs_no_turns<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().shutdown_write(token);
    assert_eq!(run.hear_all(&mut peer).1, Heard::End);
    peer.write(b"still here");
    assert_eq!(run.until_received(token, 10), b"still here");
    peer.end();
    run.until("Ended", |seen| ended(seen, token));
    run.assert_silence();
    assert_eq!(failed(&run.seen, token), 0, "finished is not failed");
}

pub(super) fn a_reset_is_told_once_and_closes_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, peer) = run.client();
    peer.reset();
    run.until("Failed", |seen| failed(seen, token) > 0);
    let told = run.seen.last().expect("it was told");
    assert!(
        matches!(told, Seen::Failed(_, Op::Receive, Some(libc::ECONNRESET))),
        "{told:?}"
    );
    run.driver().pause_recv(token);
    run.driver().resume_recv(token);
    run.assert_silence();
    assert_eq!(failed(&run.seen, token), 1);
    assert_eq!(run.ledger.live(), 1, "the socket still has to be closed");
    run.close(token);
    run.until_closed(token);
}

/// A peer that never stops sending gets its share of a turn and no more.
pub(super) fn a_greedy_peer_does_not_starve_the_others<R: Rig>() {
    let mut run = Run::<R>::with(&Config {
        ring_buffers: 16,
        ..config()
    });
    let (greedy, mut flood) = run.client();
    let (modest, mut peer) = run.client();
    let bytes = pattern(256 * 1024);
    let mut most = 0;
    for round in 1..=30 {
        flood.write(&bytes);
        peer.write(b"!");
        run.seen.clear();
        let mut turns = 0;
        while run.received(modest).is_empty() {
            turns += 1;
            assert!(turns <= 16, "round {round}: one byte waited {turns} turns");
            let before = run.received(greedy).len();
            run.turn();
            most = most.max(run.received(greedy).len() - before);
        }
    }
    assert!(most <= 256 * 1024, "{most} bytes of one peer in one turn");
}
