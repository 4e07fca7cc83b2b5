//! Datagrams both ways: whole, possibly empty, several in flight.

use super::rig::{Outside, Rig};
use super::run::{Run, config, pattern, pooled};
use super::seen::Seen;
use crate::buf::{Part, SendBuf};
use crate::driver::{Config, Driver, Submit, Token};
use crate::sys::{Address, Family};

fn bind<R: Rig>(run: &mut Run<R>, family: Family) -> (Token, Address) {
    let (socket, address) = run.rig.datagram(family);
    let token = run.driver().bind_datagram(socket).expect("bind");
    run.ledger.opened(token);
    (token, address)
}

fn datagrams(seen: &[Seen]) -> Vec<(Address, Vec<u8>, bool)> {
    let datagrams = seen.iter().filter_map(|seen| match seen {
        Seen::Datagram {
            from,
            bytes,
            truncated,
            ..
        } => Some((from.clone(), bytes.clone(), *truncated)),
        _ => None,
    });
    datagrams.collect()
}

fn until_datagrams<R: Rig>(run: &mut Run<R>, count: usize) -> Vec<(Address, Vec<u8>, bool)> {
    run.until("datagrams", |seen| datagrams(seen).len() >= count);
    datagrams(&run.seen)
}

fn send_to<R: Rig>(run: &mut Run<R>, socket: Token, to: &Address, buf: SendBuf) {
    if let Submit::Failed(_, error) = run.hands().send_to(socket, to, buf) {
        panic!("send_to: {error}");
    }
}

fn both_ways_on<R: Rig>(family: Family) {
    let mut run = Run::<R>::new();
    let (socket, address) = bind(&mut run, family);
    let mut outside = run.rig.outside(family);
    outside.send(&address, b"one");
    outside.send(&address, b"");
    outside.send(&address, &pattern(1200));
    let got = until_datagrams(&mut run, 3);
    assert!(
        got.iter()
            .all(|(from, _, cut)| *from == outside.address() && !cut)
    );
    let bytes: Vec<_> = got.into_iter().map(|(_, bytes, _)| bytes).collect();
    assert_eq!(bytes, [b"one".to_vec(), Vec::new(), pattern(1200)]);

    send_to(&mut run, socket, &outside.address(), pooled(b"answer"));
    send_to(&mut run, socket, &outside.address(), pooled(b""));
    let mut parts = pooled(b"in ");
    parts.push(Part::Static(b"two parts"));
    send_to(&mut run, socket, &outside.address(), parts);
    for expected in [&b"answer"[..], b"", b"in two parts"] {
        let (from, bytes) = run.play("an answer", |run| outside.receive().or_else(|| run.pass()));
        assert_eq!((from, &bytes[..]), (address.clone(), expected));
    }
    run.settle();
    run.close(socket);
    run.until_closed(socket);
    run.assert_silence();
}

pub(super) fn datagrams_go_both_ways<R: Rig>() {
    both_ways_on::<R>(Family::Inet);
    both_ways_on::<R>(Family::Inet6);
    both_ways_on::<R>(Family::Unix);
}

pub(super) fn many_datagrams_are_in_flight_at_once<R: Rig>() {
    let mut run = Run::<R>::new();
    let (socket, address) = bind(&mut run, Family::Inet);
    let mut outside = run.rig.outside(Family::Inet);
    for number in 0..100_u8 {
        send_to(&mut run, socket, &outside.address(), pooled(&[number; 9]));
    }
    for number in 0..100 {
        let (_, bytes) = run.play("an answer", |run| outside.receive().or_else(|| run.pass()));
        assert_eq!(bytes, [number; 9]);
    }
    // More than there are receive buffers, and nobody looks until all are there.
    for number in 0..100_u8 {
        outside.send(&address, &[number; 9]);
    }
    let got = until_datagrams(&mut run, 100);
    for (number, (_, bytes, _)) in got.into_iter().enumerate() {
        assert_eq!(bytes, [number as u8; 9]);
    }
    run.assert_silence();
}

pub(super) fn a_datagram_that_is_too_long_is_cut_and_said_so<R: Rig>() {
    let mut run = Run::<R>::with(&Config {
        receive_bytes: 70_000,
        ..config()
    });
    let (_, address) = bind(&mut run, Family::Unix);
    let mut outside = run.rig.outside(Family::Unix);
    let long = pattern(100_000);
    outside.send(&address, &long);
    outside.send(&address, b"short");
    let got = until_datagrams(&mut run, 2);
    let (_, bytes, truncated) = &got[0];
    assert!(*truncated && bytes.len() > 60_000, "{} bytes", bytes.len());
    assert!(bytes[..] == long[..bytes.len()]);
    assert_eq!(got[1].1, b"short");
    assert!(!got[1].2);
}

pub(super) fn a_paused_datagram_socket_is_silent<R: Rig>() {
    let mut run = Run::<R>::new();
    let (socket, address) = bind(&mut run, Family::Inet);
    let mut outside = run.rig.outside(Family::Inet);
    run.driver().pause_recv(socket);
    run.settle();
    outside.send(&address, b"later");
    run.assert_silence();
    run.driver().resume_recv(socket);
    assert_eq!(until_datagrams(&mut run, 1)[0].1, b"later");
}

pub(super) fn a_datagram_that_nobody_takes_harms_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (socket, address) = bind(&mut run, Family::Inet);
    let nobody = run.rig.outside(Family::Inet).address();
    for _ in 0..5 {
        // The refusal comes back as an ICMP message, which may concern the next call.
        let _ = run.hands().send_to(socket, &nobody, pooled(b"hello?"));
        run.turn();
    }
    let mut outside = run.rig.outside(Family::Inet);
    outside.send(&address, b"still there?");
    assert_eq!(until_datagrams(&mut run, 1)[0].1, b"still there?");
    run.assert_silence();
}

pub(super) fn a_datagram_socket_closes_with_datagrams_in_flight<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut outside = run.rig.outside(Family::Inet);
    for _ in 0..10 {
        let (socket, address) = bind(&mut run, Family::Inet);
        for _ in 0..20 {
            outside.send(&address, b"unread");
            send_to(&mut run, socket, &outside.address(), pooled(b"unsent"));
        }
        run.close(socket);
        run.until_closed(socket);
        run.seen.clear();
    }
    run.assert_silence();
    assert_eq!(run.ledger.live(), 0);
}
