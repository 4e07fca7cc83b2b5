//! What is to be sent: status, fields, and a body whose length is known before any of it is read.
//!
//! ```text
//!   Plan ── status ── fields ── body ─┬─ Empty
//!                                     ├─ Text     a sentence, or a listing
//!                                     ├─ File     one part of one file
//!                                     └─ Pieces   bytes, part, bytes, part, … bytes
//! ```
//!
//! It does not know how it came about, or sockets.

use crate::http::Status;
use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// A reply that is to be sent.
#[derive(Debug)]
pub struct Plan {
    /// Its status.
    pub status: Status,
    /// Its fields, but for Date, Content-Length and Connection, which belong to whoever sends.
    pub fields: Vec<(&'static str, Cow<'static, [u8]>)>,
    /// Its body; for a HEAD request, the body that a GET would get.
    pub body: PlanBody,
}

/// The body of a [`Plan`].
#[derive(Debug)]
pub enum PlanBody {
    /// None.
    Empty,
    /// Text that is sent as it is.
    Text(Cow<'static, str>),
    /// A part of a regular file.
    ///
    /// The range lay within the file when it was asked for its length. If the file is cut short before it was sent, the
    /// announced length cannot be kept any more: the connection has to be closed (RFC 9112 §8).
    File {
        /// Open for reading, at no particular position.
        file: Arc<File>,
        /// Which of its bytes.
        range: Range<u64>,
    },
    /// Parts of a regular file with text between them, to be sent in this order.
    Pieces {
        /// As in [`PlanBody::File`].
        file: Arc<File>,
        /// At most 33: up to 16 parts, and the text around them.
        pieces: Vec<Piece>,
    },
}

/// One piece of [`PlanBody::Pieces`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes of the file.
    File(Range<u64>),
}

impl Plan {
    pub(super) fn new(status: Status) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: PlanBody::Empty,
        }
    }

    /// A reply that says one sentence.
    pub(super) fn sentence(status: Status, sentence: &str) -> Self {
        let mut plan = Self::new(status);
        plan.put("Content-Type", "text/plain; charset=utf-8");
        plan.put("X-Content-Type-Options", "nosniff");
        plan.body = PlanBody::Text(Cow::Owned(format!("{sentence}\n")));
        plan
    }

    /// Adds a field.
    pub(super) fn put(&mut self, name: &'static str, value: &'static str) {
        self.fields.push((name, Cow::Borrowed(value.as_bytes())));
    }

    /// Adds a field whose value was made for this reply.
    pub(super) fn put_owned(&mut self, name: &'static str, value: impl Into<Vec<u8>>) {
        self.fields.push((name, Cow::Owned(value.into())));
    }

    /// The value of a field, by its name as it is spelled here.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|(candidate, _)| *candidate == name);
        field.map(|(_, value)| &value[..])
    }

    /// The length of the body, in bytes.
    pub fn content_length(&self) -> u64 {
        match &self.body {
            PlanBody::Empty => 0,
            PlanBody::Text(text) => text.len() as u64,
            PlanBody::File { range, .. } => range.end - range.start,
            PlanBody::Pieces { pieces, .. } => pieces.iter().map(Piece::bytes).sum(),
        }
    }
}

impl Piece {
    /// Its length, in bytes.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.end - range.start,
        }
    }
}
