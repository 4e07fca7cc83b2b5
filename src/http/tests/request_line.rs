//! RFC 9112 §2.2, §2.3 and §3.

use super::super::{Method, Version};
use super::{accept, refuse, with_head};

#[test]
fn lines_end_in_crlf() {
    refuse(
        r"
        §2.2 bare LF ends the request line | BareLf | GET / HTTP/1.1\nHost: a\r\n\r\n
        §2.2 bare LF ends a field | BareLf | GET / HTTP/1.1\r\nHost: a\n\r\n
        §2.2 bare LF ends the head | BareLf | GET / HTTP/1.1\r\nHost: a\r\n\n
        §2.2 only bare LFs | BareLf | GET / HTTP/1.1\nHost: a\n\n
        §2.2 bare LF after the method | BareLf | GET\n/ HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 bare LF after the target | BareLf | GET /\nHTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 bare LF inside a value | BareLf | GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n
        §2.2 bare LF inside a name | BareLf | GET / HTTP/1.1\r\nHost: a\r\nX\nY: a\r\n\r\n
        §2.2 LF CR instead of CR LF | BareLf | GET / HTTP/1.1\n\rHost: a\n\r\n\r
        §2.2 bare CR ends the request line | BareCr | GET / HTTP/1.1\rHost: a\r\n\r\n
        §2.2 bare CR ends a field | BareCr | GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n
        §2.2 bare CR inside a value | BareCr | GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n
        §2.2 CR CR LF | BareCr | GET / HTTP/1.1\r\nHost: a\r\r\n\r\n
        §2.2 CR CR LF after the request line | BareCr | GET / HTTP/1.1\r\r\nHost: a\r\n\r\n
        §2.2 bare CR starts a field line | BareCr | GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n
        §2.2 bare CR ends the head | BareCr | GET / HTTP/1.1\r\nHost: a\r\n\rG
        §2.2 bare CR before the method | BareCr | \rGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 bare LF before the method | BareLf | \nGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 five empty lines | TooManyEmptyLines | \r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 empty lines without end | TooManyEmptyLines | \r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n
        §2.2 space before the first field | ObsoleteFold | GET / HTTP/1.1\r\n Host: a\r\n\r\n
        §2.2 tab before the first field | ObsoleteFold | GET / HTTP/1.1\r\n\tHost: a\r\n\r\n
        §2.2 a line of space before the first field | ObsoleteFold | GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n
        ",
    );
    accept(
        r"
        §2.2 one empty line | \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 four empty lines | \r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 empty line between requests | GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §2.2 the count of empty lines starts anew | \r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n
        ",
    );
}

#[test]
fn the_line_has_three_parts_and_two_spaces() {
    refuse(
        r"
        §3 leading space | InvalidMethod |  GET / HTTP/1.1\r\nHost: a\r\n\r\n
        §3 leading tab | InvalidMethod | \tGET / HTTP/1.1\r\nHost: a\r\n\r\n
        §3 two spaces after the method | InvalidTarget | GET  / HTTP/1.1\r\nHost: a\r\n\r\n
        §3 two spaces before the version | InvalidVersion | GET /  HTTP/1.1\r\nHost: a\r\n\r\n
        §3 tab after the method | InvalidMethod | GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3 tab before the version | InvalidTarget | GET /\tHTTP/1.1\r\nHost: a\r\n\r\n
        §3 trailing space | InvalidVersion | GET / HTTP/1.1 \r\nHost: a\r\n\r\n
        §3 trailing tab | InvalidVersion | GET / HTTP/1.1\t\r\nHost: a\r\n\r\n
        §3 vertical tab | InvalidMethod | GET\x0b/ HTTP/1.1\r\nHost: a\r\n\r\n
        §3 form feed | InvalidTarget | GET /\x0cHTTP/1.1\r\nHost: a\r\n\r\n
        §3 space inside the target | InvalidVersion | GET /a b HTTP/1.1\r\nHost: a\r\n\r\n
        §3 four parts | InvalidVersion | GET / HTTP/1.1 x\r\nHost: a\r\n\r\n
        §3 method only | InvalidMethod | GET\r\nHost: a\r\n\r\n
        §3 method and space only | MissingVersion | GET \r\nHost: a\r\n\r\n
        §3 no target | MissingVersion | GET HTTP/1.1\r\nHost: a\r\n\r\n
        §3 empty target | InvalidTarget | GET  HTTP/1.1\r\nHost: a\r\n\r\n
        §3 no version, as in HTTP/0.9 | MissingVersion | GET /\r\n\r\n
        §3 empty version | MissingVersion | GET / \r\nHost: a\r\n\r\n
        ",
    );
}

