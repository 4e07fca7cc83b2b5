//! Headers of WebSocket frames (RFC 6455 §5.2). Payload is passed over, but for the code of a Close.

use super::{What, broken};
use crate::ws::Opcode;

/// A header has at most so many bytes.
const HEADER_BYTES_MAX: usize = 14;
/// FIN: the message's last frame.
const LAST: u8 = 0x80;
/// RSV1, RSV2 and RSV3.
const RESERVED: u8 = 0x70;
/// RSV1 as permessage-deflate uses it.
const COMPRESSED: u8 = 0x40;
/// The code at the front of a Close (§5.5.1).
const CODE_BYTES: usize = 2;

/// What both ends agreed on with the handshake, as far as it decides which frames are allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The client speaks here, and must mask (§5.1).
    pub(super) from_client: bool,
    /// permessage-deflate: the first frame of a message may say that it is compressed (RFC 7692 §6).
    pub(super) deflate: bool,
}

/// One direction of a WebSocket.
#[derive(Debug)]
pub(super) struct Frames {
    terms: Terms,
    /// A message has begun and not ended: what comes next continues it (§5.4).
    continues: bool,
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
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            continues: false,
            kept: Vec::new(),
            payload: 0,
        }
    }

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
            let opcode = match self.allowed(&header) {
                Ok(opcode) => opcode,
                Err(why) => {
                    tell(broken(why));
                    return false;
                }
            };
            let mut close_code = None;
            if opcode == Opcode::Close && header.payload >= CODE_BYTES as u64 {
                if self.kept.len() < header.size + CODE_BYTES {
                    continue;
                }
                close_code = Some(header.code(&self.kept));
            }
            self.payload = header.payload - (self.kept.len() - header.size) as u64;
            self.kept.clear();
            if !opcode.is_control() {
                self.continues = !header.is_last();
            }
            tell(What::Frame {
                opcode,
                bytes: header.payload,
                masked: header.mask.is_some(),
                fin: header.is_last(),
                compressed: header.first & COMPRESSED != 0,
                close_code,
            });
        }
        debug_assert!(self.kept.len() <= HEADER_BYTES_MAX + CODE_BYTES);
        true
    }

    /// What a header announces, or which rule it breaks.
    fn allowed(&self, header: &Header) -> Result<Opcode, &'static str> {
        let opcode = Opcode::new(header.first & 0x0f).ok_or("a reserved opcode")?;
        let begins = matches!(opcode, Opcode::Text | Opcode::Binary);
        // RFC 7692 §6: only the first frame of a message says it.
        let agreed = if self.terms.deflate && begins {
            COMPRESSED
        } else {
            0
        };
        let why = if header.first & RESERVED & !agreed != 0 {
            "a reserved bit that no agreed extension gives a meaning (RFC 6455 §5.2)"
        } else if self.terms.from_client && header.mask.is_none() {
            "a client's frame is not masked (RFC 6455 §5.1)"
        } else if !self.terms.from_client && header.mask.is_some() {
            "a server's frame is masked (RFC 6455 §5.1)"
        } else if opcode.is_control() && header.payload > 125 {
            "a control frame of more than 125 bytes"
        } else if opcode.is_control() && !header.is_last() {
            "a control frame in fragments (RFC 6455 §5.5)"
        } else if opcode == Opcode::Close && header.payload == 1 {
            "a close with half a code (RFC 6455 §5.5.1)"
        } else if opcode == Opcode::Continuation && !self.continues {
            "a continuation of no message (RFC 6455 §5.4)"
        } else if begins && self.continues {
            "a new message inside one that has not ended (RFC 6455 §5.4)"
        } else if header.is_padded() {
            "a length in more bytes than it needs (RFC 6455 §5.2)"
        } else if header.payload > u64::MAX >> 1 {
            "a length with its top bit set (RFC 6455 §5.2)"
        } else {
            return Ok(opcode);
        };
        Err(why)
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
    fn is_last(&self) -> bool {
        self.first & LAST != 0
    }

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

    /// Whether a shorter form of the length would have done.
    fn is_padded(&self) -> bool {
        let mask = self.mask.map_or(0, |mask| mask.len());
        match self.size - mask {
            4 => self.payload < 126,
            10 => u16::try_from(self.payload).is_ok(),
            _ => false,
        }
    }

    /// The code behind the header of a Close.
    fn code(&self, bytes: &[u8]) -> u16 {
        let mask = self.mask.unwrap_or_default();
        let (high, low) = (bytes[self.size] ^ mask[0], bytes[self.size + 1] ^ mask[1]);
        u16::from_be_bytes([high, low])
    }
}
