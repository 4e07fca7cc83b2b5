//! What a simulation promises beyond the contract that all drivers share.

use std::fmt::Write;

use super::{Plan, Shape, Sim, SimPeer, SimRead};
use crate::buf::{Part, SendBuf};
use crate::driver::{Config, Driver, Event, Submit, Token};
use crate::sys::Family;

fn open(plan: Plan) -> (Sim, SimPeer, Token) {
    let mut driver = Sim::open(&Config::default(), plan).expect("memory opens");
    let listener = driver.net().listener(Family::Inet, 16);
    let address = listener.address.clone();
    driver.listen(listener).expect("listen");
    let peer = driver.net().connect(&address).expect("connect");
    driver.wait(None).expect("wait");
    let Some(Event::Accepted { token, .. }) = driver.next_event() else {
        panic!("the client is there");
    };
    assert!(driver.next_event().is_none());
    (driver, peer, token)
}

fn buf(bytes: &[u8]) -> SendBuf {
    SendBuf::new(Part::Pooled(bytes.to_vec()))
}

/// The lends of `turns` turns.
fn lends(driver: &mut Sim, turns: usize) -> Vec<Vec<u8>> {
    let mut lends = Vec::new();
    for _ in 0..turns {
        driver.wait(None).expect("wait");
        while let Some(event) = driver.next_event() {
            if let Event::Received { bytes, .. } = event {
                lends.push(bytes.to_vec());
            }
        }
    }
    lends
}

#[test]
fn a_calm_kernel_lends_what_was_written_as_it_was_written() {
    for shape in [Shape::Readiness, Shape::Completion] {
        let (mut driver, peer, _) = open(Plan::calm(shape));
        for piece in ["GET", " / HT", "TP/1.1\r", "\n"] {
            peer.write(piece.as_bytes());
        }
        let lends = lends(&mut driver, 4);
        assert_eq!(
            lends,
            ["GET", " / HT", "TP/1.1\r", "\n"].map(|s| s.as_bytes().to_vec())
        );
    }
}

#[test]
fn a_lend_is_never_longer_than_receive_bytes() {
    let (mut driver, peer, _) = open(Plan::calm(Shape::Readiness));
    peer.write(&vec![7; 200_000]);
    let lends = lends(&mut driver, 10);
    let lengths: Vec<_> = lends.iter().map(Vec::len).collect();
    assert_eq!(lengths, [65536, 65536, 65536, 3392]);
}

/// Everything that a session shows, as text.
fn trace(seed: u64, shape: Shape) -> String {
    let (mut driver, peer, token) = open(Plan::seeded(seed, shape));
    let mut trace = String::new();
    let mut busy = false;
    peer.window(100);
    for round in 0..30_u8 {
        peer.write(&[round; 50]);
        driver.wait(None).expect("wait");
        while let Some(event) = driver.next_event() {
            writeln!(trace, "{event:?}").expect("into memory");
            if matches!(event, Event::Sent { .. }) {
                busy = false;
            }
        }
        if !busy {
            busy = matches!(driver.send(token, buf(&[round; 90])), Submit::InFlight);
        }
        writeln!(trace, "{:?}", peer.read(33)).expect("into memory");
    }
    trace
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_another() {
    for shape in [Shape::Readiness, Shape::Completion] {
        for seed in 1..20 {
            assert_eq!(trace(seed, shape), trace(seed, shape), "seed {seed}");
        }
        assert_ne!(trace(1, shape), trace(2, shape));
    }
}

#[test]
fn whatever_the_seed_cuts_the_bytes_are_the_same() {
    let written: Vec<u8> = (0..5000_u32).map(|at| (at % 251) as u8).collect();
    for shape in [Shape::Readiness, Shape::Completion] {
        let mut counts = Vec::new();
        for seed in 1..50 {
            let (mut driver, peer, _) = open(Plan::seeded(seed, shape));
            written.chunks(1000).for_each(|piece| peer.write(piece));
            let lends = lends(&mut driver, 200);
            assert_eq!(lends.concat(), written, "seed {seed}");
            counts.push(lends.len());
        }
        counts.sort_unstable();
        assert!(
            counts[0] < counts[counts.len() - 1],
            "cuts differ: {counts:?}"
        );
    }
}

#[test]
fn a_held_send_stays_in_flight_until_released() {
    for shape in [Shape::Readiness, Shape::Completion] {
        let (mut driver, peer, token) = open(Plan::calm(shape));
        peer.hold();
        assert!(matches!(
            driver.send(token, buf(b"held back")),
            Submit::InFlight
        ));
        assert!(lends(&mut driver, 10).is_empty());
        assert_eq!((driver.unsent(token), peer.read(9)), (9, SimRead::Nothing));
        peer.release();
        driver.wait(None).expect("wait");
        assert!(matches!(
            driver.next_event(),
            Some(Event::Sent { result: Ok(()), .. })
        ));
        assert_eq!(peer.read_all(), b"held back");
    }
}

#[test]
fn short_sends_show_their_progress() {
    let (mut driver, peer, token) = open(Plan::calm(Shape::Completion));
    peer.takes(4);
    assert!(matches!(
        driver.send(token, buf(b"ten bytes!")),
        Submit::InFlight
    ));
    let mut progress = Vec::new();
    for _ in 0..3 {
        driver.wait(None).expect("wait");
        while driver.next_event().is_some() {}
        progress.push((driver.unsent(token), peer.read_all().len()));
    }
    assert_eq!(progress, [(6, 4), (2, 4), (0, 2)]);
}

#[test]
fn a_close_with_unread_bytes_costs_the_peer_its_reply() {
    let (mut driver, peer, token) = open(Plan::calm(Shape::Readiness));
    assert!(matches!(driver.send(token, buf(b"413")), Submit::Done(_)));
    peer.write(b"and the rest of a body that nobody reads");
    driver.close(token);
    assert_eq!(peer.read(10), SimRead::Reset);
}

#[test]
fn a_socket_that_is_not_simulated_is_refused() {
    let mut driver = Sim::open(&Config::default(), Plan::calm(Shape::Readiness)).expect("opens");
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let error = driver.adopt(ours.into()).expect_err("it is a real one");
    assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
}
