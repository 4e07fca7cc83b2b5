//! Every byte in its place: ranges against the file, files of odd sizes, and replies in the order of the requests.

use std::fmt::Write;

use super::{Random, Site, asking, undated, with_sites};
use crate::peer::{Reply, pattern, request, with_length};

/// What a part of a reply says it is, and its bytes.
struct Part {
    first: usize,
    end: usize,
    bytes: Vec<u8>,
}

/// `bytes 2-4/20`
fn content_range(value: &str, length: usize) -> (usize, usize) {
    let value = value.strip_prefix("bytes ").expect("the unit");
    let (range, whole) = value.split_once('/').expect("a length");
    assert_eq!(whole, length.to_string());
    let (first, last) = range.split_once('-').expect("two ends");
    let last: usize = last.parse().expect("a number");
    (first.parse().expect("a number"), last + 1)
}

/// Takes a `multipart/byteranges` apart, and accepts nothing that RFC 2046 §5.1 does not ask for.
fn parts(reply: &Reply, media_type: &str, length: usize) -> Vec<Part> {
    let content_type = reply.field("Content-Type").expect("it has parts");
    let boundary = content_type
        .strip_prefix("multipart/byteranges; boundary=")
        .expect("what separates them");
    let (mut parts, mut rest) = (Vec::new(), &reply.body[..]);
    let mut delimiter = format!("--{boundary}");
    loop {
        rest = rest.strip_prefix(delimiter.as_bytes()).expect("a boundary");
        delimiter = format!("\r\n--{boundary}");
        if rest == b"--\r\n" {
            return parts;
        }
        rest = rest.strip_prefix(b"\r\n").expect("the end of its line");
        let head_bytes = rest.windows(4).position(|at| at == b"\r\n\r\n");
        let head = &rest[..head_bytes.expect("the end of the part's head")];
        rest = &rest[head.len() + 4..];
        let head = std::str::from_utf8(head).expect("text");
        let (kind, range) = head.split_once("\r\n").expect("two fields");
        assert_eq!(kind, format!("Content-Type: {media_type}"));
        let range = range.strip_prefix("Content-Range: ").expect("its place");
        let (first, end) = content_range(range, length);
        let (bytes, behind) = rest.split_at(end - first);
        let bytes = bytes.to_vec();
        parts.push(Part { first, end, bytes });
        rest = behind;
    }
}

/// A set of ranges as it is asked for, and which bytes each means; `None` for one that does not exist.
fn some_ranges(random: &mut Random, length: usize) -> (String, Vec<Option<(usize, usize)>>) {
    let count = match random.below(4) {
        0 | 1 => 1,
        2 => 2,
        _ => 1 + random.below(18),
    };
    let mut meant: Vec<Option<(usize, usize)>> = Vec::new();
    let mut set = String::new();
    for number in 0..count {
        let comma = if number == 0 { "" } else { ", " };
        // Small ones, so that several fit into the file; some begin where the last one ended, or within it.
        let near = meant.last().copied().flatten();
        let first = match (near, random.below(4)) {
            (Some((_, end)), 0) => end,
            (Some((first, end)), 1) => first + (end - first) / 2,
            _ => random.below(length + length / 8),
        };
        let size = 1 + random.below(length / 6);
        let (text, range) = match random.below(8) {
            0 => (format!("-{size}"), Some((length - size, length))),
            1 => (format!("{first}-"), Some((first, length))),
            2 => (format!("{first}-{first}"), Some((first, first + 1))),
            3 => {
                let last = usize::MAX;
                (format!("{first}-{last}"), Some((first, length)))
            }
            _ => {
                let end = (first + size).min(length);
                (format!("{first}-{}", first + size - 1), Some((first, end)))
            }
        };
        write!(set, "{comma}{text}").expect("a string");
        meant.push(range.filter(|(first, _)| *first < length));
    }
    (set, meant)
}

