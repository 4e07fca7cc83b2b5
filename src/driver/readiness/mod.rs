//! Completions made out of readiness: one driver for every poller.
//!
//! ```text
//!   epoll_wait ─▶ report ─┬─ input, and nothing else: one recv ─────────────────────────────────────▶ Event
//!                         └─ bits in the slot + queue of ready sockets ─▶ one recv / send / accept4 ─▶ Event
//! ```
//!
//! A poller says which sockets would not block. This driver makes the call and answers with what came of it, so that
//! the layers above see the same events as from a ring. Level-triggered pollers report again what was left over;
//! edge-triggered ones ([`Poller::EDGE`]) do not, so there the bits stay set until the kernel says EAGAIN, and a socket
//! that is not finished goes to the end of the queue for the next turn.
//!
//! One turn serves each socket with at most one receive of `receive_bytes`, and with one piece of a file: a peer that
//! sends or reads without pause delays the others by no more than that.
//!
//! It does not know which poller it stands on beyond `EDGE`, nor what the bytes mean.
#![forbid(unsafe_code)]

mod accept;
mod outside;
mod poller;
mod send;
mod serve;
mod slots;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use accept::Listening;
pub(crate) use poller::{Interest, Poller, Ready};
use serve::Served;
use slots::{Flags, Slots};

use super::{Config, Driver, Event, Listener, ListenerId, Op, Submit, Token, Waker};
use crate::buf::{FileSlice, SendBuf};
use crate::sys::{self, Address, How, Kind, Mode, Probe, SocketOption, StreamError, ToldFd};

/// What a poller's key names: the high byte of [`Token::pack`].
mod key {
    pub(super) const SOCKET: u8 = 0;
    pub(super) const LISTENER: u8 = 1;
    pub(super) const WAKER: u8 = 2;
}

/// A driver on top of poller `L`, watched by probe `P`.
pub(crate) struct Readiness<L: Poller, P: Probe> {
    poller: L,
    probe: P,
    config: Config,
    slots: Slots,
    listeners: Vec<Option<Listening>>,
    /// Sockets that would not block, first come first served.
    ready: VecDeque<u64>,
    /// How many of them belong to this turn.
    due: usize,
    /// How many of the poller's reports were looked at in this turn.
    reported: usize,
    /// Accepted in this turn, and by whom.
    late: Vec<(Token, ListenerId)>,
    /// Answers that were known at once. They come before anything new.
    queued: VecDeque<Event<'static>>,
    /// The memory that is lent.
    buffer: Box<[u8]>,
    wake: Arc<ToldFd>,
    /// When accepting is tried again after it failed for lack of descriptors or memory.
    retry_at: Option<Instant>,
}

impl<L: Poller, P: Probe> Readiness<L, P> {
    /// Puts a socket behind the others, to be served in the next turn.
    fn enqueue(&mut self, token: Token) {
        if let Some(slot) = self.slots.open_mut(token)
            && !slot.flags.has(Flags::QUEUED)
        {
            slot.flags.set(Flags::QUEUED);
            self.ready.push_back(token.pack(key::SOCKET));
        }
    }

    /// Looks at the poller's reports up to the next one that only says that there is input, and receives it. Every other
    /// report takes its place in the queue, and every other answer among those that are known. `None` when all were
    /// looked at, or an answer is to be told.
    #[inline]
    fn next_input(&mut self) -> Option<(Token, usize)> {
        while let Some(ready) = self.poller.ready(self.reported) {
            self.reported += 1;
            let (kind, token) = Token::unpack(ready.key);
            if kind == key::SOCKET {
                let Some(slot) = self.slots.open_mut(token) else {
                    continue;
                };
                if !L::EDGE
                    && ready.is_input()
                    && slot.flags.only_reads()
                    && let Some(fd) = slot.fd.as_ref()
                {
                    // Nothing has to be remembered of it: it needs no place in the queue.
                    match sys::recv(&mut self.probe, fd.as_fd(), &mut self.buffer) {
                        Ok(count @ 1..) => return Some((token, count)),
                        answer => self.received_none(token, answer),
                    }
                    return None;
                }
                slot.flags.set_if(Flags::READABLE, ready.readable);
                slot.flags.set_if(Flags::WRITABLE, ready.writable);
                slot.flags.set_if(Flags::HUNG_UP, ready.hung_up);
            }
            self.enqueue_report(kind, token);
        }
        None
    }

