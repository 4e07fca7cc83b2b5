//! Line 4 of the contract: one send in flight, short sends finished inside, the same buffer back.

use std::sync::Arc;

use super::rig::{Heard, Peer, Rig};
use super::run::{Run, ended, pattern, pooled};
use super::seen::Seen;
use crate::buf::{PARTS_MAX, Part, SendBuf};
use crate::driver::{Driver, Submit};

/// More than the buffers of a connection take, so that it stays in flight until the peer reads.
const LARGE_PARTS: usize = 16;

fn shared(bytes: &Arc<[u8]>) -> Part {
    Part::Shared {
        bytes: bytes.clone(),
        range: 0..bytes.len() as u32,
    }
}

/// Sixteen parts of 1 MiB, which is more than any kernel takes at once.
fn large() -> (SendBuf, Vec<u8>) {
    let bytes: Arc<[u8]> = pattern(1 << 20).into();
    let mut buf = pooled(&bytes);
    for _ in 1..LARGE_PARTS {
        buf.push(shared(&bytes));
    }
    (buf, bytes.repeat(LARGE_PARTS))
}

fn address_of_first(buf: SendBuf) -> *const u8 {
    match buf.into_parts().next() {
        Some(Part::Pooled(bytes)) => bytes.as_ptr(),
        other => panic!("the first part was a pooled one, not {other:?}"),
    }
}

/// Reads in small bites until the send is over and everything was heard.
fn drain<R: Rig>(run: &mut Run<R>, peer: &mut R::Peer, count: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let bite = (count - heard.len()).min(300_000);
        heard.extend(run.hear(peer, bite));
    }
    heard
}

pub(super) fn a_large_send_to_a_slow_peer_is_finished_inside<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let bytes: Arc<[u8]> = pattern(4 << 20).into();
    let first = Vec::from(&bytes[..]);
    let place = first.as_ptr();
    let mut buf = SendBuf::new(Part::Pooled(first));
    for _ in 0..3 {
        buf.push(shared(&bytes));
    }
    let submit = run.send(token, buf);
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    run.settle();
    assert!(run.driver().unsent(token) > 0, "nobody reads");
    run.assert_silence();
    assert!(drain(&mut run, &mut peer, 16 << 20) == bytes.repeat(4));
    let buf = run.until_sent(token).expect("sent");
    assert_eq!(buf.remaining(), 0);
    assert_eq!(run.driver().unsent(token), 0);
    assert_eq!(address_of_first(buf), place, "the same buffer comes back");
    run.assert_silence();
}

pub(super) fn one_large_part_is_finished_inside<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let sent = pattern(12 << 20);
    assert!(matches!(run.send(token, pooled(&sent)), Submit::InFlight));
    assert!(drain(&mut run, &mut peer, sent.len()) == sent);
    assert_eq!(run.until_sent(token).expect("sent").remaining(), 0);
}

pub(super) fn sixteen_parts_of_every_kind_arrive_in_order<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let body: Arc<[u8]> = pattern(1000).into();
    let mut buf = SendBuf::new(Part::Pooled(b"head".to_vec()));
    let mut expected = b"head".to_vec();
    while buf.parts() < PARTS_MAX {
        let part = match buf.parts() % 4 {
            0 => Part::Pooled(vec![buf.parts() as u8; 100]),
            1 => Part::Static(b"static"),
            2 => Part::Shared {
                bytes: body.clone(),
                range: 100..900,
            },
            // A part without bytes must not end the send.
            _ => Part::Static(b""),
        };
        expected.extend_from_slice(part.as_bytes());
        buf.push(part);
    }
    for _ in 0..3 {
        buf = run.send_all(token, buf);
        assert_eq!((buf.parts(), buf.remaining()), (PARTS_MAX, 0));
        assert!(run.hear(&mut peer, expected.len()) == expected);
        let mut parts = buf.into_parts();
        let mut again = SendBuf::new(parts.next().expect("a part"));
        parts.for_each(|part| again.push(part));
        buf = again;
    }
}

pub(super) fn a_send_without_bytes_is_a_send<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.send_all(token, pooled(b""));
    let mut buf = pooled(b"");
    buf.push(Part::Static(b""));
    run.send_all(token, buf);
    run.send_all(token, pooled(b"x"));
    assert_eq!(run.hear(&mut peer, 1), b"x");
    run.assert_silence();
}

pub(super) fn unsent_falls_as_the_peer_reads<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let (buf, expected) = large();
    assert_eq!(run.driver().unsent(token), 0);
    assert!(matches!(run.send(token, buf), Submit::InFlight));
    let mut figures = vec![run.driver().unsent(token)];
    let mut heard = 0;
    while heard < expected.len() {
        heard += run
            .hear(&mut peer, (expected.len() - heard).min(1 << 20))
            .len();
        run.turn();
        figures.push(run.driver().unsent(token));
    }
    run.until_sent(token).expect("sent");
    assert!(
        figures.is_sorted_by(|before, after| before >= after),
        "{figures:?}"
    );
    figures.dedup();
    assert!(figures.len() >= 6, "progress must be seen: {figures:?}");
}

