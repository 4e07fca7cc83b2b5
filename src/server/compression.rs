//! Compressing what a handler says, for peers that take it (RFC 9110 §8.4, §12.5.3).
//!
//! ```text
//!   content ≥ 1 KiB, of a type that shrinks ──▶ Vary: Accept-Encoding
//!                                          └──▶ gzip accepted: Content-Encoding: gzip
//! ```
//!
//! Whole contents share one encoder per worker; each streamed body has its own. Files are not compressed here: they
//! have siblings that were compressed before.

use std::cell::Cell;
use std::rc::Rc;

use crate::conn::outgoing::{Produced, Source};
use crate::http::{AcceptEncoding, ContentCoding, Fields, GZIP_ENCODER_BYTES, GzipEncoder, Status};

/// When and how much to compress. Set with [`Server::compression`](super::Server::compression).
///
/// A reply is compressed if its content is long enough, its Content-Type says that it shrinks (text, JSON, XML,
/// JavaScript, SVG and their like), the peer accepts gzip, and the handler has set neither Content-Encoding nor
/// Content-Range, nor `Cache-Control: no-transform`, nor a strong ETag, which would have to change with the bytes.
///
/// Compressing a secret together with text that a peer chose lets that peer guess the secret by the length (BREACH).
/// Replies that hold both should say `Cache-Control: no-transform`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Bytes of content from which it is worth while. Default 1024.
    pub bytes_min: usize,
    /// From 1, fast, to 9, small. Default 4.
    pub level: u32,
    /// How many streamed bodies of one worker may be compressed at a time; more are sent as they are. Each holds 320 KiB.
    /// Default 64.
    pub streams_max: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            bytes_min: 1024,
            level: 4,
            streams_max: 64,
        }
    }
}

/// Memory that one large content needed is not kept for long.
const CODED_KEPT_BYTES_MAX: usize = 1024 * 1024;

/// One worker's encoder.
#[derive(Debug)]
pub(super) struct Compressor {
    settings: Compression,
    /// Made when it is needed first.
    encoder: Option<GzipEncoder>,
    coded: Vec<u8>,
    streams: Rc<Cell<usize>>,
}

impl Compressor {
    pub(super) fn new(settings: Compression) -> Self {
        Self {
            settings,
            encoder: None,
            coded: Vec::new(),
            streams: Rc::default(),
        }
    }
}

/// What the peer said about codings, looked at only when it matters.
#[derive(Debug)]
enum Accepts<'r> {
    Fields(Fields<'r>),
    Known(bool),
}

/// The possibility to compress one reply.
#[derive(Debug)]
pub(super) struct Offer<'r>(Option<(&'r mut Compressor, Accepts<'r>)>);

impl<'r> Offer<'r> {
    /// Nothing is offered.
    #[inline]
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// To a peer that has sent these fields.
    #[inline]
    pub(super) fn to(compressor: Option<&'r mut Compressor>, fields: &Fields<'r>) -> Self {
        Self(compressor.map(|compressor| (compressor, Accepts::Fields(fields.clone()))))
    }

    /// To a peer of which this is known.
    pub(super) fn known(compressor: Option<&'r mut Compressor>, accepts: bool) -> Self {
        Self(compressor.map(|compressor| (compressor, Accepts::Known(accepts))))
    }

    /// Whether the peer takes gzip. False without a compressor.
    pub(super) fn is_accepted(&self) -> bool {
        match &self.0 {
            None => false,
            Some((_, Accepts::Known(accepts))) => *accepts,
            Some((_, Accepts::Fields(fields))) => AcceptEncoding::of(fields)
                .choose(&[ContentCoding::Gzip])
                .is_some(),
        }
    }

    /// Whether such a reply varies with what the peer accepts.
    #[inline]
    pub(super) fn concerns(
        &self,
        status: Status,
        content_type: &str,
        bytes: Option<usize>,
    ) -> bool {
        let Some((compressor, _)) = &self.0 else {
            return false;
        };
        bytes.is_none_or(|bytes| bytes >= compressor.settings.bytes_min)
            && has_whole_content(status)
            && shrinks(content_type)
    }