    /// The end, or an error.
    #[cold]
    fn received_none(&mut self, token: Token, answer: io::Result<usize>) {
        if let Served::Event(event) = self.received(token, answer) {
            self.queued.push_back(event);
        }
    }

    /// Puts what was reported into the queue of this turn.
    fn enqueue_report(&mut self, kind: u8, token: Token) {
        let before = self.ready.len();
        match kind {
            key::WAKER => self.ready.push_back(token.pack(key::WAKER)),
            key::LISTENER => self.enqueue_listener(ListenerId(token.index)),
            _ => self.enqueue(token),
        }
        self.due += self.ready.len() - before;
    }

    /// What was known already, of connections that are still there.
    fn next_known(&mut self) -> Option<Event<'static>> {
        while let Some(event) = self.queued.pop_front() {
            if let Event::Closed { token, .. } = event {
                self.slots.free(token);
                return Some(event);
            }
            let lives = |token| self.slots.open(token).is_some();
            if event.dies_with().is_none_or(lives) {
                return Some(event);
            }
        }
        None
    }

    /// What comes of serving the queue.
    #[inline(never)]
    fn next_served(&mut self) -> Option<Event<'_>> {
        loop {
            self.due = self.due.checked_sub(1)?;
            let (kind, token) = Token::unpack(self.ready.pop_front()?);
            match kind {
                key::WAKER => {
                    // EAGAIN: another turn has taken the wake-up already.
                    let _ = sys::eventfd_read(&mut self.probe, self.wake.as_fd());
                    return Some(Event::Woken);
                }
                key::LISTENER => {
                    if let Some(event) = self.accept_one(ListenerId(token.index)) {
                        return Some(event);
                    }
                }
                _ => match self.serve(token) {
                    Served::Nothing => {}
                    Served::Event(event) => return Some(event),
                    Served::Received(count) => {
                        return Some(Event::Received {
                            token,
                            bytes: &mut self.buffer[..count],
                        });
                    }
                    Served::Datagram(received) => {
                        return Some(Event::Datagram {
                            socket: token,
                            from: received.from,
                            bytes: &mut self.buffer[..received.bytes],
                            truncated: received.truncated,
                        });
                    }
                },
            }
        }
    }
}

impl<L: Poller, P: Probe> Driver for Readiness<L, P> {
    type Probe = P;

    fn open(config: &Config, mut probe: P) -> io::Result<Self> {
        let mut poller = L::open(&mut probe)?;
        let wake = Arc::new(ToldFd::from(sys::eventfd(&mut probe)?));
        let waker = Token {
            index: 0,
            generation: 0,
        }
        .pack(key::WAKER);
        poller.add(&mut probe, wake.as_fd(), waker, Interest::READ)?;
        Ok(Self {
            poller,
            probe,
            config: config.clone(),
            slots: Slots::default(),
            listeners: Vec::new(),
            ready: VecDeque::new(),
            due: 0,
            reported: 0,
            late: Vec::new(),
            queued: VecDeque::new(),
            buffer: vec![0; config.receive_bytes].into_boxed_slice(),
            wake,
            retry_at: None,
        })
    }

    fn listen(&mut self, listener: Listener) -> io::Result<ListenerId> {
        let id = ListenerId(self.listeners.len() as u32);
        self.poller.add(
            &mut self.probe,
            listener.fd.as_fd(),
            id.key(),
            Interest::READ,
        )?;
        self.listeners.push(Some(Listening::new(listener)));
        Ok(id)
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        self.stop_accepting(listener);
    }

