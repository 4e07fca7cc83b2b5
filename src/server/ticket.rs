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

use crate::driver::Token;
use crate::http::{EncodeError, ReplyHead, ReplyTo, Status};
use crate::reactor::{Letter, Post};

/// A reply that owns its parts, to be sent from another thread.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) status: Status,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) content: Vec<u8>,
}

impl Response {
    /// A response without fields and content. `Server`, `Date` and the length are added when it is sent.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            fields: Vec::new(),
            content: Vec::new(),
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

    /// Sets the content.
    #[must_use]
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self
    }
}

/// What travels to the connection's thread.
#[derive(Debug)]
pub(crate) struct Deferred {
    /// Which of the connection's requests it answers.
    pub(super) number: u32,
    pub(super) response: Response,
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
    post: Post<Deferred>,
    token: Token,
    number: u32,
    answered: bool,
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    pub(super) fn new(
        post: Post<Deferred>,
        token: Token,
        number: u32,
        cancelled: Arc<AtomicBool>,
    ) -> Self {
        Self {
            post,
            token,
            number,
            answered: false,
            cancelled,
        }
    }

    /// Answers. If the connection has gone, nothing happens.
    pub fn answer(mut self, response: Response) {
        self.send(response);
    }

    /// Whether the connection has gone, so that the work can be given up.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn send(&mut self, response: Response) {
        self.answered = true;
        let Self {
            post,
            token,
            number,
            ..
        } = &*self;
        let mut letter = Letter::To(
            *token,
            Deferred {
                number: *number,
                response,
            },
        );
        // A full mailbox holds 65,536 answers that the reactor takes in its next turn. It may be waited for here, on a
        // thread that is not the reactor's.
        while let Err(refused) = post.send(letter) {
            if self.is_cancelled() || post.is_closed() {
                return;
            }
            letter = refused;
            std::thread::yield_now();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered {
            let response = Response::new(Status::INTERNAL_SERVER_ERROR);
            self.send(response.content("The request was given up.\n"));
        }
    }
}
