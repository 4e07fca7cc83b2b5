//! What `serve` answers: the fixed routes, the rules for methods, and bodies of every framing and size.

use crate::peer::{Reply, chunked, pattern, request, with_length};
use crate::server::with_servers;

const MIB: usize = 1 << 20;

/// Every path, the methods that it allows, and what GET gives.
const ROUTES: [(&str, &str, u16, &str); 8] = [
    ("/", "GET, HEAD, OPTIONS", 200, "text/html; charset=utf-8"),
    ("/plaintext", "GET, HEAD, OPTIONS", 200, "text/plain"),
    ("/json", "GET, HEAD, OPTIONS", 200, "application/json"),
    ("/pipeline", "GET, HEAD, OPTIONS", 200, "text/plain"),
    (
        "/baseline11?a=1&b=2",
        "GET, HEAD, POST, OPTIONS",
        200,
        "text/plain",
    ),
    (
        "/echo",
        "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS",
        200,
        "application/octet-stream",
    ),
    ("/upload", "POST, OPTIONS", 405, "text/plain; charset=utf-8"),
    (
        "/ws",
        "GET, HEAD, OPTIONS",
        426,
        "text/plain; charset=utf-8",
    ),
];

/// Fields that every reply of a handler has.
fn is_dated(reply: &Reply) {
    let date = reply.field("Date").expect("a Date");
    httpdate::parse_http_date(date).expect("an HTTP date");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    assert_eq!(reply.field("Server"), Some("longshore"));
}

#[test]
fn every_path_answers_every_method_by_the_rules() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for (path, allow, status, content_type) in ROUTES {
            let got = peer.fetch(path);
            is_dated(&got);
            assert_eq!(
                (got.status, got.field("Content-Type")),
                (status, Some(content_type)),
                "{path}"
            );

            let head = peer.ask(request("HEAD", path));
            is_dated(&head);
            assert_eq!(head.status, got.status, "HEAD {path}");
            for field in ["Content-Length", "Content-Type", "Allow", "Upgrade"] {
                assert_eq!(
                    head.field(field),
                    got.field(field),
                    "{field} of HEAD {path}"
                );
            }
            for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
                let allowed = allow.split(", ").any(|one| one == method);
                let reply = peer.ask(request(method, path));
                is_dated(&reply);
                assert_eq!(
                    reply.status,
                    if allowed { 200 } else { 405 },
                    "{method} {path}"
                );
                assert_eq!(
                    reply.field("Allow"),
                    (!allowed).then_some(allow),
                    "{method} {path}"
                );
            }
            for method in ["BREW", "get", "GETT"] {
                assert_eq!(
                    peer.ask(request(method, path)).status,
                    501,
                    "{method} {path}"
                );
            }
            let options = peer.ask(request("OPTIONS", path));
            if path != "/echo" {
                assert_eq!(
                    (options.status, options.field("Allow")),
                    (204, Some(allow)),
                    "{path}"
                );
                assert_eq!(options.field("Content-Length"), None, "RFC 9110 §8.6");
            }
        }
    });
}

#[test]
fn targets_are_matched_exactly() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        assert_eq!(peer.fetch("/plaintext").text(), "Hello, World!");
        assert_eq!(peer.fetch("/plaintext?any=query").text(), "Hello, World!");
        assert_eq!(peer.fetch("http://a/plaintext").text(), "Hello, World!");
        assert_eq!(
            peer.fetch("/json").text(),
            "{\"message\":\"Hello, World!\"}"
        );
        assert_eq!(peer.fetch("/pipeline").text(), "ok");
        assert!(peer.fetch("/").text().contains("<html"));
        // RFC 9110 §4.2.3: a letter is the same letter percent-encoded; a slash is not.
        assert_eq!(peer.fetch("/%70laintex%74").text(), "Hello, World!");
        for path in [
            "/%2fplaintext",
            "/plaintext/",
            "//plaintext",
            "/Plaintext",
            "/plaintex",
        ] {
            assert_eq!(peer.fetch(path).status, 404, "{path}");
        }
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            assert_eq!(
                peer.ask(request(method, "/nowhere")).status,
                404,
                "{method}"
            );
        }
        assert_eq!(peer.ask(request("BREW", "/nowhere")).status, 501);
        for (method, target) in [("TRACE", "/nowhere"), ("CONNECT", "a:443")] {
            let reply = peer.ask(request(method, target));
            assert_eq!(reply.status, 405, "{method}");
            assert!(reply.field("Allow").is_some(), "RFC 9110 §15.5.6");
        }
        let everything = peer.ask(request("OPTIONS", "*"));
        assert_eq!(everything.status, 204);
        assert!(
            everything
                .field("Allow")
                .is_some_and(|allow| allow.contains("GET"))
        );
    });
}

