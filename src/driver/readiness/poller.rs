//! A source of readiness.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::Probe;

/// What is wanted of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Bytes to receive, or connections to accept.
    pub(crate) read: bool,
    /// Room to send.
    pub(crate) write: bool,
}

impl Interest {
    pub(crate) const NONE: Self = Self {
        read: false,
        write: false,
    };
    pub(crate) const READ: Self = Self {
        read: true,
        write: false,
    };
    pub(crate) const WRITE: Self = Self {
        read: false,
        write: true,
    };
    pub(crate) const BOTH: Self = Self {
        read: true,
        write: true,
    };
}

/// One socket that would not block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// The key it was added with.
    pub(crate) key: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// Reset, or finished in both directions. Pollers report it whether it is wanted or not.
    pub(crate) hung_up: bool,
}

impl Ready {
    /// Whether there is something to receive, and nothing else to be told.
    #[inline]
    pub(super) fn is_input(&self) -> bool {
        self.readable && !self.writable && !self.hung_up
    }
}

/// Says which sockets would not block.
pub(crate) trait Poller: Sized {
    /// Whether readiness is reported once, when it begins, instead of as long as it lasts.
    const EDGE: bool;

    /// Sets the poller up.
    fn open<P: Probe>(probe: &mut P) -> io::Result<Self>;

    /// Watches `fd`; what is reported carries `key`.
    fn add<P: Probe>(
        &mut self,
        probe: &mut P,
        fd: BorrowedFd<'_>,
        key: u64,
        interest: Interest,
    ) -> io::Result<()>;

    /// Changes what is wanted of `fd`. Never called where [`EDGE`](Self::EDGE) holds.
    fn change<P: Probe>(
        &mut self,
        probe: &mut P,
        fd: BorrowedFd<'_>,
        key: u64,
        interest: Interest,
    ) -> io::Result<()>;

    /// Forgets `fd`.
    fn remove<P: Probe>(&mut self, probe: &mut P, fd: BorrowedFd<'_>) -> io::Result<()>;

    /// Waits, at most `timeout`. A signal ends the wait early without an error.
    fn wait<P: Probe>(&mut self, probe: &mut P, timeout: Option<Duration>) -> io::Result<()>;

    /// What the last wait reported, by position.
    fn ready(&self, index: usize) -> Option<Ready>;

    /// The poller's own descriptor: readable while something is ready.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// What a new socket is registered with: everything, where it cannot be changed later.
    fn initial(wanted: Interest) -> Interest {
        if Self::EDGE { Interest::BOTH } else { wanted }
    }
}
