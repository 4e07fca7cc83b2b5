//! Replies from elsewhere: a handler defers, and any thread answers later.
//!
//! ```text
//!   handler ── reply.defer() ──▶ Ticket ──▶ another thread ── ticket.answer(…) ──▶ mailbox ──▶ the connection
//! ```
//!
//! Meanwhile the connection reads no further request, so pipelined replies keep their order. A ticket that is dropped
//! answers 500. One whose connection has gone is told so when it asks, and its answer is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Wake;
use super::body_sender::{self, BodySender};
use super::wake::What;
use crate::conn::outgoing::Source;
use crate::http::{EncodeError, ReplyHead, ReplyTo, Status};

/// A reply that owns its parts, to be sent from another thread.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) status: Status,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) content: Vec<u8>,
    pub(super) length: Option<u64>,
}

impl Response {
    /// A response without fields and content. `Server`, `Date` and the length are added when it is sent.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            fields: Vec::new(),
            content: Vec::new(),
            length: None,
        }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// As [`ReplyFields::field`](super::ReplyFields::field).
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, EncodeError> {
        // The encoder is the one judge of what may stand in a field.
        ReplyHead::new(&mut Vec::new(), ReplyTo::CLOSING, self.status)
            .field(name, value.as_ref())?;
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        Ok(self)
    }

    /// Declares how many bytes [`Ticket::stream`] will bring, as [`ReplyFields::length`](super::ReplyFields::length).
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// Sets the content.
    #[must_use]
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self
    }
}

/// The right and the duty to answer one request, from any thread.
///
/// ```
/// use longshore::{Handler, Replied, Reply, Request, Response, http::Status};
///
/// struct Slow;
///
/// impl Handler for Slow {
///     type Connection = ();
///     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         let (replied, ticket) = reply.defer();
///         std::thread::spawn(move || ticket.answer(Response::new(Status::OK).content("at last")));
///         replied
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "a ticket that is dropped answers 500"]
pub struct Ticket {
    wake: Wake,
    answered: bool,
    /// Whether the peer takes gzip: the request itself is gone when the answer comes.
    accepts_gzip: bool,
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    pub(super) fn new(wake: Wake, accepts_gzip: bool, cancelled: Arc<AtomicBool>) -> Self {
        Self {
            wake,
            answered: false,
            accepts_gzip,
            cancelled,
        }
    }

    /// Answers. If the connection has gone, nothing happens.
    pub fn answer(mut self, response: Response) {
        self.send(response, None);
    }

    /// Answers with a body that follows piece by piece. The response's own content is not sent.
    pub fn stream(mut self, response: Response) -> BodySender {
        let (sender, receiver) = body_sender::channel(self.wake.clone());
        self.send(response, Some(Box::new(receiver)));
        sender
    }

    /// Whether the connection has gone, so that the work can be given up. A peer that has only sent its FIN still waits for
    /// the answer, as far as anybody can know.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn send(&mut self, response: Response, body: Option<Box<dyn Source + Send>>) {
        self.answered = true;
        let answer = What::Answer {
            response,
            body,
            accepts_gzip: self.accepts_gzip,
        };
        self.wake.send(answer, || self.is_cancelled());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered {
            let response = Response::new(Status::INTERNAL_SERVER_ERROR);
            self.send(response.content("The request was given up.\n"), None);
        }
    }
}
