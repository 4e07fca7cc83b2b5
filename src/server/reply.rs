//! A reply, said once.
//!
//! Every method that answers consumes the [`Reply`] and gives a [`Replied`], which cannot be made otherwise. So a
//! handler that forgets to answer, or answers twice, does not compile.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Request;
use super::ticket::{Deferred, Response, Ticket};
use crate::driver::Token;
use crate::http::{DateCache, EncodeError, Method, ReplyHead, ReplyTo, Status, Version};
use crate::reactor::Post;
use crate::ws;

/// Proof that a request was answered.
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct Replied(pub(super) Answer);

/// What a handler has decided.
#[derive(Debug)]
pub(super) enum Answer {
    /// A reply is encoded; whether the connection stays open.
    Encoded { keep_alive: bool },
    /// The 101 is encoded: frames follow.
    WebSocket,
    /// The reply comes later; the flag tells that the connection has gone.
    Deferred {
        keep_alive: bool,
        cancelled: Arc<AtomicBool>,
    },
}

/// The one reply to a request.
#[derive(Debug)]
#[must_use = "a request must be answered"]
pub struct Reply<'r> {
    out: &'r mut Vec<u8>,
    date: &'r DateCache,
    to: ReplyTo,
    desk: Desk<'r>,
}

/// Where a deferred reply would come back to.
#[derive(Debug)]
pub(super) struct Desk<'r> {
    pub(super) post: &'r Post<Deferred>,
    pub(super) token: Token,
    pub(super) number: u32,
}

impl<'r> Reply<'r> {
    pub(super) fn new(
        out: &'r mut Vec<u8>,
        date: &'r DateCache,
        to: ReplyTo,
        desk: Desk<'r>,
    ) -> Self {
        Self {
            out,
            date,
            to,
            desk,
        }
    }

    /// Answers later, from any thread. Until then the connection's further requests wait.
    pub fn defer(self) -> (Replied, Ticket) {
        let Desk {
            post,
            token,
            number,
        } = self.desk;
        let cancelled = Arc::new(AtomicBool::new(false));
        let ticket = Ticket::new(post.clone(), token, number, cancelled.clone());
        let keep_alive = self.to.keep_alive;
        let deferred = Answer::Deferred {
            keep_alive,
            cancelled,
        };
        (Replied(deferred), ticket)
    }

    /// Closes the connection behind this reply.
    pub fn close(mut self) -> Self {
        self.to.keep_alive = false;
        self
    }

    /// 200 with plain text.
    #[inline]
    pub fn text(self, text: &str) -> Replied {
        let head = self
            .start(Status::OK)
            .constant("Content-Type: text/plain\r\n");
        encoded(head.finish_with(text.as_bytes()).keep_alive)
    }

    /// 200 with JSON that is encoded already.
    #[inline]
    pub fn json(self, json: impl AsRef<[u8]>) -> Replied {
        let head = self
            .start(Status::OK)
            .constant("Content-Type: application/json\r\n");
        encoded(head.finish_with(json.as_ref()).keep_alive)
    }

    /// 200 with any content.
    ///
    /// # Panics
    /// If `content_type` holds a control byte: it is the program's, not the peer's. Use [`status`](Self::status) and
    /// [`ReplyFields::field`] for what may be wrong.
    #[inline]
    pub fn ok(self, content_type: &str, content: &[u8]) -> Replied {
        let mut head = self.start(Status::OK);
        head.field("Content-Type", content_type)
            .expect("a content type holds no control bytes");
        encoded(head.finish_with(content).keep_alive)
    }

    /// Plain text that says in one sentence why there is nothing else. The connection stays open.
    pub fn error(self, status: Status, reason: &str) -> Replied {
        let mut head = self.start(status);
        head.field("Content-Type", "text/plain; charset=utf-8")
            .expect("no control bytes");
        let mut content = String::with_capacity(reason.len() + 1);
        content.push_str(reason);
        content.push('\n');
        encoded(head.finish_with(content.as_bytes()).keep_alive)
    }

