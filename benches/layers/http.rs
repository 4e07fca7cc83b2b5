//! Request heads, chunks and replies.
//!
//! A unit is a head, a chunked body, a chunk, a reply. Nothing here overwrites its input, so nothing is copied first.
#![forbid(unsafe_code)]

use std::hint::black_box;

use longshore::buf::Input;
use longshore::http::{
    DateCache, Decoder, Error, Event, HeadLimits, ReplyHead, ReplyTo, Status, encode_chunk,
    encode_error, encode_last_chunk,
};

use crate::case::{Aligned, Case};

/// 49 bytes, one field: what load generators send.
pub(crate) const TINY: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8091\r\n\r\n";

/// 8 fields: what a client library sends.
pub(crate) const TYPICAL: &str = "GET /api/v2/orders/7302?expand=lines&page=3 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: okhttp/4.12.0\r\n\
    Accept: application/json\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.Tq7p0oXVhKxM1u3rj8oJbA\r\n\
    X-Request-Id: 0192c7f8-7c1d-7a53-8f6e-2f1f0f7c9d11\r\n\
    Cache-Control: no-cache\r\n\
    Connection: keep-alive\r\n\r\n";

/// 14 fields: what a browser sends.
pub(crate) const BROWSER: &str = "GET /static/app.9d3f1c.js HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    Connection: keep-alive\r\n\
    sec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\", \"Google Chrome\";v=\"142\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: no-cors\r\n\
    Sec-Fetch-Dest: script\r\n\
    Referer: https://www.example.com/account/orders?from=mail&campaign=autumn\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n\
    Cookie: session=4f1c2f6a9b7e4d0d8a3b5c6d7e8f9a0b; theme=dark; consent=all; _ga=GA1.2.1234567890.1700000000; cart=0192c7f87c1d7a538f6e2f1f0f7c9d11; last_seen=1700000000; variant=checkout-b; currency=EUR\r\n\r\n";

/// How many heads a lend has for throughput, as a pipelining client sends them.
const HEADS_PER_LEND: usize = 16;

const CHUNKS_PER_BODY: usize = 16;

/// Every row.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        head("head-tiny", TINY),
        head("head-typical", TYPICAL),
        head("head-browser", BROWSER),
    ];
    for chunk_bytes in [16, 4096] {
        cases.push(chunked_decode(chunk_bytes));
        cases.push(chunked_encode(chunk_bytes));
    }
    cases.extend([
        reply("reply-small", small_reply),
        reply("reply-fields", reply_with_fields),
        reply("reply-error", error_reply),
    ]);
    cases
}

fn head(name: &str, head: &'static str) -> Case {
    Case::new(name, head.len(), || heads(head, HEADS_PER_LEND)).alone(|| heads(head, 1))
}

/// Requests in lends of so many.
fn heads(head: &str, per_lend: usize) -> impl FnMut(usize) -> usize + 'static {
    let mut lend = Aligned::new(head.repeat(per_lend).as_bytes());
    let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
    move |units| {
        let mut read = 0;
        while read < units {
            let mut input = Input::new(black_box(lend.bytes()));
            while let Some(event) = decoder.next(&mut input, &limits).expect("good heads") {
                if let Event::Head(head) = event {
                    black_box(head.target.path());
                    read += 1;
                }
            }
        }
        read
    }
}

/// A whole body; its head was read before.
fn chunked_decode(chunk_bytes: usize) -> Case {
    let name = format!("chunked-decode-{CHUNKS_PER_BODY}x{chunk_bytes}");
    Case::repeated(name, CHUNKS_PER_BODY * chunk_bytes, move || {
        let mut head = *b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (mut body, data) = (Vec::new(), vec![b'x'; chunk_bytes]);
        for _ in 0..CHUNKS_PER_BODY {
            encode_chunk(&mut body, &data);
        }
        encode_last_chunk(&mut body, &[]).expect("no trailers");
        let mut body = Aligned::new(&body);
        let limits = HeadLimits::default();
        let mut behind_head = Decoder::new();
        let first = behind_head.next(&mut Input::new(&mut head), &limits);
        assert!(matches!(first, Ok(Some(Event::Head(_)))), "{first:?}");
        move || {
            let mut decoder = behind_head.clone();
            let mut input = Input::new(black_box(body.bytes()));
            while let Some(Event::Body(piece)) =
                decoder.next(&mut input, &limits).expect("good chunks")
            {
                black_box(piece);
            }
            assert!(input.is_empty(), "the body is read whole");
        }
    })
}

/// One chunk.
fn chunked_encode(chunk_bytes: usize) -> Case {
    let name = format!("chunked-encode-{chunk_bytes}");
    Case::repeated(name, chunk_bytes, move || {
        let (mut out, data) = (Vec::new(), vec![b'x'; chunk_bytes]);
        move || {
            out.clear();
            encode_chunk(black_box(&mut out), black_box(&data));
        }
    })
}

fn reply(name: &str, encode: fn(&mut Vec<u8>, ReplyTo, &DateCache)) -> Case {
    let to = ReplyTo {
        keep_alive: true,
        ..ReplyTo::CLOSING
    };
    let (mut out, date) = (Vec::new(), DateCache::new());
    encode(&mut out, to, &date);
    Case::repeated(name, out.len(), move || {
        move || {
            out.clear();
            encode(black_box(&mut out), black_box(to), &date);
        }
    })
}

/// What `Reply::text` of a server writes.
fn small_reply(out: &mut Vec<u8>, to: ReplyTo, date: &DateCache) {
    let mut head = ReplyHead::new(out, to, Status::OK).constant("Server: longshore\r\n");
    head.date(date);
    let head = head.constant("Content-Type: text/plain\r\n");
    head.finish_with(b"Hello, World!");
}

/// Fields of an application, each checked.
fn reply_with_fields(out: &mut Vec<u8>, to: ReplyTo, date: &DateCache) {
    let fields = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Cache-Control", "private, max-age=0, must-revalidate"),
        ("ETag", "\"9d3f1c-5a2\""),
        ("Vary", "Accept-Encoding, Origin"),
        ("Access-Control-Allow-Origin", "https://www.example.com"),
        ("X-Request-Id", "0192c7f8-7c1d-7a53-8f6e-2f1f0f7c9d11"),
    ];
    let mut head = ReplyHead::new(out, to, Status::OK).constant("Server: longshore\r\n");
    head.date(date);
    for (name, value) in black_box(fields) {
        head.field(name, value).expect("well-formed");
    }
    head.finish_with(black_box(b"{\"order\":7302,\"lines\":[]}"));
}

fn error_reply(out: &mut Vec<u8>, _: ReplyTo, date: &DateCache) {
    let error = black_box(Error::MissingHost);
    encode_error(out, ReplyTo::CLOSING, error.status(), error.reason(), date);
}
