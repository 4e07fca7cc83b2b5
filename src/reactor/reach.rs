//! What a reactor does beside serving those who come: it connects, takes over sockets, and sends datagrams.
//!
//! ```text
//!   connect ──▶ connecting ──Connected──▶ table: a connection like any other
//!                   └─Failed, or too late──▶ Aside::Failed
//!   adopt ────────────────────────────────▶ table
//!   bind_datagram ──▶ sockets ──Datagram──▶ Aside::Datagram      send_to ──▶ driver, counted while in flight
//! ```
//!
//! Nothing of it is touched while connections are served. It does not know what a key or a datagram means.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use super::Reactor;
use crate::buf::{Part, SendBuf};
use crate::conn::{Io, Origin, Service, Tick};
use crate::driver::{Aside, Driver, ListenerId, Submit, Token};
use crate::sys::Address;

/// The most datagrams of one reactor that the kernel has not answered for. Only a ring keeps any, and for one turn: what
/// finds no room in the socket's buffer is refused and not kept.
const DATAGRAMS_IN_FLIGHT_MAX: u32 = 256;

/// A connection of ours that does not stand yet.
#[derive(Debug)]
struct Connecting {
    token: Token,
    key: u64,
    /// When it is given up.
    due: Tick,
}

/// What there is beside the connections that were accepted.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// By index.
    connecting: HashMap<u32, Connecting>,
    /// Datagram sockets, with how many of their sends are in flight.
    sockets: HashMap<Token, u32>,
    in_flight: u32,
}

impl Reach {
    /// Whether nothing has to be waited for.
    pub(super) fn is_quiet(&self) -> bool {
        self.connecting.is_empty() && self.in_flight == 0
    }
}

impl<D: Driver, S: Service> Reactor<D, S> {
    /// How many connections there are, those that do not stand yet included.
    pub(crate) fn live_and_connecting(&self) -> usize {
        self.live + self.reach.connecting.len()
    }

    /// Begins to connect. Answered by [`Service::joined`], or [`Aside::Failed`] after `ticks` at the latest.
    ///
    /// # Errors
    /// What is known at once. Then there is no other answer.
    pub(crate) fn connect(
        &mut self,
        to: &Address,
        from: Option<&Address>,
        ticks: u32,
        key: u64,
    ) -> io::Result<()> {
        let token = self.driver.connect(to, from)?;
        let due = self.present().after(ticks);
        let connecting = Connecting { token, key, due };
        let before = self.reach.connecting.insert(token.index, connecting);
        debug_assert!(before.is_none(), "an index has one user");
        self.deadlines.set(token.index, due);
        self.wants_a_turn();
        Ok(())
    }

    /// Takes over a connected stream socket.
    pub(crate) fn adopt(&mut self, stream: OwnedFd, key: u64) -> io::Result<Token> {
        let token = self.driver.adopt(stream)?;
        self.shared.now = self.present();
        self.enter(token, |service, io| {
            service.joined(Origin::Adopted { key }, io)
        });
        self.wants_a_turn();
        Ok(token)
    }

    /// Takes over a bound datagram socket.
    pub(crate) fn bind_datagram(&mut self, socket: OwnedFd) -> io::Result<Token> {
        let token = self.driver.bind_datagram(socket)?;
        self.reach.sockets.insert(token, 0);
        self.wants_a_turn();
        Ok(token)
    }

    /// Closes a datagram socket. What is in flight may be lost.
    pub(crate) fn close_datagram(&mut self, socket: Token) {
        if let Some(in_flight) = self.reach.sockets.remove(&socket) {
            self.reach.in_flight -= in_flight;
            self.driver.close(socket);
            self.wants_a_turn();
        }
    }

    /// Whether another datagram may be in flight.
    pub(crate) fn may_send_datagram(&self) -> bool {
        self.reach.in_flight < DATAGRAMS_IN_FLIGHT_MAX
    }

