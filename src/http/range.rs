//! Parts of a representation, by bytes (RFC 9110 §14): which are asked for, and how they are sent.
//!
//! ```text
//!   Range: bytes=0-4,10-    ──►  one range: 206 with Content-Range
//!                                several:   206 as multipart/byteranges, each part with a head of its own
//!                                none that exists: 416       not understood, or too greedy: 200, the whole
//! ```
//!
//! Many small or overlapping ranges are an attack: a request of a kilobyte that asks for a file a thousand times over
//! (RFC 9110 §14.2, §17.15). Here a request gets at most [`RANGES_MAX`] parts, which do not overlap, and never more bytes
//! of the file than it has.
//!
//! It does not know the bytes, or whether the representation has changed: ask the preconditions first, and
//! [`if_range`](super::if_range).
#![forbid(unsafe_code)]

use super::{Fields, Method};
use core::fmt::{self, Write};
use core::ops::Range;

/// How many ranges one request may ask for. Whoever asks for more gets the whole.
pub const RANGES_MAX: usize = 16;

/// What the Range field of a request asks for, in a representation of a known length.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for one request; a box would allocate for each"
)]
pub enum RangeRequest {
    /// The whole, with 200: there is no Range, or it is to be ignored.
    Whole,
    /// These parts, with 206.
    Parts(ByteRanges),
    /// Nothing that exists, with 416 and [`ContentRange::Unsatisfied`].
    Unsatisfiable,
}

impl RangeRequest {
    /// Reads the Range field of a request for a representation of `length` bytes.
    ///
    /// It is ignored (RFC 9110 §14.2) for every method but GET, with another unit than `bytes`, if it is malformed or
    /// repeated, if it asks for more than [`RANGES_MAX`] ranges, and if they add up to more than the whole, so that
    /// ranges that overlap gain nothing. What remains is joined where it overlaps or touches, and otherwise keeps the
    /// order in which it was asked for. Numbers beyond 64 bits count as beyond the end. A representation without bytes
    /// cannot be sent in part: of it, `-5` gets the (empty) whole, and `0-` gets 416 (§14.1.2).
    ///
    /// ```
    /// use longshore::http::{Head, RangeRequest};
    /// let head = Head::parse(b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5,-3\r\n\r\n")?;
    /// let RangeRequest::Parts(parts) = RangeRequest::of(&head.fields, head.method, 20) else {
    ///     panic!("both exist")
    /// };
    /// assert_eq!(parts.as_slice(), [2..6, 17..20]);
    /// # Ok::<(), longshore::http::Error>(())
    /// ```
    pub fn of(fields: &Fields<'_>, method: Method<'_>, length: u64) -> Self {
        let mut values = fields.all("range");
        match (method, values.next(), values.next()) {
            (Method::Get, Some(value), None) => Self::read(value, length).unwrap_or(Self::Whole),
            _ => Self::Whole,
        }
    }

    /// `None` if the value is to be ignored.
    fn read(value: &[u8], length: u64) -> Option<Self> {
        let (unit, set) = value.split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes=") {
            return None;
        }
        let (mut ranges, mut specs, mut empty, mut left) = (ByteRanges::new(), 0, false, length);
        for spec in set.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            // RFC 9110 §5.6.1.2: empty members of a list are skipped.
            if spec.is_empty() {
                continue;
            }
            specs += 1;
            if specs > RANGES_MAX {
                return None;
            }
            match Spec::parse(spec)?.within(length) {
                Some(range) if range.is_empty() => empty = true,
                Some(range) => {
                    // More than there is: the whole is less.
                    left = left.checked_sub(range.end - range.start)?;
                    ranges.add(range);
                }
                None => {}
            }
        }
        match (specs, ranges.count) {
            (0, _) => None,
            (_, 0) if empty => None,
            (_, 0) => Some(Self::Unsatisfiable),
            _ => Some(Self::Parts(ranges)),
        }
    }
}

/// One range as it is asked for (RFC 9110 §14.1.1).
#[derive(Clone, Copy)]
enum Spec {
    /// `first-` and `first-last`; without a last one it is the last that can be named.
    From(u64, u64),
    /// `-length`
    Suffix(u64),
}

impl Spec {
    fn parse(spec: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', spec)?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        match (first, last) {
            (b"", _) => Some(Self::Suffix(digits(last)?)),
            (_, b"") => Some(Self::From(digits(first)?, u64::MAX)),
            _ => {
                let (first, last) = (digits(first)?, digits(last)?);
                // RFC 9110 §14.1.1: a last position before the first makes it invalid.
                (first <= last).then_some(Self::From(first, last))
            }
        }
    }

    /// The bytes that it selects of `length`; `None` if it cannot be satisfied (RFC 9110 §14.1.2).
    fn within(self, length: u64) -> Option<Range<u64>> {
        match self {
            Self::From(first, _) if first >= length => None,
            Self::From(first, last) => Some(first..last.min(length - 1) + 1),
            Self::Suffix(0) => None,
            Self::Suffix(bytes) => Some(length.saturating_sub(bytes)..length),
        }
    }
}

