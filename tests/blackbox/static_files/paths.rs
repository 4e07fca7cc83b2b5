//! Names: which of them are served, which lead out, and how a listing shows them.

use std::fmt::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::mkfifo;

use super::{Site, asking, with_sites};
use crate::peer::{Peer, request};
use crate::server::{Server, on_each_backend};

const SECRET: &str = "secret of somebody else";

/// The status of a GET, whose reply must not tell the secret. A new connection, since some requests are refused.
fn status(server: &Server, target: impl AsRef<[u8]>) -> u16 {
    let mut peer = server.connect();
    let target = target.as_ref();
    peer.send([b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
    let reply = peer.reply();
    let body = String::from_utf8_lossy(&reply.body);
    assert!(!body.contains(SECRET), "{}", target.escape_ascii());
    reply.status
}

#[test]
fn no_path_leads_out() {
    on_each_backend(|backend| {
        let outside = Site::new();
        outside.write("secret", SECRET);
        outside.write("root/file", "file");
        outside.write("root/sub/deep", "deep");
        outside.write("root/%2e%2e/odd", "a name like any other");
        let root = outside.path("root");
        let server = Server::start(backend, &["--root", root.to_str().expect("plain")]);
        for (target, expected) in [
            ("/static/file", 200),
            ("/static/sub/deep", 200),
            ("http://other.example/static/file", 200),
            ("/static/../secret", 400),
            ("/static/sub/../file", 400),
            ("/static/../static/file", 400),
            ("/static/./file", 400),
            ("/static/%2e%2e/secret", 400),
            ("/static/%2E./secret", 400),
            ("/static/.%2e/secret", 400),
            ("/static/..%2fsecret", 400),
            ("/static/%2e%2e%2fsecret", 400),
            ("/static/sub%2fdeep", 400),
            ("/static/%252e%252e/secret", 404),
            ("/static/%252e%252e/odd", 200),
            ("/static/%252e%252e%252fsecret", 404),
            ("/static/..%5csecret", 404),
            ("/static/%c0%ae%c0%ae/secret", 404),
            ("/static/file%00", 400),
            ("/static/file%00.txt", 400),
            ("/static/%", 400),
            ("/static/%zz", 400),
            ("/static/file/", 404),
            ("/static/file/x", 404),
            ("/static//file", 404),
            ("/static//etc/passwd", 404),
            ("//static/file", 404),
            ("/static", 404),
            ("/staticfile", 404),
            ("/static/sub", 301),
            ("http://other.example/static/../secret", 400),
            ("http://other.example/static/%2e%2e/secret", 400),
        ] {
            assert_eq!(status(&server, target), expected, "{backend} {target}");
        }
        // Not even targets.
        for target in [&b"/static/..\\secret"[..], b"/static/\0", b"/static/a b"] {
            assert!(matches!(status(&server, target), 400 | 404));
        }
        let root = root.to_str().expect("plain");
        for target in [
            format!("/static/{root}/../secret"),
            format!("/static/{}secret", "sub/../".repeat(100)),
            format!("/static/{}", "x".repeat(300)),
            format!("/static/{}", "x/".repeat(2500)),
        ] {
            assert!(matches!(status(&server, &target), 400 | 404), "{target}");
        }
        let long = format!("/static/{}", "x".repeat(9000));
        assert_eq!(status(&server, long), 414);
        assert_eq!(status(&server, "/static/file"), 200);
        server.stop();
    });
}

#[test]
fn links_are_followed_only_within() {
    on_each_backend(|backend| {
        let outside = Site::new();
        outside.write("secret", SECRET);
        outside.write("root/sub/file", "file");
        let root = outside.path("root");
        let link = |to: &str, name: &str| symlink(to, root.join(name)).expect("a link");
        link("sub/file", "inside");
        link("sub", "folder");
        link("../root/sub/file", "out-and-in");
        link("../secret", "outside");
        link("..", "above");
        link(root.to_str().expect("plain"), "absolute");
        link("/etc/passwd", "passwd");
        link("/dev/zero", "device");
        link("loop", "loop");
        link("nothing", "dangling");
        let server = Server::start(backend, &["--root", root.to_str().expect("plain")]);
        let inside = server.connect().fetch("/static/inside");
        if inside.status == 404 {
            eprintln!("SKIPPED in part: no openat2 here, so links within are refused as well");
        } else {
            assert_eq!(inside.text(), "file");
            assert_eq!(status(&server, "/static/folder/file"), 200);
            assert_eq!(status(&server, "/static/folder"), 301);
        }
        for name in [
            "out-and-in",
            "outside",
            "above",
            "above/secret",
            "above/root/sub/file",
            "absolute",
            "absolute/sub/file",
            "passwd",
            "device",
            "loop",
            "loop/x",
            "dangling",
        ] {
            let target = format!("/static/{name}");
            assert_eq!(status(&server, &target), 404, "{backend} {name}");
        }
        server.stop();
    });
}

#[test]
fn what_is_no_file_is_not_there() {
    let fill = |site: &Site| {
        site.write("file", "file");
        mkfifo(&site.path("fifo"), Mode::S_IRWXU).expect("a FIFO");
        let (null, all) = (makedev(1, 3), Mode::S_IRWXU);
        if let Err(error) = mknod(&site.path("device"), SFlag::S_IFCHR, all, null) {
            eprintln!("SKIPPED in part: no device can be made: {error}");
        }
        let socket = UnixListener::bind(site.path("socket"));
        drop(socket.expect("its file stays"));
        std::fs::create_dir(site.path("empty")).expect("a folder");
    };
    with_sites(&["--listing"], fill, |server, _| {
        let mut peer = server.connect();
        for name in ["fifo", "device", "socket", "fifo/", "none"] {
            for method in ["GET", "HEAD"] {
                let reply = peer.ask(request(method, &format!("/static/{name}")));
                assert_eq!(reply.status, 404, "{name}");
            }
        }
        let page = peer.fetch("/static/");
        assert!(page.text().contains("\"./file\"") && page.text().contains("\"./empty/\""));
        for name in ["fifo", "socket", "device"] {
            assert!(!page.text().contains(name), "{name}");
        }
        assert_eq!(peer.fetch("/static/empty/").status, 200);
        assert_eq!(peer.fetch("/static/empty").status, 301);
    });
}

/// Names that mean something to a shell, a browser or an escape.
const NAMES: [&str; 12] = [
    "a b.txt",
    "grüße 🚢.txt",
    "100%.txt",
    "%41.txt",
    "\"double\" 'single'.txt",
    "<img src=x onerror=alert(1)>.txt",
    "a&amp;b.txt",
    "javascript:alert(1)",
    "a?b#c.txt",
    "back\\slash.txt",
    "-rf.txt",
    "~.txt",
];

fn names(site: &Site) {
    for name in NAMES {
        site.write(format!("names/{name}"), name);
    }
    site.write(".env", SECRET);
    site.write(".git/config", SECRET);
    site.write("names/.hidden", SECRET);
}

fn percent_encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        write!(encoded, "%{byte:02x}").expect("a string");
    }
    encoded
}

