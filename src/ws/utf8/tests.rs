//! The oracle is `std::str::from_utf8`, which tells "incomplete" (no error length) from "never valid".

use proptest::prelude::*;

use super::*;

/// What the checker must say after a prefix: an error as soon as no continuation can repair the text.
fn hopeless(prefix: &[u8]) -> bool {
    std::str::from_utf8(prefix).is_err_and(|error| error.error_len().is_some())
}

/// Feeds `text` in pieces that end at `cuts`, and compares with the oracle after every piece.
fn assert_like_std(text: &[u8], cuts: impl IntoIterator<Item = usize>) {
    let mut checker = Utf8Checker::new();
    let mut start = 0;
    for end in cuts.into_iter().chain([text.len()]) {
        let end = end.clamp(start, text.len());
        let expected = if hopeless(&text[..end]) {
            Err(InvalidUtf8)
        } else {
            Ok(())
        };
        assert_eq!(
            checker.check(&text[start..end]),
            expected,
            "{text:02x?} up to {end}"
        );
        if expected.is_err() {
            assert!(Utf8Checker::check_whole(text).is_err());
            return;
        }
        start = end;
    }
    let valid = std::str::from_utf8(text).is_ok();
    assert_eq!(checker.finish().is_ok(), valid, "{text:02x?}");
    assert_eq!(Utf8Checker::check_whole(text).is_ok(), valid, "{text:02x?}");
}

#[test]
fn the_state_is_one_byte() {
    assert_eq!(size_of::<Utf8Checker>(), 1);
}

/// Every border of RFC 3629 §4 in every place of a character, byte by byte and at once.
#[test]
fn all_borders() {
    const BORDERS: [u8; 20] = [
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
        0xEE, 0xF0, 0xF3, 0xF4, 0xF5,
    ];
    for a in BORDERS {
        for b in BORDERS {
            for c in BORDERS {
                for d in BORDERS {
                    assert_like_std(&[a, b, c, d], [1, 2, 3]);
                }
                assert_like_std(&[a, b, c], []);
            }
        }
    }
    for a in 0..=0xFF {
        for b in 0..=0xFF {
            assert_like_std(&[a, b], [1]);
            assert_like_std(&[b'x', a, b], []);
        }
    }
}

/// The payloads of Autobahn's section 6, and where each must fail: the offset of the byte that ends all hope.
#[test]
fn autobahn_section_6_fails_fast() {
    let kosme = "κόσμε";
    let table: &[(&[u8], usize)] = &[
        (b"\xf4\x90\x80\x80", 1), // 6.4: above U+10FFFF
        (b"\x80", 0),             // 6.8: lonely continuation bytes
        (b"\xbf\x80\xbf", 0),
        (b"\xc0 \xc1 ", 0), // 6.9: lonely leads
        (b"\xe0 \xe1 ", 1),
        (b"\xf0 \xf1 ", 1),
        (b"\xf8 \xf9 ", 0),
        (b"\xfe", 0), // 6.11: impossible bytes
        (b"\xff", 0),
        (b"\xfe\xfe\xff\xff", 0),
        (b"\xc0\xaf", 0), // 6.12: overlong slashes
        (b"\xe0\x80\xaf", 1),
        (b"\xf0\x80\x80\xaf", 1),
        (b"\xf8\x80\x80\x80\xaf", 0),
        (b"\xfc\x80\x80\x80\x80\xaf", 0),
        (b"\xc1\xbf", 0), // 6.13: the largest overlong forms
        (b"\xe0\x9f\xbf", 1),
        (b"\xf0\x8f\xbf\xbf", 1),
        (b"\xc0\x80", 0), // 6.14: overlong zeros
        (b"\xe0\x80\x80", 1),
        (b"\xed\xa0\x80", 1), // 6.15, 6.16: surrogates, single and in pairs
        (b"\xed\xbf\xbf", 1),
        (b"\xed\xa0\x80\xed\xb0\x80", 1),
    ];
    for (bad, fatal) in table {
        let text = [kosme.as_bytes(), bad, b"edited"].concat();
        let fatal = kosme.len() + fatal;
        for piece in [1, 2, 3, 4, 5, 7, text.len()] {
            let mut checker = Utf8Checker::new();
            let failed = text
                .chunks(piece)
                .position(|piece| checker.check(piece).is_err());
            assert_eq!(
                failed,
                Some(fatal / piece),
                "{bad:02x?} in pieces of {piece}"
            );
        }
    }
    let good = [
        "κόσμε",
        "hello\u{24}world",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{0}",
    ];
    for text in good {
        assert_like_std(text.as_bytes(), 0..text.len());
    }
}

/// The borders between the ways of checking: two words, several words, vectors.
#[test]
fn every_length_with_the_bad_byte_anywhere() {
    for length in (0..70).chain(250..262) {
        let mut text = vec![b'a'; length];
        assert_like_std(&text, []);
        for at in 0..length {
            for bad in [0x80, 0xC3, 0xF0, 0xFF] {
                text[at] = bad;
                assert_like_std(&text, []);
            }
            text[at] = b'a';
        }
    }
}

proptest! {
    #[test]
    fn like_std_however_it_is_cut(
        text in ".{0,120}",
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        mut cuts in prop::collection::vec(0_usize..400, 0..6),
    ) {
        let mut text = text.into_bytes();
        for (index, byte) in changes {
            if !text.is_empty() {
                let at = index.index(text.len());
                text[at] = byte;
            }
        }
        cuts.sort_unstable();
        assert_like_std(&text, 0..text.len());
        assert_like_std(&text, cuts);
    }

    #[test]
    fn noise_like_std(text in prop::collection::vec(any::<u8>(), 0..40)) {
        assert_like_std(&text, 0..text.len());
    }
}
