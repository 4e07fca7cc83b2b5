//! The two kinds of line that a head is made of, each read in one pass from its first byte to its CRLF.
//!
//! ```text
//!   GET /where?q=now HTTP/1.1 CRLF          Name: OWS value OWS CRLF
//!   │   │      │     │                      │     │       │
//!   0   4   path_end target_end + 1      name  value_start value_end
//! ```
//!
//! `None` means that the bytes end inside the line. An error is decided by the bytes up to the one that is wrong, so
//! the same line gives the same error whatever follows it. Nothing here knows what a field means.
#![forbid(unsafe_code)]

use super::class::{self, TOKEN};
use super::fields::Fields;
use super::target::{self, Shape};
use super::{Error, Method, Target, Version, scan};

/// The longest method that could be known one day. Longer ones get 501 (RFC 9112 §3).
const METHOD_BYTES_MAX: usize = 32;

/// A checked request line.
#[derive(Clone, Copy)]
pub(super) struct RequestLine {
    pub(super) method_len: u32,
    pub(super) target_end: u32,
    pub(super) shape: Shape,
    pub(super) version: Version,
    /// The first byte of the next line.
    pub(super) next: u32,
}

impl RequestLine {
    /// None was read.
    pub(super) const UNREAD: Self = Self {
        method_len: 0,
        target_end: 0,
        shape: Shape::origin(0),
        version: Version::Http10,
        next: 0,
    };

    /// What the line says, and the fields behind it, as slices of the whole head.
    #[inline(always)]
    pub(super) fn parts<'b>(&self, raw: &'b [u8]) -> (Method<'b>, Target<'b>, Fields<'b>) {
        let method_len = self.method_len as usize;
        (
            Method::of(&raw[..method_len]),
            Target::new(&raw[method_len + 1..self.target_end as usize], self.shape),
            Fields::over(&raw[self.next as usize..raw.len() - 2]),
        )
    }
}

/// Reads the request line at the start of `bytes` (RFC 9112 §3).
///
/// # Errors
/// Those of the method, the target, the version and the line end.
#[inline]
pub(super) fn request(bytes: &[u8], target_bytes_max: u32) -> Result<Option<RequestLine>, Error> {
    let method_len = scan::run_end(bytes, 0, TOKEN);
    match bytes.get(method_len) {
        Some(b' ') if method_len == 0 => return Err(Error::InvalidMethod),
        _ if method_len > METHOD_BYTES_MAX => return Err(Error::MethodTooLong),
        Some(b' ') => {}
        Some(b'\n') => return Err(Error::BareLf),
        Some(_) => return Err(Error::InvalidMethod),
        None => return Ok(None),
    }
    let target_start = method_len + 1;
    let Some(run) = target::run(bytes, target_start)? else {
        return Ok(None);
    };
    match bytes.get(run.end) {
        Some(b' ') if run.end > target_start => {}
        Some(b'\r') => return Err(Error::MissingVersion),
        Some(b'\n') => return Err(Error::BareLf),
        Some(_) => return Err(Error::InvalidTarget),
        None => return Ok(None),
    }
    let target = &bytes[target_start..run.end];
    if target.len() > target_bytes_max as usize {
        return Err(Error::TargetTooLong);
    }
    let version_start = run.end + 1;
    // Before the form of the target: what another major version asks for is not ours to judge, and `PRI * HTTP/2.0` is
    // to hear that its version is the reason (RFC 9110 §15.6.6).
    let Some((version, version_len)) = version(&bytes[version_start..])? else {
        return Ok(None);
    };
    let method = Method::of(&bytes[..method_len]);
    let shape = Shape::of(method, target, (run.path_end - target_start) as u32)?;
    Ok(Some(RequestLine {
        method_len: method_len as u32,
        target_end: run.end as u32,
        shape,
        version,
        next: (version_start + version_len) as u32,
    }))
}

/// What is wrong with a request line that fills the limit of a head, `window`, and does not end.
#[cold]
pub(super) fn endless(window: &[u8], target_bytes_max: u32) -> Error {
    match request(window, target_bytes_max) {
        // Not a method that nobody knows (501): bytes that never become a request line.
        Err(Error::MethodTooLong) if !window.contains(&b' ') => Error::EndlessRequestLine,
        Err(error) => error,
        // Behind the second space stands the version, however long it gets.
        Ok(_) if memchr::memchr_iter(b' ', window).nth(1).is_some() => Error::EndlessRequestLine,
        Ok(_) => Error::TargetTooLong,
    }
}

/// The version at the start of `rest`, and its length with the CRLF (RFC 9112 §2.3).
#[inline]
fn version(rest: &[u8]) -> Result<Option<(Version, usize)>, Error> {
    // Compared as one word: as a slice it would cost a call.
    const HTTP_11: u64 = u64::from_le_bytes(*b"HTTP/1.1");
    const HTTP_10: u64 = u64::from_le_bytes(*b"HTTP/1.0");
    if let Some((version, [b'\r', b'\n', ..])) = rest.split_first_chunk() {
        match u64::from_le_bytes(*version) {
            HTTP_11 => return Ok(Some((Version::Http11, 10))),
            HTTP_10 => return Ok(Some((Version::Http10, 10))),
            _ => {}
        }
    }
    unusual_version(rest)
}

