//! The service that calls a [`Protocol`].
//!
//! ```text
//!   reactor ──Service──▶ Raw: limits, idle deadline, panics ──Wire──▶ your Protocol
//!                         └──▶ Errands, run by the EventLoop when the turn is over
//! ```

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::wire::{Deadline, Reins};
use super::{ConnectionId, Datagram, Errands, Protocol, SocketId, Wire};
use crate::buf::Input;
use crate::conn::{Io, Origin, Service};
use crate::driver::{Aside, Token};
use crate::events;
use crate::server::guarded::guarded;
use crate::sys::Address;

/// Whose call panicked, if it concerned no connection.
const NOBODY: u32 = u32::MAX;

/// What a connection keeps.
pub(crate) struct State<C> {
    /// `None` if the protocol panicked before there was one.
    application: Option<C>,
    reins: Reins,
}

/// A protocol over raw sockets, for one reactor.
pub(crate) struct Raw<P> {
    pub(super) protocol: P,
    pub(super) errands: Errands,
    input_bytes_max: usize,
}

impl<P: Protocol> Raw<P> {
    pub(super) fn new(protocol: P, input_bytes_max: usize) -> Self {
        Self {
            protocol,
            errands: Errands::default(),
            input_bytes_max,
        }
    }

    /// Calls the protocol for a connection, and sees to what it left behind. `None` after a panic.
    pub(super) fn tell<R>(
        &mut self,
        state: &mut State<P::Connection>,
        name: &'static str,
        io: &mut Io<'_>,
        call: impl FnOnce(&mut P, &mut P::Connection, &mut Wire<'_, '_>) -> R,
    ) -> Option<R> {
        let State { application, reins } = state;
        let application = application.as_mut()?;
        let before = io.said();
        let mut wire = Wire::new(io, &mut self.errands, reins);
        let protocol = &mut self.protocol;
        let returned = guarded(wire.id().0.index, name, || {
            call(protocol, application, &mut wire)
        });
        let ended_at = wire.ended_at();
        settle(returned.is_some(), before, ended_at, reins, io);
        returned
    }

    /// Tells the protocol that a connection does not come about.
    fn fail(&mut self, key: u64, error: io::Error) {
        let Self {
            protocol, errands, ..
        } = self;
        guarded(NOBODY, "failed", || protocol.failed(key, error, errands));
    }

    /// As [`fail`](Self::fail), outside of a turn. When the loop stops, what the protocol asks for in answer is dropped: it
    /// would be refused again, and so without end.
    pub(super) fn refuse(&mut self, key: u64, error: io::Error) {
        let (connects, adopts) = (self.errands.connects.len(), self.errands.adopts.len());
        self.fail(key, error);
        if self.errands.is_stopping() {
            self.errands.connects.truncate(connects);
            self.errands.adopts.truncate(adopts);
        }
    }

    fn open(&mut self, origin: Origin, io: &mut Io<'_>) -> State<P::Connection> {
        let mut reins = Reins::default();
        io.expire_in(io.shared.timeouts.first_byte);
        let mut wire = Wire::new(io, &mut self.errands, &mut reins);
        let protocol = &mut self.protocol;
        let application = guarded(wire.id().0.index, "opened", || {
            protocol.opened(origin, &mut wire)
        });
        let ended_at = wire.ended_at();
        settle(application.is_some(), 0, ended_at, &mut reins, io);
        if !io.has_room(1) {
            // Whoever comes at the ceiling would have nothing to keep even half a line in.
            io.reset();
        }
        State { application, reins }
    }
}

/// Sees to what a call left behind: nothing is said behind the end, silence is counted anew, and the memory ceiling holds.
fn settle(fine: bool, before: usize, ended_at: Option<usize>, reins: &mut Reins, io: &mut Io<'_>) {
    if !fine {
        io.take_back(before);
        io.reset();
        return;
    }
    if let Some(ended_at) = ended_at {
        io.take_back(ended_at);
    }
    if io.said() > before {
        if reins.deadline == Deadline::Idle {
            io.expire_in(io.shared.timeouts.idle);
        }
        if !io.may_keep(before) {
            io.take_back(before);
            io.reset();
        }
    }
}

impl<P: Protocol> Service for Raw<P> {
    type State = State<P::Connection>;
    type Mail = P::Mail;

    fn accepted(&mut self, listener: u32, io: &mut Io<'_>) -> Self::State {
        self.open(Origin::Accepted { listener }, io)
    }

    fn joined(&mut self, origin: Origin, io: &mut Io<'_>) -> Self::State {
        self.open(origin, io)
    }

    fn stop_begun(&mut self) {
        self.errands.stopping = true;
    }

