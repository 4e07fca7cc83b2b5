//! Whole replies: fields, methods, and what the peer has already.

use super::{MODIFIED, MODIFIED_DATE, NOW, TempDir, ask, body, field, get, with_head};
use crate::http::{ReplyHead, ReplyTo};
use crate::server::files::{Plan, PlanBody};
use std::time::Duration;

fn names(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<_> = plan.fields.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_file() {
    let dir = TempDir::new();
    dir.write("docs/page.html", "<p>hello");
    for files in dir.both() {
        let plan = get(&files, "/docs/page.html?query=is/../ignored");
        assert_eq!(plan.status.code(), 200);
        assert_eq!(body(&plan), b"<p>hello");
        assert_eq!(
            names(&plan),
            [
                "Accept-Ranges",
                "Content-Type",
                "ETag",
                "Last-Modified",
                "Vary",
                "X-Content-Type-Options"
            ]
        );
        assert_eq!(
            field(&plan, "Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(field(&plan, "X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(field(&plan, "Last-Modified"), Some(MODIFIED_DATE));
        assert_eq!(field(&plan, "Accept-Ranges"), Some("bytes"));
        assert_eq!(field(&plan, "Vary"), Some("Accept-Encoding"));
        assert_eq!(field(&plan, "ETag"), Some("\"6553f100.0-8\""));

        let cached = files.cache_control(Some("max-age=5, immutable".into()));
        let plan = get(&cached, "/docs/page.html");
        assert_eq!(field(&plan, "Cache-Control"), Some("max-age=5, immutable"));
    }
}

#[test]
fn an_empty_file() {
    let dir = TempDir::new();
    dir.write("empty", "");
    for files in dir.both() {
        let plan = get(&files, "/empty");
        assert_eq!((plan.status.code(), plan.content_length()), (200, 0));
        assert!(matches!(plan.body, PlanBody::Empty));
        assert_eq!(
            field(&plan, "Content-Type"),
            Some("application/octet-stream")
        );
        for (range, expected) in [("bytes=0-", 416), ("bytes=0-0", 416), ("bytes=-5", 200)] {
            let plan = ask(&files, "GET", "/empty", &format!("Range: {range}"));
            assert_eq!(plan.status.code(), expected, "{range}");
        }
        let plan = ask(&files, "GET", "/empty", "Range: bytes=0-");
        assert_eq!(field(&plan, "Content-Range"), Some("bytes */0"));
    }
}

#[test]
fn methods() {
    let dir = TempDir::new();
    dir.write("page", "page");
    let files = dir.files();
    let (get, head) = (get(&files, "/page"), ask(&files, "HEAD", "/page", ""));
    assert_eq!((head.status, &head.fields), (get.status, &get.fields));
    assert_eq!(head.content_length(), 4, "as a GET would say it");
    let ranged = ask(&files, "HEAD", "/page", "Range: bytes=0-1");
    assert_eq!(ranged.status.code(), 200, "RFC 9110 §14.2");

    for target in ["/page", "/none", "*"] {
        let plan = ask(&files, "OPTIONS", target, "");
        assert_eq!(plan.status.code(), 204);
        assert_eq!(field(&plan, "Allow"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(plan.content_length(), 0);
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"] {
        let plan = ask(&files, method, "/page", "");
        assert_eq!(plan.status.code(), 405, "{method}");
        assert_eq!(field(&plan, "Allow"), Some("GET, HEAD, OPTIONS"));
    }
}

#[test]
fn what_the_peer_has_already() {
    let dir = TempDir::new();
    dir.write("page.css", "page");
    for files in dir.both() {
        let files = files.cache_control(Some("no-cache".into()));
        let tag = field(&get(&files, "/page.css"), "ETag").unwrap().to_owned();
        for (lines, expected) in [
            (format!("If-None-Match: {tag}"), 304),
            (format!("If-None-Match: W/{tag}"), 304),
            ("If-None-Match: *".into(), 304),
            ("If-None-Match: \"other\"".into(), 200),
            (format!("If-Modified-Since: {MODIFIED_DATE}"), 304),
            (
                format!("If-None-Match: \"other\"| If-Modified-Since: {MODIFIED_DATE}"),
                200,
            ),
            (format!("If-Match: {tag}"), 200),
            (format!("If-Match: W/{tag}"), 412),
            ("If-Match: \"other\"".into(), 412),
            (
                "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:19 GMT".into(),
                412,
            ),
            (format!("If-None-Match: {tag}| Range: bytes=0-0"), 304),
            (format!("If-Match: {tag}| Range: bytes=0-0"), 206),
        ] {
            for method in ["GET", "HEAD"] {
                let plan = ask(&files, method, "/page.css", &lines);
                let expected = match (expected, method) {
                    (206, "HEAD") => 200,
                    (code, _) => code,
                };
                assert_eq!(plan.status.code(), expected, "{method} {lines}");
            }
        }
        let plan = ask(&files, "GET", "/page.css", &format!("If-None-Match: {tag}"));
        assert_eq!(names(&plan), ["Cache-Control", "ETag", "Vary"]);
        assert_eq!(field(&plan, "ETag"), Some(&tag[..]));
        assert!(matches!(plan.body, PlanBody::Empty));
        let missing = ask(&files, "GET", "/none", "If-Match: *");
        assert_eq!(missing.status.code(), 404, "RFC 9110 §13.2.1");
    }
}

#[test]
fn a_file_that_changes_between_requests() {
    let dir = TempDir::new();
    dir.write("page", "old content");
    for files in dir.both() {
        dir.write("page", "old content");
        let old = get(&files, "/page");
        let tag = field(&old, "ETag").unwrap().to_owned();
        // The same length and the same second.
        let later = Duration::new(MODIFIED, 1);
        dir.write_at("page", "new content", later);
        let lines = format!("If-None-Match: {tag}");
        let plan = ask(&files, "GET", "/page", &lines);
        assert_eq!(
            (plan.status.code(), &body(&plan)[..]),
            (200, &b"new content"[..])
        );
        let lines = format!("Range: bytes=4-| If-Range: {tag}");
        let plan = ask(&files, "GET", "/page", &lines);
        assert_eq!(
            (plan.status.code(), &body(&plan)[..]),
            (200, &b"new content"[..])
        );

        // Replaced by another file: what was planned before goes on with the old one.
        let before = get(&files, "/page");
        dir.write("next", "another");
        std::fs::rename(dir.path("next"), dir.path("page")).unwrap();
        assert_eq!(body(&before), b"new content");
        assert_eq!(body(&get(&files, "/page")), b"another");
    }
}

#[test]
fn times_that_no_date_can_say() {
    let dir = TempDir::new();
    let path = dir.path("page");
    dir.write("page", "page");
    let files = dir.files();
    let at = |seconds: i64| {
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let (epoch, distance) = (
            std::time::UNIX_EPOCH,
            Duration::from_secs(seconds.unsigned_abs()),
        );
        let time = if seconds < 0 {
            epoch - distance
        } else {
            epoch + distance
        };
        file.set_modified(time).unwrap();
        get(&files, "/page")
    };
    assert_eq!(
        field(&at(NOW as i64 + 5000), "Last-Modified"),
        Some("Tue, 14 Nov 2023 22:30:00 GMT"),
        "RFC 9110 §8.8.2.1: not later than now"
    );
    assert_eq!(
        field(&at(0), "Last-Modified"),
        Some("Thu, 01 Jan 1970 00:00:00 GMT")
    );
    let plan = at(-5);
    assert_eq!(
        (plan.status.code(), field(&plan, "Last-Modified")),
        (200, None)
    );
    assert!(field(&plan, "ETag").is_some());
}

/// Every plan can be written as it stands.
#[test]
fn the_encoder_takes_every_plan() {
    let dir = TempDir::new();
    dir.write("page.html", "page");
    dir.write("sub/x", "x");
    let files = dir.files().listing(true).cache_control(Some("a".into()));
    for (method, target, lines) in [
        ("GET", "/page.html", ""),
        ("HEAD", "/page.html", ""),
        ("GET", "/page.html", "Range: bytes=0-0,2-2"),
        ("GET", "/page.html", "Range: bytes=0-0"),
        ("GET", "/page.html", "Range: bytes=9-"),
        ("GET", "/page.html", "If-None-Match: *"),
        ("GET", "/page.html", "If-Match: \"x\""),
        ("GET", "/", ""),
        ("GET", "/sub?a[]=b", ""),
        ("GET", "/none", ""),
        ("GET", "/%00", ""),
        ("POST", "/", ""),
        ("OPTIONS", "*", ""),
    ] {
        with_head(method, target, lines, |head| {
            let plan = files.plan(head, head.target.path(), NOW);
            let mut out = Vec::new();
            let mut reply = ReplyHead::new(&mut out, ReplyTo::CLOSING, plan.status);
            for (name, value) in &plan.fields {
                reply.field(name, value).unwrap();
            }
            reply.content_length(plan.content_length());
            reply.finish();
        });
    }
}

#[test]
#[should_panic(expected = "no control character")]
fn a_field_in_a_field() {
    let _ = TempDir::new()
        .files()
        .cache_control(Some("a\r\nX: y".into()));
}
