//! Serving one ready socket: send what waits, then one receive.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use super::poller::Poller;
use super::slots::Flags;
use super::{Event, Op, Probe, Readiness, StreamError, Token, key, sys};

/// What came of serving a socket. The bytes stay in the driver's buffer until the event is made.
pub(super) enum Served {
    Nothing,
    Event(Event<'static>),
    Received(usize),
    Datagram(sys::Received),
}

impl<L: Poller, P: Probe> Readiness<L, P> {
    /// Makes the one call that the socket's readiness allows.
    pub(super) fn serve(&mut self, token: Token) -> Served {
        let Some(slot) = self.slots.open_mut(token) else {
            return Served::Nothing;
        };
        slot.flags.clear(Flags::QUEUED);
        if slot.flags.has(Flags::CONNECTING) {
            return self.finish_connect(token);
        }
        if slot.flags.has(Flags::WRITABLE) || slot.flags.has(Flags::HUNG_UP) {
            if let Some(buf) = slot.send.take() {
                let sent = self.continue_send(token, buf);
                if let Some(event) = sent {
                    self.serve_again(token);
                    return Served::Event(event);
                }
            } else if !L::EDGE {
                slot.flags.clear(Flags::WRITABLE);
            }
        }
        self.receive(token)
    }

    /// Keeps a socket at the front of the queue: it has more to say in this turn.
    fn serve_again(&mut self, token: Token) {
        if let Some(slot) = self.slots.open_mut(token) {
            slot.flags.set(Flags::QUEUED);
            self.ready.push_front(token.pack(key::SOCKET));
            self.due += 1;
        }
    }

    fn receive(&mut self, token: Token) -> Served {
        let Some(slot) = self.slots.open_mut(token) else {
            return Served::Nothing;
        };
        if !slot.flags.has(Flags::READING) || slot.flags.has(Flags::ENDED) {
            return self.hung_up(token);
        }
        if !slot.flags.has(Flags::READABLE) && !slot.flags.has(Flags::HUNG_UP) {
            return Served::Nothing;
        }
        let Some(fd) = slot.fd.as_ref() else {
            return Served::Nothing;
        };
        if slot.flags.has(Flags::DATAGRAM) {
            let received = sys::recvfrom(&mut self.probe, fd.as_fd(), &mut self.buffer);
            return self.received_datagram(token, received);
        }
        let answer = sys::recv(&mut self.probe, fd.as_fd(), &mut self.buffer);
        if matches!(answer, Ok(1..)) {
            self.read_once(token);
        }
        self.received(token, answer)
    }

    /// What a receive has answered.
    #[inline]
    pub(super) fn received(&mut self, token: Token, answer: io::Result<usize>) -> Served {
        match answer {
            Ok(count @ 1..) => Served::Received(count),
            Ok(_) => self.ended(token),
            Err(error) => self.receive_failed(token, error),
        }
    }

    fn ended(&mut self, token: Token) -> Served {
        if let Some(slot) = self.slots.open_mut(token) {
            slot.flags.set(Flags::ENDED);
            self.update_interest(token);
        }
        Served::Event(Event::Ended { token })
    }

    /// After a receive: a level-triggered poller reports again if there is more; for an edge-triggered one the bit
    /// stays until EAGAIN. A short read is no proof that the socket is empty, since a FIN may stand behind it.
    fn read_once(&mut self, token: Token) {
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        if L::EDGE || slot.flags.has(Flags::DETACHED) {
            self.enqueue(token);
        } else {
            slot.flags.clear(Flags::READABLE);
        }
    }

    fn received_datagram(&mut self, token: Token, received: io::Result<sys::Received>) -> Served {
        match received {
            Ok(received) => {
                self.read_once(token);
                Served::Datagram(received)
            }
            Err(error) => self.receive_failed(token, error),
        }
    }

