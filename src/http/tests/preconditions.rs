//! RFC 9110 §8.8, §13.1 and §13.2.

use super::super::Precondition::{Failed, NotModified, Proceed};
use super::super::{EntityTag, Head, Precondition, Validators, evaluate, if_range, parse_date};

/// Sun, 06 Nov 1994 08:49:37 GMT
const MODIFIED: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const NOW: u64 = MODIFIED + 1000;

fn current() -> Validators<'static> {
    Validators {
        etag: Some(EntityTag::strong("x")),
        last_modified: Some(MODIFIED),
    }
}

fn with_lines<T>(method: &str, lines: &str, look: impl FnOnce(&Head<'_>) -> T) -> T {
    let mut bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n");
    for line in lines.split('|').filter(|line| !line.is_empty()) {
        bytes += line.trim_start();
        bytes += "\r\n";
    }
    bytes += "\r\n";
    look(&Head::parse(bytes.as_bytes()).unwrap())
}

fn judge(method: &str, lines: &str, current: Option<&Validators<'_>>) -> Precondition {
    with_lines(method, lines, |head| {
        evaluate(&head.fields, head.method, current, NOW)
    })
}

fn table(method: &str, rows: &[(&str, Precondition)]) {
    for (lines, expected) in rows {
        let lines = lines
            .replace("EARLIER", EARLIER)
            .replace("LATER", LATER)
            .replace("DATE", DATE);
        assert_eq!(
            judge(method, &lines, Some(&current())),
            *expected,
            "{method} {lines}"
        );
    }
}

#[test]
fn entity_tags() {
    for (text, weak) in [
        ("\"\"", false),
        ("\"x\"", false),
        ("W/\"x\"", true),
        ("\"a\\\"", false),
        ("\"a,b!#~\"", false),
        ("\"ä\"", false),
    ] {
        let tag = EntityTag::parse(text.as_bytes()).expect(text);
        assert_eq!(tag.is_weak(), weak);
        assert_eq!(tag.to_string(), text);
    }
    for text in [
        "", "x", "\"", "\"x", "x\"", "w/\"x\"", "W/x", "W\"x\"", "W/ \"x\"", "\"x y\"", "\"x\"y\"",
        "\"x\" ", "*",
    ] {
        assert_eq!(EntityTag::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(EntityTag::parse(b"\"x\x7f\""), None);
}

/// RFC 9110 §8.8.3.2, its table.
#[test]
fn comparisons() {
    let tag = |text: &'static str| EntityTag::parse(text.as_bytes()).unwrap();
    for (one, two, strong, weak) in [
        ("W/\"1\"", "W/\"1\"", false, true),
        ("W/\"1\"", "W/\"2\"", false, false),
        ("W/\"1\"", "\"1\"", false, true),
        ("\"1\"", "\"1\"", true, true),
    ] {
        assert_eq!(tag(one).strong_eq(&tag(two)), strong, "{one} {two}");
        assert_eq!(tag(one).weak_eq(&tag(two)), weak, "{one} {two}");
    }
}

#[test]
fn if_none_match() {
    let rows = [
        ("If-None-Match: \"x\"", NotModified),
        ("If-None-Match: W/\"x\"", NotModified),
        ("If-None-Match: \"y\"", Proceed),
        ("If-None-Match: \"y\", \"x\"", NotModified),
        ("If-None-Match: \"y\" ,\t\"x\"", NotModified),
        ("If-None-Match: ,\"y\",,\"x\",", NotModified),
        ("If-None-Match: \"a,\\\",\"x\"", NotModified),
        ("If-None-Match: \"y\"| If-None-Match: \"x\"", NotModified),
        ("If-None-Match: *", NotModified),
        // Malformed: the whole is never wrong.
        ("If-None-Match: x", Proceed),
        ("If-None-Match:", Proceed),
        ("If-None-Match: ,", Proceed),
        ("If-None-Match: \"x\" \"y\"", Proceed),
        ("If-None-Match: \"x\"\"y\"", Proceed),
        ("If-None-Match: \"x\", y", Proceed),
        ("If-None-Match: *, \"x\"", Proceed),
        ("If-None-Match: *| If-None-Match: \"x\"", Proceed),
        ("If-None-Match: *| If-None-Match: *", Proceed),
        ("If-None-Match: \"x", Proceed),
    ];
    table("GET", &rows);
    table("HEAD", &rows);
    let unsafe_rows = [
        ("If-None-Match: \"x\"", Failed),
        ("If-None-Match: \"y\"", Proceed),
        ("If-None-Match: *", Failed),
        ("If-None-Match: x", Failed),
        ("If-None-Match: \"x", Failed),
    ];
    table("PUT", &unsafe_rows);
    table("DELETE", &unsafe_rows);
}

#[test]
fn if_modified_since() {
    let rows = [
        ("If-Modified-Since: DATE", NotModified),
        ("If-Modified-Since: LATER", NotModified),
        ("If-Modified-Since: EARLIER", Proceed),
        (
            "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",
            NotModified,
        ),
        ("If-Modified-Since: Sun Nov  6 08:49:37 1994", NotModified),
        ("If-Modified-Since: 0", Proceed),
        ("If-Modified-Since:", Proceed),
        (
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0100",
            Proceed,
        ),
        ("If-Modified-Since: DATE, DATE", Proceed),
        ("If-Modified-Since: DATE| If-Modified-Since: DATE", Proceed),
        // In the future of this server.
        ("If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT", Proceed),
        // §13.1.3: not beside If-None-Match, whatever that says.
        ("If-None-Match: \"y\"| If-Modified-Since: DATE", Proceed),
        ("If-None-Match: y| If-Modified-Since: DATE", Proceed),
        (
            "If-Modified-Since: EARLIER| If-None-Match: \"x\"",
            NotModified,
        ),
    ];
    table("GET", &rows);
    table("HEAD", &rows);
    table("PUT", &[("If-Modified-Since: DATE", Proceed)]);
    table("POST", &[("If-Modified-Since: LATER", Proceed)]);
}

#[test]
fn if_match_and_if_unmodified_since() {
    let rows = [
        ("If-Match: \"x\"", Proceed),
        ("If-Match: W/\"x\"", Failed),
        ("If-Match: \"y\"", Failed),
        ("If-Match: \"y\", \"x\"", Proceed),
        ("If-Match: *", Proceed),
        ("If-Match: x", Failed),
        ("If-Match:", Failed),
        ("If-Match: *, *", Failed),
        ("If-Unmodified-Since: DATE", Proceed),
        ("If-Unmodified-Since: LATER", Proceed),
        ("If-Unmodified-Since: EARLIER", Failed),
        ("If-Unmodified-Since: once", Proceed),
        (
            "If-Unmodified-Since: EARLIER| If-Unmodified-Since: EARLIER",
            Proceed,
        ),
        // §13.1.4: not beside If-Match.
        ("If-Match: \"x\"| If-Unmodified-Since: EARLIER", Proceed),
        ("If-Match: \"y\"| If-Unmodified-Since: LATER", Failed),
    ];
    for method in ["GET", "PUT", "DELETE"] {
        table(method, &rows);
    }
}

/// RFC 9110 §13.2.2: the steps in their order.
#[test]
fn precedence() {
    table(
        "GET",
        &[
            ("", Proceed),
            ("If-Match: \"y\"| If-None-Match: \"x\"", Failed),
            ("If-None-Match: \"x\"| If-Match: \"x\"", NotModified),
            (
                "If-Unmodified-Since: EARLIER| If-Modified-Since: DATE",
                Failed,
            ),
            (
                "If-Unmodified-Since: DATE| If-Modified-Since: DATE",
                NotModified,
            ),
            ("If-Match: \"x\"| If-Modified-Since: EARLIER", Proceed),
        ],
    );
    for method in ["OPTIONS", "TRACE"] {
        table(
            method,
            &[("If-Match: \"y\"", Proceed), ("If-None-Match: *", Proceed)],
        );
    }
}

#[test]
fn nothing_there_and_nothing_known() {
    for (lines, expected) in [
        ("If-Match: *", Failed),
        ("If-Match: \"x\"", Failed),
        ("If-None-Match: *", Proceed),
        ("If-None-Match: \"x\"", Proceed),
        ("", Proceed),
    ] {
        assert_eq!(judge("PUT", lines, None), expected, "{lines}");
    }
    let bare = Validators::default();
    let modified = format!("If-Modified-Since: {DATE}");
    let unmodified = format!("If-Unmodified-Since: {DATE}");
    for lines in [&modified, &unmodified, "If-None-Match: \"\""] {
        assert_eq!(judge("GET", lines, Some(&bare)), Proceed, "{lines}");
    }
    assert_eq!(judge("GET", "If-None-Match: *", Some(&bare)), NotModified);
}

#[test]
fn ranges_only_of_what_the_peer_has() {
    for (lines, expected) in [
        ("", true),
        ("If-Range: \"x\"", true),
        ("If-Range: \"y\"", false),
        ("If-Range: W/\"x\"", false),
        ("If-Range: DATE", true),
        ("If-Range: EARLIER", false),
        ("If-Range: LATER", false),
        ("If-Range: Sunday, 06-Nov-94 08:49:37 GMT", true),
        ("If-Range: x", false),
        ("If-Range:", false),
        ("If-Range: \"x\", \"x\"", false),
        ("If-Range: \"x\"| If-Range: \"x\"", false),
    ] {
        let lines = lines
            .replace("EARLIER", EARLIER)
            .replace("LATER", LATER)
            .replace("DATE", DATE);
        let applies = with_lines("GET", &lines, |head| {
            if_range(&head.fields, &current(), NOW)
        });
        assert_eq!(applies, expected, "{lines}");
    }
    let weak = Validators {
        etag: EntityTag::parse(b"W/\"x\""),
        last_modified: None,
    };
    assert!(!with_lines("GET", "If-Range: W/\"x\"", |head| {
        if_range(&head.fields, &weak, NOW)
    }));
    // §8.8.2.2: within its own second a date promises nothing.
    let line = format!("If-Range: {DATE}");
    for (now, expected) in [(MODIFIED, false), (MODIFIED + 1, true)] {
        let applies = with_lines("GET", &line, |head| if_range(&head.fields, &current(), now));
        assert_eq!(applies, expected, "{now}");
    }
}

#[test]
fn dates() {
    for text in [
        "",
        " ",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1894 08:49:37 GMT",
    ] {
        assert_eq!(parse_date(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse_date(b"Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    assert_eq!(parse_date(b"\xff"), None);
}
