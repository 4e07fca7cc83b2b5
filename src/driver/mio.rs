//! mio, the ecosystem's portable poller, as a source of readiness.
//!
//! On Linux mio is epoll in edge-triggered mode behind a portable interface. We hand it our own sockets as raw
//! descriptors ([`SourceFd`]), so the same calls are made on them as with the other pollers. mio's own system calls are
//! inside the library, and a probe sees them as library calls.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Poll};

use super::readiness::{Interest, Poller, Ready};
use crate::sys::{Call, Probe};

/// How many ready sockets one poll reports.
const EVENTS_MAX: usize = 512;

/// Lets a probe take the time. The library's calls cannot be refused.
fn announce<P: Probe>(probe: &mut P, call: &Call<'_>) {
    if P::ACTIVE {
        probe.before(call);
    }
}

/// A mio poll and the events of the last wait.
pub(crate) struct Mio {
    poll: Poll,
    ready: Vec<Ready>,
    events: Events,
}

impl Poller for Mio {
    const EDGE: bool = true;

    fn open<P: Probe>(probe: &mut P) -> io::Result<Self> {
        let call = Call::Library {
            name: "mio::Poll::new",
        };
        announce(probe, &call);
        let poll = Poll::new();
        probe.after(&call, poll.as_ref().map(|_| 0));
        Ok(Self {
            poll: poll?,
            ready: Vec::with_capacity(EVENTS_MAX),
            events: Events::with_capacity(EVENTS_MAX),
        })
    }

    fn add<P: Probe>(
        &mut self,
        probe: &mut P,
        fd: BorrowedFd<'_>,
        key: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let wanted = match (interest.read, interest.write) {
            (_, false) => mio::Interest::READABLE,
            (false, true) => mio::Interest::WRITABLE,
            (true, true) => mio::Interest::READABLE | mio::Interest::WRITABLE,
        };
        let call = Call::Library {
            name: "mio::Registry::register",
        };
        announce(probe, &call);
        let result = self.poll.registry().register(
            &mut SourceFd(&fd.as_raw_fd()),
            mio::Token(key as usize),
            wanted,
        );
        probe.after(&call, result.as_ref().map(|()| 0));
        result
    }

    fn change<P: Probe>(
        &mut self,
        _: &mut P,
        _: BorrowedFd<'_>,
        _: u64,
        _: Interest,
    ) -> io::Result<()> {
        // Edge-triggered sockets are registered for everything from the start.
        Ok(())
    }

    fn remove<P: Probe>(&mut self, probe: &mut P, fd: BorrowedFd<'_>) -> io::Result<()> {
        let call = Call::Library {
            name: "mio::Registry::deregister",
        };
        announce(probe, &call);
        let result = self
            .poll
            .registry()
            .deregister(&mut SourceFd(&fd.as_raw_fd()));
        probe.after(&call, result.as_ref().map(|()| 0));
        result
    }

    fn wait<P: Probe>(&mut self, probe: &mut P, timeout: Option<Duration>) -> io::Result<()> {
        let call = Call::Library {
            name: "mio::Poll::poll",
        };
        announce(probe, &call);
        let result = self.poll.poll(&mut self.events, timeout);
        let count = self.events.iter().count();
        probe.after(&call, result.as_ref().map(|()| count));
        match result {
            // A signal: the turn goes on with nothing.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            result => result?,
        }
        self.ready.clear();
        self.ready.extend(self.events.iter().map(|event| Ready {
            key: event.token().0 as u64,
            readable: event.is_readable(),
            writable: event.is_writable(),
            hung_up: event.is_error() || (event.is_read_closed() && event.is_write_closed()),
        }));
        Ok(())
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }

    #[inline]
    fn ready(&self, index: usize) -> Option<Ready> {
        self.ready.get(index).copied()
    }
}
