//! Peers that flood, reset, drip, or never read. Nobody else must notice.

use std::io::Read;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::frames::{BINARY, HANDSHAKE, TEXT, frame};
use crate::peer::{Peer, chunked, pattern, request, with_length};
use crate::server::{Server, eventually, with_servers};

const PIPELINE: &str = "GET /pipeline HTTP/1.1\r\nHost: a\r\n\r\n";

/// A healthy peer is served, and correctly.
fn serves_others(server: &Server) {
    let mut http = server.connect();
    for _ in 0..20 {
        assert_eq!(
            http.fetch("/plaintext").text(),
            "Hello, World!",
            "{}",
            server.backend
        );
    }
    let body = pattern(10_000);
    assert!(
        http.ask(with_length("POST", "/echo", &body)).body == body,
        "{}",
        server.backend
    );
    let mut websocket = Peer::websocket(server.address());
    websocket.send(frame(BINARY, &body));
    assert!(websocket.frame() == (BINARY, body), "{}", server.backend);
}

/// Things that a peer may be in the middle of.
fn conversations() -> Vec<Vec<u8>> {
    let websocket = |frames: Vec<u8>| [HANDSHAKE.as_bytes(), &frames].concat();
    vec![
        PIPELINE.repeat(3).into_bytes(),
        with_length("POST", "/echo", b"a body of a few bytes"),
        chunked("POST", "/upload", b"a body in some chunks", 4),
        websocket([frame(TEXT, b"a message"), frame(0x01, b"and half")].concat()),
    ]
}

#[test]
fn a_reset_at_any_moment_costs_one_connection() {
    with_servers(&[], |server| {
        for conversation in conversations() {
            for cut in (0..=conversation.len()).step_by(5) {
                let mut peer = server.connect();
                peer.send(&conversation[..cut]);
                // Sometimes the server has read, sometimes the reset overtakes it.
                if cut % 2 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                peer.reset();
            }
        }
        // While much is on its way to the peer.
        for _ in 0..10 {
            let mut peer = server.connect();
            peer.send(with_length("POST", "/echo", &pattern(1 << 20)));
            peer.take(1000);
            peer.reset();
        }
        serves_others(server);
    });
}

#[test]
fn a_half_close_at_any_moment_gets_an_end() {
    with_servers(&[], |server| {
        for conversation in conversations() {
            for cut in (0..=conversation.len()).step_by(5) {
                let mut peer = server.connect();
                peer.send(&conversation[..cut]);
                peer.half_close();
                let replies = peer.rest();
                let whole = replies.is_empty() || replies.starts_with(b"HTTP/1.1 ");
                assert!(whole, "cut at {cut}");
            }
        }
        serves_others(server);
    });
}

#[test]
fn single_bytes_are_served_like_whole_requests() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for conversation in conversations() {
            for byte in conversation {
                peer.send([byte]);
                thread::sleep(Duration::from_micros(50));
            }
        }
        for _ in 0..3 {
            assert_eq!(peer.reply().text(), "ok");
        }
        assert_eq!(peer.reply().text(), "a body of a few bytes");
        assert_eq!(peer.reply().text(), "21");
        assert_eq!(peer.reply().status, 101);
        assert_eq!(peer.frame(), (TEXT, b"a message".to_vec()));
    });
}

#[test]
fn many_single_byte_peers_do_not_starve_a_healthy_one() {
    with_servers(&[], |server| {
        let mut slow: Vec<Peer> = (0..50).map(|_| server.connect()).collect();
        let request = PIPELINE.as_bytes();
        for (index, byte) in request.iter().enumerate() {
            for peer in &mut slow {
                peer.send([*byte]);
            }
            if index % 10 == 0 {
                serves_others(server);
            }
        }
        for peer in &mut slow {
            assert_eq!(peer.reply().text(), "ok");
        }
    });
}

#[test]
fn a_peer_that_never_reads_is_cut() {
    with_servers(&["--write-stall-timeout", "1"], |server| {
        let mut pipeline = server.connect();
        pipeline.stuff(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                .repeat(30_000)
                .as_bytes(),
        );
        let mut echo = server.connect();
        for _ in 0..16 {
            echo.stuff(&with_length("POST", "/echo", &pattern(1 << 20)));
        }
        let mut websocket = Peer::websocket(server.address());
        websocket.stuff(&frame(BINARY, &pattern(1 << 20)).repeat(16));
        // Flushing its last reply: the end of a connection is no excuse.
        let mut last = server.connect();
        last.stuff(&with_length("POST", "/echo", &pattern(1 << 20)).repeat(8));
        last.half_close();
        for (name, mut peer) in [
            ("pipeline", pipeline),
            ("echo", echo),
            ("websocket", websocket),
        ] {
            // The reset shows in the next attempt to send, without reading anything.
            eventually("a peer that does not read is cut", || {
                peer.try_send(b"x").is_err()
            });
            println!(
                "{}: {name} cut behind {} bytes",
                server.backend,
                peer.is_cut()
            );
        }
        drop(last);
        serves_others(server);
    });
}

