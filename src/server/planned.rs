//! Replies with static files: a [`Plan`] becomes a head in the cork and portions behind it.
//!
//! ```text
//!   Plan ──▶ head ─┬─ text, or a small body       in the cork
//!                  └─ file, or pieces of it       named; the driver reads them when their turn comes
//! ```
//!
//! It does not know how a file reaches a socket.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use super::answer::{Answer, Portion, Then};
use super::files::{Files, Piece, Plan, PlanBody};
use super::{Replied, Reply, Request};
use crate::buf::FileSlice;
use crate::http::{ReplyBody, ReplyHead, Status, parse_date};
use crate::sys::{self, ThreadProbe};

/// A body of at most this many bytes is read here. A file that waits to be sent keeps a descriptor: a peer that asks for
/// single bytes, over and over, and reads nothing would keep hundreds before its outbox is full. With its head such a
/// reply stays below what the memory ceiling always lets pass. It also leaves in the same send as its neighbours.
const READ_AT_ONCE_BYTES_MAX: u64 = 8 * 1024;

impl Files {
    /// Answers a request with the file that `path` names, as [`plan`](Self::plan) describes it.
    ///
    /// ```no_run
    /// use longshore::{Files, Handler, Replied, Reply, Request};
    ///
    /// struct Site(Files);
    ///
    /// impl Handler for Site {
    ///     type Connection = ();
    ///     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
    ///         self.0.reply(&request, request.path(), reply)
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files = Files::open("/srv/site")?;
    /// let bound = longshore::Server::new().listen("127.0.0.1:8080".parse()?).bind()?;
    /// bound.run(|_worker| Site(files.clone()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply(&self, request: &Request<'_>, path: &[u8], reply: Reply<'_>) -> Replied {
        // The Date of the reply itself, looked at once a turn: Last-Modified is never later (RFC 9110 §8.8.2.1).
        let now = parse_date(reply.date()).expect("we wrote it");
        reply.plan(self.plan(request.head(), path, now))
    }
}

impl Reply<'_> {
    /// Answers as a [`Plan`] says. Of a file, only a body of up to 8 KiB is read here. A larger one is sent by the driver
    /// as the peer reads, with sendfile(2) on epoll and mio, through a buffer of 64 KiB on io_uring. A file that has
    /// become shorter than it was cuts the connection.
    ///
    /// # Panics
    /// If a field of the plan is malformed; those of [`Files::plan`] never are.
    pub fn plan(self, plan: Plan) -> Replied {
        let length = plan.content_length();
        let status = plan.status;
        let is_read_now = length <= READ_AT_ONCE_BYTES_MAX && !self.is_head_only();
        let (mut head, _) = self.start(status);
        for (name, value) in &plan.fields {
            head.field(name, value)
                .expect("a plan's fields are well-formed");
        }
        let body = match plan.body {
            PlanBody::Empty => Vec::new(),
            PlanBody::Text(text) => return complete(status, head, text.as_bytes()),
            PlanBody::File { file, range } => vec![Portion::File(FileSlice::new(file, range))],
            PlanBody::Pieces { file, pieces } => pieces
                .into_iter()
                .map(|piece| match piece {
                    Piece::Bytes(bytes) => Portion::Bytes(bytes),
                    Piece::File(range) => Portion::File(FileSlice::new(file.clone(), range)),
                })
                .collect(),
        };
        // A file that cannot be read, or has become shorter, is left to the driver, which cuts the connection.
        if is_read_now && let Ok(content) = read(&body, length as usize) {
            return complete(status, head, &content);
        }
        head.content_length(length);
        let framing = head.finish();
        let (bytes, then) = match framing.body {
            ReplyBody::Length(bytes) => (bytes, Then::Send(body.into_boxed_slice())),
            // HEAD, or nothing to send.
            _ => (0, Then::Nothing),
        };
        Replied(Answer {
            status,
            bytes,
            keep_alive: framing.keep_alive,
            then,
        })
    }
}

/// Ends a reply whose content is at hand.
fn complete(status: Status, head: ReplyHead<'_>, content: &[u8]) -> Replied {
    let framing = head.finish_with(content);
    let bytes = match framing.body {
        ReplyBody::Length(bytes) => bytes,
        _ => 0,
    };
    Replied(Answer {
        status,
        bytes,
        keep_alive: framing.keep_alive,
        then: Then::Nothing,
    })
}

/// Puts a body of `length` bytes together. Waits for the disk, as opening its file did.
fn read(body: &[Portion], length: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(length);
    for portion in body {
        match portion {
            Portion::Bytes(bytes) => content.extend_from_slice(bytes),
            Portion::File(slice) => append(&slice.file, &slice.range, &mut content)?,
        }
    }
    Ok(content)
}

/// pread(2), until the range is complete.
fn append(file: &File, range: &Range<u64>, out: &mut Vec<u8>) -> io::Result<()> {
    let mut at = out.len();
    let mut offset = range.start;
    out.resize(at + (range.end - range.start) as usize, 0);
    while at < out.len() {
        let count = sys::pread(&mut ThreadProbe, file.as_fd(), &mut out[at..], offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += count;
        offset += count as u64;
    }
    Ok(())
}
