//! The third model: one thread for all connections, on the crate's own loop, by epoll, io_uring or mio.
//!
//! ```text
//!   EventLoop: wait ─▶ for each that is ready: received ─▶ say ─▶ one send      nobody waits for anybody
//! ```
//!
//! No line here waits, and none makes a system call: the loop tells what has come, and sends what is said. What the other
//! models get for nothing, because their thread sleeps in send, is asked for here: while a peer does not take its bytes, up
//! to `--buffer-bytes` wait for it, and no more of its input is received.

use std::time::Duration;

use longshore::buf::Input;
use longshore::sys::{Address, Kind, Probe};
use longshore::{
    Backend, ConnectionId, Datagram, DatagramDropped, Errands, EventLoop, Limits, Listen,
    LoopOptions, Origin, Protocol, ServerError, SocketId, Wire,
};

use super::listen::{Place, advice};
use super::tally::{Ended, FiveTuple, Tally};
use super::{Terms, datagrams, signals};

/// How long a connection may go on taking what it is owed when the program stops.
const STOP_MAX: Duration = Duration::from_secs(2);

pub(super) fn run<P: Probe>(
    probes: impl Fn() -> P + Send + 'static,
    terms: &Terms,
    (address, bound): (&Address, impl Fn(&Address)),
    backend: Backend,
    tally: &Tally,
) -> Result<(), String> {
    let datagrams = match terms.transport.kind() {
        Kind::Datagram => Some(Place::open(&mut probes(), terms, address)?),
        Kind::Stream => None,
    };
    let echo = Echo {
        terms,
        tally,
        ours: address.clone(),
        opened: 0,
        watched: P::ACTIVE,
    };
    let failed = |error: &dyn std::fmt::Display| format!("the loop failed: {error}");
    let mut event_loop =
        EventLoop::watched(echo, &options(terms, backend), probes()).map_err(|e| e.to_string())?;
    let mut path = None;
    let ours = if let Some(place) = datagrams {
        path = place.path;
        let socket = event_loop.adopt_datagram(place.fd);
        socket.map_err(|error| failed(&error))?.address
    } else {
        let listen = Listen::on(address.clone()).backlog(terms.backlog);
        let listening = event_loop.listen(listen);
        listening.map_err(|error| refused(terms, &error))?.address
    };
    event_loop.protocol_mut().ours = ours.clone();
    let letterbox = event_loop.letterbox();
    signals::stoppable(move |_signal| {
        // The letterbox wakes the loop by a call of its own, which is seen as long as this thread has a probe.
        let _probe = probes();
        // Dropped before the probe: it may be the last that holds the eventfd.
        let letterbox = letterbox;
        letterbox.stop();
    });
    bound(&ours);
    let result = event_loop.run().map_err(|error| failed(&error));
    drop(path);
    result
}

/// The loop's limits: those of this program, in place of those of a server of requests.
fn options(terms: &Terms, backend: Backend) -> LoopOptions {
    let limits = Limits {
        outbox_high_bytes: terms.buffer_bytes,
        outbox_low_bytes: terms.buffer_bytes / 4,
        // Above the high mark nothing is received; what one receive has brought, 512 KiB at the most, may come on top.
        outbox_bytes_max: terms.buffer_bytes + (1 << 20),
        first_byte_timeout: terms.idle,
        idle_timeout: terms.idle,
        write_stall_timeout: terms.idle,
        stop_timeout: STOP_MAX,
        ..Limits::default()
    };
    LoopOptions::new()
        .backend(backend)
        .limits(limits)
        .connections_max(u32::try_from(terms.connections_max).unwrap_or(u32::MAX))
}

fn refused(terms: &Terms, error: &ServerError) -> String {
    match error {
        ServerError::Listen { address, error } => {
            let at = terms.transport.at(address);
            let advice = advice(address, error);
            format!("cannot listen on {at}: {error}{advice}")
        }
        error => error.to_string(),
    }
}

/// Says what it hears.
struct Echo<'e> {
    terms: &'e Terms,
    tally: &'e Tally,
    ours: Address,
    /// Connections so far, to number them.
    opened: u64,
    /// Somebody watches the calls, and shall see who the peers are.
    watched: bool,
}

/// What is kept of each connection.
struct Connection {
    number: u64,
    /// Only if somebody looks.
    tuple: Option<FiveTuple>,
    bytes: u64,
    /// How it will have ended, when it is closed.
    ended: Ended,
}

impl Connection {
    /// Ends it. Only the first reason counts: behind our own end the peer's comes too.
    fn finish(&mut self, ended: Ended, wire: &mut Wire<'_, '_>) {
        if wire.is_open() {
            self.ended = ended;
        }
        wire.finish();
    }
}

impl Protocol for Echo<'_> {
    type Connection = Connection;
    type Mail = ();

    fn opened(&mut self, _: Origin, wire: &mut Wire<'_, '_>) -> Connection {
        self.opened += 1;
        self.tally.opened();
        if self.tally.is_verbose() {
            // Who it is shall be told before what it says.
            wire.hold_input();
            wire.ask_peer();
        } else if self.watched {
            wire.ask_peer();
        }
        Connection {
            number: self.opened,
            tuple: None,
            bytes: 0,
            ended: Ended::Broken,
        }
    }

    fn peer(
        &mut self,
        connection: &mut Connection,
        theirs: Option<Address>,
        wire: &mut Wire<'_, '_>,
    ) {
        if !self.tally.is_verbose() {
            return;
        }
        connection.tuple = theirs.map(|theirs| FiveTuple {
            transport: self.terms.transport,
            ours: self.ours.clone(),
            theirs,
        });
        if let Some(tuple) = &connection.tuple {
            Tally::came(connection.number, tuple);
        }
        wire.release_input();
    }

    fn received(
        &mut self,
        connection: &mut Connection,
        input: &mut Input<'_>,
        wire: &mut Wire<'_, '_>,
    ) {
        connection.bytes += input.len() as u64;
        wire.say(input.take_all());
    }

    fn ended(&mut self, connection: &mut Connection, _: bool, wire: &mut Wire<'_, '_>) {
        connection.finish(Ended::InOrder, wire);
    }

    fn idle(&mut self, connection: &mut Connection, wire: &mut Wire<'_, '_>) {
        connection.finish(Ended::Idle, wire);
    }

    fn stopping(&mut self, connection: &mut Connection, wire: &mut Wire<'_, '_>) {
        connection.finish(Ended::Stopped, wire);
    }

    fn closed(&mut self, _: ConnectionId, connection: Connection, _: &mut Errands) {
        let Connection {
            number,
            tuple,
            bytes,
            ended,
        } = connection;
        self.tally.closed(number, tuple.as_ref(), bytes, ended);
    }

    fn datagram(&mut self, datagram: Datagram<'_>, errands: &mut Errands) {
        let Datagram {
            socket,
            from,
            bytes,
            truncated,
        } = datagram;
        let why_not = datagrams::unanswerable(&from, &self.ours, truncated).or_else(|| {
            let sent = errands.send_to(socket, &from, bytes);
            sent.err().map(|DatagramDropped| "too many wait to be sent")
        });
        self.tally.datagram(bytes.len(), &from, why_not);
    }

    fn undelivered(&mut self, _: SocketId, error: std::io::Error, _: &mut Errands) {
        self.tally.undelivered(&error);
    }
}
