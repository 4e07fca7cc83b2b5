//! A reply's body that is produced while the peer reads it.
//!
//! ```text
//!   room in the outbox ──▶ Source::produce ──bytes──▶ chunk, or as they are ──▶ cork
//!            ▲                    │ Later: wait for a Wake
//!            └──── peer reads ────┘ End: last chunk and trailers, or FIN
//! ```
//!
//! The source is asked only when there is room, so a peer that does not read stops it: nothing piles up. It knows no
//! socket and no thread.

use std::fmt;

use crate::http::{ReplyBody, encode_chunk, encode_last_chunk};

/// What a [`Source`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Produced {
    /// It may have more: ask again when there is room.
    More,
    /// It has nothing now. It is asked again after its exchange's [`Wake`](crate::Wake) was used.
    Later,
    /// This was the last of it.
    End,
    /// It cannot go on. The connection is cut, so that the peer does not take half a body for a whole one.
    Failed,
}

/// A body that is produced piece by piece, as the peer reads it.
///
/// ```
/// use longshore::{Handler, Produced, Replied, Reply, Request, Source, http::Status};
///
/// /// Numbers, one a line.
/// struct Numbers(std::ops::Range<u32>);
///
/// impl Source for Numbers {
///     fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
///         match self.0.next() {
///             Some(number) => {
///                 out.extend_from_slice(format!("{number}\n").as_bytes());
///                 Produced::More
///             }
///             None => Produced::End,
///         }
///     }
/// }
///
/// struct Counter;
///
/// impl Handler for Counter {
///     type Connection = ();
///     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         reply.status(Status::OK).stream(Numbers(0..1_000_000))
///     }
/// }
/// ```
pub trait Source {
    /// Appends the next bytes to `out`, which may hold earlier ones. A few KiB at a time are best; what is appended is
    /// kept in memory until the peer has taken it.
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced;

    /// Fields behind the body, asked for once behind [`Produced::End`] (RFC 9110 §6.5). They are sent to HTTP/1.1 peers
    /// of a body without declared length, and dropped otherwise. A field that may not stand there counts as
    /// [`Produced::Failed`]. A reply that will have some should announce their names in a `Trailer` field
    /// (RFC 9110 §6.6.2).
    fn trailers(&mut self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

/// A source is asked again and again until it has produced this much: fewer, larger sends.
const STEP_BYTES: usize = 32 * 1024;
/// But not more often than this: a compressed body may take in very much before anything comes out.
const STEP_CALLS: u32 = 16;

/// A body on its way out.
pub(crate) struct Outgoing {
    source: Box<dyn Source>,
    /// How it is delimited; a declared length counts down.
    framing: ReplyBody,
    /// Bytes of content so far.
    pub(crate) bytes: u64,
    /// Memory that producing it needs, beyond what waits to be sent.
    pub(crate) held_bytes: usize,
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask again when there is room.
    More,
    /// Ask again when somebody says so.
    Later,
    /// It is complete.
    Done,
    /// It cannot be completed.
    Broken,
}

impl Outgoing {
    pub(crate) fn new(source: Box<dyn Source>, framing: ReplyBody, held_bytes: usize) -> Self {
        Self {
            source,
            framing,
            bytes: 0,
            held_bytes,
        }
    }

    /// Whether the end of the connection is the end of the body.
    pub(crate) fn ends_with_connection(&self) -> bool {
        self.framing == ReplyBody::UntilClose
    }

    /// Writes the next bytes to `out`. `scratch` is empty memory that is left empty.
    pub(crate) fn step(&mut self, out: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Step {
        debug_assert!(scratch.is_empty());
        let (mut produced, mut calls) = (Produced::More, 0);
        while produced == Produced::More && scratch.len() < STEP_BYTES && calls < STEP_CALLS {
            produced = self.source.produce(scratch);
            calls += 1;
        }
        self.bytes += scratch.len() as u64;
        let fits = self.encode(out, scratch);
        scratch.clear();
        match produced {
            _ if !fits => Step::Broken,
            Produced::More => Step::More,
            Produced::Later => Step::Later,
            Produced::End => self.end(out),
            Produced::Failed => Step::Broken,
        }
    }

    /// False if there is more than was declared.
    fn encode(&mut self, out: &mut Vec<u8>, content: &[u8]) -> bool {
        match &mut self.framing {
            ReplyBody::None => {}
            ReplyBody::Length(left) => match left.checked_sub(content.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    out.extend_from_slice(content);
                }
                None => return false,
            },
            ReplyBody::Chunked => encode_chunk(out, content),
            ReplyBody::UntilClose => out.extend_from_slice(content),
        }
        true
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Step {
        match self.framing {
            ReplyBody::Length(1..) => Step::Broken,
            ReplyBody::Chunked => {
                let trailers = self.source.trailers();
                let fields: Vec<_> = trailers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_slice()))
                    .collect();
                match encode_last_chunk(out, &fields) {
                    Ok(()) => Step::Done,
                    Err(_) => Step::Broken,
                }
            }
            _ => Step::Done,
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("framing", &self.framing)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
