//! Compression: what is offered, what a reply may say, and messages in both directions (RFC 7692).

use super::{
    CloseCode, Error, GOOD, Input, Kind, Opcode, Options, Role, Script, WebSocket, close, frame,
    opened, said, ws,
};
use crate::client::{Deflate, Event};
use crate::ws::ReplyError;
use crate::ws::deflate::{
    Compressor, Context, InflateError, Inflater, ReplyFault, Settings, WindowBits,
};

/// RFC 7692 §7.2.3.1 and §7.2.3.2.
const HELLO: &[u8] = b"\xF2\x48\xCD\xC9\xC9\x07\x00";
const HELLO_AGAIN: &[u8] = b"\xF2\x00\x11\x00\x00";
const LONG: &str = "Käse, Käse, Käse, Käse, Käse, Käse, Käse, Käse, Käse, Käse, Käse!";

const FORGETTING: Settings = Settings {
    server_context: Context::Dropped,
    client_context: Context::Dropped,
    server_window: WindowBits::MAX,
    client_window: WindowBits::MAX,
};

fn offering(settings: Settings) -> Options<'static> {
    Options {
        deflate: Some(Deflate {
            settings,
            ..Deflate::default()
        }),
        ..Options::default()
    }
}

/// The good reply with a line of extensions.
fn agreeing(extensions: &str) -> String {
    let line = format!("Sec-WebSocket-Extensions: {extensions}\r\nConnection");
    GOOD.replace("Connection", &line)
}

/// An open WebSocket whose server agreed to the usual offer, and says `frames`.
fn compressing(frames: &[u8]) -> WebSocket<Script> {
    let script = Script::new(&agreeing("permessage-deflate"), frames);
    script
        .open(&offering(Deflate::default().settings))
        .expect("a good handshake")
}

/// A frame of a server that begins a compressed message.
fn rsv1(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(opcode, fin, payload);
    bytes[0] |= 0x40;
    bytes
}

fn compressor(context: Context) -> Compressor {
    Compressor::new(context, WindowBits::MAX, 8, 6)
}

fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    compressor(Context::Dropped).compress(message, &mut payload);
    payload
}

/// The messages that the server has heard, inflated; a `*` before those that came compressed, and their lengths.
fn heard(socket: &WebSocket<Script>, context: Context) -> (Vec<String>, Vec<usize>) {
    let mut bytes = socket.stream().heard.clone();
    let mut input = Input::new(&mut bytes);
    let mut decoder = ws::Decoder::new(Role::Server);
    decoder.allow_rsv1();
    let mut inflater = Inflater::new(context);
    let (mut lines, mut lengths) = (Vec::new(), Vec::new());
    let (mut message, mut length) = (Vec::new(), 0);
    while let Some(event) = decoder
        .next(&mut input, &ws::Limits::default())
        .expect("frames by RFC 6455")
    {
        match event {
            ws::Event::Data(piece) => {
                length += piece.bytes.len();
                if piece.compressed {
                    inflater
                        .inflate(piece.bytes, piece.last, 1 << 24, &mut message)
                        .expect("deflate");
                } else {
                    message.extend_from_slice(piece.bytes);
                }
                if piece.last {
                    let mark = if piece.compressed { "*" } else { "" };
                    lines.push(format!("{mark}{}", String::from_utf8_lossy(&message)));
                    lengths.push(length);
                    message.clear();
                    length = 0;
                }
            }
            ws::Event::Ping(_) => lines.push("ping".to_owned()),
            ws::Event::Pong(_) => lines.push("pong".to_owned()),
            ws::Event::Close(code, reason) => {
                let code = code.map_or(1005, CloseCode::number);
                lines.push(format!("close {code} {reason}"));
            }
        }
    }
    (lines, lengths)
}

