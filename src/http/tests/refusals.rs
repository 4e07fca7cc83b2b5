//! What a fault means for the connection: its status, its reply, and silence about everything behind it.

use super::super::{
    DateCache, Decoder, Ending, Error, Event, HeadLimits, ReplyTo, Status, encode_error,
};
use crate::buf::Input;

#[test]
fn statuses_by_the_letter() {
    let rows = [
        (Error::MethodTooLong, 501),
        (Error::UnknownTransferCoding, 501),
        (Error::UnsupportedVersion, 505),
        (Error::TargetTooLong, 414),
        (Error::HeadTooLarge, 431),
        (Error::TooManyFields, 431),
        (Error::TrailersTooLarge, 431),
        (Error::BodyTooLarge, 413),
        (Error::UnknownExpectation, 417),
    ];
    for error in Error::ALL {
        let expected = rows
            .iter()
            .find(|(row, _)| row == error)
            .map_or(400, |(_, code)| *code);
        assert_eq!(error.status().code(), expected, "{error:?}");
        assert!(error.reason().ends_with('.'), "{error:?} is a sentence");
        assert_eq!(error.to_string(), error.reason());
    }
}

#[test]
fn nothing_behind_a_fault_is_read() {
    let mut bytes = *b"GET / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
    let mut input = Input::new(&mut bytes);
    assert_eq!(decoder.next(&mut input, &limits), Err(Error::MissingHost));
    let unread = input.len();
    for _ in 0..3 {
        assert_eq!(decoder.next(&mut input, &limits), Err(Error::MissingHost));
    }
    assert_eq!(input.len(), unread);
    assert_eq!(decoder.missing(b"", b"GET / HTTP/1.1\r\n"), 0);
    assert!(!decoder.at_head());
    assert_eq!(decoder.ended(0), Ending::Truncated);
}

#[test]
fn a_refused_head_request_gets_no_body() {
    for (text, head_only) in [
        ("HEAD / HTTP/1.1\r\n\r\n", true),
        ("HEAD / HTTP/1.1\r\nX Y: z\r\n\r\n", true),
        ("HEAD / HTTP/3.0\r\n\r\n", true),
        ("GET / HTTP/1.1\r\n\r\n", false),
        ("HEADS / HTTP/1.1\r\n\r\n", false),
        ("head / HTTP/1.1\r\n\r\n", false),
    ] {
        let (mut decoder, mut bytes) = (Decoder::new(), text.as_bytes().to_vec());
        let error = decoder
            .next(&mut Input::new(&mut bytes), &HeadLimits::default())
            .expect_err(text);
        assert_eq!(
            decoder.refused(),
            ReplyTo {
                head_only,
                ..ReplyTo::CLOSING
            },
            "{text:?}"
        );
        let mut out = Vec::new();
        encode_error(
            &mut out,
            decoder.refused(),
            error.status(),
            error.reason(),
            &DateCache::new(),
        );
        assert_eq!(out.ends_with(b"\r\n\r\n"), head_only, "{text:?}");
    }
}

#[test]
fn error_replies_are_complete() {
    let mut date = DateCache::new();
    date.update(784_111_777);
    let mut out = Vec::new();
    encode_error(
        &mut out,
        ReplyTo::CLOSING,
        Status::BAD_REQUEST,
        "No.",
        &date,
    );
    let expected = "HTTP/1.1 400 Bad Request\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\nConnection: close\r\n\r\nNo.\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
    // Even if somebody asks for more: the connection closes.
    let mut again = Vec::new();
    encode_error(
        &mut again,
        ReplyTo {
            keep_alive: true,
            ..ReplyTo::CLOSING
        },
        Status::BAD_REQUEST,
        "No.",
        &date,
    );
    assert_eq!(again, out);
}

#[test]
fn the_end_of_input() {
    let limits = HeadLimits::default();
    let rows: &[(&str, &str, Ending)] = &[
        ("before anything", "", Ending::Clean),
        ("empty lines only", "\r\n\r\n", Ending::Clean),
        ("half an empty line", "\r", Ending::Truncated),
        ("inside a method", "GE", Ending::Truncated),
        (
            "inside a head",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            Ending::Truncated,
        ),
        (
            "behind a request",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            Ending::Clean,
        ),
        (
            "inside the next one",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nG",
            Ending::Truncated,
        ),
        (
            "before a body",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
            Ending::Truncated,
        ),
        (
            "inside a body",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx",
            Ending::Truncated,
        ),
        (
            "behind a body",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy",
            Ending::Clean,
        ),
        (
            "before a chunk",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            Ending::Truncated,
        ),
        (
            "before the last chunk",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            Ending::Truncated,
        ),
        (
            "before the last line",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            Ending::Truncated,
        ),
        (
            "behind the last line",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Ending::Clean,
        ),
    ];
    for (name, text, ending) in rows {
        let (mut decoder, mut bytes) = (Decoder::new(), text.as_bytes().to_vec());
        let mut input = Input::new(&mut bytes);
        while let Some(event) = decoder.next(&mut input, &limits).expect(name) {
            assert!(!decoder.at_head() || event == Event::End, "{name}");
        }
        assert_eq!(decoder.ended(input.len()), *ending, "§8 {name}");
    }
}
