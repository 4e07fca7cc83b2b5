//! RFC 9112 §3.2, RFC 9110 §7.2, RFC 3986 §3.2.2.

use super::super::Error;
use super::{refuse, whole, with_head};

#[test]
fn one_host_in_1_1_at_most_one_in_1_0() {
    refuse(
        r"
        §3.2 missing | MissingHost | GET / HTTP/1.1\r\n\r\n
        §3.2 missing beside others | MissingHost | GET / HTTP/1.1\r\nX: a\r\nHosts: a\r\n\r\n
        §3.2 missing with an absolute form | MissingHost | GET http://a/ HTTP/1.1\r\n\r\n
        §3.2 missing in HTTP/1.2 | MissingHost | GET / HTTP/1.2\r\n\r\n
        §3.2 twice | RepeatedHost | GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n
        §3.2 twice the same | RepeatedHost | GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n
        §3.2 twice, other case | RepeatedHost | GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: a\r\n\r\n
        §3.2 empty and not | RepeatedHost | GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n
        §3.3 empty | EmptyHost | GET / HTTP/1.1\r\nHost:\r\n\r\n
        §3.3 empty, with space | EmptyHost | GET / HTTP/1.1\r\nHost: \t\r\n\r\n
        §3.3 empty with the asterisk form | EmptyHost | OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n
        §3.2 twice in 1.0 | RepeatedHost | GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n
        §3.2 invalid with an absolute form | InvalidHost | GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n
        §3.2 invalid in 1.0 | InvalidHost | GET / HTTP/1.0\r\nHost: b c\r\n\r\n
        ",
    );
    with_head(b"GET / HTTP/1.0\r\n\r\n", |head| {
        assert_eq!(head.host, b"", "none in 1.0");
    });
    with_head(b"GET / HTTP/1.0\r\nHost:\r\n\r\n", |head| {
        assert_eq!(head.host, b"", "an empty one in 1.0");
    });
    with_head(b"GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", |head| {
        assert_eq!(
            head.host, b"a",
            "§3.2.2 an empty one beside an absolute form"
        );
    });
    with_head(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", |head| {
        assert_eq!(head.host, b"a", "one in 1.0");
    });
    with_head(b"GET http://a:1/ HTTP/1.1\r\nHost: b\r\n\r\n", |head| {
        assert_eq!(head.host, b"a:1", "§3.2.2 the target overrides Host");
    });
}

#[test]
fn hosts_and_ports() {
    let rows = [
        ("a", true),
        ("a.example.org", true),
        ("A-b_c~d", true),
        ("a.", true),
        ("a:80", true),
        ("a:", true),
        ("a:0", true),
        ("a:65535", true),
        ("a:00080", true),
        ("%41%7a", true),
        ("!$&'()*+;=", true),
        ("192.0.2.7", true),
        ("999.999.999.999", true), // a registered name that looks like an address (RFC 3986 §3.2.2)
        ("[::]", true),
        ("[::1]:80", true),
        ("[2001:db8:0:0:0:0:0:1]", true),
        ("[1:2:3:4:5:6:7:8]", true),
        ("[1:2:3:4:5:6:7::]", true),
        ("[::2:3:4:5:6:7:8]", true),
        ("[::ffff:192.0.2.7]", true),
        ("[v1.a:b]", true),
        ("[vFF.x]:1", true),
        (":80", false),
        (":", false),
        ("a:65536", false),
        ("a:99999999999999999999", false),
        ("a:8a", false),
        ("a:+80", false),
        ("a:-1", false),
        ("a:80:80", false),
        ("a::80", false),
        ("a b", false),
        ("a,b", false), // a sub-delim (RFC 3986 §2.2), but what remains where somebody joins two Host lines
        ("a, b", false),
        ("a/b", false),
        ("a?b", false),
        ("a#b", false),
        ("u@a", false),
        ("http://a", false),
        ("a\"b", false),
        ("a\\b", false),
        ("<a>", false),
        ("{a}", false),
        ("a|b", false),
        ("a^b", false),
        ("a`b", false),
        ("ä", false),
        ("%", false),
        ("%4", false),
        ("%zz", false),
        ("a[::1]", false),
        ("[]", false),
        ("[::1", false),
        ("::1", false),
        ("[::1]a", false),
        ("[::1]80", false),
        ("[::1]:x", false),
        ("[1:2:3:4:5:6:7]", false),
        ("[1:2:3:4:5:6:7:8:9]", false),
        ("[1::2::3]", false),
        ("[12345::]", false),
        ("[g::]", false),
        ("[::192.0.2.256]", false),
        ("[::192.0.2]", false),
        ("[fe80::1%25eth0]", false),
        ("[fe80::1%eth0]", false),
        ("[v.a]", false),
        ("[v1.]", false),
        ("[v1]", false),
        ("[vg.a]", false),
        ("[ ::1]", false),
        ("[[::1]]", false),
    ];
    for (host, valid) in rows {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
        let expected = if valid {
            None
        } else {
            Some(Error::InvalidHost)
        };
        assert_eq!(
            whole(&bytes, &super::HeadLimits::default()).error,
            expected,
            "9110 §7.2 {host:?}"
        );
        if valid {
            with_head(&bytes, |head| {
                assert_eq!(head.host, host.as_bytes(), "{host:?}");
            });
        }
    }
}