#[test]
fn a_plain_get_of_the_websocket_says_what_is_needed() {
    with_servers(&[], |server| {
        let reply = server.connect().fetch("/ws");
        assert_eq!(reply.status, 426);
        // RFC 9110 §15.5.22: the reply must name the protocol; §7.8: Connection names Upgrade.
        assert_eq!(reply.field("Upgrade"), Some("websocket"));
        assert_eq!(reply.field("Connection"), Some("Upgrade"));
    });
}

#[test]
fn sums_fit_into_64_bits_or_are_refused() {
    let table: [(&str, Option<&str>, Option<&str>); 14] = [
        ("a=1&b=2", None, Some("3")),
        ("a=1&b=2", Some("10"), Some("13")),
        ("b=-5&a=5", Some("-7"), Some("-7")),
        ("x=9&a=1&y&b=2", Some(" 3\r\n"), Some("6")),
        (
            "a=9223372036854775807&b=0",
            None,
            Some("9223372036854775807"),
        ),
        (
            "a=9223372036854775807&b=1",
            Some("-1"),
            Some("9223372036854775807"),
        ),
        ("a=9223372036854775807&b=1", None, None),
        ("a=-9223372036854775808&b=-1", None, None),
        ("a=9223372036854775808&b=0", None, None),
        ("a=1", None, None),
        ("a=1&b=", None, None),
        ("a=one&b=2", None, None),
        ("a=1&b=2", Some("three"), None),
        ("a=1&b=2", Some("1 2"), None),
    ];
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for (query, body, sum) in table {
            let path = format!("/baseline11?{query}");
            let replies = match body {
                None => vec![peer.fetch(&path)],
                Some(body) => vec![
                    peer.ask(with_length("POST", &path, body.as_bytes())),
                    peer.ask(chunked("POST", &path, body.as_bytes(), 1)),
                ],
            };
            for reply in replies {
                assert_eq!(
                    reply.status,
                    if sum.is_some() { 200 } else { 400 },
                    "{query} {body:?}"
                );
                assert!(
                    sum.is_none_or(|sum| reply.text() == sum),
                    "{query} {body:?}"
                );
            }
        }
    });
}

#[test]
fn an_echo_gives_the_body_back_however_it_came() {
    with_servers(&[], |server| {
        let mut peer = server.connect();
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let reply = peer.ask(with_length(method, "/echo", b"cargo"));
            assert_eq!((reply.status, reply.text()), (200, "cargo"), "{method}");
        }
        let head = peer.ask(with_length("HEAD", "/echo", b"cargo"));
        assert_eq!(
            (head.status, head.field("Content-Length")),
            (200, Some("5"))
        );
        for size in [0, 1, 2047, 2048, 2049, 65_535, 300_000, MIB] {
            let body = pattern(size);
            for request in [
                with_length("POST", "/echo", &body),
                chunked("PUT", "/echo", &body, 1 + size / 7),
                chunked("PUT", "/echo", &body, 65_536),
            ] {
                assert!(peer.ask(request).body == body, "{size} bytes");
            }
        }
        let extended = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
            4;name=value;flag\r\nport\r\n05;x=\"a;b\"\r\nholes\r\n00\r\nX-Check: 1\r\n\r\n";
        assert_eq!(peer.ask(extended).text(), "portholes");
        assert_eq!(
            peer.fetch("/pipeline").text(),
            "ok",
            "the trailer section was read"
        );
    });
}

#[test]
fn a_large_upload_streams_through() {
    with_servers(&[], |server| {
        let before = server.resident_bytes();
        let body = pattern(64 * MIB);
        let mut peer = server.connect();
        assert_eq!(
            peer.ask(with_length("POST", "/upload", &body)).text(),
            "67108864"
        );
        assert_eq!(
            peer.ask(chunked("POST", "/upload", &body, 100_000)).text(),
            "67108864"
        );
        assert_eq!(
            peer.ask(with_length("POST", "/upload", b"")).text(),
            "0",
            "counted anew"
        );
        let grown = server.peak_bytes().saturating_sub(before);
        assert!(
            grown < 8 * MIB as u64,
            "{}: {grown} bytes were kept",
            server.backend
        );
    });
}
