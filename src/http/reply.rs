//! Replies: the status line, the fields, and the one place that decides how a reply's body is delimited.
//!
//! ```text
//!   status line │ fields as they are said … │ length or coding │ Connection │ empty line
//!   └ constant    └ checked, copied           └──── written by `finish`, from reply_framing() ──┘
//! ```
//!
//! It does not know the body's bytes, sockets, or the exchange: [`ReplyTo`] is all that a reply depends on.
#![forbid(unsafe_code)]

use super::date::DateCache;
use super::fields::{Members, is_token};
use super::{EncodeError, Status, Version, scan};

/// What a reply must know of the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The method is HEAD: the reply describes a body and sends none (RFC 9110 §9.3.2).
    pub head_only: bool,
    /// The method is CONNECT: a success starts a tunnel instead of a body (RFC 9110 §9.3.6).
    pub connect: bool,
    /// The version of the request. Replies themselves always say HTTP/1.1 (RFC 9110 §6.2).
    pub version: Version,
    /// Whether the connection stays open after the reply. Clear it to close, for whatever reason.
    pub keep_alive: bool,
}

impl ReplyTo {
    /// For a request that could not be understood: an HTTP/1.1 reply after which the connection closes.
    pub const CLOSING: Self = Self {
        head_only: false,
        connect: false,
        version: Version::Http11,
        keep_alive: false,
    };
}

/// The bytes that follow a reply's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// None, whatever the fields say.
    None,
    /// Exactly this many.
    Length(u64),
    /// Chunks: see [`encode_chunk`](super::encode_chunk) and [`encode_last_chunk`](super::encode_last_chunk).
    Chunked,
    /// Any number, ended by closing the connection.
    UntilClose,
}

/// The field that announces the body of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthField {
    /// Neither Content-Length nor Transfer-Encoding.
    None,
    /// Content-Length.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// How one reply is delimited; the answer of [`reply_framing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyFraming {
    /// What the head says about the body.
    pub field: LengthField,
    /// What the sender must send behind the head.
    pub body: ReplyBody,
    /// Whether the connection stays open behind the body.
    pub keep_alive: bool,
}

/// Decides how a reply is delimited (RFC 9110 §6.4.1 and §8.6, RFC 9112 §6). `size` in bytes, `None` if not known yet.
///
/// ```
/// use longshore::http::{LengthField, ReplyBody, ReplyTo, Status, reply_framing};
/// let to_head = ReplyTo { head_only: true, keep_alive: true, ..ReplyTo::CLOSING };
/// let framing = reply_framing(to_head, Status::OK, Some(5));
/// assert_eq!((framing.field, framing.body), (LengthField::Length(5), ReplyBody::None));
/// let framing = reply_framing(to_head, Status::NO_CONTENT, Some(5));
/// assert_eq!((framing.field, framing.body), (LengthField::None, ReplyBody::None));
/// ```
#[inline]
pub const fn reply_framing(to: ReplyTo, status: Status, size: Option<u64>) -> ReplyFraming {
    let keep_alive = to.keep_alive;
    if announces_nothing(to, status) {
        return ReplyFraming {
            field: LengthField::None,
            body: ReplyBody::None,
            keep_alive,
        };
    }
    let (field, body) = match (size, to.version) {
        // RFC 9110 §15.3.6: 205 has no content, and says so.
        _ if status.code() == 205 => (LengthField::Length(0), ReplyBody::None),
        (Some(0), _) => (LengthField::Length(0), ReplyBody::None),
        (Some(size), _) => (LengthField::Length(size), ReplyBody::Length(size)),
        (None, Version::Http11) => (LengthField::Chunked, ReplyBody::Chunked),
        // RFC 9112 §6.1: an HTTP/1.0 peer knows no transfer coding.
        (None, Version::Http10) => (LengthField::None, ReplyBody::UntilClose),
    };
    let body = if to.head_only { ReplyBody::None } else { body };
    ReplyFraming {
        field,
        body,
        keep_alive: keep_alive && !matches!(body, ReplyBody::UntilClose),
    }
}

/// Replies that carry neither content nor a field about it: RFC 9110 §8.6, §15.4.5 and §9.3.6.
const fn announces_nothing(to: ReplyTo, status: Status) -> bool {
    let tunnel = to.connect && status.is_success();
    status.is_interim() || matches!(status.code(), 204 | 304) || tunnel
}