#[test]
fn what_is_wanted_is_offered_and_nothing_unasked() {
    let ten = WindowBits::new(10).expect("9 to 15");
    let small = Settings {
        server_window: ten,
        client_window: ten,
        ..FORGETTING
    };
    for (options, offer) in [
        (Options::default(), None),
        (
            offering(Deflate::default().settings),
            Some("permessage-deflate; client_max_window_bits"),
        ),
        (
            offering(small),
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=10",
            ),
        ),
    ] {
        let socket = Script::new(GOOD, b"")
            .open(&options)
            .expect("a server may decline");
        assert_eq!(socket.compression(), None);
        let request = str::from_utf8(&socket.stream().request).expect("ASCII");
        let line = request
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        assert_eq!(line, offer);
    }
}

#[test]
fn an_answer_that_was_not_offered_fails_the_handshake() {
    use ReplyFault::{Parameter, Repeated, Unconfirmed, Window8};
    let ten = WindowBits::new(10).expect("9 to 15");
    let small = Settings {
        server_window: ten,
        ..FORGETTING
    };
    let usual = Deflate::default().settings;
    for (settings, answer, fault) in [
        (usual, "; x", Parameter),
        (usual, "; server_max_window_bits=16", Parameter),
        (usual, "; server_max_window_bits=010", Parameter),
        (usual, "; server_max_window_bits", Parameter),
        (usual, "; client_max_window_bits", Parameter),
        (usual, "; client_max_window_bits=7", Parameter),
        (usual, "; server_no_context_takeover=1", Parameter),
        (
            usual,
            "; server_no_context_takeover; server_no_context_takeover",
            Parameter,
        ),
        (
            usual,
            "; server_max_window_bits=9; server_max_window_bits=9",
            Parameter,
        ),
        (usual, "; client_max_window_bits=8", Window8),
        (usual, ", permessage-deflate", Repeated),
        (FORGETTING, "", Unconfirmed),
        (small, "; server_no_context_takeover", Unconfirmed),
        (
            small,
            "; server_no_context_takeover; server_max_window_bits=11",
            Unconfirmed,
        ),
    ] {
        let reply = agreeing(&format!("permessage-deflate{answer}"));
        match Script::new(&reply, b"").open(&offering(settings)) {
            Err(error @ Error::Extension(found)) => {
                assert_eq!(found, fault, "{answer}");
                let text = format!("the handshake failed: {fault}");
                assert_eq!(error.to_string(), text);
                assert!(!error.advice().is_empty());
            }
            other => panic!("{answer}: {other:?}"),
        }
    }
    let twice = agreeing("permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate");
    for (reply, error) in [
        (twice, ReplyError::Extensions),
        (agreeing("x-own"), ReplyError::UnofferedExtension),
        (
            agreeing("permessage-deflate, x-own"),
            ReplyError::UnofferedExtension,
        ),
        (
            agreeing("Permessage-Deflate"),
            ReplyError::UnofferedExtension,
        ),
    ] {
        match Script::new(&reply, b"").open(&offering(usual)) {
            Err(Error::Reply(found)) => assert_eq!(found, error, "{reply}"),
            other => panic!("{reply}: {other:?}"),
        }
    }
}

#[test]
fn what_the_server_says_counts() {
    let reply = "permessage-deflate; client_no_context_takeover; client_max_window_bits=9; \
                 server_max_window_bits=12";
    let script = Script::new(&agreeing(reply), b"");
    let mut socket = script
        .open(&offering(Deflate::default().settings))
        .expect("a good handshake");
    let agreed = socket.compression().expect("agreed");
    assert_eq!(agreed.server.context, Context::Kept);
    assert_eq!(agreed.server.window.number(), 12);
    assert_eq!(agreed.client.context, Context::Dropped);
    assert_eq!(agreed.client.window.number(), 9);
    // What the client forgets, an inflater that forgets can read.
    for _ in 0..3 {
        socket.send_text(LONG).expect("sent");
    }
    let (lines, lengths) = heard(&socket, Context::Dropped);
    assert_eq!(
        lines,
        [format!("*{LONG}"), format!("*{LONG}"), format!("*{LONG}")]
    );
    assert!(lengths.iter().all(|&length| length == lengths[0]));
}

