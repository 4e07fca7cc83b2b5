//! The loops that see every byte of a head: over bytes of one class, a field name, a value, to the end of a line.
//!
//! Each starts at `from` and returns where its run ends, which may be the end of the bytes. They do not know what
//! stands behind the run; the caller looks at that one byte and decides.
#![forbid(unsafe_code)]

use super::class::{self, TOKEN, VALUE};

/// Bytes looked at together while they are all allowed in a value.
const BLOCK: usize = 16;
const WORD: usize = 8;

/// The first byte at or after `from` that does not belong to `class`.
///
/// Eight bytes a round, each with its own exit: the compiler unrolls the inner loop, which then needs neither a counter
/// nor a bounds check for a byte.
#[inline(always)]
pub(super) fn run_end(bytes: &[u8], from: usize, class: u8) -> usize {
    let mut at = from;
    let (words, rest) = bytes[from..].as_chunks::<WORD>();
    for word in words {
        for (offset, &byte) in word.iter().enumerate() {
            if !class::is(byte, class) {
                tally(at + offset - from);
                return at + offset;
            }
        }
        at += WORD;
    }
    let ended = rest.iter().position(|&byte| !class::is(byte, class));
    at += ended.unwrap_or(rest.len());
    tally(at - from);
    at
}

/// The first byte at or after `from` that is no `tchar`, where a field name starts at `from`: the colon of a well-formed
/// line.
///
/// Nearly every name is at most a block of letters and `-`. Such a block is judged at once and without a branch for
/// each byte, because the processor could not predict how long the next name is. Other names go on byte by byte.
#[inline(always)]
pub(super) fn name_end(bytes: &[u8], from: usize) -> usize {
    let plain = bytes[from..].first_chunk().map_or(0, plain_prefix);
    match bytes.get(from + plain) {
        Some(b':') => {
            tally(plain);
            from + plain
        }
        _ => run_end(bytes, from + plain, TOKEN),
    }
}

/// How many letters and `-` start the block.
///
/// Never inlined: alone it becomes a dozen vector instructions, while between the loops of a head the compiler takes it
/// apart into single bytes again (4723 instead of 4233 instructions for a browser's head of 947 bytes, by callgrind).
#[inline(never)]
fn plain_prefix(block: &[u8; BLOCK]) -> usize {
    let mut others = [0; BLOCK];
    for (other, &byte) in others.iter_mut().zip(block) {
        let no_letter = (byte | 0x20).wrapping_sub(b'a') >= 26;
        *other = if no_letter && byte != b'-' { 0xff } else { 0 };
    }
    (u128::from_le_bytes(others).trailing_zeros() / 8) as usize
}

/// The first byte at or after `from` that may not stand in a field value: the CR of a well-formed line.
///
/// A value is most of a head, so it is not looked up byte by byte: blocks that contain no control byte are skipped
/// whole, the block that does is narrowed to a word, and arithmetic on that word finds the byte.
#[inline(always)]
pub(super) fn value_end(bytes: &[u8], from: usize) -> usize {
    let mut at = control(bytes, from);
    // HTAB is the one control byte that a value may hold; it is too rare to cost the loop a comparison.
    while bytes.get(at) == Some(&b'\t') {
        at = control_after_tab(bytes, at + 1);
    }
    tally(at - from);
    at
}

#[cold]
fn control_after_tab(bytes: &[u8], from: usize) -> usize {
    control(bytes, from)
}

/// The first byte at or after `from` that is below SP or is DEL.
#[inline(always)]
fn control(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    let (blocks, _) = bytes[from..].as_chunks::<BLOCK>();
    for block in blocks {
        let found = block.iter().fold(0, |found, &byte| {
            found | u8::from(byte < b' ') | u8::from(byte == 0x7f)
        });
        if found != 0 {
            let (words, _) = block.as_chunks::<WORD>();
            let first = controls(u64::from_le_bytes(words[0]));
            if first != 0 {
                return at + (first.trailing_zeros() / 8) as usize;
            }
            let second = controls(u64::from_le_bytes(words[1]));
            return at + WORD + (second.trailing_zeros() / 8) as usize;
        }
        at += BLOCK;
    }
    let rest = &bytes[at..];
    at + rest
        .iter()
        .position(|&byte| byte == b'\t' || !class::is(byte, VALUE))
        .unwrap_or(rest.len())
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