    /// Any status; fields and content follow.
    ///
    /// ```
    /// # use longshore::{Reply, Replied, http::{EncodeError, Status}};
    /// fn moved(reply: Reply<'_>, to: &str) -> Result<Replied, EncodeError> {
    ///     Ok(reply.status(Status::FOUND).field("Location", to)?.empty())
    /// }
    /// ```
    pub fn status(self, status: Status) -> ReplyFields<'r> {
        ReplyFields {
            head: self.start(status),
        }
    }

    /// Makes the connection a WebSocket, if the request asks for that by the rules (RFC 6455 §4.2). Otherwise refuses
    /// with the status that the rules ask for: 426 for a plain GET.
    pub fn websocket(self, request: &Request<'_>) -> Replied {
        let head = request.head();
        // RFC 9110 §9.3.2: HEAD gets the head that a GET would get. It cannot upgrade, so it stands for a plain GET.
        let is_head = head.method == Method::Head;
        let fields = head.fields.clone().filter(|_| !is_head);
        match ws::accept(
            is_head || head.method == Method::Get,
            head.version == Version::Http11,
            fields,
        ) {
            Ok(accept) => {
                ws::encode_101(self.out, &accept.key_accept, None);
                Replied(Answer::WebSocket)
            }
            Err(refusal) => {
                let status = Status::new(refusal.status).unwrap_or(Status::BAD_REQUEST);
                let mut fields = self.status(status);
                for (name, value) in refusal.fields() {
                    fields = fields
                        .field(name, value)
                        .expect("constants without control bytes");
                }
                fields.content("text/plain; charset=utf-8", refusal.reason.as_bytes())
            }
        }
    }

    #[inline]
    fn start(self, status: Status) -> ReplyHead<'r> {
        start(self.out, self.date, self.to, status)
    }
}

/// A reply whose status is said.
#[derive(Debug)]
#[must_use = "a request must be answered"]
pub struct ReplyFields<'r> {
    head: ReplyHead<'r>,
}

impl ReplyFields<'_> {
    /// Adds a field.
    ///
    /// # Errors
    /// A name that is no token, a value with a control byte, or a field that follows from the reply itself
    /// (`Content-Length`, `Transfer-Encoding`, `Connection: close`). Then nothing of the reply is sent.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, EncodeError> {
        self.head.field(name, value)?;
        Ok(self)
    }

    /// Ends the reply with content. Its type must hold no control byte.
    ///
    /// # Panics
    /// If `content_type` holds a control byte.
    pub fn content(mut self, content_type: &str, content: &[u8]) -> Replied {
        self.head
            .field("Content-Type", content_type)
            .expect("a content type holds no control bytes");
        encoded(self.head.finish_with(content).keep_alive)
    }

    /// Ends the reply without content.
    pub fn empty(self) -> Replied {
        encoded(self.head.finish_with(b"").keep_alive)
    }
}

/// Status line, `Server` and `Date`.
#[inline]
fn start<'o>(out: &'o mut Vec<u8>, date: &DateCache, to: ReplyTo, status: Status) -> ReplyHead<'o> {
    let mut head = ReplyHead::new(out, to, status).constant("Server: longshore\r\n");
    head.date(date);
    head
}

/// Encodes a reply that came from another thread. Whether the connection stays open.
pub(super) fn encode_response(
    response: &Response,
    out: &mut Vec<u8>,
    date: &DateCache,
    to: ReplyTo,
) -> bool {
    let mut head = start(out, date, to, response.status);
    for (name, value) in &response.fields {
        head.field(name, value).expect("checked when it was added");
    }
    head.finish_with(&response.content).keep_alive
}

#[inline]
fn encoded(keep_alive: bool) -> Replied {
    Replied(Answer::Encoded { keep_alive })
}
