//! The handshake against RFC 6455 §4, with the RFC's own key. Each case is the good request with something changed.

use super::*;

const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

type Field<'a> = (&'a str, &'a str);

const GOOD: [Field<'_>; 7] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Origin", "http://example.com"),
    ("Sec-WebSocket-Protocol", "chat, superchat"),
    ("Sec-WebSocket-Version", "13"),
];

/// The good request without the fields named in `changes`, and with the changes that have a value.
fn request<'a>(changes: &[(&'a str, &'a [&'a str])]) -> Vec<(&'a [u8], &'a [u8])> {
    let kept = GOOD
        .into_iter()
        .filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let changed = changes
        .iter()
        .flat_map(|&(name, values)| values.iter().map(move |&value| (name, value)));
    kept.chain(changed)
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

/// The status that the changed request gets.
fn status(changes: &[(&str, &[&str])]) -> u16 {
    match accept(true, true, request(changes).into_iter()) {
        Ok(_) => 101,
        Err(refusal) => refusal.status,
    }
}

#[test]
fn the_example_of_section_1_3() {
    assert_eq!(&accept_key(KEY), ACCEPT);
    assert_eq!(encode_key(*b"the sample nonce"), KEY);
    let accepted = accept(true, true, request(&[]).into_iter()).unwrap();
    assert_eq!(&accepted.key_accept, ACCEPT);
    assert_eq!(accepted.origin, Some(&b"http://example.com"[..]));
    assert!(accepted.protocols.iter().eq(["chat", "superchat"]));
    assert!(accepted.protocols.contains("superchat"));
    assert!(!accepted.protocols.contains("Chat"));
    assert_eq!(accepted.extensions().count(), 0);
    let mut out = Vec::new();
    let chat = Agreement {
        protocol: Some("chat"),
        ..Agreement::default()
    };
    encode_101(&mut out, &accepted.key_accept, &chat);
    let reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(out, reply.as_bytes());
}

#[test]
fn upgrade_and_connection_are_lists_in_any_case() {
    for upgrade in [
        "WebSocket",
        "h2c, websocket",
        "a,,\tWEBSOCKET\t,b",
        " websocket ",
    ] {
        assert_eq!(status(&[("Upgrade", &[upgrade])]), 101, "{upgrade}");
    }
    assert_eq!(status(&[("Upgrade", &["h2c", "websocket"])]), 101);
    for upgrade in [
        "",
        "web",
        "websockets",
        "websocket/13",
        "web socket",
        "websocket;q=1",
    ] {
        assert_eq!(status(&[("Upgrade", &[upgrade])]), 426, "{upgrade}");
    }
    for connection in ["keep-alive, Upgrade", "UPGRADE", "upgrade,close"] {
        assert_eq!(
            status(&[("Connection", &[connection])]),
            101,
            "{connection}"
        );
    }
    for connection in ["", "keep-alive", "upgraded", "Upgrade-Insecure-Requests"] {
        assert_eq!(
            status(&[("Connection", &[connection])]),
            400,
            "{connection}"
        );
    }
    assert_eq!(status(&[("Connection", &[])]), 400);
}

#[test]
fn the_key_is_sixteen_bytes_once() {
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",       // no padding
        "dGhlIHNhbXBsZSBub25jZQ=",      // half of it
        "dGhlIHNhbXBsZSBub25jZR==",     // bits set that decode to nothing
        "dGhlIHNhbXBsZSBub25jZQ==AAAA", // more behind
        "dGhlIHNhbXBsZSBub25jZTE=",     // 17 bytes
        "dGhlIHNhbXBsZSBub25jZTEy",     // 18 bytes
        "dGhlIHNhbXBsZSBub25j",         // 15 bytes
        "dGhlIHNhbXBsZSBub25-ZQ==",     // base64url
        "dGhl IHNhbXBsZSBub25jZ==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        assert_eq!(status(&[("Sec-WebSocket-Key", &[key])]), 400, "{key}");
    }
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(status(&[("Sec-WebSocket-Key", &[key, key])]), 400);
    assert_eq!(status(&[("Sec-WebSocket-Key", &[])]), 400);
    assert_eq!(
        status(&[("Sec-WebSocket-Key", &["AAAAAAAAAAAAAAAAAAAAAA=="])]),
        101
    );
    assert_eq!(
        status(&[("Sec-WebSocket-Key", &["/////////////////////w=="])]),
        101
    );
}

/// RFC 6455 §4.2.2 and §4.4: the refusal names the version that we speak.
#[test]
fn the_version_is_13_once() {
    let table: [&[&str]; 9] = [
        &[],
        &["12"],
        &["013"],
        &["+13"],
        &["13.0"],
        &["8, 13"],
        &["13", "13"],
        &["8", "13"],
        &[""],
    ];
    for versions in table {
        let fields = request(&[("Sec-WebSocket-Version", versions)]);
        let refusal = accept(true, true, fields.into_iter()).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.upgrade_version),
            (426, true),
            "{versions:?}"
        );
        assert!(refusal.fields().contains(&("Sec-WebSocket-Version", "13")));
        assert!(refusal.fields().contains(&("Upgrade", "websocket")));
    }
}

