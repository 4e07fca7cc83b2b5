//! What a peer that does not read, or sends without end, can make the server keep.

use super::application::{Client, Simulated};
use crate::limits::Limits;

const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_peer_that_never_reads_stops_being_read() {
    for seed in [0, 7] {
        let mut server = Simulated::new(seed, Limits::default());
        let peer = server.connect();
        peer.set_window(1000);
        let burst = REQUEST.repeat(1000);
        for _ in 0..100 {
            peer.write(&burst);
        }
        server.settle();
        // 100,000 requests are on their way. Only as many are answered as fill the outbox up to its high mark.
        let answered = server.reactor.service().requests;
        assert!((100..2000).contains(&answered), "seed {seed}: {answered}");
        peer.set_window(usize::MAX);
        let mut turns = 0;
        while server.reactor.service().requests < 100_000 && turns < 100_000 {
            peer.read();
            server.turn();
            turns += 1;
        }
        assert_eq!(
            server.reactor.service().requests,
            100_000,
            "seed {seed}: nothing is lost"
        );
    }
}

#[test]
fn the_memory_ceiling_refuses_new_bodies() {
    let limits = Limits {
        memory_bytes_max: 256 * 1024,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    let head = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let peers: Vec<_> = (0..6).map(|_| server.connect()).collect();
    for peer in &peers {
        peer.write(head);
        peer.write(&vec![b'x'; 60_000]);
        server.settle();
    }
    let replies: Vec<_> = peers.iter().map(Client::read).collect();
    let refused = replies
        .iter()
        .filter(|reply| reply.starts_with(b"HTTP/1.1 503 "))
        .count();
    assert!((1..5).contains(&refused), "some, not all: {refused}");
    let mut waiting: Vec<_> = peers
        .into_iter()
        .zip(&replies)
        .filter(|(_, reply)| reply.is_empty())
        .collect();
    let patient = waiting.split_off(waiting.len() / 2);
    for (peer, _) in waiting {
        peer.reset();
    }
    server.settle();
    // What they held is free again.
    for (peer, _) in patient {
        peer.write(&vec![b'x'; 40_000]);
        server.settle();
        assert!(peer.read().starts_with(b"HTTP/1.1 200 "));
    }
}

#[test]
fn a_lingering_connection_reads_a_bounded_amount() {
    let limits = Limits {
        linger_bytes_max: 256 * 1024,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    let peer = server.connect();
    peer.write(b"BAD\r\n\r\n");
    server.settle();
    peer.read();
    assert!(peer.is_ended(), "FIN is sent");
    assert_eq!(server.reactor.live(), 1, "the rest is read");
    for _ in 0..10 {
        peer.write(&vec![b'x'; 10_000]);
    }
    server.settle();
    assert_eq!(server.reactor.live(), 1);
    for _ in 0..30 {
        peer.write(&vec![b'x'; 10_000]);
    }
    server.settle();
    assert_eq!(server.reactor.live(), 0, "256 KiB are enough");
}
