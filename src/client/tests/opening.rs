use super::{Duration, Error, GOOD, Options, Script, WebSocket, frame, heard, said};
use crate::client::{Event, HeadError, Refused};
use crate::ws::{Opcode, ReplyError};

fn refused(reply: &str) -> Refused {
    let opened = Script::new(reply, b"").open(&Options::default());
    match opened.expect_err("no WebSocket") {
        Error::Refused(refused) => refused,
        error => panic!("{error}"),
    }
}

fn failed(reply: &str) -> Error {
    let opened = Script::new(reply, b"").open(&Options::default());
    let error = opened.expect_err(reply);
    assert!(!error.to_string().is_empty() && !error.advice().is_empty());
    error
}

#[test]
fn frames_may_come_with_the_101_cut_anywhere() {
    let frames = [
        frame(Opcode::Text, true, "grün".as_bytes()),
        frame(Opcode::Binary, false, b"a"),
        frame(Opcode::Continuation, true, &[b'b'; 200]),
    ]
    .concat();
    let both = format!("Binary({:?})", [&b"a"[..], &[b'b'; 200]].concat());
    for piece in (1..200).chain([usize::MAX]) {
        let script = Script::new(GOOD, &frames).in_pieces_of(piece);
        let mut socket = script.open(&Options::default()).expect("a good handshake");
        let expected = [
            "Text(\"grün\")",
            &both,
            "the connection ended without a Close",
        ];
        assert_eq!(said(&mut socket), expected, "pieces of {piece}");
    }
}

#[test]
fn interim_replies_are_passed_over() {
    let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for piece in [1, 7, usize::MAX] {
        let script = Script::new(&format!("{hints}{GOOD}"), b"\x81\x01a").in_pieces_of(piece);
        let mut socket = script.open(&Options::default()).expect("a good handshake");
        assert_eq!(socket.next().expect("a frame"), Event::Text("a"));
    }
    let endless = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000);
    assert!(matches!(failed(&endless), Error::Head(HeadError::TooLong)));
}

#[test]
fn other_statuses_are_told_with_their_fields() {
    let moved = refused("HTTP/1.1 301 Moved\r\nLocation: ws://b/c\r\nX: 1\r\nx: 2\r\n\r\nbody");
    assert_eq!(moved.status(), 301);
    assert_eq!(moved.field("location"), Some(&b"ws://b/c"[..]));
    assert_eq!(moved.field("X"), Some(&b"1"[..]));
    assert_eq!(moved.field("body"), None);
    assert_eq!(moved.fields().count(), 3);
    assert!(format!("{moved:?}").contains("Location: ws://b/c"));
    let error = Error::Refused(moved);
    let text = "the server answered 301 instead of 101, Location: ws://b/c";
    assert_eq!(error.to_string(), text);
    let advice: Vec<&str> = [200, 302, 401, 403, 404, 426, 429, 503]
        .map(|status| Error::Refused(refused(&format!("HTTP/1.0 {status} x\r\n\r\n"))).advice())
        .into();
    let mut different = advice.clone();
    different.dedup();
    assert_eq!(different.len(), 7, "404 and 426 say the same: {advice:?}");
    // A server of 1.0 does not know what 101 means.
    assert_eq!(refused(&GOOD.replace("HTTP/1.1", "HTTP/1.0")).status(), 101);
}

#[test]
fn a_101_must_be_meant() {
    for (wrong, right, error) in [
        ("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", ReplyError::Accept),
        (
            "ACCEPT",
            "ACCEPT\r\nSec-WebSocket-Accept: ACCEPT",
            ReplyError::Accept,
        ),
        ("Upgrade: websocket", "Upgrade: h2c", ReplyError::Upgrade),
        (
            "Connection: Upgrade",
            "Connection: close",
            ReplyError::Connection,
        ),
        (
            "Connection:",
            "Sec-WebSocket-Protocol: chat\r\nConnection:",
            ReplyError::UnofferedProtocol,
        ),
        (
            "Connection:",
            "Sec-WebSocket-Extensions: permessage-deflate\r\nConnection:",
            ReplyError::UnofferedExtension,
        ),
    ] {
        let reply = GOOD.replace(wrong, right);
        match failed(&reply) {
            Error::Reply(found) => assert_eq!(found, error, "{reply}"),
            other => panic!("{reply}: {other}"),
        }
    }
    let spaced = GOOD.replace(": ", ":  \t").replace("\r\nC", " \t\r\nC");
    let opened = Script::new(&spaced, b"").open(&Options::default());
    assert!(opened.is_ok(), "whitespace around values means nothing");
}

#[test]
fn the_chosen_subprotocol_is_one_on_offer() {
    let options = Options {
        protocols: &["a", "b"],
        ..Options::default()
    };
    let choosing = |name| {
        let line = format!("Sec-WebSocket-Protocol: {name}\r\nConnection");
        Script::new(&GOOD.replace("Connection", &line), b"").open(&options)
    };
    assert_eq!(choosing("b").expect("one of them").protocol(), Some("b"));
    assert!(matches!(
        choosing("c"),
        Err(Error::Reply(ReplyError::UnofferedProtocol))
    ));
    let none = Script::new(GOOD, b"")
        .open(&options)
        .expect("none is allowed");
    assert_eq!(none.protocol(), None);
}

#[test]
fn a_reply_is_whole_short_and_http() {
    assert!(matches!(failed(""), Error::HandshakeEnded));
    assert!(matches!(
        failed(&GOOD[..GOOD.len() - 1]),
        Error::HandshakeEnded
    ));
    assert!(matches!(failed("SSH-2.0"), Error::Head(HeadError::NotHttp)));
    assert!(matches!(
        failed(&GOOD.replace("\r\n", "\n")),
        Error::Head(HeadError::BareLf)
    ));
    let folded = GOOD.replace("Connection: ", "Connection:\r\n ");
    assert!(matches!(failed(&folded), Error::Head(HeadError::Field)));
    let long = |count| {
        GOOD.replace(
            "Connection",
            &format!("X: {}\r\nConnection", "x".repeat(count)),
        )
    };
    assert!(matches!(
        failed(&long(16 << 10)),
        Error::Head(HeadError::TooLong)
    ));
    assert!(matches!(
        failed(&long(1 << 20)),
        Error::Head(HeadError::TooLong)
    ));
    let fits = Script::new(&long(16_000), b"").open(&Options::default());
    assert!(fits.is_ok());
}

#[test]
fn a_reply_that_does_not_come_is_not_awaited_for_ever() {
    let options = Options {
        handshake_timeout: Duration::from_millis(20),
        ..Options::default()
    };
    for reply in ["", "HTTP/1.1 101"] {
        let opened = Script::new(reply, b"").silent_at_its_end().open(&options);
        assert!(matches!(opened, Err(Error::HandshakeTimeout)));
    }
}

#[test]
fn what_the_caller_may_not_say_is_not_sent() {
    let options = Options {
        fields: &[("Cookie", b"a\r\nb: c")],
        ..Options::default()
    };
    let opened = Script::new(GOOD, b"").open(&options);
    assert!(matches!(opened, Err(Error::Request(_))));
    let opened = WebSocket::handshake(Script::new(GOOD, b""), "http://a", &Options::default());
    assert!(matches!(opened, Err(Error::Uri(_))));
    let opened = WebSocket::connect("wss://localhost", &Options::default());
    assert!(matches!(opened, Err(Error::Tls)));
    let script = Script::new(GOOD, b"");
    let secure = WebSocket::handshake(script, "wss://a", &Options::default());
    assert!(heard(&secure.expect("somebody else's TLS")).is_empty());
}
