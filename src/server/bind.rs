//! Binding addresses: every worker gets a listener of its own, and mistakes get a helpful sentence.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::BackendError;
use crate::driver::{ListenOptions, Listener};
use crate::sys::{
    self, Address, FileKind, Kind, Mode, SocketOption, ThreadProbe, ToldFd, UnixName,
};

/// Why a server does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// An address cannot be listened on.
    Listen {
        /// The address as it was asked for.
        address: Address,
        /// What the kernel said.
        error: io::Error,
    },
    /// A path is taken by something that is not a stale socket.
    Path {
        /// The path of the Unix socket.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The backend cannot be used.
    Backend(BackendError),
    /// No address was named.
    NoAddress,
    /// A worker could not be set up, or its driver failed.
    Worker(io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, error } => {
                write!(f, "cannot listen on {address}: {error}")?;
                f.write_str(advice(address, error))
            }
            Self::Path { path, problem } => {
                write!(f, "cannot listen on unix:{}: {problem}", path.display())
            }
            Self::Backend(error) => error.fmt(f),
            Self::NoAddress => f.write_str("no address to listen on"),
            Self::Worker(error) => write!(f, "a worker failed: {error}"),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { error, .. } | Self::Worker(error) => Some(error),
            Self::Backend(error) => Some(error),
            Self::Path { .. } | Self::NoAddress => None,
        }
    }
}

fn advice(address: &Address, error: &io::Error) -> &'static str {
    match (error.raw_os_error(), address) {
        (Some(libc::EADDRINUSE), Address::Inet(_)) => {
            "; another program listens there: stop it, choose another port, or share the port with --reuse-port"
        }
        (Some(libc::EADDRINUSE), _) => "; another program listens there",
        (Some(libc::EACCES), Address::Inet(inet)) if inet.port() < 1024 => {
            "; ports below 1024 are privileged: choose a higher one or give the program CAP_NET_BIND_SERVICE"
        }
        (Some(libc::EADDRNOTAVAIL), _) => "; no interface of this machine has that address",
        (Some(libc::EAFNOSUPPORT), _) => "; this kernel has no such address family",
        (Some(libc::ENOENT), _) => "; the directory does not exist",
        _ => "",
    }
}

/// How to bind.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) backlog: u32,
    pub(super) workers: usize,
    /// Share the port even with other programs.
    pub(super) reuse_port: bool,
    /// Permission bits of a Unix socket's path.
    pub(super) unix_mode: Option<u32>,
    pub(super) options: Vec<SocketOption>,
}

/// One address, bound for every worker.
#[derive(Debug)]
pub(super) struct BoundAddress {
    pub(super) address: Address,
    /// One listener for each worker.
    pub(super) listeners: Vec<Listener>,
    /// Removes the path of a Unix socket at the end.
    pub(super) path: Option<OwnedPath>,
}

impl Binding {
    /// Binds `address` once for each worker.
    pub(super) fn bind(&self, address: &Address) -> Result<BoundAddress, ServerError> {
        match address {
            Address::Unix(UnixName::Path(path)) => self.bind_path(address, path),
            Address::Unix(_) => self.shared(address, self.open(address)?, None),
            Address::Inet(_) => self.bind_inet(address),
        }
    }

    fn bind_inet(&self, address: &Address) -> Result<BoundAddress, ServerError> {
        let listen = |error| ServerError::Listen {
            address: address.clone(),
            error,
        };
        if !self.reuse_port {
            refuse_shared_port(address).map_err(listen)?;
        }
        let how = self.options(address, self.workers > 1 || self.reuse_port);
        let first = Listener::open(&mut ThreadProbe, address, &how).map_err(listen)?;
        // Port 0 is resolved once; the others must get the same port.
        let resolved = first.address.clone();
        let mut listeners = vec![first];
        for _ in 1..self.workers {
            listeners.push(Listener::open(&mut ThreadProbe, &resolved, &how).map_err(listen)?);
        }
        Ok(BoundAddress {
            address: resolved,
            listeners,
            path: None,
        })
    }

    /// The one socket of a Unix address.
    fn open(&self, address: &Address) -> Result<Listener, ServerError> {
        Listener::open(&mut ThreadProbe, address, &self.options(address, false)).map_err(|error| {
            ServerError::Listen {
                address: address.clone(),
                error,
            }
        })
    }

