//! Chooses how a head is read, for the machine it runs on, and asks 32 bytes at once: the only `unsafe` of HTTP.
//!
//! It does not know heads.
#![allow(
    unsafe_code,
    reason = "calling `target_feature` code from code without the feature is unsafe (Rust E0133)"
)]

use super::HeadLimits;
use super::head::Reading;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::{BLOCK_BYTES, Block, Class};

/// Reads the head at the start of `bytes` if it is whole and usual, and the machine can ask 32 bytes at once. Returns
/// where it ends; if there is no answer, `reading` has to be begun anew.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn read(bytes: &[u8], limits: &HeadLimits, reading: &mut Reading) -> Option<usize> {
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi1") {
        // SAFETY: the machine has AVX2 and BMI1, kept true by the question in the line that guards this call.
        return unsafe { super::plain::read(bytes, limits, reading) };
    }
    None
}

/// No such vectors here.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn read(_: &[u8], _: &HeadLimits, _: &mut Reading) -> Option<usize> {
    None
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
        _mm256_shuffle_epi8, _mm256_srli_epi16,
    };

    use crate::http::{class, scan};

    /// How many bytes are asked at once.
    pub(in crate::http) const BLOCK_BYTES: usize = 32;

    /// A class of ASCII bytes, as two tables of 16: `low[byte & 15]` has a bit for each of the eight rows of ASCII in
    /// which this column belongs to the class.
    pub(in crate::http) struct Class {
        low: [u8; 32],
    }

    impl Class {
        /// The table of a class of [`class`]. Bytes above ASCII belong to none.
        pub(in crate::http) const fn of(class: u8) -> Self {
            let mut low = [0; 32];
            let mut byte = 0;
            while byte < 128 {
                if class::is(byte as u8, class) {
                    low[byte & 15] |= 1 << (byte >> 4);
                    low[16 + (byte & 15)] |= 1 << (byte >> 4);
                }
                byte += 1;
            }
            Self { low }
        }
    }

    /// The bit of each row of ASCII; rows above have none.
    const ROWS: [u8; 32] = {
        let mut rows = [0; 32];
        let mut row = 0;
        while row < 8 {
            rows[row] = 1 << row;
            rows[row + 16] = 1 << row;
            row += 1;
        }
        rows
    };

    /// 32 bytes of a head, of which those behind the end of the input count as belonging to every class.
    pub(in crate::http) struct Block {
        bytes: __m256i,
        /// How many of the bytes lie before the place that was asked for.
        before: u32,
    }

    impl Block {
        /// The bytes from `at` on. `None` if there are fewer than 32 bytes in all, or none from `at` on.
        ///
        /// Fewer than 32 that are left are loaded together with bytes before them, which are then shifted out of the
        /// answers.
        #[target_feature(enable = "avx2,bmi1")]
        #[inline]
        pub(in crate::http) fn at(bytes: &[u8], at: usize) -> Option<Self> {
            let last = bytes.len().checked_sub(BLOCK_BYTES)?;
            let start = at.min(last);
            let before = at - start;
            if before >= BLOCK_BYTES {
                return None;
            }
            let block: &[u8; BLOCK_BYTES] = bytes.get(start..)?.first_chunk()?;
            // About as much work as so many bytes that are looked up by themselves.
            scan::tally(4);
            Some(Self {
                bytes: load(block),
                before: before as u32,
            })
        }

        /// The first byte that is not of `class`; 32 if there is none here.
        #[target_feature(enable = "avx2,bmi1")]
        #[inline]
        pub(in crate::http) fn first_outside(&self, class: &Class) -> usize {
            (self.outside(class) >> self.before).trailing_zeros() as usize
        }

        /// The first byte from `offset` on, which is below 32, that is not of `class`.
        #[target_feature(enable = "avx2,bmi1")]
        #[inline]
        pub(in crate::http) fn first_outside_from(&self, class: &Class, offset: usize) -> usize {
            (self.outside(class) >> self.before & (u32::MAX << offset)).trailing_zeros() as usize
        }

        /// Whether the byte at `offset`, which is below 32, is `byte`.
        #[target_feature(enable = "avx2,bmi1")]
        #[inline]
        pub(in crate::http) fn is(&self, offset: usize, byte: u8) -> bool {
            let same = _mm256_cmpeq_epi8(self.bytes, _mm256_set1_epi8(byte as i8));
            _mm256_movemask_epi8(same) as u32 >> self.before >> offset & 1 != 0
        }

        /// The first byte from `offset` on, which is below 32, that is a control character.
        #[target_feature(enable = "avx2,bmi1")]
        #[inline]
        pub(in crate::http) fn first_control(&self, offset: usize) -> usize {
            let low = _mm256_cmpeq_epi8(
                _mm256_min_epu8(self.bytes, _mm256_set1_epi8(0x1f)),
                self.bytes,
            );
            let delete = _mm256_cmpeq_epi8(self.bytes, _mm256_set1_epi8(0x7f));
            let controls = _mm256_movemask_epi8(_mm256_or_si256(low, delete)) as u32;
            (controls >> self.before & (u32::MAX << offset)).trailing_zeros() as usize
        }

        /// A bit for every byte that is not of `class`.
        #[target_feature(enable = "avx2,bmi1")]
        #[inline]
        fn outside(&self, class: &Class) -> u32 {
            // A shuffle looks at the low four bits alone, and gives 0 for a byte above ASCII.
            let columns = _mm256_shuffle_epi8(load(&class.low), self.bytes);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(self.bytes), _mm256_set1_epi8(15));
            let rows = _mm256_shuffle_epi8(load(&ROWS), high);
            let none = _mm256_cmpeq_epi8(_mm256_and_si256(columns, rows), _mm256_setzero_si256());
            _mm256_movemask_epi8(none) as u32
        }
    }

    #[target_feature(enable = "avx2,bmi1")]
    #[inline]
    fn load(bytes: &[u8; BLOCK_BYTES]) -> __m256i {
        // SAFETY: 32 bytes may be read, kept true by the type; the load asks for no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }
}
