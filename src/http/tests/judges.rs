//! Outside judges: `httparse` reads what we accept the same way, and reads back what we write.

use proptest::prelude::*;

use super::super::{
    Head, Method, ReplyHead, ReplyTo, Status, Version, encode_chunk, encode_last_chunk,
};

/// Whatever we accept, httparse accepts with the same method, target, version and fields.
fn agrees(bytes: &[u8]) -> bool {
    let Ok(head) = Head::parse(bytes) else {
        return false;
    };
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let status = request.parse(bytes);
    // httparse knows no minor version but 0 and 1 and takes a narrower view of that digit than RFC 9110 §2.5.
    let digit = bytes
        .windows(8)
        .find(|part| part.starts_with(b"HTTP/1."))
        .map(|part| part[7]);
    if matches!(digit, Some(b'2'..=b'9')) {
        return true;
    }
    assert_eq!(
        status,
        Ok(httparse::Status::Complete(bytes.len())),
        "{:?}",
        bytes.escape_ascii().to_string()
    );
    assert_eq!(
        request.method.map(str::as_bytes),
        Some(head.method.as_bytes())
    );
    assert_eq!(request.path.map(str::as_bytes), Some(head.target.raw()));
    assert_eq!(
        request.version,
        Some(u8::from(head.version == Version::Http11))
    );
    let theirs: Vec<_> = request
        .headers
        .iter()
        .map(|field| (field.name.as_bytes(), field.value))
        .collect();
    let ours: Vec<_> = head.fields.clone().collect();
    assert_eq!(ours, theirs);
    true
}

#[test]
fn known_leniencies_of_the_other() {
    let rows: &[(&str, &str)] = &[
        ("bare LF", "GET / HTTP/1.1\nHost: a\n\n"),
        ("no Host", "GET / HTTP/1.1\r\n\r\n"),
        ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("invalid Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (
            "length and coding",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "signed length",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        ),
        ("fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("malformed percent", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "form that does not fit",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "many empty lines",
            "\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "not ASCII in the target",
            "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ];
    for (name, text) in rows {
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let theirs = httparse::Request::new(&mut fields).parse(text.as_bytes());
        assert!(
            matches!(theirs, Ok(httparse::Status::Complete(_))),
            "{name}: {theirs:?}"
        );
        assert!(Head::parse(text.as_bytes()).is_err(), "{name}");
    }
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let target = "(/[a-zA-Z0-9._~!$&'()*+,;=:@/?-]{0,40}|http://[a-z.]{1,9}(/[a-z?]{0,9})?|\\*)";
    let field = (
        "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}",
        "[ \t]{0,3}",
        "([!-~]([ \t!-~]{0,40}[!-~])?)?",
        "[ \t]{0,3}",
    );
    let field =
        field.prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"));
    let line = ("(GET|HEAD|POST|OPTIONS|X-Y)", target, "1\\.[019]");
    (line, proptest::collection::vec(field, 0..12)).prop_map(
        |((method, target, version), fields)| {
            format!(
                "{method} {target} HTTP/{version}\r\nHost: a\r\n{}\r\n",
                fields.concat()
            )
            .into_bytes()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_we_accept_the_other_reads_alike(bytes in head()) {
        agrees(&bytes);
    }

    #[test]
    fn also_with_a_byte_changed(bytes in head(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        agrees(&bytes);
    }

    #[test]
    fn what_we_write_the_other_reads_back(
        code in 200..600_u16,
        fields in proptest::collection::vec(("X-[A-Za-z-]{1,20}", "([!-~]([ -~]{0,30}[!-~])?)?"), 0..10),
        size in proptest::option::of(any::<u64>()),
        version in prop_oneof![Just(Version::Http10), Just(Version::Http11)],
        (keep_alive, head_only) in any::<(bool, bool)>(),
    ) {
        let status = Status::new(code).expect("between 100 and 599");
        let to = ReplyTo { head_only, connect: false, version, keep_alive };
        let mut out = b"before".to_vec();
        let mut head = ReplyHead::new(&mut out, to, status);
        for (name, value) in &fields {
            head.field(name, value).expect("well-formed");
        }
        match size {
            Some(size) => head.content_length(size),
            None => head.chunked(),
        };
        let framing = head.finish();
        let mut theirs = [httparse::EMPTY_HEADER; 16];
        let mut reply = httparse::Response::new(&mut theirs);
        prop_assert_eq!(reply.parse(&out[6..]), Ok(httparse::Status::Complete(out.len() - 6)));
        prop_assert_eq!(reply.code, Some(code));
        prop_assert_eq!(reply.reason, Some(status.phrase()));
        let read: Vec<_> = reply.headers.iter().map(|field| (field.name, field.value)).collect();
        for ((name, value), read) in fields.iter().zip(&read) {
            prop_assert_eq!((name.as_str(), value.as_bytes()), *read);
        }
        let has = |name: &str| read.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        prop_assert!(!(has("content-length") && has("transfer-encoding")));
        prop_assert_eq!(has("connection"), !framing.keep_alive || version == Version::Http10);
    }

    #[test]
    fn chunks_are_read_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6)) {
        let mut out = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in &pieces {
            encode_chunk(&mut out, piece);
        }
        encode_last_chunk(&mut out, &[("X", b"y")]).expect("well-formed");
        let story = super::whole(&out, &super::HeadLimits::default());
        prop_assert_eq!(story.error, None);
        prop_assert_eq!(story.bodies(), pieces.concat());
        prop_assert_eq!(story.ends(), 1);
    }
}

#[test]
fn a_browsers_head() {
    let text = "GET /app/main.js?v=20240615&lang=en HTTP/1.1\r\nHost: www.example.org\r\nConnection: keep-alive\r\n\
        sec-ch-ua: \"Chromium\";v=\"126\", \"Not-A.Brand\";v=\"8\"\r\nsec-ch-ua-mobile: ?0\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0\r\n\
        Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
        Cookie: a=b; c=d\r\n\r\n";
    assert!(agrees(text.as_bytes()));
    let head = Head::parse(text.as_bytes()).expect("a browser sends valid heads");
    assert_eq!(head.method, Method::Get);
    assert_eq!(head.fields.list("accept-encoding").count(), 4);
}
