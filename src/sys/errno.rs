//! What an errno means to a server, decided once.
//!
//! The same number means different things after different calls, so there is one function for accept and one for
//! connected sockets. They do not act: who pauses, closes or gives up is decided above.
#![forbid(unsafe_code)]

use std::io;

mod names;

#[cfg(test)]
mod tests;

pub use names::errno_name;

/// What a failed [`accept4`](super::accept4) means for the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcceptError {
    /// No connection waits: wait for readiness.
    NotReady,
    /// This one connection failed before it was taken; the next may be fine: accept again.
    ThisConnection,
    /// Descriptors or memory are out. The connection still waits, so a level-triggered loop would spin: pause accepting,
    /// retry on a timer.
    Exhausted,
    /// The listener itself is broken or closed.
    Listener,
}

/// Sorts the error of an [`accept4`](super::accept4) (`accept(2)`, "Error handling").
///
/// Linux passes errors that already wait on the new connection through accept, so network errors here are that
/// connection's. EPERM is a firewall's word about it. EOPNOTSUPP is among them: a socket that listens can accept.
///
/// ```
/// use longshore::sys::{AcceptError, accept_error};
/// use std::io::Error;
///
/// assert_eq!(accept_error(&Error::from_raw_os_error(libc::EMFILE)), AcceptError::Exhausted);
/// ```
pub fn accept_error(error: &io::Error) -> AcceptError {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EINTR) => AcceptError::NotReady,
        Some(
            libc::ECONNABORTED
            | libc::ECONNRESET
            | libc::EPERM
            | libc::EPROTO
            | libc::ENOPROTOOPT
            | libc::EOPNOTSUPP
            | libc::ETIMEDOUT
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENONET,
        ) => AcceptError::ThisConnection,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::ENOSR) => {
            AcceptError::Exhausted
        }
        // A peer whose family is none of ours was accepted and closed again.
        None if error.kind() == io::ErrorKind::Unsupported => AcceptError::ThisConnection,
        _ => AcceptError::Listener,
    }
}

/// What a failed receive or send means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamError {
    /// Nothing to receive or no room to send: wait for readiness.
    NotReady,
    /// The peer, or the way to it, is gone. An everyday event, not worth a warning.
    PeerGone,
    /// The kernel is out of memory or buffers; the connection is alive.
    Exhausted,
    /// Anything else: most likely our own mistake.
    Other,
}

/// Sorts the error of a `recv`, `send`, `sendmsg`, `sendfile` or `connect` on a stream socket (`tcp(7)`, `ip(7)`).
///
/// ```
/// use longshore::sys::{StreamError, stream_error};
/// use std::io::Error;
///
/// assert_eq!(stream_error(&Error::from_raw_os_error(libc::EPIPE)), StreamError::PeerGone);
/// ```
pub fn stream_error(error: &io::Error) -> StreamError {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EINTR) => StreamError::NotReady,
        Some(
            libc::ECONNRESET
            | libc::EPIPE
            | libc::ETIMEDOUT
            | libc::ECONNABORTED
            | libc::ECONNREFUSED
            | libc::ENOTCONN
            | libc::ESHUTDOWN
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::ENETRESET
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENONET,
        ) => StreamError::PeerGone,
        Some(libc::ENOBUFS | libc::ENOMEM) => StreamError::Exhausted,
        _ => StreamError::Other,
    }
}
