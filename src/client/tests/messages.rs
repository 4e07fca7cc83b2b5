use std::collections::HashSet;

use super::{Error, Kind, Opcode, Options, Script, close, frame, heard, opened, said};
use crate::client::Event;
use crate::client::tests::GOOD;

#[test]
fn every_frame_has_a_mask_of_its_own() {
    let mut socket = opened(b"");
    let frames = 1000;
    for _ in 0..frames {
        socket.send(Kind::Binary, &[0; 20]).expect("sent");
    }
    let bytes = &socket.stream().heard;
    let masks: HashSet<&[u8]> = bytes.chunks(26).map(|frame| &frame[2..6]).collect();
    assert!(
        masks.len() > frames - 5,
        "{} of {frames} masks",
        masks.len()
    );
    assert_eq!(heard(&socket).len(), frames);
}

#[test]
fn payloads_of_every_length_arrive() {
    let pattern: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let piece = 64 << 10;
    for length in [
        0,
        1,
        125,
        126,
        65535,
        65536,
        piece - 14,
        piece - 13,
        piece,
        2 * piece + 3,
        300_000,
    ] {
        let mut socket = opened(b"");
        socket.send(Kind::Binary, &pattern[..length]).expect("sent");
        let shown = format!("binary {}", pattern[..length].escape_ascii());
        assert!(heard(&socket) == [shown], "{length} bytes");
    }
}

#[test]
fn fragments_let_control_frames_between_and_nothing_else() {
    let mut socket = opened(&frame(Opcode::Ping, true, b"?"));
    socket
        .send_fragment(Kind::Text, b"gr\xc3", false)
        .expect("half a character");
    socket.ping(b"p").expect("sent");
    assert!(matches!(socket.send_text("x"), Err(Error::Unfinished)));
    assert!(matches!(
        socket.send(Kind::Binary, b"x"),
        Err(Error::Unfinished)
    ));
    assert!(matches!(
        socket.send_fragment(Kind::Binary, b"x", true),
        Err(Error::Unfinished)
    ));
    assert!(matches!(
        socket.send_fragment(Kind::Text, b"x", false),
        Err(Error::NotUtf8)
    ));
    assert!(matches!(
        socket.send_fragment(Kind::Text, b"", true),
        Err(Error::NotUtf8)
    ));
    assert_eq!(socket.next().expect("a ping"), Event::Ping(b"?"));
    socket
        .send_fragment(Kind::Text, b"\xbcn", false)
        .expect("the other half");
    socket
        .send_fragment(Kind::Text, b"", true)
        .expect("the end");
    socket
        .send_fragment(Kind::Binary, b"\xff", true)
        .expect("a message of one");
    socket.send_text("after").expect("sent");
    let expected = [
        "text gr\\xc3…",
        "ping p",
        "pong ?",
        "text …\\xbcn…",
        "text …",
        "binary \\xff",
        "text after",
    ];
    assert_eq!(heard(&socket), expected);
}

#[test]
fn what_may_not_be_sent_is_not() {
    let mut socket = opened(b"");
    assert!(matches!(
        socket.send(Kind::Text, b"\xff"),
        Err(Error::NotUtf8)
    ));
    assert!(matches!(
        socket.send(Kind::Text, b"\xc3"),
        Err(Error::NotUtf8)
    ));
    assert!(matches!(socket.ping(&[0; 126]), Err(Error::TooLong)));
    assert!(heard(&socket).is_empty(), "nothing has left");
    socket.ping(&[b'p'; 125]).expect("the longest");
    socket.close(None, "").expect("sent");
    for sent in [
        socket.send_text("x"),
        socket.send(Kind::Binary, b"x"),
        socket.send_fragment(Kind::Text, b"x", true),
        socket.ping(b""),
    ] {
        assert!(matches!(sent, Err(Error::Closed)));
    }
    assert_eq!(heard(&socket).len(), 2);
}

#[test]
fn messages_come_whole_however_they_are_cut() {
    let long = "ü".repeat(50_000);
    let frames = [
        frame(Opcode::Text, false, "grün".as_bytes()),
        frame(Opcode::Ping, true, b"between"),
        frame(Opcode::Continuation, false, b""),
        frame(Opcode::Pong, true, b""),
        frame(Opcode::Continuation, true, b" und blau"),
        frame(Opcode::Text, true, b""),
        frame(Opcode::Binary, true, b""),
        frame(Opcode::Text, true, long.as_bytes()),
        frame(Opcode::Ping, true, &[b'p'; 125]),
        frame(Opcode::Text, true, b"last"),
        close(4000, "bye"),
        frame(Opcode::Text, true, b"never read"),
    ]
    .concat();
    let expected = [
        format!("Ping({:?})", b"between"),
        "Pong([])".to_owned(),
        "Text(\"grün und blau\")".to_owned(),
        "Text(\"\")".to_owned(),
        "Binary([])".to_owned(),
        format!("Text({long:?})"),
        format!("Ping({:?})", [b'p'; 125]),
        "Text(\"last\")".to_owned(),
        "Closed(Some(CloseCode(4000)), \"bye\")".to_owned(),
    ];
    for piece in [1, 2, 3, 5, 130, 4096, 65_535, usize::MAX] {
        let script = Script::new(GOOD, &frames).in_pieces_of(piece);
        let mut socket = script.open(&Options::default()).expect("a good handshake");
        assert!(said(&mut socket) == expected, "pieces of {piece}");
        let pong = format!("pong {}", "p".repeat(125));
        assert_eq!(heard(&socket), ["pong between", &pong, "close 4000 "]);
    }
}

#[test]
fn a_timeout_loses_nothing() {
    let script = Script::new(GOOD, b"\x81").silent_at_its_end();
    let mut socket = script.open(&Options::default()).expect("a good handshake");
    for byte in *b"\x02hi" {
        assert!(matches!(socket.next(), Err(Error::Timeout)));
        socket.stream.says.push(byte);
    }
    assert_eq!(socket.next().expect("whole now"), Event::Text("hi"));
}

#[test]
fn messages_up_to_the_limit_are_taken() {
    let options = Options {
        message_bytes_max: 10,
        ..Options::default()
    };
    let frames = [
        frame(Opcode::Binary, true, &[0; 10]),
        frame(Opcode::Text, false, b"12345"),
        frame(Opcode::Continuation, true, b"67890"),
        frame(Opcode::Text, false, b"12345"),
        frame(Opcode::Continuation, true, b"678901"),
    ]
    .concat();
    let mut socket = Script::new(GOOD, &frames).open(&options).expect("opened");
    let said = said(&mut socket);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[2].contains("message is too big (close code 1009)"));
    assert_eq!(heard(&socket), ["close 1009 message is too big"]);
}
