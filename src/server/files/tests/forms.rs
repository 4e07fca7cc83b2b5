//! Siblings that were compressed beforehand.

use super::{MODIFIED, Refuse, TempDir, ask, body, field, get, with_head};
use crate::sys::{Call, Probe, Verdict};
use std::time::Duration;

fn tree() -> TempDir {
    let dir = TempDir::new();
    for name in [
        "both.js",
        "both.js.br",
        "both.js.gz",
        "only-gz.css",
        "only-gz.css.gz",
    ] {
        dir.write(name, name);
    }
    dir.write("none.html", "none.html");
    dir.write("photo.png", "photo.png");
    dir.write("photo.png.gz", "photo.png.gz");
    dir
}

#[test]
fn the_peer_chooses() {
    let dir = tree();
    for files in dir.both() {
        for (target, accepted, sent, coding) in [
            ("/both.js", "br, gzip", "both.js.br", Some("br")),
            ("/both.js", "gzip, br", "both.js.br", Some("br")),
            ("/both.js", "gzip;q=1, br;q=0.5", "both.js.gz", Some("gzip")),
            ("/both.js", "gzip", "both.js.gz", Some("gzip")),
            ("/both.js", "x-gzip", "both.js.gz", Some("gzip")),
            ("/both.js", "*", "both.js.br", Some("br")),
            ("/both.js", "br;q=0, *", "both.js.gz", Some("gzip")),
            ("/both.js", "zstd", "both.js", None),
            ("/both.js", "", "both.js", None),
            ("/both.js", "gzip;q=0.5, identity", "both.js", None),
            (
                "/both.js",
                "identity;q=0, gzip;q=0.1",
                "both.js.gz",
                Some("gzip"),
            ),
            ("/only-gz.css", "br, gzip", "only-gz.css.gz", Some("gzip")),
            (
                "/only-gz.css",
                "br;q=1, gzip;q=0.1",
                "only-gz.css.gz",
                Some("gzip"),
            ),
            ("/only-gz.css", "br", "only-gz.css", None),
            // Refused, and there is nothing else.
            ("/none.html", "identity;q=0", "none.html", None),
            ("/none.html", "br, gzip", "none.html", None),
        ] {
            let lines = format!("Accept-Encoding: {accepted}");
            let plan = ask(&files, "GET", target, &lines);
            let told = format!("{target} {accepted}");
            assert_eq!(plan.status.code(), 200, "{told}");
            assert_eq!(body(&plan), sent.as_bytes(), "{told}");
            assert_eq!(field(&plan, "Content-Encoding"), coding, "{told}");
            assert_eq!(field(&plan, "Vary"), Some("Accept-Encoding"), "{told}");
            let media_type = field(&plan, "Content-Type").unwrap();
            assert!(media_type.starts_with("text/"), "{told}: {media_type}");
        }
        let plain = get(&files, "/both.js");
        assert_eq!(body(&plain), b"both.js", "without the field, plain");
        assert_eq!(field(&plain, "Vary"), Some("Accept-Encoding"));
    }
}

#[test]
fn switched_off_and_out_of_place() {
    let dir = tree();
    let lines = "Accept-Encoding: br, gzip";
    for files in dir.both() {
        let plan = ask(&files, "GET", "/photo.png", lines);
        assert_eq!(body(&plan), b"photo.png", "compressed anyway");
        assert_eq!(field(&plan, "Vary"), None);
        // Asked for by its own name it is a file like any other.
        let plan = ask(&files, "GET", "/both.js.gz", lines);
        assert_eq!(field(&plan, "Content-Type"), Some("application/gzip"));
        assert_eq!(field(&plan, "Content-Encoding"), None);
        let off = files.precompressed(false);
        let plan = ask(&off, "GET", "/both.js", lines);
        assert_eq!(body(&plan), b"both.js");
        assert_eq!(field(&plan, "Vary"), None);
    }
}

