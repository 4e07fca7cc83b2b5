//! What a reactor tells its service that concerns no open connection.
#![forbid(unsafe_code)]

use std::io;

use super::Token;
use crate::sys::Address;

/// Something happened beside the connections. `'d` is the lend of a datagram: it ends with the call.
#[derive(Debug)]
pub(crate) enum Aside<'d> {
    /// The connection that was asked for under this key does not come about.
    Failed { key: u64, error: io::Error },
    /// One datagram; may be empty. `truncated` if it was longer than the receive buffer.
    Datagram {
        socket: Token,
        from: Address,
        bytes: &'d mut [u8],
        truncated: bool,
    },
    /// An earlier datagram of this socket was not delivered, or not sent.
    Undelivered { socket: Token, error: io::Error },
}
