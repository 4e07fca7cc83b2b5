//! One turn: wait, dispatch every event, deliver mail, look at deadlines.

use std::io;
use std::time::Duration;

use super::settle::Hands;
use super::{Entry, Letter, Reactor};
use crate::conn::{Connection, Dispatch, Flags, Life, Service, Stream, Tick};
use crate::driver::{Aside, Driver, Event, Token};
use crate::events;

/// How many connections are called for the service in one turn, before those whose peers have sent something are served
/// again.
const CALLS_PER_TURN_MAX: u32 = 512;
/// How many deadlines are acted on in one turn, for the same reason: nearly each is a ping. A tick in which many thousands
/// are due, as after an accept storm, is spread over as many turns as it takes.
const EXPIRIES_PER_TURN_MAX: u32 = 512;
/// After how many of either with a send in flight the turn goes on: a ring takes every send with its buffer of 4 KiB, and
/// gives it back in the next turn. With 512 of them, 20 workers that broadcast to 300,000 grew by 98 MB for that time.
const IN_FLIGHT_PER_TURN_MAX: u32 = 64;

impl<D: Driver, S: Service> Reactor<D, S> {
    /// Makes one turn. Waits at most `timeout` (`None`: until something happens or is due).
    ///
    /// # Errors
    /// Only what makes the driver useless; a connection's errors end that connection.
    pub(crate) fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let instant = self.clock.read();
        let due = self.timeout_from(instant);
        let mut timeout = match (timeout, due) {
            (Some(timeout), Some(due)) => Some(timeout.min(due)),
            (timeout, due) => timeout.or(due),
        };
        self.note_turn(instant);
        if instant < self.restless_until {
            timeout = Some(Duration::ZERO);
        }
        if timeout != Some(Duration::ZERO) && self.mailbox.announce_sleep() {
            timeout = Some(Duration::ZERO);
        }
        let waited = self.driver.wait(timeout);
        self.mailbox.awake();
        waited?;
        self.shared.now = self.clock.tick();
        if let Some(second) = self.clock.new_second() {
            self.shared.date.update(second);
        }
        self.figures.turns += 1;
        self.go_on();
        self.dispatch_events();
        self.deliver_mail();
        self.make_calls();
        self.look_at_deadlines();
        if std::mem::take(&mut self.stirred) {
            // Look again for a while before sleeping.
            self.restless_until = self.clock.now() + self.busy_poll;
        }
        self.service.turned();
        Ok(())
    }

    /// Notes how long the turn took that ends at `instant`. The wait before it is no part of it.
    pub(super) fn note_turn(&mut self, instant: Duration) {
        if self.figures.turns > 0 {
            let turn = instant.saturating_sub(self.clock.now());
            self.figures.longest_turn = self.figures.longest_turn.max(turn);
        }
    }

    fn dispatch_events(&mut self) {
        while let Some(event) = self.driver.next_event() {
            self.stirred = true;
            match event {
                Event::Received { token, bytes } => {
                    let entry = self.table.at_mut(token.index).and_then(Option::as_mut);
                    let Some(entry) = entry.filter(|entry| entry.generation == token.generation)
                    else {
                        continue;
                    };
                    let mut dispatch = Dispatch {
                        cork: &mut self.cork,
                        shared: &mut self.shared,
                        token,
                    };
                    entry
                        .connection
                        .received(&mut self.service, bytes, &mut dispatch);
                    let hands = Hands {
                        driver: &mut self.driver,
                        service: &mut self.service,
                        deadlines: &mut self.deadlines,
                        shared: &mut self.shared,
                        cork: &mut self.cork,
                        again: &mut self.again,
                    };
                    hands.settle(&mut entry.connection, token);
                }
                Event::Sent { token, buf, result } => {
                    self.shared.pool.put_sent(buf);
                    self.sent(token, result);
                }
                Event::Accepted { token, listener } => self.accepted(token, listener.0),
                Event::Ended { token } => {
                    self.with_connection(token, |connection, service, dispatch| {
                        connection.ended(service, dispatch);
                    });
                }
                Event::Failed { token, error, .. } => {
                    let known = self.with_connection(token, |connection, _, _| {
                        connection.stream.end();
                    });
                    if !known {
                        self.failed_elsewhere(token, error);
                    }
                }
                Event::Closed { token, unsent } => {
                    if let Some(unsent) = unsent {
                        self.shared.pool.put_sent(unsent);
                    }
                    self.closed(token);
                }
                Event::Peer { token, address } => {
                    self.with_connection(token, |connection, service, dispatch| {
                        connection.call(dispatch, |state, io| {
                            io.release_input();
                            service.peer(state, address, io);
                        });
                    });
                }
                Event::AcceptFailed { error, .. } => {
                    self.figures.accept_failures += 1;
                    events::accept_failed(&error);
                }
                Event::ListenerClosed { listener } => self.closing.retain(|id| *id != listener),
                Event::Connected { token } => self.connected(token),
                Event::Datagram {
                    socket,
                    from,
                    bytes,
                    truncated,
                } => self.service.aside(Aside::Datagram {
                    socket,
                    from,
                    bytes,
                    truncated,
                }),
                // A turn delivers mail anyway; the other answers a question that this loop does not ask.
                Event::Woken | Event::FileRead { .. } => {}
            }
        }
    }

    fn accepted(&mut self, token: Token, listener: u32) {
        self.figures.accepted += 1;
        events::accepted(token.index, listener);
        self.enter(token, |service, io| service.accepted(listener, io));
    }

    /// Puts a connection into the table, and lets the service and the driver begin with it.
    pub(super) fn enter(
        &mut self,
        token: Token,
        make: impl FnOnce(&mut S, &mut crate::conn::Io<'_>) -> S::State,
    ) {
        let mut stream = Stream::new();
        let mut io = crate::conn::Io::new(&mut stream, &mut self.cork, &mut self.shared, token);
        let state = make(&mut self.service, &mut io);
        let wants_peer = self.service.wants_peers();
        if wants_peer {
            io.hold_input();
        }
        let connection = Connection { stream, state };
        self.table.reach(token.index);
        if let Some(place) = self.table.at_mut(token.index) {
            debug_assert!(
                place.is_none(),
                "an index is not used again before its Closed was taken"
            );
            *place = Some(Entry {
                generation: token.generation,
                connection,
            });
            self.live += 1;
        }
        if self.is_cut() {
            // Accepted while its listener was emptied, after the time to finish had passed.
            self.with_connection(token, |connection, _, _| connection.stream.end());
        } else if self.shared.stopping {
            self.with_connection(token, |connection, service, dispatch| {
                connection.call(dispatch, |state, io| service.stopping(state, io));
            });
        } else {
            self.settle(token);
        }
        if wants_peer {
            self.driver.ask_peer(token);
        }
    }

    fn sent(&mut self, token: Token, result: io::Result<()>) {
        let ok = result.is_ok();
        let known = self.with_connection(token, |connection, _, dispatch| {
            connection.stream.flags.clear(Flags::IN_FLIGHT);
            connection.stream.stall = Tick::NEVER;
            dispatch.shared.note_in_flight(&mut connection.stream, 0);
            if !ok {
                connection.stream.end();
            }
        });
        if !known {
            self.datagram_sent(token, result);
        }
    }

    fn closed(&mut self, token: Token) {
        let Some(place) = self.table.at_mut(token.index) else {
            return;
        };
        if place
            .as_ref()
            .is_none_or(|entry| entry.generation != token.generation)
        {
            return;
        }
        let Some(Entry { mut connection, .. }) = place.take() else {
            return;
        };
        self.live -= 1;
        events::closed(token.index, connection.stream.flags.has(Flags::ENDED));
        self.deadlines.set(token.index, Tick::NEVER);
        self.shared.release(&mut connection.stream);
        self.service.closed(token, connection.state);
    }

    fn deliver_mail(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.mailbox.take(&mut letters);
        self.stirred |= !letters.is_empty();
        for letter in letters.drain(..) {
            match letter {
                Letter::To(token, mail) => self.deliver(token, mail),
                Letter::All(mail) => self.service.letter(mail),
                Letter::Stop => self.stop(),
            }
        }
        self.letters = letters;
    }

    /// Gives mail to its connection, or back to the service if that has gone.
    fn deliver(&mut self, token: Token, mail: S::Mail) {
        let mut mail = Some(mail);
        self.with_connection(token, |connection, service, dispatch| {
            if connection.stream.life == Life::Open
                && let Some(mail) = mail.take()
            {
                connection.call(dispatch, |state, io| service.mail(state, mail, io));
            }
        });
        if let Some(mail) = mail {
            self.service.lost(token, mail);
        }
    }

    /// Calls connections for which the service has something that did not come from their peers, some of them in each
    /// turn.
    fn make_calls(&mut self) {
        let mut in_flight = 0;
        for _ in 0..CALLS_PER_TURN_MAX {
            if in_flight == IN_FLIGHT_PER_TURN_MAX {
                return;
            }
            let Some(token) = self.service.next_call() else {
                return;
            };
            self.with_connection(token, |connection, service, dispatch| {
                if connection.stream.life == Life::Open {
                    connection.call(dispatch, |state, io| service.call(state, io));
                }
            });
            in_flight += u32::from(self.is_in_flight(token));
        }
    }

    /// Whether a send of this connection is in flight.
    fn is_in_flight(&self, token: Token) -> bool {
        let entry = self.table.at(token.index).and_then(Option::as_ref);
        entry.is_some_and(|entry| entry.connection.stream.flags.has(Flags::IN_FLIGHT))
    }

    /// Comes back to those who had more to say than the last turn gave them.
    fn go_on(&mut self) {
        for token in std::mem::take(&mut self.again) {
            self.with_connection(token, |connection, _, _| {
                connection.stream.flags.clear(Flags::AGAIN);
            });
        }
    }

    fn look_at_deadlines(&mut self) {
        let now = self.shared.now;
        if self.stop_at.is_some_and(|at| at <= now) {
            self.stop_at = Some(Tick::NEVER);
            for listener in &self.closing {
                self.driver.close_listener(*listener);
            }
            self.give_up_connecting();
            for token in self.tokens() {
                self.with_connection(token, |connection, _, _| {
                    connection.stream.end();
                });
            }
        }
        self.deadlines.sweep(now, &mut self.expired);
        let mut in_flight = 0;
        for _ in 0..EXPIRIES_PER_TURN_MAX {
            if in_flight == IN_FLIGHT_PER_TURN_MAX {
                return;
            }
            // Whoever was heard of since the sweep has another deadline, which `expire` looks at.
            let Some(index) = self.expired.pop_front() else {
                return;
            };
            let entry = self.table.at(index).and_then(Option::as_ref);
            if let Some(token) = entry.map(|entry| Token {
                index,
                generation: entry.generation,
            }) {
                self.expire(token, now);
                in_flight += u32::from(self.is_in_flight(token));
            } else {
                self.connect_timed_out(index, now);
            }
        }
    }

    fn expire(&mut self, token: Token, now: Tick) {
        let unsent = u32::try_from(self.driver.unsent(token)).unwrap_or(u32::MAX);
        let stall_ticks = self.shared.timeouts.write_stall;
        self.with_connection(token, |connection, service, dispatch| {
            let stream = &mut connection.stream;
            if stream.stall <= now {
                if unsent < stream.count {
                    // Slow, but it reads.
                    stream.count = unsent;
                    stream.stall = now.after(stall_ticks);
                } else {
                    events::timed_out(token.index, "write_stall_timeout");
                    stream.end();
                }
            }
            if connection.stream.due <= now {
                connection.expired(service, dispatch);
            }
        });
    }

    /// Calls one connection, if it is still there, then settles it. False if it is not.
    pub(super) fn with_connection(
        &mut self,
        token: Token,
        call: impl FnOnce(&mut Connection<S::State>, &mut S, &mut Dispatch<'_>),
    ) -> bool {
        let entry = self.table.at_mut(token.index).and_then(Option::as_mut);
        let Some(entry) = entry.filter(|entry| entry.generation == token.generation) else {
            return false;
        };
        let mut dispatch = Dispatch {
            cork: &mut self.cork,
            shared: &mut self.shared,
            token,
        };
        call(&mut entry.connection, &mut self.service, &mut dispatch);
        self.settle(token);
        true
    }
}