#[test]
fn a_kept_context_makes_the_same_again_short() {
    let mut socket = compressing(b"");
    for _ in 0..3 {
        socket.send(Kind::Text, LONG.as_bytes()).expect("sent");
    }
    let (lines, lengths) = heard(&socket, Context::Kept);
    assert_eq!(
        lines,
        [format!("*{LONG}"), format!("*{LONG}"), format!("*{LONG}")]
    );
    assert!(lengths[0] < LONG.len() && lengths[1] < 10, "{lengths:?}");
}

#[test]
fn short_messages_and_those_that_shall_not_are_sent_as_they_are() {
    let options = offering(FORGETTING);
    let reply = "permessage-deflate; server_no_context_takeover";
    let script = Script::new(&agreeing(reply), b"");
    let mut socket = script.open(&options).expect("a good handshake");
    let noise: String = (0..64_u8).map(|byte| char::from(byte + 32)).collect();
    socket.send_text("short").expect("sent");
    socket.send_text(&"x".repeat(63)).expect("sent");
    socket.send_text(&"x".repeat(64)).expect("sent");
    socket.send_text(&noise).expect("sent");
    socket
        .send_uncompressed(Kind::Text, LONG.as_bytes())
        .expect("sent");
    assert!(matches!(
        socket.send_uncompressed(Kind::Text, b"\xFF"),
        Err(Error::NotUtf8)
    ));
    socket.ping(&[b'p'; 100]).expect("sent");
    let (lines, _) = heard(&socket, Context::Dropped);
    let expected = [
        "short".to_owned(),
        "x".repeat(63),
        format!("*{}", "x".repeat(64)),
        noise, // which would not shrink
        LONG.to_owned(),
        "ping".to_owned(),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn fragments_are_compressed_if_the_first_is_long() {
    for (answer, context) in [
        ("", Context::Kept),
        ("; client_no_context_takeover", Context::Dropped),
    ] {
        let reply = agreeing(&format!("permessage-deflate{answer}"));
        let script = Script::new(&reply, b"");
        let mut socket = script
            .open(&offering(Deflate::default().settings))
            .expect("a good handshake");
        for (first, rest) in [
            (LONG, &["", "tail", ""][..]),
            (LONG, &[LONG]),
            (LONG, &[""]),
            ("", &[LONG]),
        ] {
            let fragment = first.as_bytes();
            socket
                .send_fragment(Kind::Text, fragment, false)
                .expect("sent");
            socket.ping(b"between").expect("sent");
            for (index, fragment) in rest.iter().enumerate() {
                let last = index + 1 == rest.len();
                socket
                    .send_fragment(Kind::Text, fragment.as_bytes(), last)
                    .expect("sent");
            }
            socket.send_text(LONG).expect("sent");
        }
        let (lines, _) = heard(&socket, context);
        let mut expected = Vec::new();
        for message in [
            format!("*{LONG}tail"),
            format!("*{LONG}{LONG}"),
            format!("*{LONG}"),
            LONG.to_owned(),
        ] {
            expected.extend(["ping".to_owned(), message, format!("*{LONG}")]);
        }
        assert_eq!(lines, expected);
    }
}

#[test]
fn compressed_messages_come_whole_however_they_are_cut() {
    let mut kept = compressor(Context::Kept);
    let mut long = Vec::new();
    kept.compress("ü".repeat(50_000).as_bytes(), &mut long);
    let mut again = Vec::new();
    kept.compress("üü".as_bytes(), &mut again);
    let frames = [
        rsv1(Opcode::Text, true, &long),
        frame(Opcode::Text, true, "grün".as_bytes()),
        rsv1(Opcode::Text, false, &again[..1]),
        frame(Opcode::Ping, true, b"between"),
        frame(Opcode::Continuation, false, b""),
        frame(Opcode::Continuation, true, &again[1..]),
        rsv1(Opcode::Binary, true, b"\0"),
        rsv1(Opcode::Text, false, b""),
        frame(Opcode::Continuation, true, b"\0"),
        close(1000, ""),
    ]
    .concat();
    let expected = [
        format!("Text({:?})", "ü".repeat(50_000)),
        "Text(\"grün\")".to_owned(),
        format!("Ping({:?})", b"between"),
        "Text(\"üü\")".to_owned(),
        "Binary([])".to_owned(),
        "Text(\"\")".to_owned(),
        "Closed(Some(CloseCode(1000)), \"\")".to_owned(),
    ];
    for piece in [1, 2, 3, 5, 130, 4096, usize::MAX] {
        let script = Script::new(&agreeing("permessage-deflate"), &frames).in_pieces_of(piece);
        let mut socket = script
            .open(&offering(Deflate::default().settings))
            .expect("a good handshake");
        assert!(said(&mut socket) == expected, "pieces of {piece}");
    }
}

#[test]
fn a_server_that_forgets_may_not_refer_back() {
    let frames = [
        rsv1(Opcode::Text, true, HELLO),
        rsv1(Opcode::Text, true, HELLO_AGAIN),
    ]
    .concat();
    let mut socket = compressing(&frames);
    assert_eq!(socket.next().expect("a message"), Event::Text("Hello"));
    assert_eq!(socket.next().expect("again"), Event::Text("Hello"));

    let reply = agreeing("permessage-deflate; server_no_context_takeover");
    let mut socket = Script::new(&reply, &frames)
        .open(&offering(FORGETTING))
        .expect("a good handshake");
    assert_eq!(socket.next().expect("a message"), Event::Text("Hello"));
    let error = socket.next().expect_err("it refers to what is forgotten");
    assert!(matches!(error, Error::Inflate(InflateError::Corrupt)));
}

#[test]
fn each_fault_has_its_code_and_reason() {
    let bomb = compressed(&vec![0; (16 << 20) + 1]);
    assert!(bomb.len() < 100_000);
    let bad_text = rsv1(Opcode::Text, true, &compressed(b"gr\xFFn"));
    let open_text = rsv1(Opcode::Text, true, &compressed(b"gr\xC3"));
    let continued = [
        rsv1(Opcode::Text, false, HELLO),
        rsv1(Opcode::Continuation, true, b""),
    ]
    .concat();
    let table = [
        (
            rsv1(Opcode::Binary, true, &bomb),
            1009,
            "message is too big when inflated",
        ),
        (
            rsv1(Opcode::Text, true, &HELLO[..5]),
            1007,
            "compressed data is corrupt",
        ),
        (
            rsv1(Opcode::Binary, true, b"\xFF\xFF"),
            1007,
            "compressed data is corrupt",
        ),
        (bad_text, 1007, "text is not UTF-8"),
        (open_text, 1007, "text is not UTF-8"),
        (continued, 1002, "reserved bit set"),
        (rsv1(Opcode::Ping, true, b""), 1002, "reserved bit set"),
        (b"\xA1\x00".to_vec(), 1002, "reserved bit set"),
    ];
    for (frames, code, reason) in table {
        let mut socket = compressing(&frames);
        let said = said(&mut socket);
        assert_eq!(said.len(), 1, "{said:?}");
        let end = format!("{reason} (close code {code})");
        assert!(said[0].ends_with(&end), "{said:?}");
        let (lines, _) = heard(&socket, Context::Kept);
        assert_eq!(lines, [format!("close {code} {reason}")]);
    }
    // Without an agreement the bit means nothing.
    let mut plain = opened(&rsv1(Opcode::Text, true, HELLO));
    assert!(said(&mut plain)[0].ends_with("reserved bit set (close code 1002)"));
}

#[test]
fn the_limit_is_one_of_inflated_bytes() {
    let options = Options {
        message_bytes_max: 1000,
        ..offering(Deflate::default().settings)
    };
    for (length, fits) in [(1000, true), (1001, false), (500_000, false)] {
        let frames = rsv1(Opcode::Binary, true, &compressed(&vec![7; length]));
        let script = Script::new(&agreeing("permessage-deflate"), &frames);
        let mut socket = script.open(&options).expect("a good handshake");
        match socket.next() {
            Ok(event) => assert!(fits && event == Event::Binary(&vec![7; length])),
            Err(error) => {
                assert!(!fits, "{error}");
                assert!(matches!(error, Error::Inflate(InflateError::TooBig)));
            }
        }
    }
}
