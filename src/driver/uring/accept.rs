//! Accepting into the ring's table, without ever turning a client away.
//!
//! A multishot accept (5.19+) accepts **first** and looks for a place in the table **then**: with a full table it
//! closes the client it has just accepted. So it is used only while more places are free than clients can wait in the
//! queue. Below that, as many single accepts are in flight as places are free, and none at zero: then clients wait in
//! the listener's queue, where the kernel keeps them.
//!
//! A single accept holds its place until a client comes. Several listeners share the places evenly, and what one holds
//! beyond its share is cancelled when another has none. Each keeps one, though: with fewer places than listeners, a
//! listener may wait for the next close.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::complete::Outcome;
use super::ring::Completion;
use super::{Event, Listener, ListenerId, Mode, Probe, State, Token, Uring, op, sys};
use crate::sys::{AcceptError, SocketOption};

/// How long accepting rests after it failed for lack of memory or descriptors.
const RETRY: Duration = Duration::from_millis(250);
/// The shortest time that a blocking accept4(2) may wait (`SO_RCVTIMEO`, socket(7)): one tick of the kernel's clock. Zero
/// would be for ever.
const WAIT_LEAST: Duration = Duration::from_micros(1);
/// The most single accepts in flight on one listener.
const SINGLES_MAX: u32 = 64;

/// One listener.
pub(super) struct Listening {
    listener: Listener,
    /// A multishot accept is in flight.
    multishot: bool,
    cancelling: bool,
    /// Single accepts in flight.
    singles: u32,
    /// The reactor asked for a pause.
    held: bool,
    exhausted: bool,
    /// Close when nobody waits any more, or when so many more were accepted: as many as could wait when the reactor
    /// asked for it. Without that limit, clients who keep coming would keep it open.
    stopping: Option<u32>,
}

impl Listening {
    /// Whether clients are to be accepted now.
    fn accepts(&self) -> bool {
        !self.held && !self.exhausted && self.stopping.is_none()
    }

    /// The queue may hold one more than the backlog (listen(2)), and it may fill again while it is emptied.
    fn multishot_needs(&self) -> u32 {
        2 * (self.listener.backlog + 1)
    }
}

impl<P: Probe> Uring<P> {
    pub(super) fn start_listening(&mut self, listener: Listener) -> io::Result<ListenerId> {
        // The ring waits for clients; a non-blocking listener would make it answer EAGAIN at once.
        sys::set_mode(&mut self.probe, listener.fd.as_fd(), Mode::Blocking)?;
        let id = ListenerId(self.listeners.len() as u32);
        self.listeners.push(Some(Listening {
            listener,
            multishot: false,
            cancelling: false,
            singles: 0,
            held: false,
            exhausted: false,
            stopping: None,
        }));
        Ok(id)
    }

    /// Keeps as many accepts in flight as there are places for their clients.
    pub(super) fn arm_accepts(&mut self) {
        self.retry_accept();
        let places = self.slots.table.saturating_sub(self.slots.live());
        let accepting = self.listeners.iter().flatten();
        let accepting = accepting.filter(|listening| listening.accepts()).count() as u32;
        // A single accept holds a place until a client comes. One listener must not hold all of them.
        let quota = (places / accepting.max(1)).clamp(1, SINGLES_MAX);
        for index in 0..self.listeners.len() {
            let id = ListenerId(index as u32);
            let free = self.places_for(index);
            let Some(Some(listening)) = self.listeners.get(index) else {
                continue;
            };
            if listening.stopping.is_some() {
                self.finish_stop(id);
                continue;
            }
            if !listening.accepts() {
                continue;
            }
            let plenty = free > listening.multishot_needs();
            if listening.multishot {
                if !plenty {
                    self.cancel_accepts(id);
                }
            } else if plenty {
                self.arm_accept(index, true);
            } else if !listening.cancelling && listening.singles < quota {
                for _ in 0..free.min(quota - listening.singles) {
                    self.arm_accept(index, false);
                }
                if free == 0 {
                    self.reclaim(quota);
                }
            }
        }
    }

