use proptest::prelude::*;

use super::*;

/// RFC 6455 §5.3, word for word.
fn naive(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte ^= mask[(offset % 4 + i) % 4];
    }
}

fn assert_like_naive(payload: &[u8], mask: [u8; 4], offset: usize) {
    let (mut fast, mut slow) = (payload.to_vec(), payload.to_vec());
    unmask(&mut fast, mask, offset);
    naive(&mut slow, mask, offset);
    assert_eq!(fast, slow, "{} bytes, offset {offset}", payload.len());
}

const PAYLOAD: [u8; 600] = {
    let mut payload = [0; 600];
    let mut i = 0;
    while i < payload.len() {
        payload[i] = (i * 7 % 251) as u8;
        i += 1;
    }
    payload
};

#[test]
fn every_length_and_offset() {
    for length in 0..PAYLOAD.len() {
        for offset in 0..5 {
            assert_like_naive(&PAYLOAD[..length], [0x37, 0xFA, 0x21, 0x3D], offset);
        }
    }
    assert_like_naive(&PAYLOAD, [1, 2, 3, 4], usize::MAX);
}

/// RFC 6455 §5.3: every offset into the mask, every length, from every place of a cache line.
#[test]
fn every_alignment() {
    for start in 0..64 {
        for length in (0..=130).chain([191, 192, 193, 255, 256, 257]) {
            let mut fast = PAYLOAD;
            unmask(
                &mut fast[start..start + length],
                [0x37, 0xFA, 0x21, 0x3D],
                start,
            );
            let mut slow = PAYLOAD;
            naive(
                &mut slow[start..start + length],
                [0x37, 0xFA, 0x21, 0x3D],
                start,
            );
            assert_eq!(fast, slow, "{length} bytes from {start}");
        }
    }
}

/// One byte that is not ASCII is found anywhere, in every version, and none is found where none is.
#[test]
fn ascii_is_told() {
    type Version = fn(&mut [u8], u32) -> bool;
    const MASK: u32 = 0xA55A_C33C;
    let versions: [(Version, usize); 4] = [
        (unmask_turned::<true>, 0),
        (unmask_steps::<32, false, true>, 32),
        (unmask_steps::<64, false, true>, 64),
        (unmask_steps::<128, true, true>, 128),
    ];
    for (version, shortest) in versions {
        for length in (shortest..300).step_by(3) {
            for bad in (0..length).map(Some).chain([None]) {
                let mut bytes = vec![b'a'; length];
                if let Some(bad) = bad {
                    bytes[bad] = 0x80;
                }
                let clear = bytes.clone();
                naive(&mut bytes, MASK.to_le_bytes(), 0);
                assert_eq!(
                    version(&mut bytes, MASK),
                    bad.is_none(),
                    "{length}, {bad:?}"
                );
                assert_eq!(bytes, clear);
            }
        }
    }
}

/// The version for machines without AVX2 runs only where the tests do not, unless it is called by name.
#[test]
fn the_words_alone() {
    for length in 32..PAYLOAD.len() {
        let (mut fast, mut slow) = (PAYLOAD[..length].to_vec(), PAYLOAD[..length].to_vec());
        unmask_steps::<32, false, true>(&mut fast, 0x0403_0201);
        naive(&mut slow, [1, 2, 3, 4], 0);
        assert_eq!(fast, slow, "{length} bytes");
    }
}

#[test]
fn bytes_around_the_payload_stay() {
    for length in 0..200 {
        let mut bytes = [0xEE; 240];
        unmask(&mut bytes[20..20 + length], [0xFF; 4], 0);
        assert!(bytes[..20].iter().all(|&byte| byte == 0xEE));
        assert!(bytes[20..20 + length].iter().all(|&byte| byte == 0x11));
        assert!(bytes[20 + length..].iter().all(|&byte| byte == 0xEE));
    }
}

proptest! {
    #[test]
    fn any_length_alignment_and_mask(
        payload in prop::collection::vec(any::<u8>(), 0..5000),
        start in 0_usize..64,
        mask: [u8; 4],
        offset: usize,
    ) {
        let start = start.min(payload.len());
        let offset = offset % 1000;
        let (mut fast, mut slow) = (payload.clone(), payload);
        unmask(&mut fast[start..], mask, offset);
        naive(&mut slow[start..], mask, offset);
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn pieces_make_the_whole(payload in prop::collection::vec(any::<u8>(), 0..600), mask: [u8; 4], cut: prop::sample::Index) {
        let mut whole = payload.clone();
        unmask(&mut whole, mask, 0);
        let mut pieces = payload;
        let cut = cut.index(pieces.len() + 1);
        let (first, second) = pieces.split_at_mut(cut);
        unmask(first, mask, 0);
        unmask(second, mask, cut);
        prop_assert_eq!(whole, pieces);
    }
}
