//! A socket to be reached at: socket, bind, and for streams listen.
//!
//! It does not know who accepts, and how.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use longshore::sys::{
    self, Address, FileKind, Kind, Mode, Probe, SocketOption, ThreadProbe, UnixName,
};

use super::Terms;

/// The longest that a datagram waits for its receiver's queue, which another program of this machine may leave full.
const DATAGRAM_SEND_MAX: Duration = Duration::from_millis(100);

/// A bound socket.
pub(super) struct Place {
    pub(super) fd: OwnedFd,
    /// Port 0 is resolved.
    pub(super) address: Address,
    /// Removes the path of a Unix socket at the end.
    pub(super) path: Option<OwnedPath>,
}

impl Place {
    /// Blocking, and inherited by what is accepted: no waiting for a full segment (TCP_NODELAY).
    pub(super) fn open(
        probe: &mut impl Probe,
        terms: &Terms,
        address: &Address,
    ) -> Result<Self, String> {
        let (kind, at) = (terms.transport.kind(), terms.transport.at(address));
        if let Address::Unix(UnixName::Path(path)) = address {
            clear_stale(probe, kind, address, path)
                .map_err(|why| format!("cannot listen on {at}: {why}"))?;
        }
        bound(probe, kind, terms.backlog, address).map_err(|error| {
            let advice = advice(address, &error);
            format!("cannot listen on {at}: {error}{advice}")
        })
    }
}

fn bound(probe: &mut impl Probe, kind: Kind, backlog: u32, address: &Address) -> io::Result<Place> {
    let fd = sys::socket(probe, address.family(), kind, Mode::Blocking)?;
    match prepared(probe, fd.as_fd(), kind, backlog, address) {
        Ok((address, path)) => Ok(Place { fd, address, path }),
        Err(error) => {
            // Not by being dropped, which no probe would see. What failed before is what counts.
            let _ = sys::close(probe, fd);
            Err(error)
        }
    }
}

/// Gives a socket its options and its address; that, resolved, and the path to be removed at the end.
fn prepared(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    kind: Kind,
    backlog: u32,
    address: &Address,
) -> io::Result<(Address, Option<OwnedPath>)> {
    match kind {
        Kind::Stream if !address.is_unix() => {
            // Without it a restart fails with EADDRINUSE while old connections are in TIME_WAIT (tcp(7)).
            sys::setsockopt(probe, fd, &SocketOption::ReuseAddress(true))?;
            sys::setsockopt(probe, fd, &SocketOption::NoDelay(true))?;
        }
        Kind::Stream => {}
        Kind::Datagram => {
            let limit = SocketOption::SendTimeout(DATAGRAM_SEND_MAX);
            sys::setsockopt(probe, fd, &limit)?;
        }
    }
    sys::bind(probe, fd, address)?;
    let path = match address {
        Address::Unix(UnixName::Path(path)) => Some(OwnedPath::new(probe, path)?),
        _ => None,
    };
    if kind == Kind::Stream {
        sys::listen(probe, fd, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    }
    Ok((sys::getsockname(probe, fd)?, path))
}

pub(super) fn advice(address: &Address, error: &io::Error) -> &'static str {
    match (error.raw_os_error(), address) {
        (Some(libc::EADDRINUSE), _) => {
            "; another program has it: stop that, or choose another address with -l"
        }
        (Some(libc::EACCES), Address::Inet(inet)) if inet.port() < 1024 => {
            "; ports below 1024 are privileged: choose a higher one with -l"
        }
        (Some(libc::EADDRNOTAVAIL), _) => {
            "; no interface of this machine has that address: choose another with -l"
        }
        (Some(libc::ENOENT), _) => "; the directory does not exist: create it",
        _ => "",
    }
}

/// Removes the path of a socket at which nobody is any more. Anything else stays, and is an error.
fn clear_stale(
    probe: &mut impl Probe,
    kind: Kind,
    address: &Address,
    path: &Path,
) -> Result<(), &'static str> {
    let Ok(stat) = sys::lstat(probe, path) else {
        return Ok(());
    };
    if stat.kind != FileKind::Socket {
        return Err("the path exists and is not a socket; remove it or choose another path");
    }
    let socket = sys::socket(probe, address.family(), kind, Mode::Nonblocking);
    let connected = socket.and_then(|fd| {
        let connected = sys::connect(probe, fd.as_fd(), address);
        let _ = sys::close(probe, fd);
        connected
    });
    match connected.map_err(|error| error.raw_os_error()) {
        Err(Some(libc::ECONNREFUSED)) => sys::unlink(probe, path)
            .map_err(|_| "the path is a socket that nobody has, and it cannot be removed"),
        Err(Some(libc::EACCES | libc::EPERM)) => Err("the path is a socket of another user"),
        _ => Err("another program has it; stop that, or choose another path"),
    }
}

/// The path of a socket that we made. Removed when dropped, unless somebody has put another file there.
pub(super) struct OwnedPath {
    path: PathBuf,
    identity: (u64, u64),
}

impl OwnedPath {
    fn new(probe: &mut impl Probe, path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(probe, path)?,
        })
    }
}

/// What tells the file of a name from every other one that there is now.
fn identity(probe: &mut impl Probe, path: &Path) -> io::Result<(u64, u64)> {
    let stat = sys::lstat(probe, path)?;
    Ok((stat.device, stat.inode))
}

impl Drop for OwnedPath {
    fn drop(&mut self) {
        let probe = &mut ThreadProbe;
        if identity(probe, &self.path).is_ok_and(|now| now == self.identity) {
            // Nobody is left to tell if it fails; the next start finds a stale socket and removes it.
            let _ = sys::unlink(probe, &self.path);
        }
    }
}
