//! What a loop shall be, and what it is asked for.

use std::time::Duration;

use crate::driver;
use crate::limits::Limits;
use crate::server::Backend;
use crate::server::tables::{DESCRIPTORS_RESERVED, connections_possible};
use crate::sys::{Address, SocketOption};

/// How many clients may wait to be accepted by default. The kernel caps it at `net.core.somaxconn`, 4096 too.
const BACKLOG: u32 = 4096;
/// How long a connection of ours may take by default. The kernel itself gives up after two minutes (`tcp(7)`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What an [`EventLoop`](super::EventLoop) shall be.
///
/// ```
/// use longshore::{Backend, Limits, LoopOptions};
///
/// let options = LoopOptions::new()
///     .backend(Backend::Epoll)
///     .limits(Limits { outbox_high_bytes: 256 * 1024, ..Limits::default() })
///     .connections_max(1000);
/// ```
#[derive(Clone, Debug)]
pub struct LoopOptions {
    pub(super) backend: Backend,
    pub(super) limits: Limits,
    pub(super) connections_max: Option<u32>,
    pub(super) input_bytes_max: usize,
}

impl Default for LoopOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl LoopOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            backend: Backend::Auto,
            limits: Limits::default(),
            connections_max: None,
            input_bytes_max: 1024 * 1024,
        }
    }

    /// Chooses the backend. Default [`Backend::Auto`].
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Sets the limits. Of these a raw protocol has: `outbox_high_bytes`, `outbox_low_bytes`, `outbox_bytes_max`,
    /// `memory_bytes_max`, `first_byte_timeout`, `idle_timeout`, `write_stall_timeout`, `linger_timeout`,
    /// `linger_bytes_max` and `stop_timeout`. The others belong to HTTP and WebSocket.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The most connections. Default 16,384, or what `ulimit -n` leaves after a reserve of 32 if that is less. At the limit
    /// new clients wait in the listener's queue, and connections of our own fail.
    pub fn connections_max(mut self, connections: u32) -> Self {
        self.connections_max = Some(connections.max(1));
        self
    }

    /// Bytes that a protocol may leave unread of one connection: the beginning of a unit that is not complete. Default
    /// 1 MiB. Above it: reset. What waits because input is [held](super::Wire::hold_input) is not counted: receiving stops.
    pub fn input_bytes_max(mut self, bytes: usize) -> Self {
        self.input_bytes_max = bytes;
        self
    }

    /// What the driver has to know.
    pub(super) fn driver_config(&self) -> driver::Config {
        let default = driver::Config::default();
        let wanted = self.connections_max.unwrap_or(default.connections_max);
        driver::Config {
            connections_max: wanted.min(connections_possible(DESCRIPTORS_RESERVED)),
            ..default
        }
    }
}

/// Where and how to listen. An [`Address`] alone is one with defaults.
#[derive(Clone, Debug)]
pub struct Listen {
    pub(super) address: Address,
    pub(super) backlog: u32,
    pub(super) reuse_port: bool,
    pub(super) unix_mode: Option<u32>,
    pub(super) options: Vec<SocketOption>,
}

impl Listen {
    /// Listens on `address`. Port 0 lets the kernel choose.
    pub fn on(address: Address) -> Self {
        Self {
            address,
            backlog: BACKLOG,
            reuse_port: false,
            unix_mode: None,
            options: Vec::new(),
        }
    }

    /// How many clients may wait to be accepted. Default 4096; the kernel caps it at `net.core.somaxconn`.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog.max(1);
        self
    }

    /// Shares the port with other sockets that do so too (SO_REUSEPORT, socket(7)): the kernel spreads clients over them.
    /// One loop per core listens so. Default off: a port that is taken is an error. Not for Unix sockets.
    pub fn reuse_port(mut self, share: bool) -> Self {
        self.reuse_port = share;
        self
    }

    /// Permission bits of a Unix socket's path. Default: what the umask leaves.
    pub fn unix_mode(mut self, mode: u32) -> Self {
        self.unix_mode = Some(mode);
        self
    }

    /// Sets a socket option before bind(2); accepted sockets inherit most of them.
    pub fn socket_option(mut self, option: SocketOption) -> Self {
        self.options.push(option);
        self
    }
}

impl From<Address> for Listen {
    fn from(address: Address) -> Self {
        Self::on(address)
    }
}

/// Where and how to connect. An [`Address`] alone is one with defaults.
#[derive(Clone, Debug)]
pub struct Connect {
    pub(super) to: Address,
    pub(super) from: Option<Address>,
    pub(super) timeout: Duration,
    pub(super) key: u64,
}

impl Connect {
    /// Connects to `address`.
    pub fn to(address: Address) -> Self {
        Self {
            to: address,
            from: None,
            timeout: CONNECT_TIMEOUT,
            key: 0,
        }
    }

    /// Binds to this address first. Default: the kernel chooses.
    pub fn from(mut self, address: Address) -> Self {
        self.from = Some(address);
        self
    }

    /// How long it may take. Default 10 s; then [`Protocol::failed`](super::Protocol::failed) is told `TimedOut`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Comes back with the answer, so that it is known which of several it is. Default 0.
    pub fn key(mut self, key: u64) -> Self {
        self.key = key;
        self
    }
}

impl From<Address> for Connect {
    fn from(address: Address) -> Self {
        Self::to(address)
    }
}
