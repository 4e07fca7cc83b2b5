//! The RFC's own bytes (RFC 7692 §7.2.3), and what peers send besides.

use super::*;

const HELLO: &[u8] = b"\xF2\x48\xCD\xC9\xC9\x07\x00";
const HELLO_AGAIN: &[u8] = b"\xF2\x00\x11\x00\x00";
const HELLO_STORED: &[u8] = b"\x00\x05\x00\xFA\xFFHello\x00";
const HELLO_FINAL: &[u8] = b"\xF3\x48\xCD\xC9\xC9\x07\x00\x00";
const HELLO_TWICE_BLOCKED: &[u8] = b"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00";

const BOTH: [Context; 2] = [Context::Kept, Context::Dropped];

#[test]
fn a_message_compressed_7_2_3_1() {
    for context in BOTH {
        let mut out = b"before".to_vec();
        Compressor::new(context, WindowBits::MAX, 8, 6).compress(b"Hello", &mut out);
        assert_eq!(&out[6..], HELLO);
        assert_eq!(
            inflated(&mut Inflater::new(context), HELLO).as_deref(),
            Ok(&b"Hello"[..])
        );
    }
}

#[test]
fn fragments_7_2_3_1_and_every_other_cut() {
    for payload in [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_TWICE_BLOCKED] {
        for first in 0..=payload.len() {
            for second in first..=payload.len() {
                let (mut inflater, mut out) = (Inflater::new(Context::Dropped), Vec::new());
                let pieces = [
                    &payload[..first],
                    &payload[first..second],
                    &payload[second..],
                ];
                for (index, piece) in pieces.into_iter().enumerate() {
                    inflater
                        .inflate(piece, index == 2, 5, &mut out)
                        .expect("good");
                    assert_eq!(inflater.is_inside_message(), index < 2);
                }
                assert_eq!(out, b"Hello");
            }
        }
    }
}

