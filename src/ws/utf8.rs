//! UTF-8 checked while it arrives (RFC 3629; RFC 6455 §8.1).
//!
//! ```text
//!   piece 1              piece 2
//!   … 6F  E2 82 │ AC  20  F0 9F 98 82 …
//!         └──── one character ─┘
//!    "incomplete": a state of one byte is kept, no text byte is
//! ```
//!
//! A piece may end inside a character, which is fine, or hold bytes that no continuation can repair, which must fail at
//! once and not when the character is complete: `F4` may still become valid, `F4 90` can not. Of a started character
//! only this matters: how many bytes are missing, and in which range the next one must lie. That is one of seven
//! states, so nothing is stored but the state.
//!
//! It does not know what a message is: the caller says where the text ends, with [`Utf8Checker::finish`].
#![forbid(unsafe_code)]

use super::unmask::ends;

/// Bytes that can never become UTF-8, or a text that ended inside a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

/// What may follow the bytes seen so far (RFC 3629 §4, the rule `UTF8-octets` read byte by byte).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Expect {
    /// A new character.
    Lead,
    /// One more continuation byte.
    One,
    /// Two more.
    Two,
    /// Three more.
    Three,
    /// Two more, the first not below A0: anything lower is an overlong form.
    AfterE0,
    /// Two more, the first not above 9F: anything higher is a surrogate.
    AfterEd,
    /// Three more, the first not below 90: anything lower is an overlong form.
    AfterF0,
    /// Three more, the first not above 8F: anything higher is beyond U+10FFFF.
    AfterF4,
}

impl Expect {
    const fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Lead, 0x00..=0x7F) | (Self::One, 0x80..=0xBF) => Self::Lead,
            (Self::Lead, 0xC2..=0xDF)
            | (Self::Two, 0x80..=0xBF)
            | (Self::AfterE0, 0xA0..=0xBF)
            | (Self::AfterEd, 0x80..=0x9F) => Self::One,
            (Self::Lead, 0xE1..=0xEC | 0xEE..=0xEF)
            | (Self::Three, 0x80..=0xBF)
            | (Self::AfterF0, 0x90..=0xBF)
            | (Self::AfterF4, 0x80..=0x8F) => Self::Two,
            (Self::Lead, 0xF1..=0xF3) => Self::Three,
            (Self::Lead, 0xE0) => Self::AfterE0,
            (Self::Lead, 0xED) => Self::AfterEd,
            (Self::Lead, 0xF0) => Self::AfterF0,
            (Self::Lead, 0xF4) => Self::AfterF4,
            _ => return None,
        })
    }
}

/// Checks a text that comes in pieces; one byte of state.
///
/// ```
/// use longshore::ws::{InvalidUtf8, Utf8Checker};
/// let mut text = Utf8Checker::new();
/// assert_eq!(text.check(b"5 \xE2\x82"), Ok(())); // two thirds of a euro sign
/// assert_eq!(text.check(b"\xAC"), Ok(()));
/// assert_eq!(text.finish(), Ok(()));
/// assert_eq!(text.check(b"\xF4\x90"), Err(InvalidUtf8)); // above U+10FFFF whatever follows
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utf8Checker {
    expect: Expect,
}

impl Default for Utf8Checker {
    fn default() -> Self {
        Self::new()
    }
}

impl Utf8Checker {
    /// Starts before the first byte of a text.
    pub const fn new() -> Self {
        Self {
            expect: Expect::Lead,
        }
    }

    /// Checks the next piece, of any length.
    ///
    /// # Errors
    /// [`InvalidUtf8`] at the first piece with which the text can no longer become valid. The checker is then of no
    /// further use.
    #[inline]
    pub fn check(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        self.check_knowing(piece, is_ascii(piece))
    }

    /// The same for a piece of which was found out already that it is ASCII; `false` if that is not known.
    #[inline]
    pub(super) fn check_knowing(&mut self, piece: &[u8], ascii: bool) -> Result<(), InvalidUtf8> {
        if ascii && self.expect == Expect::Lead {
            return Ok(());
        }
        self.check_any(piece)
    }

