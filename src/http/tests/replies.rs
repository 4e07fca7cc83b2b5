//! RFC 9110 §6.4.1, §6.6.1, §8.6, §9.3; RFC 9112 §4, §6, §7.1, §9.3.

use super::super::{
    CONTINUE_REPLY, DateCache, EncodeError, LengthField, ReplyBody, ReplyHead, ReplyTo, Status,
    Version, encode_chunk, encode_chunk_size, encode_last_chunk, reply_framing,
};

use super::rows;

const TO_11: ReplyTo = ReplyTo {
    head_only: false,
    connect: false,
    version: Version::Http11,
    keep_alive: true,
};
const TO_10: ReplyTo = ReplyTo {
    version: Version::Http10,
    ..TO_11
};
const TO_HEAD: ReplyTo = ReplyTo {
    head_only: true,
    ..TO_11
};
const TO_CONNECT: ReplyTo = ReplyTo {
    connect: true,
    ..TO_11
};
const TO_CLOSE: ReplyTo = ReplyTo {
    keep_alive: false,
    ..TO_11
};

fn written(to: ReplyTo, status: Status, size: Option<u64>) -> (String, ReplyBody, bool) {
    let mut out = Vec::new();
    let mut head = ReplyHead::new(&mut out, to, status);
    match size {
        Some(size) => head.content_length(size),
        None => head.chunked(),
    };
    let framing = head.finish();
    (
        String::from_utf8(out).expect("ASCII"),
        framing.body,
        framing.keep_alive,
    )
}

/// Name, request, status, size, body, connection, lines behind the status line.
const REPLIES: &str = r"
    9110 §8.6 length | 1.1 | 200 | 5 | Length(5) | stays | Content-Length: 5\r\n
    9110 §8.6 empty | 1.1 | 200 | 0 | None | stays | Content-Length: 0\r\n
    9110 §8.6 error | 1.1 | 404 | 5 | Length(5) | stays | Content-Length: 5\r\n
    9112 §6.1 unknown length | 1.1 | 200 | ? | Chunked | stays | Transfer-Encoding: chunked\r\n
    9112 §6.3 unknown length to 1.0 | 1.0 | 200 | ? | UntilClose | closes | Connection: close\r\n
    9112 §9.3 close | close | 200 | 1 | Length(1) | closes | Content-Length: 1\r\nConnection: close\r\n
    9112 §9.3 keep-alive to 1.0 | 1.0 | 200 | 1 | Length(1) | stays | Content-Length: 1\r\nConnection: keep-alive\r\n
    9110 §9.3.2 HEAD | HEAD | 200 | 5 | None | stays | Content-Length: 5\r\n
    9110 §9.3.2 HEAD, unknown length | HEAD | 200 | ? | None | stays | Transfer-Encoding: chunked\r\n
    9110 §9.3.2 HEAD to 1.0 | HEAD 1.0 | 200 | ? | None | stays | Connection: keep-alive\r\n
    9110 §15.3.5 204 | 1.1 | 204 | 5 | None | stays | ∅
    9110 §15.3.5 204, unknown length | 1.1 | 204 | ? | None | stays | ∅
    9110 §15.3.5 204 to 1.0 | 1.0 | 204 | ? | None | stays | Connection: keep-alive\r\n
    9110 §15.3.5 204, closing | close | 204 | 0 | None | closes | Connection: close\r\n
    9110 §15.3.6 205 | 1.1 | 205 | 5 | None | stays | Content-Length: 0\r\n
    9110 §15.3.6 205, unknown length | 1.1 | 205 | ? | None | stays | Content-Length: 0\r\n
    9110 §15.4.5 304 | 1.1 | 304 | 5 | None | stays | ∅
    9110 §15.2 100 | close | 100 | 5 | None | closes | ∅
    9110 §15.2 101 | 1.1 | 101 | ? | None | stays | ∅
    9110 §15.2 103 to 1.0 | 1.0 | 103 | 0 | None | stays | ∅
    9110 §9.3.6 tunnel | CONNECT | 200 | 5 | None | stays | ∅
    9110 §9.3.6 no tunnel | CONNECT | 405 | 5 | Length(5) | stays | Content-Length: 5\r\n
    9112 §4 status without a name | 1.1 | 299 | 0 | None | stays | Content-Length: 0\r\n
";

#[test]
fn framing_and_persistence() {
    for row in rows(REPLIES) {
        let (name, code) = (&row[0], &row[2]);
        let to = match row[1].as_str() {
            "1.1" => TO_11,
            "1.0" => TO_10,
            "HEAD" => TO_HEAD,
            "HEAD 1.0" => ReplyTo {
                head_only: true,
                ..TO_10
            },
            "CONNECT" => TO_CONNECT,
            _ => TO_CLOSE,
        };
        let status = Status::new(code.parse().expect(name)).expect(name);
        let (text, body, keep_alive) = written(to, status, row[3].parse().ok());
        let expected = format!("HTTP/1.1 {code} {}\r\n{}\r\n", status.phrase(), row[6]);
        assert_eq!(text, expected, "{name}");
        assert_eq!(format!("{body:?}"), row[4], "{name}");
        assert_eq!(
            if keep_alive { "stays" } else { "closes" },
            row[5],
            "{name}"
        );
    }
    // Nothing said about the body: there is none, and the head says so.
    let mut out = Vec::new();
    ReplyHead::new(&mut out, TO_11, Status::OK).finish();
    assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        reply_framing(TO_11, Status::OK, Some(0)).field,
        LengthField::Length(0)
    );
    assert!(
        CONTINUE_REPLY.starts_with(
            Status::CONTINUE
                .line()
                .expect("named")
                .strip_suffix(b"\r\n")
                .expect("a line")
        )
    );
}

