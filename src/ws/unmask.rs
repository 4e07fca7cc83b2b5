//! Unmasking, and masking, which is the same (RFC 6455 §5.3): `payload[i] ^= mask[i % 4]`.
//!
//! ```text
//!   payload   48 65 6C 6C 6F 20 …
//!   mask      37 FA 21 3D 37 FA …      repeated; a piece may begin at any of its four bytes
//!   result    7F 9F 4D 51 58 DA …      written where it lies
//! ```
//!
//! The obvious loop runs at 6 GB/s. The real one differs in three ways:
//!
//! 1. The mask is turned once, so that its first byte meets the piece's first byte, and then widened. From there on every
//!    multiple of four bytes meets the same mask.
//! 2. The end is not a loop over the last few bytes. The last word is *loaded before anything is written*, overlaps what
//!    the loop has covered, and is stored last: bytes that are covered twice get the same value twice.
//! 3. Long payloads take 32 bytes a step, compiled once for every `x86_64` and once for AVX2; see
//!    [`unmask_simd`], which chooses.
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
    unmask_turned(bytes, turned(u32::from_le_bytes(mask), offset));
}

/// Xors `bytes` with a mask whose lowest byte meets the first of them.
#[inline]
pub(super) fn unmask_turned(bytes: &mut [u8], mask: u32) {
    if bytes.len() >= LONG {
        unmask_simd::unmask_long(bytes, mask);
    } else {
        unmask_short(bytes, mask);
    }
}

/// The mask as it stands `offset` bytes further on. The little end of the word meets the first byte.
#[inline]
pub(super) const fn turned(mask: u32, offset: usize) -> u32 {
    mask.rotate_right((offset as u32 % 4) * 8)
}

/// Two words that may overlap cover any short length; the compiler keeps them in registers.
#[inline]
fn unmask_short(bytes: &mut [u8], mask: u32) {
    let len = bytes.len();
    debug_assert!(len < LONG);
    let wide = u64::from(mask) | u64::from(mask) << 32;
    if let Some((first, last)) = ends::<16>(bytes) {
        let wide = u128::from(wide) | u128::from(wide) << 64;
        let at_end = wide.rotate_right((len as u32 % 4) * 8);
        bytes[..16].copy_from_slice(&(u128::from_le_bytes(first) ^ wide).to_le_bytes());
        bytes[len - 16..].copy_from_slice(&(u128::from_le_bytes(last) ^ at_end).to_le_bytes());
    } else if let Some((first, last)) = ends::<8>(bytes) {
        let at_end = wide.rotate_right((len as u32 % 4) * 8);
        bytes[..8].copy_from_slice(&(u64::from_le_bytes(first) ^ wide).to_le_bytes());
        bytes[len - 8..].copy_from_slice(&(u64::from_le_bytes(last) ^ at_end).to_le_bytes());
    } else {
        for (byte, mask) in bytes.iter_mut().zip(wide.to_le_bytes()) {
            *byte ^= mask;
        }
    }
}

/// The first and the last `N` bytes, which overlap in fewer than `2 * N`.
#[inline]
pub(super) fn ends<const N: usize>(bytes: &[u8]) -> Option<([u8; N], [u8; N])> {
    Some((*bytes.first_chunk()?, *bytes.last_chunk()?))
}

/// The long kernel, written once: 32 bytes a step as four words, which the compiler turns into two vectors of 16 bytes
/// or one of 32, as the caller's target features allow. That is why it must be inlined into its callers.
#[inline(always)]
pub(super) fn unmask_words(bytes: &mut [u8], mask: u32) {
    const STEP: usize = 32;
    let len = bytes.len();
    let wide = u64::from(mask) | u64::from(mask) << 32;
    let Some(&last) = bytes.last_chunk::<STEP>() else {
        debug_assert!(
            false,
            "shorter than one step: the caller checked the length"
        );
        return;
    };
    let (steps, _) = bytes.as_chunks_mut::<STEP>();
    for step in steps {
        *step = xored(*step, wide);
    }
    bytes[len - STEP..].copy_from_slice(&xored(last, wide.rotate_right((len as u32 % 4) * 8)));
}

#[inline(always)]
fn xored(mut step: [u8; 32], wide: u64) -> [u8; 32] {
    let (words, _) = step.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    step
}

#[cfg(test)]
mod tests;
