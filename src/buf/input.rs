//! A cursor over bytes that were lent for one dispatch.
//!
//! ```text
//!   taken by the decoder        unread
//!   ─────────────────────┬──────────────────────
//!   G E T   /   H T T P  │  G E T   / p i p e …
//!                        └ Input::unread() starts here
//! ```
//!
//! The lifetime `'b` belongs to the *input*, not to the parser that reads it: a decoder keeps its own state and hands
//! out slices that live as long as the lend. It does not know where the bytes came from (a driver's receive buffer, a
//! buffer ring, an inbox, a test) nor what they mean.

use std::mem;

/// A cursor over lent bytes. The bytes are mutable because a WebSocket payload is unmasked where it lies.
#[derive(Debug)]
pub struct Input<'b> {
    unread: &'b mut [u8],
}

impl<'b> Input<'b> {
    /// Starts at the first byte of `bytes`.
    ///
    /// ```
    /// let mut bytes = *b"abcdef";
    /// let mut input = longshore::buf::Input::new(&mut bytes);
    /// assert_eq!(input.take(2), b"ab");
    /// assert_eq!(input.unread(), b"cdef");
    /// ```
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { unread: bytes }
    }

    /// The bytes that nobody has taken yet.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        self.unread
    }

    /// How many bytes nobody has taken yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.unread.len()
    }

    /// Whether every byte was taken.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// Takes the next `count` bytes for the rest of the lend.
    ///
    /// # Panics
    /// If fewer than `count` bytes are unread: the caller has just looked at [`len`](Self::len).
    #[inline]
    pub fn take(&mut self, count: usize) -> &'b mut [u8] {
        let (taken, rest) = mem::take(&mut self.unread).split_at_mut(count);
        self.unread = rest;
        taken
    }

    /// Takes everything that is left.
    #[inline]
    pub fn take_all(&mut self) -> &'b mut [u8] {
        mem::take(&mut self.unread)
    }
}