#[test]
fn old_siblings_and_orphans() {
    let dir = tree();
    let lines = "Accept-Encoding: br, gzip";
    for files in dir.both() {
        for (time, sent) in [
            (Duration::from_secs(MODIFIED - 1), "both.js.gz"),
            (Duration::new(MODIFIED - 1, 999_999_999), "both.js.gz"),
            (Duration::from_secs(MODIFIED), "both.js.br"),
            (Duration::from_secs(MODIFIED + 100), "both.js.br"),
        ] {
            dir.write_at("both.js.br", "both.js.br", time);
            let plan = ask(&files, "GET", "/both.js", lines);
            assert_eq!(body(&plan), sent.as_bytes(), "{time:?}");
        }
        // Cut to microseconds by the program that copied the time.
        dir.write_at("fine.js", "fine.js", Duration::new(MODIFIED, 123_456_789));
        dir.write_at(
            "fine.js.gz",
            "fine.js.gz",
            Duration::new(MODIFIED, 123_456_000),
        );
        let plan = ask(&files, "GET", "/fine.js", lines);
        assert_eq!(body(&plan), b"fine.js.gz");
        dir.write_at(
            "fine.js.gz",
            "fine.js.gz",
            Duration::new(MODIFIED, 123_455_000),
        );
        let plan = ask(&files, "GET", "/fine.js", lines);
        assert_eq!(body(&plan), b"fine.js");

        dir.write("orphan.js.gz", "orphan");
        assert_eq!(ask(&files, "GET", "/orphan.js", lines).status.code(), 404);
        std::fs::create_dir_all(dir.path("none.html.br")).unwrap();
        let plan = ask(&files, "GET", "/none.html", lines);
        assert_eq!(body(&plan), b"none.html", "a directory is no sibling");
    }
}

#[test]
fn each_form_has_its_own_tag_and_ranges() {
    let dir = tree();
    // Equal in length and time: the coding tells them apart.
    for name in ["same.js", "same.js.br", "same.js.gz"] {
        dir.write(name, &name.as_bytes()[name.len() - 3..]);
    }
    for files in dir.both() {
        let mut tags = Vec::new();
        for (accepted, sent) in [("", "s"), ("gzip", "z"), ("br", "r")] {
            let accept = format!("Accept-Encoding: {accepted}");
            let plan = ask(&files, "GET", "/same.js", &accept);
            let tag = field(&plan, "ETag").unwrap().to_owned();
            let lines = format!("{accept}| If-None-Match: {tag}");
            let known = ask(&files, "GET", "/same.js", &lines);
            assert_eq!(known.status.code(), 304);
            assert_eq!(field(&known, "ETag"), Some(&tag[..]));
            assert_eq!(field(&known, "Vary"), Some("Accept-Encoding"));
            for (if_range, described) in [("", true), (&format!("| If-Range: {tag}"), false)] {
                let lines = format!("{accept}| Range: bytes=2-{if_range}");
                let part = ask(&files, "GET", "/same.js", &lines);
                assert_eq!(field(&part, "Content-Range"), Some("bytes 2-2/3"));
                let coding = plan.field("Content-Encoding").filter(|_| described);
                assert_eq!(part.field("Content-Encoding"), coding, "{lines}");
                assert_eq!(body(&part), sent.as_bytes());
            }
            tags.push(tag);
        }
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
        let lines = format!("Accept-Encoding: br| If-None-Match: {}", tags[0]);
        let other = ask(&files, "GET", "/same.js", &lines);
        assert_eq!(other.status.code(), 200, "the plain form is no brotli");
    }
}

#[test]
fn only_what_the_peer_takes_is_looked_for() {
    let dir = tree();
    let files = dir.files();
    if files.root.stepwise() {
        return;
    }
    for (target, accepted, calls) in [
        ("/none.html", "", 1),
        ("/none.html", "deflate, zstd", 1),
        ("/none.html", "gzip", 2),
        ("/none.html", "gzip, br", 3),
        ("/both.js", "gzip, br", 2),
        ("/photo.png", "gzip, br", 1),
    ] {
        let mut counted = Refuse::times(0, "openat2", 0);
        with_head(
            "GET",
            target,
            &format!("Accept-Encoding: {accepted}"),
            |head| files.plan_watched(&mut counted, head, target.as_bytes(), super::NOW),
        );
        assert_eq!(counted.asked, calls, "{target} {accepted}");
    }
}

/// Out of descriptors behind the first file.
struct OnlyOne(u32);

impl Probe for OnlyOne {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        if call.name().starts_with("openat") {
            self.0 += 1;
        }
        if self.0 > 1 {
            return Verdict::Refuse(libc::EMFILE);
        }
        Verdict::Go
    }

    fn after(&mut self, _: &Call<'_>, _: Result<usize, &std::io::Error>) {}
}

#[test]
fn a_sibling_that_cannot_be_opened_is_passed_over() {
    let dir = tree();
    let files = dir.files();
    let plan = with_head("GET", "/both.js", "Accept-Encoding: br, gzip", |head| {
        files.plan_watched(&mut OnlyOne(0), head, b"/both.js", super::NOW)
    });
    assert_eq!(body(&plan), b"both.js");
}