/// Compares a reply with what the ranges mean, without knowing how the server puts them together.
fn is_right(reply: &Reply, content: &[u8], meant: &[Option<(usize, usize)>], what: &str) {
    let length = content.len();
    let exist: Vec<(usize, usize)> = meant.iter().copied().flatten().collect();
    let asked: usize = exist.iter().map(|(first, end)| end - first).sum();
    if meant.len() > 16 || asked > length {
        assert_eq!(reply.status, 200, "{what}: greedy");
        assert!(reply.body == content, "{what}");
        return;
    }
    if exist.is_empty() {
        assert_eq!(reply.status, 416, "{what}");
        let unsatisfied = format!("bytes */{length}");
        assert_eq!(reply.field("Content-Range"), Some(&unsatisfied[..]));
        return;
    }
    assert_eq!(reply.status, 206, "{what}");
    let received = match reply.field("Content-Range") {
        Some(value) => {
            let (first, end) = content_range(value, length);
            let bytes = reply.body.clone();
            vec![Part { first, end, bytes }]
        }
        None => parts(reply, "application/octet-stream", length),
    };
    assert!(exist.len() > 1 || reply.field("Content-Range").is_some());
    let mut covered = vec![false; length];
    for part in &received {
        assert!(part.bytes == content[part.first..part.end], "{what}");
        for byte in &mut covered[part.first..part.end] {
            assert!(!*byte, "{what}: sent twice");
            *byte = true;
        }
    }
    let mut wanted = vec![false; length];
    for (first, end) in exist {
        wanted[first..end].fill(true);
    }
    assert!(covered == wanted, "{what}: all that was asked for, no more");
}

#[test]
fn ranges_are_those_of_the_file() {
    let content = Random(1).bytes(200_003);
    let fill = |site: &Site| site.write("file", &content);
    with_sites(&[], fill, |server, _| {
        let mut peer = server.connect();
        let mut random = Random(2);
        let mut seen = [0; 3];
        for round in 0..300 {
            let (set, meant) = some_ranges(&mut random, content.len());
            let range = format!("Range: bytes={set}\r\n");
            let reply = peer.ask(asking("GET", "/static/file", &range));
            let what = format!("{}, {round}: {set}", server.backend);
            is_right(&reply, &content, &meant, &what);
            seen[match (reply.status, reply.field("Content-Range")) {
                (206, None) => 0,
                (206, _) => 1,
                _ => 2,
            }] += 1;
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    });
}

#[test]
fn small_ranges_and_tiny_files() {
    with_sites(
        &[],
        |site| site.write("ten", "0123456789"),
        |server, _| {
            let mut peer = server.connect();
            let mut random = Random(3);
            for round in 0..200 {
                let (set, meant) = some_ranges(&mut random, 10);
                let reply = peer.ask(asking(
                    "GET",
                    "/static/ten",
                    &format!("Range: bytes={set}\r\n"),
                ));
                is_right(&reply, b"0123456789", &meant, &format!("{round}: {set}"));
            }
        },
    );
}

/// Around what is read at once, what a driver stages, and more than a socket holds.
const SIZES: [usize; 10] = [
    0,
    1,
    8191,
    8192,
    8193,
    65_535,
    65_536,
    65_537,
    262_145,
    5 << 20,
];

fn sizes(site: &Site) {
    for bytes in SIZES {
        site.write(format!("{bytes}"), pattern(bytes));
    }
}

#[test]
fn whole_files_and_their_heads() {
    with_sites(&["--cache-control", "max-age=5"], sizes, |server, _| {
        let mut peer = server.connect();
        for bytes in SIZES {
            let path = format!("/static/{bytes}");
            let reply = peer.fetch(&path);
            assert_eq!(reply.status, 200);
            assert!(reply.body == pattern(bytes), "{} {bytes}", server.backend);
            for (name, value) in [
                ("Content-Length", &*bytes.to_string()),
                ("Content-Type", "application/octet-stream"),
                ("Accept-Ranges", "bytes"),
                ("Last-Modified", super::MODIFIED_DATE),
                ("Cache-Control", "max-age=5"),
                ("X-Content-Type-Options", "nosniff"),
            ] {
                assert_eq!(reply.field(name), Some(value), "{bytes}");
            }
            let head = peer.ask(request("HEAD", &path));
            assert_eq!(undated(&head), undated(&reply), "RFC 9110 §9.3.2");
            let ranged = peer.ask(asking("HEAD", &path, "Range: bytes=999999999-\r\n"));
            assert_eq!(undated(&ranged), undated(&reply), "RFC 9110 §14.2");
        }
        assert_eq!(peer.fetch("/pipeline").text(), "ok", "it is still there");
    });
}

#[test]
fn methods_of_files() {
    with_sites(&[], sizes, |server, _| {
        let mut peer = server.connect();
        for path in ["/static/1", "/static/none", "/static/"] {
            let options = peer.ask(request("OPTIONS", path));
            assert_eq!(options.status, 204);
            assert_eq!(options.field("Content-Length"), None, "RFC 9110 §8.6");
            assert_eq!(options.field("Allow"), Some("GET, HEAD, OPTIONS"));
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                let refused = peer.ask(with_length(method, path, b"body"));
                assert_eq!(refused.status, 405, "{method} {path}");
                assert_eq!(refused.field("Allow"), Some("GET, HEAD, OPTIONS"));
                assert!(refused.field("Date").is_some());
            }
        }
        assert_eq!(peer.fetch("/static/1").body, pattern(1));
    });
}