/// Writes the head of one reply behind whatever `out` holds.
///
/// Content-Length, Transfer-Encoding and Connection are written by [`finish`](Self::finish), so they cannot contradict
/// each other or the status. A head that is dropped unfinished leaves `out` as it was.
///
/// ```
/// use longshore::http::{DateCache, ReplyHead, ReplyTo, Status};
/// let (mut out, to) = (Vec::new(), ReplyTo { keep_alive: true, ..ReplyTo::CLOSING });
/// let mut head = ReplyHead::new(&mut out, to, Status::OK);
/// head.field("Content-Type", "text/plain")?.content_length(2);
/// head.finish();
/// out.extend_from_slice(b"ok");
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");
/// # Ok::<(), longshore::http::EncodeError>(())
/// ```
#[derive(Debug)]
#[must_use = "a head that is not finished is taken back"]
pub struct ReplyHead<'o> {
    out: &'o mut Vec<u8>,
    to: ReplyTo,
    status: Status,
    size: Option<u64>,
    /// Where to cut `out` if the head is dropped.
    rollback: usize,
}

impl<'o> ReplyHead<'o> {
    /// Writes the status line. Until it is told otherwise the head announces an empty body.
    #[inline]
    pub fn new(out: &'o mut Vec<u8>, to: ReplyTo, status: Status) -> Self {
        let rollback = out.len();
        if let Some(line) = status.line() {
            out.extend_from_slice(line);
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            append_number(out, u64::from(status.code()));
            out.extend_from_slice(b" \r\n");
        }
        Self {
            out,
            to,
            status,
            size: Some(0),
            rollback,
        }
    }

    /// Writes a field line, or nothing of it.
    ///
    /// # Errors
    /// A name that is no token, a value with a control byte (CR and LF would let a value write fields of its own), and
    /// names that [`finish`](Self::finish) writes. `Connection` may list anything but `close` and `keep-alive`.
    #[inline]
    pub fn field(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<&mut Self, EncodeError> {
        let (name, value) = (name.as_ref(), value.as_ref());
        if reserved(name, value) {
            return Err(EncodeError::Reserved);
        }
        append_field(self.out, name, value)?;
        Ok(self)
    }

    /// Writes a field line that is part of the program, line end included, without checking it again.
    ///
    /// ```
    /// use longshore::http::{ReplyHead, ReplyTo, Status};
    /// let mut out = Vec::new();
    /// ReplyHead::new(&mut out, ReplyTo::CLOSING, Status::OK).constant("Server: longshore\r\n").finish_with(b"");
    /// ```
    #[inline]
    pub fn constant(self, line: &'static str) -> Self {
        debug_assert!(
            is_constant_line(line),
            "one well-formed field line: {line:?}"
        );
        self.out.extend_from_slice(line.as_bytes());
        self
    }

    /// Writes the Date field, which every reply of a server with a clock has (RFC 9110 §6.6.1).
    #[inline]
    pub fn date(&mut self, date: &DateCache) -> &mut Self {
        self.out.extend_from_slice(date.line());
        self
    }

    /// The body has this many bytes. Nothing is written where the status forbids it.
    #[inline]
    pub const fn content_length(&mut self, bytes: u64) -> &mut Self {
        self.size = Some(bytes);
        self
    }

    /// The body has a length that is not known yet: chunks, or for an HTTP/1.0 peer bytes until the connection closes.
    #[inline]
    pub const fn chunked(&mut self) -> &mut Self {
        self.size = None;
        self
    }

    /// Writes what follows from the request, the status and the body, and the empty line.
    ///
    /// Returns what the sender must do behind the head.
    #[inline]
    pub fn finish(mut self) -> ReplyFraming {
        let framing = self.write_end();
        self.rollback = self.out.len();
        framing
    }

    /// Announces `body`, finishes the head, and writes the body behind it where the request and the status allow one.
    ///
    /// ```
    /// use longshore::http::{ReplyHead, ReplyTo, Status};
    /// let (mut out, to) = (Vec::new(), ReplyTo { keep_alive: true, ..ReplyTo::CLOSING });
    /// ReplyHead::new(&mut out, to, Status::OK).finish_with(b"ok");
    /// assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    /// ```
    #[inline(always)]
    pub fn finish_with(mut self, body: &[u8]) -> ReplyFraming {
        self.size = Some(body.len() as u64);
        let framing = self.write_end();
        if let ReplyBody::Length(_) = framing.body {
            self.out.extend_from_slice(body);
        }
        self.rollback = self.out.len();
        framing
    }

    #[inline(always)]
    fn write_end(&mut self) -> ReplyFraming {
        // Most replies: 200 with content, to a 1.1 peer that stays.
        const USUAL: ReplyTo = ReplyTo {
            keep_alive: true,
            ..ReplyTo::CLOSING
        };
        match self.size {
            Some(bytes @ 1..) if self.status.code() == 200 && self.to == USUAL => {
                self.out.extend_from_slice(b"Content-Length: ");
                append_number(self.out, bytes);
                self.out.extend_from_slice(b"\r\n\r\n");
                ReplyFraming {
                    field: LengthField::Length(bytes),
                    body: ReplyBody::Length(bytes),
                    keep_alive: true,
                }
            }
            _ => self.write_other_end(),
        }
    }

    fn write_other_end(&mut self) -> ReplyFraming {
        let framing = reply_framing(self.to, self.status, self.size);
        match framing.field {
            LengthField::None => {}
            LengthField::Length(bytes) => {
                self.out.extend_from_slice(b"Content-Length: ");
                append_number(self.out, bytes);
                self.out.extend_from_slice(b"\r\n");
            }
            LengthField::Chunked => self
                .out
                .extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        // An interim reply says nothing about the end of the exchange, and a tunnel has no next one.
        let tunnel = self.to.connect && self.status.is_success();
        let connection: &[u8] = match (framing.keep_alive, self.to.version) {
            _ if self.status.is_interim() || tunnel => b"\r\n",
            (false, _) => b"Connection: close\r\n\r\n",
            (true, Version::Http10) => b"Connection: keep-alive\r\n\r\n",
            (true, Version::Http11) => b"\r\n",
        };
        self.out.extend_from_slice(connection);
        framing
    }
}

/// Whether [`ReplyHead::field`] would write exactly this line.
fn is_constant_line(line: &str) -> bool {
    let mut written = Vec::new();
    let field = line
        .strip_suffix("\r\n")
        .and_then(|line| line.split_once(": "));
    field.is_some_and(|(name, value)| {
        let allowed = !reserved(name.as_bytes(), value.as_bytes());
        allowed
            && append_field(&mut written, name.as_bytes(), value.as_bytes()).is_ok()
            && written == line.as_bytes()
    })
}

impl Drop for ReplyHead<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.rollback);
    }
}

