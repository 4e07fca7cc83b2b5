//! What a server shall be: addresses, backend, workers, limits.

use std::io;
use std::time::Duration;

use super::bind::{Binding, ServerError};
use super::compression::Compressor;
use super::run::Bound;
use super::{AccessLog, Backend};
use crate::limits::Limits;
use crate::sys::{self, Address, SocketOption};

/// How many connections may wait to be accepted by default. The kernel caps it at `net.core.somaxconn`, 4096 too.
const BACKLOG: u32 = 4096;

/// How many threads serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Workers {
    /// One for each processor that the program may use. The default.
    #[default]
    Auto,
    /// This many, at least one.
    Count(usize),
}

/// What a server shall be. Made with [`Server::new`], bound with [`Server::bind`], run with [`Bound::run`].
///
/// ```
/// use longshore::{Backend, Handler, Replied, Reply, Request, Server, Workers};
///
/// struct Hello;
///
/// impl Handler for Hello {
///     type Connection = ();
///     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         reply.text("Hello, World!")
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bound = Server::new()
///     .listen("127.0.0.1:0".parse()?)
///     .backend(Backend::Epoll)
///     .workers(Workers::Count(1))
///     .bind()?;
/// println!("listening on {}", bound.addresses().next().expect("one address"));
/// let stopper = bound.stopper();
/// # stopper.stop();
/// bound.run(|_worker| Hello)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) addresses: Vec<Address>,
    pub(super) backend: Backend,
    pub(super) workers: Workers,
    pub(super) pin: bool,
    pub(super) backlog: u32,
    pub(super) reuse_port: bool,
    pub(super) unix_mode: Option<u32>,
    pub(super) count_calls: bool,
    pub(super) busy_poll: Duration,
    pub(super) own_tables: bool,
    pub(super) connections_max: Option<u32>,
    pub(super) options: Vec<SocketOption>,
    pub(super) limits: Limits,
    pub(super) access_log: Option<AccessLog>,
    pub(super) peer_addresses: bool,
    #[cfg(feature = "trace")]
    pub(super) trace: Option<crate::trace::Trace>,
    #[cfg(feature = "gzip")]
    pub(super) compression: Option<super::Compression>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server with defaults, and no address yet.
    pub fn new() -> Self {
        Self {
            addresses: Vec::new(),
            backend: Backend::Auto,
            workers: Workers::Auto,
            pin: false,
            backlog: BACKLOG,
            reuse_port: false,
            unix_mode: None,
            count_calls: false,
            busy_poll: Duration::ZERO,
            own_tables: false,
            connections_max: None,
            options: Vec::new(),
            limits: Limits::default(),
            access_log: None,
            peer_addresses: false,
            #[cfg(feature = "trace")]
            trace: None,
            #[cfg(feature = "gzip")]
            compression: None,
        }
    }

    /// Listens on one more address. Port 0 lets the kernel choose; [`Bound::addresses`] says what it chose.
    pub fn listen(mut self, address: Address) -> Self {
        self.addresses.push(address);
        self
    }

    /// Chooses the backend. Default [`Backend::Auto`].
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Chooses how many threads serve. Default [`Workers::Auto`].
    pub fn workers(mut self, workers: Workers) -> Self {
        self.workers = workers;
        self
    }

    /// Keeps each worker on one processor. Default off.
    pub fn pin(mut self, pin: bool) -> Self {
        self.pin = pin;
        self
    }

    /// How many connections may wait to be accepted. Default 4096; the kernel caps it at `net.core.somaxconn`.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog.max(1);
        self
    }

    /// Shares ports with other programs that do so too (SO_REUSEPORT, socket(7)). Default off: a port that is taken is
    /// an error.
    pub fn reuse_port(mut self, share: bool) -> Self {
        self.reuse_port = share;
        self
    }

    /// Permission bits of Unix sockets. Default: what the umask leaves.
    pub fn unix_mode(mut self, mode: u32) -> Self {
        self.unix_mode = Some(mode);
        self
    }

    /// Sets a socket option before bind(2) on every listener whose address it [fits](SocketOption::fits); accepted sockets
    /// inherit most of them. One that fits no address is an error of [`bind`](Self::bind).
    pub fn socket_option(mut self, option: SocketOption) -> Self {
        self.options.push(option);
        self
    }

    /// Counts system calls and ring operations; see [`Report::counts`](super::Report::counts). Default off, and then it costs nothing.
    pub fn count_calls(mut self, count: bool) -> Self {
        self.count_calls = count;
        self
    }

    /// For so long after the last event a worker looks for the next one again and again, before it sleeps until the
    /// kernel wakes it. Default zero: it sleeps at once. At most a second.
    ///
    /// What it saves is the time from an event to a worker that runs: on a virtual machine more than the request itself
    /// takes. What it costs is a processor, whole, for each worker whose clients send more often than that. It pays with
    /// few connections, fewer workers than processors, and peers that wait for each answer; with many connections there is
    /// nearly always something to do, and it only takes time from others.
    pub fn busy_poll(mut self, how_long: Duration) -> Self {
        self.busy_poll = how_long.min(Duration::from_secs(1));
        self
    }

    /// Gives each worker a descriptor table of its own (unshare(2), `CLONE_FILES`), so that `ulimit -n` counts for each
    /// worker and not for all together. Default off. On io_uring it is not needed: connections are in the ring's table.
    ///
    /// A descriptor that another thread opens while the server runs then means nothing to a handler, and one that a handler
    /// opens means nothing to other threads. What was open before [`Bound::run`] is known everywhere,
    /// and stays open in each worker until that ends, also if another thread closes it.
    pub fn own_tables(mut self, own: bool) -> Self {
        self.own_tables = own;
        self
    }

    /// The most connections of each worker. Default: what `ulimit -n` leaves after a reserve of 32. At the limit new
    /// clients wait in the listener's queue.
    pub fn connections_max(mut self, connections: u32) -> Self {
        self.connections_max = Some(connections.max(1));
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Writes a line for every request to `log`. Default off. Each connection's peer is asked for then, which costs a
    /// system call or ring operation.
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Asks for each connection's peer, so that [`Request::peer`](super::Request::peer) knows it. Default off: it costs a
    /// system call or ring operation for each connection.
    pub fn peer_addresses(mut self, ask: bool) -> Self {
        self.peer_addresses = ask;
        self
    }

    /// Shows every system call of the server as it happens, or nothing for `None`. Default off, and then it costs nothing.
    ///
    /// Each connection's peer is asked for then, as with [`peer_addresses`](Self::peer_addresses), so that the trace knows
    /// both ends. The server waits when the trace cannot be written as fast as things happen.
    #[cfg(feature = "trace")]
    pub fn trace(mut self, trace: impl Into<Option<crate::trace::Trace>>) -> Self {
        self.trace = trace.into();
        self.peer_addresses |= self.trace.is_some();
        self
    }

    /// Whether somebody counts or watches the calls.
    pub(super) fn is_watched(&self) -> bool {
        #[cfg(feature = "trace")]
        if self.trace.is_some() {
            return true;
        }
        self.count_calls
    }

    /// Compresses contents for peers that accept gzip. Default off.
    #[cfg(feature = "gzip")]
    pub fn compression(mut self, compression: super::Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// How each worker makes its compressor.
    #[cfg_attr(not(feature = "gzip"), expect(clippy::unused_self))]
    pub(super) fn make_compressor(&self) -> Option<Compressor> {
        #[cfg(feature = "gzip")]
        return self.compression.clone().map(Compressor::new);
        #[cfg(not(feature = "gzip"))]
        None
    }

    /// Chooses the backend and binds every address. From here on clients can connect; they wait until
    /// [`Bound::run`].
    ///
    /// # Errors
    /// An address is taken, forbidden or wrong, or the backend cannot be used.
    pub fn bind(self) -> Result<Bound, ServerError> {
        if self.addresses.is_empty() {
            return Err(ServerError::NoAddress);
        }
        #[cfg(feature = "trace")]
        let _watched = self.trace.as_ref().map(crate::trace::Trace::watch_thread);
        let chosen = self.backend.choose().map_err(ServerError::Backend)?;
        let workers = match self.workers {
            Workers::Count(count) => count.max(1),
            Workers::Auto => sys::allowed_cpus().map_or(1, |cpus| cpus.len().max(1)),
        };
        let binding = Binding {
            backlog: self.backlog,
            workers,
            reuse_port: self.reuse_port,
            unix_mode: self.unix_mode,
            options: self.options.clone(),
        };
        for option in &self.options {
            if !self.addresses.iter().any(|address| option.fits(address)) {
                let why =
                    format!("the option {option:?} means nothing to any address of the server");
                return Err(ServerError::Listen {
                    address: self.addresses[0].clone(),
                    error: io::Error::new(io::ErrorKind::InvalidInput, why),
                });
            }
        }
        let addresses = self
            .addresses
            .iter()
            .map(|address| binding.bind(address))
            .collect::<Result<_, _>>()?;
        Ok(Bound::new(self, chosen, workers, addresses))
    }
}
