//! What a handler has decided, and how it is encoded.
//!
//! ```text
//!   status, fields ──▶ head in the cork ──┬─ content behind it
//!                                         ├─ a source, asked while the peer reads
//!                                         └─ parts of files
//! ```
//!
//! It does not know connections: what follows the bytes in the cork is said by [`Then`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::compression::{Gzipped, Offer};
use super::ticket::Response;
use crate::buf::{FILE_STAGE_BYTES, FileSlice};
use crate::conn::backlog::SlowPeer;
use crate::conn::deflated::Deflated;
use crate::conn::outgoing::{Outgoing, Source};
use crate::http::{DateCache, ReplyBody, ReplyHead, ReplyTo, Status};

/// What a handler has decided.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Status,
    /// Bytes of content that are encoded already.
    pub(super) bytes: u64,
    /// Whether the connection stays open.
    pub(super) keep_alive: bool,
    pub(super) then: Then,
}

/// What can be told of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// Its status, and its bytes of content.
    Complete(Status, u64),
    /// More follows; the status may be known.
    Follows(Option<Status>),
}

impl Answer {
    /// What can be told of it now.
    pub(super) fn outcome(&self) -> Outcome {
        match self.then {
            Then::Nothing | Then::WebSocket(_) | Then::Send(_) => {
                Outcome::Complete(self.status, self.bytes)
            }
            Then::Defer(_) => Outcome::Follows(None),
            Then::Produce(_) => Outcome::Follows(Some(self.status)),
        }
    }
}

/// How a WebSocket begins.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) policy: SlowPeer,
    pub(super) deflated: Option<Box<Deflated>>,
    /// Whether the handler takes messages in pieces.
    pub(super) pieces: bool,
}

/// What follows behind the bytes that are encoded.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing: the reply is complete.
    Nothing,
    /// Frames: this was the 101.
    WebSocket(Box<Opening>),
    /// The reply, later; the flag tells that the connection has gone.
    Defer(Arc<AtomicBool>),
    /// A body that is produced while the peer reads it.
    Produce(Box<Outgoing>),
    /// Content that lies in files, and what stands between.
    Send(Box<[Portion]>),
}

impl Then {
    /// How much memory it will need besides what waits to be sent.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::WebSocket(_) | Self::Defer(_) => 0,
            Self::Produce(body) => body.held_bytes + PRODUCED_BYTES,
            Self::Send(_) => FILE_STAGE_BYTES,
        }
    }
}

/// What a body that is produced may let wait, about.
const PRODUCED_BYTES: usize = 32 * 1024;

/// One portion of a body, in the order of sending.
#[derive(Debug)]
pub(super) enum Portion {
    Bytes(Vec<u8>),
    File(FileSlice),
}

/// Status line, `Server` and `Date`.
#[inline]
pub(super) fn start<'o>(
    out: &'o mut Vec<u8>,
    date: &DateCache,
    to: ReplyTo,
    status: Status,
) -> ReplyHead<'o> {
    let mut head = ReplyHead::new(out, to, status).constant("Server: longshore\r\n");
    head.date(date);
    head
}

/// Encodes a reply that came from another thread.
pub(super) fn encode_response(
    response: &Response,
    source: Option<Box<dyn Source + Send>>,
    out: &mut Vec<u8>,
    date: &DateCache,
    to: ReplyTo,
    offer: Offer<'_>,
) -> Answer {
    let mut head = start(out, date, to, response.status);
    let (mut content_type, mut is_fixed) = ("", response.length.is_some());
    for (name, value) in &response.fields {
        head.field(name, value).expect("checked when it was added");
        if name.eq_ignore_ascii_case("content-type") {
            content_type = std::str::from_utf8(value).unwrap_or_default();
        }
        is_fixed |= fixes_content(name, value);
    }
    let offer = if is_fixed { Offer::none() } else { offer };
    match source {
        None => encoded(
            response.status,
            head,
            content_type,
            &response.content,
            offer,
        ),
        Some(source) => {
            let body = Streamed {
                content_type,
                length: response.length,
                source,
            };
            begin(head, response.status, body, offer)
        }
    }
}

/// Whether a field says that the content must not be coded: it is already, or is a part, or a cache may not change it, or
/// it is named by its bytes (RFC 9110 §8.8.3.3).
pub(super) fn fixes_content(name: &str, value: &[u8]) -> bool {
    match name.len() {
        4 => name.eq_ignore_ascii_case("etag") && !value.starts_with(b"W/"),
        13 => {
            let members = value.split(|byte| *byte == b',');
            name.eq_ignore_ascii_case("cache-control")
                && members
                    .into_iter()
                    .any(|member| member.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
                || name.eq_ignore_ascii_case("content-range")
        }
        16 => name.eq_ignore_ascii_case("content-encoding"),
        _ => false,
    }
}

/// Inlined, because the head and the answer are of many words, and a reply of a hundred bytes costs little more than to
/// move them.
#[inline(always)]
pub(super) fn encoded(
    status: Status,
    mut head: ReplyHead<'_>,
    content_type: &str,
    content: &[u8],
    mut offer: Offer<'_>,
) -> Answer {
    let mut content = content;
    if offer.concerns(status, content_type, Some(content.len())) {
        head = head.constant("Vary: Accept-Encoding\r\n");
        if let Some(coded) = offer.encode(content) {
            head = head.constant("Content-Encoding: gzip\r\n");
            content = coded;
        }
    }
    let framing = head.finish_with(content);
    let bytes = match framing.body {
        ReplyBody::Length(bytes) => bytes,
        _ => 0,
    };
    Answer {
        status,
        bytes,
        keep_alive: framing.keep_alive,
        then: Then::Nothing,
    }
}

/// A body that is produced later.
pub(super) struct Streamed<'s> {
    pub(super) content_type: &'s str,
    pub(super) length: Option<u64>,
    pub(super) source: Box<dyn Source>,
}

/// Ends a head whose body is produced later, if the request and the status allow one.
pub(super) fn begin(
    mut head: ReplyHead<'_>,
    status: Status,
    body: Streamed<'_>,
    mut offer: Offer<'_>,
) -> Answer {
    let (mut source, mut held_bytes) = (body.source, 0);
    if offer.concerns(status, body.content_type, None) {
        head = head.constant("Vary: Accept-Encoding\r\n");
        source = match offer.wrap(source) {
            Ok(gzipped) => {
                head = head.constant("Content-Encoding: gzip\r\n");
                held_bytes = Gzipped::HELD_BYTES;
                Box::new(gzipped)
            }
            Err(source) => source,
        };
    }
    match body.length {
        Some(bytes) => head.content_length(bytes),
        None => head.chunked(),
    };
    let framing = head.finish();
    let then = match framing.body {
        ReplyBody::None => Then::Nothing,
        body => Then::Produce(Box::new(Outgoing::new(source, body, held_bytes))),
    };
    Answer {
        status,
        bytes: 0,
        keep_alive: framing.keep_alive,
        then,
    }
}
