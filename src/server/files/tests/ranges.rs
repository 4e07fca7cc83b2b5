//! Parts of files.

use super::{MODIFIED_DATE, TempDir, ask, body, field, get};
use crate::server::files::{Piece, PlanBody};
use std::fs::File;

#[test]
fn one_part() {
    let dir = TempDir::new();
    dir.write("page.txt", "0123456789");
    for files in dir.both() {
        for (range, code, content_range, expected) in [
            ("bytes=0-3", 206, Some("bytes 0-3/10"), &b"0123"[..]),
            ("bytes=7-", 206, Some("bytes 7-9/10"), b"789"),
            ("bytes=-1", 206, Some("bytes 9-9/10"), b"9"),
            ("bytes=0-", 206, Some("bytes 0-9/10"), b"0123456789"),
            ("bytes=0-3,2-5", 206, Some("bytes 0-5/10"), b"012345"),
            ("bytes=5-2", 200, None, b"0123456789"),
            ("lines=1-2", 200, None, b"0123456789"),
            ("bytes=0-9,0-0", 200, None, b"0123456789"),
            (
                "bytes=10-",
                416,
                Some("bytes */10"),
                b"The file has no such bytes.\n",
            ),
        ] {
            let plan = ask(&files, "GET", "/page.txt", &format!("Range: {range}"));
            assert_eq!(plan.status.code(), code, "{range}");
            assert_eq!(field(&plan, "Content-Range"), content_range, "{range}");
            assert_eq!(field(&plan, "Accept-Ranges"), Some("bytes"));
            assert_eq!(body(&plan), expected, "{range}");
        }
        // RFC 9110 §15.3.7: what 200 would have said for a cache.
        let plan = ask(&files, "GET", "/page.txt", "Range: bytes=0-3");
        let whole = get(&files, "/page.txt");
        for name in ["ETag", "Last-Modified", "Vary", "Content-Type"] {
            assert!(plan.field(name).is_some());
            assert_eq!(plan.field(name), whole.field(name));
        }
    }
}

#[test]
fn only_of_what_the_peer_has() {
    let dir = TempDir::new();
    dir.write("page.txt", "0123456789");
    for files in dir.both() {
        let tag = field(&get(&files, "/page.txt"), "ETag").unwrap().to_owned();
        for (if_range, code) in [
            (&tag[..], 206),
            (&format!("W/{tag}"), 200),
            ("\"other\"", 200),
            (MODIFIED_DATE, 206),
            ("Tue, 14 Nov 2023 22:13:21 GMT", 200),
            ("nonsense", 200),
        ] {
            let lines = format!("Range: bytes=0-3| If-Range: {if_range}");
            let plan = ask(&files, "GET", "/page.txt", &lines);
            assert_eq!(plan.status.code(), code, "{if_range}");
        }
        // A range beyond the end of another version: the whole, not 416.
        let lines = "Range: bytes=50-| If-Range: \"other\"";
        assert_eq!(ask(&files, "GET", "/page.txt", lines).status.code(), 200);
    }
}

/// RFC 9110 §15.3.7: who sends an If-Range that holds has a part already, and the fields that describe it.
#[test]
fn a_part_for_whom_has_one_is_not_described_again() {
    let dir = TempDir::new();
    dir.write("page.txt", "0123456789");
    dir.write("page.txt.gz", "abcdefghij");
    for files in dir.both() {
        let files = files.cache_control(Some("max-age=5".into()));
        for accepted in ["", "Accept-Encoding: gzip|"] {
            let whole = ask(&files, "GET", "/page.txt", accepted);
            let tag = field(&whole, "ETag").unwrap();
            for set in ["0-3", "0-0,9-9"] {
                let lines = format!("{accepted} Range: bytes={set}| If-Range: {tag}");
                let part = ask(&files, "GET", "/page.txt", &lines);
                assert_eq!(part.status.code(), 206, "{lines}");
                for name in ["ETag", "Vary", "Cache-Control", "Accept-Ranges"] {
                    assert!(part.field(name).is_some(), "{lines}: {name}");
                    assert_eq!(part.field(name), whole.field(name), "{lines}");
                }
                for name in [
                    "Last-Modified",
                    "Content-Encoding",
                    "X-Content-Type-Options",
                ] {
                    assert_eq!(field(&part, name), None, "{lines}");
                }
                // What says how several parts are told apart is no description of the file.
                assert_eq!(part.field("Content-Type").is_some(), set == "0-0,9-9");
                // Who has nothing is told everything.
                let lines = format!("{accepted} Range: bytes={set}");
                let part = ask(&files, "GET", "/page.txt", &lines);
                for name in ["Last-Modified", "Content-Encoding"] {
                    assert_eq!(part.field(name), whole.field(name), "{lines}");
                }
            }
            let lines = format!("{accepted} Range: bytes=0-3| If-Range: \"other\"");
            let changed = ask(&files, "GET", "/page.txt", &lines);
            assert_eq!(changed.fields, whole.fields, "the whole, described");
        }
    }
}

