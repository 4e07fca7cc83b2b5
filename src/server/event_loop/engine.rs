//! One reactor on the backend that was chosen at run time.
//!
//! The choice is matched once in each call from outside. Inside a turn the driver's type is known: no event is dispatched
//! through a pointer or a match.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::buf::{Budget, Ceiling};
use crate::conn::Service;
use crate::driver::{self, Outside};
use crate::limits::Limits;
use crate::reactor::{Post, Reactor};
use crate::server::{Backend, ServerError};
use crate::sys::Probe;

/// A reactor on one of the backends that are built in.
pub(super) enum Engine<S: Service, W: Probe> {
    #[cfg(feature = "epoll")]
    Epoll(Box<Reactor<driver::Epoll<W>, S>>),
    #[cfg(feature = "mio")]
    Mio(Box<Reactor<driver::Mio<W>, S>>),
    #[cfg(feature = "io-uring")]
    IoUring(Box<Reactor<driver::Uring<W>, S>>),
}

/// Says the same to whichever reactor it is.
macro_rules! each {
    ($engine:expr, $reactor:ident => $answer:expr) => {
        match $engine {
            #[cfg(feature = "epoll")]
            $crate::server::event_loop::engine::Engine::Epoll($reactor) => $answer,
            #[cfg(feature = "mio")]
            $crate::server::event_loop::engine::Engine::Mio($reactor) => $answer,
            #[cfg(feature = "io-uring")]
            $crate::server::event_loop::engine::Engine::IoUring($reactor) => $answer,
        }
    };
}
pub(super) use each;

impl<S: Service, W: Probe> Engine<S, W> {
    /// Opens the driver and puts a reactor around it. `backend` was chosen: it is built in.
    pub(super) fn open(
        backend: Backend,
        config: &driver::Config,
        limits: &Limits,
        probe: W,
        make_service: impl FnOnce(Post<S::Mail>) -> S,
    ) -> Result<Self, ServerError> {
        let open = Opening {
            config,
            limits,
            probe,
            make_service,
        };
        Ok(match backend {
            #[cfg(feature = "epoll")]
            Backend::Epoll => Self::Epoll(open.reactor().map_err(ServerError::Worker)?),
            #[cfg(feature = "mio")]
            Backend::Mio => Self::Mio(open.reactor().map_err(ServerError::Worker)?),
            #[cfg(feature = "io-uring")]
            Backend::IoUring => Self::IoUring(open.reactor().map_err(ServerError::Worker)?),
            _ => unreachable!("choose() gives only backends that are built in"),
        })
    }

    pub(super) fn open_outside(&mut self, open: bool) -> io::Result<()> {
        each!(self, reactor => reactor.open_outside(open))
    }

    pub(super) fn outer_descriptor(&self) -> BorrowedFd<'_> {
        each!(self, reactor => reactor.outer_descriptor())
            .expect("every driver was opened to the outside when it was made")
    }

    pub(super) fn outer_timeout(&self) -> Option<Duration> {
        each!(self, reactor => reactor.outer_timeout())
    }

    pub(super) fn turn_within(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        each!(self, reactor => reactor.turn_within(timeout))
    }

    pub(super) fn turn(&mut self) -> io::Result<()> {
        each!(self, reactor => reactor.turn())
    }

    pub(super) fn is_finished(&self) -> bool {
        each!(self, reactor => reactor.is_finished())
    }

    pub(super) fn stop(&mut self) {
        each!(self, reactor => reactor.stop_now());
    }

    pub(super) fn service(&self) -> &S {
        each!(self, reactor => reactor.service())
    }

    pub(super) fn service_mut(&mut self) -> &mut S {
        each!(self, reactor => reactor.service_mut())
    }

    pub(super) fn post(&self) -> Post<S::Mail> {
        each!(self, reactor => reactor.post())
    }

    pub(super) fn probe(&mut self) -> &mut W {
        each!(self, reactor => reactor.probe())
    }
}

/// What a reactor is made of.
struct Opening<'o, W, F> {
    config: &'o driver::Config,
    limits: &'o Limits,
    probe: W,
    make_service: F,
}

impl<W: Probe, F> Opening<'_, W, F> {
    fn reactor<D, S>(self) -> io::Result<Box<Reactor<D, S>>>
    where
        D: Outside<Probe = W>,
        S: Service,
        F: FnOnce(Post<S::Mail>) -> S,
    {
        let mut driver = D::open(self.config, self.probe)?;
        driver.open_outside(true)?;
        let budget = Budget::new(Ceiling::new(self.limits.memory_bytes_max));
        let limits = Arc::new(self.limits.clone());
        let reactor = Reactor::new(driver, limits, budget, self.make_service);
        Ok(Box::new(reactor))
    }
}