#[test]
fn the_end_of_a_connection_behind_a_file() {
    with_sites(&[], sizes, |server, _| {
        for bytes in SIZES {
            let path = format!("/static/{bytes}");
            let never = request("GET", "/never");
            for last in [
                asking("GET", &path, "Connection: close\r\n"),
                format!("GET {path} HTTP/1.0\r\n\r\n"),
            ] {
                let mut peer = server.connect();
                peer.send(format!("{last}{never}"));
                let reply = peer.reply();
                assert!(reply.body == pattern(bytes), "{} {bytes}", server.backend);
                assert_eq!(reply.field("Connection"), Some("close"));
                peer.ends();
            }
            let mut old = server.connect();
            for _ in 0..2 {
                old.send(format!(
                    "GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                ));
                let reply = old.reply();
                assert!(reply.body == pattern(bytes), "{} {bytes}", server.backend);
                assert_eq!(reply.field("Connection"), Some("keep-alive"));
            }
            // It sends nothing more, but still reads.
            let mut half = server.connect();
            half.send(request("GET", &path));
            half.half_close();
            assert!(half.reply().body == pattern(bytes));
            half.ends();
        }
    });
}

/// A request of a kind that `random` chooses, and what its reply must be.
fn something(random: &mut Random) -> (Vec<u8>, &'static str, u16, Vec<u8>) {
    let bytes = SIZES[random.below(SIZES.len() - 1)];
    let path = format!("/static/{bytes}");
    match random.below(8) {
        0 => (
            request("GET", "/pipeline").into(),
            "GET",
            200,
            b"ok".to_vec(),
        ),
        1 => (request("HEAD", &path).into(), "HEAD", 200, Vec::new()),
        2 if bytes > 2 => {
            let ask = asking("GET", &path, "Range: bytes=1-\r\n");
            (ask.into(), "GET", 206, pattern(bytes)[1..].to_vec())
        }
        3 => {
            let missing = request("GET", "/static/none").into();
            (missing, "GET", 404, b"There is no such file.\n".to_vec())
        }
        4 => {
            let body = random.bytes(500);
            (with_length("POST", "/echo", &body), "POST", 200, body)
        }
        5 => {
            let ask = asking("GET", &path, "If-None-Match: *\r\n");
            (ask.into(), "GET", 304, Vec::new())
        }
        _ => (request("GET", &path).into(), "GET", 200, pattern(bytes)),
    }
}

#[test]
fn files_and_other_replies_keep_their_order() {
    with_sites(&[], sizes, |server, _| {
        for seed in 0..8 {
            let mut random = Random(seed);
            let mut peer = server.connect();
            let mut expected = Vec::new();
            let mut requests = Vec::new();
            for _ in 0..80 {
                let (request, method, status, body) = something(&mut random);
                requests.extend(request);
                expected.push((method, status, body));
            }
            let writer = peer.stream.try_clone().expect("an open socket");
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut writer, mut rest) = (crate::peer::Peer::over(writer), &requests[..]);
                    while !rest.is_empty() {
                        let cut = (1 + random.below(700)).min(rest.len());
                        writer.send(&rest[..cut]);
                        rest = &rest[cut..];
                    }
                });
                for (number, (method, status, body)) in expected.into_iter().enumerate() {
                    let reply = peer.reply_to(method);
                    let what = format!("{}, seed {seed}, {number}", server.backend);
                    assert_eq!(reply.status, status, "{what}");
                    assert!(reply.body == body, "{what}");
                }
            });
        }
    });
}
