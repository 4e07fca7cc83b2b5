//! Conditional requests (RFC 9110 §13): whether what the peer knows is still so.
//!
//! ```text
//!   If-Match ─ absent ─▶ If-Unmodified-Since ─▶ If-None-Match ─ absent ─▶ If-Modified-Since ─▶ proceed
//!      └ false: 412          └ false: 412          └ false: 304 or 412       └ false: 304
//! ```
//!
//! Time is Unix time in whole seconds, as the dates of HTTP are. It does not know what is served: whoever does says which
//! [`Validators`] it has.
#![forbid(unsafe_code)]

use super::entity_tag::{EntityTag, Listed, listed};
use super::{Fields, Method};
use std::time::UNIX_EPOCH;

/// What a server knows of the representation that it would send (RFC 9110 §8.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validators<'v> {
    /// Its entity tag.
    pub etag: Option<EntityTag<'v>>,
    /// When it was last modified, in seconds since 1970, as its Last-Modified field says.
    pub last_modified: Option<u64>,
}

/// What the preconditions of a request allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// All hold, or there are none: do what the method asks for.
    Proceed,
    /// The peer has this representation already: 304 (RFC 9110 §15.4.5).
    NotModified,
    /// The peer knows another state than ours: 412, and nothing is done (RFC 9110 §15.5.13).
    Failed,
}

/// Evaluates the preconditions of a request in the order of RFC 9110 §13.2.2.
///
/// Call it when the request would otherwise succeed (RFC 9110 §13.2.1). `current` is `None` if nothing exists yet under
/// the target. `now` is in seconds since 1970.
///
/// - If-None-Match, where present, decides in place of If-Modified-Since, and If-Match of If-Unmodified-Since.
/// - If-Match compares tags strongly, If-None-Match weakly (§13.1.1, §13.1.2).
/// - If-Modified-Since counts for GET and HEAD only. A value that is no single date is ignored, as is that of
///   If-Unmodified-Since (§13.1.3, §13.1.4). A date that lies in our future is ignored too, as RFC 2616 §14.25 said: no
///   reply of ours can have carried it, and a whole reply is never wrong.
/// - A list of tags that is malformed matches nothing. For a GET or HEAD that means a whole reply; any other method
///   fails, because a guard against lost updates that cannot be read must not be opened.
/// - CONNECT, OPTIONS and TRACE have no preconditions (§13.2.1).
///
/// ```
/// use longshore::http::{EntityTag, Head, Precondition, Validators, evaluate};
/// let head = Head::parse(b"GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\", W/\"y\"\r\n\r\n")?;
/// let current = Validators { etag: EntityTag::parse(b"\"y\""), last_modified: None };
/// assert_eq!(evaluate(&head.fields, head.method, Some(&current), 0), Precondition::NotModified);
/// # Ok::<(), longshore::http::Error>(())
/// ```
pub fn evaluate(
    fields: &Fields<'_>,
    method: Method<'_>,
    current: Option<&Validators<'_>>,
    now: u64,
) -> Precondition {
    if matches!(method, Method::Connect | Method::Options | Method::Trace) {
        return Precondition::Proceed;
    }
    let safe = matches!(method, Method::Get | Method::Head);
    let etag = current.and_then(|current| current.etag);
    let last_modified = current.and_then(|current| current.last_modified);

    let matched = listed(fields, "if-match", |tag| {
        etag.is_some_and(|etag| etag.strong_eq(tag))
    });
    let guarded = match matched {
        Listed::Any => current.is_some(),
        Listed::Matched => true,
        Listed::Unmatched | Listed::Malformed => false,
        // §13.1.4: ignored without a date of ours.
        Listed::Absent => match (last_modified, only_date(fields, "if-unmodified-since")) {
            (Some(ours), Some(theirs)) => ours <= theirs,
            _ => true,
        },
    };
    if !guarded {
        return Precondition::Failed;
    }

    let known = listed(fields, "if-none-match", |tag| {
        etag.is_some_and(|etag| etag.weak_eq(tag))
    });
    let unknown = match known {
        Listed::Any => current.is_none(),
        Listed::Matched => false,
        Listed::Unmatched => true,
        Listed::Malformed => safe,
        Listed::Absent => match (last_modified, only_date(fields, "if-modified-since")) {
            (Some(ours), Some(theirs)) if safe && theirs <= now => ours > theirs,
            _ => true,
        },
    };
    match (unknown, safe) {
        (true, _) => Precondition::Proceed,
        (false, true) => Precondition::NotModified,
        (false, false) => Precondition::Failed,
    }
}

/// Whether the Range of a request may be followed, as far as If-Range says (RFC 9110 §13.1.5).
///
/// True without the field. A tag has to match strongly. A date has to be exactly that of Last-Modified, and at least a
/// second old, since a file may change twice within a second (§8.8.2.2). Anything else, and more than one value, is
/// false: then the whole is sent, which is never wrong. `now` is in seconds since 1970.
///
/// ```
/// use longshore::http::{EntityTag, Head, Validators, if_range};
/// let head = Head::parse(b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=5-\r\nIf-Range: W/\"x\"\r\n\r\n")?;
/// let current = Validators { etag: EntityTag::parse(b"\"x\""), last_modified: None };
/// assert!(!if_range(&head.fields, &current, 0), "a weak tag promises no bytes");
/// # Ok::<(), longshore::http::Error>(())
/// ```
pub fn if_range(fields: &Fields<'_>, current: &Validators<'_>, now: u64) -> bool {
    let mut values = fields.all("if-range");
    let (Some(value), None) = (values.next(), values.next()) else {
        return fields.find("if-range").is_none();
    };
    if let Some(tag) = EntityTag::parse(value) {
        return current.etag.is_some_and(|etag| etag.strong_eq(&tag));
    }
    match (current.last_modified, parse_date(value)) {
        (Some(ours), Some(theirs)) => ours == theirs && ours < now,
        _ => false,
    }
}

/// The date in the only line with this name; of two lines nobody can say which was meant.
fn only_date(fields: &Fields<'_>, name: &str) -> Option<u64> {
    let mut values = fields.all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => parse_date(value),
        _ => None,
    }
}

/// A date in any of the three formats of RFC 9110 §5.6.7, in seconds since 1970.
///
/// ```
/// use longshore::http::parse_date;
/// assert_eq!(parse_date(b"Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
/// assert_eq!(parse_date(b"Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
/// assert_eq!(parse_date(b"Sun Nov  6 08:49:37 1994"), Some(784_111_777));
/// assert_eq!(parse_date(b"yesterday"), None);
/// ```
pub fn parse_date(value: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(value).ok()?;
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
