//! What comes before, with and behind the handshake, on one connection.

use super::{BACKENDS, HANDSHAKE, start_on};

/// A text message of a client, masked with zeros, and what comes back for it.
const MESSAGE: &[u8] = b"\x81\x85\0\0\0\0hello";
const ANSWER: &[u8] = b"\x81\x05hello";

#[test]
fn a_request_before_the_upgrade_is_answered_before_it() {
    for backend in BACKENDS {
        let server = start_on(backend);
        let mut peer = server.connect();
        let first = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        peer.send(&[first.as_bytes(), HANDSHAKE.as_bytes(), MESSAGE].concat());
        let (head, content) = peer.reply();
        assert!(head.starts_with("HTTP/1.1 200 "), "{backend}: {head}");
        assert_eq!(content, b"abc");
        assert!(peer.head().starts_with("HTTP/1.1 101 "), "{backend}");
        assert_eq!(peer.take(ANSWER.len()), ANSWER, "{backend}");
    }
}

/// RFC 6455 §4.1 gives the request no body, and RFC 9112 §6.3 frames one all the same: it is read, and is no frame.
#[test]
fn a_body_of_the_handshake_is_no_frame() {
    for backend in BACKENDS {
        let server = start_on(backend);
        let end = HANDSHAKE.len() - 2;
        for (field, body) in [
            ("Content-Length: 11", MESSAGE.to_vec()),
            ("Content-Length: 0", Vec::new()),
            (
                "Transfer-Encoding: chunked",
                [b"b\r\n", MESSAGE, b"\r\n0\r\n\r\n"].concat(),
            ),
        ] {
            let mut peer = server.connect();
            let head = format!("{}{field}\r\n\r\n", &HANDSHAKE[..end]);
            peer.send(&[head.as_bytes(), &body, b"\x81\x82\0\0\0\0ok"].concat());
            assert!(peer.head().starts_with("HTTP/1.1 101 "), "{field}");
            assert_eq!(peer.take(4), b"\x81\x02ok", "{backend}, {field}");
        }
    }
}

/// RFC 9110 §7.8: a client that waits for 100 gets it before the 101.
#[test]
fn a_body_that_waits_is_asked_for_first() {
    for backend in BACKENDS {
        let server = start_on(backend);
        let mut peer = server.connect();
        let end = HANDSHAKE.len() - 2;
        let head = &HANDSHAKE[..end];
        peer.send(format!("{head}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n").as_bytes());
        assert_eq!(peer.head(), "HTTP/1.1 100 Continue\r\n\r\n", "{backend}");
        peer.send(b"abc");
        assert!(peer.head().starts_with("HTTP/1.1 101 "), "{backend}");
        assert!(peer.is_websocket());
    }
}

#[test]
fn frames_may_come_with_the_handshake_cut_anywhere() {
    let bytes = [HANDSHAKE.as_bytes(), MESSAGE, b"\x89\x81\0\0\0\0!", MESSAGE].concat();
    for backend in BACKENDS {
        let server = start_on(backend);
        for cut in 1..=bytes.len() {
            let mut peer = server.connect();
            peer.send(&bytes[..cut]);
            peer.send(&bytes[cut..]);
            assert!(peer.head().starts_with("HTTP/1.1 101 "), "{backend}, {cut}");
            let expected = [ANSWER, b"\x8a\x01!", ANSWER].concat();
            assert_eq!(peer.take(expected.len()), expected, "{backend}, {cut}");
        }
    }
}

/// What stands behind a refused handshake is the next request, never a frame.
#[test]
fn frames_behind_a_refusal_are_a_bad_request() {
    for backend in BACKENDS {
        let server = start_on(backend);
        let mut peer = server.connect();
        let refused = HANDSHAKE.replace("Version: 13", "Version: 12");
        peer.send(&[refused.as_bytes(), MESSAGE].concat());
        let (head, _) = peer.reply();
        assert!(head.starts_with("HTTP/1.1 426 "), "{backend}: {head}");
        let rest = peer.rest();
        assert!(rest.starts_with(b"HTTP/1.1 400 "), "{backend}");
    }
}

#[test]
fn a_last_request_may_be_an_upgrade_and_lives_on() {
    for backend in BACKENDS {
        let server = start_on(backend);
        let mut peer = server.connect();
        let closing = HANDSHAKE.replace("keep-alive, upgrade", "close, upgrade");
        peer.send(closing.as_bytes());
        assert!(peer.head().starts_with("HTTP/1.1 101 "), "{backend}");
        assert!(
            peer.is_websocket(),
            "{backend}: §4.2.1 asks for the token upgrade, and no more"
        );
    }
}
