//! permessage-deflate (RFC 7692): messages that travel compressed.
//!
//! ```text
//!   Sec-WebSocket-Extensions ──▶ list ──▶ parameters ──▶ Settings::accept ──▶ Agreed     opening (§5, §7.1)
//!
//!   message ──▶ Compressor ──▶ payload without its end      00 00 FF FF ──▶ RSV1 frame   (§7.2.1)
//!   payload, in pieces ──▶ Inflater ──▶ message, bounded    00 00 FF FF put back         (§7.2.2)
//! ```
//!
//! The end of a flush is the same four bytes for every message, so they do not travel: the sender cuts them off, the
//! receiver appends them again.
//!
//! A direction of a connection has two properties, agreed on in the handshake: how far back its compressor looks
//! ([`WindowBits`]), and whether it may look into the messages before ([`Context`]). The second decides about memory:
//! with [`Context::Kept`] each connection owns a [`Compressor`] of up to 381 KB, an [`Inflater`] of 48 KB, or both;
//! with [`Context::Dropped`], which is the default here, a loop needs one compressor for all its connections and an
//! inflater for each message that has begun and not ended.
//!
//! What a KiB of JSON costs (20 rows, each message unlike the last), and what holds the memory for it:
//!
//! ```text
//!   window bits/  compressor    level 1                               level 6
//!   memory level  holds         kept            dropped               kept             dropped
//!   15/8          380,928 B     237 B  3.6 us   338 B   9.8 us        172 B  25 us     238 B  22 us
//!   12/5          165,888 B     264 B  4.6 us   338 B   7.7 us        184 B  17 us     238 B  19 us
//!    9/1          138,112 B     307 B  9.8 us   333 B  10.0 us        199 B  24 us     243 B  26 us
//!   inflating      49,152 B            2.1 us           1.7 us                4 us             5 us
//! ```
//!
//! (`cargo test --release --lib deflate::tests::figures -- --ignored --nocapture`, rustc 1.95, Linux 6.18, two cores of
//! Zen 5 class; best of several runs, which differed by up to 2 times.) Dropping the context clears 128 KiB after each
//! message, which is why it costs more time at level 1.
//!
//! The work is done by the `zlib-rs` crate. This module does not know frames, sockets, clocks, nor who owns a compressor;
//! it does not check text: [`Utf8Checker`](super::Utf8Checker) does, on what an inflater gives out.
//!
//! ```
//! use longshore::ws::deflate::{Compressor, Context, Inflater, Settings, WindowBits};
//! use longshore::ws::{Role, Utf8Checker};
//!
//! let offer: &[u8] = b"permessage-deflate; client_max_window_bits";
//! let accepted = Settings::default().accept([offer]).ok_or("no compression")?;
//! let sending = accepted.agreed.sending(Role::Server);
//!
//! let mut compressor = Compressor::new(sending.context, sending.window, 8, 1);
//! let mut payload = Vec::new();
//! compressor.compress("Käse, Käse, Käse, Käse".as_bytes(), &mut payload);
//! assert!(payload.len() < 16);
//!
//! let (mut inflater, mut text) = (Inflater::new(sending.context), Utf8Checker::new());
//! let mut message = Vec::new();
//! let (first, last) = payload.split_at(4); // two frames, or two lends
//! for (piece, is_last) in [(first, false), (last, true)] {
//!     let count = inflater.inflate(piece, is_last, 1 << 20, &mut message)?;
//!     text.check(&message[message.len() - count..]).map_err(|_| "not UTF-8")?;
//! }
//! text.finish().map_err(|_| "not UTF-8")?;
//! assert_eq!(message, "Käse, Käse, Käse, Käse".as_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod compressor;
mod field_value;
mod inflater;
mod negotiation;
mod parameters;

use core::fmt;

use super::Role;
use super::handshake::list;

pub use compressor::Compressor;
pub use field_value::FieldValue;
pub use inflater::{InflateError, Inflater};
pub use list::is_extension_list;
pub use negotiation::{Accepted, OFFERS_MAX, ReplyFault, Settings};

/// What a compressor cuts off, and an inflater puts back (RFC 7692 §7.2.1): the lengths of an empty stored block, whose
/// header is the last byte that travels.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Whether a message may refer to those before it (RFC 7692 §7.1.1, "context takeover").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// It may: similar messages become much smaller, and each connection owns its state.
    Kept,
    /// It may not: `no_context_takeover`. Messages are independent, and connections can share their state.
    Dropped,
}

/// How far back a compressor looks: 2 to the power of this many bytes, 9 to 15 (RFC 7692 §7.1.2).
///
/// The RFC knows 8 too. `zlib-rs` cannot compress with it (a bug of zlib's that became custom), so we never promise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 9 bits, 512 bytes.
    pub const MIN: Self = Self(9);
    /// 15 bits, 32 KiB; what counts where nothing was said.
    pub const MAX: Self = Self(15);

    /// Takes 9 to 15.
    ///
    /// ```
    /// use longshore::ws::deflate::WindowBits;
    /// assert_eq!(WindowBits::new(15), Some(WindowBits::MAX));
    /// assert_eq!(WindowBits::new(8), None);
    /// ```
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            9..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The number, 9 to 15.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How one side of a connection compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Direction {
    /// Whether its messages refer to those before.
    pub context: Context,
    /// The largest window it may use.
    pub window: WindowBits,
}

/// What both sides agreed on, four bytes to keep with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Agreed {
    /// How the server compresses.
    pub server: Direction,
    /// How the client compresses. A window of 8 counts as 9 here: an inflater can read it, and only inflaters ask.
    pub client: Direction,
}

impl Agreed {
    /// How the messages are compressed that `role`, our side, sends. A sender may always do less: leave a message
    /// uncompressed (RFC 7692 §6), drop its context, use a smaller window.
    pub const fn sending(self, role: Role) -> Direction {
        match role {
            Role::Server => self.server,
            Role::Client => self.client,
        }
    }

    /// How the messages are compressed that `role`, our side, receives.
    pub const fn receiving(self, role: Role) -> Direction {
        match role {
            Role::Server => self.client,
            Role::Client => self.server,
        }
    }
}

#[cfg(test)]
mod tests;
