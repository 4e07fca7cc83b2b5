//! The head of a server's reply (RFC 9112 §4, §5): a status line and fields, checked once, borrowed.
//!
//! ```text
//!   HTTP/1.1 101 Switching Protocols CRLF      Name: value CRLF      CRLF │ frames …
//!        └┬┘ └┬┘ └──────┬──────────┘                                      └ head_end()
//!     version status  reason
//! ```
//!
//! It is no counterpart of the server's parser, only what a client needs that meets one reply at a time. It does not know
//! what fields mean, nor where a body is: that is [`reply`](super::reply).

use core::fmt;

/// The longest head, interim replies included, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;
/// The most field lines.
const FIELDS_MAX: usize = 100;

/// Why a reply cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadError {
    /// It does not begin with `HTTP/1.` and a digit: another protocol, or another version.
    NotHttp,
    /// The status line is malformed.
    StatusLine,
    /// A field line is malformed: no colon, a name that is no token, a control byte, or folded.
    Field,
    /// A line ends with LF and no CR before it.
    BareLf,
    /// The head is longer than 16 KiB.
    TooLong,
    /// There are more than 100 fields.
    TooManyFields,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "it is no HTTP/1",
            Self::StatusLine => "its status line is malformed",
            Self::Field => "a field is malformed",
            Self::BareLf => "a line ends with a bare LF",
            Self::TooLong => "its head is longer than 16 KiB",
            Self::TooManyFields => "it has more than 100 fields",
        })
    }
}

impl core::error::Error for HeadError {}

/// A checked head of a reply, as a [`ReplyDecoder`](super::ReplyDecoder) gives it.
#[derive(Clone, Copy, Debug)]
pub struct ReplyHead<'b> {
    /// The digit behind `HTTP/1.`.
    pub(super) minor: u8,
    /// 100 to 999.
    pub(super) status: u16,
    fields: &'b [u8],
    bytes: &'b [u8],
}

/// The length of the head at the start of `bytes`, `None` while it is not complete.
///
/// Lines before `from` were seen by the last call, which set it: so a head that comes byte by byte costs linear time.
///
/// # Errors
/// As soon as the bytes can become no head: they are not HTTP, or a line ends with a bare LF.
pub(super) fn head_end(bytes: &[u8], from: &mut usize) -> Result<Option<usize>, HeadError> {
    let start = b"HTTP/1.";
    let seen = bytes.len().min(start.len());
    if bytes[..seen] != start[..seen] {
        return Err(HeadError::NotHttp);
    }
    // `from` is where a line begins, and stays there until its LF is here.
    while let Some(length) = memchr::memchr(b'\n', &bytes[*from..]) {
        let line = &bytes[*from..*from + length];
        *from += length + 1;
        match line {
            [b'\r'] => return Ok(Some(*from)),
            [.., b'\r'] => {}
            _ => return Err(HeadError::BareLf),
        }
    }
    Ok(None)
}

impl<'b> ReplyHead<'b> {
    /// Reads a whole head, from its first byte to the empty line, as [`head_end`] has found it.
    pub(super) fn parse(head: &'b [u8]) -> Result<Self, HeadError> {
        let bytes = head;
        let head = head.strip_suffix(b"\r\n").ok_or(HeadError::BareLf)?;
        let (line, fields) = split_line(head).ok_or(HeadError::StatusLine)?;
        let (minor, status) = status_line(line)?;
        let reply = Self {
            minor,
            status,
            fields,
            bytes,
        };
        let mut rest = fields;
        let mut count = 0;
        while let Some((line, behind)) = split_line(rest) {
            field(line).ok_or(HeadError::Field)?;
            count += 1;
            if count > FIELDS_MAX {
                return Err(HeadError::TooManyFields);
            }
            rest = behind;
        }
        Ok(reply)
    }

    /// The status, 100 to 999 (RFC 9110 §15).
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The digit behind `HTTP/1.`.
    pub const fn minor_version(&self) -> u8 {
        self.minor
    }

    /// The head as it was sent, from its first byte to its empty line. Of its bytes none is a control byte but CR, LF and
    /// HTAB; those above 127 may be anything.
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The value of the first field with this name, in any case.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.values(name).next()
    }

    /// The values of all fields with this name, in any case, in their order.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'b, 'n> {
        self.fields()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Names, as they were sent, and values.
    pub fn fields(&self) -> impl Iterator<Item = (&'b [u8], &'b [u8])> + use<'b> {
        let mut rest = self.fields;
        std::iter::from_fn(move || {
            let (line, behind) = split_line(rest)?;
            rest = behind;
            field(line)
        })
    }
}

/// The line at the start of `bytes` without its CRLF, and what stands behind it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = bytes[..end].strip_suffix(b"\r")?;
    Some((line, &bytes[end + 1..]))
}

/// RFC 9112 §4. The space in front of an empty reason is missed: servers forget it, and a client may be lenient there.
fn status_line(line: &[u8]) -> Result<(u8, u16), HeadError> {
    let version = line.strip_prefix(b"HTTP/1.").ok_or(HeadError::NotHttp)?;
    let [
        minor @ b'0'..=b'9',
        b' ',
        a @ b'1'..=b'9',
        b @ b'0'..=b'9',
        c @ b'0'..=b'9',
        reason @ ..,
    ] = version
    else {
        return Err(HeadError::StatusLine);
    };
    if !matches!(reason, [] | [b' ', ..]) || !reason.iter().copied().all(is_value_byte) {
        return Err(HeadError::StatusLine);
    }
    let digit = |byte: &u8| u16::from(byte - b'0');
    Ok((minor - b'0', digit(a) * 100 + digit(b) * 10 + digit(c)))
}

/// RFC 9112 §5. A line that begins with whitespace is folded (§5.2), and has no token in front of its colon.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let valid =
        !name.is_empty() && name.iter().all(is_tchar) && value.iter().copied().all(is_value_byte);
    valid.then_some((name, value.trim_ascii()))
}

/// HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5).
fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
