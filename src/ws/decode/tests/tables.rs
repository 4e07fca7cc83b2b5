//! Tables that are whole: every value of a field, not a choice. By section of RFC 6455.

use super::*;

/// §5.2: every opcode with every combination of the reserved bits, whole and fragmented, outside and inside a message,
/// with RSV1 allowed and not. The expectation is written as the RFC words it, not as the decoder asks.
#[test]
fn every_opcode_with_every_reserved_bit() {
    for first in 0..=0xFF_u8 {
        for inside in [false, true] {
            for allowed in [false, true] {
                let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
                let (rsv1, rsv23) = (first & 0x40 != 0, first & 0x30 != 0);
                let control = opcode >= 8;
                let expected = if rsv23 || (rsv1 && !allowed) {
                    Some(Error::ReservedBit)
                } else if matches!(opcode, 3..=7 | 0xB..=0xF) {
                    Some(Error::ReservedOpcode)
                } else if matches!(opcode, 1 | 2) && inside {
                    Some(Error::InterleavedMessage)
                } else if rsv1 && !matches!(opcode, 1 | 2) {
                    Some(Error::ReservedBit) // RFC 7692 §6.1: on a message's first frame only
                } else if opcode == 0 && !inside {
                    Some(Error::LoneContinuation)
                } else if control && !fin {
                    Some(Error::FragmentedControl)
                } else {
                    None
                };
                let mut decoder = Decoder::new(Role::Server);
                if allowed {
                    decoder.allow_rsv1();
                }
                let mut begun = masked(Opcode::Binary, false, b"");
                if inside {
                    let piece = decoder.next(&mut Input::new(&mut begun), &Limits::default());
                    assert!(matches!(piece, Ok(Some(Event::Data(_)))));
                }
                let mut bytes = [first];
                let answer = decoder.next(&mut Input::new(&mut bytes), &Limits::default());
                let context = format!("{first:02x} inside {inside} allowed {allowed}");
                assert_eq!(answer.err(), expected, "{context}");
            }
        }
    }
}

/// §5.2, §5.5: every length at the borders of each form, in every form; the fewest bytes, or refused.
#[test]
fn every_length_in_every_form() {
    let limits = Limits {
        message_bytes_max: u64::MAX,
    };
    let lengths = [
        0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537,
    ];
    let huge = [1 << 32, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX];
    for length in lengths.into_iter().chain(huge) {
        for opcode in [Opcode::Text, Opcode::Binary, Opcode::Ping, Opcode::Close] {
            for (form, fits, fewest) in [
                (7, length <= 125, true),
                (16, length <= 0xFFFF, length > 125),
                (64, true, length > 0xFFFF),
            ] {
                if !fits {
                    continue;
                }
                let mut header = vec![0x80 | opcode as u8];
                match form {
                    7 => header.push(0x80 | length as u8),
                    16 => {
                        header.push(0xFE);
                        header.extend_from_slice(&(length as u16).to_be_bytes());
                    }
                    _ => {
                        header.push(0xFF);
                        header.extend_from_slice(&length.to_be_bytes());
                    }
                }
                let expected = if opcode.is_control() && form > 7 {
                    Err(Error::LongControl)
                } else if length >> 63 != 0 {
                    Err(Error::HugeLength)
                } else if fewest {
                    Ok(())
                } else {
                    Err(Error::PaddedLength)
                };
                let mut decoder = Decoder::new(Role::Server);
                let answer = decoder.next(&mut Input::new(&mut header), &limits);
                let context = format!("{length} in {form} bits, {opcode:?}");
                assert_eq!(
                    answer.map(|event| assert_eq!(event, None)),
                    expected,
                    "{context}"
                );
            }
        }
    }
}

/// §7.4 with §5.5.1: every code with a reason, and what a reason must be.
#[test]
fn close_codes_with_a_reason() {
    let close = |payload: &[u8]| decoded(Role::Server, &masked(Opcode::Close, true, payload));
    for number in 0..=u16::MAX {
        let payload = [&number.to_be_bytes()[..], "grüß".as_bytes()].concat();
        let allowed = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected = if allowed {
            (vec![Told::Close(Some(number), "grüß".to_owned())], None)
        } else {
            (vec![], Some(Error::CloseCode))
        };
        assert_eq!(close(&payload), expected, "{number}");
    }
    for one in 0..=0xFF {
        assert_eq!(close(&[one]), (vec![], Some(Error::CloseLength)));
    }
    for bad in [
        &b"\x80"[..],
        b"\xc0\xaf",
        b"\xe2\x82",
        b"a\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
    ] {
        let payload = [b"\x03\xe8", bad].concat();
        assert_eq!(
            close(&payload),
            (vec![], Some(Error::InvalidUtf8)),
            "{bad:02x?}"
        );
    }
}

/// Leads of one class, and the range of each byte behind them.
type LeadClass = (&'static [u8], &'static [(u8, u8)]);

