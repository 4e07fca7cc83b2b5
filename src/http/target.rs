//! What a request is about: the target of its request line (RFC 9112 §3.2).
//!
//! ```text
//!   origin      /where?q=now                     every method but CONNECT
//!   absolute    http://example.org/where?q=now   the same, as a proxy is asked; its authority overrides Host
//!   authority   example.org:443                  CONNECT only
//!   asterisk    *                                OPTIONS only
//! ```
//!
//! The bytes are checked and split where they lie. Nothing is decoded: `%2e%2e` and `..` are the router's business.
#![forbid(unsafe_code)]

use super::authority::{Authority, Port};
use super::class::{self, TARGET};
use super::{Error, Method, scan};

/// Which of the four forms of RFC 9112 §3.2 a target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// A path with an optional query.
    Origin,
    /// A whole `http` or `https` URI.
    Absolute,
    /// A host with a port.
    Authority,
    /// `*`, the server itself.
    Asterisk,
}

/// A checked request target.
///
/// ```
/// use longshore::http::{Head, TargetForm};
/// let head = Head::parse(b"GET http://a.example?x=1 HTTP/1.1\r\nHost: b\r\n\r\n")?;
/// assert_eq!(head.target.form(), TargetForm::Absolute);
/// assert_eq!(head.target.path(), b"/");
/// assert_eq!(head.target.query(), Some(&b"x=1"[..]));
/// assert_eq!(head.host, b"a.example");
/// # Ok::<(), longshore::http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'b> {
    raw: &'b [u8],
    shape: Shape,
}

/// Where the parts of a target lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) form: TargetForm,
    path_start: u32,
    /// The `?`, or the end of the target.
    path_end: u32,
}

impl<'b> Target<'b> {
    pub(super) const fn new(raw: &'b [u8], shape: Shape) -> Self {
        Self { raw, shape }
    }

    /// The bytes as the peer sent them.
    #[inline]
    pub const fn raw(&self) -> &'b [u8] {
        self.raw
    }

    /// The form, which fits the method of the request.
    #[inline]
    pub const fn form(&self) -> TargetForm {
        self.shape.form
    }

    /// The path up to `?`, still percent-encoded.
    ///
    /// An absolute form without a path has the path `/` (RFC 9110 §4.2.3), the asterisk form has the path `*`, and the
    /// authority form has an empty one.
    #[inline]
    pub fn path(&self) -> &'b [u8] {
        match &self.raw[self.shape.path_start as usize..self.shape.path_end as usize] {
            [] if self.shape.form == TargetForm::Absolute => b"/",
            path => path,
        }
    }

    /// The bytes behind the first `?`, still percent-encoded; `None` without a `?`.
    #[inline]
    pub fn query(&self) -> Option<&'b [u8]> {
        self.raw.get(self.shape.path_end as usize + 1..)
    }

    /// The host and port of an absolute or authority form, which override Host (RFC 9112 §3.2.2 and §3.2.3).
    #[inline]
    pub fn authority(&self) -> Option<&'b [u8]> {
        match self.shape.form {
            TargetForm::Absolute => {
                // The scheme was checked to be http or https, so the colon is the fifth byte or the sixth.
                let scheme_len = if self.raw[4] == b':' { 4 } else { 5 };
                Some(&self.raw[scheme_len + 3..self.shape.path_start as usize])
            }
            TargetForm::Authority => Some(self.raw),
            TargetForm::Origin | TargetForm::Asterisk => None,
        }
    }
}

/// A run of target bytes.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The first byte that is no part of it.
    pub(super) end: usize,
    /// The first `?`, or `end`.
    pub(super) path_end: usize,
}

/// Runs over the target that starts at `from`. `None` if the bytes end inside a percent-encoding.
///
/// # Errors
/// [`Error::InvalidTarget`] for a `%` that no two hexadecimal digits follow.
#[inline]
pub(super) fn run(bytes: &[u8], from: usize) -> Result<Option<Run>, Error> {
    let mut at = from;
    let mut question = None;
    loop {
        at = scan::run_end(bytes, at, TARGET);
        match bytes.get(at) {
            Some(b'?') => {
                question.get_or_insert(at);
                at += 1;
            }
            Some(b'%') if class::percent_encoded(bytes, at) => at += 3,
            Some(b'%') if !truncated_percent(&bytes[at..]) => return Err(Error::InvalidTarget),
            Some(b'%') => return Ok(None),
            _ => break,
        }
    }
    Ok(Some(Run {
        end: at,
        path_end: question.unwrap_or(at),
    }))
}

/// Whether `bytes` are a percent-encoding that more bytes could complete.
fn truncated_percent(bytes: &[u8]) -> bool {
    match bytes {
        [_] => true,
        [_, high] => class::is(*high, class::HEX),
        _ => false,
    }
}

impl Shape {
    /// The usual form, whose path ends at `path_end`.
    #[inline]
    pub(super) const fn origin(path_end: u32) -> Self {
        Self {
            form: TargetForm::Origin,
            path_start: 0,
            path_end,
        }
    }

    /// Finds the form of `raw`, whose bytes are all target bytes, and checks it against the method.
    ///
    /// # Errors
    /// [`Error::InvalidTargetForm`] and [`Error::InvalidAuthority`].
    #[inline]
    pub(super) fn of(method: Method<'_>, raw: &[u8], path_end: u32) -> Result<Self, Error> {
        match (raw, method) {
            (_, Method::Connect) => Self::authority(raw),
            ([b'/', ..], _) => Ok(Self::origin(path_end)),
            ([b'*'], Method::Options) => Ok(Self {
                form: TargetForm::Asterisk,
                path_start: 0,
                path_end,
            }),
            _ => Self::absolute(raw, path_end),
        }
    }

    /// RFC 9110 §9.3.6: CONNECT names a host and a port, which has no default.
    fn authority(raw: &[u8]) -> Result<Self, Error> {
        if raw.first() == Some(&b'/') {
            return Err(Error::InvalidTargetForm);
        }
        match Authority::parse(raw) {
            Some(Authority {
                host: [_, ..],
                port: Port::Number(1..),
            }) => {
                let end = raw.len() as u32;
                Ok(Self {
                    form: TargetForm::Authority,
                    path_start: end,
                    path_end: end,
                })
            }
            _ => Err(Error::InvalidAuthority),
        }
    }

    fn absolute(raw: &[u8], path_end: u32) -> Result<Self, Error> {
        let scheme_len = memchr::memchr(b':', raw).ok_or(Error::InvalidTargetForm)?;
        let (scheme, rest) = raw.split_at(scheme_len);
        if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
            return Err(Error::InvalidTargetForm);
        }
        let Some(rest) = rest.strip_prefix(b"://") else {
            return Err(Error::InvalidAuthority);
        };
        let authority_len = rest
            .iter()
            .position(|&byte| matches!(byte, b'/' | b'?'))
            .unwrap_or(rest.len());
        match Authority::parse(&rest[..authority_len]) {
            // RFC 9110 §4.2.1: an http URI with an empty host is invalid.
            Some(Authority { host: [_, ..], .. }) => {
                let path_start = (raw.len() - rest.len() + authority_len) as u32;
                Ok(Self {
                    form: TargetForm::Absolute,
                    path_start,
                    path_end,
                })
            }
            _ => Err(Error::InvalidAuthority),
        }
    }
}
