//! Layer 4, HTTP/1.1 as a server reads and writes it (RFC 9110, RFC 9112): bytes in, events and bytes out.
//!
//! ```text
//!   lent bytes ──► Decoder ──► Event::Head(Head) ─► Event::Body(piece)… ─► Event::End
//!                    │ Error ──► encode_error                                  │
//!                    ▼                                                         ▼
//!              the connection closes             ReplyHead, encode_chunk… ──► bytes to send
//! ```
//!
//! It is strict: where RFC 9112 lets a recipient choose between repairing and refusing, it refuses, because two
//! recipients that repair differently see different requests. It knows no socket, no clock, no thread and no other
//! protocol; an upgrade is a flag here ([`Head::upgrade`]), and what follows is somebody else's input.
//!
//! From the bottom: `class` and `scan` look at bytes, `line` at lines, `authority`, `target` and `framing` at their
//! parts of the grammar, `head` at a whole head, `plain` at the whole heads that most are, 32 bytes a step, `chunk` at chunk lines, `body` at what lies between heads, `decoder` at
//! a connection. `status`, `date`, `reply` and `chunk_encode` write. Beside them stand what fields mean to whoever
//! serves content: `path`, `entity_tag` and `precondition`, `range`, `accept_encoding`.
// Every file below forbids `unsafe`, except `plain_simd`, which a `forbid` here would reach.
mod accept_encoding;
mod authority;
mod body;
mod body_only;
mod chunk;
mod chunk_encode;
mod class;
mod date;
mod decoder;
mod entity_tag;
mod error;
mod fields;
mod framing;
#[cfg(feature = "gzip")]
mod gzip;
mod head;
mod limits;
mod line;
mod method;
mod missing;
mod path;
#[cfg(target_arch = "x86_64")]
mod plain;
mod plain_simd;
mod precondition;
mod range;
mod reply;
mod scan;
mod status;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use body_only::{BodyDecoder, BodyEvent};

pub use accept_encoding::{AcceptEncoding, ContentCoding};
pub use chunk_encode::{CHUNK_END, encode_chunk, encode_chunk_size, encode_last_chunk};
pub use date::DateCache;
#[cfg(feature = "trace")]
pub(crate) use decoder::Chunk;
pub use decoder::{Decoder, Ending, Event};
pub use entity_tag::EntityTag;
pub use error::{EncodeError, Error};
pub use fields::{All, Fields, List};
pub use framing::Framing;
#[cfg(feature = "gzip")]
pub use gzip::{GZIP_ENCODER_BYTES, GzipEncoder};
#[cfg(feature = "server")]
pub(crate) use head::Reading;
pub use head::{Head, Version};
pub use limits::HeadLimits;
pub use method::Method;
pub use path::{DecodedPath, PATH_BYTES_MAX, PathError, decode_path};
pub use precondition::{Precondition, Validators, evaluate, if_range, parse_date};
pub use range::{ByteRanges, ContentRange, Multipart, RANGES_MAX, RangeRequest};
pub use reply::{
    LengthField, ReplyBody, ReplyFraming, ReplyHead, ReplyTo, encode_error, reply_framing,
};
pub use status::Status;
pub use target::{Target, TargetForm};

/// The interim reply to a peer that [waits for it](Head::expect_continue) (RFC 9110 §15.2.1).
pub const CONTINUE_REPLY: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
