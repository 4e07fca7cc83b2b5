//! The lower door: an application's own protocol on the reactor and the drivers that HTTP uses, and turns made one by one
//! inside somebody else's loop.
//!
//! ```text
//!   your Protocol ◀── Wire: one connection during one call          your loop: poll(2) on as_fd(), next_timeout()
//!        │                                                               │
//!        └──▶ EventLoop ── poll_once, run ──▶ Engine ──▶ Reactor on epoll, io_uring or mio
//!   your Handler ──▶ ServerLoop ──▶ the same with HTTP and WebSocket
//! ```
//!
//! An [`EventLoop`] owns its protocol and lends it out again ([`EventLoop::protocol_mut`]), in place of borrowing it for
//! each turn: the connections' states belong to one protocol for as long as they live, and with a borrow nothing would
//! keep a caller from passing another one the next time.
//!
//! It does not know what the bytes mean, and spawns no thread.

mod datagrams;
mod engine;
mod errands;
mod http;
mod letterbox;
mod names;
mod options;
mod protocol;
mod raw;
mod wire;

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use engine::{Engine, each};
use raw::Raw;

pub use errands::{DATAGRAM_BYTES_WAITING_MAX, DATAGRAMS_WAITING_MAX, DatagramDropped, Errands};
pub use http::ServerLoop;
pub use letterbox::{Letterbox, MailError};
pub use names::{ConnectionId, Datagram, DatagramSocket, Listening, SocketId};
pub use options::{Connect, Listen, LoopOptions};
pub use protocol::Protocol;
pub use wire::Wire;

use super::bind::{Binding, OwnedPath};
use super::{Chosen, ServerError};
use crate::conn::ticks;
use crate::driver::ListenerId;
use crate::sys::{Probe, Silent};

pub use crate::conn::Origin;

/// One loop on the calling thread: listeners, connections and datagram sockets of a [`Protocol`].
///
/// Three ways to run it: [`run`](Self::run) until it is stopped; [`poll_once`](Self::poll_once) with a timeout, as one's own
/// loop; or inside another loop, which waits for [`as_fd`](AsFd::as_fd) to become readable.
///
/// ```
/// # use longshore::{EventLoop, Origin, Protocol, Wire, buf::Input};
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     type Connection = ();
/// #     type Mail = ();
/// #     fn opened(&mut self, _: Origin, _: &mut Wire<'_, '_>) {}
/// #     fn received(&mut self, (): &mut (), input: &mut Input<'_>, wire: &mut Wire<'_, '_>) { wire.say(input.take_all()); }
/// # }
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// use longshore::sys::{self, POLLIN, PollFd, Silent};
///
/// let mut event_loop = EventLoop::new(Echo)?;
/// event_loop.listen("127.0.0.1:0".parse::<sys::Address>()?)?;
/// # event_loop.stop();
/// while !event_loop.is_finished() {
///     let timeout = event_loop.next_timeout();
///     let mut watched = [PollFd::new(event_loop.as_fd(), POLLIN)]; // and descriptors of your own
///     sys::poll(&mut Silent, &mut watched, timeout)?;
///     event_loop.poll_once(Some(Duration::ZERO))?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
///
/// [`LoopOptions::limits`] says which of [`Limits`](crate::Limits) count. They are on by default.
pub struct EventLoop<P: Protocol, W: Probe = Silent> {
    engine: Engine<Raw<P>, W>,
    chosen: Chosen,
    connections_max: usize,
    /// Paths of Unix sockets, removed at the end.
    paths: Vec<OwnedPath>,
    datagrams_dropped: u64,
    /// A ring answers only to the thread that made it.
    _not_send: PhantomData<*const ()>,
}

impl<P: Protocol> EventLoop<P> {
    /// A loop with default options.
    ///
    /// # Errors
    /// The driver could not be set up.
    pub fn new(protocol: P) -> Result<Self, ServerError> {
        Self::watched(protocol, &LoopOptions::new(), Silent)
    }

    /// A loop.
    ///
    /// # Errors
    /// The backend cannot be used here, or could not be set up.
    pub fn with_options(protocol: P, options: &LoopOptions) -> Result<Self, ServerError> {
        Self::watched(protocol, options, Silent)
    }
}

