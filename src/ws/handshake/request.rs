//! The client's first half: the request that asks for a WebSocket (RFC 6455 §4.1, first list).
//!
//! Randomness is handed in: the same key writes the same bytes. It does not know where the bytes go.
#![forbid(unsafe_code)]

use core::fmt;

use super::{encode_key, is_token};
use crate::ws::Uri;

/// Fields that [`encode_request`] writes itself, or that would give the request a body, which it has not.
const OWN_FIELDS: [&str; 8] = [
    "Host",
    "Upgrade",
    "Connection",
    "Origin",
    "Content-Length",
    "Transfer-Encoding",
    "Trailer",
    "Expect",
];

/// Every field of the handshake begins like this (RFC 6455 §11.3).
const OWN_PREFIX: &str = "Sec-WebSocket-";

/// What a handshake says besides the address.
///
/// ```
/// use longshore::ws::RequestOptions;
/// let nonce = *b"the sample nonce"; // in earnest: new random bytes
/// let options = RequestOptions {
///     protocols: &["chat.v2", "chat.v1"],
///     fields: &[("Cookie", b"id=7")],
///     ..RequestOptions::new(nonce)
/// };
/// assert_eq!(options.origin, None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestOptions<'o> {
    /// 16 bytes, random and new for each connection. [`check_reply`](super::check_reply) takes them in base64, as
    /// [`encode_key`] writes them.
    pub key: [u8; 16],
    /// The subprotocols on offer, most preferred first, each a token and none twice.
    pub protocols: &'o [&'o str],
    /// The extensions on offer, each with its parameters, as `permessage-deflate; client_max_window_bits`.
    pub extensions: &'o [&'o str],
    /// The page that opens the connection. Programs have none (RFC 6455 §4.1, item 8).
    pub origin: Option<&'o str>,
    /// Further fields, as Cookie or Authorization. None of those that the handshake writes itself.
    pub fields: &'o [(&'o str, &'o [u8])],
}

impl RequestOptions<'_> {
    /// Offers nothing and says nothing more.
    pub const fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            protocols: &[],
            extensions: &[],
            origin: None,
            fields: &[],
        }
    }
}

/// What the caller may not put into a handshake. The number counts the list's elements from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestError {
    /// A subprotocol that is no token (RFC 9110 §5.6.2).
    Protocol(usize),
    /// A subprotocol that was offered before (RFC 6455 §4.1, item 10).
    RepeatedProtocol(usize),
    /// An extension that does not begin with a token, or holds a comma or a control byte.
    Extension(usize),
    /// An origin that is empty, or holds a byte that is not visible ASCII.
    Origin,
    /// A field name that is no token.
    FieldName(usize),
    /// A field that the handshake writes itself, or that would give the request a body.
    OwnField(usize),
    /// A field value with CR, LF, NUL or another control byte (RFC 9110 §5.5).
    FieldValue(usize),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(number) => write!(f, "subprotocol {number} is no token"),
            Self::RepeatedProtocol(number) => write!(f, "subprotocol {number} is offered twice"),
            Self::Extension(number) => write!(f, "extension {number} is malformed"),
            Self::Origin => f.write_str("the origin is not visible ASCII"),
            Self::FieldName(number) => write!(f, "the name of field {number} is no token"),
            Self::OwnField(number) => write!(f, "field {number} is the handshake's own"),
            Self::FieldValue(number) => write!(f, "field {number} holds a control byte"),
        }
    }
}

impl core::error::Error for RequestError {}

/// Appends the request that asks the server of `uri` for a WebSocket (RFC 6455 §4.1).
///
/// # Errors
/// [`RequestError`]; then nothing was appended. So no text of a caller can begin a line of its own.
///
/// ```
/// use longshore::ws::{self, RequestOptions, Uri};
/// let uri = Uri::parse("ws://server.example.com/chat")?;
/// let mut out = Vec::new();
/// ws::encode_request(&mut out, &uri, &RequestOptions::new(*b"the sample nonce"))?;
/// assert!(out.starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_request(
    out: &mut Vec<u8>,
    uri: &Uri<'_>,
    options: &RequestOptions<'_>,
) -> Result<(), RequestError> {
    check(options)?;
    let (target, host) = (uri.resource_name(), uri.host_field());
    let start = format!(
        "GET {target} HTTP/1.1\r\n\
         Host: {host}\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\n"
    );
    out.extend_from_slice(start.as_bytes());
    line(out, "Sec-WebSocket-Key", &encode_key(options.key));
    if !options.protocols.is_empty() {
        let list = options.protocols.join(", ");
        line(out, "Sec-WebSocket-Protocol", list.as_bytes());
    }
    if !options.extensions.is_empty() {
        let list = options.extensions.join(", ");
        line(out, "Sec-WebSocket-Extensions", list.as_bytes());
    }
    if let Some(origin) = options.origin {
        line(out, "Origin", origin.as_bytes());
    }
    for (name, value) in options.fields {
        line(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn check(options: &RequestOptions<'_>) -> Result<(), RequestError> {
    for (number, protocol) in options.protocols.iter().enumerate() {
        if !is_token(protocol.as_bytes()) {
            return Err(RequestError::Protocol(number));
        }
        if options.protocols[..number].contains(protocol) {
            return Err(RequestError::RepeatedProtocol(number));
        }
    }
    for (number, extension) in options.extensions.iter().enumerate() {
        let name = extension.split(';').next().unwrap_or(extension);
        let plain = |byte: u8| byte != b',' && (byte == b' ' || byte.is_ascii_graphic());
        if !is_token(name.trim_end_matches(' ').as_bytes()) || !extension.bytes().all(plain) {
            return Err(RequestError::Extension(number));
        }
    }
    if let Some(origin) = options.origin
        && (origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(RequestError::Origin);
    }
    for (number, (name, value)) in options.fields.iter().enumerate() {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::FieldName(number));
        }
        if is_own(name) {
            return Err(RequestError::OwnField(number));
        }
        let allowed = |&byte: &u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        if !value.iter().all(allowed) {
            return Err(RequestError::FieldValue(number));
        }
    }
    Ok(())
}

fn is_own(name: &str) -> bool {
    let starts = name
        .get(..OWN_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX));
    starts || OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
