//! The path of a target, decoded once, as the name of something beneath a directory (RFC 3986 §2.1, §3.3, §5.2.4).
//!
//! ```text
//!   /a%20b/c.txt   ──►   a b/c.txt            %252e  ──►  %2e, three characters
//!   /a/../b  /a//b  /a%2fb  /a%00             refused
//! ```
//!
//! Servers that decode twice, or that check before they decode, let `%252e%252e` and `%2e%2e` out of the directory.
//! Here every byte is decoded exactly once, and what is checked is what was decoded. A client resolves `.` and `..`
//! before it asks (RFC 3986 §5.2.4); a server that relied on it would trust the peer.
//!
//! It does not know file systems: whether such a name exists, or is a link, is not asked here.
#![forbid(unsafe_code)]

use super::Status;
use super::class::hex_value;
use core::fmt;

/// Room for every path that Linux takes: `PATH_MAX`, 4096 bytes, less the NUL that ends it (`path_resolution(7)`).
pub const PATH_BYTES_MAX: usize = 4095;

/// Why a path names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathError {
    /// It does not start with a slash: `OPTIONS *`, or a path that was cut elsewhere.
    NotAbsolute,
    /// A `%` that no two hexadecimal digits follow (RFC 3986 §2.1).
    InvalidPercent,
    /// `%2f`: a slash that is said to be no separator, which no file name can hold.
    EncodedSlash,
    /// A control byte, NUL among them: C strings end there, terminals and logs obey it.
    Control,
    /// A segment `.` or `..` (RFC 3986 §5.2.4).
    DotSegment,
    /// An empty segment, as in `//`. It is no other name for `/`.
    EmptySegment,
    /// More bytes than the buffer has room for.
    TooLong,
}

impl PathError {
    /// The status of the reply: 400 for what is malformed or an attempt to leave, 404 for what only names nothing.
    pub const fn status(self) -> Status {
        match self {
            Self::NotAbsolute | Self::EmptySegment | Self::TooLong => Status::NOT_FOUND,
            Self::InvalidPercent | Self::EncodedSlash | Self::Control | Self::DotSegment => {
                Status::BAD_REQUEST
            }
        }
    }

    /// One plain sentence for the body of the reply. It repeats no byte of the request.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAbsolute => "The path does not start with a slash.",
            Self::InvalidPercent => "A percent sign in the path stands without two digits.",
            Self::EncodedSlash => "The path holds an encoded slash.",
            Self::Control => "The path holds a control character.",
            Self::DotSegment => "The path holds a dot segment.",
            Self::EmptySegment => "The path holds an empty segment.",
            Self::TooLong => "The path is too long to name a file.",
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for PathError {}

/// A decoded path: segments with one slash between them, none in front, none behind.
///
/// No segment is empty, `.` or `..`, and none holds a slash, a NUL or another control byte. They are bytes, not text:
/// file names need not be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodedPath<'o> {
    bytes: &'o [u8],
    directory: bool,
}

impl<'o> DecodedPath<'o> {
    /// The segments joined by slashes; empty for the path `/`.
    pub const fn as_bytes(&self) -> &'o [u8] {
        self.bytes
    }

    /// Whether the path ended in a slash, as `/` does: it asks for a directory.
    pub const fn is_directory(&self) -> bool {
        self.directory
    }

    /// The segments in order, none for the path `/`.
    pub fn segments(&self) -> impl Iterator<Item = &'o [u8]> + use<'o> {
        let joined = self.bytes;
        joined
            .split(|&byte| byte == b'/')
            .filter(|segment| !segment.is_empty())
    }

    /// Whether a segment starts with a dot, as names do that `ls` does not show. `.well-known` at the front is none of
    /// them: it is there to be found (RFC 8615).
    pub fn is_hidden(&self) -> bool {
        let mut segments = self.segments().enumerate();
        segments.any(|(at, segment)| {
            segment.starts_with(b".") && !(at == 0 && segment == b".well-known")
        })
    }
}

/// Decodes the path of a target (see [`Target::path`](super::Target::path)) into `out`, whose length is the limit.
///
/// Invalid UTF-8 is allowed. Costs one pass and no allocation. A buffer of [`PATH_BYTES_MAX`] takes every path that
/// Linux takes.
///
/// ```
/// use longshore::http::{PathError, decode_path};
/// let mut out = [0; 64];
/// let path = decode_path(b"/docs/a%20b.txt", &mut out)?;
/// assert_eq!(path.as_bytes(), b"docs/a b.txt");
/// assert!(path.segments().eq([&b"docs"[..], b"a b.txt"]));
/// assert_eq!(decode_path(b"/%252e%252e/", &mut out)?.as_bytes(), b"%2e%2e");
/// assert_eq!(decode_path(b"/%2e%2e/passwd", &mut out), Err(PathError::DotSegment));
/// # Ok::<(), PathError>(())
/// ```
///
/// # Errors
/// Each [`PathError`], the first from the left.
pub fn decode_path<'o>(path: &[u8], out: &'o mut [u8]) -> Result<DecodedPath<'o>, PathError> {
    let mut rest = path.strip_prefix(b"/").ok_or(PathError::NotAbsolute)?;
    let (mut len, mut segment) = (0, 0);
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        let byte = match first {
            b'/' => {
                check_segment(&out[segment..len])?;
                // The slash is written below, and the next segment starts behind it.
                segment = len + 1;
                b'/'
            }
            b'%' => {
                let byte = decoded(behind)?;
                rest = &behind[2..];
                byte
            }
            byte if byte.is_ascii_control() => return Err(PathError::Control),
            byte => byte,
        };
        *out.get_mut(len).ok_or(PathError::TooLong)? = byte;
        len += 1;
    }
    let directory = segment == len;
    if directory {
        // `/` alone, or the slash at the end, which is no part of the name.
        len = len.saturating_sub(1);
    } else {
        check_segment(&out[segment..len])?;
    }
    Ok(DecodedPath {
        bytes: &out[..len],
        directory,
    })
}

/// The byte that the two digits at the start of `digits` stand for.
fn decoded(digits: &[u8]) -> Result<u8, PathError> {
    let &[high, low, ..] = digits else {
        return Err(PathError::InvalidPercent);
    };
    let (high, low) = (hex_value(high), hex_value(low));
    let (high, low) = high.zip(low).ok_or(PathError::InvalidPercent)?;
    match high << 4 | low {
        b'/' => Err(PathError::EncodedSlash),
        byte if byte.is_ascii_control() => Err(PathError::Control),
        byte => Ok(byte),
    }
}

fn check_segment(segment: &[u8]) -> Result<(), PathError> {
    match segment {
        b"" => Err(PathError::EmptySegment),
        b"." | b".." => Err(PathError::DotSegment),
        _ => Ok(()),
    }
}