impl<P: Protocol, W: Probe> EventLoop<P, W> {
    /// A loop whose system calls and ring operations are watched. Those that bind a listener are told to the probe of the
    /// calling thread ([`watch_thread`](crate::sys::watch_thread)), since they are made before the driver has it.
    ///
    /// ```
    /// # use longshore::{EventLoop, Origin, Protocol, Wire, buf::Input};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     type Connection = ();
    /// #     type Mail = ();
    /// #     fn opened(&mut self, _: Origin, _: &mut Wire<'_, '_>) {}
    /// #     fn received(&mut self, (): &mut (), input: &mut Input<'_>, wire: &mut Wire<'_, '_>) { wire.say(input.take_all()); }
    /// # }
    /// use longshore::{LoopOptions, sys::Count};
    ///
    /// let mut event_loop = EventLoop::watched(Echo, &LoopOptions::new(), Count::new())?;
    /// event_loop.poll_once(Some(std::time::Duration::ZERO))?;
    /// println!("{} system calls", event_loop.probe().counts().calls_total());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The backend cannot be used here, or could not be set up.
    pub fn watched(protocol: P, options: &LoopOptions, probe: W) -> Result<Self, ServerError> {
        let chosen = options.backend.choose().map_err(ServerError::Backend)?;
        let config = options.driver_config();
        let input_bytes_max = options.input_bytes_max;
        let engine = Engine::open(chosen.backend, &config, &options.limits, probe, |_| {
            Raw::new(protocol, input_bytes_max)
        })?;
        Ok(Self {
            engine,
            chosen,
            connections_max: config.connections_max as usize,
            paths: Vec::new(),
            datagrams_dropped: 0,
            _not_send: PhantomData,
        })
    }

    /// Accepts clients from now on.
    ///
    /// # Errors
    /// The address is taken, forbidden or wrong.
    pub fn listen(&mut self, listen: impl Into<Listen>) -> Result<Listening, ServerError> {
        let listen = listen.into();
        let binding = Binding {
            backlog: listen.backlog,
            workers: 1,
            reuse_port: listen.reuse_port,
            unix_mode: listen.unix_mode,
            options: listen.options,
        };
        let mut bound = binding.bind(&listen.address)?;
        let listener = bound.listeners.pop().expect("one for each worker");
        let address = listener.address.clone();
        let id = each!(&mut self.engine, reactor => {
            reactor.wants_a_turn();
            reactor.listen(listener)
        })
        .map_err(ServerError::Worker)?;
        self.paths.extend(bound.path);
        Ok(Listening {
            listener: id.0,
            address,
        })
    }

    /// Accepts who waits, then closes the listener. Its connections stay. An unknown number does nothing.
    pub fn stop_listening(&mut self, listener: u32) {
        each!(&mut self.engine, reactor => reactor.stop_listening(ListenerId(listener)));
    }

    /// Connects. Answered by [`Protocol::opened`] with [`Origin::Connected`], or by [`Protocol::failed`]: perhaps already
    /// when this returns, and always so once the loop stops (`ConnectionAborted`).
    pub fn connect(&mut self, connect: impl Into<Connect>) {
        self.begin_connect(&connect.into());
        self.run_errands();
    }

    /// Takes over a connected stream socket: [`Protocol::opened`] is called with [`Origin::Adopted`]. It may have come from
    /// another thread, another process or a library. Whether it blocks is set as the backend needs it.
    ///
    /// # Errors
    /// There are [`connections_max`](LoopOptions::connections_max) connections, the loop stops (`ConnectionAborted`), or the
    /// kernel refuses. The socket is closed then.
    pub fn adopt(&mut self, stream: OwnedFd, key: u64) -> io::Result<ConnectionId> {
        self.check_room()?;
        let token = each!(&mut self.engine, reactor => reactor.adopt(stream, key))?;
        self.run_errands();
        Ok(ConnectionId(token))
    }

