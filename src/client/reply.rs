//! Replies out of a stream of bytes, one whole unit at a time: what a client of plain HTTP reads.
//!
//! ```text
//!   expect(GET) ──▶ Interim* ──▶ Head ─┬─ none ──────────────────▶ End      1xx, 204, 304, and whatever answers HEAD
//!                                      ├─ chunks, Body pieces ───▶ End
//!                                      ├─ Content-Length, pieces ▶ End
//!                                      └─ pieces to the FIN ─────▶ ended()
//! ```
//!
//! Where a reply's body ends is decided once, by the list of RFC 9112 §6.3, and what that list calls an error is one: the
//! bytes behind a body that two readers measure differently would be somebody else's reply. It knows no socket, no time,
//! and follows no redirect.

use core::fmt;

use super::HeadError;
use super::head::{HEAD_BYTES_MAX, ReplyHead, head_end};
use crate::buf::Input;
use crate::http::{self, BodyDecoder, BodyEvent, HeadLimits};

/// Why a reply cannot be read. The connection is of no more use then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyFault {
    /// Its head is malformed or too long.
    Head(HeadError),
    /// Its chunks are malformed, or its body is longer than the limit.
    Body(http::Error),
    /// It has both Transfer-Encoding and Content-Length, which is how replies are smuggled (RFC 9112 §6.3).
    TwoLengths,
    /// Its Content-Length is no number, or there are several that differ.
    ContentLength,
    /// Its Transfer-Encoding is another than `chunked`.
    TransferEncoding,
    /// The server switched to another protocol, and nobody had asked.
    Switched,
    /// The connection ended inside of it.
    Truncated,
    /// There are bytes, and no reply is awaited.
    Unasked,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(error) => return error.fmt(f),
            Self::Body(http::Error::BodyTooLarge) => "its body is longer than the limit",
            Self::Body(error) => return write!(f, "its body is malformed: {error}"),
            Self::TwoLengths => "it has both Transfer-Encoding and Content-Length",
            Self::ContentLength => "its Content-Length is no number, or there are two",
            Self::TransferEncoding => "its Transfer-Encoding is another than chunked",
            Self::Switched => "it switches to another protocol, unasked",
            Self::Truncated => "the connection ended inside of it",
            Self::Unasked => "bytes came that answer no request",
        })
    }
}

impl core::error::Error for ReplyFault {}

impl From<HeadError> for ReplyFault {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

/// A unit of a reply.
#[derive(Debug)]
pub enum ReplyEvent<'b> {
    /// The head of an interim reply (1xx); the final one follows (RFC 9110 §15.2).
    Interim(ReplyHead<'b>),
    /// The final head.
    Head(ReplyHead<'b>),
    /// A piece of the body, never empty; the coding of chunks is gone from it, and no other is.
    Body(&'b [u8]),
    /// The reply is complete. Also follows a head without a body.
    End,
}

/// The client's side of an HTTP/1.1 connection, as far as reading goes.
///
/// Say with [`expect`](Self::expect) what the next reply answers, feed it with [`next`](Self::next) until that returns
/// `None`, keep what is left unread, and offer it again in front of what comes. When the server closes, ask
/// [`ended`](Self::ended) what that means.
///
/// ```
/// use longshore::buf::Input;
/// use longshore::client::{ReplyDecoder, ReplyEvent};
/// use longshore::http::HeadLimits;
///
/// let mut bytes = *b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nahoy\r\n0\r\n\r\n";
/// let mut input = Input::new(&mut bytes);
/// let mut decoder = ReplyDecoder::new(HeadLimits::default());
/// decoder.expect("GET");
///
/// let Some(ReplyEvent::Head(head)) = decoder.next(&mut input)? else { panic!() };
/// assert_eq!(head.status(), 200);
/// let Some(ReplyEvent::Body(piece)) = decoder.next(&mut input)? else { panic!() };
/// assert_eq!(piece, b"ahoy");
/// assert!(matches!(decoder.next(&mut input)?, Some(ReplyEvent::End)));
/// assert!(decoder.keeps_alive());
/// # Ok::<(), longshore::client::ReplyFault>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReplyDecoder {
    limits: HeadLimits,
    state: State,
    keeps_alive: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// No reply is awaited.
    Idle,
    /// Inside a head, of which the lines before `seen` were searched for its end; `interim_bytes` of heads went before.
    Head {
        to_head: bool,
        seen: usize,
        interim_bytes: usize,
    },
    /// A body that says where it ends.
    Body(BodyDecoder),
    /// A body that ends with the connection, `left` bytes of which may still come.
    ToTheEnd { left: u64 },
    /// Refused; nothing behind a fault is read.
    Failed(ReplyFault),
}

impl ReplyDecoder {
    /// Starts before the first reply of a connection. Of `limits`, those of targets and heads have no use here: a head has
    /// at most 16 KiB and 100 fields, the interim ones before it included.
    pub const fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            state: State::Idle,
            keeps_alive: true,
        }
    }

    /// Awaits the reply to a request with this method, which decides whether it has a body. Call it once for each, in the
    /// order of the requests, when the one before has ended.
    pub fn expect(&mut self, method: &str) {
        debug_assert!(matches!(self.state, State::Idle | State::Failed(_)));
        if let State::Idle = self.state {
            self.state = State::Head {
                to_head: method == "HEAD",
                seen: 0,
                interim_bytes: 0,
            };
        }
    }

