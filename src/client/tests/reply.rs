//! Replies to plain HTTP, by the list of RFC 9112 §6.3, and wherever their bytes are cut.

use crate::buf::Input;
use crate::client::{HeadError, ReplyDecoder, ReplyEvent, ReplyFault};
use crate::http::{self, HeadLimits};

/// What a reader sees, as text; the fault at the end, if there is one.
fn read(pieces: &[&[u8]], methods: &[&str], fin: bool) -> (Vec<String>, Option<ReplyFault>) {
    let limits = HeadLimits {
        body_bytes_max: 100,
        ..HeadLimits::default()
    };
    let mut decoder = ReplyDecoder::new(limits);
    let mut methods = methods.iter();
    decoder.expect(methods.next().expect("one"));
    let (mut seen, mut bytes) = (Vec::<String>::new(), Vec::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        let mut input = Input::new(&mut bytes);
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(ReplyEvent::Interim(head))) => seen.push(format!("({})", head.status())),
                Ok(Some(ReplyEvent::Head(head))) => {
                    seen.push(format!("{}", head.status()));
                    seen.push(String::new());
                }
                Ok(Some(ReplyEvent::Body(piece))) => {
                    let body = seen.last_mut().expect("behind a head");
                    *body += &piece.escape_ascii().to_string();
                }
                Ok(Some(ReplyEvent::End)) => {
                    let keeps = decoder.keeps_alive();
                    seen.push(if keeps { "end" } else { "end, close" }.to_owned());
                    if let Some(method) = methods.next() {
                        decoder.expect(method);
                    }
                }
                Err(fault) => {
                    assert_eq!(
                        decoder.next(&mut input).err(),
                        Some(fault),
                        "it stays refused"
                    );
                    return (seen, Some(fault));
                }
            }
        }
        let rest = input.len();
        bytes.drain(..bytes.len() - rest);
    }
    if fin {
        match decoder.ended() {
            Ok(true) => seen.push("end by FIN".to_owned()),
            Ok(false) => {}
            Err(fault) => return (seen, Some(fault)),
        }
    }
    (seen, None)
}

/// The whole, each cut in two, and byte by byte.
fn cut_anywhere(bytes: &[u8], methods: &[&str]) -> (Vec<String>, Option<ReplyFault>) {
    let whole = read(&[bytes], methods, true);
    for cut in 0..=bytes.len() {
        let two = read(&[&bytes[..cut], &bytes[cut..]], methods, true);
        assert_eq!(two, whole, "cut at {cut}: {}", bytes.escape_ascii());
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single, methods, true), whole);
    whole
}