    fn aside(&mut self, aside: Aside<'_>) {
        let Self {
            protocol, errands, ..
        } = self;
        match aside {
            Aside::Failed { key, error } => self.fail(key, error),
            Aside::Datagram {
                socket,
                from,
                bytes,
                truncated,
            } => {
                let datagram = Datagram {
                    socket: SocketId(socket),
                    from,
                    bytes,
                    truncated,
                };
                guarded(socket.index, "datagram", || {
                    protocol.datagram(datagram, errands);
                });
            }
            Aside::Undelivered { socket, error } => {
                errands.stuck = false;
                guarded(socket.index, "undelivered", || {
                    protocol.undelivered(SocketId(socket), error, errands);
                });
            }
        }
    }

    fn received(&mut self, state: &mut Self::State, input: &mut Input<'_>, io: &mut Io<'_>) {
        if state.reins.broken {
            events::handler_panicked(io.token.index, "missing");
            io.reset();
            return;
        }
        if io.wants_no_input() {
            // Left unread: it waits, and so does the peer.
            return;
        }
        if state.reins.deadline == Deadline::Idle {
            io.expire_in(io.shared.timeouts.idle);
        }
        self.tell(state, "received", io, |protocol, connection, wire| {
            protocol.received(connection, input, wire);
        });
        if io.is_open() && input.len() > self.input_bytes_max && !io.wants_no_input() {
            events::refused(io.token.index, 0, "a unit of input is too long");
            io.reset();
        }
        if io.is_open() && !io.has_room_if(input.len()) {
            io.reset();
        }
    }

    fn missing(&mut self, state: &mut Self::State, stored: &[u8], fresh: &[u8]) -> usize {
        let Some(application) = state.application.as_mut() else {
            return fresh.len();
        };
        // The connection cannot be ended here: `received`, which comes next, does it, and tells of the panic.
        let protocol = &mut self.protocol;
        let call = AssertUnwindSafe(|| protocol.missing(application, stored, fresh));
        catch_unwind(call).unwrap_or_else(|_| {
            state.reins.broken = true;
            fresh.len()
        })
    }

    fn ended(&mut self, state: &mut Self::State, unfinished: bool, io: &mut Io<'_>) {
        self.tell(state, "ended", io, |protocol, connection, wire| {
            protocol.ended(connection, unfinished, wire);
        });
    }

    fn expired(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        let own = state.reins.deadline == Deadline::Own;
        state.reins.deadline = Deadline::Idle;
        io.expire_in(io.shared.timeouts.idle);
        if own {
            self.tell(state, "expired", io, |protocol, connection, wire| {
                protocol.expired(connection, wire);
            });
        } else {
            events::timed_out(io.token.index, "idle_timeout");
            self.tell(state, "idle", io, |protocol, connection, wire| {
                protocol.idle(connection, wire);
            });
        }
    }

    fn mail(&mut self, state: &mut Self::State, mail: Self::Mail, io: &mut Io<'_>) {
        self.tell(state, "mail", io, |protocol, connection, wire| {
            protocol.mail(connection, mail, wire);
        });
    }

    fn letter(&mut self, mail: Self::Mail) {
        let Self {
            protocol, errands, ..
        } = self;
        guarded(NOBODY, "letter", || protocol.letter(mail, None, errands));
    }

    fn lost(&mut self, token: Token, mail: Self::Mail) {
        let to = Some(ConnectionId(token));
        let Self {
            protocol, errands, ..
        } = self;
        guarded(token.index, "letter", || protocol.letter(mail, to, errands));
    }

    fn has_calls(&self) -> bool {
        self.errands.are_due()
    }

    fn next_call(&mut self) -> Option<Token> {
        self.errands.next_call()
    }

    fn call(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        self.tell(state, "called", io, |protocol, connection, wire| {
            protocol.called(connection, wire);
        });
    }

    fn stopping(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        self.tell(state, "stopping", io, |protocol, connection, wire| {
            protocol.stopping(connection, wire);
        });
    }

    fn writable(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        io.produce_later();
        self.tell(state, "writable", io, |protocol, connection, wire| {
            protocol.writable(connection, wire);
        });
    }

    fn wants_peers(&self) -> bool {
        false
    }

    fn peer(&mut self, state: &mut Self::State, address: Option<Address>, io: &mut Io<'_>) {
        if state.reins.held {
            // The reactor releases what it holds itself; this protocol holds it on its own account.
            io.hold_input();
        }
        self.tell(state, "peer", io, |protocol, connection, wire| {
            protocol.peer(connection, address, wire);
        });
    }

    fn turned(&mut self) {
        // What was in flight has been answered for, or will be in a turn that something else begins.
        self.errands.stuck = false;
    }

    fn give_back(&mut self) {
        self.errands.give_back();
    }

    fn closed(&mut self, token: Token, state: Self::State) {
        let Some(application) = state.application else {
            return;
        };
        let Self {
            protocol, errands, ..
        } = self;
        let id = ConnectionId(token);
        guarded(token.index, "closed", || {
            protocol.closed(id, application, errands);
        });
    }
}
