//! Chooses the unmasking code for the machine it runs on: the only `unsafe` of the WebSocket layer.
//!
//! Both versions are the same safe source, [`unmask_steps`], compiled twice. Only the call
//! into a function that needs AVX2 is unsafe, because the compiler cannot know that the machine was asked. It does not
//! know what the bytes are.
#![allow(
    unsafe_code,
    reason = "calling `target_feature` code from code without the feature is unsafe (Rust E0133)"
)]

use super::unmask::unmask_steps;

/// From here on the wider vectors win; below, asking (one atomic load) and calling costs more than it saves.
#[cfg(target_arch = "x86_64")]
const WORTH_ASKING: usize = 128;

/// Xors at least 32 bytes with a mask whose little end meets the first byte; true if it shall look and all are
/// ASCII now.
#[inline(always)]
pub(super) fn unmask_long<const LOOK: bool>(bytes: &mut [u8], mask: u32) -> bool {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= WORTH_ASKING {
        return unmask_widest::<LOOK>(bytes, mask);
    }
    unmask_baseline::<LOOK>(bytes, mask)
}

/// A function of its own, because asking for the first time is a call, before which registers are saved.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn unmask_widest<const LOOK: bool>(bytes: &mut [u8], mask: u32) -> bool {
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2, kept true by the question in the line that guards this call.
        return unsafe { unmask_avx2::<LOOK>(bytes, mask) };
    }
    unmask_baseline::<LOOK>(bytes, mask)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn unmask_avx2<const LOOK: bool>(bytes: &mut [u8], mask: u32) -> bool {
    unmask_steps::<128, true, LOOK>(bytes, mask)
}

#[inline(never)]
fn unmask_baseline<const LOOK: bool>(bytes: &mut [u8], mask: u32) -> bool {
    unmask_steps::<32, false, LOOK>(bytes, mask)
}
