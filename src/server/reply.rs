//! A reply, said once.
//!
//! Every method that answers consumes the [`Reply`] and gives a [`Replied`], which cannot be made otherwise. So a
//! handler that forgets to answer, or answers twice, does not compile.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Wake;
use super::answer::{self, Answer, Streamed, Then, begin, encoded, fixes_content};
use super::body_sender::{self, BodySender};
use super::compression::Offer;
use super::ticket::Ticket;
use super::wake::Mail;
use crate::buf::Ceiling;
use crate::conn::outgoing::Source;
use crate::driver::Token;
use crate::http::{DateCache, EncodeError, ReplyHead, ReplyTo, Status};
use crate::reactor::Post;

/// Proof that a request was answered.
#[derive(Debug)]
#[must_use = "return it from the handler"]
pub struct Replied(pub(super) Answer);

/// The one reply to a request.
#[derive(Debug)]
#[must_use = "a request must be answered"]
pub struct Reply<'r> {
    out: &'r mut Vec<u8>,
    date: &'r DateCache,
    to: ReplyTo,
    desk: Desk<'r>,
    offer: Offer<'r>,
}

/// Where mail for an exchange goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Desk<'r> {
    pub(super) post: &'r Post<Mail>,
    /// Over the memory of all connections' compression.
    #[cfg_attr(not(feature = "deflate"), expect(dead_code))]
    pub(super) deflate: &'r Arc<Ceiling>,
    pub(super) token: Token,
    pub(super) number: u32,
}

impl Desk<'_> {
    pub(super) fn wake(&self) -> Wake {
        Wake {
            post: self.post.clone(),
            token: self.token,
            number: self.number,
        }
    }
}

impl<'r> Reply<'r> {
    pub(super) fn new(
        out: &'r mut Vec<u8>,
        date: &'r DateCache,
        to: ReplyTo,
        desk: Desk<'r>,
        offer: Offer<'r>,
    ) -> Self {
        Self {
            out,
            date,
            to,
            desk,
            offer,
        }
    }

    /// Answers later, from any thread. Until then the connection's further requests wait.
    pub fn defer(self) -> (Replied, Ticket) {
        let cancelled = Arc::new(AtomicBool::new(false));
        let ticket = Ticket::new(
            self.desk.wake(),
            self.offer.is_accepted(),
            cancelled.clone(),
        );
        let answer = Answer {
            status: Status::OK,
            bytes: 0,
            keep_alive: self.to.keep_alive,
            then: Then::Defer(cancelled),
        };
        (Replied(answer), ticket)
    }

    /// Names this exchange for other threads, so that they can wake a [`Source`] that had nothing to say.
    pub fn wake(&self) -> Wake {
        self.desk.wake()
    }

    /// Closes the connection behind this reply.
    pub fn close(mut self) -> Self {
        self.to.keep_alive = false;
        self
    }

    /// 200 with plain text.
    #[inline]
    pub fn text(self, text: &str) -> Replied {
        let (head, offer) = self.start(Status::OK);
        let head = head.constant("Content-Type: text/plain\r\n");
        Replied(encoded(
            Status::OK,
            head,
            "text/plain",
            text.as_bytes(),
            offer,
        ))
    }

    /// 200 with JSON that is encoded already.
    #[inline]
    pub fn json(self, json: impl AsRef<[u8]>) -> Replied {
        let (head, offer) = self.start(Status::OK);
        let head = head.constant("Content-Type: application/json\r\n");
        Replied(encoded(
            Status::OK,
            head,
            "application/json",
            json.as_ref(),
            offer,
        ))
    }

    /// 200 with any content.
    ///
    /// # Panics
    /// If `content_type` holds a control byte: it is the program's, not the peer's. Use [`status`](Self::status) and
    /// [`ReplyFields::field`] for what may be wrong.
    #[inline]
    pub fn ok(self, content_type: &str, content: &[u8]) -> Replied {
        self.content(Status::OK, content_type, content)
    }

    /// Plain text that says in one sentence why there is nothing else. The connection stays open.
    pub fn error(self, status: Status, reason: &str) -> Replied {
        let mut content = String::with_capacity(reason.len() + 1);
        content.push_str(reason);
        content.push('\n');
        self.content(status, "text/plain; charset=utf-8", content.as_bytes())
    }

    #[inline]
    fn content(self, status: Status, content_type: &str, content: &[u8]) -> Replied {
        let (mut head, offer) = self.start(status);
        head.field("Content-Type", content_type)
            .expect("a content type holds no control bytes");
        Replied(encoded(status, head, content_type, content, offer))
    }

