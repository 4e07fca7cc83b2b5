//! What a protocol asks of its loop beside the connection at hand.
//!
//! ```text
//!   a call of the protocol ──▶ Errands: connect, adopt, send_to, call, stop ──▶ run by the loop when the turn is over
//! ```

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::os::fd::OwnedFd;

use super::{Connect, ConnectionId, SocketId};
use crate::driver::Token;
use crate::sys::Address;

/// The most datagrams that wait for the end of a turn.
pub const DATAGRAMS_WAITING_MAX: usize = 4096;
/// The most bytes of them. One may be larger by itself.
pub const DATAGRAM_BYTES_WAITING_MAX: usize = 4 * 1024 * 1024;

/// A datagram on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) socket: Token,
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
}

/// So many datagrams wait that this one was dropped: more than [`DATAGRAMS_WAITING_MAX`], or than
/// [`DATAGRAM_BYTES_WAITING_MAX`] bytes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramDropped;

impl fmt::Display for DatagramDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many datagrams wait: this one was dropped")
    }
}

impl std::error::Error for DatagramDropped {}

/// What is to be done when the present turn is over.
#[derive(Debug, Default)]
pub struct Errands {
    pub(super) connects: Vec<Connect>,
    pub(super) adopts: Vec<(OwnedFd, u64)>,
    pub(super) peers: Vec<Token>,
    pub(super) datagrams: VecDeque<Outgoing>,
    datagram_bytes: usize,
    /// Datagrams wait for others that are in flight.
    pub(super) stuck: bool,
    pub(super) stop: bool,
    /// The loop stops: nothing is begun any more.
    pub(super) stopping: bool,
    calls: VecDeque<Token>,
    called: HashSet<Token>,
}

impl Errands {
    /// Connects. Answered by [`Protocol::opened`](super::Protocol::opened) with
    /// [`Origin::Connected`](super::Origin::Connected), or by [`Protocol::failed`](super::Protocol::failed): at once when
    /// the loop [stops](Self::is_stopping).
    pub fn connect(&mut self, connect: impl Into<Connect>) {
        self.connects.push(connect.into());
    }

    /// Takes over a connected stream socket. Answered by [`Protocol::opened`](super::Protocol::opened) with
    /// [`Origin::Adopted`](super::Origin::Adopted), or by [`Protocol::failed`](super::Protocol::failed); then it is closed.
    pub fn adopt(&mut self, stream: OwnedFd, key: u64) {
        self.adopts.push((stream, key));
    }

    /// Sends one datagram. Its bytes are copied. What the kernel cannot take at once is dropped, and
    /// [`Protocol::undelivered`](super::Protocol::undelivered) told.
    ///
    /// # Errors
    /// Too many wait already.
    pub fn send_to(
        &mut self,
        socket: SocketId,
        to: &Address,
        bytes: &[u8],
    ) -> Result<(), DatagramDropped> {
        let waiting = self.datagrams.len();
        let full = waiting >= DATAGRAMS_WAITING_MAX
            || self.datagram_bytes + bytes.len() > DATAGRAM_BYTES_WAITING_MAX;
        if waiting > 0 && full {
            return Err(DatagramDropped);
        }
        self.datagram_bytes += bytes.len();
        self.datagrams.push_back(Outgoing {
            socket: socket.0,
            to: to.clone(),
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    /// Wants [`Protocol::called`](super::Protocol::called) for a connection, in this turn or the next ones: 512 of them in
    /// each. Asked for twice before it came, it comes once. One that is gone is left out.
    pub fn call(&mut self, connection: ConnectionId) {
        if self.called.insert(connection.0) {
            self.calls.push_back(connection.0);
        }
    }

    /// Stops the loop, as [`EventLoop::stop`](super::EventLoop::stop).
    pub fn stop(&mut self) {
        self.stop = true;
    }

    /// Whether the loop stops, or was asked to: who would connect again need not try.
    pub fn is_stopping(&self) -> bool {
        self.stopping || self.stop
    }

    pub(super) fn ask_peer(&mut self, token: Token) {
        self.peers.push(token);
    }

    /// Whether a turn has something to do for them.
    #[inline]
    pub(super) fn are_due(&self) -> bool {
        !self.calls.is_empty()
            || !self.connects.is_empty()
            || !self.adopts.is_empty()
            || !self.peers.is_empty()
            || (!self.datagrams.is_empty() && !self.stuck)
            || self.stop
    }

    pub(super) fn next_call(&mut self) -> Option<Token> {
        let token = self.calls.pop_front()?;
        self.called.remove(&token);
        Some(token)
    }

    pub(super) fn next_datagram(&mut self) -> Option<Outgoing> {
        let outgoing = self.datagrams.pop_front()?;
        self.datagram_bytes -= outgoing.bytes.len();
        Some(outgoing)
    }

    /// Gives back the memory of a crowd that has gone.
    pub(super) fn give_back(&mut self) {
        self.calls.shrink_to_fit();
        self.called.shrink_to_fit();
        self.datagrams.shrink_to_fit();
    }
}
