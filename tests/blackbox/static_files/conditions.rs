//! What the peer has already, and in which form it takes a file.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use super::{MODIFIED, MODIFIED_DATE, Site, asking, with_sites};

const EARLIER: &str = "Tue, 14 Nov 2023 22:13:19 GMT";

fn page(site: &Site) {
    site.write("page.txt", "0123456789");
}

#[test]
fn what_the_peer_has_is_not_sent_again() {
    with_sites(&["--cache-control", "no-cache"], page, |server, _| {
        let mut peer = server.connect();
        let whole = peer.fetch("/static/page.txt");
        let tag = whole.field("ETag").expect("a tag").to_owned();
        for (fields, status) in [
            (format!("If-None-Match: {tag}\r\n"), 304),
            (format!("If-None-Match: \"x\", W/{tag}\r\n"), 304),
            ("If-None-Match: *\r\n".into(), 304),
            ("If-None-Match: \"x\"\r\n".into(), 200),
            (format!("If-Modified-Since: {MODIFIED_DATE}\r\n"), 304),
            (format!("If-Modified-Since: {EARLIER}\r\n"), 200),
            ("If-Modified-Since: lately\r\n".into(), 200),
            (format!("If-Match: {tag}\r\n"), 200),
            ("If-Match: \"x\"\r\n".into(), 412),
            (format!("If-Match: W/{tag}\r\n"), 412),
            (format!("If-Unmodified-Since: {EARLIER}\r\n"), 412),
            (format!("If-Unmodified-Since: {MODIFIED_DATE}\r\n"), 200),
            // §13.2.2: the tag decides, not the date.
            (
                format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {MODIFIED_DATE}\r\n"),
                200,
            ),
            (
                format!("If-Match: {tag}\r\nIf-Unmodified-Since: {EARLIER}\r\n"),
                200,
            ),
            // §13.2.2: ranges come last.
            (format!("If-None-Match: {tag}\r\nRange: bytes=50-\r\n"), 304),
            ("If-Match: \"x\"\r\nRange: bytes=0-0\r\n".into(), 412),
            (format!("If-Match: {tag}\r\nRange: bytes=0-0\r\n"), 206),
        ] {
            let reply = peer.ask(asking("GET", "/static/page.txt", &fields));
            assert_eq!(reply.status, status, "{fields}");
            assert!(reply.field("Date").is_some(), "{fields}");
            let head = peer.ask(asking("HEAD", "/static/page.txt", &fields));
            let expected = if status == 206 { 200 } else { status };
            assert_eq!(head.status, expected, "HEAD {fields}");
            if status == 304 {
                assert_eq!(reply.field("ETag"), Some(&tag[..]));
                assert_eq!(reply.field("Cache-Control"), Some("no-cache"));
                assert_eq!(reply.field("Vary"), whole.field("Vary"));
                for name in ["Content-Length", "Content-Type", "Last-Modified"] {
                    assert_eq!(reply.field(name), None, "RFC 9110 §15.4.5");
                }
            }
        }
        // §13.2.1: preconditions of what does not exist are not asked.
        let missing = peer.ask(asking("GET", "/static/none", "If-Match: \"x\"\r\n"));
        assert_eq!(missing.status, 404);
    });
}

#[test]
fn a_part_of_what_the_peer_has() {
    with_sites(&[], page, |server, site| {
        let mut peer = server.connect();
        let whole = peer.fetch("/static/page.txt");
        let tag = whole.field("ETag").expect("a tag").to_owned();
        for (if_range, status) in [
            (tag.as_str(), 206),
            (MODIFIED_DATE, 206),
            ("\"other\"", 200),
            (&format!("W/{tag}"), 200),
            (EARLIER, 200),
        ] {
            let fields = format!("Range: bytes=3-5\r\nIf-Range: {if_range}\r\n");
            let reply = peer.ask(asking("GET", "/static/page.txt", &fields));
            assert_eq!(reply.status, status, "{if_range}");
            let described = status == 200;
            let expected = if described { "0123456789" } else { "345" };
            assert_eq!(reply.text(), expected);
            for name in ["Last-Modified", "Content-Type"] {
                assert_eq!(reply.field(name).is_some(), described, "RFC 9110 §15.3.7");
            }
        }
        // It changes: what the peer has a part of is gone.
        site.write("page.txt", "9876543210");
        let file = File::options().write(true).open(site.path("page.txt"));
        let later = UNIX_EPOCH + Duration::from_secs(MODIFIED + 1);
        file.expect("our file")
            .set_modified(later)
            .expect("our file");
        for if_range in [&tag[..], MODIFIED_DATE] {
            let fields = format!("Range: bytes=3-5\r\nIf-Range: {if_range}\r\n");
            let reply = peer.ask(asking("GET", "/static/page.txt", &fields));
            assert_eq!((reply.status, reply.text()), (200, "9876543210"));
            assert_ne!(reply.field("ETag"), Some(&tag[..]));
        }
    });
}

