//! Messages in, compressed payloads out (RFC 7692 §7.2.1).
//!
//! ```text
//!   message ──▶ raw deflate ──▶ sync flush   F2 48 CD C9 C9 07 00 │ 00 00 FF FF
//!                                            └── the payload ───┘   └─ cut off
//! ```
//!
//! It does not know frames, nor whether compressing is worth it: compare the lengths, and with a dropped context send
//! what is shorter.
#![forbid(unsafe_code)]

use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::{Context, TAIL, WindowBits};

/// The heads of the hash chains: 65,536 of two bytes, whatever the window.
const HASH_BYTES: usize = 128 * 1024;

/// The trees, the counters, and what alignment takes: 3,200 bytes were counted, and our own fields.
const STATE_BYTES: usize = 4 * 1024;

/// The least room that is offered to the compressor at a time. A flush with too little room is written twice.
const STEP_BYTES_MIN: usize = 64;

/// The most room at a time: what a long message shrinks to is not known before.
const STEP_BYTES_MAX: usize = 16 * 1024;

/// Compresses messages, one after the other.
///
/// With [`Context::Kept`] it belongs to one connection, and every message that it compressed must be sent, in this order,
/// since later ones refer to it. With [`Context::Dropped`] each message stands for itself: one compressor serves every
/// connection of a loop whose agreed window is not smaller than its own, and a payload that did not shrink may be thrown
/// away and its message sent as it is.
///
/// ```
/// use longshore::ws::deflate::{Compressor, Context, WindowBits};
/// let mut compressor = Compressor::new(Context::Kept, WindowBits::MAX, 8, 6);
/// let mut out = Vec::new();
/// compressor.compress(b"Hello", &mut out);
/// assert_eq!(out, b"\xF2\x48\xCD\xC9\xC9\x07\x00"); // RFC 7692 §7.2.3.1
/// out.clear();
/// compressor.compress(b"Hello", &mut out);
/// assert_eq!(out, b"\xF2\x00\x11\x00\x00"); // §7.2.3.2: the same again
/// ```
pub struct Compressor {
    deflate: Deflate,
    context: Context,
    window: WindowBits,
    mem_level: u8,
}

impl Compressor {
    /// Allocates a compressor, [`bytes`](Self::bytes) of memory in one piece.
    ///
    /// `mem_level` is 1, least memory, to 9, zlib's usual is 8; `level` is 1, fast, to 9, small. Values outside are
    /// taken for the nearest.
    pub fn new(context: Context, window: WindowBits, mem_level: u8, level: u8) -> Self {
        let mem_level = mem_level.clamp(1, 9);
        Self {
            deflate: Deflate::new_with_config(DeflateConfig {
                level: i32::from(level.clamp(1, 9)),
                window_bits: -i32::from(window.number()), // negative: without zlib's header
                mem_level: i32::from(mem_level),
                ..DeflateConfig::default()
            }),
            context,
            window,
            mem_level,
        }
    }

    /// What a compressor holds, in bytes, for a budget: two windows, the chains of one, the heads of the chains, and
    /// buffers of 7 times 2 to the power of (`mem_level` + 6).
    ///
    /// ```
    /// use longshore::ws::deflate::{Compressor, WindowBits};
    /// assert_eq!(Compressor::bytes(WindowBits::MAX, 8), 380_928);
    /// assert_eq!(Compressor::bytes(WindowBits::MIN, 1), 138_112);
    /// ```
    pub const fn bytes(window: WindowBits, mem_level: u8) -> usize {
        let window_bytes = 1 << window.number();
        let mem_level = match mem_level {
            0 => 1,
            10.. => 9,
            level => level,
        };
        4 * window_bytes + (7 << (mem_level + 6)) + HASH_BYTES + STATE_BYTES
    }

    /// What this one holds.
    pub const fn held_bytes(&self) -> usize {
        Self::bytes(self.window, self.mem_level)
    }

    /// The window it compresses with. A connection that agreed on less must not use it.
    pub const fn window(&self) -> WindowBits {
        self.window
    }

    /// Whether messages refer to those before.
    pub const fn context(&self) -> Context {
        self.context
    }

    /// Appends the payload of a message's frames, the first of which carries RSV1 (RFC 7692 §6.1). It may be cut into
    /// frames anywhere. An empty message is one byte.
    ///
    /// What cannot be compressed grows: by a few bytes from level 2 up, by a twenty-fifth with the least memory, by up to
    /// an eighth at level 1, which writes nothing but fixed codes.
    pub fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) {
        self.compress_fragment(message, true, out);
    }

    /// Appends the payload of the next frame of a message whose end is not known yet; `last` ends it. The peer can inflate
    /// every fragment when it comes. Until the last nothing else may be compressed.
    ///
    /// A fragment that is not the last keeps the end of its flush (RFC 7692 §7.2.3.5), so each costs four bytes more than
    /// a cut of the whole; an empty one is nothing.
    ///
    /// ```
    /// use longshore::ws::deflate::{Compressor, Context, Inflater, WindowBits};
    /// let mut compressor = Compressor::new(Context::Dropped, WindowBits::MAX, 8, 6);
    /// let mut payload = Vec::new();
    /// compressor.compress_fragment(b"Hel", false, &mut payload);
    /// compressor.compress_fragment(b"lo", true, &mut payload);
    /// let mut message = Vec::new();
    /// Inflater::new(Context::Dropped).inflate(&payload, true, 5, &mut message)?;
    /// assert_eq!(message, b"Hello");
    /// # Ok::<(), longshore::ws::deflate::InflateError>(())
    /// ```
    pub fn compress_fragment(&mut self, fragment: &[u8], last: bool, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            // §7.2.3.6: an empty stored block without its tail. zlib would not flush a second time for nothing.
            if last {
                out.push(0);
            }
        } else {
            self.flushed(fragment, out);
            debug_assert!(out.ends_with(&TAIL), "a sync flush ends so");
            if last {
                out.truncate(out.len() - TAIL.len());
            }
        }
        if last && self.context == Context::Dropped && self.deflate.total_in() > 0 {
            self.deflate.reset();
        }
    }

    /// Appends what the bytes become, with the end of the flush.
    fn flushed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let step = (bytes.len() / 2).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
        let mut rest = bytes;
        loop {
            let (count, before) = (out.len(), self.deflate.total_in());
            out.resize(count + step, 0);
            let written = self.step(rest, &mut out[count..]);
            rest = &rest[(self.deflate.total_in() - before) as usize..];
            out.truncate(count + written);
            // Room that is left says that nothing is held back.
            if rest.is_empty() && written < step {
                return;
            }
        }
    }

    fn step(&mut self, message: &[u8], room: &mut [u8]) -> usize {
        let before = self.deflate.total_out();
        self.deflate
            .compress(message, room, DeflateFlush::SyncFlush)
            .expect("a deflate that is not finished takes any bytes into any room");
        (self.deflate.total_out() - before) as usize
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("context", &self.context)
            .field("window", &self.window.number())
            .field("mem_level", &self.mem_level)
            .finish_non_exhaustive()
    }
}
