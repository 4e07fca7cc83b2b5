//! Bodies whose length is not known when they start, on their way out (RFC 9112 §7.1).
//!
//! ```text
//!   5 CRLF h e l l o CRLF     0 CRLF Name: value CRLF CRLF
//!   └─ encode_chunk ────┘     └─ encode_last_chunk ──────┘
//! ```
//!
//! It does not know whether the peer understands chunks: [`reply_framing`](super::reply_framing) does.
#![forbid(unsafe_code)]

use super::EncodeError;
use super::reply::append_field;

/// What stands behind the data of every chunk.
pub const CHUNK_END: &[u8; 2] = b"\r\n";

/// Fields that RFC 9110 §6.5.1 bars from trailer sections: framing, routing, request modifiers, authentication,
/// response control, and what a recipient must know before the content.
const NEVER_IN_TRAILERS: &[&str] = &[
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "warning",
    "www-authenticate",
];

/// Appends one chunk. Empty data appends nothing, because an empty chunk would end the body.
///
/// ```
/// use longshore::http::{encode_chunk, encode_last_chunk};
/// let mut out = Vec::new();
/// encode_chunk(&mut out, b"hello, world");
/// encode_last_chunk(&mut out, &[("ETag", b"\"1\"")])?;
/// assert_eq!(out, b"c\r\nhello, world\r\n0\r\nETag: \"1\"\r\n\r\n");
/// # Ok::<(), longshore::http::EncodeError>(())
/// ```
pub fn encode_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    encode_chunk_size(out, data.len() as u64);
    out.extend_from_slice(data);
    out.extend_from_slice(CHUNK_END);
}

/// Appends the line before a chunk whose data leaves on another way; the data and [`CHUNK_END`] must follow it.
///
/// `bytes` must not be 0, which would end the body.
pub fn encode_chunk_size(out: &mut Vec<u8>, bytes: u64) {
    debug_assert!(bytes > 0, "a chunk of size 0 ends the body");
    let digits = (u64::BITS - bytes.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let value = (bytes >> (4 * digit) & 0xf) as usize;
        out.push(b"0123456789abcdef"[value]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and the trailer section, which may be empty.
///
/// # Errors
/// As [`ReplyHead::field`](super::ReplyHead::field), and [`EncodeError::NotInTrailers`]; `out` is then unchanged.
pub fn encode_last_chunk(out: &mut Vec<u8>, trailers: &[(&str, &[u8])]) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        let appended = if NEVER_IN_TRAILERS
            .iter()
            .any(|barred| name.eq_ignore_ascii_case(barred))
        {
            Err(EncodeError::NotInTrailers)
        } else {
            append_field(out, name.as_bytes(), value)
        };
        if let Err(error) = appended {
            out.truncate(start);
            return Err(error);
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}
