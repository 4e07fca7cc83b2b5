//! The application's side of a connection.

use super::{Incoming, Message, MessagePiece, Replied, Reply, Request, Socket};
use crate::http::{Head, Status};

/// What to do with a request's body, decided when its head is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Put it together and show it with the request. Limit: `collected_body_bytes_max`, 1 MiB by default; above it the
    /// peer gets 413, before it has sent anything if the length says so.
    Collect,
    /// Show it piece by piece to [`Handler::body`], as it comes. Limit: `streamed_body_bytes_max`, 1 GiB by default.
    Stream,
    /// Do not read it: answer with this status, then close.
    Refuse(Status),
    /// The head alone decides what is answered. A peer that waits for `100 Continue` is answered at once, and so is one
    /// that announces more than may be collected; then the connection closes (RFC 9110 §10.1.1). Another body is
    /// collected and shown as usual, because reading it keeps the connection.
    Ignore,
}

/// Answers requests and WebSocket messages. Each worker has a handler of its own, so it needs no locks.
///
/// Everything that is passed in is lent for the call. A panic costs the connection (500, or close code 1011), not the
/// worker.
///
/// ```
/// use longshore::{Handler, Replied, Reply, Request};
///
/// struct Hello;
///
/// impl Handler for Hello {
///     type Connection = ();
///
///     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         match request.path() {
///             b"/" => reply.text("Hello, World!"),
///             _ => reply.error(longshore::http::Status::NOT_FOUND, "There is nothing here."),
///         }
///     }
/// }
/// ```
pub trait Handler {
    /// What the application keeps of each connection, from its first byte to its last. Begins as the default.
    type Connection: Default;

    /// A request's head has come, and a body will follow.
    fn head(&mut self, _head: &Head<'_>, _connection: &mut Self::Connection) -> Body {
        Body::Collect
    }

    /// A piece of a body that [`head`](Self::head) chose to stream. Never empty. What cannot be taken as fast as it comes
    /// is left with the peer by [`Incoming::pause`].
    fn body(
        &mut self,
        _piece: &mut [u8],
        _incoming: &mut Incoming<'_>,
        _connection: &mut Self::Connection,
    ) {
    }

    /// A request is complete. Called once for each, behind the pieces of its body.
    fn request(
        &mut self,
        request: Request<'_>,
        reply: Reply<'_>,
        connection: &mut Self::Connection,
    ) -> Replied;

    /// The connection is a WebSocket from now on. What is sent here leaves right behind the handshake.
    fn opened(&mut self, _socket: &mut Socket<'_, '_>, _connection: &mut Self::Connection) {}

    /// A WebSocket message is complete.
    fn message(
        &mut self,
        _message: Message<'_>,
        _socket: &mut Socket<'_, '_>,
        _connection: &mut Self::Connection,
    ) {
    }

    /// A piece of a WebSocket message, where [`Upgrade::pieces`](super::Upgrade::pieces) asked for that. Nothing is put
    /// together, so a message of any length costs no memory. Limit: `streamed_message_bytes_max`, 1 GiB by default.
    ///
    /// Of a compressed message at most 16 KiB come at a time. While the peer does not read what is sent to it, no more
    /// pieces come. If the connection ends inside of a message, there is no `last` piece, and [`closed`](Self::closed) is
    /// called.
    fn piece(
        &mut self,
        _piece: MessagePiece<'_>,
        _socket: &mut Socket<'_, '_>,
        _connection: &mut Self::Connection,
    ) {
    }

    /// A pong has come: the peer's answer to a ping of ours, or a sign of life of its own.
    fn pong(&mut self, _connection: &mut Self::Connection) {}

    /// There is room again for messages to a peer, after [`Socket::await_room`].
    fn drained(&mut self, _socket: &mut Socket<'_, '_>, _connection: &mut Self::Connection) {}

    /// The connection is over.
    fn closed(&mut self, _connection: Self::Connection) {}
}
