//! Headers of WebSocket frames (RFC 6455 §5.2). Payload is passed over, but for the code of a Close.

use super::{What, broken};
use crate::ws::Opcode;

/// A header has at most so many bytes.
const HEADER_BYTES_MAX: usize = 14;
/// The code at the front of a Close (§5.5.1).
const CODE_BYTES: usize = 2;

/// One direction of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// An unfinished header, and behind that of a Close its code.
    kept: Vec<u8>,
    /// How many bytes of payload are still to come.
    payload: u64,
}

/// A header as it stands, whether it is allowed or not.
struct Header {
    first: u8,
    mask: Option<[u8; 4]>,
    payload: u64,
    size: usize,
}

impl Frames {
    /// How many bytes wait here.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// How many bytes of a frame's payload are still to come.
    pub(super) fn payload_left(&self) -> u64 {
        self.payload
    }

    /// Reads bytes; false if they are no frames.
    pub(super) fn read(&mut self, mut bytes: &[u8], tell: &mut impl FnMut(What)) -> bool {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let take = self.payload.min(bytes.len() as u64);
                self.payload -= take;
                bytes = &bytes[take as usize..];
                continue;
            }
            // A header is short: one byte more at a time costs nothing beside its line in the trace.
            self.kept.push(bytes[0]);
            bytes = &bytes[1..];
            let Some(header) = Header::parse(&self.kept) else {
                continue;
            };
            let Some(opcode) = Opcode::new(header.first & 0x0f) else {
                tell(broken("a reserved opcode"));
                return false;
            };
            if opcode.is_control() && header.payload > 125 {
                tell(broken("a control frame of more than 125 bytes"));
                return false;
            }
            let mut close_code = None;
            if opcode == Opcode::Close && header.payload >= CODE_BYTES as u64 {
                if self.kept.len() < header.size + CODE_BYTES {
                    continue;
                }
                close_code = Some(header.code(&self.kept));
            }
            self.payload = header.payload - (self.kept.len() - header.size) as u64;
            self.kept.clear();
            tell(What::Frame {
                opcode,
                bytes: header.payload,
                masked: header.mask.is_some(),
                fin: header.first & 0x80 != 0,
                compressed: header.first & 0x40 != 0,
                close_code,
            });
        }
        debug_assert!(self.kept.len() <= HEADER_BYTES_MAX + CODE_BYTES);
        true
    }

    /// Notes that `count` bytes of payload went unseen. False if they cannot be placed.
    pub(super) fn skip(&mut self, count: u64) -> bool {
        match self.payload.checked_sub(count) {
            Some(left) => {
                self.payload = left;
                true
            }
            None => false,
        }
    }
}

impl Header {
    /// Reads the header at the front; `None` if it is not complete.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (&second, rest) = rest.split_first()?;
        let (payload, rest) = match second & 0x7f {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length), rest)
            }
            short => (u64::from(short), rest),
        };
        let (mask, rest) = if second & 0x80 != 0 {
            let (mask, rest) = rest.split_first_chunk()?;
            (Some(*mask), rest)
        } else {
            (None, rest)
        };
        Some(Self {
            first,
            mask,
            payload,
            size: bytes.len() - rest.len(),
        })
    }

    /// The code behind the header of a Close.
    fn code(&self, bytes: &[u8]) -> u16 {
        let mask = self.mask.unwrap_or_default();
        let (high, low) = (bytes[self.size] ^ mask[0], bytes[self.size + 1] ^ mask[1]);
        u16::from_be_bytes([high, low])
    }
}
