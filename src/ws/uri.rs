//! Where a WebSocket is: `ws://` and `wss://` (RFC 6455 §3, in the grammar of RFC 3986).
//!
//! ```text
//!   wss://example.org:8443/chat/room?name=x
//!   └┬┘   └───┬─────┘ └┬─┘└───┬────┘ └─┬──┘
//!   scheme   host     port   path     query
//!            └── Host field ──┘└─ resource name ─┘     what the handshake says of it
//! ```
//!
//! All parts are borrowed from the text. It is as strict as the grammar, because what the server's parser would refuse,
//! or read in another way, is better refused here. It resolves no name, decodes nothing, and follows nothing.
#![forbid(unsafe_code)]

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// The longest scheme that [`UriError::Scheme`] repeats. Longer ones are cut.
const SCHEME_BYTES_MAX: usize = 16;

/// A checked `ws` or `wss` URI.
///
/// ```
/// use longshore::ws::Uri;
/// let uri = Uri::parse("ws://example.org:8080?room=7")?;
/// assert_eq!(uri.host_field().to_string(), "example.org:8080");
/// assert_eq!(uri.resource_name().to_string(), "/?room=7");
/// assert!(!uri.is_secure());
/// # Ok::<(), longshore::ws::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'u> {
    secure: bool,
    host: Host<'u>,
    /// As it was written, with the brackets of an IPv6 address.
    host_text: &'u str,
    port: u16,
    path: &'u str,
    query: Option<&'u str>,
}

/// Whom to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host<'u> {
    /// A name, to be resolved; never empty.
    Name(&'u str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, which a URI has in brackets.
    V6(Ipv6Addr),
}

impl<'u> Uri<'u> {
    /// Reads a whole URI. The scheme may be in any case; a missing or empty port is 80, or 443 with `wss`.
    ///
    /// # Errors
    /// [`UriError`], for the first part that is wrong, from left to right.
    pub fn parse(text: &'u str) -> Result<Self, UriError> {
        let Some((scheme, rest)) = text.split_once("://").filter(|(name, _)| is_scheme(name))
        else {
            return Err(UriError::NoScheme);
        };
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(UriError::Scheme(OtherScheme::new(scheme)));
        }
        let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_len);
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, host_text, after) = host(authority)?;
        let port = port(after)?.unwrap_or(default_port(secure));
        check_bytes(rest, text.len() - rest.len())?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Ok(Self {
            secure,
            host,
            host_text,
            port,
            path,
            query,
        })
    }

    /// Whether the scheme is `wss`: WebSocket over TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whom to connect to.
    pub const fn host(&self) -> Host<'u> {
        self.host
    }

    /// The port to connect to, 1 to 65535.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path, `/` if the URI has none.
    pub const fn path(&self) -> &'u str {
        if self.path.is_empty() { "/" } else { self.path }
    }

    /// What stands behind the first `?`.
    pub const fn query(&self) -> Option<&'u str> {
        self.query
    }

    /// What the Host field says: the host, and the port unless it is the scheme's own (RFC 6455 §4.1).
    pub const fn host_field(&self) -> HostField<'u> {
        let is_default = self.port == default_port(self.secure);
        HostField {
            host: self.host_text,
            port: if is_default { None } else { Some(self.port) },
        }
    }

    /// What the request line asks for: path and query (RFC 6455 §3, "resource name").
    pub const fn resource_name(&self) -> ResourceName<'u> {
        ResourceName {
            path: self.path(),
            query: self.query,
        }
    }
}

impl<'u> TryFrom<&'u str> for Uri<'u> {
    type Error = UriError;

    fn try_from(text: &'u str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

/// The URI in its usual form: scheme in lower case, no default port, a path.
impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let (host, name) = (self.host_field(), self.resource_name());
        write!(f, "{scheme}://{host}{name}")
    }
}

/// The value of the Host field; see [`Uri::host_field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostField<'u> {
    host: &'u str,
    port: Option<u16>,
}

impl fmt::Display for HostField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// The target of the request; see [`Uri::resource_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceName<'u> {
    path: &'u str,
    query: Option<&'u str>,
}

impl fmt::Display for ResourceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)?;
        match self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// RFC 3986 §3.1.