/// Writes a whole reply that refuses a request: one sentence of plain text, then the connection closes.
///
/// `reason` becomes the body; it may be any text, but should not repeat the peer's bytes. A HEAD gets the head alone.
/// Statuses that require a field of their own (401 and 405, for example) need a [`ReplyHead`] instead.
///
/// ```
/// use longshore::http::{DateCache, Error, ReplyTo, encode_error};
/// let (mut out, error) = (Vec::new(), Error::MissingHost);
/// encode_error(&mut out, ReplyTo::CLOSING, error.status(), error.reason(), &DateCache::new());
/// assert!(out.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
/// assert!(out.ends_with(b"Connection: close\r\n\r\nAn HTTP/1.1 request needs a Host field.\n"));
/// ```
pub fn encode_error(
    out: &mut Vec<u8>,
    to: ReplyTo,
    status: Status,
    reason: &str,
    date: &DateCache,
) {
    let to = ReplyTo {
        keep_alive: false,
        ..to
    };
    let mut head = ReplyHead::new(out, to, status);
    head.date(date);
    head.out
        .extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    head.content_length(reason.len() as u64 + 1);
    if let ReplyBody::Length(_) = head.finish().body {
        out.extend_from_slice(reason.as_bytes());
        out.push(b'\n');
    }
}

/// Fields that only the encoder writes.
#[inline]
fn reserved(name: &[u8], value: &[u8]) -> bool {
    match name.len() {
        10 if name.eq_ignore_ascii_case(b"connection") => Members::of(value).any(|option| {
            option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive")
        }),
        14 => name.eq_ignore_ascii_case(b"content-length"),
        17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
        _ => false,
    }
}

/// Appends `name: value CRLF` if both are well-formed.
#[inline]
pub(super) fn append_field(
    out: &mut Vec<u8>,
    name: &[u8],
    value: &[u8],
) -> Result<(), EncodeError> {
    if !is_token(name) {
        return Err(EncodeError::InvalidName);
    }
    if scan::value_end(value, 0) != value.len() {
        return Err(EncodeError::InvalidValue);
    }
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[inline]
fn append_number(out: &mut Vec<u8>, number: u64) {
    if let 10..100 = number {
        let (tens, ones) = (number as u8 / 10, number as u8 % 10);
        out.extend_from_slice(&[b'0' + tens, b'0' + ones]);
        return;
    }
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
