//! What a case needs around a driver: somebody on the other side.
//!
//! A rig opens the driver and gives peers. On a real kernel they are sockets of this process, in a simulation they are
//! handles into its memory. Nothing here waits: a case takes turns with the driver and asks its peers in between.

use std::io;
use std::os::fd::OwnedFd;

use crate::driver::{Config, Driver, Listener};
use crate::sys::{Address, Family};

/// A driver and the world around it.
pub(super) trait Rig: Sized {
    type Driver: Driver;
    type Peer: Peer;
    type Host: Host<Peer = Self::Peer>;
    type Outside: Outside;

    /// Whether `wait` sleeps until something happens. A simulation never sleeps.
    const SLEEPS: bool;
    /// Whether `accepts_per_turn` bounds a turn. A ring accepts whoever is there.
    const COUNTS_ACCEPTS: bool;

    /// Whether sends are made short on purpose.
    const SHORTENS: bool;

    /// Opens the driver.
    fn open(config: &Config) -> Self;

    /// The driver under test.
    fn driver(&mut self) -> &mut Self::Driver;

    /// A listener that the driver does not have yet.
    fn listener(&mut self, family: Family, backlog: u32) -> Listener;

    /// A client that connects to a listener.
    fn connect(&mut self, to: &Address) -> io::Result<Self::Peer>;

    /// A Unix client that is bound to a name of `length` bytes, which it answers too.
    fn connect_named(&mut self, to: &Address, length: usize) -> (Self::Peer, Address);

    /// A server for the driver to connect to.
    fn host(&mut self, family: Family) -> Self::Host;

    /// Two ends of one connection, for the driver to adopt the first.
    fn pair(&mut self) -> (OwnedFd, Self::Peer);

    /// A bound datagram socket that the driver does not have yet.
    fn datagram(&mut self, family: Family) -> (OwnedFd, Address);

    /// A datagram socket on the other side.
    fn outside(&mut self, family: Family) -> Self::Outside;
}

/// What a peer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The driver's FIN.
    End,
    Reset,
}

/// The other end of a connection. Dropping it closes it.
pub(super) trait Peer {
    /// Writes as much as there is room for, and answers how much that was.
    fn write(&mut self, bytes: &[u8]) -> usize;

    /// Reads at most `limit` bytes of what is there.
    fn read(&mut self, limit: usize) -> Heard;

    /// Sends FIN; reading goes on.
    fn end(&mut self);

    /// Closes with RST.
    fn reset(self);

    /// This end's address.
    fn address(&self) -> Address;
}

/// A server outside the driver.
pub(super) trait Host {
    type Peer: Peer;

    /// Where it listens.
    fn address(&self) -> Address;

    /// Takes a connection of the driver's, and the address that it comes from.
    fn accept(&mut self) -> Option<(Self::Peer, Address)>;
}

/// A datagram socket outside the driver.
pub(super) trait Outside {
    fn address(&self) -> Address;
    fn send(&mut self, to: &Address, bytes: &[u8]);
    fn receive(&mut self) -> Option<(Address, Vec<u8>)>;
}
