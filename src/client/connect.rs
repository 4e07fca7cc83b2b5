//! A TCP connection to the host of a URI.
//!
//! It knows names, addresses and time, and no byte of what is said afterwards.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::patience::deadline;
use super::{Error, Options};
use crate::ws::{Host, Uri};

/// How many of a name's addresses are tried. Honest names have a handful.
const ADDRESSES_MAX: usize = 16;

/// Connects to the first address that answers, in the resolver's order (RFC 6724), and sets the options.
pub(super) fn tcp(uri: &Uri<'_>, options: &Options<'_>) -> Result<TcpStream, Error> {
    let addresses = addresses(uri).map_err(Error::Resolve)?;
    let stream = first(&addresses, options.connect_timeout).map_err(Error::Connect)?;
    let set = || {
        // Frames are written whole: waiting for more of them (RFC 896) would only delay the last one.
        stream.set_nodelay(true)?;
        stream.set_write_timeout(options.write_timeout.map(at_least_a_moment))
    };
    set().map_err(Error::Connect)?;
    Ok(stream)
}

fn addresses(uri: &Uri<'_>) -> io::Result<Vec<SocketAddr>> {
    let port = uri.port();
    match uri.host() {
        Host::V4(address) => Ok(vec![(address, port).into()]),
        Host::V6(address) => Ok(vec![(address, port).into()]),
        Host::Name(name) => Ok((name, port)
            .to_socket_addrs()?
            .take(ADDRESSES_MAX)
            .collect()),
    }
}

fn first(addresses: &[SocketAddr], time: Duration) -> io::Result<TcpStream> {
    let until = deadline(time);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = until.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(address, at_least_a_moment(left)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A timeout of zero would be no timeout (`socket(7)`, SO_RCVTIMEO), and is refused by the standard library.
pub(super) fn at_least_a_moment(time: Duration) -> Duration {
    time.max(Duration::from_millis(1))
}