    /// Reads the next unit. `None` needs more bytes than `input` holds; what is unread must be offered again.
    ///
    /// # Errors
    /// [`ReplyFault`]; every later call returns it again and reads nothing.
    pub fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
    ) -> Result<Option<ReplyEvent<'b>>, ReplyFault> {
        let read = match &mut self.state {
            State::Idle if input.is_empty() => Ok(None),
            State::Idle => Err(ReplyFault::Unasked),
            State::Head { .. } => self.head(input),
            State::Body(body) => match body.next(input, &self.limits) {
                Ok(Some(BodyEvent::Piece(piece))) => Ok(Some(ReplyEvent::Body(piece))),
                Ok(Some(BodyEvent::End)) => {
                    self.state = State::Idle;
                    Ok(Some(ReplyEvent::End))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(ReplyFault::Body(error)),
            },
            State::ToTheEnd { left } => to_the_end(left, input),
            State::Failed(fault) => Err(*fault),
        };
        if let Err(fault) = &read {
            self.state = State::Failed(*fault);
        }
        read
    }

    /// What it means that the server closed its side here, behind all units that were there.
    ///
    /// True: it ended a body that had no other end. False: it came between replies.
    ///
    /// # Errors
    /// [`ReplyFault::Truncated`]: a reply is awaited, or is not complete.
    pub fn ended(&mut self) -> Result<bool, ReplyFault> {
        match self.state {
            State::Idle => Ok(false),
            State::ToTheEnd { .. } => {
                self.state = State::Idle;
                Ok(true)
            }
            State::Head { .. } | State::Body(_) => Err(ReplyFault::Truncated),
            State::Failed(fault) => Err(fault),
        }
    }

    /// Whether the connection can be used for another request behind the reply whose head came last (RFC 9112 §9.3).
    pub const fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    fn head<'b>(&mut self, input: &mut Input<'b>) -> Result<Option<ReplyEvent<'b>>, ReplyFault> {
        let State::Head {
            to_head,
            seen,
            interim_bytes,
        } = &mut self.state
        else {
            return Ok(None);
        };
        let end = if input.is_empty() {
            None
        } else {
            head_end(input.unread(), seen)?
        };
        if *interim_bytes + end.unwrap_or(input.len()) > HEAD_BYTES_MAX {
            return Err(HeadError::TooLong.into());
        }
        let Some(end) = end else { return Ok(None) };
        let head = ReplyHead::parse(input.take(end))?;
        match head.status {
            101 => return Err(ReplyFault::Switched),
            100..=199 => {
                *interim_bytes += end;
                *seen = 0;
                return Ok(Some(ReplyEvent::Interim(head)));
            }
            _ => {}
        }
        let framing = framing(&head, *to_head)?;
        self.keeps_alive = framing != Framing::ToTheEnd && persists(&head);
        self.state = match framing {
            Framing::Length(bytes) if bytes > self.limits.body_bytes_max => {
                return Err(ReplyFault::Body(http::Error::BodyTooLarge));
            }
            Framing::Length(bytes) => State::Body(BodyDecoder::of_length(bytes)),
            Framing::Chunked => State::Body(BodyDecoder::chunked()),
            Framing::ToTheEnd => State::ToTheEnd {
                left: self.limits.body_bytes_max,
            },
        };
        Ok(Some(ReplyEvent::Head(head)))
    }
}

fn to_the_end<'b>(
    left: &mut u64,
    input: &mut Input<'b>,
) -> Result<Option<ReplyEvent<'b>>, ReplyFault> {
    let Some(after) = left.checked_sub(input.len() as u64) else {
        return Err(ReplyFault::Body(http::Error::BodyTooLarge));
    };
    *left = after;
    Ok((!input.is_empty()).then(|| ReplyEvent::Body(input.take_all())))
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    ToTheEnd,
}

/// RFC 9112 §6.3, in the order of its list; its second rule is about CONNECT, which this client does not send.
fn framing(head: &ReplyHead<'_>, to_head: bool) -> Result<Framing, ReplyFault> {
    let mut codings = head.values("Transfer-Encoding");
    let mut lengths = head.values("Content-Length");
    let (coding, length) = (codings.next(), lengths.next());
    // 1.
    if to_head || matches!(head.status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    match (coding, length) {
        // 3.
        (Some(_), Some(_)) => Err(ReplyFault::TwoLengths),
        // 4. In HTTP/1.0 there was no such field (§6.1).
        (Some(coding), None) => {
            let chunked = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
            if chunked && head.minor >= 1 {
                Ok(Framing::Chunked)
            } else {
                Err(ReplyFault::TransferEncoding)
            }
        }
        // 5. and 6.
        (None, Some(length)) => {
            if lengths.any(|other| other != length) {
                return Err(ReplyFault::ContentLength);
            }
            number(length).map(Framing::Length)
        }
        // 8.
        (None, None) => Ok(Framing::ToTheEnd),
    }
}

fn number(text: &[u8]) -> Result<u64, ReplyFault> {
    // `parse` would also take a sign.
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(text).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok())
        .ok_or(ReplyFault::ContentLength)
}

/// RFC 9112 §9.3, the list of its second paragraph.
fn persists(head: &ReplyHead<'_>) -> bool {
    let says = |option: &[u8]| {
        head.values("Connection")
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|one| one.trim_ascii().eq_ignore_ascii_case(option))
    };
    !says(b"close") && (head.minor >= 1 || says(b"keep-alive"))
}