    /// Checks a text that lies there whole.
    ///
    /// # Errors
    /// [`InvalidUtf8`], also if it ends inside a character.
    #[inline]
    pub fn check_whole(text: &[u8]) -> Result<(), InvalidUtf8> {
        if is_ascii(text) {
            return Ok(());
        }
        Self::check_beyond_ascii(text)
    }

    /// The same for a text that is not ASCII, or too long to ask.
    ///
    /// The vector code reads 64 bytes at a time and leaves shorter texts to the standard library, character by
    /// character. Filled up with zeros, which are ASCII and so complete no character, they are for it too: decoding 20
    /// bytes takes 212 instructions instead of 366 (callgrind).
    #[inline(never)]
    pub(super) fn check_beyond_ascii(text: &[u8]) -> Result<(), InvalidUtf8> {
        let mut filled = [0; VECTORS];
        let text = if text.len() < VECTORS {
            filled[..text.len()].copy_from_slice(text);
            &filled
        } else {
            text
        };
        simdutf8::basic::from_utf8(text)
            .map(drop)
            .map_err(|_| InvalidUtf8)
    }

    /// Ends the text. If it ended well, the checker is ready for the next one.
    ///
    /// # Errors
    /// [`InvalidUtf8`] if the text ended inside a character.
    #[inline]
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.expect == Expect::Lead {
            Ok(())
        } else {
            Err(InvalidUtf8)
        }
    }

    /// Finishes the character that the last piece began, checks whole characters at vector speed, and steps through
    /// the one that this piece leaves unfinished.
    #[inline(never)]
    fn check_any(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.expect != Expect::Lead {
            let Some((&byte, rest)) = piece.split_first() else {
                return Ok(());
            };
            self.step(byte)?;
            piece = rest;
        }
        let (whole, begun) = piece.split_at(piece.len() - begun_at_end(piece));
        simdutf8::basic::from_utf8(whole).map_err(|_| InvalidUtf8)?;
        begun.iter().try_for_each(|&byte| self.step(byte))
    }

    fn step(&mut self, byte: u8) -> Result<(), InvalidUtf8> {
        self.expect = self.expect.after(byte).ok_or(InvalidUtf8)?;
        Ok(())
    }
}

/// How many bytes at the end belong to a character that is not complete: 0 to 3. Judges by the lead byte's length
/// alone; whether those bytes are any good is for the caller to step through.
fn begun_at_end(text: &[u8]) -> usize {
    for (back, &byte) in (1..=3).zip(text.iter().rev()) {
        let length = match byte {
            0x80..=0xBF => continue,
            0x00..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        return if length > back { back } else { 0 };
    }
    0
}

/// From here on `simdutf8` uses vectors.
const VECTORS: usize = 64;

/// Up to here two loads cover a text.
const SHORT: usize = 32;

/// Up to here looking for ASCII first costs less than the call into the vector code, which does so itself.
const MIDDLE: usize = 256;

/// Whether a text that is not long is ASCII; a long one is for the vector code, and the answer is no. Short ones are
/// read as the first and the last half, which may overlap, in one word each.
#[inline]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);
    if text.len() > SHORT {
        text.len() <= MIDDLE && is_ascii_words(text)
    } else if let Some((first, last)) = ends::<16>(text) {
        (u128::from_ne_bytes(first) | u128::from_ne_bytes(last)) & HIGH == 0
    } else if let Some((first, last)) = ends::<8>(text) {
        (u64::from_ne_bytes(first) | u64::from_ne_bytes(last)) & HIGH as u64 == 0
    } else {
        text.is_ascii()
    }
}

/// The same for more than [`SHORT`] bytes: four words a step, and the last four, which may overlap. `slice::is_ascii`
/// of Rust 1.95 takes 400 instructions for 125 bytes where this takes 77 (callgrind).
fn is_ascii_words(text: &[u8]) -> bool {
    let (steps, _) = text.as_chunks::<SHORT>();
    let mut all = [0; SHORT];
    for step in steps.iter().chain(text.last_chunk()) {
        for (all, byte) in all.iter_mut().zip(step) {
            *all |= byte;
        }
    }
    all.iter().fold(0, |all, &byte| all | byte) < 0x80
}

#[cfg(test)]
mod tests;
