//! RFC 9112 §3.2 and RFC 3986.

use super::super::{Method, TargetForm};
use super::{refuse, with_head};

#[test]
fn every_byte_is_one_that_uris_contain() {
    let allowed =
        b"!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~";
    for byte in 0..=u8::MAX {
        for place in ["/", "/?"] {
            let mut bytes = format!("GET {place}").into_bytes();
            bytes.push(byte);
            bytes.extend_from_slice(b"z HTTP/1.1\r\nHost: a\r\n\r\n");
            let story = super::whole(&bytes, &super::HeadLimits::default());
            // A space ends the target, so that the rest is no version.
            let accepted = story.error.is_none();
            assert_eq!(
                accepted,
                allowed.contains(&byte),
                "{byte:#x} behind {place}: {:?}",
                story.error
            );
        }
    }
}

#[test]
fn malformed_targets() {
    refuse(
        r"
        3986 §2.1 percent and nothing | InvalidTarget | GET /% HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §2.1 percent and one digit | InvalidTarget | GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §2.1 percent and letters | InvalidTarget | GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §2.1 percent, digit, letter | InvalidTarget | GET /%4g HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §2.1 percent twice | InvalidTarget | GET /%%41 HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §2.1 percent in the query | InvalidTarget | GET /?a=% HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2 fragment | InvalidTarget | GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 fragment | InvalidTarget | GET http://a/#b HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2 not ASCII | InvalidTarget | GET /ä HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2 backslash | InvalidTarget | GET \\a HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.1 no slash | InvalidTargetForm | GET a HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.1 a query alone | InvalidTargetForm | GET ?a HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.1 a dot | InvalidTargetForm | GET . HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.1 origin form for CONNECT | InvalidTargetForm | CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 unknown scheme | InvalidTargetForm | GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 scheme like http | InvalidTargetForm | GET httpx://a/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 ws scheme | InvalidTargetForm | GET ws://a/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 empty scheme | InvalidTargetForm | GET ://a/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 one slash | InvalidAuthority | GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 no slash | InvalidAuthority | GET http:a HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §4.2.1 empty host | InvalidAuthority | GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §4.2.1 empty host with a port | InvalidAuthority | GET http://:80/a HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §4.2.1 empty host and query | InvalidAuthority | GET http://?a HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §4.2.4 userinfo | InvalidAuthority | GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §4.2.4 userinfo with a password | InvalidAuthority | GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §3.2.3 port too high | InvalidAuthority | GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §3.2.3 port of letters | InvalidAuthority | GET http://a:b/ HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §3.2.2 open bracket | InvalidAuthority | GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n
        3986 §3.2.2 bytes behind a bracket | InvalidAuthority | GET http://[::1]a/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.2 absolute form for CONNECT | InvalidAuthority | CONNECT http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 no port | InvalidAuthority | CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 empty port | InvalidAuthority | CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 port 0 | InvalidAuthority | CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 port 65536 | InvalidAuthority | CONNECT a:65536 HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 no host | InvalidAuthority | CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 userinfo | InvalidAuthority | CONNECT u@a:80 HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.3.6 path | InvalidAuthority | CONNECT a:80/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.3 authority form for GET | InvalidTargetForm | GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.3 address and port for GET | InvalidTargetForm | GET 127.0.0.1:80 HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.4 asterisk for GET | InvalidTargetForm | GET * HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.4 asterisk for CONNECT | InvalidAuthority | CONNECT * HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.4 asterisk for options in lower case | InvalidTargetForm | options * HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.4 two asterisks | InvalidTargetForm | OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n
        §3.2.4 asterisk and query | InvalidTargetForm | OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n
        ",
    );
}

/// Method, target, form, path, query, host.
type Row<'a> = (
    &'a str,
    &'a str,
    TargetForm,
    &'a str,
    Option<&'a str>,
    &'a str,
);

#[test]
fn forms_and_parts() {
    use TargetForm::{Absolute, Asterisk, Authority, Origin};
    let rows: &[Row<'_>] = &[
        ("GET", "/", Origin, "/", None, "h"),
        ("GET", "/a/b", Origin, "/a/b", None, "h"),
        ("GET", "/a?b", Origin, "/a", Some("b"), "h"),
        ("GET", "/a?", Origin, "/a", Some(""), "h"),
        ("GET", "/?b?c=/d", Origin, "/", Some("b?c=/d"), "h"),
        ("GET", "//a", Origin, "//a", None, "h"),
        ("GET", "/../x", Origin, "/../x", None, "h"),
        ("GET", "/%2e%2E/%00", Origin, "/%2e%2E/%00", None, "h"),
        ("GET", "/a?x=%20%3f", Origin, "/a", Some("x=%20%3f"), "h"),
        ("GET", "/a?x[]=1", Origin, "/a", Some("x[]=1"), "h"),
        ("GET", "/http://a/", Origin, "/http://a/", None, "h"),
        ("OPTIONS", "/a", Origin, "/a", None, "h"),
        ("OPTIONS", "*", Asterisk, "*", None, "h"),
        ("OPTIONS", "http://b", Absolute, "/", None, "b"),
        ("GET", "http://b", Absolute, "/", None, "b"),
        ("GET", "http://b/", Absolute, "/", None, "b"),
        ("GET", "http://b?q", Absolute, "/", Some("q"), "b"),
        ("GET", "HTTP://b/x?q", Absolute, "/x", Some("q"), "b"),
        ("GET", "hTTps://b:443/x", Absolute, "/x", None, "b:443"),
        ("GET", "https://b:/x", Absolute, "/x", None, "b:"),
        ("GET", "http://b:65535/", Absolute, "/", None, "b:65535"),
        (
            "GET",
            "http://[2001:db8::1]:8080/x",
            Absolute,
            "/x",
            None,
            "[2001:db8::1]:8080",
        ),
        (
            "GET",
            "http://192.0.2.7/x",
            Absolute,
            "/x",
            None,
            "192.0.2.7",
        ),
        ("GET", "http://%41.b/x", Absolute, "/x", None, "%41.b"),
        ("CONNECT", "b:443", Authority, "", None, "b:443"),
        ("CONNECT", "[::1]:1", Authority, "", None, "[::1]:1"),
        (
            "CONNECT",
            "192.0.2.7:65535",
            Authority,
            "",
            None,
            "192.0.2.7:65535",
        ),
    ];
    for (method, target, form, path, query, host) in rows {
        with_head(
            format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes(),
            |head| {
                let name = format!("{method} {target}");
                assert_eq!(head.method, Method::of(method.as_bytes()), "{name}");
                assert_eq!(head.target.raw(), target.as_bytes(), "{name}");
                assert_eq!(head.target.form(), *form, "{name}");
                assert_eq!(head.target.path(), path.as_bytes(), "{name}");
                assert_eq!(head.target.query(), query.map(str::as_bytes), "{name}");
                assert_eq!(head.host, host.as_bytes(), "§3.3 {name}");
            },
        );
    }
}
