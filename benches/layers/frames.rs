//! WebSocket frames: decoder, unmasking, encoder, UTF-8.
//!
//! Decoding overwrites what it reads, so every lend is first copied, as recv(2) would; that copy is in the figures.
#![forbid(unsafe_code)]

use std::hint::black_box;

use longshore::buf::Input;
use longshore::ws::{
    Decoder, Event, Limits, Role, Utf8Checker, encode_masked_message, encode_message, unmask,
};

use crate::case::{Aligned, Case};
use crate::sample::{Content, Row};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Every row.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Row::all().map(|row| decode(row, 64 << 10)).collect();
    for content in [Content::Binary, Content::Mixed] {
        let payload_bytes = 16 << 10;
        let row = Row {
            content,
            payload_bytes,
        };
        cases.extend([1460, 2048].map(|lend_bytes| decode(row, lend_bytes)));
    }
    for bytes in [16, 125, 1 << 10, 16 << 10, 64 << 10] {
        cases.push(on_payload("unmask", Content::Binary, bytes, |payload| {
            unmask(payload, MASK, 0);
        }));
        let mut copy = Aligned::new(&vec![0; bytes]);
        let memcpy = on_payload("memcpy", Content::Binary, bytes, move |payload| {
            copy.bytes().copy_from_slice(payload);
            black_box(copy.bytes());
        });
        cases.push(memcpy.theirs());
    }
    for bytes in [20, 125, 1 << 10, 16 << 10] {
        let mut out = Vec::new();
        cases.push(on_payload(
            "encode",
            Content::Binary,
            bytes,
            move |payload| {
                out.clear();
                encode_message(black_box(&mut out), Content::Binary.kind(), payload);
            },
        ));
        let mut out = Vec::new();
        let masked = move |payload: &mut [u8]| {
            out.clear();
            let kind = Content::Binary.kind();
            encode_masked_message(black_box(&mut out), MASK, kind, payload);
        };
        cases.push(on_payload("encode-masked", Content::Binary, bytes, masked));
        for content in [Content::Ascii, Content::Mixed] {
            cases.push(on_payload("utf8", content, bytes, |text| {
                assert_eq!(Utf8Checker::check_whole(text), Ok(()));
            }));
            let std = on_payload("utf8-std", content, bytes, |text| {
                assert!(std::str::from_utf8(text).is_ok());
            });
            cases.push(std.theirs());
        }
    }
    cases
}

/// Units as single calls of `once` on a buffer of payload.
fn on_payload(
    name: &str,
    content: Content,
    bytes: usize,
    mut once: impl FnMut(&mut [u8]) + 'static,
) -> Case {
    let name = format!("{name}-{}-{bytes}", content.name());
    Case::repeated(name, bytes, move || {
        let mut payload = Aligned::new(&content.payload(bytes));
        move || once(black_box(payload.bytes()))
    })
}

/// Messages that come in lends of one size; a unit is a message, however many lends it takes. Alone it comes in a lend of
/// its own, or in as few as hold it.
fn decode(row: Row, lend_bytes: usize) -> Case {
    let name = format!("decode-{}-in-{lend_bytes}", row.name());
    // Header, mask and payload (RFC 6455 §5.2).
    let header_bytes = if row.payload_bytes < 126 { 6 } else { 8 };
    let frame_bytes = header_bytes + row.payload_bytes;
    Case::new(name, row.payload_bytes, move || {
        messages(row.frames(), lend_bytes)
    })
    .alone(move || messages(row.frames(), lend_bytes.min(frame_bytes)))
}

fn messages(frames: Vec<u8>, lend_bytes: usize) -> impl FnMut(usize) -> usize + 'static {
    let mut lend = Aligned::new(&vec![0; lend_bytes]);
    let (mut decoder, mut inbox) = (Decoder::new(Role::Server), Vec::new());
    let mut at = 0;
    move |messages| {
        let mut ended = 0;
        while ended < messages {
            let fresh = &frames[at..frames.len().min(at + lend_bytes)];
            at = (at + fresh.len()) % frames.len();
            let fresh = {
                let lend = &mut lend.bytes()[..fresh.len()];
                lend.copy_from_slice(fresh);
                lend
            };
            let missing = decoder.missing(&inbox, fresh);
            if missing > 0 {
                inbox.extend_from_slice(&fresh[..missing]);
                let mut kept = Input::new(&mut inbox);
                ended += drain(&mut decoder, &mut kept);
                assert!(kept.is_empty(), "a header is shorter than a lend");
                inbox.clear();
            }
            let mut input = Input::new(&mut fresh[missing..]);
            ended += drain(&mut decoder, &mut input);
            inbox.extend_from_slice(input.unread());
        }
        ended
    }
}

/// How many messages ended.
fn drain(decoder: &mut Decoder, input: &mut Input<'_>) -> usize {
    let limits = Limits::default();
    let mut ended = 0;
    while let Some(event) = decoder.next(input, &limits).expect("good frames") {
        let Event::Data(piece) = event else {
            panic!("only data was sent: {event:?}");
        };
        black_box(&*piece.bytes);
        ended += usize::from(piece.last);
    }
    ended
}
