//! The head of a request: request line and fields, checked as a whole (RFC 9112 §3 and §5).
//!
//! ```text
//!   Reading (offsets, while bytes may still be missing)  ──►  Head<'b> (slices of the complete head)
//! ```
//!
//! It does not know how the bytes arrived, and it keeps none of them.
#![forbid(unsafe_code)]

use super::authority::{Authority, Port};
use super::fields::Fields;
use super::framing::{Framing, Notes};
use super::line::{self, RequestLine};
use super::{Error, HeadLimits, Method, ReplyTo, Target};

/// The protocol version of a message. Higher minor versions of HTTP/1 are read as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A checked request head. All slices point into the bytes that were lent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head<'b> {
    /// What is asked for.
    pub method: Method<'b>,
    /// What it is asked of. Its form fits the method.
    pub target: Target<'b>,
    /// The version of the request.
    pub version: Version,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the connection may stay open after the reply (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// Whether the peer waits for `100 Continue` before it sends its content (RFC 9110 §10.1.1). False without content.
    pub expect_continue: bool,
    /// Whether the peer asks for another protocol: Connection lists `upgrade` and Upgrade names one (RFC 9110 §7.8).
    pub upgrade: bool,
    /// Whether there is If-Match or If-None-Match, which concern a resource even if it has no validators
    /// (RFC 9110 §13.1.1, §13.1.2): ask [`evaluate`](super::evaluate) then.
    pub has_tag_precondition: bool,
    /// The host and port that the request is for: the authority of the target if it has one, else the value of Host.
    /// Empty only in HTTP/1.0, where Host may be absent or empty (RFC 9112 §3.3).
    pub host: &'b [u8],
    /// The field lines.
    pub fields: Fields<'b>,
    /// The whole head with its blank line, as [`Head::parse`] takes it.
    pub raw: &'b [u8],
}

impl<'b> Head<'b> {
    /// Reads exactly one complete head, from its method to its blank line.
    ///
    /// For bytes that a [`Decoder`](super::Decoder) accepted and that were stored meanwhile; hence without limits.
    ///
    /// ```
    /// use longshore::http::{Framing, Head, Method};
    /// let head = Head::parse(b"POST /items?new HTTP/1.1\r\nHost: a:8080\r\nContent-Length: 3\r\n\r\n")?;
    /// assert_eq!((head.method, head.target.path(), head.framing), (Method::Post, &b"/items"[..], Framing::Length(3)));
    /// assert!(head.keep_alive);
    /// # Ok::<(), longshore::http::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotOneHead`] for less or more than one head, otherwise the first fault of the head.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut reading = Reading::START;
        match reading.read(bytes, &HeadLimits::NONE)? {
            Some(end) if end == bytes.len() => reading.finish(bytes),
            _ => Err(Error::NotOneHead),
        }
    }

    /// Whether a body follows that has at least one byte, as far as the head can say.
    #[inline]
    pub const fn has_body(&self) -> bool {
        !matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// What an encoder must know of this request to answer it.
    #[inline]
    pub const fn reply_to(&self) -> ReplyTo {
        ReplyTo {
            head_only: matches!(self.method, Method::Head),
            connect: matches!(self.method, Method::Connect),
            version: self.version,
            keep_alive: self.keep_alive,
        }
    }
}

/// A position in a head: the first line that was not checked, and how many lines precede it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) lines: u32,
}

impl Place {
    pub(super) const START: Self = Self { line: 0, lines: 0 };
}

/// What one pass over a head has found so far, as offsets.
pub(crate) struct Reading {
    pub(super) place: Place,
    pub(super) request: RequestLine,
    pub(super) notes: Notes,
}

impl Reading {
    /// Before the first line.
    pub(crate) const START: Self = Self::at(Place::START);

    /// Starts at the line that `place` says. Behind lines that an earlier pass has checked only faults and the end are
    /// found: what those lines said is not known here.
    #[inline]
    pub(super) const fn at(place: Place) -> Self {
        Self {
            place,
            request: RequestLine::UNREAD,
            notes: Notes::new(),
        }
    }

