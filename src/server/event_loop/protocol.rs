//! The application's side: what a protocol of its own is told.

use std::io;

use super::{ConnectionId, Datagram, Errands, Origin, SocketId, Wire};
use crate::buf::Input;
use crate::sys::Address;

/// A protocol over raw sockets: gives the bytes of all connections of an [`EventLoop`](super::EventLoop) a meaning.
///
/// One value serves all of them, on one thread, so it needs no locks. Everything that is passed in is lent for the call.
/// What is said in a call leaves when the call returns, in one send. A panic costs the connection, if the
/// call concerned one, and not the loop.
///
/// The calls of a connection come in this order:
///
/// ```text
///   opened ─▶ received … ─▶ ended ─▶ closed          and between: writable, called, mail, peer, expired, idle, stopping
///   failed    (a connection of ours that did not come about: its only call)
/// ```
///
/// ```
/// use longshore::buf::Input;
/// use longshore::{EventLoop, Origin, Protocol, Wire};
///
/// /// Answers each line with the line.
/// struct Lines;
///
/// impl Protocol for Lines {
///     type Connection = ();
///     type Mail = ();
///
///     fn opened(&mut self, _: Origin, _: &mut Wire<'_, '_>) {}
///
///     fn received(&mut self, (): &mut (), input: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
///         while wire.wants_input()
///             && let Some(end) = input.unread().iter().position(|byte| *byte == b'\n')
///         {
///             wire.say(input.take(end + 1));
///         }
///         // What is left is the beginning of a line: it is kept, and comes again with more behind it.
///     }
/// }
///
/// let mut event_loop = EventLoop::new(Lines)?;
/// let listening = event_loop.listen("127.0.0.1:0".parse::<longshore::sys::Address>()?)?;
/// println!("listening on {}", listening.address);
/// # event_loop.stop();
/// event_loop.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Protocol {
    /// What the protocol keeps of each connection. An idle connection owns this and little more than a hundred bytes.
    type Connection;
    /// What other threads may send, by a [`Letterbox`](super::Letterbox).
    type Mail: Send + 'static;

    /// A connection stands. `origin` says whether a client came, a connection of ours was made, or one was adopted.
    fn opened(&mut self, origin: Origin, wire: &mut Wire<'_, '_>) -> Self::Connection;

    /// Bytes have come. Takes what it can of `input`; what stays unread is kept, and offered again with more behind it.
    ///
    /// Not called while so much waits for the peer that no more work should be begun, nor while input is
    /// [held](Wire::hold_input). Whoever answers many units in one call asks [`Wire::wants_input`] between them and leaves
    /// the rest unread: it is offered again when the peer has read.
    ///
    /// Limit: [`LoopOptions::input_bytes_max`](super::LoopOptions::input_bytes_max) of unread bytes, 1 MiB by default. At it
    /// the connection is reset.
    fn received(
        &mut self,
        connection: &mut Self::Connection,
        input: &mut Input<'_>,
        wire: &mut Wire<'_, '_>,
    );

    /// How many of the `fresh` bytes complete the unit that the `stored` ones begin; more than there are, or all, if it is
    /// still incomplete. Only those are copied behind the stored ones; the rest is read where it lies. Default: all.
    fn missing(
        &mut self,
        _connection: &mut Self::Connection,
        _stored: &[u8],
        fresh: &[u8],
    ) -> usize {
        fresh.len()
    }

    /// The peer sends nothing more (its FIN); it may still read. `unfinished`: bytes were left unread. By default the
    /// connection [finishes](Wire::finish).
    fn ended(
        &mut self,
        _connection: &mut Self::Connection,
        _unfinished: bool,
        wire: &mut Wire<'_, '_>,
    ) {
        wire.finish();
    }

    /// There is room for more output, as [`Wire::await_room`] asked.
    fn writable(&mut self, _connection: &mut Self::Connection, _wire: &mut Wire<'_, '_>) {}

    /// The time has passed that [`Wire::expire_in`] set. By default the connection [finishes](Wire::finish).
    fn expired(&mut self, _connection: &mut Self::Connection, wire: &mut Wire<'_, '_>) {
        wire.finish();
    }

    /// Neither side has said anything for [`Limits::idle_timeout`](crate::Limits::idle_timeout), or the peer nothing at all
    /// for `first_byte_timeout`. By default the connection [finishes](Wire::finish). It is called again after as long.
    fn idle(&mut self, _connection: &mut Self::Connection, wire: &mut Wire<'_, '_>) {
        wire.finish();
    }

    /// The answer to [`Wire::ask_peer`]; `None` if the peer has gone already. Unix clients are mostly `Unnamed`.
    fn peer(
        &mut self,
        _connection: &mut Self::Connection,
        _address: Option<Address>,
        _wire: &mut Wire<'_, '_>,
    ) {
    }

    /// The call that [`Errands::call`] asked for: something concerns this connection that did not come from its peer.
    fn called(&mut self, _connection: &mut Self::Connection, _wire: &mut Wire<'_, '_>) {}

    /// Another thread has sent this to the connection.
    fn mail(
        &mut self,
        _connection: &mut Self::Connection,
        _mail: Self::Mail,
        _wire: &mut Wire<'_, '_>,
    ) {
    }

    /// Another thread has sent this to the protocol itself, or to a connection that is gone by now (`to`).
    fn letter(&mut self, _mail: Self::Mail, _to: Option<ConnectionId>, _errands: &mut Errands) {}

    /// The loop is stopping. By default the connection [finishes](Wire::finish).
    fn stopping(&mut self, _connection: &mut Self::Connection, wire: &mut Wire<'_, '_>) {
        wire.finish();
    }

    /// The connection is over. Nothing can be said.
    fn closed(&mut self, _id: ConnectionId, _connection: Self::Connection, _errands: &mut Errands) {
    }

    /// The connection that was asked for with this key does not come about, or a socket could not be adopted.
    fn failed(&mut self, _key: u64, _error: io::Error, _errands: &mut Errands) {}

    /// A datagram has come. Called once for each, also for empty ones; several are never joined, none is split.
    fn datagram(&mut self, _datagram: Datagram<'_>, _errands: &mut Errands) {}

    /// A datagram of ours was not delivered: the peer's host said so (ICMP), or there was no room for it (`WouldBlock`) and
    /// it was dropped. Which one, the kernel does not tell.
    fn undelivered(&mut self, _socket: SocketId, _error: io::Error, _errands: &mut Errands) {}
}
