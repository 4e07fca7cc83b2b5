//! Directories: index, redirect, listing.

use super::{NOW, TempDir, ask, body, field, get, status, with_head};
use crate::server::files::listing::{ENTRIES_MAX, LINKS_BYTES_MAX};
use std::fs;
use std::os::unix::ffi::OsStrExt;

fn page(files: &crate::server::files::Files, target: &str) -> String {
    let plan = get(files, target);
    assert_eq!(plan.status.code(), 200, "{target}");
    String::from_utf8(body(&plan)).unwrap()
}

#[test]
fn an_index() {
    let dir = TempDir::new();
    dir.write("index.html", "root");
    dir.write("sub/index.html", "sub");
    dir.write("sub/index.html.gz", "sub gz");
    dir.write("other/main.txt", "main");
    for files in dir.both() {
        let plan = get(&files, "/");
        assert_eq!(body(&plan), b"root");
        assert_eq!(
            field(&plan, "Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(body(&get(&files, "/sub/")), b"sub");
        let plan = ask(&files, "GET", "/sub/", "Accept-Encoding: gzip");
        assert_eq!(body(&plan), b"sub gz");
        let plan = ask(&files, "GET", "/sub/", "Range: bytes=1-1");
        assert_eq!(body(&plan), b"u");
        assert_eq!(status(&files, "/other/"), 404);
        assert_eq!(status(&files, "/none/"), 404);
        let main = files.clone().index("main.txt");
        assert_eq!(body(&get(&main, "/other/")), b"main");
        assert_eq!(status(&main, "/"), 404);
        let none = files.index("");
        assert_eq!(status(&none, "/"), 404);
        assert_eq!(status(&none, "/sub/index.html"), 200);
    }
}

#[test]
fn an_index_that_is_no_file() {
    let dir = TempDir::new();
    fs::create_dir_all(dir.path("sub/index.html")).unwrap();
    for files in dir.both() {
        assert_eq!(status(&files, "/sub/"), 404);
        let listed = files.listing(true);
        assert!(page(&listed, "/sub/").contains("\"./index.html/\""));
    }
}

#[test]
#[should_panic(expected = "one name in its directory")]
fn an_index_is_no_path() {
    let _ = TempDir::new().files().index("../secret");
}

#[test]
fn a_missing_slash() {
    let dir = TempDir::new();
    dir.write("sub/deep/index.html", "deep");
    dir.write("a b/index.html", "a b");
    for files in dir.both() {
        for (target, location) in [
            ("/sub", "/sub/"),
            ("/sub/deep", "/sub/deep/"),
            ("/sub/deep?x=1&y=%2f", "/sub/deep/?x=1&y=%2f"),
            ("/sub?", "/sub/?"),
            ("/sub?//evil.example/", "/sub/?//evil.example/"),
            ("/a%20b", "/a%20b/"),
            ("http://other.example/sub?x", "/sub/?x"),
        ] {
            for method in ["GET", "HEAD"] {
                let plan = ask(&files, method, target, "");
                assert_eq!(plan.status.code(), 301, "{target}");
                assert_eq!(field(&plan, "Location"), Some(location), "{target}");
            }
        }
        assert_eq!(status(&files, "/sub/deep/"), 200);
        assert_eq!(status(&files, "/sub/"), 404);
    }
}

/// `//evil.example` is a host to a browser: a redirect must never begin so, whatever was cut off in front.
#[test]
fn no_redirect_leads_to_another_host() {
    let dir = TempDir::new();
    fs::create_dir_all(dir.path("evil.example")).unwrap();
    for files in dir.both() {
        for target in ["//evil.example", "///evil.example", "/%2fevil.example"] {
            let plan = get(&files, target);
            assert!(matches!(plan.status.code(), 400 | 404), "{target}");
            assert_eq!(field(&plan, "Location"), None);
        }
        // A router that cut a prefix off may hand on a path that looks harmless.
        for target in ["//evil.example", "////evil.example"] {
            let plan = with_head("GET", target, "", |head| {
                files.plan(head, b"/evil.example", NOW)
            });
            assert_eq!(field(&plan, "Location"), Some("/evil.example/"));
        }
    }
}

#[test]
fn a_listing() {
    let dir = TempDir::new();
    dir.write("b.txt", "");
    dir.write("a b&c.txt", "");
    dir.write("sub/inner/x", "");
    dir.write("<script>alert(1)</script>/x", "");
    dir.write("\"quoted'", "");
    dir.write("javascript:alert(1)", "");
    dir.write("100%25", "");
    dir.write("ümlaut", "");
    dir.write(".hidden", "");
    dir.write("line\nbreak", "");
    dir.fifo("fifo");
    dir.link("link", "b.txt");
    let bytes = std::ffi::OsStr::from_bytes(b"\xff<");
    fs::write(dir.0.join(bytes), "").unwrap();
    for files in dir.both() {
        assert_eq!(status(&files, "/"), 404, "off by default");
        let files = files.listing(true);
        let plan = get(&files, "/");
        assert_eq!(
            field(&plan, "Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(
            field(&plan, "Content-Security-Policy"),
            Some("default-src 'none'")
        );
        let html = page(&files, "/");
        let links: Vec<&str> = html
            .lines()
            .filter(|line| line.starts_with("<li>"))
            .collect();
        assert_eq!(
            links,
            [
                "<li><a href=\"./%22quoted%27\">&quot;quoted&#39;</a></li>",
                "<li><a href=\"./100%2525\">100%25</a></li>",
                "<li><a href=\"./%3Cscript%3Ealert%281%29%3C/\">&lt;script&gt;alert(1)&lt;/</a></li>",
                "<li><a href=\"./a%20b%26c.txt\">a b&amp;c.txt</a></li>",
                "<li><a href=\"./b.txt\">b.txt</a></li>",
                "<li><a href=\"./javascript%3Aalert%281%29\">javascript:alert(1)</a></li>",
                "<li><a href=\"./link\">link</a></li>",
                "<li><a href=\"./sub/\">sub/</a></li>",
                "<li><a href=\"./%C3%BCmlaut\">ümlaut</a></li>",
                "<li><a href=\"./%FF%3C\">\u{fffd}&lt;</a></li>",
            ]
        );
        assert!(!html.contains("hidden") && !html.contains("fifo"));
        assert!(html.contains("<title>/</title>"));
        let hidden = page(&files.clone().hidden(true), "/");
        assert!(hidden.contains("./.hidden\""));

        // Every link leads to what it names.
        for link in links {
            let target = link.split('"').nth(1).unwrap().trim_start_matches('.');
            if target != "/link" && target != "/%3Cscript%3Ealert%281%29%3C/" {
                assert_eq!(status(&files, target), 200, "{target}");
            }
        }
        let inner = page(&files, "/sub/");
        assert!(inner.contains("<title>/sub/</title>") && inner.contains("\"../\""));
        assert!(!html.contains("\"../\""), "nothing is above the root");
        let title = page(&files, "/%3Cscript%3Ealert(1)%3C/script%3E/");
        assert!(title.contains("<title>/&lt;script&gt;alert(1)&lt;/script&gt;/</title>"));
        assert_eq!(status(&files, "/b.txt/"), 404);
        assert_eq!(status(&files, "/sub"), 301);
    }
}

#[test]
fn an_index_comes_before_the_listing() {
    let dir = TempDir::new();
    dir.write("index.html", "index");
    for files in dir.both() {
        assert_eq!(page(&files.listing(true), "/"), "index");
    }
}

#[test]
fn a_listing_is_bounded() {
    let dir = TempDir::new();
    let cut = "more than is shown";
    for number in 0..100 {
        fs::write(dir.path(&format!("{number}")), "").unwrap();
    }
    let files = dir.files().listing(true);
    assert!(!page(&files, "/").contains(cut));
    for number in 100..ENTRIES_MAX {
        fs::write(dir.path(&format!("{number}")), "").unwrap();
    }
    let html = page(&files, "/");
    assert!(html.contains(cut));
    let links = html.matches("<li>").count();
    assert!((ENTRIES_MAX - 2..ENTRIES_MAX).contains(&links), "{links}");

    let long = TempDir::new();
    for number in 0..800 {
        let name = format!("{number:04}{}", "<".repeat(200));
        fs::write(long.path(&name), "").unwrap();
    }
    let html = page(&long.files().listing(true), "/");
    assert!(html.contains(cut));
    assert!(html.len() < LINKS_BYTES_MAX + 8192, "{}", html.len());
}

/// RFC 9110 §13.1: a listing exists and has no validators.
#[test]
fn preconditions_of_a_listing() {
    let dir = TempDir::new();
    dir.write("sub/x", "x");
    for files in dir.both() {
        for (lines, expected) in [
            ("If-Match: *", 200),
            ("If-Match: \"x\"", 412),
            ("If-None-Match: *", 304),
            ("If-None-Match: \"x\"", 200),
            ("If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT", 200),
            ("If-Unmodified-Since: Tue, 14 Nov 2000 22:13:20 GMT", 200),
        ] {
            let listed = files.clone().listing(true);
            for method in ["GET", "HEAD"] {
                let plan = ask(&listed, method, "/sub/", lines);
                assert_eq!(plan.status.code(), expected, "{method} {lines}");
            }
            // §13.2.1: where the answer is no success anyway, they are ignored.
            assert_eq!(ask(&files, "GET", "/sub/", lines).status.code(), 404);
            assert_eq!(ask(&files, "GET", "/sub", lines).status.code(), 301);
        }
    }
}
