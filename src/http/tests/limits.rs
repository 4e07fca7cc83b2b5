//! What happens at, and one beyond, every limit.

use super::super::{Error, HeadLimits};
use super::{Story, story};

const NEXT: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn told(name: &str, text: &str, limits: HeadLimits) -> Story {
    story(name, text.as_bytes(), &limits)
}

/// A head of exactly `bytes` bytes.
fn head_of(bytes: usize) -> String {
    let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
    format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "y".repeat(bytes - rest)
    )
}

#[test]
fn head_bytes() {
    let limits = HeadLimits {
        head_bytes_max: 200,
        ..HeadLimits::default()
    };
    assert_eq!(
        told("at", &(head_of(200) + &head_of(200)), limits).ends(),
        2
    );
    assert_eq!(
        told("beyond", &head_of(201), limits).error,
        Some(Error::HeadTooLarge)
    );
    assert_eq!(
        told("without end", &"GET / HTTP/1.1\r\nX: ".repeat(20), limits).error,
        Some(Error::HeadTooLarge)
    );
    let short = head_of(200);
    assert_eq!(told("unfinished", &short[..199], limits), Story::default());
    assert_eq!(
        told(
            "a fault within",
            &head_of(300).replace("Host:", "Host :"),
            limits
        )
        .error,
        Some(Error::SpaceBeforeColon)
    );
    let slow = format!("GET /{} HTTP/1.1\r\n", "x".repeat(300));
    assert_eq!(
        told("§3 an endless target", &slow, limits).error,
        Some(Error::TargetTooLong)
    );
    assert_eq!(
        told("an endless token", &"A".repeat(300), limits).error,
        Some(Error::EndlessRequestLine)
    );
    assert_eq!(
        told(
            "§3 a long method",
            &format!("{} /", "A".repeat(300)),
            HeadLimits::default()
        )
        .error,
        None
    );
    assert_eq!(
        told(
            "§3 a long method",
            &format!("{} /\r\n", "A".repeat(300)),
            HeadLimits::default()
        )
        .error,
        Some(Error::MethodTooLong)
    );
    assert_eq!(
        told(
            "a fault in an endless line",
            &format!("G({}", "A".repeat(300)),
            limits
        )
        .error,
        Some(Error::InvalidMethod)
    );
    assert_eq!(
        told(
            "an endless version",
            &format!("GET / {}", "A".repeat(300)),
            limits
        )
        .error,
        Some(Error::EndlessRequestLine)
    );
    let default = HeadLimits::default();
    assert_eq!(told("default", &head_of(16 * 1024), default).error, None);
    assert_eq!(
        told("default", &head_of(16 * 1024 + 1), default).error,
        Some(Error::HeadTooLarge)
    );
}

#[test]
fn fields() {
    let head = |lines: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(lines - 1)
        )
    };
    let default = HeadLimits::default();
    assert_eq!(told("at", &head(100), default).error, None);
    assert_eq!(
        told("beyond", &head(101), default).error,
        Some(Error::TooManyFields)
    );
    let none = HeadLimits {
        fields_max: 0,
        ..default
    };
    assert_eq!(told("none", "GET / HTTP/1.0\r\n\r\n", none).error, None);
    assert_eq!(
        told("one too many", "GET / HTTP/1.0\r\nX: y\r\n\r\n", none).error,
        Some(Error::TooManyFields)
    );
}

#[test]
fn target_bytes() {
    let head = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(bytes - 1));
    let default = HeadLimits::default();
    assert_eq!(told("at", &head(8192), default).error, None);
    assert_eq!(
        told("beyond", &head(8193), default).error,
        Some(Error::TargetTooLong)
    );
    assert_eq!(
        told("§3 8000 octets at least", &head(8000), default).error,
        None
    );
}

