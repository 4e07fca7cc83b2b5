//! What ends early: peers that go, servers that stop, sources that fail, files that shrink, and clocks.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use super::{Site, Stage, masked, patterned};
use crate::limits::Limits;

const STREAMS: [&str; 6] = [
    "GET /chunked?200000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /rests?20000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /trailers?50000 HTTP/1.0\r\n\r\n",
    "GET /files/300000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /files/300000 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9,50-200000\r\n\r\n",
    "POST /sized?70000 HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n012345678901234567890123456789",
];

/// A reply as the calm run gives it.
fn calm(site: &Site, request: &str) -> Vec<u8> {
    let mut stage = Stage::new(0, site, Limits::default());
    let peer = stage.connect();
    peer.write(request.as_bytes());
    peer.end();
    stage.rest(&peer)
}

#[test]
fn a_peer_that_goes_at_any_moment_leaves_nothing() {
    let site = Site::new();
    for (number, request) in STREAMS.iter().enumerate() {
        for turns in 0..40 {
            let seed = 1 + turns as u64 * 7 + number as u64;
            let mut stage = Stage::new(seed, &site, Limits::default());
            let (peer, healthy) = (stage.connect(), stage.connect());
            peer.window(3000);
            // Cut, so that also heads and bodies are under way.
            for piece in request.as_bytes().chunks(1 + turns * 3) {
                peer.write(piece);
            }
            peer.write(request.as_bytes());
            for _ in 0..turns {
                stage.turn();
                if seed.is_multiple_of(3) {
                    peer.read_all();
                }
            }
            match seed % 4 {
                0 => drop(peer),
                1 => {
                    // It has sent its last byte and reads on.
                    peer.end();
                    peer.window(1 << 20);
                    let received = stage.rest(&peer);
                    assert!(!received.is_empty(), "{request}");
                }
                _ => peer.reset(),
            }
            healthy.write(b"GET /sized?50000 HTTP/1.1\r\nHost: a\r\n\r\n");
            healthy.end();
            let reply = stage.rest(&healthy);
            assert!(reply.ends_with(&patterned(0, 50_000)), "{request}");
            stage.is_empty(&format!("{request:?}, seed {seed}"));
        }
    }
}

#[test]
fn a_stop_at_any_moment_lets_a_stream_finish() {
    let site = Site::new();
    for request in STREAMS {
        let whole = masked(&calm(&site, request)).replace("Connection: close\r\n", "");
        let mut finished = 0;
        for turns in (0..40).step_by(3) {
            let mut stage = Stage::new(turns as u64 + 1, &site, Limits::default());
            let peer = stage.connect();
            peer.window(5000);
            peer.write(request.as_bytes());
            for _ in 0..turns {
                stage.turn();
            }
            stage.reactor.stop();
            peer.window(1 << 20);
            let reply = stage.rest(&peer);
            peer.end();
            let reply = masked(&reply).replace("Connection: close\r\n", "");
            assert!(
                reply == whole || reply.is_empty(),
                "{request}, {turns}: {reply}"
            );
            finished += usize::from(reply == whole);
            stage.is_empty(request);
            for _ in 0..10 {
                stage.turn();
            }
            assert!(stage.reactor.is_finished(), "{request}, {turns}");
        }
        assert!(finished > 7, "{request}: {finished}");
    }
}

#[test]
fn a_second_stop_ends_streams_at_once() {
    let site = Site::new();
    for request in STREAMS {
        for turns in 0..20 {
            let mut stage = Stage::new(turns as u64 + 1, &site, Limits::default());
            let peer = stage.connect();
            peer.window(100);
            peer.write(request.as_bytes());
            for _ in 0..turns {
                stage.turn();
            }
            stage.reactor.stop();
            stage.reactor.stop();
            for _ in 0..100 {
                stage.turn();
            }
            assert!(stage.reactor.is_finished(), "{request}, {turns}");
            stage.is_empty(request);
        }
    }
}

#[test]
fn a_source_is_dropped_behind_its_last_byte() {
    let site = Site::new();
    for seed in 0..20 {
        let mut stage = Stage::new(seed, &site, Limits::default());
        let peer = stage.connect();
        let request = STREAMS[1];
        for count in 1..=3 {
            peer.write(request.as_bytes());
            let mut received = Vec::new();
            while !received.ends_with(b"0\r\n\r\n") {
                stage.turn();
                received.extend(peer.read_all());
            }
            let made = (stage.ledger.made.get(), stage.ledger.dropped.get());
            assert_eq!(made, (count, count), "seed {seed}, the connection stays");
        }
        assert_eq!(stage.reactor.live(), 1);
        drop(peer);
        stage.is_empty("sources");
    }
}