fn forms(site: &Site) {
    site.write("page.html", "plain form");
    site.write("page.html.gz", "gzip form!");
    site.write("page.html.br", "brotli it!");
    site.write("only.html", "only plain");
}

#[test]
fn forms_that_were_compressed_before() {
    with_sites(&[], forms, |server, _| {
        let mut peer = server.connect();
        let mut tags = Vec::new();
        for (accepted, body, coding) in [
            ("", "plain form", None),
            ("Accept-Encoding: gzip\r\n", "gzip form!", Some("gzip")),
            ("Accept-Encoding: gzip, br\r\n", "brotli it!", Some("br")),
            (
                "Accept-Encoding: br;q=0.5, gzip\r\n",
                "gzip form!",
                Some("gzip"),
            ),
            ("Accept-Encoding: identity\r\n", "plain form", None),
            ("Accept-Encoding: br;q=0\r\n", "plain form", None),
        ] {
            let reply = peer.ask(asking("GET", "/static/page.html", accepted));
            assert_eq!(
                (reply.text(), reply.field("Content-Encoding")),
                (body, coding)
            );
            assert_eq!(
                reply.field("Content-Type"),
                Some("text/html; charset=utf-8")
            );
            assert_eq!(reply.field("Vary"), Some("Accept-Encoding"));
            let tag = reply.field("ETag").expect("a tag").to_owned();
            let known = format!("{accepted}If-None-Match: {tag}\r\n");
            let reply = peer.ask(asking("GET", "/static/page.html", &known));
            assert_eq!(reply.status, 304, "{accepted}");
            assert_eq!(reply.field("ETag"), Some(&tag[..]));
            assert_eq!(reply.field("Vary"), Some("Accept-Encoding"));
            let part = format!("{accepted}Range: bytes=0-3\r\n");
            let reply = peer.ask(asking("GET", "/static/page.html", &part));
            assert_eq!((reply.status, reply.text()), (206, &body[..4]));
            assert_eq!(reply.field("Content-Encoding"), coding);
            assert_eq!(reply.field("Vary"), Some("Accept-Encoding"));
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        assert_eq!(tags.len(), 3, "each form has a tag of its own");
        // What is known of one form says nothing of another.
        let other = format!("Accept-Encoding: br\r\nIf-None-Match: {}\r\n", tags[1]);
        let reply = peer.ask(asking("GET", "/static/page.html", &other));
        assert_eq!((reply.status, reply.text()), (200, "brotli it!"));
        let other = format!(
            "Accept-Encoding: br\r\nRange: bytes=0-1\r\nIf-Range: {}\r\n",
            tags[1]
        );
        let reply = peer.ask(asking("GET", "/static/page.html", &other));
        assert_eq!((reply.status, reply.text()), (200, "brotli it!"));
        let none = peer.ask(asking(
            "GET",
            "/static/only.html",
            "Accept-Encoding: gzip\r\n",
        ));
        assert_eq!(none.text(), "only plain");
        assert_eq!(none.field("Vary"), Some("Accept-Encoding"));
    });
    with_sites(&["--no-precompressed"], forms, |server, _| {
        let asked = asking("GET", "/static/page.html", "Accept-Encoding: gzip\r\n");
        let reply = server.connect().ask(asked);
        assert_eq!((reply.text(), reply.field("Vary")), ("plain form", None));
    });
}
