//! Large files and peers that take their time: memory stays flat, nobody waits for them, and nothing is left of those
//! who go.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Site, asking, narrow, with_sites};
use crate::peer::{Peer, pattern, request};
use crate::server::{Server, eventually, on_each_backend};

const MOMENT: Duration = Duration::from_millis(100);
const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;

/// Marks stand this far apart in the sparse file, and no power of two divides it.
const MARKS: u64 = 7_654_321;

/// A file of 1 GiB, most of which is a hole.
fn sparse(site: &Site) {
    let file = File::create(site.path("sparse")).expect("a file");
    file.set_len(GIB).expect("a hole");
    for at in (0..GIB - 8).step_by(MARKS as usize) {
        file.write_all_at(&at.to_be_bytes(), at).expect("a mark");
    }
}

/// Reads what the sparse file has at `from`, and as much as `buffer` holds. `zeros` is as long, and zero again behind it.
fn read_sparse(peer: &mut Peer, buffer: &mut [u8], from: u64, zeros: &mut [u8]) {
    peer.stream.read_exact(buffer).expect("so much is left");
    let end = from + buffer.len() as u64;
    let first = from.saturating_sub(8) / MARKS * MARKS;
    let marks = (first..end.min(GIB - 8)).step_by(MARKS as usize);
    let places = marks.flat_map(|mark| (mark..).zip(mark.to_be_bytes()));
    let inside: Vec<_> = places
        .filter(|(at, _)| (from..end).contains(at))
        .map(|(at, byte)| ((at - from) as usize, byte))
        .collect();
    for (at, byte) in &inside {
        zeros[*at] = *byte;
    }
    assert!(buffer == zeros, "{} bytes at {from}", buffer.len());
    for (at, _) in inside {
        zeros[at] = 0;
    }
}

/// Asks for the sparse file, and reads the head of the reply and nothing behind it.
fn begin(peer: &mut Peer) {
    peer.send(request("GET", "/static/sparse"));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        peer.stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let length = format!("\r\nContent-Length: {GIB}\r\n");
    assert!(head.contains(&length), "{head}");
}

/// How much memory the server may take for readers of files, however large these are.
const GROWTH_MAX: u64 = 8 * MIB as u64;

#[test]
fn a_gibibyte_needs_no_memory() {
    let site = Site::new();
    sparse(&site);
    on_each_backend(|backend| {
        let server = site.serve(backend, &[]);
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        let before = server.peak_bytes();
        let mut peer = server.connect();
        begin(&mut peer);
        let (mut at, mut buffer, mut zeros) = (0, vec![0; MIB], vec![0; MIB]);
        while at < GIB {
            // Slowly at first, for as long as socket buffers are no excuse; then as fast as it goes.
            let mut count = MIB;
            if at < 8 * MIB as u64 {
                thread::sleep(MOMENT / 10);
                count = 64 * 1024;
            }
            read_sparse(&mut peer, &mut buffer[..count], at, &mut zeros[..count]);
            at += count as u64;
        }
        assert_eq!(
            peer.fetch("/pipeline").text(),
            "ok",
            "{backend}: nothing more"
        );
        let growth = server.peak_bytes() - before;
        assert!(growth < GROWTH_MAX, "{backend}: {growth} bytes");
        server.stop();
    });
}

#[test]
fn many_slow_readers_need_little_and_delay_nobody() {
    let site = Site::new();
    sparse(&site);
    on_each_backend(|backend| {
        let server = site.serve(backend, &[]);
        let mut witness = server.connect();
        assert_eq!(witness.fetch("/pipeline").text(), "ok");
        let (before, descriptors) = (server.peak_bytes(), server.descriptors());
        let mut readers: Vec<Peer> = (0..64).map(|_| narrow(&server)).collect();
        readers.iter_mut().for_each(begin);
        for round in 0..40_u64 {
            for peer in &mut readers {
                read_sparse(peer, &mut [0; 2048], round * 2048, &mut [0; 2048]);
            }
            // Every reply comes, while 64 GiB are on their way.
            assert_eq!(witness.fetch("/pipeline").text(), "ok");
            thread::sleep(MOMENT / 5);
        }
        let growth = server.peak_bytes() - before;
        assert!(growth < GROWTH_MAX, "{backend}: {growth} bytes");
        drop(readers);
        eventually("their files are closed", || {
            server.descriptors() <= descriptors
        });
        assert_eq!(witness.fetch("/pipeline").text(), "ok");
        server.stop();
    });
}

fn large(site: &Site) {
    site.write("large", pattern(32 * MIB));
    site.write("small", pattern(9000));
}

#[test]
fn who_never_reads_is_cut_and_who_reads_slowly_is_not() {
    let limits = ["--write-stall-timeout", "3", "--send-buffer", "4608"];
    with_sites(&limits, large, |server, _| {
        let mut slow = narrow(server);
        // So that the one who reads is through before the test's patience is.
        slow.send(asking("GET", "/static/large", "Range: bytes=0-1048575\r\n"));
        let head_bytes = slow.reply_head_bytes();
        slow.take(head_bytes);
        let descriptors = server.descriptors();
        let mut deaf = narrow(server);
        deaf.send(request("GET", "/static/large"));
        let mut received = Vec::new();
        for _ in 0..40 {
            received.extend(slow.take(1536));
            thread::sleep(MOMENT);
        }
        eventually("the deaf one is cut", || {
            server.descriptors() <= descriptors
        });
        assert!(deaf.is_cut() < MIB, "{}", server.backend);
        received.extend(slow.take(MIB - received.len()));
        assert!(received == pattern(MIB), "{}", server.backend);
        assert_eq!(slow.fetch("/pipeline").text(), "ok");
    });
}

