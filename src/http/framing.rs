//! The few fields that decide where a message ends and what becomes of its connection.
//!
//! While a head is read, every field line is shown to [`Notes::take`], which looks at names of six lengths and keeps
//! what matters. When the head is complete, [`Notes::framing`] and its neighbours judge the notes as a whole. So a
//! line that is malformed in itself is always reported before a contradiction between lines, and the answer does not
//! depend on how the head arrived.
//!
//! It does not know targets and it walks no bytes twice.
#![forbid(unsafe_code)]

use super::fields::{Members, is_token};
use super::{Error, Version, class};

/// Where the body of a request ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has as many bytes as Content-Length says, which may be 0.
    Length(u64),
    /// The body is a series of chunks.
    Chunked,
}

const CLOSE: u8 = 1;
const KEEP_ALIVE: u8 = 1 << 1;
const CONNECTION_UPGRADE: u8 = 1 << 2;
const UPGRADE: u8 = 1 << 3;
const EXPECT_CONTINUE: u8 = 1 << 4;
const EXPECT_OTHER: u8 = 1 << 5;
const PRECONDITION: u8 = 1 << 6;

/// What is known of the transfer codings, over all lines of that field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codings {
    /// No line.
    Absent,
    /// Lines without a member.
    Empty,
    /// `chunked` alone.
    Chunked,
    /// Other codings, then `chunked`.
    UnknownThenChunked,
    /// Other codings, and no `chunked` yet.
    Open,
    /// A member that is no coding, `chunked` with parameters, or anything behind `chunked`.
    Malformed,
}

/// What the fields of one head said about framing and connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notes {
    length: Option<u64>,
    /// The first fault of a Content-Length line.
    length_fault: Option<Error>,
    codings: Codings,
    flags: u8,
    hosts: u8,
    /// Where the value of the first Host line lies.
    pub(super) host: (u32, u32),
    /// Whether that value is known to be a name with an optional port.
    pub(super) host_is_plain: bool,
    /// Whether a field other than Host mattered.
    others: bool,
}

impl Notes {
    pub(super) const fn new() -> Self {
        Self {
            length: None,
            length_fault: None,
            codings: Codings::Absent,
            flags: 0,
            hosts: 0,
            host: (0, 0),
            host_is_plain: false,
            others: false,
        }
    }

    /// Notes a field line if it matters. `value_start` is where the value lies in the head.
    #[inline(always)]
    pub(super) fn take(&mut self, name: &[u8], value: &[u8], value_start: usize) {
        // The length and the first letter sort out nearly every other field for the price of one comparison.
        match (name.len(), name[0] | 0x20) {
            (4, b'h') if class::spells(name, b"host") => {
                self.host(value_start, value.len(), false);
                return;
            }
            (6, b'e') if class::spells(name, b"expect") => self.expect(value),
            (7, b'u') if class::spells(name, b"upgrade") => self.upgrade(value),
            (8, b'i') if class::spells(name, b"if-match") => self.flags |= PRECONDITION,
            (13, b'i') if class::spells(name, b"if-none-match") => self.flags |= PRECONDITION,
            (10, b'c') if class::spells(name, b"connection") => self.connection(value),
            (14, b'c') if class::spells(name, b"content-length") => {
                self.content_length(value);
            }
            (17, b't') if class::spells(name, b"transfer-encoding") => {
                self.transfer_encoding(value);
            }
            _ => return,
        }
        self.others = true;
    }

    /// Whether there is one Host line, known to be right, and nothing else that matters.
    #[inline]
    pub(super) const fn are_plain(&self) -> bool {
        self.host_is_plain && self.hosts == 1 && !self.others
    }

    /// Notes a Host line; `is_plain` if its value was found to be a name with an optional port.
    #[inline(always)]
    pub(super) fn host(&mut self, value_start: usize, value_bytes: usize, is_plain: bool) {
        if self.hosts == 0 {
            self.host = (value_start as u32, (value_start + value_bytes) as u32);
            self.host_is_plain = is_plain;
        }
        self.hosts = self.hosts.saturating_add(1);
    }

    fn connection(&mut self, value: &[u8]) {
        // Nearly every Connection line has one member, and it is this one.
        if class::spells(value, b"keep-alive") {
            self.flags |= KEEP_ALIVE;
            return;
        }
        for option in Members::of(value) {
            if class::spells(option, b"close") {
                self.flags |= CLOSE;
            } else if class::spells(option, b"keep-alive") {
                self.flags |= KEEP_ALIVE;
            } else if class::spells(option, b"upgrade") {
                self.flags |= CONNECTION_UPGRADE;
            }
        }
    }

    fn upgrade(&mut self, value: &[u8]) {
        if Members::of(value).next().is_some() {
            self.flags |= UPGRADE;
        }
    }

