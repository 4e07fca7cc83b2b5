use proptest::prelude::*;

use super::{Host, Uri, UriError};

/// Text, secure, Host field, port, resource name, in the usual form.
type Good = (
    &'static str,
    bool,
    &'static str,
    u16,
    &'static str,
    &'static str,
);

const GOOD: &[Good] = &[
    ("ws://a", false, "a", 80, "/", "ws://a/"),
    ("wss://a", true, "a", 443, "/", "wss://a/"),
    ("WS://A/B", false, "A", 80, "/B", "ws://A/B"),
    ("wSs://a:443/", true, "a", 443, "/", "wss://a/"),
    ("ws://a:443/", false, "a:443", 443, "/", "ws://a:443/"),
    ("wss://a:80", true, "a:80", 80, "/", "wss://a:80/"),
    ("ws://a:80", false, "a", 80, "/", "ws://a/"),
    ("ws://a:", false, "a", 80, "/", "ws://a/"),
    ("ws://a:/x", false, "a", 80, "/x", "ws://a/x"),
    ("ws://a:0080/", false, "a", 80, "/", "ws://a/"),
    (
        "ws://a:65535",
        false,
        "a:65535",
        65535,
        "/",
        "ws://a:65535/",
    ),
    ("ws://a?b", false, "a", 80, "/?b", "ws://a/?b"),
    ("ws://a?", false, "a", 80, "/?", "ws://a/?"),
    ("ws://a/?b?c/d", false, "a", 80, "/?b?c/d", "ws://a/?b?c/d"),
    (
        "ws://a//b/../c",
        false,
        "a",
        80,
        "//b/../c",
        "ws://a//b/../c",
    ),
    (
        "ws://a/%41%2f%0d",
        false,
        "a",
        80,
        "/%41%2f%0d",
        "ws://a/%41%2f%0d",
    ),
    (
        "ws://a/-._~!$&'()*+,;=:@",
        false,
        "a",
        80,
        "/-._~!$&'()*+,;=:@",
        "ws://a/-._~!$&'()*+,;=:@",
    ),
    ("ws://a/@b", false, "a", 80, "/@b", "ws://a/@b"),
    ("ws://a/ws://b", false, "a", 80, "/ws://b", "ws://a/ws://b"),
    (
        "ws://127.0.0.1:9/",
        false,
        "127.0.0.1:9",
        9,
        "/",
        "ws://127.0.0.1:9/",
    ),
    ("ws://[::1]", false, "[::1]", 80, "/", "ws://[::1]/"),
    (
        "wss://[2001:DB8::1]:8443/x",
        true,
        "[2001:DB8::1]:8443",
        8443,
        "/x",
        "wss://[2001:DB8::1]:8443/x",
    ),
    (
        "ws://[::ffff:1.2.3.4]:",
        false,
        "[::ffff:1.2.3.4]",
        80,
        "/",
        "ws://[::ffff:1.2.3.4]/",
    ),
    (
        "ws://a_b.example.",
        false,
        "a_b.example.",
        80,
        "/",
        "ws://a_b.example./",
    ),
    (
        "ws://1.example",
        false,
        "1.example",
        80,
        "/",
        "ws://1.example/",
    ),
    ("ws://0x7g", false, "0x7g", 80, "/", "ws://0x7g/"),
];

#[test]
fn good_ones() {
    for &(text, secure, host, port, name, usual) in GOOD {
        let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(uri.is_secure(), secure, "{text}");
        assert_eq!(uri.host_field().to_string(), host, "{text}");
        assert_eq!(uri.port(), port, "{text}");
        assert_eq!(uri.resource_name().to_string(), name, "{text}");
        assert_eq!(uri.to_string(), usual, "{text}");
        let again = Uri::parse(usual).expect("the usual form is a URI");
        assert_eq!(again.to_string(), usual, "{text}");
    }
}

