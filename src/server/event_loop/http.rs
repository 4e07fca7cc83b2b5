//! HTTP and WebSocket in turns: a server of one worker, on the calling thread.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::ConnectionId;
use super::engine::{Engine, each};
use crate::buf::Ceiling;
use crate::reactor::Letter;
use crate::server::bind::OwnedPath;
use crate::server::ledger::Ledger;
use crate::server::run::{Bound, figures_of};
use crate::server::topics::{Homes, Publisher};
use crate::server::web::{Journal, Topics, Web};
use crate::server::{AccessLog, Chosen, Handler, Server, ServerError, Stopper, Workers};
use crate::sys::{Address, Probe, Silent};

/// A server of one worker whose turns are made by whoever owns it: in its own loop, or inside another one.
///
/// Made by [`Server::into_loop`]. Everything that [`Bound::run`] serves is served here too, with the same limits. Only
/// [`Server::workers`], [`Server::pin`], [`Server::own_tables`], [`Server::count_calls`], `Server::trace` and
/// [`Server::busy_poll`] mean nothing: the thread is the caller's, and so is the probe
/// ([`Server::into_watched_loop`]).
///
/// ```
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// use longshore::sys::{self, POLLIN, PollFd, Silent};
/// use longshore::{Handler, Replied, Reply, Request, Server};
///
/// struct Hello;
///
/// impl Handler for Hello {
///     type Connection = ();
///     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         reply.text("Hello, World!")
///     }
/// }
///
/// let mut server = Server::new().listen("127.0.0.1:0".parse()?).into_loop(Hello)?;
/// println!("listening on http://{}", server.addresses().next().expect("one address"));
/// # server.stopper().stop();
/// while !server.is_finished() {
///     let timeout = server.next_timeout();
///     let mut watched = [PollFd::new(server.as_fd(), POLLIN)]; // and descriptors of your own
///     sys::poll(&mut Silent, &mut watched, timeout)?;
///     server.poll_once(Some(Duration::ZERO))?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServerLoop<H: Handler, W: Probe = Silent> {
    engine: Engine<Web<H>, W>,
    chosen: Chosen,
    addresses: Vec<Address>,
    stopper: Stopper,
    publisher: Publisher,
    ledger: Ledger,
    /// Removed at the end.
    _paths: Vec<OwnedPath>,
    /// A ring answers only to the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl Server {
    /// Binds every address and serves on the calling thread, turn by turn.
    ///
    /// # Errors
    /// An address is taken, forbidden or wrong, or the backend cannot be used.
    pub fn into_loop<H: Handler>(self, handler: H) -> Result<ServerLoop<H>, ServerError> {
        self.into_watched_loop(handler, Silent)
    }

    /// As [`into_loop`](Self::into_loop), with every system call and ring operation watched, but for those that bind.
    ///
    /// # Errors
    /// An address is taken, forbidden or wrong, or the backend cannot be used.
    pub fn into_watched_loop<H: Handler, W: Probe>(
        self,
        handler: H,
        probe: W,
    ) -> Result<ServerLoop<H, W>, ServerError> {
        ServerLoop::new(self.workers(Workers::Count(1)).bind()?, handler, probe)
    }
}

impl<H: Handler, W: Probe> ServerLoop<H, W> {
    fn new(mut bound: Bound, handler: H, probe: W) -> Result<Self, ServerError> {
        let listeners = bound.listeners_by_worker().pop().unwrap_or_default();
        let config = bound.driver_config();
        let Bound {
            server,
            chosen,
            addresses,
            stopper,
            hub,
            ledger,
            ..
        } = bound;
        let lines = server.access_log.as_ref().map(AccessLog::lines);
        let journal = Journal::new(lines, server.peer_addresses);
        let compressor = server.make_compressor();
        let topics = Topics::new(0, hub.clone(), Homes::new(hub.workers(), &server.limits));
        let deflate = Ceiling::new(server.limits.deflate_memory_bytes_max);
        let mut engine = Engine::open(chosen.backend, &config, &server.limits, probe, |post| {
            hub.register(0, post.clone());
            Web::new(handler, post, journal, compressor, topics, deflate)
                .parting(stopper.farewell())
        })?;
        for listener in listeners {
            each!(&mut engine, reactor => reactor.listen(listener)).map_err(ServerError::Worker)?;
        }
        let post = engine.post();
        stopper.register(Box::new(move || {
            // A stop is never refused.
            let _ = post.send(Letter::Stop);
        }));
        let mut paths = Vec::new();
        let mut bound_to = Vec::new();
        for bound in addresses {
            bound_to.push(bound.address);
            paths.extend(bound.path);
        }
        Ok(Self {
            engine,
            chosen,
            addresses: bound_to,
            stopper,
            publisher: Publisher { hub },
            ledger,
            _paths: paths,
            _not_send: PhantomData,
        })
    }

    /// Makes one turn: waits at most `timeout` (`None`: until something happens or is due), and serves all that has
    /// happened. Shorter than `timeout` if something is due, so a turn may do nothing.
    ///
    /// # Errors
    /// Only what makes the backend useless; a connection's errors end that connection.
    pub fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.engine.open_outside(true)?;
        self.engine.turn_within(timeout)?;
        self.note();
        Ok(())
    }

    /// Makes turns until the server was stopped and everything is over.
    ///
    /// # Errors
    /// As [`poll_once`](Self::poll_once).
    pub fn run(&mut self) -> io::Result<()> {
        // Nobody waits outside: the kernel need not ring.
        self.engine.open_outside(false)?;
        while !self.engine.is_finished() {
            self.engine.turn()?;
            self.note();
        }
        self.engine.open_outside(true)
    }

    /// How long an outer loop may wait for [`as_fd`](AsFd::as_fd) before it makes a turn. `None`: for ever. Ask each time
    /// before waiting: it is zero when there is something to do that the kernel does not know of.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.engine.outer_timeout()
    }

    /// Serves a connected stream socket that somebody else has accepted.
    ///
    /// # Errors
    /// The kernel refuses; the socket is closed then.
    pub fn adopt(&mut self, stream: OwnedFd) -> io::Result<ConnectionId> {
        let token = each!(&mut self.engine, reactor => reactor.adopt(stream, 0))?;
        Ok(ConnectionId(token))
    }

    /// Stops the server, from this thread or any other. Turns have to be made until [`is_finished`](Self::is_finished).
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Whether it was stopped and everything is over.
    pub fn is_finished(&self) -> bool {
        self.engine.is_finished()
    }

    /// The addresses, with the ports that the kernel chose.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter()
    }

    /// The backend, and why it is not the preferred one.
    pub fn backend(&self) -> &Chosen {
        &self.chosen
    }

    /// Publishes to topics, from any thread.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// What the server has done, from any thread.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// The handler.
    pub fn handler(&self) -> &H {
        self.engine.service().handler()
    }

    /// The handler.
    pub fn handler_mut(&mut self) -> &mut H {
        self.engine.service_mut().handler_mut()
    }

    /// The probe, to read its figures.
    pub fn probe(&mut self) -> &mut W {
        self.engine.probe()
    }

    fn note(&self) {
        let figures = each!(&self.engine, reactor => figures_of(reactor));
        self.ledger.account(0).write(&figures);
    }
}

impl<H: Handler, W: Probe> AsFd for ServerLoop<H, W> {
    /// Readable when a turn has something to do that the kernel knows of: as [`EventLoop`](super::EventLoop)'s.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.outer_descriptor()
    }
}
