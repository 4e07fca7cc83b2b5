//! Serving one ready socket: send what waits, then one receive.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use super::poller::Poller;
use super::slots::Flags;
use super::{Event, How, Op, Probe, Readiness, SendBuf, StreamError, Submit, Token, key, sys};
use crate::buf::PARTS_MAX;

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
        match sys::recv(&mut self.probe, fd.as_fd(), &mut self.buffer) {
            Ok(0) => {
                slot.flags.set(Flags::ENDED);
                self.update_interest(token);
                Served::Event(Event::Ended { token })
            }
            Ok(count) => {
                self.read_once(token);
                Served::Received(count)
            }
            Err(error) => self.receive_failed(token, error),
        }
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

    /// Sends at once; what the kernel does not take waits for room.
    #[inline]
    pub(super) fn send_now(&mut self, token: Token, mut buf: SendBuf) -> Submit {
        let Some(slot) = self.slots.open_mut(token) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        debug_assert!(
            slot.send.is_none(),
            "at most one send is in flight per connection"
        );
        let Some(fd) = slot.fd.as_ref() else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        match send_some::<L, P>(&mut self.probe, fd.as_fd(), &mut buf) {
            Ok(()) if buf.remaining() == 0 => Submit::Done(buf),
            Ok(()) => {
                slot.flags.clear(Flags::WRITABLE);
                slot.send = Some(Box::new(buf));
                self.update_interest(token);
                Submit::InFlight
            }
            Err(error) => Submit::Failed(buf, error),
        }
    }

    fn continue_send(&mut self, token: Token, mut buf: Box<SendBuf>) -> Option<Event<'static>> {
        let slot = self.slots.open_mut(token)?;
        slot.flags.clear(Flags::WRITABLE);
        let sent = send_some::<L, P>(&mut self.probe, slot.fd.as_ref()?.as_fd(), &mut buf);
        if sent.is_ok() && buf.remaining() > 0 {
            slot.send = Some(buf);
            return None;
        }
        if L::EDGE {
            slot.flags.set(Flags::WRITABLE);
        }
        if slot.flags.has(Flags::ENDING) && sent.is_ok() {
            self.end_now(token);
        }
        self.update_interest(token);
        Some(Event::Sent {
            token,
            buf: *buf,
            result: sent,
        })
    }
}

impl<L: Poller, P: Probe> Readiness<L, P> {
    /// FIN behind what the kernel has taken so far.
    pub(super) fn end_now(&mut self, token: Token) {
        let fd = self.slots.open(token).and_then(|slot| slot.fd.as_ref());
        let Some(fd) = fd else { return };
        if let Err(error) = sys::shutdown(&mut self.probe, fd.as_fd(), How::Write) {
            self.queued.push_back(Event::Failed {
                token,
                op: Op::Shutdown,
                error,
            });
        }
    }
}

/// Sends until everything is gone or the kernel takes no more. `Ok` with bytes remaining: wait for room.
///
/// After a short send a level-triggered poller is asked at once; an edge-triggered one reports room only after EAGAIN.
fn send_some<L: Poller, P: Probe>(
    probe: &mut P,
    fd: BorrowedFd<'_>,
    buf: &mut SendBuf,
) -> io::Result<()> {
    loop {
        let sent = match buf.single() {
            Some(bytes) => sys::send(probe, fd, bytes),
            None => send_parts(probe, fd, buf),
        };
        match sent {
            Ok(count) => buf.advance(count),
            Err(error) if sys::stream_error(&error) == StreamError::NotReady => return Ok(()),
            Err(error) => return Err(error),
        }
        if buf.remaining() == 0 || !L::EDGE {
            return Ok(());
        }
    }
}

fn send_parts<P: Probe>(probe: &mut P, fd: BorrowedFd<'_>, buf: &SendBuf) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); PARTS_MAX];
    let mut count = 0;
    for (slice, piece) in slices.iter_mut().zip(buf.pieces()) {
        *slice = IoSlice::new(piece);
        count += 1;
    }
    sys::sendmsg(probe, fd, &slices[..count])
}