    fn close_listener(&mut self, listener: ListenerId) {
        self.close_now(listener);
    }

    fn connect(&mut self, to: &Address, from: Option<&Address>) -> io::Result<Token> {
        let probe = &mut self.probe;
        let fd = sys::socket(probe, to.family(), Kind::Stream, Mode::Nonblocking)?;
        let fd = ToldFd::from(fd);
        if let Some(from) = from {
            if !from.is_unix() {
                // Lets connect(2) choose the port, which may then be shared between different remote addresses.
                sys::setsockopt(probe, fd.as_fd(), &SocketOption::BindAddressNoPort(true))?;
            }
            sys::bind(probe, fd.as_fd(), from)?;
        }
        match sys::connect(probe, fd.as_fd(), to) {
            Ok(()) => {
                let token = self.register(fd, Flags::READING, L::initial(Interest::READ))?;
                self.queued.push_back(Event::Connected { token });
                Ok(token)
            }
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                self.register(fd, Flags::CONNECTING, L::initial(Interest::WRITE))
            }
            Err(error) => Err(error),
        }
    }

    fn adopt(&mut self, stream: OwnedFd) -> io::Result<Token> {
        let stream = ToldFd::from(stream);
        sys::set_mode(&mut self.probe, stream.as_fd(), Mode::Nonblocking)?;
        let flags = Flags::READING.and(Flags::FOREIGN);
        self.register(stream, flags, L::initial(Interest::READ))
    }

    fn send(&mut self, token: Token, buf: SendBuf) -> Submit {
        self.send_now(token, buf)
    }

    #[inline]
    fn send_at_once(&mut self, token: Token, bytes: &[u8]) -> usize {
        self.lend_out(token, bytes)
    }

    fn unsent(&self, token: Token) -> usize {
        self.slots
            .open(token)
            .and_then(|slot| slot.send.as_ref())
            .map_or(0, |send| send.remaining())
    }

    fn read_file(&mut self, token: Token, file: FileSlice, mut buf: Vec<u8>) {
        if self.slots.open(token).is_none() {
            return;
        }
        buf.resize(file.wanted(buf.capacity()), 0);
        // Readiness says nothing about files: epoll(7) refuses them. pread(2) may wait for the disk.
        let fd = file.file.as_fd();
        let result = sys::pread(&mut self.probe, fd, &mut buf, file.range.start);
        buf.truncate(*result.as_ref().unwrap_or(&0));
        self.queued.push_back(Event::FileRead {
            token,
            buf,
            result: result.map(drop),
        });
    }

    fn bind_datagram(&mut self, socket: OwnedFd) -> io::Result<Token> {
        let socket = ToldFd::from(socket);
        sys::set_mode(&mut self.probe, socket.as_fd(), Mode::Nonblocking)?;
        self.register(
            socket,
            Flags::READING.and(Flags::DATAGRAM).and(Flags::FOREIGN),
            L::initial(Interest::READ),
        )
    }

    fn send_to(&mut self, socket: Token, to: &Address, buf: SendBuf) -> Submit {
        debug_assert!(buf.file_left().is_none(), "a datagram has no file");
        let Some(fd) = self.slots.open(socket).and_then(|slot| slot.fd.as_ref()) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        // A datagram that finds the socket's buffer full is refused, as on any UDP socket: the caller may drop it.
        let sent = if let Some(bytes) = buf.single() {
            sys::sendto(&mut self.probe, fd.as_fd(), bytes, to)
        } else {
            let whole = buf.pieces().collect::<Vec<_>>().concat();
            sys::sendto(&mut self.probe, fd.as_fd(), &whole, to)
        };
        match sent {
            Ok(_) => Submit::Done(buf),
            Err(error) => Submit::Failed(buf, error),
        }
    }

    fn pause_recv(&mut self, token: Token) {
        if let Some(slot) = self.slots.open_mut(token) {
            slot.flags.clear(Flags::READING);
            self.update_interest(token);
        }
    }

    fn resume_recv(&mut self, token: Token) {
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        if slot.flags.has(Flags::ENDED) || slot.flags.has(Flags::READING) {
            return;
        }
        slot.flags.set(Flags::READING);
        if slot.flags.has(Flags::READABLE) {
            self.enqueue(token);
        }
        self.update_interest(token);
    }

    fn pause_accept(&mut self, listener: ListenerId) {
        self.hold_accept(listener, true);
    }

    fn resume_accept(&mut self, listener: ListenerId) {
        self.hold_accept(listener, false);
    }

    fn shutdown_write(&mut self, token: Token) {
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        if slot.send.is_some() {
            slot.flags.set(Flags::ENDING);
        } else {
            self.end_now(token);
        }
    }

    fn close(&mut self, token: Token) {
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        let unsent = slot.send.take().map(|send| *send);
        let flags = std::mem::replace(&mut slot.flags, Flags::CLOSING);
        let Some(fd) = slot.fd.take() else { return };
        if (L::EDGE || flags.has(Flags::FOREIGN)) && !flags.has(Flags::DETACHED) {
            // The kernel forgets a socket by itself when its last descriptor is closed, and a foreign one may have
            // others. mio wants to be told in any case.
            let _ = self.poller.remove(&mut self.probe, fd.as_fd());
        }
        // close(2) reports errors of earlier writes to files. A socket has told us everything already.
        let _ = sys::close(&mut self.probe, fd.into());
        self.queued.push_back(Event::Closed { token, unsent });
    }

    fn reset(&mut self, token: Token) {
        if let Some(fd) = self.slots.open(token).and_then(|slot| slot.fd.as_ref()) {
            // Were it refused, the peer would hear a FIN: it is closed in any case.
            let now = SocketOption::Linger(Some(Duration::ZERO));
            let _ = sys::setsockopt(&mut self.probe, fd.as_fd(), &now);
        }
        self.close(token);
    }

    fn ask_peer(&mut self, token: Token) {
        let fd = self.slots.open(token).and_then(|slot| slot.fd.as_ref());
        let Some(fd) = fd else { return };
        let address = sys::getpeername(&mut self.probe, fd.as_fd()).ok();
        self.queued.push_back(Event::Peer { token, address });
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // Before the wait: a place that came free in the last turn may be all that a client waits for.
        self.retry_accept();
        self.register_those_left();
        if L::EDGE {
            // Reports of a turn that was broken off would not come again.
            let _ = self.next_input();
        }
        let timeout = if self.ready.is_empty() && self.queued.is_empty() {
            self.until_retry(timeout)
        } else {
            Some(Duration::ZERO)
        };
        self.poller.wait(&mut self.probe, timeout)?;
        self.reported = 0;
        self.due = self.ready.len();
        for listening in self.listeners.iter_mut().flatten() {
            listening.budget = self.config.accepts_per_turn;
        }
        Ok(())
    }

    #[inline]
    fn next_event(&mut self) -> Option<Event<'_>> {
        loop {
            if self.queued.is_empty()
                && let Some((token, count)) = self.next_input()
            {
                return Some(Event::Received {
                    token,
                    bytes: &mut self.buffer[..count],
                });
            }
            if let Some(event) = self.next_known() {
                return Some(event);
            }
            if self.poller.ready(self.reported).is_some() {
                continue;
            }
            return self.next_served();
        }
    }

    fn waker(&self) -> Waker {
        Waker::eventfd(self.wake.clone())
    }

    fn give_back(&mut self) {
        self.slots.give_back();
    }

    fn teardown(&mut self, _limit: Duration) -> io::Result<()> {
        // Nothing is in flight between two calls: the kernel holds no memory of ours.
        Ok(())
    }

    fn probe(&mut self) -> &mut P {
        &mut self.probe
    }
}
