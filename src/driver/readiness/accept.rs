//! Accepting: a bounded number in each turn, and a pause where nothing more can be held.
//!
//! accept4(2) with no descriptor left (EMFILE) leaves the client in the listener's queue, and a level-triggered poller
//! would report that queue again at once, for ever. So the listener is taken from the poller until a socket closes or
//! [`RETRY`] has passed. The client waits meanwhile; nobody is turned away.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::poller::{Interest, Poller};
use super::slots::Flags;
use super::{Event, Listener, ListenerId, Mode, Probe, Readiness, Token, key, sys};
use crate::sys::AcceptError;

/// How long accepting rests after it failed for lack of descriptors or memory.
const RETRY: Duration = Duration::from_millis(250);

/// One listener.
#[derive(Debug)]
pub(super) struct Listening {
    listener: Listener,
    /// How many more connections this turn may accept.
    pub(super) budget: u32,
    /// The reactor asked for a pause.
    held: bool,
    /// The kernel had no descriptor or memory, or the table is full.
    exhausted: bool,
    /// Close as soon as nobody waits any more.
    stopping: bool,
    /// Whether the poller watches it.
    watched: bool,
}

impl Listening {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            listener,
            budget: 0,
            held: false,
            exhausted: false,
            stopping: false,
            watched: true,
        }
    }
}

impl ListenerId {
    pub(super) fn key(self) -> u64 {
        Token {
            index: self.0,
            generation: 0,
        }
        .pack(key::LISTENER)
    }
}

impl<L: Poller, P: Probe> Readiness<L, P> {
    /// Accepts one connection. The listener stays at the front of the queue while its budget lasts.
    pub(super) fn accept_one(&mut self, id: ListenerId) -> Option<Event<'static>> {
        let listening = self.listeners.get_mut(id.0 as usize)?.as_mut()?;
        if listening.held && !listening.stopping {
            return None;
        }
        if self.slots.live() >= self.config.connections_max {
            return self.exhausted(id, None);
        }
        if listening.budget == 0 {
            if L::EDGE || listening.stopping {
                self.ready.push_back(id.key());
            }
            return None;
        }
        listening.budget -= 1;
        match sys::accept4(
            &mut self.probe,
            listening.listener.fd.as_fd(),
            Mode::Nonblocking,
        ) {
            Ok(fd) => {
                self.ready.push_front(id.key());
                self.due += 1;
                match self.register(
                    fd,
                    Flags::READING.and(Flags::READABLE),
                    L::initial(Interest::READ),
                ) {
                    Ok(token) => {
                        // The client has often sent its first request already: look at once, before the next wait.
                        self.slots.open_mut(token)?.flags.set(Flags::QUEUED);
                        self.ready.push_front(token.pack(key::SOCKET));
                        self.due += 1;
                        Some(Event::Accepted {
                            token,
                            listener: id,
                        })
                    }
                    Err(error) => Some(Event::AcceptFailed {
                        listener: id,
                        error,
                    }),
                }
            }
            Err(error) => match sys::accept_error(&error) {
                AcceptError::ThisConnection => {
                    self.ready.push_front(id.key());
                    self.due += 1;
                    None
                }
                AcceptError::NotReady => {
                    if listening.stopping {
                        self.close_listener(id);
                    }
                    None
                }
                AcceptError::Exhausted | AcceptError::Listener => self.exhausted(id, Some(error)),
            },
        }
    }

    fn exhausted(
        &mut self,
        id: ListenerId,
        error: Option<std::io::Error>,
    ) -> Option<Event<'static>> {
        let listening = self.listeners.get_mut(id.0 as usize)?.as_mut()?;
        if listening.stopping {
            self.close_listener(id);
            return None;
        }
        let first = !listening.exhausted;
        listening.exhausted = true;
        if error.is_some() {
            self.retry_at = Some(Instant::now() + RETRY);
        }
        self.update_listener(id);
        error.filter(|_| first).map(|error| Event::AcceptFailed {
            listener: id,
            error,
        })
    }

    /// Stops or resumes watching, as the listener's state asks.
    fn update_listener(&mut self, id: ListenerId) {
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        let wanted = !listening.held && !listening.exhausted;
        if wanted == listening.watched {
            return;
        }
        listening.watched = wanted;
        if L::EDGE {
            // Clients that came meanwhile made an edge that nobody looked at.
            if wanted {
                self.ready.push_back(id.key());
            }
            return;
        }
        let interest = if wanted {
            Interest::READ
        } else {
            Interest::NONE
        };
        let fd = listening.listener.fd.as_fd();
        if self
            .poller
            .change(&mut self.probe, fd, id.key(), interest)
            .is_err()
        {
            // ENOMEM at most: nothing was changed, so the state must not say that it was.
            listening.watched = !wanted;
        }
    }

    pub(super) fn hold_accept(&mut self, id: ListenerId, held: bool) {
        if let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) {
            listening.held = held;
            self.update_listener(id);
        }
    }

    /// Accepts what waits, then closes.
    pub(super) fn stop_accepting(&mut self, id: ListenerId) {
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        listening.stopping = true;
        listening.budget = self.config.accepts_per_turn;
        self.ready.push_front(id.key());
        self.due += 1;
    }

    fn close_listener(&mut self, id: ListenerId) {
        if let Some(listening) = self.listeners.get_mut(id.0 as usize).and_then(Option::take) {
            if L::EDGE {
                let _ = self
                    .poller
                    .remove(&mut self.probe, listening.listener.fd.as_fd());
            }
            let _ = sys::close(&mut self.probe, listening.listener.fd);
            self.queued
                .push_back(Event::ListenerClosed { listener: id });
        }
    }

    /// How long a wait may last, so that accepting is tried again in time.
    pub(super) fn until_retry(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(retry_at) = self.retry_at else {
            return timeout;
        };
        let left = retry_at.saturating_duration_since(Instant::now());
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    /// Tries again where accepting was exhausted: after [`RETRY`], or when the table has room again.
    pub(super) fn retry_accept(&mut self) {
        let due = match self.retry_at {
            Some(at) => Instant::now() >= at,
            None => self.slots.live() < self.config.connections_max,
        };
        if !due {
            return;
        }
        self.retry_at = None;
        for index in 0..self.listeners.len() {
            if let Some(Some(listening)) = self.listeners.get_mut(index)
                && listening.exhausted
            {
                listening.exhausted = false;
                self.update_listener(ListenerId(index as u32));
            }
        }
    }
}