#[test]
fn where_a_body_ends() {
    let table: [(&str, &str, &[&str]); 15] = [
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nahoy",
            &["200", "ahoy", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            &["200", "", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nhi",
            &["200", "hi", "end"],
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
            &["200", "", "end"],
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            &["200", "", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\n\r\n",
            &["204", "", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            &["304", "", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nah\r\n2\r\noy\r\n0\r\nT: x\r\n\r\n",
            &["200", "ahoy", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\n\r\nto the end",
            &["200", "to the end", "end by FIN"],
        ),
        ("GET", "HTTP/1.1 200\r\n\r\n", &["200", "", "end by FIN"]),
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            &["(100)", "(103)", "200", "a", "end"],
        ),
        (
            "GET",
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
            &["200", "a", "end, close"],
        ),
        (
            "GET",
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na",
            &["200", "a", "end"],
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 1\r\n\r\na",
            &["200", "a", "end, close"],
        ),
        ("GET", "HTTP/1.0 500 No\r\n\r\n", &["500", "", "end by FIN"]),
    ];
    for (method, bytes, expected) in table {
        let (seen, fault) = cut_anywhere(bytes.as_bytes(), &[method]);
        assert_eq!(fault, None, "{bytes}");
        assert_eq!(seen, expected, "{bytes}");
    }
}

#[test]
fn several_on_one_connection() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n";
    let (seen, fault) = cut_anywhere(bytes, &["GET", "HEAD", "GET"]);
    assert_eq!(fault, None);
    assert_eq!(
        seen,
        ["200", "a", "end", "200", "", "end", "404", "b", "end"]
    );
}

#[test]
fn what_two_readers_would_measure_differently_is_refused() {
    let table: [(&str, ReplyFault); 18] = [
        (
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            ReplyFault::TwoLengths,
        ),
        (
            "Content-Length: 1\r\nContent-Length: 2",
            ReplyFault::ContentLength,
        ),
        ("Content-Length: 1, 1", ReplyFault::ContentLength),
        ("Content-Length: +1", ReplyFault::ContentLength),
        ("Content-Length: 0x1", ReplyFault::ContentLength),
        ("Content-Length:", ReplyFault::ContentLength),
        (
            "Content-Length: 99999999999999999999",
            ReplyFault::ContentLength,
        ),
        (
            "Content-Length: 101",
            ReplyFault::Body(http::Error::BodyTooLarge),
        ),
        (
            "Transfer-Encoding: gzip, chunked",
            ReplyFault::TransferEncoding,
        ),
        ("Transfer-Encoding: identity", ReplyFault::TransferEncoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            ReplyFault::TransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\nx",
            ReplyFault::Body(http::Error::InvalidChunkSize),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n65\r\n",
            ReplyFault::Body(http::Error::BodyTooLarge),
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n1\r\nab",
            ReplyFault::Body(http::Error::InvalidChunkEnd),
        ),
        ("A : b", ReplyFault::Head(HeadError::Field)),
        (" folded", ReplyFault::Head(HeadError::Field)),
        ("Content-Length: 4\r\n\r\nah", ReplyFault::Truncated),
        (
            "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            ReplyFault::Truncated,
        ),
    ];
    for (fields, expected) in table {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        let bytes = if fields.contains("\r\n\r\n") {
            bytes.strip_suffix("\r\n\r\n").expect("added above")
        } else {
            &bytes
        };
        let (_, fault) = cut_anywhere(bytes.as_bytes(), &["GET"]);
        assert_eq!(fault, Some(expected), "{fields}");
    }
    let chunks_of_1_0 = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (_, fault) = cut_anywhere(chunks_of_1_0.as_bytes(), &["GET"]);
    assert_eq!(fault, Some(ReplyFault::TransferEncoding));
}

#[test]
fn bytes_that_answer_nothing_and_protocols_that_nobody_asked_for() {
    let table: [(&[u8], ReplyFault); 4] = [
        (
            b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK",
            ReplyFault::Unasked,
        ),
        (b"HTTP/1.1 101 Switching\r\n\r\n", ReplyFault::Switched),
        (b"SSH-2.0", ReplyFault::Head(HeadError::NotHttp)),
        (b"", ReplyFault::Truncated),
    ];
    for (bytes, expected) in table {
        let (_, fault) = read(&[bytes], &["GET"], true);
        assert_eq!(fault, Some(expected), "{}", bytes.escape_ascii());
    }
}

/// A body without a length, a head without an end, and interim replies without number are bounded.
#[test]
fn floods_are_bounded() {
    let flood = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 101]].concat();
    let (_, fault) = read(&[&flood[..50], &flood[50..]], &["GET"], true);
    assert_eq!(fault, Some(ReplyFault::Body(http::Error::BodyTooLarge)));
    let head = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; 17 << 10]].concat();
    let (_, fault) = read(&[&head], &["GET"], false);
    assert_eq!(fault, Some(ReplyFault::Head(HeadError::TooLong)));
    let interim = b"HTTP/1.1 103 Early\r\n\r\n".repeat(1000);
    let (seen, fault) = read(&[&interim], &["GET"], false);
    assert_eq!(fault, Some(ReplyFault::Head(HeadError::TooLong)));
    assert!(seen.len() < 1000);
}
