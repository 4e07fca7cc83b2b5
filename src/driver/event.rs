//! What a driver answers.
#![forbid(unsafe_code)]

use std::io;

use super::{ListenerId, Token};
use crate::buf::SendBuf;
use crate::sys::Address;

/// The operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// connect(2)
    Connect,
    /// recv(2)
    Receive,
    /// shutdown(2)
    Shutdown,
}

/// What became of a send at once.
#[derive(Debug)]
pub(crate) enum Submit {
    /// The kernel took every byte; here is the buffer again.
    Done(SendBuf),
    /// `Sent` follows, or `Closed` with the buffer.
    InFlight,
    /// Nothing more can be sent.
    Failed(SendBuf, io::Error),
}

/// Something happened. `'d` is the lend: it ends with the next call of `next_event`.
///
/// It has no `Drop` of its own, so that the loop `while let Some(event) = driver.next_event()` may use the driver
/// again as soon as the lent bytes have been read.
#[derive(Debug)]
pub(crate) enum Event<'d> {
    /// A client is connected and will be received from.
    Accepted { token: Token, listener: ListenerId },
    /// Accepting failed for lack of descriptors or memory. It pauses and is tried again; this is told once each time.
    AcceptFailed {
        listener: ListenerId,
        error: io::Error,
    },
    /// A connection of ours stands, and will be received from.
    Connected { token: Token },
    /// The answer to `ask_peer`; `None` if the connection has none any more.
    Peer {
        token: Token,
        address: Option<Address>,
    },
    /// Bytes from the peer.
    Received { token: Token, bytes: &'d mut [u8] },
    /// One datagram; may be empty. `truncated` if it was longer than the receive buffer.
    Datagram {
        socket: Token,
        from: Address,
        bytes: &'d mut [u8],
        truncated: bool,
    },
    /// The peer's FIN: it sends nothing more, and may still read.
    Ended { token: Token },
    /// The send that was in flight is over; here is the buffer again.
    Sent {
        token: Token,
        buf: SendBuf,
        result: io::Result<()>,
    },
    /// The answer to `read_file`: `buf` holds what was read, nothing at the end of the file.
    FileRead {
        token: Token,
        buf: Vec<u8>,
        result: io::Result<()>,
    },
    /// An operation failed. The connection still has to be closed.
    Failed {
        token: Token,
        op: Op,
        error: io::Error,
    },
    /// The socket is closed and its index free.
    Closed {
        token: Token,
        unsent: Option<SendBuf>,
    },
    /// The listener is closed: the answer to `stop_listening`, which took in everybody who waited, or to `close_listener`.
    ListenerClosed { listener: ListenerId },
    /// Somebody used the waker.
    Woken,
}

impl Event<'_> {
    /// Whether the event may not be told once its socket was closed, and which socket that is.
    ///
    /// Answers that were known at once wait in a queue. By the time they are taken, their socket may be closed.
    pub(crate) fn dies_with(&self) -> Option<Token> {
        match *self {
            Event::Accepted { token, .. }
            | Event::Connected { token }
            | Event::Peer { token, .. }
            | Event::Received { token, .. }
            | Event::Datagram { socket: token, .. }
            | Event::Ended { token }
            | Event::Sent { token, .. }
            | Event::FileRead { token, .. }
            | Event::Failed { token, .. } => Some(token),
            Event::AcceptFailed { .. }
            | Event::ListenerClosed { .. }
            | Event::Closed { .. }
            | Event::Woken => None,
        }
    }
}
