//! Where a socket is: an IP address with a port, or a name of the Unix family.
//!
//! ```text
//!   text  "127.0.0.1:80"  "unix:/run/x"  "unix:@name"
//!     │ FromStr, resolve      ▲ Display
//!     ▼                       │
//!          Address { Inet, Unix }
//!     │ to_sockaddr           ▲ from_sockaddr, from_raw
//!     ▼                       │
//!   struct sockaddr_in / sockaddr_in6 / sockaddr_un
//! ```
//!
//! It does not know whether anything listens there.

use super::Family;
use std::net::SocketAddr;
use std::path::PathBuf;

mod parse;
mod raw;
mod text;

#[cfg(test)]
mod tests;

pub use parse::AddressError;

/// The longest path, in bytes, that a Unix socket can be bound to: `sun_path` less its ending NUL (`unix(7)`).
///
/// An abstract name may be as long, its leading NUL counted apart.
pub const SUN_PATH_BYTES_MAX: usize = 107;

/// The address of a socket.
///
/// Parse it from text, print it back: [`Display`](std::fmt::Display) is the inverse of
/// [`FromStr`](std::str::FromStr), except that an unnamed Unix socket prints as `unix:`, which nothing can bind to.
///
/// ```
/// use longshore::sys::{Address, Family};
///
/// let address: Address = "[::1]:8080".parse().expect("a literal");
/// assert_eq!(address.family(), Family::Inet6);
/// assert_eq!(address.to_string(), "[::1]:8080");
///
/// let address: Address = "unix:@chat".parse().expect("an abstract name");
/// assert!(address.is_unix());
///
/// let error = ":8080".parse::<Address>().expect_err("which host?");
/// assert!(error.to_string().contains("0.0.0.0:8080"), "the error says what to write instead");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IPv4 or IPv6 address and a port: `127.0.0.1:80`, `[::1]:80` (`ip(7)`, `ipv6(7)`).
    Inet(SocketAddr),
    /// A name of the Unix family: `unix:/run/x.sock`, `unix:@name` (`unix(7)`).
    Unix(UnixName),
}

/// What a Unix socket is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UnixName {
    /// A file; it stays behind when the socket closes. At most [`SUN_PATH_BYTES_MAX`] bytes, not empty, no NUL.
    Path(PathBuf),
    /// A name without a file, gone with the socket. The leading NUL is not part of it; any byte may be.
    Abstract(Vec<u8>),
    /// No name: a client that was not bound, or one end of a pair. Binding to it lets the kernel choose an abstract
    /// name.
    Unnamed,
}

impl Address {
    /// The family that a socket for this address must have.
    #[inline]
    pub fn family(&self) -> Family {
        match self {
            Address::Inet(SocketAddr::V4(_)) => Family::Inet,
            Address::Inet(SocketAddr::V6(_)) => Family::Inet6,
            Address::Unix(_) => Family::Unix,
        }
    }

    /// Whether the address is of the Unix family.
    #[inline]
    pub fn is_unix(&self) -> bool {
        matches!(self, Address::Unix(_))
    }

    /// The IP address and port, if it has them.
    #[inline]
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Address::Inet(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::Inet(address)
    }
}
