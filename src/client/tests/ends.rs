use super::{
    CloseCode, Duration, Error, GOOD, Kind, Opcode, Options, Script, close, frame, heard, mem,
    opened, said,
};
use crate::client::Event;

#[test]
fn the_servers_close_is_answered_with_its_code() {
    for (frames, event, answer) in [
        (
            close(1000, ""),
            Event::Closed(Some(CloseCode::NORMAL), ""),
            "close 1000 ",
        ),
        (
            close(4999, "grün"),
            Event::Closed(CloseCode::new(4999), "grün"),
            "close 4999 ",
        ),
        (
            frame(Opcode::Close, true, b""),
            Event::Closed(None, ""),
            "close none ",
        ),
    ] {
        let mut socket = opened(&frames);
        assert_eq!(socket.next().expect("the close"), event);
        assert!(
            matches!(socket.next(), Err(Error::Closed)),
            "it was the last"
        );
        assert!(matches!(socket.send_text("x"), Err(Error::Closed)));
        socket.close(None, "").expect("nothing is owed");
        assert_eq!(heard(&socket), [answer]);
    }
}

#[test]
fn what_was_under_way_comes_before_the_answer_to_our_close() {
    let frames = [
        frame(Opcode::Text, true, b"under way"),
        frame(Opcode::Ping, true, b"too"),
        close(1001, "bye"),
    ]
    .concat();
    let mut socket = opened(&frames);
    socket
        .close(Some(CloseCode::NORMAL), &"ü".repeat(100))
        .expect("sent");
    socket
        .close(Some(CloseCode::GOING_AWAY), "")
        .expect("sent once");
    assert_eq!(
        said(&mut socket),
        [
            "Text(\"under way\")",
            "Ping([116, 111, 111])",
            "Closed(Some(CloseCode(1001)), \"bye\")"
        ]
    );
    let reason = "ü".repeat(61); // 123 bytes hold no more
    assert_eq!(heard(&socket), [format!("close 1000 {reason}")]);
    let pong = 6 + 3; // which a server that has read our Close no longer looks at
    assert_eq!(socket.stream().heard.len(), 6 + 2 + reason.len() + pong);
}

#[test]
fn each_fault_of_the_server_has_its_code() {
    let fragmented = [
        frame(Opcode::Text, false, b"a"),
        frame(Opcode::Text, true, b"b"),
    ]
    .concat();
    let table: &[(&[u8], u16, &str)] = &[
        (
            b"\x81\x82\x01\x02\x03\x04hi",
            1002,
            "server frame is masked",
        ),
        (b"\x91\x00", 1002, "reserved bit set"),
        (b"\xc1\x00", 1002, "reserved bit set"),
        (b"\x83\x00", 1002, "reserved opcode"),
        (b"\x09\x00", 1002, "control frame is fragmented"),
        (
            b"\x89\x7e\x00\x7e",
            1002,
            "control frame is longer than 125 bytes",
        ),
        (b"\x80\x00", 1002, "continuation of no message"),
        (&fragmented, 1002, "new message inside a fragmented one"),
        (
            b"\x82\x7e\x00\x01x",
            1002,
            "length is not minimally encoded",
        ),
        (
            b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
            1002,
            "length has its top bit set",
        ),
        (
            b"\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x01",
            1009,
            "message is too big",
        ),
        (b"\x88\x01\x03", 1002, "close payload of one byte"),
        (b"\x88\x02\x03\xed", 1002, "close code is not allowed"),
        (b"\x88\x03\x03\xe8\xff", 1007, "text is not UTF-8"),
        (b"\x81\x02\xc3\x28", 1007, "text is not UTF-8"),
        (b"\x81\x01\xc3", 1007, "text is not UTF-8"),
    ];
    for &(frames, code, reason) in table {
        for piece in [1, usize::MAX] {
            // What comes behind a fault is not looked at.
            let frames = [frames, b"\x81\x04more"].concat();
            let script = Script::new(GOOD, &frames).in_pieces_of(piece);
            let mut socket = script.open(&Options::default()).expect("a good handshake");
            let error = format!("the server broke the protocol: {reason} (close code {code})");
            assert_eq!(said(&mut socket), [error]);
            assert_eq!(heard(&socket), [format!("close {code} {reason}")]);
            assert!(
                socket.stream().says.is_empty(),
                "read to the end, against a reset"
            );
        }
    }
}

#[test]
fn a_server_that_never_stops_is_not_read_for_ever() {
    let flood = [&b"\x83\x00"[..], &vec![b'x'; 1 << 20]].concat();
    let mut socket = opened(&flood);
    assert_eq!(said(&mut socket).len(), 1);
    let left = socket.stream().says.len();
    assert!(left > 600_000, "{left}");
}

#[test]
fn an_end_without_close_is_no_close() {
    let mut socket = opened(b"\x81\x05hel");
    assert_eq!(said(&mut socket), ["the connection ended without a Close"]);
    let mut socket = opened(b"");
    socket.close(None, "").expect("sent");
    assert_eq!(said(&mut socket), ["the connection ended without a Close"]);
}

#[test]
fn a_server_that_does_not_answer_is_left() {
    let options = Options {
        close_timeout: Duration::from_millis(20),
        ..Options::default()
    };
    let script = Script::new(GOOD, b"").silent_at_its_end();
    let mut socket = script.open(&options).expect("a good handshake");
    socket.close(Some(CloseCode::NORMAL), "").expect("sent");
    let error = socket.next().expect_err("it never answers");
    assert!(matches!(error, Error::CloseTimeout), "{error}");
    assert!(matches!(socket.next(), Err(Error::Closed)));

    // It answers, and does not close the TCP connection.
    let script = Script::new(GOOD, &close(1000, "")).silent_at_its_end();
    let mut socket = script.open(&options).expect("a good handshake");
    assert_eq!(said(&mut socket), ["Closed(Some(CloseCode(1000)), \"\")"]);
}

#[test]
fn no_limit_is_beyond_the_clock() {
    let options = Options {
        connect_timeout: Duration::MAX,
        handshake_timeout: Duration::MAX,
        close_timeout: Duration::MAX,
        ..Options::default()
    };
    let script = Script::new(GOOD, &close(1000, ""));
    let mut socket = script.open(&options).expect("a good handshake");
    socket.close(None, "").expect("sent");
    assert_eq!(said(&mut socket), ["Closed(Some(CloseCode(1000)), \"\")"]);
}

#[test]
fn after_a_failed_write_the_servers_reason_is_still_heard() {
    let frames = [frame(Opcode::Ping, true, b""), close(1008, "too loud")].concat();
    let mut socket = opened(&frames);
    socket.stream.takes = 10;
    assert!(matches!(
        socket.send(Kind::Binary, &[0; 100]),
        Err(Error::Write(_))
    ));
    assert!(matches!(socket.send_text("x"), Err(Error::Closed)));
    socket.stream.takes = usize::MAX;
    assert_eq!(
        said(&mut socket),
        ["Ping([])", "Closed(Some(CloseCode(1008)), \"too loud\")"]
    );
    let heard = mem::take(&mut socket.stream.heard);
    assert_eq!(heard.len(), 10, "nothing follows half a frame");
}
