//! Byte streams come back whole, whatever their size and wherever they were cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::programs::{PATIENCE, Running, path, pattern};
use crate::{ALL, CONCURRENT, with_each};

/// One end of a stream of either family.
pub(crate) trait Peer: Read + Write + Sized + Send {
    fn half_close(&self);
    fn wait_for_reads(&self, time: Duration);
    fn twin(&self) -> Self;
}

impl Peer for TcpStream {
    fn half_close(&self) {
        self.shutdown(Shutdown::Write).expect("an open socket");
    }

    fn wait_for_reads(&self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("an open socket");
    }

    fn twin(&self) -> Self {
        self.try_clone().expect("a descriptor")
    }
}

impl Peer for UnixStream {
    fn half_close(&self) {
        self.shutdown(Shutdown::Write).expect("an open socket");
    }

    fn wait_for_reads(&self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("an open socket");
    }

    fn twin(&self) -> Self {
        self.try_clone().expect("a descriptor")
    }
}

pub(crate) fn tcp(server: &Running) -> TcpStream {
    let peer = TcpStream::connect(server.inet()).expect("somebody listens");
    peer.set_nodelay(true).expect("an open socket");
    peer.wait_for_reads(PATIENCE);
    peer
}

fn unix(server: &Running) -> UnixStream {
    let path = server.at.strip_prefix("unix:").expect("a path");
    let peer = UnixStream::connect(path).expect("somebody listens");
    peer.wait_for_reads(PATIENCE);
    peer
}

/// Sends `bytes` in pieces, reads at the same time, half-closes, and reads to the end.
fn exchange(peer: &mut impl Peer, bytes: &[u8], piece: usize) {
    let mut writer = peer.twin();
    let echoed = thread::scope(|scope| {
        scope.spawn(move || {
            for piece in bytes.chunks(piece.max(1)) {
                writer.write_all(piece).expect("the server reads");
            }
            writer.half_close();
        });
        let mut echoed = Vec::new();
        peer.read_to_end(&mut echoed).expect("an end in order");
        echoed
    });
    assert!(
        echoed == bytes,
        "{} bytes in pieces of {piece}: {} came back",
        bytes.len(),
        echoed.len()
    );
}

/// Says a word and hears it.
pub(crate) fn says(peer: &mut impl Peer, word: &[u8]) {
    peer.write_all(word).expect("the server reads");
    let mut heard = vec![0; word.len()];
    peer.read_exact(&mut heard).expect("an answer");
    assert_eq!(heard, word);
}

const CASES: [(usize, usize); 10] = [
    (0, 1),
    (1, 1),
    (100, 1),
    (4096, 7),
    (65_535, 65_535),
    (65_536, 4096),
    (65_537, 65_537),
    (300_000, 1021),
    (1_000_003, 1_000_003),
    (4_000_000, 65_537),
];

#[test]
fn every_size_and_cut_comes_back() {
    with_each(&ALL, |model| {
        let total: usize = CASES.iter().map(|(size, _)| size).sum();
        let report = format!("10 connections, 0 datagrams, {total} bytes echoed\n");

        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
        for (size, piece) in CASES {
            exchange(&mut tcp(&server), &pattern(size), piece);
        }
        assert_eq!(server.stop(), report, "tcp");

        let path = path("echo");
        let address = format!("unix:{}", path.display());
        let server = Running::start(&["echo", "-l", &address, "-m", model]);
        for (size, piece) in CASES {
            exchange(&mut unix(&server), &pattern(size), piece);
        }
        assert_eq!(server.stop(), report, "unix");
        assert!(!path.exists(), "the path goes with the server");
    });
}

/// A client that takes nothing at first gets everything in the end, however small the server's buffer is.
#[test]
fn a_small_buffer_and_a_late_reader_lose_nothing() {
    with_each(&ALL, |model| {
        let server = Running::start(&[
            "echo",
            "-l",
            "127.0.0.1:0",
            "-m",
            model,
            "--buffer-bytes",
            "100",
        ]);
        let mut peer = tcp(&server);
        // As much as the socket buffers of both sides take for certain.
        let bytes = pattern(32 << 10);
        peer.write_all(&bytes).expect("the server reads");
        peer.half_close();
        let mut echoed = Vec::new();
        peer.read_to_end(&mut echoed).expect("an end in order");
        assert!(echoed == bytes, "{} came back", echoed.len());
        server.stop();
    });
}