/// Unicode, table 3-7.
const TABLE_3_7: [LeadClass; 8] = [
    (&[0xC2, 0xDF], &[(0x80, 0xBF)]),
    (&[0xE0], &[(0xA0, 0xBF), (0x80, 0xBF)]),
    (&[0xE1, 0xEC], &[(0x80, 0xBF), (0x80, 0xBF)]),
    (&[0xED], &[(0x80, 0x9F), (0x80, 0xBF)]),
    (&[0xEE, 0xEF], &[(0x80, 0xBF), (0x80, 0xBF)]),
    (&[0xF0], &[(0x90, 0xBF), (0x80, 0xBF), (0x80, 0xBF)]),
    (&[0xF1, 0xF3], &[(0x80, 0xBF), (0x80, 0xBF), (0x80, 0xBF)]),
    (&[0xF4], &[(0x80, 0x8F), (0x80, 0xBF), (0x80, 0xBF)]),
];

/// Characters at the borders of the table, and one step outside each border: the bytes, and where hope ends.
fn borders() -> Vec<(Vec<u8>, Option<usize>)> {
    let mut rows = vec![(vec![0x00], None), (vec![0x7F], None)];
    // Continuation bytes without a lead, overlong leads C0 and C1, and leads beyond U+10FFFF.
    for lonely in (0x80..=0xC1).chain(0xF5..=0xFF) {
        rows.push((vec![lonely, 0x80, 0x80, 0x80], Some(0)));
    }
    for (leads, ranges) in TABLE_3_7 {
        for &lead in leads {
            let lowest = ranges.iter().map(|range| range.0);
            let highest = ranges.iter().map(|range| range.1);
            let low: Vec<u8> = [lead].into_iter().chain(lowest).collect();
            let high: Vec<u8> = [lead].into_iter().chain(highest).collect();
            for (at, &(from, to)) in ranges.iter().enumerate() {
                for outside in [from - 1, to + 1, 0x00, 0x7F, 0xC0, 0xFF] {
                    for good in [&low, &high] {
                        let mut bad = good.clone();
                        bad[at + 1] = outside;
                        rows.push((bad, Some(at + 1)));
                    }
                }
            }
            rows.push((low, None));
            rows.push((high, None));
        }
    }
    rows
}

/// Decodes fragments of one text message, all bytes in one lend or each in its own. How many bytes of the wire had been
/// offered when it failed.
fn failed_at(bytes: &[u8], lend_bytes: usize) -> Option<usize> {
    let mut decoder = Decoder::new(Role::Server);
    let (mut kept, mut offered) = (Vec::new(), 0);
    for lend in bytes.chunks(lend_bytes) {
        kept.extend_from_slice(lend);
        offered += lend.len();
        let mut input = Input::new(&mut kept);
        loop {
            match decoder.next(&mut input, &Limits::default()) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error, Error::InvalidUtf8);
                    return Some(offered);
                }
            }
        }
        kept = input.unread().to_vec();
    }
    assert!(kept.is_empty());
    None
}

/// §8.1: each border in one frame, cut into two fragments at every byte, whole and byte by byte, behind text that moves
/// it over the borders of words and vectors; it fails with the first bad byte, not behind it.
#[test]
fn every_border_of_utf8_in_frames_and_across_fragments() {
    for (character, hopeless) in borders() {
        assert_eq!(std::str::from_utf8(&character).is_ok(), hopeless.is_none());
        for before in [0, 1, 7, 15, 30, 62, 126, 255] {
            let text = [&vec![b'x'; before][..], &character, b"yz"].concat();
            let fails = hopeless.map(|at| before + at);
            let whole = masked(Opcode::Text, true, &text);
            let header = whole.len() - text.len();
            let context = format!("{character:02x?} behind {before}");
            assert_eq!(
                failed_at(&whole, usize::MAX).is_some(),
                fails.is_some(),
                "{context}"
            );
            let at = fails.map(|fails| header + fails + 1);
            assert_eq!(failed_at(&whole, 1), at, "{context}");
            for cut in before..=before + character.len() {
                let (one, other) = text.split_at(cut);
                let mut frames = masked(Opcode::Text, false, one);
                let second = frames.len();
                frames.extend(masked(Opcode::Continuation, true, other));
                assert_eq!(
                    failed_at(&frames, usize::MAX).is_some(),
                    fails.is_some(),
                    "{context}"
                );
                let at = fails.map(|fails| {
                    if fails < cut {
                        second - one.len() + fails + 1
                    } else {
                        frames.len() - other.len() + (fails - cut) + 1
                    }
                });
                assert_eq!(failed_at(&frames, 1), at, "{context} cut at {cut}");
            }
        }
    }
}

/// §8.1: a text that ends inside a character, at every byte of the character, in the last frame or with an empty one.
#[test]
fn every_truncated_end() {
    for (character, hopeless) in borders() {
        if hopeless.is_some() {
            continue;
        }
        for length in 1..character.len() {
            for before in [0, 5, 31, 63, 125, 300] {
                let text = [&vec![b'x'; before][..], &character[..length]].concat();
                let whole = masked(Opcode::Text, true, &text);
                assert_eq!(refused(Role::Server, &whole), Some(Error::InvalidUtf8));
                let mut fragments = masked(Opcode::Text, false, &text);
                assert_eq!(refused(Role::Server, &fragments), None);
                fragments.extend(masked(Opcode::Continuation, true, b""));
                assert_eq!(refused(Role::Server, &fragments), Some(Error::InvalidUtf8));
                assert_eq!(failed_at(&fragments, 1), Some(fragments.len()));
            }
        }
    }
}