fn is_scheme(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Splits an authority into its host and what stands behind it, `:` and port.
fn host(authority: &str) -> Result<(Host<'_>, &str, &str), UriError> {
    if let Some(inside) = authority.strip_prefix('[') {
        // The standard parser takes no zone (`%eth0`), as RFC 3986 §3.2.2 wants it.
        let (address, after) = inside.split_once(']').ok_or(UriError::Host)?;
        let parsed = address.parse().map_err(|_| UriError::Host)?;
        return Ok((Host::V6(parsed), &authority[..address.len() + 2], after));
    }
    let end = authority.find(':').unwrap_or(authority.len());
    let (name, after) = authority.split_at(end);
    if name.is_empty() {
        return Err(UriError::EmptyHost);
    }
    if let Ok(address) = name.parse() {
        return Ok((Host::V4(address), name, after));
    }
    if !name.bytes().all(is_name_byte) || is_numeric(name) {
        return Err(UriError::Host);
    }
    Ok((Host::Name(name), name, after))
}

/// A byte of a registered name (RFC 3986 §3.2.2), without those that no resolver knows: percent-encoding and commas.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

/// Whether resolvers would read this as an address in one of its old forms, `127.1`, `0x7f000001` or `010.0.0.1`: the same
/// text would be a name for one program and an address for another.
fn is_numeric(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads `:` and a port, of which both may be missing (RFC 3986 §3.2.3).
fn port(text: &str) -> Result<Option<u16>, UriError> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() {
            Ok(None)
        } else {
            Err(UriError::Host) // something behind the brackets
        };
    };
    if digits.is_empty() {
        return Ok(None);
    }
    let number = digits.bytes().try_fold(0_u16, |number, digit| {
        let value = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(value)
    });
    number
        .filter(|&port| port > 0)
        .map(Some)
        .ok_or(UriError::Port)
}

/// Checks path and query (RFC 3986 §3.3, §3.4), which begin at byte `start` of the URI.
fn check_bytes(text: &str, start: usize) -> Result<(), UriError> {
    let bytes = text.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        let at = start + index;
        match byte {
            _ if is_plain(byte) => {}
            b'%' => match bytes.get(index + 1..index + 3) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
                _ => return Err(UriError::Percent { at }),
            },
            b'#' => return Err(UriError::Fragment),
            _ => return Err(UriError::Byte { byte, at }),
        }
    }
    Ok(())
}

/// What path and query may hold as it stands: unreserved, sub-delims and `:@/?` (RFC 3986 §2).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte)
}

/// Why a text is no WebSocket URI. Positions count bytes from the text's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// It does not begin with a scheme and `://`.
    NoScheme,
    /// The scheme is neither `ws` nor `wss`.
    Scheme(OtherScheme),
    /// A name or password before `@`, which WebSocket URIs do not have (RFC 6455 §3).
    UserInfo,
    /// There is no host.
    EmptyHost,
    /// The host is neither a name, nor an IPv4 address, nor an IPv6 address in brackets.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// A `#`, which WebSocket URIs do not have; as a part of path or query it is `%23` (RFC 6455 §3).
    Fragment,
    /// A `%` without two hexadecimal digits.
    Percent {
        /// Where it stands.
        at: usize,
    },
    /// A byte that a path or query cannot hold unencoded: a space, a control byte, `"<>[]\^{|}` or the backtick, or not
    /// ASCII.
    Byte {
        /// The byte.
        byte: u8,
        /// Where it stands.
        at: usize,
    },
}

/// The scheme of a URI that is no WebSocket's, in lower case, at most its first 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherScheme {
    bytes: [u8; SCHEME_BYTES_MAX],
    len: u8,
}

impl OtherScheme {
    fn new(scheme: &str) -> Self {
        let mut bytes = [0; SCHEME_BYTES_MAX];
        let len = scheme.len().min(SCHEME_BYTES_MAX);
        bytes[..len].copy_from_slice(&scheme.as_bytes()[..len]);
        bytes.make_ascii_lowercase();
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// The scheme.
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.len)];
        core::str::from_utf8(bytes).expect("a scheme is ASCII, checked before it is kept")
    }
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "it does not begin with ws:// or wss://",
            Self::Scheme(scheme) => {
                let scheme = scheme.as_str();
                return match scheme {
                    "http" => f.write_str("the scheme is http; for a WebSocket it is ws"),
                    "https" => f.write_str("the scheme is https; for a WebSocket it is wss"),
                    _ => write!(f, "the scheme is {scheme}, not ws or wss"),
                };
            }
            Self::UserInfo => "it holds a user name, and WebSocket URIs have none",
            Self::EmptyHost => "it names no host",
            Self::Host => "the host is no name, IPv4 address, or IPv6 address in brackets",
            Self::Port => "the port is no number from 1 to 65535",
            Self::Fragment => "it has a fragment; a # that belongs to path or query is %23",
            Self::Percent { at } => {
                return write!(f, "the % at byte {at} is not followed by two hex digits");
            }
            Self::Byte { byte, at } => {
                let shown = byte.escape_ascii();
                return write!(f, "`{shown}` at byte {at} must be percent-encoded");
            }
        })
    }
}

impl core::error::Error for UriError {}

#[cfg(test)]
mod tests;