    fn expect(&mut self, value: &[u8]) {
        for expectation in Members::of(value) {
            let known = class::spells(expectation, b"100-continue");
            self.flags |= if known { EXPECT_CONTINUE } else { EXPECT_OTHER };
        }
    }

    /// RFC 9110 §8.6 permits to merge equal lengths; refusing them leaves nothing for two parsers to disagree about.
    fn content_length(&mut self, value: &[u8]) {
        let fault = match number(value) {
            _ if self.length.is_some() => Error::RepeatedContentLength,
            Ok(length) => {
                self.length = Some(length);
                return;
            }
            Err(fault) => fault,
        };
        self.length_fault.get_or_insert(fault);
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        if self.codings == Codings::Absent {
            self.codings = Codings::Empty;
        }
        for member in Members::of(value) {
            let coding = member
                .split(|&byte| byte == b';')
                .next()
                .unwrap_or_default()
                .trim_ascii_end();
            let chunked = class::spells(coding, b"chunked");
            self.codings = match self.codings {
                Codings::Malformed => Codings::Malformed,
                _ if !is_token(coding) => Codings::Malformed,
                // RFC 9112 §7: parameters of the chunked coding are an error.
                _ if chunked && coding.len() != member.len() => Codings::Malformed,
                // RFC 9112 §6.1: chunked is applied once, and last.
                Codings::Chunked | Codings::UnknownThenChunked => Codings::Malformed,
                Codings::Open if chunked => Codings::UnknownThenChunked,
                _ if chunked => Codings::Chunked,
                _ => Codings::Open,
            };
        }
    }

    /// Where the body ends, as the numbered list of RFC 9112 §6.3 decides it for a request.
    ///
    /// # Errors
    /// Those of Content-Length and Transfer-Encoding.
    #[inline]
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Error> {
        if let Some(fault) = self.length_fault {
            return Err(fault);
        }
        if self.codings == Codings::Absent {
            return Ok(self.length.map_or(Framing::None, Framing::Length));
        }
        // §6.1: framing is faulty even if the codings themselves are well-formed.
        if version == Version::Http10 {
            return Err(Error::TransferEncodingInOldVersion);
        }
        if self.length.is_some() {
            return Err(Error::LengthAndTransferEncoding);
        }
        match self.codings {
            Codings::Chunked => Ok(Framing::Chunked),
            Codings::UnknownThenChunked => Err(Error::UnknownTransferCoding),
            Codings::Open => Err(Error::NotFinallyChunked),
            Codings::Absent | Codings::Empty | Codings::Malformed => {
                Err(Error::InvalidTransferEncoding)
            }
        }
    }

    /// Whether the connection outlives this exchange if the server is willing (RFC 9112 §9.3).
    #[inline]
    pub(super) const fn keep_alive(&self, version: Version) -> bool {
        match version {
            _ if self.flags & CLOSE != 0 => false,
            Version::Http11 => true,
            Version::Http10 => self.flags & KEEP_ALIVE != 0,
        }
    }

    /// Whether the peer waits for 100 (Continue) before it sends its content (RFC 9110 §10.1.1).
    ///
    /// # Errors
    /// [`Error::UnknownExpectation`]. An HTTP/1.0 peer cannot expect anything.
    #[inline]
    pub(super) const fn expects_continue(&self, version: Version) -> Result<bool, Error> {
        match version {
            Version::Http10 => Ok(false),
            Version::Http11 if self.flags & EXPECT_OTHER != 0 => Err(Error::UnknownExpectation),
            Version::Http11 => Ok(self.flags & EXPECT_CONTINUE != 0),
        }
    }

    /// Whether there is If-Match or If-None-Match.
    #[inline]
    pub(super) const fn has_tag_precondition(&self) -> bool {
        self.flags & PRECONDITION != 0
    }

    /// Whether the peer asks for another protocol (RFC 9110 §7.8). HTTP/1.0 has no Upgrade.
    #[inline]
    pub(super) fn upgrades(&self, version: Version) -> bool {
        const BOTH: u8 = CONNECTION_UPGRADE | UPGRADE;
        version == Version::Http11 && self.flags & BOTH == BOTH
    }

    /// # Errors
    /// A missing Host in HTTP/1.1, a repeated one anywhere (RFC 9112 §3.2).
    #[inline]
    pub(super) const fn host_count(&self, version: Version) -> Result<(), Error> {
        match (self.hosts, version) {
            (0, Version::Http11) => Err(Error::MissingHost),
            (0 | 1, _) => Ok(()),
            _ => Err(Error::RepeatedHost),
        }
    }
}

/// `1*DIGIT` below 2^64 (RFC 9110 §8.6): no sign, no list, no space.
///
/// A longer number is well-formed, and still 400 instead of 413: nobody has that much to send, and what is behind it is
/// mostly a parser that is to lose its upper digits.
fn number(digits: &[u8]) -> Result<u64, Error> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::InvalidContentLength);
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    number.ok_or(Error::ContentLengthOverflow)
}
