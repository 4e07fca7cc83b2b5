//! Connections of our own, adopted ones, and who is at the other end.

use super::rig::{Heard, Host, Peer, Rig};
use super::run::{Run, config, failed, pooled};
use super::seen::Seen;
use crate::driver::{Driver, Op, Token};
use crate::sys::{Address, Family, UnixName};

fn connect<R: Rig>(run: &mut Run<R>, to: &Address, from: Option<&Address>) -> Token {
    let token = run.driver().connect(to, from).expect("connect");
    run.ledger.opened(token);
    token
}

fn until_connected<R: Rig>(run: &mut Run<R>, token: Token) {
    run.until("Connected", |seen| {
        seen.iter()
            .any(|seen| matches!(seen, Seen::Connected(of) if *of == token))
    });
}

fn peer_of<R: Rig>(run: &mut Run<R>, token: Token) -> Option<Address> {
    run.seen.clear();
    run.driver().ask_peer(token);
    let is_peer = |seen: &Seen| matches!(seen, Seen::Peer(of, _) if *of == token);
    run.until("Peer", |seen| seen.iter().any(is_peer));
    match run.seen.iter().find(|seen| is_peer(seen)) {
        Some(Seen::Peer(_, address)) => address.clone(),
        _ => None,
    }
}

fn speak<R: Rig>(run: &mut Run<R>, token: Token, peer: &mut R::Peer) {
    run.send_all(token, pooled(b"hello"));
    assert_eq!(run.hear(peer, 5), b"hello");
    peer.write(b"hello yourself");
    run.until_received(token, 14);
    run.close(token);
    run.until_closed(token);
    assert_eq!(run.hear_all(peer).1, Heard::End);
}

fn a_connection_of_ours_on<R: Rig>(family: Family) {
    let mut run = Run::<R>::new();
    let mut host = run.rig.host(family);
    let token = connect(&mut run, &host.address(), None);
    until_connected(&mut run, token);
    let (mut peer, _) = run.play("the client", |run| host.accept().or_else(|| run.pass()));
    assert_eq!(peer_of(&mut run, token), Some(host.address()));
    speak(&mut run, token, &mut peer);
}

pub(super) fn a_connection_of_ours<R: Rig>() {
    a_connection_of_ours_on::<R>(Family::Inet);
    a_connection_of_ours_on::<R>(Family::Inet6);
    a_connection_of_ours_on::<R>(Family::Unix);
}

pub(super) fn a_peer_that_speaks_first_is_heard<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut host = run.rig.host(Family::Inet);
    let token = connect(&mut run, &host.address(), None);
    let (mut peer, _) = run.play("the client", |run| host.accept().or_else(|| run.pass()));
    peer.write(b"220 ready");
    run.until_received(token, 9);
    let place = |of: fn(&Seen) -> bool| run.seen.iter().position(of);
    let connected = place(|seen| matches!(seen, Seen::Connected(_)));
    let received = place(|seen| matches!(seen, Seen::Received(..)));
    assert!(
        connected.is_some() && connected < received,
        "Connected first"
    );
}

pub(super) fn a_refusal_is_told_and_closes_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let host = run.rig.host(Family::Inet);
    let nobody = host.address();
    drop(host);
    let token = connect(&mut run, &nobody, None);
    run.until("Failed", |seen| failed(seen, token) > 0);
    let told = run.seen.last().expect("it was told");
    assert!(
        matches!(told, Seen::Failed(_, Op::Connect, Some(libc::ECONNREFUSED))),
        "{told:?}"
    );
    run.assert_silence();
    assert_eq!((failed(&run.seen, token), run.ledger.live()), (1, 1));
    run.close(token);
    run.until_closed(token);
}

pub(super) fn the_source_can_be_chosen<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut host = run.rig.host(Family::Inet);
    for last in 2..6 {
        let from: Address = format!("127.9.8.{last}:0").parse().expect("a literal");
        let token = connect(&mut run, &host.address(), Some(&from));
        until_connected(&mut run, token);
        let (mut peer, source) = run.play("the client", |run| host.accept().or_else(|| run.pass()));
        let Address::Inet(source) = source else {
            panic!("{source} is no IP address");
        };
        assert_eq!(source.ip().to_string(), format!("127.9.8.{last}"));
        speak(&mut run, token, &mut peer);
    }
}

pub(super) fn many_connections_of_ours_at_once<R: Rig>() {
    let mut run = Run::<R>::new();
    let mut host = run.rig.host(Family::Inet);
    let tokens: Vec<_> = (0..12)
        .map(|_| connect(&mut run, &host.address(), None))
        .collect();
    let mut peers = Vec::new();
    run.play("all clients", |run| {
        peers.extend(host.accept());
        run.turn();
        (peers.len() == tokens.len()).then_some(())
    });
    for token in tokens {
        until_connected(&mut run, token);
        run.close(token);
        run.until_closed(token);
    }
    run.assert_silence();
}

pub(super) fn an_adopted_stream_is_one_of_ours<R: Rig>() {
    let mut run = Run::<R>::new();
    for _ in 0..3 {
        let (ours, mut peer) = run.rig.pair();
        let token = run.driver().adopt(ours).expect("adopt");
        run.ledger.opened(token);
        speak(&mut run, token, &mut peer);
    }
    let (ours, mut peer) = run.rig.pair();
    peer.write(b"before");
    peer.end();
    let token = run.driver().adopt(ours).expect("adopt");
    run.ledger.opened(token);
    run.until("Ended", |seen| super::run::ended(seen, token));
    assert_eq!(run.received(token), b"before");
    run.assert_silence();
}

fn a_peers_address_on<R: Rig>(family: Family) {
    let mut run = Run::<R>::on(&config(), family, 64);
    let clients: Vec<_> = (0..3).map(|_| run.client()).collect();
    for (token, mut peer) in clients {
        assert_eq!(peer_of(&mut run, token), Some(peer.address()));
        // Its FIN does not make us forget it.
        peer.end();
        run.settle();
        assert_eq!(peer_of(&mut run, token), Some(peer.address()));
        run.close(token);
        run.until_closed(token);
    }
    run.assert_silence();
}

pub(super) fn a_peers_address_is_told<R: Rig>() {
    a_peers_address_on::<R>(Family::Inet);
    a_peers_address_on::<R>(Family::Inet6);
    a_peers_address_on::<R>(Family::Unix);
}

pub(super) fn a_unix_peers_name_is_told_whole<R: Rig>() {
    let mut run = Run::<R>::on(&config(), Family::Unix, 64);
    for length in [30, 31, 64, 107] {
        let (_peer, name) = run.rig.connect_named(&run.address.clone(), length);
        let before = run.accepted().len();
        run.until("Accepted", |seen| super::run::accepted(seen).len() > before);
        let token = run.accepted()[before];
        let told = peer_of(&mut run, token);
        assert_eq!(told.as_ref(), Some(&name));
        assert!(matches!(&name, Address::Unix(UnixName::Abstract(name)) if name.len() == length));
        run.seen.push(Seen::Accepted(token, run.listener));
        run.close(token);
        run.until_closed(token);
        run.seen.clear();
    }
}

pub(super) fn a_dead_peer_has_no_address_or_its_old_one<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, peer) = run.client();
    let address = peer.address();
    peer.reset();
    run.until("Failed", |seen| failed(seen, token) > 0);
    let told = peer_of(&mut run, token);
    assert!(told.is_none() || told == Some(address), "{told:?}");
}