    fn receive_failed(&mut self, token: Token, error: io::Error) -> Served {
        let Some(slot) = self.slots.open_mut(token) else {
            return Served::Nothing;
        };
        if sys::stream_error(&error) == StreamError::NotReady {
            slot.flags.clear(Flags::READABLE);
            return Served::Nothing;
        }
        if slot.flags.has(Flags::DATAGRAM) {
            // An ICMP answer to an earlier datagram (ip(7)): it concerns that datagram, not the socket.
            slot.flags.clear(Flags::HUNG_UP);
            self.read_once(token);
            return Served::Event(Event::Failed {
                token,
                op: Op::Receive,
                error,
            });
        }
        self.forget(token);
        Served::Event(Event::Failed {
            token,
            op: Op::Receive,
            error,
        })
    }

    /// The poller insists on a socket of which nothing is wanted. Left alone it would report it in every turn.
    fn hung_up(&mut self, token: Token) -> Served {
        let Some(slot) = self.slots.open_mut(token) else {
            return Served::Nothing;
        };
        if !slot.flags.has(Flags::HUNG_UP) {
            return Served::Nothing;
        }
        let datagram = slot.flags.has(Flags::DATAGRAM);
        let error = match slot.fd.as_ref() {
            Some(fd) => sys::error(&mut self.probe, fd.as_fd()),
            None => Ok(None),
        };
        match error {
            Ok(None) => {
                self.finished(token);
                Served::Nothing
            }
            Ok(Some(error)) | Err(error) => {
                if datagram {
                    slot.flags.clear(Flags::HUNG_UP);
                } else {
                    self.forget(token);
                }
                Served::Event(Event::Failed {
                    token,
                    op: Op::Receive,
                    error,
                })
            }
        }
    }

    /// Both directions have ended, without an error. Bytes may still wait while receiving is paused, so what the poller
    /// said is remembered, and the poller itself is asked no more.
    fn finished(&mut self, token: Token) {
        self.detach(token);
        if let Some(slot) = self.slots.open_mut(token)
            && !slot.flags.has(Flags::ENDED)
        {
            slot.flags.set(Flags::READABLE);
        }
    }

    /// Forgets a dead socket. It stays open until the reactor closes it.
    fn forget(&mut self, token: Token) {
        self.detach(token);
        if let Some(slot) = self.slots.open_mut(token) {
            let spent = Flags::READING.and(Flags::READABLE).and(Flags::HUNG_UP);
            slot.flags.clear(spent);
            slot.flags.set(Flags::ENDED);
        }
    }

    /// Takes a socket from the poller.
    fn detach(&mut self, token: Token) {
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        if slot.flags.has(Flags::DETACHED) {
            return;
        }
        slot.flags.set(Flags::DETACHED);
        if let Some(fd) = slot.fd.as_ref() {
            // It fails only for a socket that the poller does not know: then there is nothing to take.
            let _ = self.poller.remove(&mut self.probe, fd.as_fd());
        }
    }

    fn finish_connect(&mut self, token: Token) -> Served {
        let Some(slot) = self.slots.open_mut(token) else {
            return Served::Nothing;
        };
        if !slot.flags.has(Flags::WRITABLE) && !slot.flags.has(Flags::HUNG_UP) {
            return Served::Nothing;
        }
        let Some(fd) = slot.fd.as_ref() else {
            return Served::Nothing;
        };
        slot.flags.clear(Flags::CONNECTING.and(Flags::HUNG_UP));
        match sys::error(&mut self.probe, fd.as_fd()) {
            Ok(None) => {
                slot.flags.set(Flags::READING);
                if slot.flags.has(Flags::READABLE) {
                    self.serve_again(token);
                }
                self.update_interest(token);
                Served::Event(Event::Connected { token })
            }
            Ok(Some(error)) | Err(error) => {
                self.forget(token);
                Served::Event(Event::Failed {
                    token,
                    op: Op::Connect,
                    error,
                })
            }
        }
    }
}
