//! `reset`: a close that the peer does not take for the end of the data.
//!
//! That nothing but one `Closed` is heard of a reset connection is checked by the ledger in every case.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{Heard, Host, Peer, Rig};
use super::run::{Run, closed, ended, pattern, pooled};
use super::seen::Seen;
use crate::buf::{FileSlice, Part, SendBuf};
use crate::driver::{Driver, Submit, Token};
use crate::sys::Family;

/// Resets a connection, and checks what both sides hear. Answers the buffer that came back and what the peer heard.
fn cut<R: Rig>(run: &mut Run<R>, token: Token, peer: &mut R::Peer) -> (Option<SendBuf>, Vec<u8>) {
    run.reset(token);
    let unsent = run.until_closed(token);
    let (heard, end) = run.hear_all(peer);
    assert_eq!(end, Heard::Reset);
    run.assert_silence();
    (unsent, heard)
}

pub(super) fn a_reset_is_heard_as_one<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    peer.write(b"request");
    run.until_received(token, 7);
    assert!(cut(&mut run, token, &mut peer).0.is_none());
    // At once, too: before the first turn of the connection.
    let mut peer = run.rig.connect(&run.address.clone()).expect("connect");
    let mut closing = None;
    run.play("Closed", |run| {
        run.turn_with(Duration::from_millis(5), |hands, seen| {
            if let Seen::Accepted(token, _) = seen {
                hands.reset(*token);
                closing = Some(*token);
            }
        });
        closing.filter(|token| closed(&run.seen, *token))
    });
    assert_eq!(run.hear_all(&mut peer).1, Heard::Reset);
    assert_eq!(run.ledger.live(), 0);
}

/// A ring keeps a descriptor of the process for it, on which the option is set by a plain call.
pub(super) fn a_reset_of_a_connection_of_ours<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut host = run.rig.host(Family::Inet);
    let token = run
        .driver()
        .connect(&host.address(), None)
        .expect("connect");
    run.ledger.opened(token);
    let is_connected = |seen: &Seen| matches!(seen, Seen::Connected(of) if *of == token);
    run.until("Connected", |seen| seen.iter().any(is_connected));
    let (mut peer, _) = run.play("a connection", |run| host.accept().or_else(|| run.pass()));
    cut(&mut run, token, &mut peer);
}

/// The beginning of a body that says its end by closing. The peer may lose it, but never takes it for the whole.
pub(super) fn a_reset_throws_away_what_was_not_read<R: Rig>() {
    let mut run = Run::<R>::new();
    for _ in 0..10 {
        let (token, mut peer) = run.client();
        let sent = pattern(8000);
        let submit = run.send(token, pooled(&sent));
        if matches!(submit, Submit::InFlight) {
            run.until_sent(token).expect("sent");
        }
        let (unsent, heard) = cut(&mut run, token, &mut peer);
        assert!(unsent.is_none(), "the send was over");
        assert!(sent.starts_with(&heard));
    }
}

pub(super) fn a_reset_with_a_send_in_flight_gives_the_buffer_back<R: Rig>() {
    let mut run = Run::<R>::new();
    let bytes: Arc<[u8]> = pattern(16 << 20).into();
    for turns in 0..6 {
        let (token, mut peer) = run.client();
        let first = b"first".to_vec();
        let place = first.as_ptr();
        let mut buf = SendBuf::new(Part::Pooled(first));
        buf.push(Part::Shared {
            bytes: bytes.clone(),
            range: 0..bytes.len() as u32,
        });
        assert!(matches!(run.send(token, buf), Submit::InFlight));
        for _ in 0..turns {
            run.turn_with(Duration::from_millis(1), |_, _| {});
        }
        let (unsent, heard) = cut(&mut run, token, &mut peer);
        assert!(heard.len() < bytes.len(), "it was cut");
        let unsent = unsent.expect("the buffer in flight");
        assert!(unsent.remaining() > 0);
        let Some(Part::Pooled(first)) = unsent.into_parts().next() else {
            panic!("the first part was a pooled one");
        };
        assert_eq!(first.as_ptr(), place, "the same buffer");
        assert_eq!(Arc::strong_count(&bytes), 1, "nobody holds the rest");
    }
}

