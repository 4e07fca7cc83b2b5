//! RFC 9112 §5, RFC 9110 §5.1, §5.5, §5.6.1.

use super::super::{Error, Head};
use super::{HeadLimits, accept, refuse, whole, with_head};

#[test]
fn malformed_lines() {
    refuse(
        r"
        §5 no colon | InvalidFieldName | GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n
        §5 empty name | InvalidFieldName | GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n
        §5 colon only | InvalidFieldName | GET / HTTP/1.1\r\nHost: a\r\n:\r\n\r\n
        §5 equals sign | InvalidFieldName | GET / HTTP/1.1\r\nHost: a\r\nX=b\r\n\r\n
        §5.1 space before the colon | SpaceBeforeColon | GET / HTTP/1.1\r\nHost : a\r\n\r\n
        §5.1 tab before the colon | SpaceBeforeColon | GET / HTTP/1.1\r\nHost\t: a\r\n\r\n
        §5.1 space in the framing's name | SpaceBeforeColon | POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n
        §5.1 space inside a name | SpaceBeforeColon | GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n
        §5.2 fold with a space | ObsoleteFold | GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n
        §5.2 fold with a tab | ObsoleteFold | GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n
        §5.2 fold of an empty line | ObsoleteFold | GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n
        §5.2 fold of the length | ObsoleteFold | POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n 5\r\n\r\nhello
        9110 §5.5 NUL | InvalidFieldValue | GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n
        9110 §5.5 NUL in Host | InvalidFieldValue | GET / HTTP/1.1\r\nHost: a\0\r\n\r\n
        9110 §5.5 DEL | InvalidFieldValue | GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n
        9110 §5.5 vertical tab | InvalidFieldValue | GET / HTTP/1.1\r\nHost: a\r\nX: a\x0bb\r\n\r\n
        9110 §5.5 escape | InvalidFieldValue | GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[0m\r\n\r\n
        9110 §5.5 far behind in a long value | InvalidFieldValue | GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef0123456789abcdef\x01\r\n\r\n
        faults come in the order of lines | SpaceBeforeColon | GET / HTTP/1.1\r\nX y: 1\r\nHost : a\r\nContent-Length: x\r\n\r\n
        a fault of a line comes before contradictions | InvalidFieldValue | GET / HTTP/1.1\r\nContent-Length: x\r\nY: \0\r\n\r\n
        ",
    );
    accept(
        r"
        §5 empty value | GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n
        §5 value of spaces | GET / HTTP/1.1\r\nHost: a\r\nX:   \t \r\n\r\n
        §5.1 no space behind the colon | GET / HTTP/1.1\r\nHost:a\r\nX:b\r\n\r\n
        §5.1 colons in the value | GET / HTTP/1.1\r\nHost: a\r\nX: a:b::c\r\n\r\n
        9110 §5.5 tab inside a value | GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\t\tc\r\n\r\n
        9110 §5.5 obs-text | GET / HTTP/1.1\r\nHost: a\r\nX: ä€\r\n\r\n
        9110 §5.1 every tchar | GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09AZaz: b\r\n\r\n
        9110 §5.3 repeated lines | GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n
        ",
    );
}

#[test]
fn every_byte_in_a_name_and_in_a_value() {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    // Long and short values, so that a block, a word and the byte loop each see every byte.
    for pad in [
        "",
        "0123456",
        "0123456789abcdef",
        "0123456789abcdef0123456789",
    ] {
        for byte in 0..=u8::MAX {
            let mut name = format!("GET / HTTP/1.1\r\nHost: a\r\nX{pad}").into_bytes();
            name.push(byte);
            name.extend_from_slice(format!("y: {pad}\r\n\r\n").as_bytes());
            let accepted = whole(&name, &HeadLimits::default()).error.is_none();
            assert_eq!(
                accepted,
                tchar(byte) || byte == b':',
                "{byte:#x} in a name behind {pad:?}"
            );

            let mut value = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {pad}").into_bytes();
            value.push(byte);
            value.extend_from_slice(b"y\r\n\r\n");
            let accepted = whole(&value, &HeadLimits::default()).error.is_none();
            let allowed = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            assert_eq!(accepted, allowed, "{byte:#x} in a value behind {pad:?}");
        }
    }
}

#[test]
fn walking() {
    let raw =
        b"GET / HTTP/1.1\r\nHost:a\r\nX-One:  1\t \r\nx-one: 2\r\nEmpty:\r\nColon: b:c\r\n\r\n";
    with_head(raw, |head| {
        let expected: [(&[u8], &[u8]); 5] = [
            (b"Host", b"a"),
            (b"X-One", b"1"),
            (b"x-one", b"2"),
            (b"Empty", b""),
            (b"Colon", b"b:c"),
        ];
        assert!(head.fields.clone().eq(expected));
        assert_eq!(
            head.fields.find("X-ONE"),
            Some(&b"1"[..]),
            "the first one, in any case"
        );
        assert_eq!(head.fields.find(b"empty"), Some(&b""[..]));
        assert_eq!(head.fields.find("x-on"), None);
        assert_eq!(head.fields.find(""), None);
        assert!(head.fields.all("x-one").eq([&b"1"[..], b"2"]));
        assert_eq!(head.fields.all("none").next(), None);
    });
    with_head(b"GET / HTTP/1.0\r\n\r\n", |head| {
        assert_eq!(head.fields.clone().next(), None);
    });
}

#[test]
fn lists() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("9110 §5.6.1 two members", &["a,b"], &["a", "b"]),
        ("9110 §5.6.1 space around", &[" a ,\tb "], &["a", "b"]),
        ("9110 §5.6.1.2 empty members", &[",a,,, b,,"], &["a", "b"]),
        ("9110 §5.6.1.2 nothing but commas", &[",,,"], &[]),
        ("9110 §5.3 over lines", &["a", "", "b,c"], &["a", "b", "c"]),
        (
            "9110 §5.6.4 quoted comma",
            &["\"a,b\",c"],
            &["\"a,b\"", "c"],
        ),
        (
            "9110 §5.6.4 quoted pair",
            &["\"a\\\",b\",c"],
            &["\"a\\\",b\"", "c"],
        ),
        (
            "9110 §5.6.4 quoted backslash",
            &["\"a\\\\\",b"],
            &["\"a\\\\\"", "b"],
        ),
        (
            "9110 §5.6.6 quoted parameter",
            &["a;x=\"1,2\", b"],
            &["a;x=\"1,2\"", "b"],
        ),
        (
            "open quote ends with its line",
            &["\"a,b", "c"],
            &["\"a,b", "c"],
        ),
        ("backslash outside quotes", &["a\\,b"], &["a\\", "b"]),
        ("lone backslash at the end", &["\"a\\"], &["\"a\\"]),
    ];
    for (name, lines, members) in rows {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| format!("L: {line}\r\nM: x\r\n"))
            .collect();
        let lines = lines.concat();
        with_head(
            format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes(),
            |head| {
                let found: Vec<_> = head.fields.list("l").collect();
                let expected: Vec<_> = members.iter().map(|member| member.as_bytes()).collect();
                assert_eq!(found, expected, "{name}");
            },
        );
    }
}

#[test]
fn parse_takes_exactly_one_head() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(Head::parse(head).is_ok());
    for cut in 0..head.len() {
        assert_eq!(
            Head::parse(&head[..cut]),
            Err(Error::NotOneHead),
            "cut at {cut}"
        );
    }
    assert_eq!(
        Head::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nx"),
        Err(Error::NotOneHead)
    );
    assert_eq!(
        Head::parse(b"GET / HTTP/1.1\r\n\r\n"),
        Err(Error::MissingHost)
    );
    // No limits: the decoder that accepted the head had its own.
    let many = format!(
        "GET /{} HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "p".repeat(20_000),
        "X: y\r\n".repeat(2000)
    );
    assert_eq!(
        Head::parse(many.as_bytes()).map(|head| head.fields.count()),
        Ok(2001)
    );
}
