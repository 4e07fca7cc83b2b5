//! The rig on the real kernel: peers are non-blocking sockets of this process.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::rig::{Heard, Host, Outside, Peer, Rig};
use crate::driver::listener::ListenOptions;
use crate::driver::{Config, Driver, Listener};
use crate::sys::{Address, Family, Flaky, Probe, Silent, UnixName};

/// A probe that a rig can make.
pub(super) trait Fresh: Probe {
    fn fresh() -> Self;
}

impl Fresh for Silent {
    fn fresh() -> Self {
        Silent
    }
}

impl Fresh for Flaky {
    fn fresh() -> Self {
        Flaky::new(0x5eed)
    }
}

/// A driver on the real kernel, or as it would be on an `OLD` one.
pub(super) struct Kernel<D: Driver, const OLD: bool = false> {
    driver: D,
}

/// Whether the driver bounds a turn by `accepts_per_turn`.
pub(super) trait Counts {
    const COUNTS_ACCEPTS: bool;
}

#[cfg(any(feature = "epoll", feature = "mio"))]
impl<L: crate::driver::readiness::Poller, P: Probe> Counts
    for crate::driver::readiness::Readiness<L, P>
{
    const COUNTS_ACCEPTS: bool = true;
}

#[cfg(feature = "io-uring")]
impl<P: Probe> Counts for crate::driver::uring::Uring<P> {
    const COUNTS_ACCEPTS: bool = false;
}

impl<D: Driver<Probe: Fresh> + Counts, const OLD: bool> Rig for Kernel<D, OLD> {
    type Driver = D;
    type Peer = Socket;
    type Host = Socket;
    type Outside = Socket;

    const SLEEPS: bool = true;
    const COUNTS_ACCEPTS: bool = D::COUNTS_ACCEPTS;
    const SHORTENS: bool = D::Probe::ACTIVE;

    fn open(config: &Config) -> Self {
        let mut config = config.clone();
        config.ring_shares_buffers &= !OLD;
        let driver = D::open(&config, D::Probe::fresh()).expect("the driver opens");
        Self { driver }
    }

    fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    fn listener(&mut self, family: Family, backlog: u32) -> Listener {
        let how = ListenOptions {
            backlog,
            reuse_port: false,
            options: Vec::new(),
        };
        Listener::open(&mut Silent, &unused(family), &how).expect("a listener")
    }

    fn connect(&mut self, to: &Address) -> io::Result<Socket> {
        connected(socket(to.family(), Type::STREAM), to)
    }

    fn connect_named(&mut self, to: &Address, length: usize) -> (Socket, Address) {
        let mut name = unique().into_bytes();
        name.resize(length, b'x');
        let name = Address::Unix(UnixName::Abstract(name));
        let peer = socket(Family::Unix, Type::STREAM);
        peer.bind(&raw(&name)).expect("bind");
        (connected(peer, to).expect("connect"), name)
    }

    fn host(&mut self, family: Family) -> Socket {
        let host = bound(family, Type::STREAM);
        host.listen(16).expect("listen");
        host
    }

    fn pair(&mut self) -> (OwnedFd, Socket) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        theirs.set_nonblocking(true).expect("non-blocking");
        (ours.into(), Socket::from(OwnedFd::from(theirs)))
    }

    fn datagram(&mut self, family: Family) -> (OwnedFd, Address) {
        let socket = bound(family, Type::DGRAM);
        let address = Host::address(&socket);
        (socket.into(), address)
    }

    fn outside(&mut self, family: Family) -> Socket {
        bound(family, Type::DGRAM)
    }
}

fn raw(address: &Address) -> SockAddr {
    address.to_sockaddr().expect("a possible address")
}

/// An address nobody has yet.
fn unused(family: Family) -> Address {
    match family {
        Family::Inet => "127.0.0.1:0".parse().expect("a literal"),
        Family::Inet6 => "[::1]:0".parse().expect("a literal"),
        Family::Unix => Address::Unix(UnixName::Abstract(unique().into_bytes())),
    }
}

/// A name for a Unix socket that no other test has.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("longshore-{}-{count}", std::process::id())
}

fn socket(family: Family, kind: Type) -> Socket {
    Socket::new(Domain::from(family.raw()), kind, None).expect("a socket")
}

fn bound(family: Family, kind: Type) -> Socket {
    let socket = socket(family, kind);
    socket.bind(&raw(&unused(family))).expect("bind");
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

fn connected(peer: Socket, to: &Address) -> io::Result<Socket> {
    if !to.is_unix() {
        // Small, so that a peer that does not read is soon felt.
        peer.set_recv_buffer_size(16 * 1024)?;
        peer.set_tcp_nodelay(true)?;
    }
    peer.connect_timeout(&raw(to), Duration::from_secs(2))?;
    peer.set_nonblocking(true)?;
    Ok(peer)
}

fn address_of(name: &SockAddr) -> Address {
    Address::from_sockaddr(name).expect("a family of ours")
}

impl Peer for Socket {
    fn write(&mut self, bytes: &[u8]) -> usize {
        // `send` of the standard library's sockets and socket2 sets MSG_NOSIGNAL; a dead driver then takes everything.
        match Write::write(self, bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => bytes.len(),
        }
    }

    fn read(&mut self, limit: usize) -> Heard {
        let mut buf = vec![0; limit];
        match Read::read(self, &mut buf) {
            Ok(0) => Heard::End,
            Ok(count) => {
                buf.truncate(count);
                Heard::Bytes(buf)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Heard::Reset,
            Err(error) => panic!("the peer cannot read: {error}"),
        }
    }

    fn end(&mut self) {
        // ENOTCONN: the driver was faster.
        let _ = self.shutdown(Shutdown::Write);
    }

    fn reset(self) {
        self.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }

    fn address(&self) -> Address {
        address_of(&self.local_addr().expect("a name"))
    }
}

impl Host for Socket {
    type Peer = Socket;

    fn address(&self) -> Address {
        Peer::address(self)
    }

    fn accept(&mut self) -> Option<(Socket, Address)> {
        let (peer, from) = Socket::accept(self).ok()?;
        peer.set_nonblocking(true).expect("non-blocking");
        Some((peer, address_of(&from)))
    }
}

impl Outside for Socket {
    fn address(&self) -> Address {
        Peer::address(self)
    }

    fn send(&mut self, to: &Address, bytes: &[u8]) {
        let sent = Socket::send_to(self, bytes, &raw(to)).expect("a datagram leaves");
        assert_eq!(sent, bytes.len());
    }

    fn receive(&mut self) -> Option<(Address, Vec<u8>)> {
        let mut buf = vec![0; 256 * 1024];
        let received = crate::sys::recvfrom(&mut Silent, std::os::fd::AsFd::as_fd(self), &mut buf);
        let received = received.ok()?;
        buf.truncate(received.bytes);
        Some((received.from, buf))
    }
}
