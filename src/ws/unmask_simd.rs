//! Chooses the unmasking code for the machine it runs on: the only `unsafe` of the WebSocket layer.
//!
//! Both versions are the same safe source, [`unmask_words`], compiled twice. Only the call
//! into a function that needs AVX2 is unsafe, because the compiler cannot know that the machine was asked. It does not
//! know what the bytes are.
#![allow(
    unsafe_code,
    reason = "calling `target_feature` code from code without the feature is unsafe (Rust E0133)"
)]

use super::unmask::unmask_words;

/// From here on the wider vectors win; below, asking (one atomic load) and calling costs more than it saves.
#[cfg(target_arch = "x86_64")]
const WORTH_ASKING: usize = 128;

/// Xors at least 32 bytes with a mask whose little end meets the first byte.
#[inline]
pub(super) fn unmask_long(bytes: &mut [u8], mask: u32) {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= WORTH_ASKING && std::arch::is_x86_feature_detected!("avx2") {
        debug_assert!(std::arch::is_x86_feature_detected!("avx2"));
        // SAFETY: the machine has AVX2, kept true by the question in the line that guards this call.
        unsafe { unmask_avx2(bytes, mask) };
        return;
    }
    unmask_baseline(bytes, mask);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn unmask_avx2(bytes: &mut [u8], mask: u32) {
    unmask_words(bytes, mask);
}

fn unmask_baseline(bytes: &mut [u8], mask: u32) {
    unmask_words(bytes, mask);
}
