//! Properties: where the input is cut changes nothing, and only what is needed is ever copied.

use proptest::prelude::*;

use super::super::{Decoder, HeadLimits};
use super::{completed, kept, whole};
use crate::buf::Input;

/// Small limits, so that random input reaches them.
const TIGHT: HeadLimits = HeadLimits {
    head_bytes_max: 160,
    fields_max: 5,
    target_bytes_max: 24,
    chunk_extension_bytes_max: 12,
    trailer_bytes_max: 24,
    body_bytes_max: 40,
};

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => "[A-Za-z-]{3,12}: ?[ -~]{0,24}",
        3 => Just("Connection: keep-alive, x".to_owned()),
        3 => Just("Expect: 100-continue".to_owned()),
        1 => Just("Host: b".to_owned()),
        1 => Just("Content-Length: 3".to_owned()),
        1 => "[\t -~]{0,6}[\r\n\0]?[: a]{0,4}",
    ]
}

fn body() -> impl Strategy<Value = String> {
    let chunk = (
        "[0-9a-fA-F]{1,2}",
        "(;[a-z]{1,3}(=[a-z]{1,4}|=\"[a-z,]{0,3}\")?)?",
        "[ -~]{0,16}",
    );
    let chunk =
        chunk.prop_map(|(_, extension, data)| format!("{:x}{extension}\r\n{data}\r\n", data.len()));
    let chunks = (
        proptest::collection::vec(chunk, 0..4),
        "([A-Z]: [a-z]{0,5}\r\n){0,3}",
    );
    prop_oneof![
        2 => Just("\r\n".to_owned()),
        2 => "[ -~]{0,30}".prop_map(|body| format!("Content-Length: {}\r\n\r\n{body}", body.len())),
        3 => chunks.prop_map(|(chunks, trailers)| {
            let chunks: String = chunks.into_iter().filter(|chunk| !chunk.starts_with('0')).collect();
            format!("Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n{trailers}\r\n")
        }),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        20 => "(GET|POST|HEAD|OPTIONS) /([a-z/?]|%41){0,20} HTTP/1\\.1",
        2 => Just("CONNECT a:80 HTTP/1.1".to_owned()),
        1 => "[A-Z ]{0,8}[ -~]{0,20}",
    ];
    let fields = proptest::collection::vec(field(), 0..4);
    (0..3_usize, line, fields, body()).prop_map(|(empty, line, fields, body)| {
        let fields = fields
            .iter()
            .map(|field| field.clone() + "\r\n")
            .collect::<String>();
        format!(
            "{}{line}\r\nHost: a\r\n{fields}{body}",
            "\r\n".repeat(empty)
        )
        .into_bytes()
    })
}

/// Some requests, perhaps with one byte changed.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let mutation = proptest::option::weighted(
        0.3,
        (
            any::<prop::sample::Index>(),
            prop_oneof![
                Just(b'\r'),
                Just(b'\n'),
                Just(b' '),
                Just(b':'),
                Just(0),
                Just(b';'),
                any::<u8>(),
            ],
        ),
    );
    (proptest::collection::vec(request(), 1..4), mutation).prop_map(|(requests, mutation)| {
        let mut bytes = requests.concat();
        if let Some((at, byte)) = mutation {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_change_nothing(bytes in stream(), cuts in proptest::collection::vec(any::<usize>(), 0..8)) {
        for limits in [HeadLimits::default(), TIGHT] {
            let story = whole(&bytes, &limits);
            prop_assert_eq!(&kept(&bytes, &cuts, &limits), &story, "kept");
            prop_assert_eq!(&completed(&bytes, &cuts, &limits), &story, "completed");
        }
    }

    #[test]
    fn every_byte_alone_changes_nothing(bytes in stream()) {
        let cuts: Vec<usize> = (0..bytes.len()).collect();
        for limits in [HeadLimits::default(), TIGHT] {
            let story = whole(&bytes, &limits);
            prop_assert_eq!(&kept(&bytes, &cuts, &limits), &story, "kept");
            prop_assert_eq!(&completed(&bytes, &cuts, &limits), &story, "completed");
        }
    }

    #[test]
    fn noise_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in any::<usize>()) {
        let limits = HeadLimits::default();
        prop_assert_eq!(kept(&bytes, &[cut], &limits), whole(&bytes, &limits));
    }

    /// If not all of the fresh bytes are asked for, then nothing is left of the stored ones afterwards.
    #[test]
    fn only_what_completes_a_unit_is_copied(bytes in stream(), cut in any::<prop::sample::Index>()) {
        let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
        let (front, back) = bytes.split_at(cut.index(bytes.len()));
        let mut front = front.to_vec();
        let mut input = Input::new(&mut front);
        while let Ok(Some(_)) = decoder.next(&mut input, &limits) {}
        let mut stored = input.unread().to_vec();
        if stored.is_empty() || decoder.next(&mut Input::new(&mut stored.clone()), &limits).is_err() {
            return Ok(());
        }
        let count = decoder.missing(&stored, back);
        stored.extend_from_slice(&back[..count]);
        let mut input = Input::new(&mut stored);
        let mut refused = false;
        loop {
            match decoder.next(&mut input, &limits) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => {
                    refused = true;
                    break;
                }
            }
        }
        prop_assert!(refused || count == back.len() || input.is_empty(), "{count} of {}", back.len());
    }
}
