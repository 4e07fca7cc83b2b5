//! Reading an address from text, and saying what to write instead.
//!
//! [`FromStr`] takes literals only and asks nobody. [`Address::resolve`] also takes host names and may wait for the
//! network's name service.
#![forbid(unsafe_code)]

use super::text::unescape;
use super::{Address, SUN_PATH_BYTES_MAX, UnixName};
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::str::FromStr;

/// Why a text is no address; printing it says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is empty.
    Empty,
    /// `:8080`, or a bare `8080`: on which interface? Holds the port.
    NoHost(String),
    /// `127.0.0.1` or `example.org`: on which port? Holds the host.
    NoPort(String),
    /// The port is no number from 0 to 65535. Holds what stood there.
    BadPort(String),
    /// `::1:8080`: an IPv6 address needs brackets before its port. Holds the text.
    NoBrackets(String),
    /// `[::1` or `[x]:80`: what the brackets hold is no IPv6 address. Holds the text.
    BadBrackets(String),
    /// `http://…`: an address has no scheme and no path. Holds the text.
    Url(String),
    /// A host name, where only literals are taken. Holds the text.
    HostName(String),
    /// The name service knows no such host. Holds the text and the reason.
    Unresolved(String, String),
    /// `unix:` or `unix:@` without a name.
    NoName,
    /// The name of a Unix socket is too long. Holds its length in bytes.
    NameTooLong(usize),
    /// The path of a Unix socket holds a NUL.
    NulInPath,
    /// A backslash that starts neither `\\` nor `\xNN`. Holds the name.
    BadEscape(String),
}

impl Display for AddressError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "the address is empty: write 127.0.0.1:8080, [::1]:8080 or unix:/run/name.sock"
            ),
            Self::NoHost(port) => write!(
                f,
                "port {port} on which host? write 127.0.0.1:{port} for this machine only, \
                 0.0.0.0:{port} for every IPv4 interface, [::]:{port} for every interface"
            ),
            Self::NoPort(host) => write!(f, "{host} has no port: write {host}:8080"),
            Self::BadPort(port) => write!(f, "'{port}' is no port: write a number up to 65535"),
            Self::NoBrackets(text) => write!(
                f,
                "{text} is IPv6 without brackets: write [address]:port, as in [::1]:8080"
            ),
            Self::BadBrackets(text) => write!(
                f,
                "{text} holds no IPv6 address in its brackets: write [::1]:8080"
            ),
            Self::Url(text) => write!(
                f,
                "{text} is a URL: write only its host and port, as in 127.0.0.1:8080"
            ),
            Self::HostName(text) => write!(
                f,
                "{text} starts with a host name, and only literal addresses are taken here: write 127.0.0.1:8080 or \
                 [::1]:8080"
            ),
            Self::Unresolved(text, why) => write!(
                f,
                "{text} names no known host ({why}): check the name, or write its address"
            ),
            Self::NoName => write!(
                f,
                "unix: has no name: write unix:/run/name.sock or unix:@name"
            ),
            Self::NameTooLong(len) => write!(
                f,
                "the socket's name has {len} bytes and {SUN_PATH_BYTES_MAX} is the most: write a shorter path, or an \
                 abstract name as in unix:@name"
            ),
            Self::NulInPath => write!(
                f,
                "the socket's path holds a NUL: write a path without it, or unix:@name for an abstract name"
            ),
            Self::BadEscape(name) => write!(
                f,
                "{name} has a backslash that starts no escape: write \\\\ for a backslash, \\xNN for a byte"
            ),
        }
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads a literal: `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@abstract`. Never asks the name service.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        match split(text)? {
            Target::Done(address) => Ok(address),
            Target::HostName { .. } => Err(AddressError::HostName(text.to_owned())),
        }
    }
}

impl Address {
    /// Reads an address as [`FromStr`] does, and host names too: `localhost:80` becomes the first address that the name
    /// service gives for it.
    ///
    /// Blocks until the name service answers (`getaddrinfo(3)`), for a literal never: call it at start, not in a loop.
    ///
    /// # Errors
    ///
    /// [`AddressError`]; its text says what to write instead.
    ///
    /// ```
    /// use longshore::sys::Address;
    ///
    /// let address = Address::resolve("127.0.0.1:8080")?;
    /// assert_eq!(address.to_string(), "127.0.0.1:8080");
    /// # Ok::<(), longshore::sys::AddressError>(())
    /// ```
    pub fn resolve(text: &str) -> Result<Address, AddressError> {
        let (host, port) = match split(text)? {
            Target::Done(address) => return Ok(address),
            Target::HostName { host, port } => (host, port),
        };
        let unresolved = |why: String| AddressError::Unresolved(text.to_owned(), why);
        let first = (host, port)
            .to_socket_addrs()
            .map_err(|error| unresolved(error.to_string()))?
            .next();
        first
            .map(Address::Inet)
            .ok_or_else(|| unresolved("it has no address".to_owned()))
    }
}

enum Target<'a> {
    Done(Address),
    HostName { host: &'a str, port: u16 },
}

fn split(text: &str) -> Result<Target<'_>, AddressError> {
    if let Some(name) = text.strip_prefix("unix:") {
        return unix(name).map(|name| Target::Done(Address::Unix(name)));
    }
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Target::Done(Address::Inet(address)));
    }
    if text.contains('/') {
        return Err(AddressError::Url(text.to_owned()));
    }
    if text.starts_with('[') {
        return Err(brackets(text));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::NoBrackets(text.to_owned()));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(if text.bytes().all(|b| b.is_ascii_digit()) {
            AddressError::NoHost(text.to_owned())
        } else {
            AddressError::NoPort(text.to_owned())
        });
    };
    if host.contains(':') {
        return Err(AddressError::NoBrackets(text.to_owned()));
    }
    // `u16` alone would also read "+80".
    let Some(number) = Some(port)
        .filter(|port| port.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|port| port.parse().ok())
    else {
        return Err(AddressError::BadPort(port.to_owned()));
    };
    if host.is_empty() || host == "*" {
        return Err(AddressError::NoHost(port.to_owned()));
    }
    Ok(Target::HostName { host, port: number })
}

/// What is wrong with a text in brackets that is not an address with a port.
fn brackets(text: &str) -> AddressError {
    let inside = text
        .strip_prefix('[')
        .and_then(|text| text.split_once(']'))
        .filter(|(ip, _)| matches!(ip.parse(), Ok(IpAddr::V6(_))));
    match inside {
        None => AddressError::BadBrackets(text.to_owned()),
        Some((_, "")) => AddressError::NoPort(text.to_owned()),
        Some((_, port)) => AddressError::BadPort(port.trim_start_matches(':').to_owned()),
    }
}

fn unix(text: &str) -> Result<UnixName, AddressError> {
    let (text, is_abstract) = match text.strip_prefix('@') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let bytes = unescape(text)?;
    if bytes.is_empty() {
        return Err(AddressError::NoName);
    }
    if bytes.len() > SUN_PATH_BYTES_MAX {
        return Err(AddressError::NameTooLong(bytes.len()));
    }
    if is_abstract {
        return Ok(UnixName::Abstract(bytes));
    }
    if bytes.contains(&0) {
        return Err(AddressError::NulInPath);
    }
    Ok(UnixName::Path(PathBuf::from(OsString::from_vec(bytes))))
}