#[cold]
fn unusual_version(rest: &[u8]) -> Result<Option<(Version, usize)>, Error> {
    let Some(end) = scan::line_end(rest, 0) else {
        return Ok(None);
    };
    match &rest[end..] {
        [b'\n', ..] => return Err(Error::BareLf),
        [_, b'\n', ..] => {}
        [_] => return Ok(None),
        _ => return Err(Error::BareCr),
    }
    let version = match &rest[..end] {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major @ b'0'..=b'9',
            b'.',
            minor @ b'0'..=b'9',
        ] => match (major, minor) {
            (b'1', b'0') => Version::Http10,
            // RFC 9110 §2.5: a higher minor version is read as the highest that we know of the same major one.
            (b'1', _) => Version::Http11,
            _ => return Err(Error::UnsupportedVersion),
        },
        [] => return Err(Error::MissingVersion),
        _ => return Err(Error::InvalidVersion),
    };
    Ok(Some((version, end + 2)))
}

/// A checked field line; the name starts where the line does.
#[derive(Clone, Copy)]
pub(super) struct FieldLine {
    pub(super) name_end: usize,
    pub(super) value_start: usize,
    pub(super) value_end: usize,
    /// The first byte of the next line.
    pub(super) next: usize,
}

/// Reads the field line that starts at `start` (RFC 9112 §5).
///
/// # Errors
/// Those of the name, the colon, the value and the line end.
#[inline(always)]
pub(super) fn field(bytes: &[u8], start: usize) -> Result<Option<FieldLine>, Error> {
    let name_end = scan::name_end(bytes, start);
    if bytes.get(name_end) != Some(&b':') || name_end == start {
        wrong_name(bytes, start, name_end)?;
        return Ok(None);
    }
    let mut value_start = name_end + 1;
    while matches!(bytes.get(value_start), Some(b' ' | b'\t')) {
        value_start += 1;
    }
    let end = scan::value_end(bytes, value_start);
    let next = end + 2;
    if bytes.get(end..next) != Some(b"\r\n") {
        wrong_end(&bytes[end..])?;
        return Ok(None);
    }
    let mut value_end = end;
    while value_end > value_start && matches!(bytes[value_end - 1], b' ' | b'\t') {
        value_end -= 1;
    }
    Ok(Some(FieldLine {
        name_end,
        value_start,
        value_end,
        next,
    }))
}

/// What is wrong with a name that does not end in a colon, if it may not go on.
#[cold]
fn wrong_name(bytes: &[u8], start: usize, end: usize) -> Result<(), Error> {
    Err(match bytes.get(end) {
        None => return Ok(()),
        Some(b' ' | b'\t') if start == end => Error::ObsoleteFold,
        Some(b' ' | b'\t') => Error::SpaceBeforeColon,
        Some(b'\n') => Error::BareLf,
        Some(b'\r') if start == end => Error::BareCr,
        Some(_) => Error::InvalidFieldName,
    })
}

/// What is wrong with a value that does not end in CRLF, if it may not go on.
#[cold]
fn wrong_end(rest: &[u8]) -> Result<(), Error> {
    match rest {
        [] | [b'\r'] => Ok(()),
        [b'\r', ..] => Err(Error::BareCr),
        [b'\n', ..] => Err(Error::BareLf),
        _ => Err(Error::InvalidFieldValue),
    }
}

/// Whether a request line may start with `byte`. Decided at once, so that a TLS client is not kept waiting.
#[inline]
pub(super) fn may_start_request(byte: u8) -> bool {
    class::is(byte, TOKEN)
}

/// Finds the CRLF of a line that may be unfinished, where `seen` bytes were searched before.
///
/// Returns the line's length without its CRLF.
///
/// # Errors
/// [`Error::BareCr`], [`Error::BareLf`], and `too_long` for a line of more than `max` bytes.
pub(super) fn finished(
    bytes: &[u8],
    seen: u32,
    max: usize,
    too_long: Error,
) -> Result<Option<usize>, Error> {
    let window = &bytes[..bytes.len().min(max.saturating_add(1))];
    // One step back: a CR that ended the last search could not be judged without its successor.
    let Some(end) = scan::line_end(window, (seen.saturating_sub(1) as usize).min(window.len()))
    else {
        return if window.len() > max {
            Err(too_long)
        } else {
            Ok(None)
        };
    };
    match &bytes[end..] {
        [b'\n', ..] => Err(Error::BareLf),
        [_, b'\n', ..] => Ok(Some(end)),
        [_] => Ok(None),
        _ => Err(Error::BareCr),
    }
}