    /// Unix sockets have no SO_REUSEPORT (EOPNOTSUPP): the workers share one socket.
    fn shared(
        &self,
        address: &Address,
        first: Listener,
        path: Option<OwnedPath>,
    ) -> Result<BoundAddress, ServerError> {
        let mut listeners = vec![first];
        for _ in 1..self.workers {
            let again = listeners[0].duplicate();
            listeners.push(again.map_err(|error| ServerError::Listen {
                address: address.clone(),
                error,
            })?);
        }
        Ok(BoundAddress {
            address: address.clone(),
            listeners,
            path,
        })
    }

    fn bind_path(&self, address: &Address, path: &Path) -> Result<BoundAddress, ServerError> {
        let listen = |error| ServerError::Listen {
            address: address.clone(),
            error,
        };
        clear_stale(address, path, Kind::Stream)?;
        let first = self.open(address)?;
        // From here on the path goes with whatever fails.
        let owned = OwnedPath::new(path).map_err(listen)?;
        if let Some(mode) = self.unix_mode {
            sys::chmod(&mut ThreadProbe, path, mode).map_err(listen)?;
        }
        self.shared(address, first, Some(owned))
    }

    /// The options that mean something at this address: others are asked for other addresses of the server.
    fn options(&self, address: &Address, reuse_port: bool) -> ListenOptions {
        let fits = |option: &&SocketOption| option.fits(address);
        ListenOptions {
            backlog: self.backlog,
            reuse_port,
            options: self.options.iter().filter(fits).copied().collect(),
        }
    }
}

/// Binds once without SO_REUSEPORT, which fails where anybody listens, and lets go again.
fn refuse_shared_port(address: &Address) -> io::Result<()> {
    let probe = &mut ThreadProbe;
    let fd = sys::socket(probe, address.family(), Kind::Stream, Mode::Nonblocking)?;
    let fd = ToldFd::from(fd);
    sys::setsockopt(probe, fd.as_fd(), &SocketOption::ReuseAddress(true))?;
    if matches!(address, Address::Inet(inet) if inet.is_ipv6()) {
        sys::setsockopt(probe, fd.as_fd(), &SocketOption::OnlyV6(true))?;
    }
    sys::bind(probe, fd.as_fd(), address)?;
    sys::close(probe, fd.into())
}

/// Removes the path of a socket on which nobody listens any more. Anything else stays, and is an error.
pub(super) fn clear_stale(address: &Address, path: &Path, kind: Kind) -> Result<(), ServerError> {
    let taken = |problem| {
        Err(ServerError::Path {
            path: path.to_owned(),
            problem,
        })
    };
    let probe = &mut ThreadProbe;
    let Ok(stat) = sys::lstat(probe, path) else {
        return Ok(());
    };
    if stat.kind != FileKind::Socket {
        return taken("the path exists and is not a socket; remove it or choose another path");
    }
    let connected = sys::socket(probe, address.family(), kind, Mode::Nonblocking)
        .map(ToldFd::from)
        .and_then(|fd| sys::connect(probe, fd.as_fd(), address));
    match connected.as_ref().map_err(io::Error::raw_os_error) {
        Err(Some(libc::ECONNREFUSED)) => sys::unlink(probe, path).or_else(|_| {
            taken("the path is a socket that nobody listens on, and it cannot be removed")
        }),
        Err(Some(libc::EACCES | libc::EPERM)) => taken("the path is a socket of another user"),
        _ => taken("another program listens there"),
    }
}

/// The path of a socket that we made. Removed when dropped, unless somebody has put another file there.
#[derive(Debug)]
pub(super) struct OwnedPath {
    path: PathBuf,
    identity: (u64, u64),
}

impl OwnedPath {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

/// What tells the file of a name from every other one that there is now.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let stat = sys::lstat(&mut ThreadProbe, path)?;
    Ok((stat.device, stat.inode))
}

impl Drop for OwnedPath {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Nobody is left to tell if it fails; the next start finds a stale socket and removes it.
            let _ = sys::unlink(&mut ThreadProbe, &self.path);
        }
    }
}
