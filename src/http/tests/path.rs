//! RFC 3986 §2.1, §3.3, §5.2.4: paths as names of files.

use super::super::{PathError, decode_path};

fn decode(path: &[u8]) -> Result<(Vec<u8>, bool), PathError> {
    let mut out = [0xaa; 64];
    decode_path(path, &mut out).map(|path| (path.as_bytes().to_vec(), path.is_directory()))
}

#[test]
fn names() {
    let rows: &[(&str, &[u8], bool)] = &[
        ("/", b"", true),
        ("/a", b"a", false),
        ("/a/", b"a", true),
        ("/a/b.txt", b"a/b.txt", false),
        ("/a/b/", b"a/b", true),
        ("/a%20b", b"a b", false),
        ("/%41%6a", b"Aj", false),
        ("/%e2%82%ac", "€".as_bytes(), false),
        ("/%ff%FE", b"\xff\xfe", false),
        // Decoded once, never twice.
        ("/%252e%252e", b"%2e%2e", false),
        ("/%252f", b"%2f", false),
        ("/%2500", b"%00", false),
        ("/%25", b"%", false),
        // Dots that are no dot segment.
        ("/...", b"...", false),
        ("/..a", b"..a", false),
        ("/a..", b"a..", false),
        ("/.a", b".a", false),
        ("/a.", b"a.", false),
        ("/%2e%2e%2e", b"...", false),
        // To a file system these are plain bytes.
        ("/a%5cb", b"a\\b", false),
        ("/..%5c..", b"..\\..", false),
        ("/a%3fb", b"a?b", false),
        ("/a+b;c=d", b"a+b;c=d", false),
    ];
    for &(path, expected, directory) in rows {
        assert_eq!(
            decode(path.as_bytes()),
            Ok((expected.to_vec(), directory)),
            "{path}"
        );
    }
}

#[test]
fn refusals() {
    use PathError::{
        Control, DotSegment, EmptySegment, EncodedSlash, InvalidPercent, NotAbsolute, TooLong,
    };
    let long = format!("/{}", "a".repeat(65));
    let rows = [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a", NotAbsolute),
        ("%2fa", NotAbsolute),
        ("/%", InvalidPercent),
        ("/%4", InvalidPercent),
        ("/%4/", InvalidPercent),
        ("/%4g", InvalidPercent),
        ("/%%41", InvalidPercent),
        ("/%2f", EncodedSlash),
        ("/a%2Fb", EncodedSlash),
        ("/..%2f..%2fetc/passwd", EncodedSlash),
        ("/%00", Control),
        ("/a%00.txt", Control),
        ("/a%0d%0aX:%20y", Control),
        ("/%1f", Control),
        ("/%7f", Control),
        ("/a\tb", Control),
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/./a", DotSegment),
        ("/../a", DotSegment),
        ("/a/..", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/./", DotSegment),
        ("/%2e", DotSegment),
        ("/%2e%2e/a", DotSegment),
        ("/%2E.", DotSegment),
        ("/.%2e/", DotSegment),
        ("/a/%2e%2e/%2e%2e/etc", DotSegment),
        ("//", EmptySegment),
        ("//a", EmptySegment),
        ("/a//b", EmptySegment),
        ("/a//", EmptySegment),
        (&long, TooLong),
    ];
    for (path, error) in rows {
        assert_eq!(decode(path.as_bytes()), Err(error), "{path}");
        assert!(
            matches!(error.status().code(), 400 | 404),
            "{}",
            error.reason()
        );
    }
}

#[test]
fn the_buffer_is_the_limit() {
    let mut out = [0; 3];
    assert_eq!(decode_path(b"/abc", &mut out).unwrap().as_bytes(), b"abc");
    assert_eq!(decode_path(b"/abcd", &mut out), Err(PathError::TooLong));
    assert_eq!(
        decode_path(b"/%61%62%63", &mut out).unwrap().as_bytes(),
        b"abc"
    );
    assert_eq!(decode_path(b"/a", &mut []), Err(PathError::TooLong));
    assert!(decode_path(b"/", &mut []).unwrap().is_directory());
}

#[test]
fn segments_and_hidden_names() {
    let mut out = [0; 64];
    for (path, segments, hidden) in [
        ("/", &[][..], false),
        ("/a", &["a"], false),
        ("/a/b.c/", &["a", "b.c"], false),
        ("/.git/config", &[".git", "config"], true),
        ("/a/%2ehtaccess", &["a", ".htaccess"], true),
    ] {
        let path = decode_path(path.as_bytes(), &mut out).unwrap();
        assert!(
            path.segments()
                .eq(segments.iter().map(|name| name.as_bytes()))
        );
        assert_eq!(path.is_hidden(), hidden);
    }
}

/// Whatever three bytes come, in clear or encoded: what is accepted has only plain segments.
#[test]
fn no_combination_leaves() {
    let pieces = [
        "/", ".", "%2e", "%2E", "%2f", "%", "25", "2e", "a", "%00", "%5c",
    ];
    let n = pieces.len();
    for number in 0..n.pow(5) {
        let mut left = number;
        let mut path = String::from("/");
        for _ in 0..5 {
            path += pieces[left % n];
            left /= n;
        }
        let Ok((name, _)) = decode(path.as_bytes()) else {
            continue;
        };
        assert!(!name.contains(&0), "{path}");
        if !name.is_empty() {
            for segment in name.split(|&byte| byte == b'/') {
                assert!(!matches!(segment, b"" | b"." | b".."), "{path}");
            }
        }
    }
}