#[test]
fn methods_are_tokens() {
    refuse(
        r#"
        9110 §9.1 parenthesis | InvalidMethod | GE(T / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 at sign | InvalidMethod | G@T / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 colon | InvalidMethod | GET: / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 comma | InvalidMethod | GET,POST / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 quotes | InvalidMethod | "GET" / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 slash | InvalidMethod | GET/ / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 NUL | InvalidMethod | G\0T / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 DEL | InvalidMethod | GET\x7f / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 not ASCII | InvalidMethod | GÉT / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 braces | InvalidMethod | {GET} / HTTP/1.1\r\nHost: a\r\n\r\n
        a TLS client is refused at its first byte | InvalidMethod | \x16\x03\x01\x02\0
        §3 33 bytes | MethodTooLong | AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\nHost: a\r\n\r\n
        9113 §3.4 the HTTP/2 preface | UnsupportedVersion | PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n
        "#,
    );
    accept(
        r"
        §3 32 bytes | AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §5.6.2 every tchar | !#$%&'*+-.^_`|~09AZaz / HTTP/1.1\r\nHost: a\r\n\r\n
        9110 §9.1 one byte | X / HTTP/1.1\r\nHost: a\r\n\r\n
        ",
    );
}

#[test]
fn methods_have_names() {
    let rows: &[(&str, Method<'_>)] = &[
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("PATCH", Method::Patch),
        ("TRACE", Method::Trace),
        ("get", Method::Unknown(b"get")),
        ("Get", Method::Unknown(b"Get")),
        ("GETS", Method::Unknown(b"GETS")),
        ("PROPFIND", Method::Unknown(b"PROPFIND")),
    ];
    for (token, method) in rows {
        with_head(
            format!("{token} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
            |head| {
                assert_eq!(head.method, *method, "{token}");
                assert_eq!(head.method.as_bytes(), token.as_bytes(), "{token}");
                assert_eq!(head.method.to_string(), *token, "{token}");
            },
        );
    }
    assert_eq!(Method::of(b"CONNECT"), Method::Connect);
    assert_eq!(Method::Connect.as_bytes(), b"CONNECT");
}

#[test]
fn versions() {
    refuse(
        r"
        §2.3 lower case | InvalidVersion | GET / http/1.1\r\nHost: a\r\n\r\n
        §2.3 mixed case | InvalidVersion | GET / Http/1.1\r\nHost: a\r\n\r\n
        §2.3 two minor digits | InvalidVersion | GET / HTTP/1.10\r\nHost: a\r\n\r\n
        §2.3 two major digits | InvalidVersion | GET / HTTP/01.1\r\nHost: a\r\n\r\n
        §2.3 no minor version | InvalidVersion | GET / HTTP/1\r\nHost: a\r\n\r\n
        §2.3 no minor digit | InvalidVersion | GET / HTTP/1.\r\nHost: a\r\n\r\n
        §2.3 no major digit | InvalidVersion | GET / HTTP/.1\r\nHost: a\r\n\r\n
        §2.3 comma | InvalidVersion | GET / HTTP/1,1\r\nHost: a\r\n\r\n
        §2.3 no slash | InvalidVersion | GET / HTTP1.1\r\nHost: a\r\n\r\n
        §2.3 space inside | InvalidVersion | GET / HTTP/ 1.1\r\nHost: a\r\n\r\n
        §2.3 sign | InvalidVersion | GET / HTTP/+1.1\r\nHost: a\r\n\r\n
        §2.3 letters | InvalidVersion | GET / HTTP/x.y\r\nHost: a\r\n\r\n
        §2.3 other protocol | InvalidVersion | GET / RTSP/1.0\r\nHost: a\r\n\r\n
        §2.3 name only | InvalidVersion | GET / HTTP\r\nHost: a\r\n\r\n
        §2.3 NUL behind it | InvalidVersion | GET / HTTP/1.1\0\r\nHost: a\r\n\r\n
        9110 §15.6.6 HTTP/2.0 | UnsupportedVersion | GET / HTTP/2.0\r\nHost: a\r\n\r\n
        9110 §15.6.6 HTTP/3.0 | UnsupportedVersion | GET / HTTP/3.0\r\nHost: a\r\n\r\n
        9110 §15.6.6 HTTP/0.9 | UnsupportedVersion | GET / HTTP/0.9\r\nHost: a\r\n\r\n
        9110 §15.6.6 HTTP/9.9 | UnsupportedVersion | GET / HTTP/9.9\r\nHost: a\r\n\r\n
        ",
    );
    let rows = [
        ("HTTP/1.1", Version::Http11),
        ("HTTP/1.0", Version::Http10),
        ("HTTP/1.2", Version::Http11),
        ("HTTP/1.9", Version::Http11),
    ];
    for (text, version) in rows {
        with_head(
            format!("GET / {text}\r\nHost: a\r\n\r\n").as_bytes(),
            |head| {
                assert_eq!(head.version, version, "9110 §2.5 {text}");
            },
        );
    }
}