/// What was cut is never taken for whole.
#[test]
fn sources_that_fail_cut_the_connection() {
    let site = Site::new();
    for (target, whole) in [
        ("/fails?70000", "/chunked?70000"),
        ("/too-few?70000", "/sized?70001"),
    ] {
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let whole = masked(&calm(&site, &get(whole)));
        for seed in 1..40 {
            let mut stage = Stage::new(seed, &site, Limits::default());
            let peer = stage.connect();
            peer.window(if seed % 3 == 1 { 500 } else { 1 << 20 });
            peer.write(get(target).as_bytes());
            peer.write(get("/never").as_bytes());
            let reply = masked(&stage.rest(&peer));
            assert!(
                !reply.contains("never") && reply.len() < whole.len(),
                "seed {seed}"
            );
            assert!(whole.starts_with(&reply), "{target}, seed {seed}: {reply}");
            drop(peer);
            stage.is_empty(target);
        }
    }
}

#[test]
fn a_file_that_shrinks_cuts_the_connection() {
    let site = Site::new();
    for seed in 1..20 {
        let name = format!("shrinks-{seed}");
        let content = patterned(0, 100_000);
        std::fs::write(site.path.join(&name), &content).unwrap();
        let mut stage = Stage::new(seed, &site, Limits::default());
        let peer = stage.connect();
        peer.window(1000);
        let request = format!("GET /files/{name} HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.write(request.repeat(2).as_bytes());
        for _ in 0..20 {
            stage.turn();
        }
        let file = File::options().write(true).open(site.path.join(&name));
        file.unwrap().set_len(30_000).unwrap();
        peer.window(1 << 20);
        let reply = stage.rest(&peer);
        let head = reply.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
        assert!(
            reply[head..] == content[..reply.len() - head],
            "seed {seed}"
        );
        assert!(
            reply.len() - head <= 30_000,
            "seed {seed}: nothing is padded"
        );
        drop(peer);
        stage.is_empty(&name);
    }
}

/// The memory ceiling counts what streams hold, and whoever passes it gets 503.
#[test]
fn the_account_is_empty_again_behind_many_streams() {
    let site = Site::new();
    let limits = Limits {
        memory_bytes_max: 512 * 1024,
        ..Limits::default()
    };
    for seed in 0..6 {
        let mut stage = Stage::new(seed, &site, limits.clone());
        let peers: Vec<_> = (0..30).map(|_| stage.connect()).collect();
        for (number, peer) in peers.iter().enumerate() {
            peer.window(100);
            peer.write(STREAMS[number % STREAMS.len()].as_bytes());
        }
        for _ in 0..200 {
            stage.turn();
        }
        assert!(
            !stage.witness.has_room(limits.memory_bytes_max),
            "something is held"
        );
        for (number, peer) in peers.into_iter().enumerate() {
            match number % 3 {
                0 => drop(peer),
                1 => peer.reset(),
                _ => {
                    peer.window(1 << 20);
                    peer.end();
                    stage.rest(&peer);
                }
            }
        }
        stage.is_empty("many streams");
    }
}

/// Turns for so long.
fn pass(stage: &mut Stage, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        stage.turn();
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_body_that_waits_for_us_is_not_slow() {
    let site = Site::new();
    let limits = Limits {
        body_grace: Duration::from_secs(3),
        body_bytes_per_second_min: 300,
        ..Limits::default()
    };
    let mut stage = Stage::new(2, &site, limits);
    // Nobody is woken until the test says so.
    stage.lazy = usize::MAX;
    let head = "POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: 1200\r\n\r\n";
    let peers = [stage.connect(), stage.connect()];
    for peer in &peers {
        peer.write(head.as_bytes());
        // A few bytes, of which some piece is one too many for the handler.
        for _ in 0..20 {
            peer.write(b"x");
        }
    }
    pass(&mut stage, Duration::from_secs(4));
    assert_eq!(stage.ledger.wakes.borrow().len(), 2, "both are paused");
    for peer in &peers {
        assert!(peer.read_all().is_empty(), "no clock runs");
    }
    // From now on it does, from the beginning.
    stage.lazy = 1;
    peers[0].write(&[b'x'; 1180]);
    pass(&mut stage, Duration::from_millis(700));
    assert!(masked(&peers[0].read_all()).contains("\r\n\r\n1200 "));
    assert!(peers[1].read_all().is_empty(), "its window is not over");
    let (mut slow, began) = (Vec::new(), Instant::now());
    while slow.is_empty() && began.elapsed() < Duration::from_secs(40) {
        pass(&mut stage, Duration::from_millis(20));
        slow = peers[1].read_all();
    }
    let slow = masked(&slow);
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    drop(peers);
    stage.is_empty("pauses");
}