/// At least one digit and nothing else; what does not fit 64 bits counts as the highest number.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &byte| {
        byte.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'))
        })
    })
}

/// At least one range of bytes, at most [`RANGES_MAX`]: none is empty, and no two overlap or touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteRanges {
    ranges: [Range<u64>; RANGES_MAX],
    count: usize,
}

impl ByteRanges {
    fn new() -> Self {
        Self {
            ranges: core::array::from_fn(|_| 0..0),
            count: 0,
        }
    }

    /// The ranges, in the order in which they were asked for. The end is exclusive.
    pub fn as_slice(&self) -> &[Range<u64>] {
        &self.ranges[..self.count]
    }

    /// Adds a range, at the place of the first one that it overlaps or touches if there is such.
    fn add(&mut self, new: Range<u64>) {
        let mut joined = new.clone();
        let (mut kept, mut place) = (0, None);
        // One pass is enough: those that are here already touch each other nowhere, so what joins `new` brings no more.
        for at in 0..self.count {
            let old = self.ranges[at].clone();
            if old.start > new.end || new.start > old.end {
                self.ranges[kept] = old;
                kept += 1;
                continue;
            }
            joined = joined.start.min(old.start)..joined.end.max(old.end);
            if place.is_none() {
                place = Some(kept);
                kept += 1;
            }
        }
        let place = place.unwrap_or_else(|| {
            kept += 1;
            kept - 1
        });
        self.ranges[place] = joined;
        self.count = kept;
    }
}

/// The value of Content-Range (RFC 9110 §14.4).
///
/// ```
/// use longshore::http::ContentRange;
/// assert_eq!(ContentRange::Part { range: 0..5, length: 20 }.to_string(), "bytes 0-4/20");
/// assert_eq!(ContentRange::Unsatisfied { length: 20 }.to_string(), "bytes */20");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// A part of the representation, for 206.
    Part {
        /// Its bytes, at least one; the end is exclusive.
        range: Range<u64>,
        /// How many bytes the whole has.
        length: u64,
    },
    /// Only the length, for 416.
    Unsatisfied {
        /// How many bytes the whole has.
        length: u64,
    },
}

impl fmt::Display for ContentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { range, length } => {
                debug_assert!(!range.is_empty(), "an empty part has no Content-Range");
                write!(f, "bytes {}-{}/{length}", range.start, range.end - 1)
            }
            Self::Unsatisfied { length } => write!(f, "bytes */{length}"),
        }
    }
}

/// The text between the parts of a `multipart/byteranges` (RFC 9110 §14.6, RFC 2046 §5.1).
///
/// ```text
///   opening(0) bytes opening(1) bytes … closing
/// ```
///
/// The boundary must not occur in the content, and one that could be foretold could be put there by whoever wrote the
/// content, who would then forge parts. So give a number that nobody can guess, a new one for each reply: 128 random
/// bits, which say nothing about the content either.
///
/// ```
/// use longshore::http::Multipart;
/// let multipart = Multipart { boundary: 0x5eed, content_type: "text/plain", length: 20 };
/// let mut body = String::new();
/// for (number, (range, bytes)) in [(2..4, "cd"), (17..20, "rst")].into_iter().enumerate() {
///     multipart.opening(number, &range, &mut body);
///     body += bytes;
/// }
/// multipart.closing(&mut body);
/// assert_eq!(body.len() as u64, multipart.content_length(&[2..4, 17..20]));
/// assert!(multipart.media_type().ends_with("boundary=00000000000000000000000000005eed"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Multipart<'t> {
    /// What separates the parts.
    pub boundary: u128,
    /// The Content-Type of the representation.
    pub content_type: &'t str,
    /// How many bytes the whole representation has.
    pub length: u64,
}

impl Multipart<'_> {
    /// The Content-Type of the reply.
    pub fn media_type(&self) -> String {
        format!("multipart/byteranges; boundary={:032x}", self.boundary)
    }

    /// Appends what stands before the bytes of a part. Parts are counted from 0.
    pub fn opening(&self, number: usize, range: &Range<u64>, out: &mut impl Write) {
        let line_end = if number == 0 { "" } else { "\r\n" };
        let content_range = ContentRange::Part {
            range: range.clone(),
            length: self.length,
        };
        let (boundary, content_type) = (self.boundary, self.content_type);
        // Strings and counters take everything.
        let _ = write!(
            out,
            "{line_end}--{boundary:032x}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
        );
    }

    /// Appends what stands behind the last part.
    pub fn closing(&self, out: &mut impl Write) {
        let _ = write!(out, "\r\n--{:032x}--\r\n", self.boundary);
    }

    /// The length of the whole body, in bytes, known before any of it is made.
    pub fn content_length(&self, ranges: &[Range<u64>]) -> u64 {
        let mut count = Count(0);
        for (number, range) in ranges.iter().enumerate() {
            self.opening(number, range, &mut count);
            count.0 += range.end - range.start;
        }
        self.closing(&mut count);
        count.0
    }
}

/// Counts what is written.
struct Count(u64);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}
