//! Reads the bytes of one connection as a third party: what was received, what was sent, and nothing of the server's state.
//!
//! ```text
//!   received ─▶ Flow ── begins with "HTTP/"? ──yes──▶ Replies ─┐
//!   sent ─────▶ Flow ──────────────────────────no───▶ Requests ─┼─ 101 ──▶ Frames (both ways)
//!                  └── no HTTP at all, or broken ───▶ Opaque    │
//!                                 what was asked ───────────────┘ tells a reply what it answers
//! ```
//!
//! So server, client and echo need no change, and a trace that is off costs nothing. Each direction keeps at most
//! [`KEPT_BYTES_MAX`] bytes of an unfinished head, and both together at most [`ASKED_MAX`] requests that nobody has
//! answered; beyond that the direction is followed no further. No byte makes it fail.
//!
//! It does not know calls, descriptors, or whether the server agrees with it.

mod frames;
mod replies;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::frames::{Frames, Terms};
use self::replies::Replies;
use self::requests::Requests;
use super::protocol::{Direction, Protocol, What};
use crate::http::Chunk;

/// The most bytes of a head, or of what comes before an upgrade is answered, that are kept in each direction.
pub(super) const KEPT_BYTES_MAX: usize = 64 * 1024;
/// The most requests that may wait for their replies: a receive of 64 KiB holds some 2,500 of the shortest.
pub(super) const ASKED_MAX: usize = 4096;
/// The most bytes of a method and target that are kept and shown.
const LINE_BYTES_MAX: usize = 64;
/// The bytes by which a reply is told from a request.
const REPLY_PREFIX: &[u8] = b"HTTP/";

/// A request that nobody has answered yet.
#[derive(Debug)]
struct Asked {
    line: String,
    /// Its reply has no body, whatever its head says (RFC 9110 §9.3.2).
    is_head: bool,
    upgrade: bool,
}

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(super) struct Dissector {
    received: Flow,
    sent: Flow,
    asked: VecDeque<Asked>,
    /// Why a direction's first bytes are no request, which is told if the other one answers them as if they were.
    unlike: Option<Protocol>,
}

/// One direction.
#[derive(Debug, Default)]
enum Flow {
    /// Not enough bytes to tell what they are.
    #[default]
    Fresh,
    /// As [`Flow::Fresh`]: the first bytes of what may be a reply.
    Begun(Vec<u8>),
    Requests(Box<Requests>),
    Replies(Box<Replies>),
    Frames(Frames),
    /// Nothing that is understood, or no longer.
    Opaque,
}

/// What the next byte of a direction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A message of HTTP has it, or it will be seen whether one does.
    Http,
    /// It belongs to a body, or to a chunk of one, of which so many bytes are still to come.
    Body(u64),
    /// It belongs to the framing of a chunked body.
    Framing(Chunk),
    /// It stands behind a request for another protocol, and only the reply says whose it is.
    Waits,
    /// It belongs to a frame's header.
    Header,
    /// It belongs to a frame's payload, of which so many bytes are still to come.
    Payload(u64),
    /// Nobody knows.
    Unknown,
}

/// Where in a message of HTTP the last byte of a direction was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// In an unfinished head, or in unfinished framing of a chunk.
    Head,
    /// In a body, or at the end of the message.
    Body,
}

/// What a direction's reader has come to.
enum Step {
    /// All bytes were read.
    Done,
    /// From here on the bytes, which are what is left, are frames, in both directions.
    Upgraded {
        rest: Vec<u8>,
        /// permessage-deflate was agreed on.
        deflate: bool,
    },
    /// It never was what this reader reads, for this reason.
    Unlike(String),
    /// This direction cannot be followed.
    Lost,
}

impl Dissector {
    /// Reads a client's bytes as if the server had changed to WebSocket already, with compression if need be.
    pub(super) fn as_if_upgraded(direction: Direction) -> Self {
        let mut dissector = Self::default();
        let terms = Terms {
            from_client: true,
            deflate: true,
        };
        *dissector.flow(direction) = Flow::Frames(Frames::new(terms));
        dissector
    }

    /// Reads `bytes` that went in `direction`, and says what they mean.
    pub(super) fn read(&mut self, direction: Direction, bytes: &[u8], told: &mut Vec<Protocol>) {
        if bytes.is_empty() {
            return;
        }
        let flow = std::mem::take(self.flow(direction));
        let flow = self.go_on(flow, direction, bytes, told);
        *self.flow(direction) = flow;
    }

    /// Notes that `count` bytes went which nobody saw: a file's, sent without copies.
    pub(super) fn skip(&mut self, direction: Direction, count: u64, told: &mut Vec<Protocol>) {
        let kept = match self.flow(direction) {
            Flow::Replies(replies) => {
                let mut tell = |what| told.push(Protocol { direction, what });
                replies.skip(count, &mut tell)
            }
            Flow::Frames(frames) => frames.skip(count),
            _ => false,
        };
        if !kept {
            *self.flow(direction) = Flow::Opaque;
        }
    }

