//! What to connect to, read from the command line.
//!
//! ```text
//!   127.0.0.1:7007  tcp://localhost:7007        a byte stream
//!   udp://[::1]:7007                            datagrams
//!   unix:/run/x.sock  unix-datagram:@parrot     the same within this machine
//!   http://localhost:8080/json  ws://localhost:8080/ws
//! ```
//!
//! It resolves no name and connects to nothing: a mistake here is one on the command line, and ends with code 2.

use std::net::SocketAddr;
use std::str::FromStr;

use longshore::sys::{Address, AddressError};
use longshore::ws::{Host, Uri, UriError};

/// What to connect to, and how to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stream(Place),
    Datagrams(Place),
    /// The URL, which [`Uri`] has read with the scheme `ws`.
    Http(String),
    /// The URL.
    WebSocket(String),
}

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A literal.
    Address(Address),
    /// A name, to be resolved.
    Name(String, u16),
}

impl Place {
    /// The host and port that a URL names.
    pub(super) fn of(uri: &Uri<'_>) -> Self {
        let port = uri.port();
        let literal = |address| Place::Address(Address::Inet(address));
        match uri.host() {
            Host::Name(name) => Place::Name(name.to_owned(), port),
            Host::V4(ip) => literal(SocketAddr::from((ip, port))),
            Host::V6(ip) => literal(SocketAddr::from((ip, port))),
        }
    }
}

impl Place {
    /// `None` for a Unix socket.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Place::Address(address) => address.inet().map(|inet| inet.port()),
            Place::Name(_, port) => Some(*port),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Address(address) => address.fmt(f),
            Place::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Address>() {
            Ok(address) => Ok(Place::Address(address)),
            Err(AddressError::HostName(_)) => {
                let split = text.rsplit_once(':');
                let place = split.and_then(|(name, port)| {
                    Some(Place::Name(name.to_owned(), port.parse().ok()?))
                });
                place.ok_or_else(|| format!("{text} has no port: write host:port"))
            }
            // The advice of the address itself is for who listens.
            Err(AddressError::NoHost(port)) => Err(format!(
                "port {port} of which host? write localhost:{port} for this machine"
            )),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("unix-datagram:") {
            return Ok(Target::Datagrams(format!("unix:{name}").parse()?));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return text.parse().map(Target::Stream);
        };
        match scheme.to_ascii_lowercase().as_str() {
            // A slash behind the port is how URLs are written.
            "tcp" => inet(rest.strip_suffix('/').unwrap_or(rest)).map(Target::Stream),
            "udp" => inet(rest.strip_suffix('/').unwrap_or(rest)).map(Target::Datagrams),
            "http" => {
                // The fragment is for who shows the page, and never sent (RFC 9110 §7.1). A ws URI has none.
                let sent = rest.split('#').next().unwrap_or_default();
                let url = format!("ws://{sent}");
                Uri::parse(&url).map_err(|error| match error {
                    UriError::UserInfo => {
                        "it holds a user name: write --header 'Authorization: …' instead".to_owned()
                    }
                    other => other.to_string(),
                })?;
                Ok(Target::Http(url))
            }
            "ws" => {
                Uri::parse(text).map_err(|error| error.to_string())?;
                Ok(Target::WebSocket(text.to_owned()))
            }
            secure @ ("https" | "wss") => Err(format!(
                "{secure} needs TLS, which longshore does not have yet: use {}://",
                if secure == "https" { "http" } else { "ws" }
            )),
            "unix" => Err(format!(
                "write unix:{rest}, without slashes behind the colon"
            )),
            other => Err(format!(
                "'{other}' is none of tcp, udp, unix, unix-datagram, http and ws"
            )),
        }
    }
}

fn inet(text: &str) -> Result<Place, String> {
    match text.parse()? {
        Place::Address(Address::Unix(_)) => Err("write unix:PATH without a scheme".to_owned()),
        place => Ok(place),
    }
}
