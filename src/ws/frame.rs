//! The frame header (RFC 6455 §5.2), two to fourteen bytes.
//!
//! ```text
//!   byte 0            byte 1          0, 2 or 8 bytes     0 or 4 bytes
//!  ┌───┬────┬──────┐ ┌──────┬───────┐┌─────────────────┐ ┌────────────┐
//!  │FIN│RSV │opcode│ │MASK  │length ││ longer length,  │ │ mask       │  payload …
//!  │ 1 │ 3  │  4   │ │  1   │  7    ││ big-endian      │ │            │
//!  └───┴────┴──────┘ └──────┴───────┘└─────────────────┘ └────────────┘
//!                     126: two bytes follow · 127: eight bytes follow
//! ```
//!
//! One door for hostile headers: [`Header::parse`] reads in the order of the wire and refuses at the first byte that
//! breaks a rule, so the same header is refused with the same error however it was cut. What the rules depend on comes
//! in as [`Rules`]; it does not know payloads, and keeps nothing.
#![forbid(unsafe_code)]

use super::{Error, Role};

/// What a frame is (RFC 6455 §5.2). The eleven others are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// Goes on with the message that an earlier frame began.
    Continuation = 0x0,
    /// Begins a message of UTF-8 text.
    Text = 0x1,
    /// Begins a message of bytes.
    Binary = 0x2,
    /// Ends the connection.
    Close = 0x8,
    /// Asks for a Pong.
    Ping = 0x9,
    /// Answers a Ping, or says that the sender lives.
    Pong = 0xA,
}

impl Opcode {
    /// Takes the low four bits of a frame's first byte; `None` for a reserved opcode.
    pub const fn new(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Whether this is a Close, Ping or Pong: at most 125 bytes, never fragmented, allowed between fragments (§5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The first bit of byte 0: this frame ends its message.
pub(super) const FIN: u8 = 0x80;
/// The second bit of byte 0: with permessage-deflate, this message is compressed (RFC 7692 §6).
pub(super) const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
/// The first bit of byte 1.
pub(super) const MASK: u8 = 0x80;
/// The longest payload of a control frame (RFC 6455 §5.5), and the longest length in seven bits.
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// What decides whether a header is allowed here and now.
pub(super) struct Rules {
    pub(super) role: Role,
    pub(super) rsv1_allowed: bool,
    /// A message has begun and not ended.
    pub(super) inside_message: bool,
    /// How many more payload bytes the message may have.
    pub(super) room: u64,
    /// How many it may have if this header says that it is compressed.
    pub(super) compressed_room: u64,
}

/// A header that broke no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    pub(super) rsv1: bool,
    /// Zeros if the frame is not masked.
    pub(super) mask: [u8; 4],
    /// At most 2^63 - 1; for a control frame at most 125.
    pub(super) payload_bytes: u64,
    /// Its own length, 2 to 14.
    pub(super) size: usize,
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` if it is not complete yet and nothing is wrong so far.
    ///
    /// # Errors
    /// Every [`Error`] that a header alone can earn, in the order of its bytes.
    #[inline]
    pub(super) fn parse(bytes: &[u8], rules: &Rules) -> Result<Option<Self>, Error> {
        let [first, rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = opcode_of(*first, rules)?;
        let [second, rest @ ..] = rest else {
            return Ok(None);
        };
        let masked = second & MASK != 0;
        if masked != (rules.role == Role::Server) {
            return Err(if masked {
                Error::Masked
            } else {
                Error::Unmasked
            });
        }
        let short = second & !MASK;
        if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(Error::LongControl);
        }
        let Some((payload_bytes, rest)) = length_of(short, rest)? else {
            return Ok(None);
        };
        let fin = first & FIN != 0;
        let room = if first & RSV1 == 0 {
            rules.room
        } else {
            rules.compressed_room
        };
        if charge(opcode, fin, payload_bytes) > room {
            return Err(Error::MessageTooBig);
        }
        let (mask, rest) = if masked {
            let Some((mask, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (*mask, rest)
        } else {
            ([0; 4], rest)
        };
        Ok(Some(Self {
            opcode,
            fin,
            rsv1: first & RSV1 != 0,
            mask,
            payload_bytes,
            size: bytes.len() - rest.len(),
        }))
    }

    /// What the frame takes of its message's limit; see [`Limits`](super::Limits).
    #[inline]
    pub(super) fn charge(&self) -> u64 {
        charge(self.opcode, self.fin, self.payload_bytes)
    }
}

#[inline]
fn charge(opcode: Opcode, fin: bool, payload_bytes: u64) -> u64 {
    match opcode {
        Opcode::Text | Opcode::Binary => payload_bytes,
        // An empty one in the middle of a message costs a byte, or a flood of them would never meet a limit.
        Opcode::Continuation => payload_bytes.max(u64::from(!fin)),
        Opcode::Close | Opcode::Ping | Opcode::Pong => 0,
    }
}

/// Judges byte 0.
#[inline]
fn opcode_of(first: u8, rules: &Rules) -> Result<Opcode, Error> {
    if first & RSV2_RSV3 != 0 || (first & RSV1 != 0 && !rules.rsv1_allowed) {
        return Err(Error::ReservedBit);
    }
    let opcode = Opcode::new(first & 0x0F).ok_or(Error::ReservedOpcode)?;
    match opcode {
        // RFC 7692 §6.1: only the first frame of a data message may carry RSV1.
        Opcode::Text | Opcode::Binary => {
            if rules.inside_message {
                return Err(Error::InterleavedMessage);
            }
        }
        _ if first & RSV1 != 0 => return Err(Error::ReservedBit),
        Opcode::Continuation => {
            if !rules.inside_message {
                return Err(Error::LoneContinuation);
            }
        }
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            if first & FIN == 0 {
                return Err(Error::FragmentedControl);
            }
        }
    }
    Ok(opcode)
}

/// Reads the payload's length; `rest` begins behind byte 1.
#[inline]
fn length_of(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Error> {
    match short {
        126 => {
            let Some((length, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            let length = u64::from(u16::from_be_bytes(*length));
            if length < 126 {
                return Err(Error::PaddedLength);
            }
            Ok(Some((length, rest)))
        }
        127 => {
            let Some((length, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            let length = u64::from_be_bytes(*length);
            if length >> 63 != 0 {
                return Err(Error::HugeLength);
            }
            if u16::try_from(length).is_ok() {
                return Err(Error::PaddedLength);
            }
            Ok(Some((length, rest)))
        }
        _ => Ok(Some((u64::from(short), rest))),
    }
}

/// How many bytes belong together and must lie together, judged by a frame's first two bytes: the header of a data
/// frame, or the whole of a control frame. A control frame that claims to be long is refused at its second byte.
pub(super) const fn unit_bytes(first: u8, second: u8) -> usize {
    let short = second & !MASK;
    let mask = if second & MASK != 0 { 4 } else { 0 };
    match short {
        126 => 4 + mask,
        127 => 10 + mask,
        _ if first & 0x8 != 0 => 2 + mask + short as usize,
        _ => 2 + mask,
    }
}