/// RFC 9110 §15.5.22 and §15.5.6: what a refusal must carry.
#[test]
fn refusals_say_what_would_be_right() {
    let plain: [(&[u8], &[u8]); 1] = [(b"Host", b"example.com")];
    let refusal = accept(true, true, plain.into_iter()).unwrap_err();
    assert_eq!((refusal.status, refusal.upgrade_version), (426, false));
    assert_eq!(
        refusal.fields(),
        [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    );
    let refusal = accept(false, true, request(&[]).into_iter()).unwrap_err();
    assert_eq!(
        (refusal.status, refusal.fields()),
        (405, &[("Allow", "GET")][..])
    );
    let refusal = accept(true, false, request(&[]).into_iter()).unwrap_err();
    assert_eq!((refusal.status, refusal.fields()), (400, &[][..]));
}

#[test]
fn subprotocols_are_different_tokens() {
    for offers in [
        "chat",
        " a ,b",
        "a,,b",
        "v1.stomp, v2.stomp",
        "a,A",
        "!#$%&'*+-.^_`|~",
    ] {
        assert_eq!(
            status(&[("Sec-WebSocket-Protocol", &[offers])]),
            101,
            "{offers}"
        );
    }
    for offers in [
        "",
        ",",
        "a,a",
        "a b",
        "a, \"b\"",
        "a/b",
        "chat;x",
        "caf\u{e9}",
        "a,b,a",
    ] {
        assert_eq!(
            status(&[("Sec-WebSocket-Protocol", &[offers])]),
            400,
            "{offers}"
        );
    }
    assert_eq!(status(&[("Sec-WebSocket-Protocol", &["a", "b"])]), 101);
    assert_eq!(status(&[("Sec-WebSocket-Protocol", &["a", "a"])]), 400);
    assert_eq!(status(&[("Sec-WebSocket-Protocol", &[])]), 101);
    let many = |count| {
        (0..count)
            .map(|i| format!("p{i}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        status(&[("Sec-WebSocket-Protocol", &[&many(OFFERS_MAX)])]),
        101
    );
    assert_eq!(
        status(&[("Sec-WebSocket-Protocol", &[&many(OFFERS_MAX + 1)])]),
        400
    );
}

#[test]
fn extensions_are_handed_on_and_origin_is_one() {
    let lines: &[&str] = &[" permessage-deflate ", "x; y=\"ab\"", "c", "d", "e"];
    let fields = request(&[("Sec-WebSocket-Extensions", lines), ("Origin", &[])]);
    let accepted = accept(true, true, fields.into_iter()).unwrap();
    let expected: [&[u8]; 4] = [b"permessage-deflate", b"x; y=\"ab\"", b"c", b"d"];
    assert!(accepted.extensions().eq(expected));
    assert_eq!(accepted.origin, None);
    assert_eq!(status(&[("Origin", &["https://a", "https://b"])]), 400);
}

/// RFC 6455 §9.1: an unknown extension is ignored, a list against the grammar is refused, in whatever line it stands.
#[test]
fn extensions_are_a_list() {
    for line in ["x-unknown", "a;b=\"c\", d", ",a,"] {
        assert_eq!(
            status(&[("Sec-WebSocket-Extensions", &[line])]),
            101,
            "{line}"
        );
    }
    for line in [
        "",
        ",",
        "a b",
        "a;",
        "a;b=",
        "a;b=\"c",
        "\"a\"",
        "a;b=\"c d\"",
    ] {
        assert_eq!(
            status(&[("Sec-WebSocket-Extensions", &[line])]),
            400,
            "{line}"
        );
        let last: &[&str] = &["a", "b", "c", "d", line];
        assert_eq!(status(&[("Sec-WebSocket-Extensions", last)]), 400, "{line}");
    }
}

#[test]
fn the_101_says_what_was_agreed_on() {
    let mut out = Vec::new();
    let agreement = Agreement {
        protocol: Some("chat"),
        extensions: Some("permessage-deflate; server_no_context_takeover"),
        fields: b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n",
    };
    encode_101(&mut out, ACCEPT, &agreement);
    let lines = "\r\nSec-WebSocket-Protocol: chat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\
        Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n";
    assert!(out.ends_with(lines.as_bytes()));
}

#[test]
#[should_panic(expected = "a field line ends with CRLF")]
fn no_field_runs_into_the_frames() {
    let agreement = Agreement {
        fields: b"X-Mine: yes",
        ..Agreement::default()
    };
    encode_101(&mut Vec::new(), ACCEPT, &agreement);
}

#[test]
#[should_panic(expected = "extensions are tokens")]
fn no_line_breaks_get_into_the_extensions() {
    let agreement = Agreement {
        extensions: Some("x\r\nSet-Cookie: a=b"),
        ..Agreement::default()
    };
    encode_101(&mut Vec::new(), ACCEPT, &agreement);
}

#[test]
#[should_panic(expected = "a subprotocol is a token")]
fn no_line_breaks_get_into_the_reply() {
    let forged = Agreement {
        protocol: Some("chat\r\nSet-Cookie: a=b"),
        ..Agreement::default()
    };
    encode_101(&mut Vec::new(), ACCEPT, &forged);
}

const REPLY: [Field<'_>; 3] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
];

/// RFC 6455 §4.1: the good reply with one field replaced by other lines, or with lines added.
fn replied<'a>(name: &'a str, values: &'a [&'a str]) -> Result<Reply<'a>, ReplyError> {
    let kept = REPLY.into_iter().filter(move |field| field.0 != name);
    let fields = kept.chain(values.iter().map(move |&value| (name, value)));
    check_reply(
        fields.map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        101,
        KEY,
    )
}

