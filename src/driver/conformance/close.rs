//! Lines 5 and 6 of the contract: after `close` only `Closed`, once, with the buffer that was in flight.
//!
//! That nothing else is heard of a closed connection is checked by the ledger in every case.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::rig::{Heard, Host, Peer, Rig};
use super::run::{Run, ended, failed, pattern, pooled};
use super::seen::Seen;
use crate::buf::{FileSlice, Part, SendBuf};
use crate::driver::{Driver, Submit};
use crate::sys::Family;

pub(super) fn closing_right_after_the_accept<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut peers: Vec<_> = (0..20)
        .map(|_| run.rig.connect(&run.address.clone()).expect("connect"))
        .collect();
    for peer in &mut peers {
        peer.write(b"anybody there?");
    }
    let mut closed = 0;
    run.play("Closed for all", |run| {
        run.turn_with(Duration::from_millis(5), |hands, seen| match seen {
            Seen::Accepted(token, _) => hands.close(*token),
            Seen::Closed(..) => closed += 1,
            _ => {}
        });
        (closed == 20).then_some(())
    });
    run.assert_silence();
    assert_eq!(run.ledger.live(), 0);
    for peer in &mut peers {
        // Its words were not read, so the kernel may well say reset.
        assert_ne!(run.hear_all(peer).1, Heard::Nothing);
    }
}

pub(super) fn closing_in_the_middle_of_a_turn<R: Rig>() {
    let mut run = Run::<R>::new();
    let clients: Vec<_> = (0..30).map(|_| run.client()).collect();
    let mut peers = Vec::new();
    for (_, mut peer) in clients {
        for _ in 0..5 {
            peer.write(&pattern(3000));
        }
        peer.end();
        peers.push(peer);
    }
    let mut closed = 0;
    run.play("Closed for all", |run| {
        run.turn_with(Duration::from_millis(5), |hands, seen| match seen {
            Seen::Received(token, _) => hands.close(*token),
            Seen::Closed(..) => closed += 1,
            _ => {}
        });
        (closed == 30).then_some(())
    });
    run.assert_silence();
}

pub(super) fn closing_twice_is_closing_once<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, _peer) = run.client();
    run.close(token);
    run.close(token);
    run.turn_with(Duration::from_millis(5), |hands, _| hands.close(token));
    run.until_closed(token);
    run.close(token);
    run.assert_silence();
}

pub(super) fn closing_with_everything_in_flight_gives_the_buffer_back<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let bytes: Arc<[u8]> = pattern(16 << 20).into();
    let first = b"first".to_vec();
    let place = first.as_ptr();
    let mut buf = SendBuf::new(Part::Pooled(first));
    buf.push(Part::Shared {
        bytes: bytes.clone(),
        range: 0..bytes.len() as u32,
    });
    assert!(matches!(run.send(token, buf), Submit::InFlight));
    run.settle();
    run.close(token);
    let unsent = run.until_closed(token).expect("the buffer in flight");
    assert!(unsent.remaining() > 0 && unsent.remaining() < bytes.len());
    let Some(Part::Pooled(first)) = unsent.into_parts().next() else {
        panic!("the first part was a pooled one");
    };
    assert_eq!(first.as_ptr(), place, "the same buffer");
    assert_eq!(Arc::strong_count(&bytes), 1, "nobody holds the rest");
    run.assert_silence();
    assert_ne!(run.hear_all(&mut peer).1, Heard::Nothing);
}

pub(super) fn closing_a_paused_connection<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.driver().pause_recv(token);
    peer.write(b"unread");
    run.close(token);
    run.until_closed(token);
    run.assert_silence();
}

pub(super) fn closing_after_the_end_and_after_a_reset<R: Rig>() {
    let mut run = Run::<R>::new();
    let (first, mut peer) = run.client();
    peer.end();
    run.until("Ended", |seen| ended(seen, first));
    run.close(first);
    run.until_closed(first);
    let (second, peer) = run.client();
    peer.reset();
    run.until("Failed", |seen| failed(seen, second) > 0);
    run.close(second);
    run.until_closed(second);
    run.assert_silence();
    assert_eq!(run.ledger.live(), 0);
}

pub(super) fn answers_that_are_still_queued_die_with_their_connection<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, _peer) = run.client();
    let path = std::env::current_exe().expect("this program");
    let file = Arc::new(File::open(path).expect("a file"));
    for _ in 0..3 {
        run.driver().ask_peer(token);
    }
    let slice = FileSlice::new(file.clone(), 0..4096);
    run.driver()
        .read_file(token, slice, Vec::with_capacity(4096));
    run.driver().shutdown_write(token);
    run.close(token);
    run.until_closed(token);
    run.assert_silence();
    assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
}

pub(super) fn closing_while_connecting<R: Rig>() {
    let mut run = Run::<R>::new();
    let host = run.rig.host(Family::Inet);
    let token = run
        .driver()
        .connect(&host.address(), None)
        .expect("connect");
    run.ledger.opened(token);
    run.close(token);
    run.until_closed(token);
    run.assert_silence();
}

/// What the kernel took before the close arrives, and the rest comes back. Small replies are taken whole.
pub(super) fn what_was_sent_before_the_close_arrives<R: Rig>() {
    let mut run = Run::<R>::new();
    for _ in 0..20 {
        let (token, mut peer) = run.client();
        peer.write(b"request");
        run.until_received(token, 7);
        run.send(token, pooled(&pattern(1500)));
        run.close(token);
        let unsent = run.until_closed(token).map_or(0, |buf| buf.remaining());
        let (heard, end) = run.hear_all(&mut peer);
        assert_eq!(heard, pattern(1500)[..1500 - unsent]);
        assert_eq!(end, Heard::End);
        assert!(unsent == 0 || R::SHORTENS, "{unsent} bytes were not taken");
    }
}

pub(super) fn thousands_of_connections_use_few_slots<R: Rig>() {
    let mut run = Run::<R>::new();
    for round in 0..300 {
        let peers: Vec<_> = (0..10)
            .map(|_| run.rig.connect(&run.address.clone()).expect("connect"))
            .collect();
        let mut closed = 0;
        run.play("Closed for all", |run| {
            run.turn_with(Duration::from_millis(5), |hands, seen| match seen {
                Seen::Accepted(token, _) if round % 2 == 0 => hands.close(*token),
                Seen::Accepted(token, _) => {
                    hands.send(*token, pooled(b"hello"));
                    hands.close(*token);
                }
                Seen::Closed(..) => closed += 1,
                _ => {}
            });
            (closed == 10).then_some(())
        });
        drop(peers);
        run.seen.clear();
    }
    assert_eq!(run.ledger.live(), 0);
    // A ring's table is used in a circle.
    let most = super::run::config().connections_max;
    assert!(run.ledger.index_max < most, "{}", run.ledger.index_max);
}
