//! The kernel's own directory of sockets: a netlink socket of `sock_diag(7)`.
//!
//! Questions are sent and answers received with [`send`](super::send) and [`recv`](super::recv); the kernel has answered
//! before `send` returns. What they say is the caller's business.
#![forbid(unsafe_code)]

use super::socket::socket_of;
use super::{Mode, Probe};
use std::io;
use std::os::fd::OwnedFd;

/// Makes a socket on which the kernel tells about other sockets (`socket(2)` with `NETLINK_SOCK_DIAG`, 3.3+).
///
/// Every user may ask about every socket of the network namespace. Never blocks.
///
/// # Errors
///
/// EPROTONOSUPPORT: the kernel was built without it; EMFILE, ENFILE, ENOMEM: out of descriptors or memory.
pub fn diag_socket(probe: &mut impl Probe, mode: Mode) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | mode.flags();
    socket_of(probe, libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG)
}