#[test]
fn two_hundred_connections_at_once() {
    with_each(&CONCURRENT, |model| {
        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
        let mut peers: Vec<TcpStream> = (0..200).map(|_| tcp(&server)).collect();
        for round in 0..3 {
            for (index, peer) in peers.iter_mut().enumerate() {
                let word = format!("{round} of {index}");
                peer.write_all(word.as_bytes()).expect("the server reads");
            }
            for (index, peer) in peers.iter_mut().enumerate() {
                let word = format!("{round} of {index}");
                let mut heard = vec![0; word.len()];
                peer.read_exact(&mut heard).expect("an answer");
                assert_eq!(heard, word.as_bytes());
            }
        }
        for peer in &mut peers {
            peer.half_close();
            assert_eq!(peer.read(&mut [0]).expect("an end in order"), 0);
        }
        let report = server.stop();
        assert!(report.starts_with("200 connections, "), "{report}");
        assert!(!report.contains("cut"), "{report}");
    });
}

/// What the blocking model is about: the second client is connected, and waits until the first has gone.
#[test]
fn the_blocking_model_serves_one_after_the_other() {
    let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", "blocking"]);
    let mut first = tcp(&server);
    says(&mut first, b"first");
    let mut second = tcp(&server);
    second.write_all(b"second").expect("the kernel takes it");
    is_unanswered(&mut second);
    says(&mut first, b"still first");
    drop(first);
    let mut heard = [0; 6];
    second.read_exact(&mut heard).expect("an answer");
    assert_eq!(&heard, b"second");
    drop(second);
    server.stop();
}

#[test]
fn at_the_limit_clients_wait() {
    with_each(&CONCURRENT, |model| {
        let arguments = ["echo", "-l", "127.0.0.1:0", "-m", model];
        let server = Running::start(&[&arguments[..], &["--connections-max", "2"]].concat());
        let (mut first, mut second) = (tcp(&server), tcp(&server));
        says(&mut first, b"one");
        says(&mut second, b"two");
        let mut third = tcp(&server);
        third.write_all(b"three").expect("the kernel takes it");
        is_unanswered(&mut third);
        first.half_close();
        assert_eq!(first.read(&mut [0]).expect("an end in order"), 0);
        drop(first);
        let mut heard = [0; 5];
        third.read_exact(&mut heard).expect("an answer");
        assert_eq!(&heard, b"three");
        drop((second, third));
        server.stop();
    });
}

/// Nothing comes for a moment. If the server were wrong, the answer would be there at once.
fn is_unanswered(peer: &mut impl Peer) {
    peer.wait_for_reads(Duration::from_millis(150));
    let error = peer.read(&mut [0]).expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    peer.wait_for_reads(PATIENCE);
}

#[test]
fn who_says_nothing_is_cut_off() {
    with_each(&ALL, |model| {
        let arguments = ["echo", "-l", "127.0.0.1:0", "-m", model];
        let server = Running::start(&[&arguments[..], &["--idle-timeout", "0.3"]].concat());
        let mut peer = tcp(&server);
        assert_eq!(peer.read(&mut [0]).expect("an end in order"), 0);
        let mut peer = tcp(&server);
        says(&mut peer, b"word");
        assert_eq!(peer.read(&mut [0]).expect("an end in order"), 0);
        let report = server.stop();
        assert_eq!(
            report,
            "2 connections, 0 datagrams, 4 bytes echoed, 2 connections cut\n"
        );
    });
}

#[test]
fn verbose_tells_who_came_and_went() {
    with_each(&ALL, |model| {
        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-v", "-m", model]);
        let mut peer = tcp(&server);
        let (ours, theirs) = (peer.peer_addr(), peer.local_addr());
        says(&mut peer, b"ahoy");
        peer.half_close();
        assert_eq!(peer.read(&mut [0]).expect("an end in order"), 0);
        let tuple = format!(
            "tcp {} <- {}",
            ours.expect("connected"),
            theirs.expect("connected")
        );
        drop(peer);
        assert_eq!(
            server.stop(),
            format!(
                "#1 opened  {tuple}\n#1 closed  {tuple}: 4 bytes, the peer has ended\n\
                 1 connections, 0 datagrams, 4 bytes echoed\n"
            )
        );
    });
}

#[test]
fn signals_end_open_connections_in_order() {
    with_each(&ALL, |model| {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
            let mut peer = tcp(&server);
            says(&mut peer, b"word");
            server.signal(signal);
            assert_eq!(peer.read(&mut [0]).expect("an end in order"), 0);
            drop(peer);
            assert_eq!(
                server.ended_well(),
                "1 connections, 0 datagrams, 4 bytes echoed\n"
            );
        }
    });
}
