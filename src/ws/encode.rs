//! Frames and messages out (RFC 6455 §5).
//!
//! ```text
//!   encode_message(out, kind, payload)   out: …earlier frames… [header][payload]     private bytes, one copy
//!   encode_header(…).as_ref()            [header] on the stack   +   payload by reference, shared by many connections
//! ```
//!
//! Everything is appended, so many frames leave in one send. Frames of a server carry no mask; a client passes one, new
//! and unpredictable for each frame (§5.3, §10.3). It knows neither the connection nor whether a frame may be sent now;
//! that is [`Session`](super::Session).
#![forbid(unsafe_code)]

use super::frame::{CONTROL_BYTES_MAX, FIN, MASK, RSV1};
use super::{CloseCode, Kind, Opcode, unmask};

/// A frame's header, 2 to 14 bytes, without the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderBytes {
    bytes: [u8; 14],
    len: u8,
}

impl HeaderBytes {
    /// Sets RSV1: the message that this frame begins is compressed (RFC 7692 §6).
    #[must_use]
    pub const fn compressed(mut self) -> Self {
        self.bytes[0] |= RSV1;
        self
    }
}

impl AsRef<[u8]> for HeaderBytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Encodes the header of a frame with `payload_bytes` of payload, for a payload that is sent from where it lies.
///
/// With a mask, the payload must be [masked](unmask()) with it from offset 0. The length takes the fewest bytes (§5.2).
///
/// # Panics
/// If a control frame is a fragment or longer than 125 bytes (§5.5), or a payload longer than 2^63 - 1: the caller made
/// it.
///
/// ```
/// use longshore::ws::{Opcode, encode_header};
/// assert_eq!(encode_header(Opcode::Binary, true, None, 256).as_ref(), b"\x82\x7e\x01\x00");
/// ```
#[inline]
pub fn encode_header(
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    payload_bytes: u64,
) -> HeaderBytes {
    assert!(
        !opcode.is_control() || (fin && payload_bytes <= CONTROL_BYTES_MAX as u64),
        "a control frame is whole and has at most 125 bytes"
    );
    assert!(
        payload_bytes >> 63 == 0,
        "a frame has at most 2^63 - 1 bytes"
    );
    let mut bytes = [0; 14];
    bytes[0] = opcode as u8 | if fin { FIN } else { 0 };
    let mut len = match payload_bytes {
        0..=125 => {
            bytes[1] = payload_bytes as u8;
            2
        }
        126..=0xFFFF => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&payload_bytes.to_be_bytes());
            10
        }
    };
    if let Some(mask) = mask {
        bytes[1] |= MASK;
        bytes[len..len + 4].copy_from_slice(&mask);
        len += 4;
    }
    HeaderBytes {
        bytes,
        len: len as u8,
    }
}

/// Appends one frame, its payload copied and, with a mask, masked.
///
/// # Panics
/// As [`encode_header`].
///
/// ```
/// use longshore::ws::{Opcode, encode_frame};
/// let mut out = Vec::new(); // RFC 6455 §5.7: "Hel" and "lo"
/// encode_frame(&mut out, Opcode::Text, false, None, b"Hel");
/// encode_frame(&mut out, Opcode::Continuation, true, None, b"lo");
/// assert_eq!(out, b"\x01\x03Hel\x80\x02lo");
/// ```
#[inline]
pub fn encode_frame(
    out: &mut Vec<u8>,
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    payload: &[u8],
) {
    let header = encode_header(opcode, fin, mask, payload.len() as u64);
    out.reserve(header.as_ref().len() + payload.len());
    out.extend_from_slice(header.as_ref());
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        unmask(&mut out[start..], mask, 0);
    }
}

/// Appends a whole message of a server in one frame. Text must be UTF-8, which the caller knows: pass `str::as_bytes`.
///
/// ```
/// use longshore::ws::{Kind, encode_message};
/// let mut out = Vec::new();
/// encode_message(&mut out, Kind::Text, "Hello".as_bytes());
/// assert_eq!(out, b"\x81\x05Hello");
/// ```
#[inline]
pub fn encode_message(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    encode_frame(out, kind.opcode(), true, None, payload);
}

/// Appends a whole message of a client in one frame.
#[inline]
pub fn encode_masked_message(out: &mut Vec<u8>, mask: [u8; 4], kind: Kind, payload: &[u8]) {
    encode_frame(out, kind.opcode(), true, Some(mask), payload);
}

/// Appends a server's Ping of at most 125 bytes.
///
/// # Panics
/// As [`encode_header`].
pub fn encode_ping(out: &mut Vec<u8>, payload: &[u8]) {
    encode_frame(out, Opcode::Ping, true, None, payload);
}

/// Appends a server's Pong, with the payload of the Ping that it answers (§5.5.3).
///
/// # Panics
/// As [`encode_header`].
pub fn encode_pong(out: &mut Vec<u8>, payload: &[u8]) {
    encode_frame(out, Opcode::Pong, true, None, payload);
}

/// Appends a server's Close. Without a code the frame is empty and says no reason either (§5.5.1); a reason longer than
/// 123 bytes is cut before the character that would not fit.
///
/// ```
/// use longshore::ws::{CloseCode, encode_close};
/// let mut out = Vec::new();
/// encode_close(&mut out, Some(CloseCode::GOING_AWAY), "bye");
/// assert_eq!(out, b"\x88\x05\x03\xe9bye");
/// ```
pub fn encode_close(out: &mut Vec<u8>, code: Option<CloseCode>, reason: &str) {
    close_frame(out, None, code, reason);
}

/// Appends a client's Close; see [`encode_close`].
pub fn encode_masked_close(
    out: &mut Vec<u8>,
    mask: [u8; 4],
    code: Option<CloseCode>,
    reason: &str,
) {
    close_frame(out, Some(mask), code, reason);
}

fn close_frame(out: &mut Vec<u8>, mask: Option<[u8; 4]>, code: Option<CloseCode>, reason: &str) {
    let Some(code) = code else {
        return encode_frame(out, Opcode::Close, true, mask, b"");
    };
    let mut end = reason.len().min(CONTROL_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = &reason.as_bytes()[..end];
    let mut payload = [0; CONTROL_BYTES_MAX];
    payload[..2].copy_from_slice(&code.number().to_be_bytes());
    payload[2..2 + reason.len()].copy_from_slice(reason);
    encode_frame(out, Opcode::Close, true, mask, &payload[..2 + reason.len()]);
}

#[cfg(test)]
mod tests;