    /// Takes promised places back from listeners that hold more than their share.
    fn reclaim(&mut self, quota: u32) {
        for index in 0..self.listeners.len() {
            if let Some(Some(listening)) = self.listeners.get(index)
                && listening.singles > quota
            {
                self.cancel_accepts(ListenerId(index as u32));
            }
        }
    }

    /// How many places are free and not promised: to single accepts, and to the other listeners' multishot ones.
    fn places_for(&self, index: usize) -> u32 {
        let mut free = self.slots.table.saturating_sub(self.slots.live());
        for (other, listening) in self.listeners.iter().enumerate() {
            let Some(listening) = listening else { continue };
            free = free.saturating_sub(listening.singles);
            if listening.multishot && other != index {
                free = free.saturating_sub(listening.multishot_needs());
            }
        }
        free
    }

    fn arm_accept(&mut self, index: usize, multishot: bool) {
        let Some(Some(listening)) = self.listeners.get_mut(index) else {
            return;
        };
        let fd = listening.listener.fd.as_raw_fd();
        let entry = if multishot {
            listening.multishot = true;
            op::accept_multishot(fd)
        } else {
            listening.singles += 1;
            op::accept(fd)
        };
        self.in_flight += 1;
        let entry = op::tag(entry, op::ACCEPT, accept_name(index, multishot));
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push(&mut self.probe, &entry) };
    }

    fn cancel_accepts(&mut self, id: ListenerId) {
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        if listening.cancelling || !(listening.multishot || listening.singles > 0) {
            return;
        }
        listening.cancelling = true;
        let entry = op::cancel_all(op::Target::Plain(listening.listener.fd.as_raw_fd()));
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push_quietly(&mut self.probe, entry) };
    }

    pub(super) fn accepted(&mut self, name: Token, completion: Completion) -> Outcome {
        let id = ListenerId(name.index);
        let multishot = name.generation == MULTISHOT;
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return Outcome::Nothing;
        };
        if !completion.more() {
            if multishot {
                listening.multishot = false;
            } else {
                listening.singles -= 1;
            }
            if !listening.multishot && listening.singles == 0 {
                listening.cancelling = false;
            }
        }
        let outcome = match completion.outcome() {
            Ok(index) => {
                let token = self.slots.occupy_direct(index as u32);
                self.receive_again(token);
                Outcome::Event(Event::Accepted {
                    token,
                    listener: id,
                })
            }
            Err(error) => self.accept_failed(id, error),
        };
        self.finish_stop(id);
        outcome
    }

    fn accept_failed(&mut self, id: ListenerId, error: io::Error) -> Outcome {
        if error.raw_os_error() == Some(libc::ECANCELED) {
            return Outcome::Nothing;
        }
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return Outcome::Nothing;
        };
        match sys::accept_error(&error) {
            AcceptError::ThisConnection | AcceptError::NotReady => Outcome::Nothing,
            AcceptError::Exhausted | AcceptError::Listener => {
                let first = !listening.exhausted;
                listening.exhausted = true;
                self.retry_at = Some(Instant::now() + RETRY);
                if first {
                    Outcome::Event(Event::AcceptFailed {
                        listener: id,
                        error,
                    })
                } else {
                    Outcome::Nothing
                }
            }
        }
    }

    pub(super) fn hold_accept(&mut self, id: ListenerId, held: bool) {
        if let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) {
            listening.held = held;
            if held {
                self.cancel_accepts(id);
            }
        }
    }

    /// Accepts what waits, then closes the listener.
    pub(super) fn stop_accepting(&mut self, id: ListenerId) {
        let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        if listening.stopping.is_none() {
            // The kernel lets one more wait than the backlog says (listen(2)).
            listening.stopping = Some(listening.listener.backlog + 1);
            self.cancel_accepts(id);
            self.finish_stop(id);
        }
    }

    /// Closes the listener as soon as no accept is in flight any more, whoever waits there.
    pub(super) fn close_without_accepting(&mut self, id: ListenerId) {
        if let Some(Some(listening)) = self.listeners.get_mut(id.0 as usize) {
            listening.stopping = Some(0);
            listening.exhausted = false;
            self.cancel_accepts(id);
            self.finish_stop(id);
        }
    }

    /// When no accept is in flight any more, takes the clients that still wait, and closes.
    fn finish_stop(&mut self, id: ListenerId) {
        let Some(place) = self.listeners.get_mut(id.0 as usize) else {
            return;
        };
        let Some(listening) = place else { return };
        let in_flight = listening.multishot || listening.singles > 0;
        if listening.stopping.is_none() || listening.exhausted || in_flight {
            return;
        }
        let Some(mut listening) = place.take() else {
            return;
        };
        if self.accept_waiting(id, &mut listening) {
            let _ = sys::close(&mut self.probe, listening.listener.fd.into());
            let listener = id;
            self.queued.push_back(Event::ListenerClosed { listener });
        } else {
            // There is no place for the next one. He waits; so does the end.
            self.listeners[id.0 as usize] = Some(listening);
        }
    }

    /// Accepts who waits; answers whether that was everybody.
    ///
    /// Done by plain calls, so these connections get plain descriptors. The last call, which finds nobody, must not wait.
    /// Making the listener non-blocking for that long would not do: workers share a Unix listener and its mode, and one
    /// that has come to its end, and made it blocking for the others' rings again, would let the accept4(2) of another
    /// wait for ever. A time limit of the socket is shared as well, but it can stay: no ring's accept looks at it.
    fn accept_waiting(&mut self, id: ListenerId, listening: &mut Listening) -> bool {
        let fd = listening.listener.fd.as_fd();
        let at_most = SocketOption::ReceiveTimeout(WAIT_LEAST);
        if sys::setsockopt(&mut self.probe, fd, &at_most).is_err() {
            return true;
        }
        let mut left = listening.stopping.unwrap_or(0);
        while left > 0 && self.slots.live() < self.slots.table {
            match sys::accept4(&mut self.probe, fd, Mode::Blocking) {
                Ok(stream) => {
                    let token = self.slots.occupy_plain(stream.into(), State::Open);
                    self.receive_again(token);
                    let listener = id;
                    self.queued.push_back(Event::Accepted { token, listener });
                    left -= 1;
                }
                Err(error) => match sys::accept_error(&error) {
                    AcceptError::ThisConnection => {}
                    AcceptError::NotReady | AcceptError::Listener => left = 0,
                    // The kernel looks for a descriptor before it looks for a client.
                    AcceptError::Exhausted if !listening.listener.has_waiting(&mut self.probe) => {
                        left = 0;
                    }
                    AcceptError::Exhausted => {
                        listening.exhausted = true;
                        self.retry_at = Some(Instant::now() + RETRY);
                        break;
                    }
                },
            }
        }
        listening.stopping = Some(left);
        left == 0
    }

    /// How long a wait may last, so that accepting is tried again in time.
    pub(super) fn until_retry(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(retry_at) = self.retry_at else {
            return timeout;
        };
        let left = retry_at.saturating_duration_since(Instant::now());
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }

    fn retry_accept(&mut self) {
        if self.retry_at.is_some_and(|at| Instant::now() >= at) {
            self.retry_at = None;
            for listening in self.listeners.iter_mut().flatten() {
                listening.exhausted = false;
            }
        }
    }
}

/// Tells a multishot accept's completions from those of single ones.
const MULTISHOT: u32 = 1;

fn accept_name(index: usize, multishot: bool) -> Token {
    Token {
        index: index as u32,
        generation: u32::from(multishot) * MULTISHOT,
    }
}
