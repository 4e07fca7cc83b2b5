//! Layer 5, one connection: what it keeps, where it stands in its life, what it wants of the loop.
//!
//! ```text
//!            lent bytes                         Wants: receive? shut? close? by when?
//!                │                                         ▲
//!                ▼                                         │
//!   Stream ── inbox ──▶ Service (HTTP, WebSocket, yours) ──┴──▶ cork / outbox ──▶ SendBuf
//! ```
//!
//! A [`Stream`] is the part that every connection has, whatever it speaks. A [`Service`] gives the bytes a meaning; the
//! loop calls it and knows nothing of it. [`Exchange`](exchange::Exchange) (HTTP) and
//! [`WebSocket`](websocket::WebSocket) are the two protocols of this crate, as state machines that a service drives.
//!
//! Nothing here makes a system call, reads a clock or knows a thread: bytes and the time come in, bytes and wishes come
//! out.
#![forbid(unsafe_code)]

pub(crate) mod backlog;
mod connection;
#[cfg(feature = "deflate")]
pub(crate) mod deflated;
#[cfg(not(feature = "deflate"))]
#[path = "undeflated.rs"]
pub(crate) mod deflated;
pub(crate) mod exchange;
mod io;
pub(crate) mod outgoing;
mod stream;
mod tick;
mod transport;
pub(crate) mod websocket;

pub(crate) use connection::{Connection, Dispatch};
pub(crate) use io::{Io, Shared};
pub(crate) use stream::{Flags, Life, Stream};
pub(crate) use tick::{Tick, ticks};

use crate::buf::Input;
use crate::driver::{Aside, Token};
use crate::sys::Address;

/// What a service that knows no other origins is told of a connection that came from no listener.
const NO_LISTENER: u32 = u32::MAX;

/// How a connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client connected to one of our listeners.
    Accepted {
        /// The listener's number, as listening returned it.
        listener: u32,
    },
    /// We connected.
    Connected {
        /// The key that was given along.
        key: u64,
    },
    /// Somebody else made it and handed its descriptor over.
    Adopted {
        /// The key that was given along.
        key: u64,
    },
}

/// Gives a connection's bytes a meaning. One value serves all connections of a reactor.
pub(crate) trait Service {
    /// What each connection keeps. Small: an idle connection has nothing else.
    type State;
    /// What other threads may send to a connection.
    type Mail: Send + 'static;

    /// A client is connected.
    fn accepted(&mut self, listener: u32, io: &mut Io<'_>) -> Self::State;

    /// A connection stands that was asked for under `key`: one of ours, or one that was made elsewhere and handed over.
    fn joined(&mut self, origin: Origin, io: &mut Io<'_>) -> Self::State {
        let _ = origin;
        self.accepted(NO_LISTENER, io)
    }

    /// A stop was asked for. Comes before everything else that the stop brings about.
    fn stop_begun(&mut self) {}

    /// Something happened that concerns no connection.
    fn aside(&mut self, aside: Aside<'_>) {
        let _ = aside;
    }

    /// Bytes have come. Takes what it can; what stays unread is kept, and offered again with more behind it.
    fn received(&mut self, state: &mut Self::State, input: &mut Input<'_>, io: &mut Io<'_>);

    /// How many of the `fresh` bytes complete the unit that the `stored` ones begin (all, if it is still incomplete).
    /// Only those are copied.
    fn missing(&mut self, state: &mut Self::State, stored: &[u8], fresh: &[u8]) -> usize;

    /// The peer sends nothing more. `unfinished`: it left the beginning of a unit behind.
    fn ended(&mut self, state: &mut Self::State, unfinished: bool, io: &mut Io<'_>);

    /// The deadline that was set has passed.
    fn expired(&mut self, state: &mut Self::State, io: &mut Io<'_>);

    /// Another thread has sent something.
    fn mail(&mut self, state: &mut Self::State, mail: Self::Mail, io: &mut Io<'_>);

    /// Another thread has sent something to the service itself.
    fn letter(&mut self, mail: Self::Mail);

    /// Mail could not be delivered: its connection has gone, or is going.
    fn lost(&mut self, token: Token, mail: Self::Mail);

    /// Whether there are connections to be [called](Self::call).
    fn has_calls(&self) -> bool;

    /// The next connection to be called for something that did not come from its peer.
    fn next_call(&mut self) -> Option<Token>;

    /// The call that [`next_call`](Self::next_call) asked for.
    fn call(&mut self, state: &mut Self::State, io: &mut Io<'_>);

    /// The server is stopping: finish what is begun, begin nothing.
    fn stopping(&mut self, state: &mut Self::State, io: &mut Io<'_>);

    /// There is room for more of what the service [produces](Io::produce).
    fn writable(&mut self, state: &mut Self::State, io: &mut Io<'_>);

    /// Whether [`peer`](Self::peer) shall be called for every connection. Until it was, no input is offered.
    fn wants_peers(&self) -> bool;

    /// Who the peer is; `None` if it has gone already.
    fn peer(&mut self, state: &mut Self::State, address: Option<Address>, io: &mut Io<'_>);

    /// A turn is over.
    fn turned(&mut self);

    /// A crowd has gone: memory that only it needed can be given back.
    fn give_back(&mut self) {}

    /// The connection is over. Nothing can be sent.
    fn closed(&mut self, token: Token, state: Self::State);
}
