//! The opening handshake (RFC 6455 §4): an HTTP exchange that ends in 101, and then is no HTTP any more.
//!
//! ```text
//!   client   GET /chat HTTP/1.1                          server   HTTP/1.1 101 Switching Protocols
//!            Upgrade: websocket                                   Upgrade: websocket
//!            Connection: Upgrade                                  Connection: Upgrade
//!            Sec-WebSocket-Key: 16 bytes in base64  ─── SHA-1 ──▶ Sec-WebSocket-Accept: 20 bytes in base64
//!            Sec-WebSocket-Version: 13
//!            Sec-WebSocket-Protocol: chat, superchat  ─ one of ─▶ Sec-WebSocket-Protocol: chat
//! ```
//!
//! `accept` is the server's half, `request` and `reply` the client's. They take field lines as an iterator of names and values; this
//! module does not know how they were parsed, checks no Host, and knows no extension: `list` reads their grammar.
#![forbid(unsafe_code)]

mod accept;
pub(super) mod list;
mod reply;
mod request;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};

pub use accept::{Accept, Agreement, OFFERS_MAX, Offers, Refusal, accept, encode_101};
pub use list::is_extension_list;
pub use reply::{Reply, ReplyError, check_reply};
pub use request::{RequestError, RequestOptions, encode_request};

/// RFC 6455 §1.3: appended to the key, so that no server answers right by accident.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Computes `Sec-WebSocket-Accept` for the value of a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// The key is taken as it stands, not decoded; [`accept()`] checks it first.
///
/// ```
/// let accept = longshore::ws::accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    let length = BASE64_STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(length, Ok(28), "20 bytes are 28 characters");
    accept
}

/// Writes a client's `Sec-WebSocket-Key`. The 16 bytes must be random and new for each connection (RFC 6455 §4.1).
///
/// ```
/// assert_eq!(&longshore::ws::encode_key(*b"the sample nonce"), b"dGhlIHNhbXBsZSBub25jZQ==");
/// ```
pub fn encode_key(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    let length = BASE64_STANDARD.encode_slice(nonce, &mut key);
    debug_assert_eq!(length, Ok(24), "16 bytes are 24 characters");
    key
}

/// Whether this is the one base64 text of some 16 bytes: padded, and no bits set that decode to nothing.
fn is_key(key: &[u8]) -> bool {
    let mut nonce = [0; 18]; // what 24 characters could hold at most
    key.len() == 24 && BASE64_STANDARD.decode_slice(key, &mut nonce) == Ok(16)
}

/// The elements of a comma-separated list, without the empty ones that a sender may leave (RFC 9110 §5.6.1.2).
fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',')
        .map(trimmed)
        .filter(|element| !element.is_empty())
}

/// Without the optional whitespace, SP and HTAB, at both ends (RFC 9110 §5.6.3).
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether `list` has an element `wanted`, in any case.
fn contains(list: &[u8], wanted: &[u8]) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(wanted))
}

/// RFC 9110 §5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The value of a field that must not come twice.
#[derive(Clone, Copy, Default)]
enum Once<'b> {
    #[default]
    Absent,
    Single(&'b [u8]),
    Repeated,
}

impl<'b> Once<'b> {
    fn see(&mut self, value: &'b [u8]) {
        *self = match self {
            Self::Absent => Self::Single(trimmed(value)),
            Self::Single(_) | Self::Repeated => Self::Repeated,
        };
    }
}

#[cfg(test)]
mod tests;