#[test]
fn every_status_line() {
    for code in 0..1000 {
        let Some(status) = Status::new(code) else {
            assert!(!(100..600).contains(&code), "{code}");
            continue;
        };
        let (text, ..) = written(TO_11, status, Some(0));
        let line = text.split("\r\n").next().expect("a line");
        assert_eq!(
            line,
            format!("HTTP/1.1 {status}"),
            "§4: the space stays if the phrase is empty"
        );
        assert_eq!(status.code(), code);
    }
}

#[test]
fn fields_that_are_refused() {
    let rows: &[(&str, &[u8], &[u8], EncodeError)] = &[
        ("9110 §5.1 empty name", b"", b"x", EncodeError::InvalidName),
        ("9110 §5.1 space", b"a b", b"x", EncodeError::InvalidName),
        ("9110 §5.1 colon", b"a:", b"x", EncodeError::InvalidName),
        (
            "9110 §5.1 line end",
            b"a\r\nb",
            b"x",
            EncodeError::InvalidName,
        ),
        (
            "9110 §5.1 not ASCII",
            "ä".as_bytes(),
            b"x",
            EncodeError::InvalidName,
        ),
        (
            "9110 §5.5 CR LF",
            b"a",
            b"x\r\nSet-Cookie: y",
            EncodeError::InvalidValue,
        ),
        ("9110 §5.5 CR", b"a", b"x\r", EncodeError::InvalidValue),
        ("9110 §5.5 LF", b"a", b"\nx", EncodeError::InvalidValue),
        (
            "9110 §5.5 NUL",
            b"a",
            b"0123456789abcdef0123456789\0",
            EncodeError::InvalidValue,
        ),
        ("9110 §5.5 DEL", b"a", b"\x7f", EncodeError::InvalidValue),
        ("9110 §5.5 escape", b"a", b"\x1b", EncodeError::InvalidValue),
        (
            "9112 §6.2 length",
            b"content-LENGTH",
            b"5",
            EncodeError::Reserved,
        ),
        (
            "9112 §6.1 coding",
            b"Transfer-Encoding",
            b"chunked",
            EncodeError::Reserved,
        ),
        (
            "9112 §9.6 close",
            b"Connection",
            b"x, CLOSE",
            EncodeError::Reserved,
        ),
        (
            "9112 §9.3 keep-alive",
            b"connection",
            b"keep-alive",
            EncodeError::Reserved,
        ),
    ];
    for (name, field, value, error) in rows {
        let mut out = b"before".to_vec();
        let mut head = ReplyHead::new(&mut out, TO_11, Status::OK);
        head.field("X", "y").expect(name);
        assert_eq!(head.field(field, value).err(), Some(*error), "{name}");
        head.finish();
        assert_eq!(
            out, b"beforeHTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n",
            "{name}: no trace of it"
        );
    }
    let mut out = b"before".to_vec();
    let head = ReplyHead::new(&mut out, TO_11, Status::OK);
    drop(head);
    assert_eq!(out, b"before", "a head that is not finished is taken back");
}

#[test]
fn fields_that_are_written() {
    let mut date = DateCache::default();
    date.update(784_111_777);
    let mut out = Vec::new();
    let mut head = ReplyHead::new(&mut out, TO_11, Status::SWITCHING_PROTOCOLS);
    head.date(&date);
    head.field("Connection", "Upgrade").expect("allowed");
    head.field(b"Upgrade", b"x")
        .expect("allowed")
        .field("Empty", "")
        .expect("allowed");
    head.field("Text", "a\tb ä")
        .expect("tab and obs-text are allowed");
    head.finish();
    let expected = "HTTP/1.1 101 Switching Protocols\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Connection: Upgrade\r\nUpgrade: x\r\nEmpty: \r\nText: a\tb ä\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn dates() {
    let mut date = DateCache::new();
    assert_eq!(date.as_bytes(), b"Thu, 01 Jan 1970 00:00:00 GMT");
    for (seconds, text) in [
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        date.update(seconds);
        date.update(seconds);
        assert_eq!(date.as_bytes(), text.as_bytes(), "{seconds}");
    }
}

#[test]
fn chunks() {
    let mut out = Vec::new();
    encode_chunk(&mut out, b"");
    assert_eq!(out, b"", "§7.1 an empty chunk would be the last");
    for (bytes, line) in [
        (1, "1"),
        (9, "9"),
        (10, "a"),
        (16, "10"),
        (4096, "1000"),
        (u64::MAX, "ffffffffffffffff"),
    ] {
        out.clear();
        encode_chunk_size(&mut out, bytes);
        assert_eq!(out, format!("{line}\r\n").as_bytes(), "{bytes}");
    }
    out.clear();
    encode_last_chunk(&mut out, &[]).expect("nothing to refuse");
    assert_eq!(out, b"0\r\n\r\n");
    let refused: &[(&str, &[u8], EncodeError)] = &[
        ("Content-Length", b"5", EncodeError::NotInTrailers),
        ("transfer-encoding", b"x", EncodeError::NotInTrailers),
        ("Host", b"a", EncodeError::NotInTrailers),
        ("Set-Cookie", b"a", EncodeError::NotInTrailers),
        ("Trailer", b"a", EncodeError::NotInTrailers),
        ("a b", b"a", EncodeError::InvalidName),
        ("a", b"\r\n", EncodeError::InvalidValue),
    ];
    for (name, value, error) in refused {
        let mut out = b"before".to_vec();
        assert_eq!(
            encode_last_chunk(&mut out, &[("X", b"y"), (name, value)]),
            Err(*error),
            "{name}"
        );
        assert_eq!(out, b"before", "{name}");
    }
}
