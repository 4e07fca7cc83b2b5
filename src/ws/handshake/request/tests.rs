use super::{RequestError, RequestOptions, encode_request};
use crate::ws::Uri;

const NONCE: [u8; 16] = *b"the sample nonce";

fn encoded(uri: &str, options: &RequestOptions<'_>) -> Result<String, RequestError> {
    let uri = Uri::parse(uri).expect("a URI");
    let mut out = b"before".to_vec();
    let result = encode_request(&mut out, &uri, options);
    let text = String::from_utf8(out).expect("ASCII");
    let request = text.strip_prefix("before").expect("appended");
    assert!(
        result.is_ok() || request.is_empty(),
        "nothing is left of it"
    );
    result.map(|()| request.to_owned())
}

#[test]
fn the_example_of_section_1_2() {
    let options = RequestOptions {
        origin: Some("http://example.com"),
        protocols: &["chat", "superchat"],
        extensions: &["permessage-deflate; client_max_window_bits", "x"],
        fields: &[("Cookie", b"a=b; \xfc"), ("X-Empty", b"")],
        ..RequestOptions::new(NONCE)
    };
    let uri = Uri::parse("ws://server.example.com/chat?a=b").expect("a URI");
    let mut out = Vec::new();
    encode_request(&mut out, &uri, &options).expect("well-formed");
    let expected: &[u8] = b"GET /chat?a=b HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x\r\n\
        Origin: http://example.com\r\n\
        Cookie: a=b; \xfc\r\n\
        X-Empty: \r\n\r\n";
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

#[test]
fn the_host_has_no_default_port() {
    for (uri, line) in [
        ("ws://a:80/", "\r\nHost: a\r\n"),
        ("wss://a:443/", "\r\nHost: a\r\n"),
        ("ws://a:443/", "\r\nHost: a:443\r\n"),
        ("ws://[::1]:81/", "\r\nHost: [::1]:81\r\n"),
    ] {
        let request = encoded(uri, &RequestOptions::new(NONCE)).expect("well-formed");
        assert!(request.contains(line), "{request}");
    }
}

#[test]
fn nothing_begins_a_line_of_its_own() {
    let refused = |options: RequestOptions<'_>| encoded("ws://a", &options).expect_err("refused");
    let new = RequestOptions::new(NONCE);
    for bad in ["", "a b", "a,b", "a\r\nb", "ü", "a\0"] {
        let protocols = &["good", bad];
        assert_eq!(
            refused(RequestOptions { protocols, ..new }),
            RequestError::Protocol(1),
            "{bad:?}"
        );
    }
    let protocols = &["a", "b", "a"];
    assert_eq!(
        refused(RequestOptions { protocols, ..new }),
        RequestError::RepeatedProtocol(2)
    );
    for bad in ["", ";a", "a, b", "a;\r\nb", "a;ü", "a b;c", "a;\0"] {
        let extensions = &[bad];
        assert_eq!(
            refused(RequestOptions { extensions, ..new }),
            RequestError::Extension(0),
            "{bad:?}"
        );
    }
    for bad in ["", "a b", "http://a\r\nb", "http://a\0", "http://ü"] {
        let origin = Some(bad);
        assert_eq!(
            refused(RequestOptions { origin, ..new }),
            RequestError::Origin,
            "{bad:?}"
        );
    }
    for bad in ["", "a b", "a:", "a\r\n", "ü"] {
        let fields: &[(&str, &[u8])] = &[(bad, b"x")];
        assert_eq!(
            refused(RequestOptions { fields, ..new }),
            RequestError::FieldName(0),
            "{bad:?}"
        );
    }
    for bad in [
        "host",
        "UPGRADE",
        "Connection",
        "content-length",
        "Transfer-Encoding",
        "sec-websocket-key",
        "Sec-WebSocket-X",
        "Origin",
    ] {
        let fields: &[(&str, &[u8])] = &[(bad, b"x")];
        assert_eq!(
            refused(RequestOptions { fields, ..new }),
            RequestError::OwnField(0),
            "{bad:?}"
        );
    }
    for byte in (0..b' ').filter(|&byte| byte != b'\t').chain([0x7f]) {
        let value = [b'a', byte, b'b'];
        let fields: &[(&str, &[u8])] = &[("Good", b"a\tb"), ("Bad", &value)];
        assert_eq!(
            refused(RequestOptions { fields, ..new }),
            RequestError::FieldValue(1),
            "{byte}"
        );
    }
}

#[test]
fn faults_name_their_place() {
    for (error, text) in [
        (RequestError::Protocol(1), "subprotocol 1 is no token"),
        (
            RequestError::RepeatedProtocol(2),
            "subprotocol 2 is offered twice",
        ),
        (RequestError::Extension(0), "extension 0 is malformed"),
        (RequestError::Origin, "the origin is not visible ASCII"),
        (
            RequestError::FieldName(0),
            "the name of field 0 is no token",
        ),
        (RequestError::OwnField(3), "field 3 is the handshake's own"),
        (RequestError::FieldValue(0), "field 0 holds a control byte"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
