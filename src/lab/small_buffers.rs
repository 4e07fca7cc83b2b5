//! A TCP connection whose buffers are full soon, for lessons about what happens then.
//!
//! Left alone, the kernel lets a loopback connection keep megabytes and tunes that while it runs (tcp(7)). Buffers that are
//! set stay as they are. It does not know what the lesson does with them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use longshore::sys::{self, Address, Family, Kind, Mode, Silent, SocketOption};

/// What is asked for; the kernel doubles it for its own bookkeeping (socket(7)).
pub(super) const BUFFER_BYTES: usize = 32 * 1024;

/// Both ends of a connection with small buffers: the server's, the client's. The listener is gone.
pub(super) fn small_pair(mode: Mode) -> io::Result<(OwnedFd, OwnedFd)> {
    let silent = &mut Silent;
    let listener = small_socket()?;
    let anywhere: Address = "127.0.0.1:0".parse().map_err(io::Error::other)?;
    sys::bind(silent, listener.as_fd(), &anywhere)?;
    sys::listen(silent, listener.as_fd(), 1)?;
    let address = sys::getsockname(silent, listener.as_fd())?;
    let client = small_socket()?;
    sys::connect(silent, client.as_fd(), &address)?;
    sys::set_mode(silent, client.as_fd(), mode)?;
    let server = sys::accept4(silent, listener.as_fd(), mode)?;
    Ok((server, client))
}

/// A socket whose buffers were set before it is connected, which is when the window is agreed on. Accepted sockets inherit
/// them from the listener.
pub(super) fn small_socket() -> io::Result<OwnedFd> {
    let silent = &mut Silent;
    let socket = sys::socket(silent, Family::Inet, Kind::Stream, Mode::Blocking)?;
    for option in [
        SocketOption::ReceiveBuffer(BUFFER_BYTES),
        SocketOption::SendBuffer(BUFFER_BYTES),
    ] {
        sys::setsockopt(silent, socket.as_fd(), &option)?;
    }
    Ok(socket)
}
