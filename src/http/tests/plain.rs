//! The quick way through a head and the general one say the same, or the quick one says nothing.

use proptest::prelude::*;

use super::super::head::{Place, Reading};
use super::super::{Head, HeadLimits, plain_simd};

const BROWSER: &str = "GET /a/b/hello.jpg?x=1&y=[2]?z HTTP/1.1\r\n\
    Host: www.example.com:8080\r\n\
    Connection: keep-alive\r\n\
    sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n\r\n";

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
    "GET /plaintext HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    "POST /items HTTP/1.1\r\nHost: example.org\r\nContent-Length: 12\r\n\r\n",
    "HEAD /x HTTP/1.1\r\nHost: a.b-c_d~e:65535\r\nIf-None-Match: *\r\n\r\n",
    "PUT /x?y HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
    BROWSER,
];

/// What the quick way says of the head at the start of `bytes`.
fn quick<'b>(bytes: &'b [u8], limits: &HeadLimits) -> Option<Result<Head<'b>, super::Error>> {
    let mut reading = Reading::at(Place::START);
    let end = plain_simd::read(bytes, limits, &mut reading)?;
    Some(reading.finish(&bytes[..end]))
}

/// What the loops say of it.
fn general<'b>(bytes: &'b [u8], limits: &HeadLimits) -> Option<Result<Head<'b>, super::Error>> {
    let mut reading = Reading::at(Place::START);
    match reading.read(bytes, limits) {
        Ok(None) => None,
        Ok(Some(end)) => Some(reading.finish(&bytes[..end])),
        Err(error) => Some(Err(error)),
    }
}

fn agree(bytes: &[u8], limits: &HeadLimits) {
    if let Some(said) = quick(bytes, limits) {
        let text = bytes.escape_ascii();
        assert_eq!(Some(said), general(bytes, limits), "{text}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn usual_heads_take_the_quick_way() {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return;
    }
    for head in HEADS {
        assert!(
            quick(head.as_bytes(), &HeadLimits::default()).is_some(),
            "{head}"
        );
    }
}

#[test]
fn any_other_byte_at_any_place() {
    for head in HEADS {
        let mut bytes = head.as_bytes().to_vec();
        bytes.extend_from_slice(b"GET /next");
        // All of them in a short head; in a long one those at which a class begins or ends.
        let all = head.len() < 70;
        let edges = b"\0\t\n\r\x1f !%,-./09:;?@AZ[]az{~\x7f\x80\xff";
        for at in 0..head.len() {
            for byte in (0..=255).filter(|byte| all || edges.contains(byte)) {
                let was = std::mem::replace(&mut bytes[at], byte);
                agree(&bytes, &HeadLimits::default());
                bytes[at] = was;
            }
        }
    }
}

#[test]
fn cut_or_with_a_byte_more_at_any_place() {
    for head in HEADS {
        for at in 0..head.len() {
            agree(&head.as_bytes()[..at], &HeadLimits::default());
            for byte in [b' ', b'\t', b'\r', b'\n', b':', b'a', b'1', b'%', 0, 0x80] {
                let mut bytes = head.as_bytes().to_vec();
                bytes.insert(at, byte);
                agree(&bytes, &HeadLimits::default());
                bytes.remove(at);
                bytes.remove(at);
                agree(&bytes, &HeadLimits::default());
            }
        }
    }
}

#[test]
fn limits_hold_on_both_ways() {
    for fields_max in 0..10 {
        for target_bytes_max in [0, 1, 10, 29, 30, 31] {
            let limits = HeadLimits {
                fields_max,
                target_bytes_max,
                ..HeadLimits::default()
            };
            for head in HEADS {
                agree(head.as_bytes(), &limits);
            }
        }
    }
}

#[test]
fn ports_are_numbers_below_65536() {
    for port in [
        "", "0", "80", "8080", "9999", "00001", "08080", "10000", "65535", "65536", "65540",
        "66000", "70000", "99999", "000080", "123456", "6553x", "1 234", "12:34",
    ] {
        let head = format!("GET /a/long/enough/path HTTP/1.1\r\nHost: a.example:{port}\r\n\r\n");
        agree(head.as_bytes(), &HeadLimits::default());
    }
}

proptest! {
    #[test]
    fn of_every_length(
        target in "[a-z/?%]{0,70}",
        fields in proptest::collection::vec("[A-Za-z-]{1,40}:[ \t]{0,2}[ -~\t]{0,70}", 0..6),
        host in "[a-z.:0-9%]{0,40}",
        rest in "[ -~]{0,40}",
    ) {
        let fields: String = fields.iter().map(|field| field.clone() + "\r\n").collect();
        let head = format!("GET /{target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{rest}");
        agree(head.as_bytes(), &HeadLimits::default());
    }
}
