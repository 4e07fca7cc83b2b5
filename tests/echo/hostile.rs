//! Peers that take nothing, or go with a reset: they cost a bounded amount, and nobody else waits for them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::programs::{PATIENCE, Running};
use crate::streams::{says, tcp};
use crate::{ALL, CONCURRENT, with_each};

/// Sends until the kernel takes nothing more for a while, and reads nothing.
fn stuff(peer: &mut TcpStream) -> usize {
    let piece = vec![b'x'; 1 << 20];
    let time = Some(Duration::from_millis(100));
    peer.set_write_timeout(time).expect("an open socket");
    let mut sent = 0;
    loop {
        match peer.write(&piece) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sent,
            Err(error) => panic!("behind {sent} bytes: {error}"),
        }
        assert!(sent < 1 << 30, "the server takes everything");
    }
}

/// The most bytes of memory that it ever had (`proc_pid_status(5)`).
fn peak_bytes(server: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.expect("a figure in kB") * 1024
}

#[test]
fn a_flood_that_nobody_reads_is_bounded() {
    with_each(&CONCURRENT, |model| {
        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
        says(&mut tcp(&server), b"warm");
        let before = peak_bytes(&server);
        let mut floods: Vec<TcpStream> = (0..8).map(|_| tcp(&server)).collect();
        for flood in &mut floods {
            assert!(stuff(flood) > 0);
        }
        says(&mut tcp(&server), b"others are served");
        let grown = peak_bytes(&server) - before;
        assert!(
            grown < 8 * (2 << 20) + (8 << 20),
            "{model}: {grown} bytes more for eight floods"
        );
        drop(floods);
        server.stop();
    });
}

#[test]
fn who_takes_nothing_is_cut_off() {
    with_each(&ALL, |model| {
        let arguments = ["echo", "-l", "127.0.0.1:0", "-m", model];
        let server = Running::start(&[&arguments[..], &["--idle-timeout", "0.5"]].concat());
        let mut flood = tcp(&server);
        let time = Some(Duration::from_millis(100));
        flood.set_write_timeout(time).expect("an open socket");
        let (piece, deadline) = (vec![b'x'; 1 << 20], Instant::now() + PATIENCE);
        // With input unread, the server's close resets the connection.
        loop {
            assert!(Instant::now() < deadline, "it is not cut off");
            match flood.write(&piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    let kind = error.kind();
                    let is_cut = matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                    assert!(is_cut, "{error}");
                    break;
                }
            }
        }
        says(&mut tcp(&server), b"next");
        let report = server.stop();
        assert!(report.contains(", 1 connections cut"), "{report}");
    });
}

/// A stuck connection does not keep the program from stopping.
#[test]
fn stopping_waits_for_nobody_for_ever() {
    with_each(&ALL, |model| {
        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
        let mut flood = tcp(&server);
        stuff(&mut flood);
        let report = server.stop();
        assert!(report.starts_with("1 connections, "), "{report}");
        drop(flood);
    });
}

#[test]
fn resets_cost_one_connection_each() {
    with_each(&ALL, |model| {
        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
        for round in 0..30 {
            let mut peer = tcp(&server);
            if round % 3 != 0 {
                peer.write_all(&[b'x'; 5000]).expect("the server reads");
            }
            if round % 3 == 2 {
                peer.read_exact(&mut [0]).expect("an answer");
            }
            SockRef::from(&peer)
                .set_linger(Some(Duration::ZERO))
                .expect("an open socket");
        }
        let mut peer = tcp(&server);
        peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
        says(&mut peer, b"still here");
        drop(peer);
        server.stop();
    });
}
