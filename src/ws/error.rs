//! What a peer can do wrong in its frames, each fault with the close code that answers it.
//!
//! Knows the wording of RFC 6455 §7.4.1, and no state: which rule was broken is decided where the rule is checked.
#![forbid(unsafe_code)]

use core::fmt;

use super::CloseCode;

/// The peer broke the protocol: answer with [`close_code`](Self::close_code), then end the connection (RFC 6455 §7.1.7).
///
/// One byte, no allocation. The decoder reports one error per connection and ignores every byte behind it.
///
/// ```
/// use longshore::ws::{CloseCode, Decoder, Error, Limits, Role};
/// let mut bytes = *b"\x81\x02hi"; // a client must mask
/// let mut input = longshore::buf::Input::new(&mut bytes);
/// let error = Decoder::new(Role::Server).next(&mut input, &Limits::default()).unwrap_err();
/// assert_eq!(error, Error::Unmasked);
/// assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// RSV1, RSV2 or RSV3 is set and no extension gave it a meaning (§5.2; RSV1 also RFC 7692 §6).
    ReservedBit,
    /// Opcode 3 to 7 or 11 to 15 (§5.2).
    ReservedOpcode,
    /// A Close, Ping or Pong without FIN (§5.5).
    FragmentedControl,
    /// A Close, Ping or Pong longer than 125 bytes (§5.5).
    LongControl,
    /// A continuation frame while no message is open (§5.4).
    LoneContinuation,
    /// A new text or binary frame while a fragmented message is open (§5.4).
    InterleavedMessage,
    /// A client's frame without mask (§5.1).
    Unmasked,
    /// A server's frame with mask (§5.1).
    Masked,
    /// A length in more bytes than it needs (§5.2: the minimal number of bytes MUST be used).
    PaddedLength,
    /// A 64-bit length with its top bit set (§5.2).
    HugeLength,
    /// The message outgrows `Limits::message_bytes_max`, known from a header before its payload (§7.4.1, 1009).
    MessageTooBig,
    /// A Close frame with a payload of one byte, which is half a code (§5.5.1).
    CloseLength,
    /// A Close frame with a code that must not stand in one (§7.4).
    CloseCode,
    /// Text or a close reason that is not UTF-8, or ends inside a character (§8.1).
    InvalidUtf8,
}

impl Error {
    /// The code to put in the answering Close frame: 1002, 1007 or 1009 (RFC 6455 §7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::MessageTooBig => CloseCode::TOO_BIG,
            Self::InvalidUtf8 => CloseCode::INVALID_PAYLOAD,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// A few words for the Close frame and the log, at most 123 bytes of ASCII.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ReservedBit => "reserved bit set",
            Self::ReservedOpcode => "reserved opcode",
            Self::FragmentedControl => "control frame is fragmented",
            Self::LongControl => "control frame is longer than 125 bytes",
            Self::LoneContinuation => "continuation of no message",
            Self::InterleavedMessage => "new message inside a fragmented one",
            Self::Unmasked => "client frame is not masked",
            Self::Masked => "server frame is masked",
            Self::PaddedLength => "length is not minimally encoded",
            Self::HugeLength => "length has its top bit set",
            Self::MessageTooBig => "message is too big",
            Self::CloseLength => "close payload of one byte",
            Self::CloseCode => "close code is not allowed",
            Self::InvalidUtf8 => "text is not UTF-8",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Error {}