#[test]
fn nothing_is_left_of_those_who_go() {
    with_sites(&[], large, |server, _| {
        let mut witness = server.connect();
        assert_eq!(witness.fetch("/pipeline").text(), "ok");
        let before = server.descriptors();
        for round in 0..4 {
            let mut peers: Vec<Peer> = (0..16).map(|_| narrow(server)).collect();
            for (number, peer) in peers.iter_mut().enumerate() {
                let several = "Range: bytes=0-9999999,20000000-\r\n";
                let fields = if number % 2 == 0 { "" } else { several };
                peer.send(asking("GET", "/static/large", fields).repeat(3));
                if number % 3 > 0 {
                    peer.take(1000 * number * (round + 1));
                }
            }
            assert!(server.descriptors() > before, "their files are open");
            for (number, peer) in peers.into_iter().enumerate() {
                match number % 4 {
                    0 => drop(peer),
                    1 => peer.half_close(),
                    _ => peer.reset(),
                }
            }
            eventually("everything is closed", || server.descriptors() == before);
            assert_eq!(witness.fetch("/pipeline").text(), "ok");
        }
    });
}

/// The most that were open in the next second, in which the server queues what it will.
fn most_descriptors(server: &Server) -> usize {
    let samples = (0..20).map(|_| {
        thread::sleep(MOMENT / 2);
        server.descriptors()
    });
    samples.max().expect("some")
}

#[test]
fn tiny_files_that_nobody_reads_keep_no_descriptors() {
    let fill = |site: &Site| {
        site.write("tiny", "x");
        site.write("medium", pattern(9000));
    };
    with_sites(&["--send-buffer", "4608"], fill, |server, _| {
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        let before = server.descriptors();
        let mut deaf = narrow(server);
        let asked = [
            request("GET", "/static/tiny"),
            asking("GET", "/static/medium", "Range: bytes=1-1,3-3\r\n"),
        ];
        deaf.stuff(asked.concat().repeat(1000).as_bytes());
        let open = most_descriptors(server) - before;
        // Its socket, and what is open for a moment.
        assert!(open <= 4, "{}: {open} for one peer", server.backend);
        // Larger ones wait as files, as many as fit below the high mark.
        let mut other = narrow(server);
        other.stuff(request("GET", "/static/medium").repeat(1000).as_bytes());
        let open = most_descriptors(server) - before;
        let few = 1..=14;
        assert!(few.contains(&open), "{}: {open} for two", server.backend);
    });
}

#[test]
fn a_stop_lets_a_file_finish() {
    on_each_backend(|backend| {
        let site = Site::new();
        large(&site);
        let log = site.path("log");
        let log_name = log.to_str().expect("plain");
        // Longer than a busy machine needs for 64 MiB.
        let args = ["--stop-timeout", "600", "--access-log", log_name];
        let server: Server = site.serve(backend, &args);
        let mut peer = server.connect();
        peer.send(request("GET", "/static/large").repeat(2));
        let head_bytes = peer.reply_head_bytes();
        peer.take(head_bytes);
        let mut received = peer.take(10 * MIB);
        server.signal(Signal::SIGTERM);
        thread::sleep(MOMENT);
        received.extend(peer.take(22 * MIB));
        assert!(received == pattern(32 * MIB), "{backend}");
        // What had come before the stop is answered too.
        let last = peer.rest();
        if !last.is_empty() {
            assert!(last.ends_with(&pattern(32 * MIB)[32 * MIB - 1000..]));
        }
        server.ended_well();
        let log = fs::read_to_string(log).expect("a log");
        let line = log.lines().next().expect("a line");
        assert!(
            line.contains("\"GET /static/large HTTP/1.1\" 200 33554432"),
            "{line}"
        );
    });
}

#[test]
fn a_stop_waits_no_longer_than_the_peer_does() {
    on_each_backend(|backend| {
        let site = Site::new();
        large(&site);
        // Longer than the test may take: only the end of the download can end the server.
        let server: Server = site.serve(backend, &["--stop-timeout", "600"]);
        let mut peer = server.connect();
        peer.send(request("GET", "/static/large"));
        let head_bytes = peer.reply_head_bytes();
        peer.take(head_bytes + 10 * MIB);
        server.signal(Signal::SIGTERM);
        thread::sleep(MOMENT);
        peer.take(22 * MIB);
        peer.ends();
        server.ended_well();
    });
}

#[test]
fn at_the_memory_ceiling_files_are_refused_and_little_is_answered() {
    with_sites(&["--memory-bytes-max", "1048576"], sparse, |server, _| {
        let mut peers: Vec<Peer> = (0..40).map(|_| narrow(server)).collect();
        let statuses: Vec<u16> = peers
            .iter_mut()
            .map(|peer| {
                peer.send(request("GET", "/static/sparse"));
                let mut line = [0; 12];
                peer.stream.read_exact(&mut line).expect("a status");
                let digits = std::str::from_utf8(&line[9..]).expect("text");
                digits.parse().expect("a status")
            })
            .collect();
        assert_eq!(statuses[0], 200, "{}", server.backend);
        assert_eq!(statuses[39], 503, "{}: {statuses:?}", server.backend);
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
    });
}
