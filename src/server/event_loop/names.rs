//! Names of sockets, and the sockets that an application is told of.

use std::fmt;

use crate::driver::Token;
use crate::sys::Address;

/// Names a connection. A name is never used again for another one within 16 million reuses of its place; whatever is asked
/// of a connection that is gone does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub(crate) Token);

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {:?}", self.0)
    }
}

/// Names a datagram socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(pub(crate) Token);

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket {:?}", self.0)
    }
}

/// A listener of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Its number, which [`Origin::Accepted`](super::Origin::Accepted) carries.
    pub listener: u32,
    /// What it is bound to, with the port that the kernel chose.
    pub address: Address,
}

/// A datagram socket of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatagramSocket {
    /// Its name.
    pub id: SocketId,
    /// What it is bound to, with the port or name that the kernel chose.
    pub address: Address,
}

/// One datagram, borrowed for one call.
#[derive(Debug)]
pub struct Datagram<'d> {
    /// The socket that it came to.
    pub socket: SocketId,
    /// Who sent it. `Unnamed` for a Unix socket that is not bound, which cannot be answered.
    pub from: Address,
    /// What it carries. May be empty: an empty datagram is a datagram.
    pub bytes: &'d mut [u8],
    /// It was longer than the buffer (64 KiB), and the rest is lost. Only Unix datagrams can be.
    pub truncated: bool,
}