#[test]
fn body_bytes() {
    let limits = HeadLimits {
        body_bytes_max: 10,
        ..HeadLimits::default()
    };
    let declared = |bytes: usize| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n{}{NEXT}",
            "x".repeat(bytes)
        )
    };
    assert_eq!(told("declared at", &declared(10), limits).ends(), 2);
    let refused = told("declared beyond", &declared(11), limits);
    assert_eq!(
        (refused.error, refused.units.len()),
        (Some(Error::BodyTooLarge), 0)
    );
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        told(
            "counted at",
            &format!("{head}5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"),
            limits
        )
        .ends(),
        1
    );
    let refused = told(
        "counted beyond",
        &format!("{head}5\r\nhello\r\n6\r\nhello!\r\n0\r\n\r\n"),
        limits,
    );
    assert_eq!(
        (refused.error, refused.bodies()),
        (Some(Error::BodyTooLarge), b"hello".to_vec())
    );
    let none = HeadLimits {
        body_bytes_max: 0,
        ..limits
    };
    assert_eq!(
        told(
            "nothing allowed, nothing sent",
            &format!("{head}0\r\n\r\n"),
            none
        )
        .ends(),
        1
    );
}

#[test]
fn chunk_extension_bytes() {
    let limits = HeadLimits {
        chunk_extension_bytes_max: 20,
        ..HeadLimits::default()
    };
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = |bytes: usize| format!("1;{}\r\nx\r\n", "e".repeat(bytes - 1));
    assert_eq!(
        told("at", &format!("{head}{}0\r\n\r\n", chunk(20)), limits).ends(),
        1
    );
    assert_eq!(
        told("beyond", &format!("{head}{}0\r\n\r\n", chunk(21)), limits).error,
        Some(Error::ChunkExtensionsTooLarge)
    );
    assert_eq!(
        told(
            "in sum at",
            &format!("{head}{}{}0\r\n\r\n", chunk(10), chunk(10)),
            limits
        )
        .ends(),
        1
    );
    let sum = format!("{head}{}{}0;e\r\n\r\n", chunk(10), chunk(10));
    assert_eq!(
        told("in sum beyond", &sum, limits).error,
        Some(Error::ChunkExtensionsTooLarge)
    );
    let zeros = format!("{head}{}1\r\nx\r\n0\r\n\r\n", "0".repeat(21));
    assert_eq!(
        told("zeros beyond", &zeros, limits).error,
        Some(Error::ChunkExtensionsTooLarge)
    );
    let endless = format!("{head}1;{}", "e".repeat(100));
    assert_eq!(
        told("without end", &endless, limits).error,
        Some(Error::ChunkExtensionsTooLarge)
    );
    let per_body = format!("{head}{}0\r\n\r\n{head}{}0\r\n\r\n", chunk(20), chunk(20));
    assert_eq!(told("each body has its own", &per_body, limits).ends(), 2);
    let default = HeadLimits::default();
    assert_eq!(
        told(
            "default at",
            &format!("{head}{}0\r\n\r\n", chunk(4096)),
            default
        )
        .ends(),
        1
    );
    assert_eq!(
        told(
            "default beyond",
            &format!("{head}{}0\r\n\r\n", chunk(4097)),
            default
        )
        .error,
        Some(Error::ChunkExtensionsTooLarge)
    );
}

#[test]
fn trailer_bytes() {
    let limits = HeadLimits {
        trailer_bytes_max: 20,
        ..HeadLimits::default()
    };
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let line = |bytes: usize| format!("T:{}\r\n", "t".repeat(bytes - 4));
    assert_eq!(
        told("at", &format!("{head}{}\r\n{NEXT}", line(20)), limits).ends(),
        2
    );
    assert_eq!(
        told("beyond", &format!("{head}{}\r\n", line(21)), limits).error,
        Some(Error::TrailersTooLarge)
    );
    assert_eq!(
        told(
            "in sum at",
            &format!("{head}{}{}\r\n", line(10), line(10)),
            limits
        )
        .ends(),
        1
    );
    assert_eq!(
        told(
            "in sum beyond",
            &format!("{head}{}{}\r\n", line(10), line(11)),
            limits
        )
        .error,
        Some(Error::TrailersTooLarge)
    );
    assert_eq!(
        told("without end", &format!("{head}T{}", "t".repeat(50)), limits).error,
        Some(Error::TrailersTooLarge)
    );
    let none = HeadLimits {
        trailer_bytes_max: 0,
        ..limits
    };
    assert_eq!(told("none", &format!("{head}\r\n"), none).ends(), 1);
    assert_eq!(
        told("one too many", &format!("{head}T:\r\n\r\n"), none).error,
        Some(Error::TrailersTooLarge)
    );
}