pub(super) fn a_reset_in_the_middle_of_a_file_of_ours<R: Rig>() {
    let mut run = Run::<R>::new();
    let file = super::send_file::large();
    let whole = file.metadata().expect("a file").len();
    for turns in 0..8 {
        let (token, mut peer) = run.client();
        let mut buf = pooled(b"head");
        buf.push_file(FileSlice::new(file.clone(), 0..whole));
        assert!(matches!(run.send(token, buf), Submit::InFlight));
        for _ in 0..turns {
            run.turn_with(Duration::from_millis(1), |_, _| {});
        }
        let (unsent, _) = cut(&mut run, token, &mut peer);
        assert!(unsent.expect("the buffer in flight").remaining() > 0);
        assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
    }
}

pub(super) fn a_reset_behind_everything_else_in_flight<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let file = super::send_file::large();
    for _ in 0..3 {
        run.driver().ask_peer(token);
    }
    let slice = FileSlice::new(file.clone(), 0..4096);
    run.driver()
        .read_file(token, slice, Vec::with_capacity(4096));
    peer.write(&pattern(5000));
    cut(&mut run, token, &mut peer);
    assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
}

pub(super) fn a_reset_while_paused_with_unread_bytes<R: Rig>() {
    let mut run = Run::<R>::new();
    for settled in [false, true] {
        for unread in [0, 9000] {
            let (token, mut peer) = run.client();
            run.driver().pause_recv(token);
            if settled {
                run.settle();
            }
            peer.write(&pattern(unread));
            cut(&mut run, token, &mut peer);
        }
    }
}

/// Our FIN has left, and the peer has not answered with its own: it is still told.
pub(super) fn a_reset_after_our_end<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().shutdown_write(token);
    assert_eq!(run.hear_all(&mut peer).1, Heard::End);
    run.reset(token);
    run.until_closed(token);
    run.assert_silence();
}

pub(super) fn a_reset_after_the_peers_end<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    peer.write(b"the whole request");
    peer.end();
    run.until("Ended", |seen| ended(seen, token));
    run.send_all(token, pooled(b"the beginning of"));
    cut(&mut run, token, &mut peer);
}

/// A Unix socket knows no RST: its peer hears an end.
pub(super) fn a_reset_of_a_unix_socket_is_a_close<R: Rig>() {
    let mut run = Run::<R>::on(&super::run::config(), Family::Unix, 16);
    let (token, mut peer) = run.client();
    run.send_all(token, pooled(b"so far"));
    run.reset(token);
    assert!(run.until_closed(token).is_none());
    assert_eq!(run.hear_all(&mut peer), (b"so far".to_vec(), Heard::End));
    run.assert_silence();
}

pub(super) fn a_reset_while_connecting<R: Rig>() {
    let mut run = Run::<R>::new();
    let host = run.rig.host(Family::Inet);
    let token = run
        .driver()
        .connect(&host.address(), None)
        .expect("connect");
    run.ledger.opened(token);
    run.reset(token);
    run.until_closed(token);
    run.assert_silence();
    assert_eq!(run.ledger.live(), 0);
}

pub(super) fn resetting_and_closing_is_answered_once<R: Rig>() {
    let mut run = Run::<R>::new();
    for first_resets in [true, false] {
        let (token, _peer) = run.client();
        if first_resets {
            run.reset(token);
            run.close(token);
        } else {
            run.close(token);
            run.reset(token);
        }
        run.reset(token);
        run.turn_with(Duration::from_millis(5), |hands, _| hands.reset(token));
        run.until_closed(token);
        run.reset(token);
        run.close(token);
        run.assert_silence();
        assert!(!closed(&run.seen, token), "Closed came twice");
    }
}

/// The successor of a reset connection lingers as usual: nothing of its predecessor stays.
pub(super) fn the_index_of_a_reset_connection_is_used_again<R: Rig>() {
    let mut run = Run::<R>::new();
    for _ in 0..100 {
        let (token, mut peer) = run.client();
        cut_quickly(&mut run, token, &mut peer);
        let (successor, mut peer) = run.client();
        assert_eq!(successor.index, token.index, "indexes are used again");
        run.send_all(successor, pooled(b"whole"));
        run.close(successor);
        run.until_closed(successor);
        assert_eq!(run.hear_all(&mut peer), (b"whole".to_vec(), Heard::End));
        run.seen.clear();
    }
    assert_eq!(run.ledger.live(), 0);
}

/// As [`cut`], without looking whether silence follows.
fn cut_quickly<R: Rig>(run: &mut Run<R>, token: Token, peer: &mut R::Peer) {
    run.reset(token);
    run.until_closed(token);
    assert_eq!(run.hear_all(peer).1, Heard::Reset);
}
