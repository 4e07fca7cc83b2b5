//! Accepting: a bounded number in each turn, and a pause where nothing more can be held.
//!
//! accept4(2) with no descriptor left (EMFILE) leaves the client in the listener's queue, and a level-triggered poller
//! would report that queue again at once, for ever. So the listener is taken from the poller until a socket closes or
//! [`RETRY`] has passed. The client waits meanwhile; nobody is turned away.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::poller::{Interest, Poller};
use super::slots::Flags;
use super::{Event, Listener, ListenerId, Mode, Probe, Readiness, Token, key, sys};
use crate::sys::{AcceptError, ToldFd};

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
    /// Close when nobody waits any more, or when so many more were accepted: as many as could wait when the reactor
    /// asked for it. Without that limit, clients who keep coming would keep it open.
    stopping: Option<u32>,
    /// Whether the poller watches it.
    watched: bool,
    /// In the queue of ready sockets.
    queued: bool,
}

impl Listening {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            listener,
            budget: 0,
            held: false,
            exhausted: false,
            stopping: None,
            watched: true,
            queued: false,
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
    fn listening(&mut self, id: ListenerId) -> Option<&mut Listening> {
        self.listeners.get_mut(id.0 as usize)?.as_mut()
    }

    /// Puts a listener behind the others.
    pub(super) fn enqueue_listener(&mut self, id: ListenerId) {
        if let Some(listening) = self.listening(id)
            && !listening.queued
        {
            listening.queued = true;
            self.ready.push_back(id.key());
        }
    }

    /// Keeps a listener at the front of the queue: more clients may wait.
    fn accept_again(&mut self, id: ListenerId) {
        if let Some(listening) = self.listening(id)
            && !listening.queued
        {
            listening.queued = true;
            self.ready.push_front(id.key());
            self.due += 1;
        }
    }

    /// Accepts one connection. The listener stays at the front of the queue while its budget lasts.
    pub(super) fn accept_one(&mut self, id: ListenerId) -> Option<Event<'static>> {
        let full = self.slots.live() >= self.config.connections_max;
        let listening = self.listeners.get_mut(id.0 as usize)?.as_mut()?;
        listening.queued = false;
        if listening.held && listening.stopping.is_none() {
            return None;
        }
        if full {
            return self.exhausted(id, None);
        }
        if listening.budget == 0 {
            if L::EDGE || listening.stopping.is_some() {
                self.enqueue_listener(id);
            }
            return None;
        }
        listening.budget -= 1;
        let fd = listening.listener.fd.as_fd();
        match sys::accept4(&mut self.probe, fd, Mode::Nonblocking) {
            Ok(fd) => self.accepted(id, fd.into()),
            Err(error) => match sys::accept_error(&error) {
                AcceptError::ThisConnection => {
                    self.accept_again(id);
                    None
                }
                AcceptError::NotReady => {
                    if listening.stopping.is_some() {
                        self.close_now(id);
                    }
                    None
                }
                // The kernel looks for a descriptor before it looks for a client: this may be the answer though nobody
                // waits.
                AcceptError::Exhausted | AcceptError::Listener
                    if listening.stopping.is_some()
                        && !listening.listener.has_waiting(&mut self.probe) =>
                {
                    self.close_now(id);
                    None
                }
                AcceptError::Exhausted | AcceptError::Listener => self.exhausted(id, Some(error)),
            },
        }
    }

    fn accepted(&mut self, id: ListenerId, fd: ToldFd) -> Option<Event<'static>> {
        let listener = id;
        match self.listening(id)?.stopping.as_mut() {
            Some(0) => self.close_now(id),
            Some(left) => {
                *left -= 1;
                self.accept_again(id);
            }
            None => self.accept_again(id),
        }
        let registered = if L::EDGE {
            let flags = Flags::READING.and(Flags::READABLE);
            self.register(fd, flags, L::initial(Interest::READ))
        } else {
            Ok(self.register_late(id, fd))
        };
        match registered {
            Ok(token) => {
                // The client has often sent its first request already: look at once, before the next wait.
                self.slots.open_mut(token)?.flags.set(Flags::QUEUED);
                self.ready.push_front(token.pack(key::SOCKET));
                self.due += 1;
                Some(Event::Accepted { token, listener })
            }
            Err(error) => Some(Event::AcceptFailed { listener, error }),
        }
    }

    /// Nothing more can be held now. `None`: the table is full, which is no failure.
    pub(super) fn exhausted(
        &mut self,
        id: ListenerId,
        error: Option<io::Error>,
    ) -> Option<Event<'static>> {
        let listening = self.listening(id)?;
        let first = !listening.exhausted;
        listening.exhausted = true;
        if error.is_some() {
            self.retry_at = Some(Instant::now() + RETRY);
        }
        self.update_listener(id);
        let listener = id;
        let failed = |error| Event::AcceptFailed { listener, error };
        error.filter(|_| first).map(failed)
    }

    /// Stops or resumes watching, as the listener's state asks.
    fn update_listener(&mut self, id: ListenerId) {
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        let stopping = listening.stopping.is_some();
        let wanted = (stopping || !listening.held) && !listening.exhausted;
        if wanted && (stopping || (L::EDGE && !listening.watched)) {
            // Clients that came meanwhile made an edge that nobody looked at; and where nobody waits, there is no
            // report that would let a stopping listener find that out.
            self.enqueue_listener(id);
        }
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        if wanted == listening.watched {
            return;
        }
        listening.watched = wanted;
        if L::EDGE {
            return;
        }
        let interest = if wanted {
            Interest::READ
        } else {
            Interest::NONE
        };
        let fd = listening.listener.fd.as_fd();
        let changed = self.poller.change(&mut self.probe, fd, id.key(), interest);
        if changed.is_err() {
            // ENOMEM at most: nothing was changed, so the state must not say that it was.
            listening.watched = !wanted;
        }
    }

    pub(super) fn hold_accept(&mut self, id: ListenerId, held: bool) {
        if let Some(listening) = self.listening(id) {
            listening.held = held;
            self.update_listener(id);
        }
    }

    /// Accepts what waits, then closes.
    pub(super) fn stop_accepting(&mut self, id: ListenerId) {
        let budget = self.config.accepts_per_turn;
        if let Some(listening) = self.listening(id)
            && listening.stopping.is_none()
        {
            // The kernel lets one more wait than the backlog says (listen(2)).
            listening.stopping = Some(listening.listener.backlog);
            listening.budget = budget;
            self.accept_again(id);
        }
    }

    /// Closes a listener, whoever waits there.
    pub(super) fn close_now(&mut self, id: ListenerId) {
        let place = self.listeners.get_mut(id.0 as usize);
        if let Some(listening) = place.and_then(Option::take) {
            // Workers may share a Unix listener: then closing our descriptor does not take it from our poller.
            let fd = listening.listener.fd;
            let _ = self.poller.remove(&mut self.probe, fd.as_fd());
            let _ = sys::close(&mut self.probe, fd.into());
            let listener = id;
            self.queued.push_back(Event::ListenerClosed { listener });
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
