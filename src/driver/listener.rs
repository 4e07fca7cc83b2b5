//! A listening socket: the three calls that make one, and the rule for sharing a port.
//!
//! Every worker has a listener of its own on the same port (SO_REUSEPORT, socket(7)), and the kernel spreads new
//! connections over them. The same option lets a *second program* of the same user bind the port silently, and each
//! would get half of the clients. So the port is first bound once without the option: that fails where anybody listens.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::sys::{
    self, Address, Family, Kind, Mode, POLLIN, PollFd, Probe, SocketOption, ThreadProbe, ToldFd,
};

/// Names one of a driver's listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(pub(crate) u32);

/// A socket in state LISTEN.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Non-blocking.
    pub(crate) fd: ToldFd,
    /// What it is bound to; port 0 is resolved.
    pub(crate) address: Address,
    /// How many connections may wait to be accepted.
    pub(crate) backlog: u32,
}

/// How to listen.
#[derive(Clone, Debug)]
pub(crate) struct ListenOptions {
    /// How many connections may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
    pub(crate) backlog: u32,
    /// Let several sockets share the port.
    pub(crate) reuse_port: bool,
    /// Further options, set before bind(2).
    pub(crate) options: Vec<SocketOption>,
}

/// The longest queue asked for. No kernel grants a longer one, and drivers can reckon with twice as many without overflow.
const BACKLOG_MAX: i32 = i32::MAX / 4;

impl Listener {
    /// socket(2), setsockopt(2), bind(2), listen(2), getsockname(2).
    pub(crate) fn open(
        probe: &mut impl Probe,
        address: &Address,
        how: &ListenOptions,
    ) -> io::Result<Self> {
        let family = address.family();
        let fd = ToldFd::from(sys::socket(probe, family, Kind::Stream, Mode::Nonblocking)?);
        if family != Family::Unix {
            // Without it a restart fails with EADDRINUSE while old connections are in TIME_WAIT (tcp(7)).
            sys::setsockopt(probe, fd.as_fd(), &SocketOption::ReuseAddress(true))?;
            // Accepted sockets inherit it, which saves one call for each connection.
            sys::setsockopt(probe, fd.as_fd(), &SocketOption::NoDelay(true))?;
            if how.reuse_port {
                sys::setsockopt(probe, fd.as_fd(), &SocketOption::ReusePort(true))?;
            }
        }
        for option in &how.options {
            sys::setsockopt(probe, fd.as_fd(), option)?;
        }
        sys::bind(probe, fd.as_fd(), address)?;
        let backlog = i32::try_from(how.backlog).unwrap_or(BACKLOG_MAX);
        let backlog = backlog.min(BACKLOG_MAX);
        sys::listen(probe, fd.as_fd(), backlog)?;
        let address = sys::getsockname(probe, fd.as_fd())?;
        Ok(Self {
            fd,
            address,
            backlog: backlog.unsigned_abs(),
        })
    }

    /// poll(2) with no wait: whether a client waits in the queue, told without a descriptor for him. accept4(2) answers
    /// EMFILE before it looks.
    pub(super) fn has_waiting(&self, probe: &mut impl Probe) -> bool {
        let mut fds = [PollFd::new(self.fd.as_fd(), POLLIN)];
        // EINVAL and ENOMEM answer nothing: then somebody may wait.
        !matches!(sys::poll(probe, &mut fds, Some(Duration::ZERO)), Ok(0))
    }

    /// The same socket once more, for another worker: Unix sockets cannot share an address (EOPNOTSUPP), so their
    /// workers share the socket.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            fd: sys::duplicate(&mut ThreadProbe, self.fd.as_fd())?.into(),
            address: self.address.clone(),
            backlog: self.backlog,
        })
    }
}