    /// Makes one turn: waits at most `timeout` (`None`: until something happens or is due), and calls the protocol for all
    /// that has happened. Shorter than `timeout` if something is due, so a turn may do nothing.
    ///
    /// # Errors
    /// Only what makes the backend useless; a connection's errors end that connection.
    pub fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.engine.open_outside(true)?;
        self.engine.turn_within(timeout)?;
        if self.run_errands() {
            // What was begun must reach the kernel before the outer loop waits.
            each!(&mut self.engine, reactor => reactor.rest())?;
        }
        Ok(())
    }

    /// Makes turns until the loop was stopped and everything is over.
    ///
    /// # Errors
    /// As [`poll_once`](Self::poll_once).
    pub fn run(&mut self) -> io::Result<()> {
        // Nobody waits outside: the kernel need not ring.
        self.engine.open_outside(false)?;
        while !self.engine.is_finished() {
            self.engine.turn()?;
            self.run_errands();
        }
        self.engine.open_outside(true)
    }

    /// How long an outer loop may wait for [`as_fd`](AsFd::as_fd) before it makes a turn. `None`: for ever. Ask each time
    /// before waiting: it is zero when there is something to do that the kernel does not know of.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.engine.outer_timeout()
    }

    /// Stops accepting and connecting, tells each connection ([`Protocol::stopping`]), and closes what is left when
    /// [`Limits::stop_timeout`](crate::Limits::stop_timeout) has passed. A second call closes everything at once. Turns have
    /// to be made until [`is_finished`](Self::is_finished). [`Letterbox::stop`] does it from another thread.
    ///
    /// From then on whoever asks to connect or adopt is answered by [`Protocol::failed`] with `ConnectionAborted`. What is
    /// asked for within that answer is dropped without another, or a protocol that tries again would never end.
    pub fn stop(&mut self) {
        self.engine.stop();
        self.run_errands();
    }

    /// Whether it was stopped and everything is over.
    pub fn is_finished(&self) -> bool {
        self.engine.is_finished()
    }

    /// Calls `call` for a connection, now, as a call of the protocol would be: what it says leaves. `None` if the
    /// connection is gone, or going.
    pub fn call<R>(
        &mut self,
        connection: ConnectionId,
        call: impl FnOnce(&mut P, &mut P::Connection, &mut Wire<'_, '_>) -> R,
    ) -> Option<R> {
        let returned = each!(&mut self.engine, reactor => {
            reactor.call_now(connection.0, |raw, state, io| raw.tell(state, "call", io, call))
        });
        self.run_errands();
        returned.flatten()
    }

    /// An address for mail from other threads.
    pub fn letterbox(&self) -> Letterbox<P::Mail> {
        Letterbox::new(self.engine.post())
    }

    /// The protocol.
    pub fn protocol(&self) -> &P {
        &self.engine.service().protocol
    }

    /// The protocol.
    pub fn protocol_mut(&mut self) -> &mut P {
        &mut self.engine.service_mut().protocol
    }

    /// The probe, to read its figures.
    pub fn probe(&mut self) -> &mut W {
        self.engine.probe()
    }

    /// The backend, and why it is not the preferred one.
    pub fn backend(&self) -> &Chosen {
        &self.chosen
    }

    /// How many connections there are, those that are about to close included.
    pub fn connections(&self) -> usize {
        each!(&self.engine, reactor => reactor.live())
    }

    /// How many clients were accepted so far.
    pub fn accepted(&self) -> u64 {
        each!(&self.engine, reactor => reactor.figures()).accepted
    }

    /// How many turns were made so far.
    pub fn turns(&self) -> u64 {
        each!(&self.engine, reactor => reactor.figures()).turns
    }

    /// How many bytes the connections make the loop keep: unread input, unsent output.
    pub fn held_bytes(&self) -> usize {
        each!(&self.engine, reactor => reactor.held_bytes())
    }

    /// Whether another connection may begin.
    fn check_room(&self) -> io::Result<()> {
        if self.engine.service().errands.is_stopping() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let live = each!(&self.engine, reactor => reactor.live_and_connecting());
        if live < self.connections_max {
            Ok(())
        } else {
            Err(io::Error::other("there are connections_max connections"))
        }
    }

    fn begin_connect(&mut self, connect: &Connect) {
        let Connect {
            to,
            from,
            timeout,
            key,
        } = connect;
        let begun = self.check_room().and_then(|()| {
            each!(&mut self.engine, reactor => {
                reactor.connect(to, from.as_ref(), ticks(*timeout), *key)
            })
        });
        if let Err(error) = begun {
            self.engine.service_mut().refuse(*key, error);
        }
    }

    /// Does what the protocol asked for, once: what comes of that is left to the next turn. True if there was anything.
    fn run_errands(&mut self) -> bool {
        let errands = &mut self.engine.service_mut().errands;
        if !errands.are_due() {
            return false;
        }
        if std::mem::take(&mut errands.stop) {
            // First: what it gives up may ask for more, which is answered below, because no turn may follow.
            self.engine.stop();
        }
        let errands = &mut self.engine.service_mut().errands;
        let connects = std::mem::take(&mut errands.connects);
        let adopts = std::mem::take(&mut errands.adopts);
        let peers = std::mem::take(&mut errands.peers);
        for connect in &connects {
            self.begin_connect(connect);
        }
        for (stream, key) in adopts {
            let adopted = self
                .check_room()
                .and_then(|()| each!(&mut self.engine, reactor => reactor.adopt(stream, key)));
            if let Err(error) = adopted {
                self.engine.service_mut().refuse(key, error);
            }
        }
        for token in peers {
            each!(&mut self.engine, reactor => reactor.ask_peer(token));
        }
        self.send_datagrams();
        true
    }
}

impl<P: Protocol, W: Probe> AsFd for EventLoop<P, W> {
    /// Readable when a turn has something to do that the kernel knows of. Watch it for input, level-triggered, and no longer
    /// than [`next_timeout`](EventLoop::next_timeout). Not to be read from. On epoll and mio it is the poller; on io_uring an
    /// eventfd(2) that the kernel writes (`IORING_REGISTER_EVENTFD`), because a ring's own descriptor does not wake an outer
    /// poll.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.outer_descriptor()
    }
}
