//! Datagram sockets of a loop: UDP and the Unix family.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::raw::Raw;
use super::{DatagramSocket, EventLoop, Protocol, SocketId, each};
use crate::server::ServerError;
use crate::server::bind::{OwnedPath, clear_stale};
use crate::sys::{self, Address, Kind, Mode, Probe, ThreadProbe, ToldFd, UnixName};

impl<P: Protocol, W: Probe> EventLoop<P, W> {
    /// Binds a datagram socket and receives on it: [`Protocol::datagram`]. Port 0, and a Unix socket without a name, let the
    /// kernel choose.
    ///
    /// # Errors
    /// The address is taken, forbidden or wrong.
    pub fn bind_datagram(&mut self, address: &Address) -> Result<DatagramSocket, ServerError> {
        let listen = |error| ServerError::Listen {
            address: address.clone(),
            error,
        };
        let path = match address {
            Address::Unix(UnixName::Path(path)) => Some(path),
            _ => None,
        };
        if let Some(path) = path {
            clear_stale(address, path, Kind::Datagram)?;
        }
        let probe = &mut ThreadProbe;
        let socket = sys::socket(probe, address.family(), Kind::Datagram, Mode::Nonblocking);
        let socket = ToldFd::from(socket.map_err(listen)?);
        sys::bind(probe, socket.as_fd(), address).map_err(listen)?;
        if let Some(path) = path {
            self.paths.push(OwnedPath::new(path).map_err(listen)?);
        }
        self.adopt_datagram(socket.into()).map_err(listen)
    }

    /// Takes over a bound datagram socket: one that has joined a multicast group, say, or may broadcast. Whether it blocks
    /// is set as the backend needs it.
    ///
    /// # Errors
    /// The kernel refuses; the socket is closed then.
    pub fn adopt_datagram(&mut self, socket: OwnedFd) -> io::Result<DatagramSocket> {
        let socket = ToldFd::from(socket);
        let address = sys::getsockname(&mut ThreadProbe, socket.as_fd())?;
        let token = each!(&mut self.engine, reactor => reactor.bind_datagram(socket.into()))?;
        Ok(DatagramSocket {
            id: SocketId(token),
            address,
        })
    }

    /// Closes a datagram socket. What is in flight may be lost.
    pub fn close_datagram(&mut self, socket: SocketId) {
        each!(&mut self.engine, reactor => reactor.close_datagram(socket.0));
    }

    /// Sends one datagram now. That it left does not say that it arrived.
    ///
    /// At most 256 are in flight at one time, which only io_uring needs; [`Errands::send_to`](super::Errands::send_to) lets
    /// more wait.
    ///
    /// # Errors
    /// The kernel's. `WouldBlock`: there is no room for it, or 256 are in flight. It is dropped in any case.
    pub fn send_to(&mut self, socket: SocketId, to: &Address, bytes: &[u8]) -> io::Result<()> {
        each!(&mut self.engine, reactor => reactor.send_to(socket.0, to, bytes))
    }

    /// How many datagrams of [`Errands::send_to`](super::Errands::send_to) the kernel refused at once.
    pub fn datagrams_dropped(&self) -> u64 {
        self.datagrams_dropped
    }

    /// Sends those that wait, as far as they may be in flight.
    pub(super) fn send_datagrams(&mut self) {
        let waiting = self.engine.service_mut().errands.datagrams.len();
        for _ in 0..waiting {
            if !each!(&self.engine, reactor => reactor.may_send_datagram()) {
                self.engine.service_mut().errands.stuck = true;
                return;
            }
            let Some(outgoing) = self.engine.service_mut().errands.next_datagram() else {
                return;
            };
            let sent = each!(&mut self.engine, reactor => {
                reactor.send_to(outgoing.socket, &outgoing.to, &outgoing.bytes)
            });
            if let Err(error) = sent {
                self.datagrams_dropped += 1;
                let Raw {
                    protocol, errands, ..
                } = self.engine.service_mut();
                protocol.undelivered(SocketId(outgoing.socket), error, errands);
            }
        }
    }
}