#[test]
fn hosts_are_told_apart() {
    let host = |text| Uri::try_from(text).expect("a URI").host();
    assert_eq!(host("ws://localhost:1/"), Host::Name("localhost"));
    assert_eq!(host("ws://192.0.2.7"), Host::V4([192, 0, 2, 7].into()));
    let loopback = [0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(host("ws://[::1]:1"), Host::V6(loopback.into()));
    let uri = Uri::parse("ws://a/b?c").expect("a URI");
    assert_eq!((uri.path(), uri.query()), ("/b", Some("c")));
    assert_eq!(Uri::parse("ws://a").expect("a URI").query(), None);
}

#[test]
fn bad_ones() {
    let table: &[(&str, UriError)] = &[
        ("", UriError::NoScheme),
        ("a", UriError::NoScheme),
        ("ws:/a", UriError::NoScheme),
        ("ws:a", UriError::NoScheme),
        ("//a", UriError::NoScheme),
        ("://a", UriError::NoScheme),
        (" ws://a", UriError::NoScheme),
        ("1ws://a", UriError::NoScheme),
        ("ws\0://a", UriError::NoScheme),
        ("ws://", UriError::EmptyHost),
        ("ws:///a", UriError::EmptyHost),
        ("ws://:80", UriError::EmptyHost),
        ("ws://?a", UriError::EmptyHost),
        ("ws://#a", UriError::EmptyHost),
        ("ws://user@a", UriError::UserInfo),
        ("ws://user:word@a/", UriError::UserInfo),
        ("ws://@a", UriError::UserInfo),
        ("ws://a b", UriError::Host),
        ("ws://a%41", UriError::Host),
        ("ws://a,b", UriError::Host),
        ("ws://a\\b", UriError::Host),
        ("ws://a\tb", UriError::Host),
        ("ws://a\r\nb", UriError::Host),
        ("ws://ü", UriError::Host),
        ("ws://127.1", UriError::Host),
        ("ws://127.0.0.1.", UriError::Host),
        ("ws://010.0.0.1", UriError::Host),
        ("ws://256.0.0.1", UriError::Host),
        ("ws://2130706433", UriError::Host),
        ("ws://0x7f000001", UriError::Host),
        ("ws://a.0X1", UriError::Host),
        ("ws://[::1", UriError::Host),
        ("ws://[::1]a", UriError::Host),
        ("ws://[]", UriError::Host),
        ("ws://[1.2.3.4]", UriError::Host),
        ("ws://[fe80::1%25eth0]", UriError::Host),
        ("ws://[v1.a]", UriError::Host),
        ("ws://::1", UriError::EmptyHost),
        ("ws://a:b", UriError::Port),
        ("ws://a:0", UriError::Port),
        ("ws://a:65536", UriError::Port),
        ("ws://a:+80", UriError::Port),
        ("ws://a:-1", UriError::Port),
        ("ws://a:8 0", UriError::Port),
        ("ws://a:80:80", UriError::Port),
        ("ws://a:99999999999999999999", UriError::Port),
        ("ws://a#", UriError::Fragment),
        ("ws://a/#b", UriError::Fragment),
        ("ws://a/?b#c", UriError::Fragment),
        ("ws://a/%", UriError::Percent { at: 7 }),
        ("ws://a/%4", UriError::Percent { at: 7 }),
        ("ws://a/?%4g", UriError::Percent { at: 8 }),
        ("ws://a/%%41", UriError::Percent { at: 7 }),
    ];
    for &(text, error) in table {
        assert_eq!(Uri::parse(text), Err(error), "{text}");
    }
    for byte in (0..=b' ').chain(*b"\"<>[\\]^`{|}\x7f") {
        let text = format!("ws://a/b{}", char::from(byte));
        let error = UriError::Byte { byte, at: 8 };
        assert_eq!(Uri::parse(&text), Err(error), "{text:?}");
    }
    let beyond = Err(UriError::Byte { byte: 0xc3, at: 8 });
    assert_eq!(Uri::parse("ws://a/?ü"), beyond);
}

#[test]
fn other_schemes_are_named() {
    for (text, said) in [
        ("http://a", "the scheme is http; for a WebSocket it is ws"),
        (
            "HTTPS://a",
            "the scheme is https; for a WebSocket it is wss",
        ),
        ("ftp://a", "the scheme is ftp, not ws or wss"),
        (
            "coap+ws.what-is-it://a",
            "the scheme is coap+ws.what-is-, not ws or wss",
        ),
    ] {
        let error = Uri::parse(text).expect_err("no WebSocket");
        assert_eq!(error.to_string(), said);
    }
    let error = Uri::parse("ws://a/ ").expect_err("a space");
    assert_eq!(error.to_string(), "` ` at byte 7 must be percent-encoded");
    let error = Uri::parse("ws://a/\n").expect_err("a line end");
    assert_eq!(error.to_string(), "`\\n` at byte 7 must be percent-encoded");
}

proptest! {
    #[test]
    fn the_usual_form_is_a_uri_with_the_same_parts(
        text in "[wW][sS]{1,2}://[a-z0-9.:@\\[\\]%]{0,12}[/?]?[ -~ü]{0,12}"
    ) {
        if let Ok(uri) = Uri::parse(&text) {
            let usual = uri.to_string();
            let again = Uri::parse(&usual).expect("the usual form is a URI");
            prop_assert_eq!(again.to_string(), usual.as_str());
            prop_assert_eq!((again.host(), again.port()), (uri.host(), uri.port()));
            prop_assert_eq!((again.path(), again.query()), (uri.path(), uri.query()));
            prop_assert!(uri.port() > 0 && uri.path().starts_with('/'));
        }
    }

    #[test]
    fn no_text_is_too_odd(text in any::<String>()) {
        let _ = Uri::parse(&text);
        let _ = Uri::parse(&format!("ws://{text}"));
        let _ = Uri::parse(&format!("ws://a/{text}"));
    }
}
