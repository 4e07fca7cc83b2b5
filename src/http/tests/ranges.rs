//! RFC 9110 §14.

use super::super::{ContentRange, Head, Multipart, RANGES_MAX, RangeRequest};
use RangeRequest::{Unsatisfiable, Whole};
use std::fmt::Write;

fn asked(method: &str, lines: &str, length: u64) -> RangeRequest {
    let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let head = Head::parse(bytes.as_bytes()).unwrap();
    RangeRequest::of(&head.fields, head.method, length)
}

fn range(value: &str, length: u64) -> RangeRequest {
    asked("GET", &format!("Range: {value}\r\n"), length)
}

/// `0-4 7-7`, the positions being inclusive as in the field.
fn shown(request: &RangeRequest) -> String {
    match request {
        Whole => "whole".into(),
        Unsatisfiable => "unsatisfiable".into(),
        RangeRequest::Parts(parts) => parts
            .as_slice()
            .iter()
            .map(|range| format!("{}-{}", range.start, range.end - 1))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[test]
fn of_twenty_bytes() {
    for (value, expected) in [
        // §14.1.2
        ("bytes=0-4", "0-4"),
        ("bytes=0-0", "0-0"),
        ("bytes=19-19", "19-19"),
        ("bytes=5-", "5-19"),
        ("bytes=0-", "0-19"),
        ("bytes=5-100", "5-19"),
        ("bytes=-1", "19-19"),
        ("bytes=-20", "0-19"),
        ("bytes=-100", "0-19"),
        ("bytes=-0", "unsatisfiable"),
        ("bytes=20-", "unsatisfiable"),
        ("bytes=20-30", "unsatisfiable"),
        ("bytes=-0,20-", "unsatisfiable"),
        ("bytes=-0,3-4", "3-4"),
        ("bytes=3-4,99-", "3-4"),
        ("BYTES=0-4", "0-4"),
        ("bytes=00000000000000000000000000000001-2", "1-2"),
        // 64 bits and more
        ("bytes=18446744073709551615-", "unsatisfiable"),
        ("bytes=0-18446744073709551615", "0-19"),
        ("bytes=0-99999999999999999999999999", "0-19"),
        ("bytes=99999999999999999999999999-", "unsatisfiable"),
        ("bytes=-99999999999999999999999999", "0-19"),
        // lists
        ("bytes=0-1,4-5", "0-1 4-5"),
        ("bytes=0-1, 4-5", "0-1 4-5"),
        ("bytes=0-1\t,\t4-5", "0-1 4-5"),
        ("bytes=,0-1,,4-5,", "0-1 4-5"),
        ("bytes=4-5,0-1", "4-5 0-1"),
        ("bytes=-1,0-0", "19-19 0-0"),
        // joined
        ("bytes=0-3,2-5", "0-5"),
        ("bytes=0-3,4-5", "0-5"),
        ("bytes=4-5,0-3", "0-5"),
        ("bytes=0-1,8-9,2-7", "0-9"),
        ("bytes=0-1,12-13,4-5,2-3", "0-5 12-13"),
        ("bytes=8-9,0-1,10-11", "8-11 0-1"),
        ("bytes=0-0,0-0,0-0", "0-0"),
    ] {
        assert_eq!(shown(&range(value, 20)), expected, "{value}");
    }
}

#[test]
fn ignored() {
    for value in [
        // §14.2: a unit that is not understood
        "items=0-4",
        "byte=0-4",
        "bytesx=0-4",
        "none",
        "",
        "bytes",
        // §14.1.1: malformed
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=0",
        "bytes=4-0",
        "bytes=0-4;x",
        "bytes=0-4,4-0",
        "bytes=0-4,x",
        "bytes= 0 - 4",
        "bytes=0 -4",
        "bytes=+0-4",
        "bytes=0-+4",
        "bytes=--4",
        "bytes=0x0-4",
        "bytes=0-4-5",
        "bytes =0-4",
        "bytes:0-4",
        // more than there is
        "bytes=0-19,0-0",
        "bytes=0-,0-",
        "bytes=-20,-20",
    ] {
        assert_eq!(range(value, 20), Whole, "{value}");
    }
    assert_eq!(asked("GET", "", 20), Whole);
    let twice = "Range: bytes=0-1\r\nRange: bytes=4-5\r\n";
    assert_eq!(asked("GET", twice, 20), Whole);
    for method in ["HEAD", "POST", "PUT"] {
        assert_eq!(asked(method, "Range: bytes=0-4\r\n", 20), Whole, "{method}");
    }
}

#[test]
fn of_nothing() {
    for (value, expected) in [
        ("bytes=0-", "unsatisfiable"),
        ("bytes=0-0", "unsatisfiable"),
        ("bytes=-0", "unsatisfiable"),
        // §14.1.2: satisfiable, and no Content-Range can say it.
        ("bytes=-5", "whole"),
        ("bytes=0-,-5", "whole"),
    ] {
        assert_eq!(shown(&range(value, 0)), expected, "{value}");
    }
}

#[test]
fn of_very_much() {
    assert_eq!(shown(&range("bytes=-1", u64::MAX)), {
        let last = u64::MAX - 1;
        format!("{last}-{last}")
    });
    let all = range("bytes=0-", u64::MAX);
    assert_eq!(shown(&all), format!("0-{}", u64::MAX - 1));
    assert_eq!(
        range("bytes=0-,0-", u64::MAX),
        Whole,
        "the sum does not wrap"
    );
}

#[test]
fn the_number_is_limited() {
    let many = |count: usize| {
        let specs: Vec<String> = (0..count)
            .map(|at| format!("{}-{}", at * 3, at * 3))
            .collect();
        range(&format!("bytes={}", specs.join(",")), 10_000)
    };
    let RangeRequest::Parts(parts) = many(RANGES_MAX) else {
        panic!("the limit is allowed")
    };
    assert_eq!(parts.as_slice().len(), RANGES_MAX);
    assert_eq!(many(RANGES_MAX + 1), Whole);
    // Also those that would be joined, or do not exist, cost something to read.
    let same = vec!["0-0"; RANGES_MAX + 1].join(",");
    assert_eq!(range(&format!("bytes={same}"), 10_000), Whole);
    let beyond = vec!["99999-"; RANGES_MAX + 1].join(",");
    assert_eq!(range(&format!("bytes={beyond}"), 10_000), Whole);
}

/// A bit for each byte is the oracle.
#[test]
fn parts_are_apart_and_cover_what_was_asked() {
    let mut seed = 0x9e37_79b9_u32;
    let mut random = move |below: u32| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed % below
    };
    let mut several = 0;
    for _ in 0..20_000 {
        let specs: Vec<(u32, u32)> = (0..=random(5))
            .map(|_| {
                let first = random(44);
                (first, first + random(6))
            })
            .collect();
        let value: Vec<String> = specs.iter().map(|(a, b)| format!("{a}-{b}")).collect();
        let RangeRequest::Parts(parts) = range(&format!("bytes={}", value.join(",")), 40) else {
            continue;
        };
        let mut wanted = [false; 50];
        for (first, last) in specs {
            wanted[first as usize..=last as usize].fill(true);
        }
        wanted[40..].fill(false);
        let mut sent = [false; 50];
        for part in parts.as_slice() {
            assert!(!part.is_empty());
            for at in part.clone() {
                assert!(!sent[at as usize], "no byte twice: {value:?}");
                sent[at as usize] = true;
            }
            assert!(
                parts.as_slice().iter().all(|other| other.end != part.start),
                "no two touch: {value:?}"
            );
        }
        assert_eq!(sent, wanted, "{value:?}");
        several += usize::from(parts.as_slice().len() > 1);
    }
    assert!(several > 1000, "the generator makes lists: {several}");
}

#[test]
fn a_multipart_as_the_rfc_shows_it() {
    let multipart = Multipart {
        boundary: 0xabc,
        content_type: "application/pdf",
        length: 8000,
    };
    let ranges = [500..1000, 7000..8000];
    let mut text = String::new();
    for (number, range) in ranges.iter().enumerate() {
        multipart.opening(number, range, &mut text);
        write!(text, "[{}]", range.end - range.start).unwrap();
    }
    multipart.closing(&mut text);
    let boundary = "00000000000000000000000000000abc";
    let expected = format!(
        "--{boundary}\r\nContent-Type: application/pdf\r\nContent-Range: bytes 500-999/8000\r\n\r\n[500]\
         \r\n--{boundary}\r\nContent-Type: application/pdf\r\nContent-Range: bytes 7000-7999/8000\r\n\r\n[1000]\
         \r\n--{boundary}--\r\n"
    );
    assert_eq!(text, expected);
    let markers = "[500][1000]".len() as u64;
    assert_eq!(
        multipart.content_length(&ranges),
        text.len() as u64 - markers + 500 + 1000
    );
    assert_eq!(
        multipart.media_type(),
        format!("multipart/byteranges; boundary={boundary}")
    );
}

#[test]
fn content_range() {
    let part = ContentRange::Part {
        range: 5_000_000_000..5_000_000_001,
        length: 6_000_000_000,
    };
    assert_eq!(part.to_string(), "bytes 5000000000-5000000000/6000000000");
    let nothing = ContentRange::Unsatisfied { length: 0 };
    assert_eq!(nothing.to_string(), "bytes */0");
}
