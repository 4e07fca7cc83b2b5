//! Bytes that no compressor wrote: nothing panics, nothing grows, and what is broken stays broken.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::ws::CloseCode;

const LIMIT: u64 = 1 << 20;

/// A payload of a megabyte that inflates to a gigabyte.
fn bomb() -> Vec<u8> {
    let mut part = compressed(&vec![0; 1 << 20]);
    part.extend_from_slice(&TAIL);
    let mut payload = part.repeat(1 << 10);
    payload.truncate(payload.len() - TAIL.len());
    payload
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = bomb();
    assert!(bomb.len() < 1_200_000);
    for limit in [0, 1, 511, 512, 16 * 1024, LIMIT, 3_000_001] {
        let (mut inflater, mut out) = (Inflater::new(Context::Dropped), Vec::new());
        assert_eq!(
            inflater.inflate(&bomb, true, limit, &mut out),
            Err(InflateError::TooBig)
        );
        assert!(
            out.len() as u64 <= limit,
            "what was appended is within the limit"
        );
        assert!(
            out.capacity() as u64 <= 2 * limit + 64 * 1024,
            "{} for {limit}",
            out.capacity()
        );

        // Piece by piece, a few kilobytes are enough to pass the limit, and no more are looked at.
        let (mut inflater, mut room, mut total) = (Inflater::new(Context::Dropped), [0; 4_096], 0);
        let mut rest = &bomb[..];
        let error = loop {
            match inflater.inflate_some(&mut rest, true, limit, &mut room) {
                Ok(count) => total += count as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(error, InflateError::TooBig);
        assert!(total <= limit);
        assert!((bomb.len() - rest.len()) as u64 <= limit / 500 + 100);
    }
}

#[test]
fn the_limit_counts_a_message_and_not_a_connection() {
    let payload = compressed(&[7; 1_000]);
    let (mut inflater, mut out) = (Inflater::new(Context::Kept), Vec::new());
    for _ in 0..5 {
        out.clear();
        assert_eq!(inflater.inflate(&payload, true, 1_000, &mut out), Ok(1_000));
    }
    inflater
        .inflate(&payload[..payload.len() - 1], false, 1_000, &mut out)
        .expect("good");
    let behind = [&payload[payload.len() - 1..], &TAIL, &compressed(b"!")].concat();
    assert_eq!(
        inflater.inflate(&behind, true, 1_000, &mut out),
        Err(InflateError::TooBig)
    );
}

#[test]
fn what_failed_stays_failed() {
    let (mut inflater, mut out) = (Inflater::new(Context::Kept), Vec::new());
    let good = compressed(b"Hello");
    assert_eq!(
        inflater.inflate(b"\x07", false, LIMIT, &mut out),
        Err(InflateError::Corrupt)
    );
    for _ in 0..3 {
        assert_eq!(
            inflater.inflate(&good, true, LIMIT, &mut out),
            Err(InflateError::Corrupt)
        );
        assert_eq!(
            inflater.inflate_some(&mut &good[..], true, LIMIT, &mut [0; 9]),
            Err(InflateError::Corrupt)
        );
    }
    inflater.reset();
    assert_eq!(
        inflater.inflate(&good, true, 4, &mut out),
        Err(InflateError::TooBig)
    );
    assert_eq!(
        inflater.inflate(&good, true, LIMIT, &mut out),
        Err(InflateError::TooBig)
    );
    assert_eq!(out, b"Hell");
    inflater.reset();
    assert_eq!(inflater.inflate(&good, true, LIMIT, &mut out), Ok(5));
    assert_eq!(out, b"HellHello");
}

#[test]
fn errors_name_their_codes() {
    assert_eq!(InflateError::TooBig.close_code(), CloseCode::TOO_BIG);
    assert_eq!(
        InflateError::Corrupt.close_code(),
        CloseCode::INVALID_PAYLOAD
    );
    for error in [InflateError::TooBig, InflateError::Corrupt] {
        assert!(error.to_string().len() <= 123 && error.reason().is_ascii());
    }
}

#[test]
fn a_message_that_was_cut_off_is_not_taken() {
    let text: Vec<u8> = (0..4_000u32)
        .map(|n| b'a' + (n.wrapping_mul(2_654_435_761) >> 28) as u8)
        .collect();
    for (length, level) in [
        (5, 1),
        (5, 6),
        (400, 1),
        (400, 6),
        (4_000, 1),
        (4_000, 6),
        (4_000, 9),
    ] {
        let mut payload = Vec::new();
        Compressor::new(Context::Kept, WindowBits::MAX, 8, level)
            .compress(&text[..length], &mut payload);
        for end in 1..payload.len() {
            for context in [Context::Kept, Context::Dropped] {
                let result = inflated(&mut Inflater::new(context), &payload[..end]);
                assert_eq!(
                    result,
                    Err(InflateError::Corrupt),
                    "{end} of {}, level {level}",
                    payload.len()
                );
            }
        }
    }
}

#[test]
fn blocks_of_nothing_cost_what_they_weigh() {
    // Empty blocks of every kind, final or not: megabytes of payload, and nothing to show for it.
    for block in [&b"\x03\x00"[..], b"\x01\0\0\xFF\xFF", b"\0\0\0\xFF\xFF"] {
        let payload = block.repeat(100_000);
        let (mut inflater, mut out) = (Inflater::new(Context::Kept), Vec::new());
        for piece in payload.chunks(4_096) {
            assert_eq!(inflater.inflate(piece, false, 0, &mut out), Ok(0));
        }
        assert_eq!(inflater.inflate(b"\0", true, 0, &mut out), Ok(0));
        assert!(out.capacity() <= 64 * 1024);
    }
}

#[test]
#[should_panic(expected = "without room")]
fn no_room_is_a_mistake_of_the_caller() {
    let _ = Inflater::new(Context::Kept).inflate_some(&mut &b"\0"[..], true, 1, &mut []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes(pieces in vec(vec(any::<u8>(), 0..200), 1..6), lasts in any::<u8>(), limit in 0..5_000u64) {
        let (mut inflater, mut out) = (Inflater::new(Context::Kept), Vec::new());
        let mut of_message = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let last = lasts >> (index % 8) & 1 == 1;
            let before = out.len();
            let result = inflater.inflate(piece, last, limit, &mut out);
            of_message += (out.len() - before) as u64;
            prop_assert!(of_message <= limit);
            match result {
                Ok(count) => prop_assert_eq!(count, out.len() - before),
                Err(error) => {
                    let after = out.len();
                    prop_assert_eq!(inflater.inflate(piece, last, limit, &mut out), Err(error));
                    prop_assert_eq!(out.len(), after);
                    break;
                }
            }
            if last {
                of_message = 0;
            }
        }
    }

    #[test]
    fn flipped_bits(message in vec(b'a'..=b'h', 1..800), flips in vec(any::<usize>(), 1..4), level in 1..=9u8) {
        let mut payload = Vec::new();
        Compressor::new(Context::Dropped, WindowBits::MAX, 8, level).compress(&message, &mut payload);
        for flip in flips {
            let bit = flip % (payload.len() * 8);
            payload[bit / 8] ^= 1 << (bit % 8);
        }
        let mut inflater = Inflater::new(Context::Dropped);
        let (mut ours, limit) = (Vec::new(), 1 << 16);
        let result = inflater.inflate(&payload, true, limit, &mut ours);
        prop_assert!(ours.len() as u64 <= limit);
        // What is taken in spite of it is what the other one reads, if no final block came about, at which that one stops.
        if let (Ok(_), Some(other)) = (result, OtherInflater::new(WindowBits::MAX).inflate(&payload)) {
            prop_assert_eq!(ours, other);
        }
    }

    #[test]
    fn any_field(line in vec(prop_oneof![any::<u8>(), Just(b','), Just(b';'), Just(b'"'), Just(b'\\'), Just(b'=')], 0..300)) {
        let settings = Settings::default();
        let _ = is_extension_list(&line);
        let _ = settings.judge(Some(&line));
        if let Some(accepted) = settings.accept([&line[..]]) {
            prop_assert!(accepted.reply.as_str().starts_with("permessage-deflate"));
        }
        // A good offer in the next line is not lost, if those before it were not too many.
        if line.split(|byte| *byte == b',').count() < OFFERS_MAX {
            prop_assert!(settings.accept([&line[..], b"permessage-deflate"]).is_some());
        }
    }
}
