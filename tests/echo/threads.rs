//! The machine gives no further threads: who is in is served, the others wait, and a signal still stops in order.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::few_threads::with_threads;
use crate::programs::{PATIENCE, Running};
use crate::streams::{says, tcp};

const CLIENTS: usize = 12;
/// One that accepts, two for signals, and those of three connections.
const THREADS: usize = 6;

/// Clients who have all said their word.
fn crowd(server: &Running) -> Vec<TcpStream> {
    let client = |_| {
        let mut peer = tcp(server);
        peer.write_all(b"word").expect("the kernel takes it");
        peer
    };
    (0..CLIENTS).map(client).collect()
}

/// Takes out those who have their answer. An end or a reset would fail here: nobody is turned away.
fn answered(waiting: &mut Vec<TcpStream>) -> Vec<TcpStream> {
    let has_answer = |peer: &mut TcpStream| {
        peer.set_nonblocking(true).expect("a socket");
        let word = peer.read(&mut [0; 4]);
        peer.set_nonblocking(false).expect("a socket");
        match word {
            Ok(4) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            other => panic!("turned away: {other:?}"),
        }
    };
    waiting.extract_if(.., has_answer).collect()
}

/// Waits until three have their answers, in whatever order: the kernel counts a thread that ends as long as it can.
fn three_are_in(waiting: &mut Vec<TcpStream>, inside: &mut Vec<TcpStream>) {
    let deadline = Instant::now() + PATIENCE;
    while inside.len() < 3.min(inside.len() + waiting.len()) {
        inside.extend(answered(waiting));
        assert!(Instant::now() < deadline, "{} are in", inside.len());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn without_a_thread_clients_wait_and_nobody_is_turned_away() {
    let arguments = ["echo", "-v", "-l", "127.0.0.1:0", "-m", "threads"];
    let Some(command) = with_threads(THREADS, &arguments) else {
        return;
    };
    let server = Running::spawn(command);
    let (mut waiting, mut inside) = (crowd(&server), Vec::new());
    while !waiting.is_empty() {
        three_are_in(&mut waiting, &mut inside);
        assert_eq!(inside.len(), 3, "a thread for each");
        for peer in &mut inside {
            says(peer, b"who is in stays in");
        }
        // One goes, one comes.
        inside.remove(0);
    }
    drop(inside);
    let printed = server.stop();
    let waits = |number: usize| {
        let line = format!("#{number} waits for a thread, and nobody is accepted meanwhile: ");
        printed.matches(&line).count()
    };
    assert_eq!([waits(1), waits(3)], [0, 0], "{printed}");
    assert_eq!(waits(4), 1, "said once: {printed}");
    assert!(printed.contains("\n12 connections, "), "{printed}");
}

#[test]
fn without_a_thread_it_stops_in_order() {
    let arguments = ["echo", "-v", "-l", "127.0.0.1:0", "-m", "threads"];
    let Some(command) = with_threads(THREADS, &arguments) else {
        return;
    };
    let server = Running::spawn(command);
    let (mut waiting, mut inside) = (crowd(&server), Vec::new());
    three_are_in(&mut waiting, &mut inside);
    let printed = server.stop();
    for peer in &mut inside {
        assert_eq!(peer.read(&mut [0]).expect("an end in order"), 0);
    }
    assert!(
        printed.contains("\n4 connections, "),
        "three, and the one that waited: {printed}"
    );
}