    /// The first line that is not known to be valid.
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// Checks line after line and returns where the head ends, or `None` if the bytes end before it.
    ///
    /// # Errors
    /// The first fault of a line; `place` then says which line it is.
    #[inline]
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, Error> {
        if self.place.lines == 0 {
            let Some(request) = line::request(bytes, limits.target_bytes_max)? else {
                return Ok(None);
            };
            self.place = Place {
                line: request.next,
                lines: 1,
            };
            self.request = request;
        }
        let mut start = self.place.line as usize;
        let mut lines = self.place.lines;
        let fields_max = u32::from(limits.fields_max);
        let end = loop {
            if let None | Some(b'\r') = bytes.get(start) {
                break blank_line(bytes, start);
            }
            if lines > fields_max {
                break Err(Error::TooManyFields);
            }
            match line::field(bytes, start) {
                Ok(Some(field)) => {
                    let (name, value) = (
                        &bytes[start..field.name_end],
                        &bytes[field.value_start..field.value_end],
                    );
                    self.notes.take(name, value, field.value_start);
                    start = field.next;
                    lines += 1;
                }
                Ok(None) => break Ok(None),
                Err(error) => break Err(error),
            }
        };
        self.place = Place {
            line: start as u32,
            lines,
        };
        end
    }

    /// Whether all of a usual request is known to be right: one plain Host line in HTTP/1.1, and nothing else that says
    /// anything of body or connection.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.notes.are_plain() && self.request.version == Version::Http11
    }

    /// The head of such a request. `raw` is what was read.
    #[inline(always)]
    pub(crate) fn plain<'b>(&self, raw: &'b [u8]) -> Head<'b> {
        let (method, target, fields) = self.request.parts(raw);
        debug_assert!(
            self.is_plain() && target.authority().is_none(),
            "whatever else there is has to be judged"
        );
        let host = &raw[self.notes.host.0 as usize..self.notes.host.1 as usize];
        Head {
            method,
            target,
            version: Version::Http11,
            framing: Framing::None,
            keep_alive: true,
            expect_continue: false,
            upgrade: false,
            has_tag_precondition: false,
            host,
            fields,
            raw,
        }
    }

    /// Judges the head as a whole and turns offsets into slices of `raw`, which is what was read.
    ///
    /// # Errors
    /// Contradictions between lines: framing, Host, expectations.
    pub(super) fn finish<'b>(&self, raw: &'b [u8]) -> Result<Head<'b>, Error> {
        let request = &self.request;
        if request.next == 0 {
            return Err(Error::NotOneHead);
        }
        let (version, notes) = (request.version, &self.notes);
        let (method, target, fields) = request.parts(raw);
        let framing = notes.framing(version)?;
        let keep_alive = notes.keep_alive(version);
        notes.host_count(version)?;
        let host = &raw[notes.host.0 as usize..notes.host.1 as usize];
        if !notes.host_is_plain && !valid_host(host) {
            return Err(Error::InvalidHost);
        }
        let host = target.authority().unwrap_or(host);
        if host.is_empty() && version == Version::Http11 {
            return Err(Error::EmptyHost);
        }
        let has_body = !matches!(framing, Framing::None | Framing::Length(0));
        if has_body && method == Method::Trace {
            return Err(Error::ContentInTrace);
        }
        Ok(Head {
            method,
            target,
            version,
            framing,
            keep_alive,
            expect_continue: notes.expects_continue(version)? && has_body,
            upgrade: notes.upgrades(version),
            has_tag_precondition: notes.has_tag_precondition(),
            host,
            fields,
            raw,
        })
    }
}

/// The end of the head whose blank line starts at `start`, or `None` if that line is unfinished.
fn blank_line(bytes: &[u8], start: usize) -> Result<Option<usize>, Error> {
    match bytes.get(start..) {
        Some([b'\r', b'\n', ..]) => Ok(Some(start + 2)),
        Some([b'\r', _, ..]) => Err(Error::BareCr),
        _ => Ok(None),
    }
}

/// RFC 9112 §3.2: an empty Host is well-formed, as a client sends it whose target has no authority. A port alone is no
/// host.
fn valid_host(host: &[u8]) -> bool {
    match Authority::parse(host) {
        Some(Authority { host: [], port }) => port == Port::Absent,
        Some(_) => true,
        None => false,
    }
}
