//! The three loops that see every byte of a head: over a name, over a value, to the end of a line.
//!
//! Each starts at `from` and returns where its run ends, which may be the end of the bytes. They do not know what
//! stands behind the run; the caller looks at that one byte and decides.

use super::class::{self, TOKEN, VALUE};

/// Bytes looked at together while they are all allowed in a value.
const BLOCK: usize = 16;
const WORD: usize = 8;

/// The first byte at or after `from` that is no `tchar`.
#[inline(always)]
pub(super) fn token_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && class::is(bytes[at], TOKEN) {
        at += 1;
    }
    tally(at - from);
    at
}

/// The first byte at or after `from` that may not stand in a field value: the CR of a well-formed line.
///
/// A value is most of a head, so it is not looked up byte by byte: blocks that contain no control byte are skipped
/// whole, the block that does is narrowed to a word, and arithmetic on that word finds the byte.
#[inline(always)]
pub(super) fn value_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        at = control(bytes, at);
        // HTAB is the one control byte that a value may hold; it is too rare to cost the loop a comparison.
        if bytes.get(at) != Some(&b'\t') {
            tally(at - from);
            return at;
        }
        at += 1;
    }
}

/// The first byte at or after `from` that is below SP or is DEL.
#[inline(always)]
fn control(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    let (blocks, _) = bytes[at..].as_chunks::<BLOCK>();
    for block in blocks {
        if block
            .iter()
            .fold(false, |found, &byte| found | (byte < b' ') | (byte == 0x7f))
        {
            break;
        }
        at += BLOCK;
    }
    let (words, _) = bytes[at..].as_chunks::<WORD>();
    for word in words {
        let found = controls(u64::from_le_bytes(*word));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += WORD;
    }
    while at < bytes.len() && class::is(bytes[at], VALUE) && bytes[at] != b'\t' {
        at += 1;
    }
    at
}

/// The high bit of every byte of `word` that is below SP or is DEL.
///
/// `byte + 0x60` reaches 0x80 from SP upwards and `byte + 1` at DEL. Both sums are taken without the byte's own high
/// bit, so that no carry leaves a byte and every bit of the answer is exact.
#[inline(always)]
const fn controls(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ONES);
    let printable = low + 0x60 * ONES;
    let delete = low + ONES;
    (!printable | delete) & !word & (0x80 * ONES)
}

/// The first CR or LF at or after `from`.
#[inline]
pub(super) fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let found = memchr::memchr2(b'\r', b'\n', &bytes[from..]).map(|offset| from + offset);
    tally(found.unwrap_or(bytes.len()) - from);
    found
}

/// Counts the bytes that the loops looked at, so that a test can prove that a dripped head costs linear work.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn tally(_bytes: usize) {}

#[cfg(test)]
pub(super) use counted::{tallied, tally};

#[cfg(test)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(in crate::http) fn tally(bytes: usize) {
        BYTES.with(|counter| counter.set(counter.get() + bytes));
    }

    /// Bytes looked at by this thread since it last asked.
    pub(in crate::http) fn tallied() -> usize {
        BYTES.with(Cell::take)
    }
}