#[test]
fn several_parts() {
    let dir = TempDir::new();
    dir.write("page.txt", "0123456789");
    for files in dir.both() {
        let plan = ask(&files, "GET", "/page.txt", "Range: bytes=7-8,0-1,4-4");
        assert_eq!(plan.status.code(), 206);
        assert_eq!(field(&plan, "Content-Range"), None);
        let media_type = field(&plan, "Content-Type").unwrap();
        let boundary = media_type
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap();
        assert_eq!(boundary.len(), 32);
        let part = |range: &str, bytes: &str| {
            format!(
                "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Range: bytes {range}/10\r\n\r\n{bytes}\r\n"
            )
        };
        let expected = [
            part("7-8", "78"),
            part("0-1", "01"),
            part("4-4", "4"),
            format!("--{boundary}--\r\n"),
        ]
        .concat();
        assert_eq!(String::from_utf8(body(&plan)).unwrap(), expected);
        let PlanBody::Pieces { pieces, .. } = &plan.body else {
            panic!("{:?}", plan.body)
        };
        assert_eq!(pieces.len(), 7);
        assert_eq!(pieces[1], Piece::File(7..9));

        let again = ask(&files, "GET", "/page.txt", "Range: bytes=7-8,0-1,4-4");
        assert_ne!(
            plan.field("Content-Type"),
            again.field("Content-Type"),
            "nobody can foretell a boundary"
        );
    }
}

#[test]
fn greedy_requests_get_the_whole_once() {
    let dir = TempDir::new();
    dir.write("page.txt", vec![b'x'; 1000]);
    let files = dir.files();
    let whole = ["0-"; 500].join(",");
    let tiny = (0..200)
        .map(|at| format!("{}-{}", at * 4, at * 4))
        .collect::<Vec<_>>()
        .join(",");
    for set in [whole, tiny, "0-999,0-999".into()] {
        let plan = ask(&files, "GET", "/page.txt", &format!("Range: bytes={set}"));
        assert_eq!((plan.status.code(), plan.content_length()), (200, 1000));
    }
}

#[test]
fn more_than_32_bits() {
    let dir = TempDir::new();
    let length = 5 << 30;
    let file = File::create(dir.path("sparse.iso")).unwrap();
    file.set_len(length).unwrap();
    for files in dir.both() {
        let plan = get(&files, "/sparse.iso");
        assert_eq!((plan.status.code(), plan.content_length()), (200, length));
        let plan = ask(&files, "GET", "/sparse.iso", "Range: bytes=-4");
        assert_eq!(
            field(&plan, "Content-Range"),
            Some("bytes 5368709116-5368709119/5368709120")
        );
        assert_eq!(body(&plan), [0; 4]);
        let lines = "Range: bytes=0-0,4294967296-4294967297";
        let plan = ask(&files, "GET", "/sparse.iso", lines);
        let text = String::from_utf8(body(&plan)).unwrap();
        assert!(
            text.contains("bytes 4294967296-4294967297/5368709120"),
            "{text}"
        );
        let plan = ask(&files, "GET", "/sparse.iso", "Range: bytes=5368709120-");
        assert_eq!(plan.status.code(), 416);
    }
}
