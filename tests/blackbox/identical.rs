//! The same bytes in give the same bytes out: on every backend, and however the input is cut.
//!
//! ```text
//!   stream ──┬─ whole ────────┬──▶ epoll ────┐
//!            ├─ byte by byte ─┼──▶ io_uring ─┼──▶ equal replies (the Date apart)
//!            └─ two pieces ───┴──▶ mio ──────┘
//! ```
//!
//! A peer that expects 100 (Continue) is not among the streams: whether it is told depends on the cut, rightly.

use std::thread;
use std::time::Duration;

use crate::frames::{BINARY, CLOSE, HANDSHAKE, PING, TEXT, close, frame};
use crate::peer::{Peer, chunked, text_of, with_length};
use crate::server::{Server, backends};

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

/// A handshake and what follows it.
fn websocket(frames: &[Vec<u8>]) -> Vec<u8> {
    [HANDSHAKE.as_bytes(), &frames.concat()].concat()
}

/// Recorded streams: valid and invalid, pipelined, chunked, upgraded.
fn streams() -> Vec<Vec<u8>> {
    let head = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
    };
    let chunks = |body: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
            .into_bytes()
    };
    vec![
        [get("/plaintext"), get("/json"), get("/pipeline")].concat(),
        [head("HEAD", "/"), get("/"), head("OPTIONS", "/echo"), head("OPTIONS", "*")].concat(),
        [head("POST", "/json"), head("TRACE", "/"), head("BREW", "/"), get("/nowhere")].concat(),
        [with_length("POST", "/echo", b"cargo"), get("/pipeline"), with_length("HEAD", "/echo", b"x")].concat(),
        [chunked("PUT", "/echo", b"a body in chunks", 3), chunked("POST", "/upload", b"12345", 2)].concat(),
        [chunks("3;x=\"y\"\r\nabc\r\n0\r\nX-Check: 1\r\n\r\n"), get("/pipeline")].concat(),
        [get("/baseline11?a=1&b=2"), with_length("POST", "/baseline11?a=1&b=2", b"39"), get("/baseline11?a=1")]
            .concat(),
        b"\r\n\r\nGET /pipeline HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /json HTTP/1.0\r\n\r\n".to_vec(),
        [b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec(), get("/json")].concat(),
        [get("/json"), b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(), get("/json")].concat(),
        [get("/json"), b"GET / HTTP/1.1\nHost: a\n\n".to_vec()].concat(),
        b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_vec(),
        b"HEAD / HTTP/1.1\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        chunks("3\r\nabcd\r\n0\r\n\r\n"),
        chunks("zz\r\n"),
        chunks("3\r\nabc\r\n0\r\nbroken\r\n\r\n"),
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nunfi".to_vec(),
        b"GET /unfinished HTT".to_vec(),
        [get("/ws"), HANDSHAKE.replace("13", "12").into_bytes(), get("/pipeline")].concat(),
        [get("/json"), websocket(&[frame(TEXT, "größer".as_bytes()), frame(BINARY, &[7; 300]), close(1000, b"bye")])]
            .concat(),
        websocket(&[
            frame(0x01, b"in "),
            frame(PING, b"between"),
            frame(0x00, "\u{20ac}".as_bytes()),
            frame(0x80, b" pieces"),
            frame(CLOSE, b""),
        ]),
        websocket(&[frame(TEXT, b"good"), frame(TEXT, b"b\xffad"), frame(TEXT, b"behind")]),
        websocket(&[frame(0x01, b"\xe2\x82"), frame(0x80, b"\xac\xe2"), frame(TEXT, b"behind")]),
        websocket(&[frame(BINARY, b""), vec![0x82, 5, 1, 2, 3, 4, 5]]),
        websocket(&[frame(TEXT, b"x"), frame(0xC1, b"y")]),
        websocket(&[frame(0x00, b"lone")]),
        websocket(&[vec![BINARY, 0xFF, 0, 0, 0, 0, 0x10]]),
    ]
}

/// What comes back when the pieces of a stream are sent with pauses between them, and then a FIN.
fn answer(server: &Server, pieces: &mut dyn Iterator<Item = &[u8]>, pause: Duration) -> Vec<u8> {
    let mut peer: Peer = server.connect();
    for piece in pieces {
        // It may have refused an earlier piece, and closed.
        if peer.try_send(piece).is_err() {
            break;
        }
        thread::sleep(pause);
    }
    // Fails when the connection is over already.
    let _ = peer.stream.shutdown(std::net::Shutdown::Write);
    without_dates(&peer.rest())
}

/// Replies, with every Date made the same.
fn without_dates(replies: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"\r\nDate: ";
    const DATE_BYTES: usize = 29;
    let mut masked = replies.to_vec();
    let dates = replies
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, window)| *window == NAME);
    for (at, _) in dates {
        masked[at + NAME.len()..at + NAME.len() + DATE_BYTES].fill(b'D');
    }
    masked
}

/// Positions at which a stream is cut in two: everywhere near the ends of lines, and here and there.
fn cuts(stream: &[u8]) -> Vec<usize> {
    let interesting = |at: usize| at % 37 == 5 || stream[at - 1] == b'\r' && at.is_multiple_of(3);
    (1..stream.len()).filter(|at| interesting(*at)).collect()
}

/// The answers of one server to one stream, cut in every way. They must be equal.
fn answers_alike(server: &Server, number: usize, stream: &[u8]) -> Vec<u8> {
    let whole = answer(server, &mut std::iter::once(stream), Duration::ZERO);
    let bytes = answer(server, &mut stream.chunks(1), Duration::from_micros(60));
    let same = |other: &[u8], how: &str| {
        let backend = &server.backend;
        let texts = || format!("{}\n--- but ---\n{}", text_of(&whole), text_of(other));
        assert!(
            whole == other,
            "{backend}, stream {number} {how}:\n{}",
            texts()
        );
    };
    same(&bytes, "byte by byte");
    for cut in cuts(stream) {
        let (front, back) = stream.split_at(cut);
        let halves = answer(
            server,
            &mut [front, back].into_iter(),
            Duration::from_millis(1),
        );
        same(&halves, &format!("cut at {cut}"));
    }
    whole
}

#[test]
fn every_backend_answers_with_the_same_bytes() {
    let streams = streams();
    let run = |backend: &'static str| {
        // Byte by byte takes its time on a busy machine.
        let server = Server::start(backend, &["--head-timeout", "300"]);
        let replies: Vec<Vec<u8>> = streams
            .iter()
            .enumerate()
            .map(|(number, stream)| answers_alike(&server, number, stream))
            .collect();
        server.stop();
        replies
    };
    let all: Vec<Vec<Vec<u8>>> = thread::scope(|scope| {
        let tests: Vec<_> = backends()
            .iter()
            .map(|&backend| scope.spawn(move || run(backend)))
            .collect();
        tests
            .into_iter()
            .map(|test| test.join().expect("said above"))
            .collect()
    });
    for (backend, replies) in backends().iter().zip(&all) {
        for (number, (reply, first)) in replies.iter().zip(&all[0]).enumerate() {
            let texts = || format!("{}\n--- but ---\n{}", text_of(first), text_of(reply));
            assert!(
                reply == first,
                "{backend} differs in stream {number}:\n{}",
                texts()
            );
            assert!(
                !reply.is_empty(),
                "{backend} says nothing to stream {number}"
            );
        }
    }
}