    /// Sends the peer elsewhere with a Location. The status should be 301, 302, 303, 307 or 308 (RFC 9110 §15.4); it is
    /// not checked.
    ///
    /// # Errors
    /// As [`ReplyFields::field`]: a location with control bytes could write fields of its own.
    pub fn redirect(self, status: Status, location: &str) -> Result<Replied, EncodeError> {
        Ok(self.status(status).field("Location", location)?.empty())
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
        let desk = self.desk;
        let (head, offer) = self.start(status);
        ReplyFields {
            head,
            status,
            length: None,
            content_type: String::new(),
            desk,
            offer,
            is_fixed: false,
        }
    }

    /// Where to write a reply that is no ordinary one.
    pub(super) fn into_out(self) -> &'r mut Vec<u8> {
        self.out
    }

    /// What bounds the memory for compression.
    #[cfg(feature = "deflate")]
    pub(super) fn deflate_ceiling(&self) -> &'r Arc<Ceiling> {
        self.desk.deflate
    }

    /// The value of its Date field.
    pub(super) fn date(&self) -> &[u8] {
        self.date.as_bytes()
    }

    /// Whether the request was HEAD, so that no content follows.
    pub(super) fn is_head_only(&self) -> bool {
        self.to.head_only
    }

    #[inline]
    pub(super) fn start(self, status: Status) -> (ReplyHead<'r>, Offer<'r>) {
        (
            answer::start(self.out, self.date, self.to, status),
            self.offer,
        )
    }
}

/// A reply whose status is said.
#[derive(Debug)]
#[must_use = "a request must be answered"]
pub struct ReplyFields<'r> {
    head: ReplyHead<'r>,
    status: Status,
    length: Option<u64>,
    /// What a streamed body is.
    content_type: String,
    desk: Desk<'r>,
    offer: Offer<'r>,
    /// The fields say that the content must stay as it is.
    is_fixed: bool,
}

impl ReplyFields<'_> {
    /// Adds a field.
    ///
    /// # Errors
    /// A name that is no token, a value with a control byte, or a field that follows from the reply itself
    /// (`Content-Length`, `Transfer-Encoding`, `Connection: close`). Then nothing of the reply is sent.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, EncodeError> {
        let value = value.as_ref();
        self.head.field(name, value)?;
        if name.eq_ignore_ascii_case("content-type") {
            self.content_type = String::from_utf8_lossy(value).into_owned();
        }
        self.is_fixed |= fixes_content(name, value);
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
        let offer = if self.is_fixed {
            Offer::none()
        } else {
            self.offer
        };
        Replied(encoded(
            self.status,
            self.head,
            content_type,
            content,
            offer,
        ))
    }

    /// Ends the reply without content.
    pub fn empty(self) -> Replied {
        Replied(encoded(self.status, self.head, "", b"", Offer::none()))
    }

    /// Declares how many bytes [`stream`](Self::stream) or [`channel`](Self::channel) will bring. Without it an HTTP/1.1
    /// peer gets chunks, and an HTTP/1.0 peer a body that ends with the connection. More or fewer bytes cut the connection.
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// Ends the reply with a body that is produced while the peer reads it. A peer that does not read stops the source.
    /// The connection's further requests wait. A HEAD gets the head alone, and the source is not asked.
    pub fn stream(self, source: impl Source + 'static) -> Replied {
        self.produce(Box::new(source))
    }

    /// Ends the reply with a body that other threads send.
    pub fn channel(self) -> (Replied, BodySender) {
        let (sender, receiver) = body_sender::channel(self.desk.wake());
        (self.produce(Box::new(receiver)), sender)
    }

    fn produce(self, source: Box<dyn Source>) -> Replied {
        let offer = if self.is_fixed || self.length.is_some() {
            Offer::none()
        } else {
            self.offer
        };
        let body = Streamed {
            content_type: &self.content_type,
            length: self.length,
            source,
        };
        Replied(begin(self.head, self.status, body, offer))
    }
}

/// Checks a field as a reply's head does, and writes it.
pub(super) fn encode_handshake_field(
    out: &mut Vec<u8>,
    name: &str,
    value: &[u8],
) -> Result<(), EncodeError> {
    const OF_THE_HANDSHAKE: [&str; 5] = [
        "connection",
        "upgrade",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
    ];
    if OF_THE_HANDSHAKE
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
    {
        return Err(EncodeError::Reserved);
    }
    // The encoder is the one judge of what may stand in a field.
    ReplyHead::new(&mut Vec::new(), ReplyTo::CLOSING, Status::OK).field(name, value)?;
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}
