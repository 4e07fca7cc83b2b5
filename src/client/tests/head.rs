use proptest::prelude::*;

use crate::client::head::{HeadError, ReplyHead, head_end};

/// Text, minor version, status, fields.
type Good = (
    &'static [u8],
    u8,
    u16,
    &'static [(&'static str, &'static str)],
);
type Parsed = Result<(u8, u16, Vec<(String, String)>), HeadError>;

fn parsed(text: &[u8]) -> Parsed {
    let head = ReplyHead::parse(text)?;
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let fields = head
        .fields()
        .map(|(name, value)| (shown(name), shown(value)));
    Ok((head.minor, head.status, fields.collect()))
}

#[test]
fn good_heads() {
    let fields = |fields: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        fields.iter().map(own).collect()
    };
    let table: &[Good] = &[
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 1, 101, &[]),
        (b"HTTP/1.0 200 \r\n\r\n", 0, 200, &[]),
        (b"HTTP/1.1 101\r\n\r\n", 1, 101, &[]),
        (b"HTTP/1.9 999 \xfc\tx\r\n\r\n", 9, 999, &[]),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: \t ws://b/ \t\r\nX:\r\nY:a:b\r\nX: \xfc\r\n\r\n",
            1,
            301,
            &[
                ("Location", "ws://b/"),
                ("X", ""),
                ("Y", "a:b"),
                ("X", "\\xfc"),
            ],
        ),
    ];
    for (text, minor, status, expected) in table {
        let good = Ok((*minor, *status, fields(expected)));
        assert_eq!(parsed(text), good, "{}", text.escape_ascii());
    }
}

#[test]
fn bad_heads() {
    let table: &[(&[u8], HeadError)] = &[
        (b"HTTP/1.1 101 x\r\n", HeadError::StatusLine),
        (b"HTTP/1. 101 x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1  101 x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1 1010 x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1 99 x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1 099 x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1 101x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1\t101 x\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1 101 a\0b\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/1.1 101 a\rb\r\n\r\n", HeadError::StatusLine),
        (b"HTTP/2.0 101 x\r\n\r\n", HeadError::NotHttp),
        (b"HTTP/1.1 101 x\r\nA : b\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\nA\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\n: b\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\n A: b\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\nA: b\r\n c\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\nA: b\0\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\nA: b\rc\r\n\r\n", HeadError::Field),
        (b"HTTP/1.1 101 x\r\nA: \x7f\r\n\r\n", HeadError::Field),
    ];
    for (text, error) in table {
        assert_eq!(parsed(text), Err(*error), "{}", text.escape_ascii());
    }
    let many = |count: usize| format!("HTTP/1.1 101 x\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(parsed(many(100).as_bytes()).is_ok());
    assert_eq!(parsed(many(101).as_bytes()), Err(HeadError::TooManyFields));
}

#[test]
fn the_end_is_found_wherever_the_bytes_are_cut() {
    let text = b"HTTP/1.1 101 x\r\nA: b\r\n\r\n\x81\x01a\r\n\r\n";
    let end = 24;
    assert_eq!(&text[end - 4..end], b"\r\n\r\n");
    for step in 1..text.len() {
        let mut from = 0;
        let mut len = 0;
        let found = loop {
            len = (len + step).min(text.len());
            let before = from;
            if let Some(found) = head_end(&text[..len], &mut from).expect("HTTP") {
                break found;
            }
            assert!(from >= before && len < text.len(), "goes on where it was");
        };
        assert_eq!(found, end, "pieces of {step}");
    }
}

#[test]
fn what_can_become_no_head_is_refused_at_once() {
    for (text, error) in [
        (&b"SSH-2.0-x\r\n"[..], HeadError::NotHttp),
        (b"\x15\x03\x03", HeadError::NotHttp), // a TLS alert
        (b"\r\n", HeadError::NotHttp),
        (b"http/1.1", HeadError::NotHttp),
        (b"HTTP/2", HeadError::NotHttp),
        (b"HTTP/1.1 200 OK\n", HeadError::BareLf),
        (b"HTTP/1.1 200 OK\r\n\n", HeadError::BareLf),
        (b"HTTP/1.1 200 OK\r\nA: b\n", HeadError::BareLf),
    ] {
        assert_eq!(
            head_end(text, &mut 0),
            Err(error),
            "{}",
            text.escape_ascii()
        );
    }
    for text in [&b""[..], b"H", b"HTTP/1.", b"HTTP/1.1 200 OK\r\n\r"] {
        assert_eq!(head_end(text, &mut 0), Ok(None));
    }
}

proptest! {
    /// What is found whole is read or refused, and every field that was counted is handed out.
    #[test]
    fn no_head_is_too_odd(behind in "[ -~]{0,6}\r\n([A-Za-z:\t\r\n \u{0}ü]{0,30}\r\n){0,4}\r\n") {
        let text = format!("HTTP/1.1 101{behind}");
        if let Ok(Some(len)) = head_end(text.as_bytes(), &mut 0)
            && let Ok(head) = ReplyHead::parse(&text.as_bytes()[..len])
        {
            let lines = text[..len].matches("\r\n").count();
            prop_assert_eq!(head.fields().count() + 2, lines);
        }
    }
}