#[test]
fn every_name_can_be_asked_for() {
    with_sites(&[], names, |server, _| {
        let mut peer = server.connect();
        for name in NAMES {
            let reply = peer.fetch(&format!("/static/names/{}", percent_encoded(name)));
            assert_eq!((reply.status, reply.text()), (200, name));
        }
        assert_eq!(peer.fetch("/static/%41.txt").status, 404, "A.txt");
        let plain = "/static/names/~.txt?query=%3Cb%3E";
        assert_eq!(peer.fetch(plain).text(), "~.txt");
        assert_eq!(peer.fetch("/static/names/").status, 404, "no listing");
    });
}

#[test]
fn a_listing_escapes_what_it_shows() {
    with_sites(&["--listing"], names, |server, _| {
        let mut peer = server.connect();
        let page = peer.fetch("/static/names/");
        assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(
            page.field("Content-Security-Policy"),
            Some("default-src 'none'")
        );
        let head = peer.ask(request("HEAD", "/static/names/"));
        assert_eq!(super::undated(&head), super::undated(&page));
        let text = page.text();
        assert!(
            !text.contains("<img") && !text.contains("\"javascript:"),
            "{text}"
        );
        let links: Vec<&str> = text
            .split("<a href=\"./")
            .skip(1)
            .map(|rest| rest.split_once('"').expect("it ends").0)
            .collect();
        assert_eq!(links.len(), NAMES.len(), "{text}");
        let mut found: Vec<String> = links
            .iter()
            .map(|link| {
                peer.fetch(&format!("/static/names/{link}"))
                    .text()
                    .to_owned()
            })
            .collect();
        found.sort_unstable();
        let mut expected = NAMES;
        expected.sort_unstable();
        assert_eq!(found, expected, "each link leads to its file");
        let fields = "If-None-Match: *\r\n";
        let known = peer.ask(asking("GET", "/static/names/", fields));
        assert_eq!(known.status, 304);
    });
}

#[test]
fn names_with_a_dot_in_front() {
    const HIDDEN: [&str; 4] = [".env", ".git/config", ".git/", "names/.hidden"];
    let fetch = |peer: &mut Peer, name: &str| peer.fetch(&format!("/static/{name}"));
    with_sites(&["--listing"], names, |server, _| {
        let mut peer = server.connect();
        for name in HIDDEN {
            assert_eq!(fetch(&mut peer, name).status, 404, "{name}");
        }
        assert_eq!(fetch(&mut peer, "%2eenv").status, 404);
        assert!(!fetch(&mut peer, "").text().contains(".env"));
    });
    with_sites(&["--listing", "--hidden-files"], names, |server, _| {
        let mut peer = server.connect();
        for name in HIDDEN {
            assert_eq!(fetch(&mut peer, name).status, 200, "{name}");
        }
        assert!(fetch(&mut peer, "").text().contains("\"./.env\""));
    });
}
