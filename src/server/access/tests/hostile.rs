//! No byte of a peer's forges a line or a field.

use proptest::prelude::*;

use super::*;
use crate::server::access::escape::{self, CUT_MARK, FIELD_BYTES_MAX};

fn text(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    escape::text(&mut out, bytes);
    String::from_utf8(out).expect("ASCII")
}

fn json(bytes: &[u8]) -> (String, bool) {
    let mut out = Vec::new();
    let cut = escape::json(&mut out, bytes);
    (String::from_utf8(out).expect("ASCII"), cut)
}

#[test]
fn escapes_of_text() {
    let table: [(&[u8], &str); 8] = [
        (b"", ""),
        (b"/plain ~!", "/plain ~!"),
        (b"a\"b", r"a\x22b"),
        (br"a\x22b", r"a\x5Cx22b"),
        (b"\r\n\t\0", r"\x0D\x0A\x09\x00"),
        (b"\x1b[2J\x7f", r"\x1B[2J\x7F"),
        ("é\u{202e}".as_bytes(), r"\xC3\xA9\xE2\x80\xAE"),
        (b"\xff", r"\xFF"),
    ];
    for (bytes, expected) in table {
        assert_eq!(text(bytes), expected);
    }
}

#[test]
fn escapes_of_json() {
    let table: [(&[u8], &str); 8] = [
        (b"", r#""""#),
        (b"/plain ~!", r#""/plain ~!""#),
        (br#"a"b\"#, r#""a\"b\\""#),
        (b"\r\n\0\x7f", r#""\u000d\u000a\u0000\u007f""#),
        ("é\u{9b}\u{202e}".as_bytes(), r#""\u00e9\u009b\u202e""#),
        ("🚢".as_bytes(), r#""\ud83d\udea2""#),
        // The beginning of a character counts once, two bytes that begin none count twice.
        (b"a\xe2\x82b\xff\xffc", r#""a\ufffdb\ufffd\ufffdc""#),
        (b"\xed\xa0\x80", r#""\ufffd\ufffd\ufffd""#),
    ];
    for (bytes, expected) in table {
        assert_eq!(json(bytes), (expected.to_owned(), false));
    }
}

#[test]
fn long_fields_are_cut_and_marked() {
    let fits = vec![b'a'; FIELD_BYTES_MAX];
    assert_eq!(text(&fits).len(), FIELD_BYTES_MAX);
    assert_eq!(json(&fits).0.len(), FIELD_BYTES_MAX + 2);
    let long = vec![b'\n'; 1 << 20];
    let shown = text(&long);
    assert!(
        shown.ends_with(r"\x0A\..."),
        "the mark, which no peer can send"
    );
    assert_eq!(shown.len(), 4 * FIELD_BYTES_MAX + CUT_MARK.len());
    let (shown, cut) = json(&long);
    assert!(cut && shown.len() == 6 * FIELD_BYTES_MAX + 2);
    // Not inside a character.
    for front in 0..4 {
        let mut long = vec![b'a'; FIELD_BYTES_MAX - front];
        long.extend_from_slice("🚢🚢".as_bytes());
        let (shown, cut) = json(&long);
        assert!(
            cut && !shown.contains("fffd"),
            "{front}: {}",
            &shown[2000..]
        );
    }
    let (shown, cut) = json(&[0x80; FIELD_BYTES_MAX + 9]);
    assert!(cut && shown.len() == 6 * FIELD_BYTES_MAX + 2);
}

#[test]
fn a_long_target_hides_neither_method_nor_version() {
    let target = format!("GET /{} HTTP/1.1", "a".repeat(9000));
    let common = line(AccessFormat::Common, &entry(target.as_bytes()));
    assert!(
        common.contains("\"GET /aaa") && common.contains(r"aa\... HTTP/1.1"),
        "{common}"
    );
    let json = line(AccessFormat::Json, &entry(target.as_bytes()));
    assert!(json.contains(r#","version":"HTTP/1.1","#) && json.ends_with(",\"cut\":true}\n"));
    assert!(!line(AccessFormat::Json, &entry(b"GET / HTTP/1.1")).contains("cut"));
}

#[test]
fn a_request_line_without_three_parts_is_shown_whole() {
    for bytes in [&b""[..], b"GET", b"GET /", b" "] {
        let shown = String::from_utf8_lossy(bytes);
        let common = line(AccessFormat::Common, &entry(bytes));
        assert!(common.contains(&format!("\"{shown}\" 200")), "{common}");
        let json = line(AccessFormat::Json, &entry(bytes));
        let expected = format!(r#""method":null,"target":"{shown}","version":null"#);
        assert!(json.contains(&expected), "{json}");
    }
}

/// The bytes that a field of the text formats stands for.
fn unescape(field: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).expect("two digits"));
        rest = &rest[at + 4..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// A string of JSON at the front of `text`, decoded, and what is behind it.
fn json_string(text: &str) -> Option<(String, &str)> {
    let mut units = Vec::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let first = rest.chars().next()?;
        rest = &rest[first.len_utf8()..];
        match first {
            '"' => return Some((String::from_utf16(&units).ok()?, rest)),
            '\\' => {
                let (kind, behind) = rest.split_at_checked(1)?;
                rest = behind;
                if kind == "u" {
                    let (digits, behind) = rest.split_at_checked(4)?;
                    units.push(u16::from_str_radix(digits, 16).ok()?);
                    rest = behind;
                } else if "\"\\".contains(kind) {
                    units.push(u16::from(kind.as_bytes()[0]));
                } else {
                    return None;
                }
            }
            ' '..='~' => units.push(first as u16),
            _ => return None,
        }
    }
}

/// Reads one object whose values are strings, numbers and words: the keys, and the strings decoded.
fn json_object(line: &str) -> Option<Vec<(String, String)>> {
    let mut rest = line.strip_prefix('{')?;
    let mut members = Vec::new();
    loop {
        let (key, behind) = json_string(rest)?;
        rest = behind.strip_prefix(':')?;
        if rest.starts_with('"') {
            let (value, behind) = json_string(rest)?;
            members.push((key, value));
            rest = behind;
        } else {
            let end = rest.find([',', '}'])?;
            let word = &rest[..end];
            let known = matches!(word, "null" | "true") || word.parse::<u64>().is_ok();
            members.push((key, known.then(|| word.to_owned())?));
            rest = &rest[end..];
        }
        if rest == "}" {
            return Some(members);
        }
        rest = rest.strip_prefix(',')?;
    }
}

#[test]
fn the_json_reader_is_no_yes_man() {
    assert!(json_object(r#"{"a":"b\u000a","c":1,"d":null}"#).is_some());
    for bad in [
        "{",
        "{}x",
        "{\"a\":\"\n\"}",
        r#"{"a":x}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":1,}"#,
    ] {
        assert_eq!(json_object(bad), None, "{bad}");
    }
}

/// Bytes as peers send them: mostly those that mean something.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => prop::sample::select(&b"\"\\ \r\n\0\x1b{}:,[]-x\xc3\xa9\xff"[..]),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_peer_sends_a_line_is_a_line(
        request_line in prop::option::of(bytes()),
        referer in prop::option::of(bytes()),
        user_agent in prop::option::of(bytes()),
    ) {
        let entry = Entry {
            request_line: request_line.as_deref(),
            referer: referer.as_deref(),
            user_agent: user_agent.as_deref(),
            ..entry(b"")
        };
        for format in [AccessFormat::Common, AccessFormat::Combined, AccessFormat::Json] {
            let line = line(format, &entry);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(line.ends_with('\n'));
        }
        // Text splits at its quotes, and each field gives its bytes back.
        let combined = line(AccessFormat::Combined, &entry);
        let parts: Vec<&str> = combined.split('"').collect();
        prop_assert_eq!(parts.len(), 7);
        prop_assert_eq!(parts[2], " 200 2326 ");
        let shown = |field: &Option<Vec<u8>>| field.clone().unwrap_or_else(|| b"-".to_vec());
        prop_assert_eq!(unescape(parts[1]), shown(&request_line));
        prop_assert_eq!(unescape(parts[3]), shown(&referer));
        prop_assert_eq!(unescape(parts[5]), shown(&user_agent));
        // JSON is JSON, with the documented keys in their order.
        let json = line(AccessFormat::Json, &entry);
        let members = json_object(json.trim_end());
        prop_assert!(members.is_some(), "{}", json);
        let members = members.expect("checked above");
        let keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
        prop_assert_eq!(keys, [
            "time", "peer", "method", "target", "version", "status", "bytes", "duration_us", "referer", "user_agent",
        ]);
        if let Some(referer) = &referer {
            prop_assert_eq!(&members[8].1, &String::from_utf8_lossy(referer));
        }
    }
}