    /// Sends one datagram. What becomes of one that is in flight is told only if it fails, by [`Aside::Undelivered`].
    ///
    /// # Errors
    /// The kernel's; `WouldBlock` if it has no room, or too many are in flight. The datagram is dropped.
    pub(crate) fn send_to(&mut self, socket: Token, to: &Address, bytes: &[u8]) -> io::Result<()> {
        if !self.may_send_datagram() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(in_flight) = self.reach.sockets.get_mut(&socket) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut buffer = self.shared.pool.take();
        buffer.extend_from_slice(bytes);
        let sent = SendBuf::new(Part::Pooled(buffer));
        match self.driver.send_to(socket, to, sent) {
            Submit::Done(sent) => self.shared.pool.put_sent(sent),
            Submit::InFlight => {
                *in_flight += 1;
                self.reach.in_flight += 1;
                self.wants_a_turn();
            }
            Submit::Failed(sent, error) => {
                self.shared.pool.put_sent(sent);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks who a connection's peer is. Answered by [`Service::peer`].
    pub(crate) fn ask_peer(&mut self, token: Token) {
        self.driver.ask_peer(token);
        self.wants_a_turn();
    }

    /// Accepts who waits, then closes the listener.
    pub(crate) fn stop_listening(&mut self, listener: ListenerId) {
        let place = self.listeners.iter().position(|id| *id == listener);
        if let Some(place) = place {
            self.listeners.swap_remove(place);
            self.driver.stop_listening(listener);
            self.closing.push(listener);
            self.wants_a_turn();
        }
    }

    /// Calls a connection from outside of a turn. `None` if it is not open any more.
    pub(crate) fn call_now<R>(
        &mut self,
        token: Token,
        call: impl FnOnce(&mut S, &mut S::State, &mut Io<'_>) -> R,
    ) -> Option<R> {
        self.shared.now = self.present();
        let mut returned = None;
        self.with_connection(token, |connection, service, dispatch| {
            if connection.stream.life == crate::conn::Life::Open {
                let called = connection.call(dispatch, |state, io| call(service, state, io));
                returned = Some(called);
            }
        });
        self.wants_a_turn();
        returned
    }

    /// Stops from outside of a turn.
    pub(crate) fn stop_now(&mut self) {
        self.shared.now = self.present();
        self.stop();
        self.wants_a_turn();
    }

    /// The tick that has begun. Between turns the one that is kept may be old.
    fn present(&self) -> Tick {
        Tick::at(self.clock.read())
    }

    /// A connection of ours stands.
    #[cold]
    pub(super) fn connected(&mut self, token: Token) {
        if let Some(key) = self.end_connecting(token) {
            self.enter(token, |service, io| {
                service.joined(Origin::Connected { key }, io)
            });
        }
    }

    /// Something failed that is no connection yet, or none at all.
    #[cold]
    pub(super) fn failed_elsewhere(&mut self, token: Token, error: io::Error) {
        if let Some(key) = self.end_connecting(token) {
            self.driver.close(token);
            self.service.aside(Aside::Failed { key, error });
        } else if self.reach.sockets.contains_key(&token) {
            let socket = token;
            self.service.aside(Aside::Undelivered { socket, error });
        }
    }

    /// The kernel has answered for a datagram.
    #[cold]
    pub(super) fn datagram_sent(&mut self, socket: Token, result: io::Result<()>) {
        let Some(in_flight) = self.reach.sockets.get_mut(&socket) else {
            return;
        };
        *in_flight -= 1;
        self.reach.in_flight -= 1;
        if let Err(error) = result {
            self.service.aside(Aside::Undelivered { socket, error });
        }
    }

    /// The deadline of something has passed that is not in the table. It may have waited for its turn so long that the index
    /// has another user by now, who is not due.
    #[cold]
    pub(super) fn connect_timed_out(&mut self, index: u32, now: Tick) {
        let connecting = self.reach.connecting.get(&index);
        if let Some(&Connecting { token, .. }) = connecting.filter(|one| one.due <= now) {
            self.failed_elsewhere(token, io::ErrorKind::TimedOut.into());
        }
    }

    /// The loop stops: nothing is begun, and no datagram is taken any more.
    pub(super) fn give_up_connecting(&mut self) {
        let tokens: Vec<Token> = (self.reach.connecting.values())
            .map(|connecting| connecting.token)
            .collect();
        for token in tokens {
            self.failed_elsewhere(token, io::ErrorKind::ConnectionAborted.into());
        }
        for socket in self.reach.sockets.keys() {
            self.driver.pause_recv(*socket);
        }
    }

    /// The key of a connection that is waited for no more.
    fn end_connecting(&mut self, token: Token) -> Option<u64> {
        let connecting = self.reach.connecting.get(&token.index)?;
        if connecting.token != token {
            return None;
        }
        self.deadlines.set(token.index, Tick::NEVER);
        let connecting = self.reach.connecting.remove(&token.index)?;
        Some(connecting.key)
    }
}