#[test]
fn the_window_is_shared_or_not_7_2_3_2() {
    let mut out = Vec::new();
    let mut compressor = Compressor::new(Context::Kept, WindowBits::MAX, 8, 6);
    compressor.compress(b"Hello", &mut out);
    out.clear();
    compressor.compress(b"Hello", &mut out);
    assert_eq!(out, HELLO_AGAIN);

    let mut compressor = Compressor::new(Context::Dropped, WindowBits::MAX, 8, 6);
    for _ in 0..3 {
        out.clear();
        compressor.compress(b"Hello", &mut out);
        assert_eq!(out, HELLO);
    }

    let mut kept = Inflater::new(Context::Kept);
    assert_eq!(inflated(&mut kept, HELLO).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(
        inflated(&mut kept, HELLO_AGAIN).as_deref(),
        Ok(&b"Hello"[..])
    );
    assert_eq!(
        inflated(&mut kept, HELLO_AGAIN).as_deref(),
        Ok(&b"Hello"[..])
    );
}

#[test]
fn a_dropped_context_shows_nothing_to_the_next() {
    let mut shared = Inflater::new(Context::Dropped);
    assert!(inflated(&mut shared, HELLO).is_ok());
    assert_eq!(
        inflated(&mut shared, HELLO_AGAIN),
        Err(InflateError::Corrupt)
    );
    shared.reset();
    let mut out = Vec::new();
    shared.inflate(HELLO, false, 100, &mut out).expect("good");
    shared.reset(); // its connection died inside the message
    assert!(!shared.is_inside_message());
    assert_eq!(
        inflated(&mut shared, HELLO_AGAIN),
        Err(InflateError::Corrupt)
    );
}

#[test]
fn other_blocks_7_2_3_3_to_5() {
    for context in BOTH {
        let mut inflater = Inflater::new(context);
        for payload in [
            HELLO_STORED,
            HELLO_FINAL,
            HELLO_TWICE_BLOCKED,
            HELLO_FINAL,
            HELLO,
        ] {
            assert_eq!(
                inflated(&mut inflater, payload).as_deref(),
                Ok(&b"Hello"[..]),
                "{payload:x?}"
            );
        }
    }
}

#[test]
fn nothing_7_2_3_6() {
    for context in BOTH {
        let mut out = Vec::new();
        let mut compressor = Compressor::new(context, WindowBits::MAX, 8, 1);
        compressor.compress(b"", &mut out);
        compressor.compress(b"", &mut out);
        compressor.compress(b"Hello", &mut out);
        compressor.compress(b"", &mut out);
        assert_eq!(out, [b"\0\0", HELLO, b"\0"].concat());
        let mut inflater = Inflater::new(context);
        // A payload of no bytes at all leaves nothing open.
        for payload in [
            &b"\0"[..],
            b"",
            b"\0",
            b"\x03\x00",
            b"\x03\x00\0",
            b"\x01\0\0\xFF\xFF",
        ] {
            assert_eq!(
                inflated(&mut inflater, payload).as_deref(),
                Ok(&b""[..]),
                "{payload:x?}"
            );
        }
        assert_eq!(inflated(&mut inflater, HELLO).as_deref(), Ok(&b"Hello"[..]));
    }
}

#[test]
fn final_blocks_end_a_stream_and_not_a_message() {
    let bare = &HELLO_FINAL[..7];
    for context in BOTH {
        let mut inflater = Inflater::new(context);
        for (payload, expected) in [
            (bare.to_vec(), &b"Hello"[..]), // nothing behind it: many forget the last byte
            ([bare, bare].concat(), b"HelloHello"),
            ([bare, bare, b"\0"].concat(), b"HelloHello"),
            ([bare, HELLO].concat(), b"HelloHello"),
            ([HELLO, &TAIL, bare].concat(), b"HelloHello"),
            (
                [HELLO, &TAIL, bare, HELLO_STORED].concat(),
                b"HelloHelloHello",
            ),
        ] {
            assert_eq!(
                inflated(&mut inflater, &payload).as_deref(),
                Ok(expected),
                "{payload:x?}"
            );
        }
        // What stands behind it is deflate again, or nothing.
        for garbage in [
            &b"\x07"[..],
            b"Hello",
            b"\xFF\xFF\xFF\xFF",
            b"\0\0",
            &TAIL,
            &HELLO_AGAIN[..3],
        ] {
            inflater.reset();
            let payload = [bare, garbage].concat();
            assert_eq!(
                inflated(&mut inflater, &payload),
                Err(InflateError::Corrupt),
                "{payload:x?}"
            );
        }
        // The window ended with its stream.
        inflater.reset();
        assert!(inflated(&mut inflater, HELLO_FINAL).is_ok());
        assert_eq!(
            inflated(&mut inflater, HELLO_AGAIN),
            Err(InflateError::Corrupt)
        );
    }
}

#[test]
fn final_blocks_of_another_compressor() {
    let text = "Streams end, messages go on. ".repeat(700);
    for level in [1, 6, 9] {
        let finished =
            |text: &str| OtherCompressor::new(level).compress(text.as_bytes(), MZFlush::Finish);
        let mut payload = Vec::new();
        for part in [&text[..], "a", "", &text[..9_999], ""] {
            payload.extend(finished(part));
        }
        payload.push(0);
        let expected = [&text[..], "a", &text[..9_999]].concat();
        for cut in (1..payload.len()).step_by(payload.len() / 40 + 1) {
            let (mut inflater, mut out) = (Inflater::new(Context::Kept), Vec::new());
            for _ in 0..2 {
                out.clear();
                inflater
                    .inflate(&payload[..cut], false, 1 << 20, &mut out)
                    .expect("good");
                inflater
                    .inflate(&payload[cut..], true, 1 << 20, &mut out)
                    .expect("good");
                assert!(out == expected.as_bytes(), "level {level}, cut {cut}");
            }
        }
    }
}

#[test]
fn a_window_of_8_is_read() {
    // 300 bytes, then ten of them at a distance of 256: what a compressor with a window of 8 bits may write at most.
    let message: Vec<u8> = (0..300u32).map(|n| (n * 7 % 251) as u8).collect();
    let mut payload = vec![0x00, 44, 1, !44, !1];
    payload.extend_from_slice(&message);
    // A fixed block: header, length 10 (code 264), distance 193 + 63 (code 15), end; then the header that travels.
    let bits: Vec<u8> = b"0100001000011111111110000000000"
        .iter()
        .map(|digit| digit - b'0')
        .collect();
    for byte in bits.chunks(8) {
        payload.push(byte.iter().enumerate().map(|(at, bit)| bit << at).sum());
    }
    let got = inflated(&mut Inflater::new(Context::Kept), &payload).expect("good");
    assert_eq!(got, [&message[..], &message[44..54]].concat());
}