    /// The content as gzip, if the peer takes that and it is shorter.
    pub(super) fn encode(&mut self, content: &[u8]) -> Option<&[u8]> {
        if !self.is_accepted() {
            return None;
        }
        let (compressor, _) = self.0.as_mut()?;
        let level = compressor.settings.level;
        let encoder = compressor
            .encoder
            .get_or_insert_with(|| GzipEncoder::new(level));
        if compressor.coded.capacity() > CODED_KEPT_BYTES_MAX {
            compressor.coded = Vec::new();
        }
        compressor.coded.clear();
        encoder.encode(content, &mut compressor.coded);
        encoder.finish(&mut compressor.coded);
        (compressor.coded.len() < content.len()).then_some(&compressor.coded)
    }

    /// Compresses a body that is produced later, if the peer takes that and there is room for one more.
    pub(super) fn wrap(&mut self, source: Box<dyn Source>) -> Result<Gzipped, Box<dyn Source>> {
        let accepted = self.is_accepted();
        let Some((compressor, _)) = self.0.as_mut().filter(|_| accepted) else {
            return Err(source);
        };
        let running = compressor.streams.get();
        if running >= compressor.settings.streams_max {
            return Err(source);
        }
        compressor.streams.set(running + 1);
        Ok(Gzipped {
            source,
            encoder: GzipEncoder::new(compressor.settings.level),
            plain: Vec::new(),
            dirty: false,
            streams: compressor.streams.clone(),
        })
    }
}

/// A body that is compressed while it is produced.
pub(super) struct Gzipped {
    source: Box<dyn Source>,
    encoder: GzipEncoder,
    plain: Vec<u8>,
    /// Something is held back in the encoder.
    dirty: bool,
    streams: Rc<Cell<usize>>,
}

impl Gzipped {
    /// What it holds in memory.
    pub(super) const HELD_BYTES: usize = GZIP_ENCODER_BYTES;
}

impl Source for Gzipped {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        let produced = self.source.produce(&mut self.plain);
        if !self.plain.is_empty() {
            self.encoder.encode(&self.plain, out);
            self.plain.clear();
            self.dirty = true;
        }
        match produced {
            // News shall reach the peer now, not when a block is full.
            Produced::Later if self.dirty => {
                self.encoder.flush(out);
                self.dirty = false;
            }
            Produced::End => self.encoder.finish(out),
            _ => {}
        }
        produced
    }

    fn trailers(&mut self) -> Vec<(String, Vec<u8>)> {
        self.source.trailers()
    }
}

impl Drop for Gzipped {
    fn drop(&mut self) {
        self.streams.set(self.streams.get() - 1);
    }
}

/// Whether the content is the whole of something: not a part, and not nothing.
fn has_whole_content(status: Status) -> bool {
    !status.is_interim() && !matches!(status.code(), 204 | 205 | 206 | 304)
}

/// Whether content of this type is worth compressing: text and what is written in it.
fn shrinks(content_type: &str) -> bool {
    const OTHERS: [&str; 7] = [
        "application/json",
        "application/javascript",
        "application/xml",
        "application/x-ndjson",
        "application/wasm",
        "application/manifest+json",
        "image/svg+xml",
    ];
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is = |other: &&str| essence.eq_ignore_ascii_case(other);
    let ends = |end: &str| {
        let start = essence.len().saturating_sub(end.len());
        essence.as_bytes()[start..].eq_ignore_ascii_case(end.as_bytes())
    };
    let starts = |start: &str| {
        essence
            .as_bytes()
            .get(..start.len())
            .is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()))
    };
    starts("text/") || OTHERS.iter().any(is) || ends("+json") || ends("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shrinks_and_pictures_do_not() {
        for (content_type, expected) in [
            ("text/plain", true),
            ("Text/HTML; charset=utf-8", true),
            ("application/json", true),
            ("application/problem+json; a=b", true),
            ("image/svg+xml", true),
            ("application/octet-stream", false),
            ("image/png", false),
            ("application/gzip", false),
            ("", false),
            ("text", false),
        ] {
            assert_eq!(shrinks(content_type), expected, "{content_type}");
        }
    }
}