#[test]
fn a_peer_that_reads_slowly_gets_everything() {
    with_servers(
        &["--write-stall-timeout", "1", "--send-buffer", "32768"],
        |server| {
            let body = pattern(1 << 20);
            let mut peer = server.connect();
            let requests = 3;
            let mut sender = Peer::over(peer.stream.try_clone().expect("a descriptor"));
            let all = with_length("POST", "/echo", &body).repeat(requests);
            let sending = thread::spawn(move || sender.send(all));
            // Slower than the time of a stall for the whole, but never still for so long.
            let mut received = 0;
            let head = peer.reply_head_bytes();
            let total = requests * (head + body.len());
            received += peer.take(head).len();
            while received < total {
                if received < total / 2 {
                    thread::sleep(Duration::from_millis(100));
                }
                received += peer.take((total - received).min(60_000)).len();
            }
            sending.join().expect("all was sent");
            assert_eq!(peer.fetch("/pipeline").text(), "ok", "{}", server.backend);
        },
    );
}

/// Few places, so that a connection which is never given up soon keeps others out.
const FEW_PLACES: [&str; 2] = ["--connections-max", "24"];
const MIB: usize = 1 << 20;

#[test]
fn resets_in_every_phase_leave_no_connection_behind() {
    let phases: [(&str, &[u8], u16); 5] = [
        ("in the head", b"GET / HTTP/1.1\r\nHo", 0),
        (
            "in a body",
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbo",
            0,
        ),
        (
            "in a chunk",
            b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbo",
            0,
        ),
        ("lingering behind a refusal", b"nonsense\r\n\r\n", 400),
        (
            "lingering behind a last reply",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            200,
        ),
    ];
    with_servers(
        &[FEW_PLACES.as_slice(), &["--linger-timeout", "60"]].concat(),
        |server| {
            for (phase, bytes, status) in phases {
                for round in 0..40 {
                    let mut peer = server.connect();
                    peer.send(bytes);
                    if status != 0 {
                        assert_eq!(peer.reply().status, status, "{phase}");
                        peer.ends();
                    } else if round % 2 == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                    peer.reset();
                }
            }
            // Its reply fills the buffers of both kernels, and more waits in the server.
            let large = with_length("POST", "/echo", &pattern(MIB));
            for _ in 0..40 {
                let mut peer = server.connect();
                peer.send(&large);
                peer.take(1);
                peer.reset();
            }
            serves_others(server);
        },
    );
}

#[test]
fn peers_that_come_and_go_leave_no_connection_behind() {
    with_servers(&FEW_PLACES, |server| {
        thread::scope(|scope| {
            for way in 0..4 {
                scope.spawn(move || {
                    for _ in 0..150 {
                        let mut peer = server.connect();
                        match way {
                            0 => drop(peer),
                            1 => peer.reset(),
                            2 => {
                                peer.half_close();
                                peer.ends();
                            }
                            _ => {
                                peer.send(PIPELINE);
                                peer.half_close();
                                assert_eq!(peer.reply().text(), "ok");
                                peer.ends();
                            }
                        }
                    }
                });
            }
        });
        serves_others(server);
    });
}

#[test]
fn a_half_closed_peer_gets_every_reply_that_it_asked_for() {
    let body = pattern(100_000);
    let mut requests = PIPELINE.repeat(100).into_bytes();
    requests.extend(chunked("POST", "/echo", &body, 1000));
    with_servers(&[], |server| {
        let mut peer = server.connect();
        peer.send(&requests);
        peer.half_close();
        for _ in 0..100 {
            assert_eq!(peer.reply().text(), "ok");
        }
        assert!(peer.reply().body == body, "{}", server.backend);
        peer.ends();
    });
}

