//! Unmasking, and masking, which is the same (RFC 6455 §5.3): `payload[i] ^= mask[i % 4]`.
//!
//! ```text
//!   payload   48 65 6C 6C 6F 20 …
//!   mask      37 FA 21 3D 37 FA …      repeated; a piece may begin at any of its four bytes
//!   result    7F 9F 4D 51 58 DA …      written where it lies
//! ```
//!
//! The obvious loop is slower by 5 to 20 times. The real one differs in four ways (gains: rustc 1.95, 2.5 GHz Xeon):
//!
//! 1. The mask is turned once, so that its first byte meets the piece's first byte, and then widened. From there on every
//!    multiple of four bytes meets the same mask.
//! 2. The ends are no loops over a few bytes. The first and the last step are *loaded before anything is written*,
//!    overlap what the loop covers, and are stored last: bytes that are covered twice get the same value twice.
//! 3. Long payloads take 128 bytes a step, compiled for AVX2; [`unmask_simd`] chooses. As the first step covers what lies
//!    before it, the second begins on a cache line's border: no access crosses two lines. Steps of 64 bytes so made 56 GB/s
//!    of 42 at 1 KB, and 92 of 59 at 16 KB; twice as many take a quarter fewer instructions. (AVX-512 reached 65 and 104, nothing more at 64 KB, and less at 125 bytes: not worth a third version.)
//! 4. Of text it also says whether the bytes are ASCII, while it has them: such text needs no second pass. Decoding 125 bytes
//!    of it takes 163 instructions instead of 230, and 20 bytes 102 instead of 116 (callgrind).
//!
//! It does not know frames.
#![forbid(unsafe_code)]

use super::unmask_simd;

/// Payloads from here on are worth a call into the widest code that the machine has. Below, the inlined words win.
const LONG: usize = 33;

/// Xors `bytes` with `mask`, beginning at the mask's byte `offset % 4`; masks and unmasks.
///
/// `offset` is how many bytes of the same frame came before.
///
/// ```
/// let mut bytes = *b"\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7, a masked "Hello"
/// longshore::ws::unmask(&mut bytes, [0x37, 0xfa, 0x21, 0x3d], 0);
/// assert_eq!(&bytes, b"Hello");
/// ```
#[inline]
pub fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    unmask_turned::<false>(bytes, turned(u32::from_le_bytes(mask), offset));
}

/// Xors `bytes` with a mask whose lowest byte meets the first of them, and if it shall `LOOK` says whether all of them are
/// ASCII now; else the answer means nothing.
///
/// The answer is one OR per vector here, where the bytes are in registers anyway; asked for later it would be a second
/// pass, and for short texts a slow one, because it would read back what was just stored in two overlapping pieces.
#[inline(always)]
pub(super) fn unmask_turned<const LOOK: bool>(bytes: &mut [u8], mask: u32) -> bool {
    if bytes.len() >= LONG {
        unmask_simd::unmask_long::<LOOK>(bytes, mask)
    } else {
        unmask_short(bytes, mask)
    }
}

/// The mask as it stands `offset` bytes further on. The little end of the word meets the first byte.
#[inline]
pub(super) const fn turned(mask: u32, offset: usize) -> u32 {
    mask.rotate_right((offset as u32 % 4) * 8)
}

/// The bits that no ASCII byte has.
const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);

/// Two words that may overlap cover any short length; the compiler keeps them in registers.
#[inline(always)]
fn unmask_short(bytes: &mut [u8], mask: u32) -> bool {
    let len = bytes.len();
    debug_assert!(len < LONG);
    let wide = u64::from(mask) | u64::from(mask) << 32;
    if let Some((first, last)) = ends::<16>(bytes) {
        let wide = u128::from(wide) | u128::from(wide) << 64;
        let at_end = wide.rotate_right((len as u32 % 4) * 8);
        let (first, last) = (
            u128::from_le_bytes(first) ^ wide,
            u128::from_le_bytes(last) ^ at_end,
        );
        bytes[..16].copy_from_slice(&first.to_le_bytes());
        bytes[len - 16..].copy_from_slice(&last.to_le_bytes());
        (first | last) & HIGH == 0
    } else if let Some((first, last)) = ends::<8>(bytes) {
        let at_end = wide.rotate_right((len as u32 % 4) * 8);
        let (first, last) = (
            u64::from_le_bytes(first) ^ wide,
            u64::from_le_bytes(last) ^ at_end,
        );
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[len - 8..].copy_from_slice(&last.to_le_bytes());
        (first | last) & HIGH as u64 == 0
    } else {
        let mut all = 0;
        for (byte, mask) in bytes.iter_mut().zip(wide.to_le_bytes()) {
            *byte ^= mask;
            all |= *byte;
        }
        all.is_ascii()
    }
}

/// The first and the last `N` bytes, which overlap in fewer than `2 * N`.
#[inline]
pub(super) fn ends<const N: usize>(bytes: &[u8]) -> Option<([u8; N], [u8; N])> {
    Some((*bytes.first_chunk()?, *bytes.last_chunk()?))
}

/// The long kernel, written once: `STEP` bytes a step, which the compiler turns into vectors of 16 or of 32 bytes as the
/// caller's target features allow. That is why it must be inlined into its callers.
///
/// It xors arrays of bytes, not words: from words the compiler makes vectors too, but transposes them on the way (rustc 1.95).
#[inline(always)]
pub(super) fn unmask_steps<const STEP: usize, const ALIGNED: bool, const LOOK: bool>(
    bytes: &mut [u8],
    mask: u32,
) -> bool {
    let len = bytes.len();
    let Some((first, last)) = ends::<STEP>(bytes) else {
        debug_assert!(
            false,
            "shorter than one step: the caller checked the length"
        );
        return false;
    };
    let mut seen = [0; STEP];
    let first = xored::<STEP, LOOK>(first, &repeated(mask), &mut seen);
    let at_end = repeated(turned(mask, len - STEP));
    let last = xored::<STEP, LOOK>(last, &at_end, &mut seen);
    // The first step is in hand, so the second may begin anywhere inside it or right behind it.
    let second = if ALIGNED {
        bytes.as_ptr().align_offset(STEP).min(STEP)
    } else {
        STEP
    };
    let mask = repeated(turned(mask, second));
    let (steps, _) = bytes[second..].as_chunks_mut::<STEP>();
    for step in steps {
        *step = xored::<STEP, LOOK>(*step, &mask, &mut seen);
    }
    bytes[..STEP].copy_from_slice(&first);
    bytes[len - STEP..].copy_from_slice(&last);
    seen.iter().fold(0, |all, byte| all | byte).is_ascii()
}

#[inline(always)]
fn repeated<const STEP: usize>(mask: u32) -> [u8; STEP] {
    let mut all = [0; STEP];
    let (words, _) = all.as_chunks_mut::<4>();
    words.fill(mask.to_le_bytes());
    all
}

/// Collects in `seen` the bits that occur in the result, if it shall look.
#[inline(always)]
fn xored<const STEP: usize, const LOOK: bool>(
    mut step: [u8; STEP],
    mask: &[u8; STEP],
    seen: &mut [u8; STEP],
) -> [u8; STEP] {
    for ((byte, mask), seen) in step.iter_mut().zip(mask).zip(seen) {
        *byte ^= mask;
        if LOOK {
            *seen |= *byte;
        }
    }
    step
}

#[cfg(test)]
mod tests;