pub(super) fn both_directions_at_once<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let bytes = pattern(500_000);
    let (mut written, mut heard, mut echoed) = (0, Vec::new(), 0);
    let mut busy = false;
    run.play("the echo of everything", |run| {
        written += peer.write(&bytes[written..(written + 20_000).min(bytes.len())]);
        let finished = run.seen.iter().any(|seen| matches!(seen, Seen::Sent(..)));
        if finished {
            run.until_sent(token).expect("sent");
            busy = false;
        }
        let received = run.received(token);
        if !busy && received.len() > echoed {
            let submit = run.send(token, pooled(&received[echoed..]));
            echoed = received.len();
            busy = matches!(submit, Submit::InFlight);
        }
        run.turn_with(std::time::Duration::from_millis(1), |_, _| {});
        while let Heard::Bytes(bytes) = peer.read(30_000) {
            heard.extend(bytes);
        }
        (heard.len() == bytes.len()).then_some(())
    });
    assert!(heard == bytes);
}

pub(super) fn many_sends_in_one_turn<R: Rig>() {
    let mut run = Run::<R>::new();
    // More than the ring has entries.
    let mut clients: Vec<_> = (0..100).map(|_| run.client()).collect();
    for (token, _) in &clients {
        run.send(*token, pooled(&token.index.to_ne_bytes()));
    }
    for (token, peer) in &mut clients {
        assert_eq!(run.hear(peer, 4), token.index.to_ne_bytes());
    }
}

/// Sends until something stays in flight.
fn fill<R: Rig>(run: &mut Run<R>, token: crate::driver::Token) {
    let (buf, _) = large();
    assert!(matches!(run.send(token, buf), Submit::InFlight));
    run.settle();
}

pub(super) fn a_reset_gives_the_buffer_in_flight_back<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, peer) = run.client();
    fill(&mut run, token);
    peer.reset();
    let error = run.until_sent(token).expect_err("the peer is gone");
    let gone = [Some(libc::ECONNRESET), Some(libc::EPIPE)];
    assert!(gone.contains(&error.raw_os_error()), "{error}");
    run.assert_silence();
    // It has come back already: closing has no buffer to give.
    run.close(token);
    assert!(run.until_closed(token).is_none());
}

pub(super) fn a_send_to_a_dead_peer_fails_with_its_buffer<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, peer) = run.client();
    peer.reset();
    run.until("Failed", |seen| super::run::failed(seen, token) > 0);
    match run.send(token, pooled(b"hello?")) {
        Submit::Failed(buf, _) => assert_eq!(buf.remaining(), 6),
        Submit::InFlight => {
            run.until_sent(token).expect_err("nobody is there");
        }
        Submit::Done(_) => panic!("nobody can have taken it"),
    }
    run.assert_silence();
}

pub(super) fn our_end_is_heard_and_the_peer_goes_on<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    run.send_all(token, pooled(b"bye"));
    run.driver().shutdown_write(token);
    assert_eq!(run.hear_all(&mut peer), (b"bye".to_vec(), Heard::End));
    peer.write(b"one more thing");
    run.until_received(token, 14);
    match run.send(token, pooled(b"too late")) {
        Submit::Failed(..) => {}
        Submit::InFlight => {
            run.until_sent(token).expect_err("after our end");
        }
        Submit::Done(_) => panic!("sent after our end"),
    }
    peer.end();
    run.until("Ended", |seen| ended(seen, token));
    run.assert_silence();
}

pub(super) fn our_end_waits_behind_the_send_in_flight<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let (buf, expected) = large();
    assert!(matches!(run.send(token, buf), Submit::InFlight));
    run.driver().shutdown_write(token);
    run.settle();
    assert!(drain(&mut run, &mut peer, expected.len()) == expected);
    assert_eq!(run.hear_all(&mut peer), (Vec::new(), Heard::End));
    assert_eq!(run.until_sent(token).expect("sent").remaining(), 0);
    run.assert_silence();
}

pub(super) fn what_a_loan_leaves_goes_with_the_next_send<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let bytes = pattern(8 << 20);
    let taken = run.driver().send_at_once(token, &bytes);
    assert!(taken < bytes.len(), "more than any kernel takes at once");
    let submit = run.send(token, pooled(&bytes[taken..]));
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    assert_eq!(drain::<R>(&mut run, &mut peer, bytes.len()), bytes);
    run.until_sent(token).expect("all of it was heard");
    run.assert_silence();
}

pub(super) fn a_loan_to_a_dead_peer_takes_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, peer) = run.client();
    peer.reset();
    run.until("Failed", |seen| super::run::failed(seen, token) > 0);
    assert_eq!(run.driver().send_at_once(token, b"hello?"), 0);
    match run.send(token, pooled(b"hello?")) {
        Submit::Failed(..) => {}
        Submit::InFlight => {
            run.until_sent(token).expect_err("nobody is there");
        }
        Submit::Done(_) => panic!("nobody can have taken it"),
    }
    run.assert_silence();
}