/// Sends requests as fast as the server takes them, and throws the replies away, until `done`.
fn flood(server: &Server, requests: &[u8], done: &AtomicBool) {
    let mut peer = server.connect();
    let mut replies = peer.stream.try_clone().expect("a descriptor");
    let reader = thread::spawn(move || {
        let (mut buffer, mut total) = (vec![0; MIB], 0);
        while let Ok(count @ 1..) = replies.read(&mut buffer) {
            total += count;
        }
        total
    });
    while !done.load(Ordering::Relaxed) {
        peer.send(requests);
    }
    peer.stream.shutdown(Shutdown::Write).expect("it is open");
    assert!(reader.join().expect("it reads") > requests.len());
}

#[test]
fn floods_of_tiny_requests_starve_nobody() {
    let tiny = request("GET", "/").repeat(1000);
    with_servers(&[], |server| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| flood(server, tiny.as_bytes(), &done));
            }
            let mut others = server.connect();
            for _ in 0..200 {
                assert_eq!(others.fetch("/plaintext").text(), "Hello, World!");
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

/// A request of which `piece` never ends, and the status that stops it.
fn endless() -> Vec<(&'static str, String, String, u16)> {
    let chunked = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let line = "GET / HTTP/1.1\r\nHost: a\r\n".to_owned();
    let again = |piece: &str| piece.repeat(10 * MIB / piece.len());
    vec![
        ("fields", line.clone(), "A: b\r\n".repeat(100_001), 431),
        ("one field", format!("{line}A: "), again("a"), 431),
        ("target", "GET /".to_owned(), again("a"), 414),
        ("method", String::new(), again("A"), 400),
        ("empty lines", String::new(), again("\r\n"), 400),
        ("an extension", format!("{chunked}1;"), again("a"), 400),
        ("extensions", format!("{chunked}1"), again(";a=\"b\""), 400),
        (
            "chunks of extensions",
            chunked.to_owned(),
            again("1;aaaaaaaa\r\nx\r\n"),
            400,
        ),
        ("zeros", chunked.to_owned(), again("0"), 400),
        (
            "trailers",
            format!("{chunked}0\r\n"),
            again("A: b\r\n"),
            431,
        ),
        ("one trailer", format!("{chunked}0\r\nA: "), again("b"), 431),
    ]
}

#[test]
fn what_never_ends_is_refused_and_the_reply_arrives() {
    with_servers(&[], |server| {
        let mut healthy = server.connect();
        assert_eq!(healthy.fetch("/pipeline").text(), "ok");
        let before = server.resident_bytes();
        for (name, beginning, rest, status) in endless() {
            let mut peer = server.connect();
            peer.send(beginning);
            let mut sender = Peer::over(peer.stream.try_clone().expect("a descriptor"));
            thread::scope(|scope| {
                // Still sending when the reply comes: behind it the server reads on for a while, so that no reset
                // overtakes it. Then it closes, and sending fails.
                scope.spawn(|| sender.try_send(&rest));
                assert_eq!(peer.reply().status, status, "{name} on {}", server.backend);
            });
            assert_eq!(healthy.fetch("/pipeline").text(), "ok", "{name}");
        }
        let grown = server.peak_bytes().saturating_sub(before);
        assert!(grown < 2 * MIB as u64, "{}: {grown} bytes", server.backend);
    });
}

#[test]
fn a_refusal_reaches_a_peer_that_is_still_sending_its_body() {
    let cases = [
        ("Content-Length: 10485760\r\n\r\n", 413),
        ("Content-Length: ten\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\na00000\r\n", 413),
        ("Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ];
    let body = pattern(10 * MIB);
    with_servers(&[], |server| {
        for (framing, status) in cases {
            let mut peer = server.connect();
            peer.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}"));
            let mut sender = Peer::over(peer.stream.try_clone().expect("a descriptor"));
            thread::scope(|scope| {
                scope.spawn(|| sender.try_send(&body));
                let reply = peer.reply();
                assert_eq!(reply.status, status, "{framing:?} on {}", server.backend);
                assert_eq!(reply.field("Connection"), Some("close"));
            });
            // One that only looks for a reply after everything was sent, or sending failed.
            let mut late = server.connect();
            late.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{framing}"));
            let _ = late.try_send(&body);
            assert_eq!(late.reply().status, status, "{framing:?}, late");
        }
        serves_others(server);
    });
}

#[test]
fn a_mebibyte_in_chunks_of_one_byte_is_a_body_like_any_other() {
    let body = pattern(MIB);
    let requests = [
        chunked("POST", "/upload", &body, 1),
        chunked("POST", "/echo", &body, 1),
    ];
    with_servers(&[], |server| {
        let mut peer = server.connect();
        assert_eq!(peer.ask(&requests[0]).text(), MIB.to_string());
        assert!(peer.ask(&requests[1]).body == body, "{}", server.backend);
    });
}
