//! How a line is laid out: common, combined, JSON.
//!
//! ```text
//!   common    127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 2326
//!   combined  … the same, then "https://example.com/" "curl/8.5.0"
//!   json      {"time":"2026-10-10T13:55:36.042Z","peer":"127.0.0.1","method":"GET","target":"/x", …}
//! ```
//!
//! It knows neither where lines go nor where an entry came from. It allocates only what the batch grows by.

use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;
use std::str::FromStr;

use super::stamp::Stamp;
use super::{Entry, escape};
use crate::sys::Address;

/// How a line of the access log looks.
///
/// All formats are ASCII, and whatever a peer sent is escaped: no byte of its can end a line or a field, or command a
/// terminal. Of each field at most 2048 bytes are shown.
///
/// In the text formats `"`, `\`, control bytes and bytes above 0x7E are `\xHH`, a field that was cut ends in `\...`,
/// and what is absent is `-`. Times are UTC.
///
/// ```
/// use longshore::AccessFormat;
///
/// assert_eq!("json".parse(), Ok(AccessFormat::Json));
/// assert_eq!(AccessFormat::default().to_string(), "combined");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AccessFormat {
    /// `host - - [10/Oct/2026:13:55:36 +0000] "GET /x HTTP/1.1" 200 2326`: the common log format. The host is an IP
    /// address without port or brackets, or `unix:`; IPv4 over an IPv6 socket is shown as IPv4. The last figure is the
    /// bytes of the reply's content.
    Common,
    /// [`Common`](Self::Common), then `"referer" "user agent"`. The default.
    #[default]
    Combined,
    /// One object (RFC 8259) a line, always with these keys in this order; `null` for what is absent:
    ///
    /// | key | value |
    /// |---|---|
    /// | `time` | RFC 3339 with milliseconds, UTC |
    /// | `peer` | as the host of `Common` |
    /// | `method`, `target`, `version` | `"GET"`, `"/x?y"`, `"HTTP/1.1"`; of a line that has not three parts all is `target` |
    /// | `status`, `bytes` | numbers: the status code, and the bytes of the reply's content |
    /// | `duration_us` | microseconds from the request to its reply |
    /// | `referer`, `user_agent` | the fields of these names |
    /// | `cut` | `true`, and there only if a field was cut |
    ///
    /// What is not UTF-8 becomes U+FFFD, once for each broken sequence.
    Json,
}

impl AccessFormat {
    /// The name as it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Combined => "combined",
            Self::Json => "json",
        }
    }

    /// Writes one line, its newline included.
    pub(super) fn write(self, out: &mut Vec<u8>, stamp: &Stamp, entry: &Entry<'_>) {
        match self {
            Self::Common => common(out, stamp, entry),
            Self::Combined => {
                common(out, stamp, entry);
                for field in [entry.referer, entry.user_agent] {
                    out.extend_from_slice(b" \"");
                    escape::text(out, field.unwrap_or(b"-"));
                    out.push(b'"');
                }
            }
            Self::Json => json(out, stamp, entry),
        }
        out.push(b'\n');
    }
}

impl fmt::Display for AccessFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AccessFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = [Self::Common, Self::Combined, Self::Json];
        all.into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| format!("`{name}` is none of common, combined, json"))
    }
}

/// A request line in its three parts (RFC 9112 §3), each of which is cut for itself.
struct Parts<'a> {
    method: Option<&'a [u8]>,
    target: &'a [u8],
    version: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// At the first and the last space, as a reader of the log would do it.
    fn of(line: &'a [u8]) -> Self {
        match (memchr::memchr(b' ', line), memchr::memrchr(b' ', line)) {
            (Some(first), Some(last)) if first < last => Self {
                method: Some(&line[..first]),
                target: &line[first + 1..last],
                version: Some(&line[last + 1..]),
            },
            _ => Self {
                method: None,
                target: line,
                version: None,
            },
        }
    }
}

fn common(out: &mut Vec<u8>, stamp: &Stamp, entry: &Entry<'_>) {
    host(out, entry.peer, b"-");
    out.extend_from_slice(b" - - [");
    out.extend_from_slice(stamp.common());
    out.extend_from_slice(b"] \"");
    match entry.request_line {
        None => out.push(b'-'),
        Some(line) => {
            let parts = Parts::of(line);
            if let Some(method) = parts.method {
                escape::text(out, method);
                out.push(b' ');
            }
            escape::text(out, parts.target);
            if let Some(version) = parts.version {
                out.push(b' ');
                escape::text(out, version);
            }
        }
    }
    out.extend_from_slice(b"\" ");
    number(out, entry.status);
    out.push(b' ');
    number(out, entry.body_bytes);
}

fn json(out: &mut Vec<u8>, stamp: &Stamp, entry: &Entry<'_>) {
    let parts = entry.request_line.map(Parts::of);
    let mut cut = false;
    let mut string = |out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>| {
        out.extend_from_slice(key);
        match value {
            Some(value) => cut |= escape::json(out, value),
            None => out.extend_from_slice(b"null"),
        }
    };
    out.extend_from_slice(b"{\"time\":\"");
    stamp.write_rfc3339(out);
    out.extend_from_slice(b"\",\"peer\":");
    if entry.peer.is_some() {
        out.push(b'"');
        host(out, entry.peer, b"");
        out.push(b'"');
    } else {
        out.extend_from_slice(b"null");
    }
    let method = parts.as_ref().and_then(|parts| parts.method);
    let target = parts.as_ref().map(|parts| parts.target);
    let version = parts.as_ref().and_then(|parts| parts.version);
    string(out, b",\"method\":", method);
    string(out, b",\"target\":", target);
    string(out, b",\"version\":", version);
    out.extend_from_slice(b",\"status\":");
    number(out, entry.status);
    out.extend_from_slice(b",\"bytes\":");
    number(out, entry.body_bytes);
    out.extend_from_slice(b",\"duration_us\":");
    match entry.duration {
        Some(duration) => number(out, u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
        None => out.extend_from_slice(b"null"),
    }
    string(out, b",\"referer\":", entry.referer);
    string(out, b",\"user_agent\":", entry.user_agent);
    if cut {
        out.extend_from_slice(b",\"cut\":true");
    }
    out.push(b'}');
}

/// Who asked, without the port. The name of a Unix socket is the client's choice and says nothing: it is left out.
fn host(out: &mut Vec<u8>, peer: Option<&Address>, absent: &[u8]) {
    match peer {
        None => out.extend_from_slice(absent),
        Some(Address::Unix(_)) => out.extend_from_slice(b"unix:"),
        Some(Address::Inet(address)) => match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                for (index, octet) in ip.octets().into_iter().enumerate() {
                    if index > 0 {
                        out.push(b'.');
                    }
                    number(out, octet);
                }
            }
            IpAddr::V6(ip) => {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{ip}");
            }
        },
    }
}

fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