#[test]
fn the_client_believes_no_server() {
    let none = Reply {
        protocol: None,
        extensions: None,
    };
    assert_eq!(replied("", &[]), Ok(none));
    assert_eq!(replied("Upgrade", &["WebSocket"]), Ok(none));
    assert_eq!(replied("Connection", &["keep-alive, upgrade"]), Ok(none));
    assert_eq!(replied("Sec-WebSocket-Extensions", &[""]), Ok(none));
    let chat = Reply {
        protocol: Some("chat"),
        ..none
    };
    assert_eq!(replied("Sec-WebSocket-Protocol", &["chat"]), Ok(chat));
    let deflate = Reply {
        extensions: Some(b"permessage-deflate"),
        ..none
    };
    assert_eq!(
        replied("Sec-WebSocket-Extensions", &["permessage-deflate"]),
        Ok(deflate)
    );
    let table: &[(&str, &[&str], ReplyError)] = &[
        ("Upgrade", &[], ReplyError::Upgrade),
        ("Upgrade", &["h2c"], ReplyError::Upgrade),
        ("Upgrade", &["websocket, h2c"], ReplyError::Upgrade),
        ("Connection", &[], ReplyError::Connection),
        ("Connection", &["close"], ReplyError::Connection),
        ("Sec-WebSocket-Accept", &[], ReplyError::Accept),
        (
            "Sec-WebSocket-Accept",
            &["S3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
            ReplyError::Accept,
        ),
        (
            "Sec-WebSocket-Accept",
            &["s3pPLMBiTxaQ9kYGzzhZRbK+xOo"],
            ReplyError::Accept,
        ),
        ("Sec-WebSocket-Protocol", &["a", "a"], ReplyError::Protocol),
        ("Sec-WebSocket-Protocol", &["a, b"], ReplyError::Protocol),
        ("Sec-WebSocket-Protocol", &[""], ReplyError::Protocol),
        (
            "Sec-WebSocket-Extensions",
            &["a", "b"],
            ReplyError::Extensions,
        ),
    ];
    for &(name, values, error) in table {
        assert_eq!(replied(name, values), Err(error), "{name}: {values:?}");
    }
    let refused = check_reply(std::iter::empty(), 403, KEY);
    assert_eq!(refused, Err(ReplyError::Status(403)));
    assert_eq!(
        ReplyError::Status(403).to_string(),
        "the server answered 403 instead of 101"
    );
}

#[test]
fn the_client_gets_nothing_that_it_did_not_offer() {
    let reply = |protocol, extensions: &'static str| Reply {
        protocol,
        extensions: (!extensions.is_empty()).then_some(extensions.as_bytes()),
    };
    let offers = ["a", "b; x=1; y"];
    let table: &[(Reply<'_>, Result<(), ReplyError>)] = &[
        (reply(None, ""), Ok(())),
        (reply(Some("chat"), ""), Ok(())),
        (reply(Some("Chat"), ""), Err(ReplyError::UnofferedProtocol)),
        (reply(Some("chat2"), ""), Err(ReplyError::UnofferedProtocol)),
        (reply(None, "a"), Ok(())),
        (reply(None, "b ; x=\"2\" , a"), Ok(())),
        (reply(None, ", a,"), Ok(())),
        (reply(None, "c"), Err(ReplyError::UnofferedExtension)),
        (reply(None, "a, c; a"), Err(ReplyError::UnofferedExtension)),
        (reply(None, ";"), Err(ReplyError::UnofferedExtension)),
        (reply(None, "x=1"), Err(ReplyError::UnofferedExtension)),
    ];
    for (reply, expected) in table {
        let checked = reply.check_offers(&["chat", "superchat"], &offers);
        assert_eq!(checked, *expected, "{reply:?}");
    }
    let none = reply(Some("chat"), "").check_offers(&[], &[]);
    assert_eq!(none, Err(ReplyError::UnofferedProtocol));
}