    /// What the next byte of a direction is.
    pub(super) fn next(&self, direction: Direction) -> Next {
        let http = |chunk, body_left| match (chunk, body_left) {
            (Some(Chunk::Data(left)), _) => Next::Body(left),
            (Some(framing), _) => Next::Framing(framing),
            (None, 0) => Next::Http,
            (None, left) => Next::Body(left),
        };
        match self.flow_of(direction) {
            Flow::Fresh | Flow::Begun(_) => Next::Http,
            Flow::Requests(requests) if requests.waits(&self.asked) => Next::Waits,
            Flow::Requests(requests) => http(requests.chunk(), requests.body_left()),
            Flow::Replies(replies) => http(replies.chunk(), replies.body_left()),
            Flow::Frames(frames) => match frames.payload_left() {
                0 => Next::Header,
                left => Next::Payload(left),
            },
            Flow::Opaque => Next::Unknown,
        }
    }

    /// Where a direction stands that has begun as HTTP does.
    pub(super) fn within(&self, direction: Direction) -> Option<Within> {
        let is_head = match self.flow_of(direction) {
            Flow::Requests(requests) => requests.is_within_head()?,
            Flow::Replies(replies) => replies.is_within_head(),
            _ => return None,
        };
        Some(if is_head { Within::Head } else { Within::Body })
    }

    fn flow_of(&self, direction: Direction) -> &Flow {
        match direction {
            Direction::Received => &self.received,
            Direction::Sent => &self.sent,
        }
    }

    fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    fn go_on(
        &mut self,
        flow: Flow,
        direction: Direction,
        bytes: &[u8],
        told: &mut Vec<Protocol>,
    ) -> Flow {
        let mut tell = |what| told.push(Protocol { direction, what });
        match flow {
            Flow::Opaque => Flow::Opaque,
            Flow::Fresh => self.begin(Vec::new(), direction, bytes, told),
            Flow::Begun(first) => self.begin(first, direction, bytes, told),
            Flow::Frames(mut frames) => {
                if frames.read(bytes, &mut tell) {
                    Flow::Frames(frames)
                } else {
                    Flow::Opaque
                }
            }
            Flow::Requests(mut requests) => {
                match requests.read(bytes, &mut self.asked, &mut tell) {
                    Step::Done => Flow::Requests(requests),
                    Step::Unlike(why) => {
                        let what = What::Broken { why };
                        self.unlike = Some(Protocol { direction, what });
                        Flow::Opaque
                    }
                    _ => Flow::Opaque,
                }
            }
            Flow::Replies(mut replies) => match replies.read(bytes, &mut self.asked, &mut tell) {
                Step::Done => Flow::Replies(replies),
                Step::Upgraded { rest, deflate } => {
                    self.upgrade_other(direction, deflate, told);
                    let terms = Terms {
                        from_client: false,
                        deflate,
                    };
                    self.go_on(Flow::Frames(Frames::new(terms)), direction, &rest, told)
                }
                _ => Flow::Opaque,
            },
        }
    }

    /// Decides what a direction carries.
    fn begin(
        &mut self,
        mut first: Vec<u8>,
        direction: Direction,
        bytes: &[u8],
        told: &mut Vec<Protocol>,
    ) -> Flow {
        first.extend_from_slice(bytes);
        let common = first.len().min(REPLY_PREFIX.len());
        let flow = if first[..common] != REPLY_PREFIX[..common] {
            Flow::Requests(Box::default())
        } else if common < REPLY_PREFIX.len() {
            return Flow::Begun(first);
        } else {
            // A server of HTTP: to it, what came was a request.
            told.extend(self.unlike.take());
            Flow::Replies(Box::default())
        };
        self.go_on(flow, direction, &first, told)
    }

    /// The other direction speaks WebSocket too, beginning with the bytes that it holds back.
    fn upgrade_other(&mut self, direction: Direction, deflate: bool, told: &mut Vec<Protocol>) {
        let other = match direction {
            Direction::Received => Direction::Sent,
            Direction::Sent => Direction::Received,
        };
        let held = match std::mem::replace(self.flow(other), Flow::Opaque) {
            Flow::Requests(requests) => requests.held(),
            Flow::Fresh => Vec::new(),
            _ => return,
        };
        let terms = Terms {
            from_client: true,
            deflate,
        };
        let flow = self.go_on(Flow::Frames(Frames::new(terms)), other, &held, told);
        *self.flow(other) = flow;
    }
}

/// Says that a direction breaks the rules.
fn broken(why: &(impl ToString + ?Sized)) -> What {
    What::Broken {
        why: why.to_string(),
    }
}
