//! Accepting into the ring's table, without ever turning a client away.
//!
//! A multishot accept (5.19+) accepts **first** and looks for a place in the table **then**: with a full table it
//! closes the client it has just accepted. So it is used only while more places are free than clients can wait in the
//! queue. Below that, as many single accepts are in flight as places are free, and none at zero: then clients wait in
//! the listener's queue, where the kernel keeps them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::complete::Outcome;
use super::ring::Completion;
use super::{Event, Listener, ListenerId, Mode, Probe, Token, Uring, op, sys};
use crate::sys::AcceptError;

/// How long accepting rests after it failed for lack of memory or descriptors.
const RETRY: Duration = Duration::from_millis(250);
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
    stopping: bool,
}

impl Listening {
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
            stopping: false,
        }));
        Ok(id)
    }

    /// Keeps as many accepts in flight as there are places for their clients.
    pub(super) fn arm_accepts(&mut self) {
        self.retry_accept();
        for index in 0..self.listeners.len() {
            let promised: u32 = self
                .listeners
                .iter()
                .flatten()
                .map(|listening| listening.singles)
                .sum();
            let free = self
                .slots
                .table
                .saturating_sub(self.slots.direct_live)
                .saturating_sub(promised);
            let Some(Some(listening)) = self.listeners.get(index) else {
                continue;
            };
            if listening.held || listening.exhausted || listening.stopping {
                continue;
            }
            let plenty = free > listening.multishot_needs();
            if listening.multishot {
                if !plenty {
                    self.cancel_accepts(ListenerId(index as u32));
                }
            } else if plenty {
                self.arm_accept(index, true);
            } else if !listening.cancelling {
                for _ in 0..free.min(SINGLES_MAX.saturating_sub(listening.singles)) {
                    self.arm_accept(index, false);
                }
            }
        }
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
        let entry = op::quiet(op::cancel_all(op::Target::Plain(
            listening.listener.fd.as_raw_fd(),
        )));
        // SAFETY: the entry points to nothing.
        unsafe { self.ring.push(&mut self.probe, &entry) };
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
        listening.stopping = true;
        self.cancel_accepts(id);
        self.finish_stop(id);
    }

    /// When no accept is in flight any more, takes the clients that still wait, and closes.
    fn finish_stop(&mut self, id: ListenerId) {
        let Some(Some(listening)) = self.listeners.get(id.0 as usize) else {
            return;
        };
        if !listening.stopping || listening.multishot || listening.singles > 0 {
            return;
        }
        let Some(listening) = self.listeners.get_mut(id.0 as usize).and_then(Option::take) else {
            return;
        };
        let fd = listening.listener.fd;
        if sys::set_mode(&mut self.probe, fd.as_fd(), Mode::Nonblocking).is_ok() {
            loop {
                match sys::accept4(&mut self.probe, fd.as_fd(), Mode::Blocking) {
                    Ok(stream) => {
                        if let Ok(token) = self.adopt_accepted(stream) {
                            self.queued.push_back(Event::Accepted {
                                token,
                                listener: id,
                            });
                        }
                    }
                    Err(error) if sys::accept_error(&error) == AcceptError::ThisConnection => {}
                    Err(_) => break,
                }
            }
        }
        let _ = sys::close(&mut self.probe, fd);
        self.queued
            .push_back(Event::ListenerClosed { listener: id });
    }

    fn adopt_accepted(&mut self, stream: std::os::fd::OwnedFd) -> io::Result<Token> {
        use crate::driver::Driver;
        self.adopt(stream)
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
