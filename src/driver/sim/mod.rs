//! A kernel made of memory: the fourth driver, for tests.
//!
//! ```text
//!   test ── SimPeer: write, end, reset, read ──▶ Net ◀── Sim (a Driver) ◀── reactor
//! ```
//!
//! Nothing blocks and nothing happens by itself: a test writes as a peer, makes a turn, and reads what came out. A seed
//! decides what a real kernel would decide: the order of ready sockets, whether a send is done at once (as with
//! readiness) or answered later (as with rings), how much of it is taken each time, and when a close is answered. The
//! same seed gives the same run.
//!
//! It does not model time, backlogs that overflow, or TCP's own states.
#![forbid(unsafe_code)]

mod net;

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use net::{Net, Pipe};
pub(crate) use net::{SimNet, SimPeer};

use super::{Config, Driver, Event, FileSlice, Listener, ListenerId, Op, Submit, Token, Waker};
use crate::buf::SendBuf;
use crate::sys::{Address, Silent};

/// One connection's record.
#[derive(Default)]
struct Slot {
    generation: u32,
    /// The connection in the net; `None`: vacant, or closed.
    pipe: Option<usize>,
    send: Option<SendBuf>,
    reading: bool,
    ended: bool,
    datagram: bool,
}

/// What a turn will do, in the order that the seed chose.
#[derive(Clone, Copy)]
enum Action {
    Accept(ListenerId),
    Flush(Token),
    Receive(Token),
}

struct Listening {
    held: bool,
}

/// The in-memory driver. [`Sim::net`] is the other side of its sockets.
pub(crate) struct Sim {
    net: SimNet,
    slots: Vec<Slot>,
    free: Vec<u32>,
    listeners: Vec<Option<Listening>>,
    connections_max: usize,
    queued: VecDeque<Event<'static>>,
    /// Answers that come in the next turn.
    later: VecDeque<Event<'static>>,
    actions: VecDeque<Action>,
    lent: Vec<u8>,
    woken: Arc<AtomicBool>,
    probe: Silent,
}

impl Sim {
    /// A driver whose kernel behaves as `seed` says. Seed 0 is plain: in order, everything at once.
    pub(crate) fn seeded(config: &Config, seed: u64) -> Self {
        Self {
            net: SimNet::new(seed),
            slots: Vec::new(),
            free: Vec::new(),
            listeners: Vec::new(),
            connections_max: config.connections_max as usize,
            queued: VecDeque::new(),
            later: VecDeque::new(),
            actions: VecDeque::new(),
            lent: Vec::new(),
            woken: Arc::default(),
            probe: Silent,
        }
    }

    /// The other side of this driver's sockets.
    pub(crate) fn net(&self) -> SimNet {
        self.net.clone()
    }

    fn occupy(&mut self, pipe: usize) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        let generation = slot.generation;
        *slot = Slot {
            generation,
            pipe: Some(pipe),
            reading: true,
            ..Slot::default()
        };
        Token { index, generation }
    }

    fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn open(&mut self, token: Token) -> Option<(&mut Slot, usize)> {
        let slot = self.slots.get_mut(token.index as usize)?;
        if slot.generation != token.generation {
            return None;
        }
        let pipe = slot.pipe?;
        Some((slot, pipe))
    }

    /// Answers now or in the next turn, as the seed says.
    fn answer(&mut self, event: Event<'static>) {
        if self.net.lock().chance() {
            self.later.push_back(event);
        } else {
            self.queued.push_back(event);
        }
    }

    fn accept(&mut self, id: ListenerId) -> Option<Event<'static>> {
        self.listeners[id.0 as usize]
            .as_ref()
            .filter(|listening| !listening.held)?;
        if self.live() >= self.connections_max {
            return None;
        }
        let pipe = self.net.lock().next_waiting(id)?;
        let token = self.occupy(pipe);
        Some(Event::Accepted {
            token,
            listener: id,
        })
    }

    fn flush(&mut self, token: Token) -> Option<Event<'static>> {
        let net = self.net.clone();
        let (slot, pipe) = self.open(token)?;
        let mut buf = slot.send.take()?;
        match net.lock().take_output(pipe, &mut buf) {
            Ok(()) if buf.remaining() > 0 => {
                slot.send = Some(buf);
                None
            }
            result => Some(Event::Sent { token, buf, result }),
        }
    }

    /// What a receive on the connection answers.
    fn receive(&mut self, token: Token) -> Option<Received> {
        let net = self.net.clone();
        let (slot, pipe) = self.open(token)?;
        if !slot.reading || slot.ended {
            return None;
        }
        let mut net = net.lock();
        let Pipe {
            to_server,
            fin,
            reset,
            ..
        } = net.pipe(pipe);
        if *reset {
            slot.ended = true;
            let error = io::Error::from_raw_os_error(libc::ECONNRESET);
            return Some(Received::Event(Event::Failed {
                token,
                op: Op::Receive,
                error,
            }));
        }
        if let Some(bytes) = to_server.pop_front() {
            return Some(if slot.datagram {
                Received::Datagram(bytes)
            } else {
                Received::Bytes(bytes)
            });
        }
        if *fin {
            slot.ended = true;
            return Some(Received::Event(Event::Ended { token }));
        }
        None
    }
}

enum Received {
    Bytes(Vec<u8>),
    Datagram(Vec<u8>),
    Event(Event<'static>),
}

impl Driver for Sim {
    type Probe = Silent;

    fn open(config: &Config, _probe: Silent) -> io::Result<Self> {
        Ok(Self::seeded(config, 0))
    }

    fn listen(&mut self, _listener: Listener) -> io::Result<ListenerId> {
        let id = ListenerId(self.listeners.len() as u32);
        self.listeners.push(Some(Listening { held: false }));
        self.net.lock().add_listener();
        Ok(id)
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        while let Some(event) = self.accept(listener) {
            self.queued.push_back(event);
        }
        self.listeners[listener.0 as usize] = None;
        self.net.lock().refuse_waiting(listener);
        self.queued.push_back(Event::ListenerClosed { listener });
    }

    fn connect(&mut self, _to: &Address, _from: Option<&Address>) -> io::Result<Token> {
        let (pipe, refused) = self.net.lock().connect_out();
        let token = self.occupy(pipe);
        if refused {
            let error = io::Error::from_raw_os_error(libc::ECONNREFUSED);
            self.answer(Event::Failed {
                token,
                op: Op::Connect,
                error,
            });
        } else {
            self.answer(Event::Connected { token });
        }
        Ok(token)
    }

    fn adopt(&mut self, _stream: OwnedFd) -> io::Result<Token> {
        // The descriptor stands for nothing here: its other side is the next peer of `SimNet::connected_out`.
        let (pipe, _) = self.net.lock().connect_out();
        Ok(self.occupy(pipe))
    }

    fn send(&mut self, token: Token, mut buf: SendBuf) -> Submit {
        let net = self.net.clone();
        let Some((slot, pipe)) = self.open(token) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        assert!(
            slot.send.is_none(),
            "at most one send is in flight per connection"
        );
        let mut net = net.lock();
        if net.chance() {
            // As a ring: whatever comes of it is told later.
            slot.send = Some(buf);
            return Submit::InFlight;
        }
        match net.take_output(pipe, &mut buf) {
            Ok(()) if buf.remaining() == 0 => Submit::Done(buf),
            Ok(()) => {
                slot.send = Some(buf);
                Submit::InFlight
            }
            Err(error) => Submit::Failed(buf, error),
        }
    }

    fn unsent(&self, token: Token) -> usize {
        let slot = self
            .slots
            .get(token.index as usize)
            .filter(|slot| slot.generation == token.generation);
        slot.and_then(|slot| slot.send.as_ref())
            .map_or(0, SendBuf::remaining)
    }

    fn read_file(&mut self, token: Token, file: FileSlice, mut buf: Vec<u8>) {
        if self.open(token).is_none() {
            return;
        }
        let wanted = (file.range.end - file.range.start).min(buf.capacity() as u64);
        buf.resize(wanted as usize, 0);
        let result = file.file.read_at(&mut buf, file.range.start);
        buf.truncate(*result.as_ref().unwrap_or(&0));
        self.answer(Event::FileRead {
            token,
            buf,
            result: result.map(drop),
        });
    }

    fn bind_datagram(&mut self, _socket: OwnedFd) -> io::Result<Token> {
        let (pipe, _) = self.net.lock().connect_out();
        let token = self.occupy(pipe);
        self.slots[token.index as usize].datagram = true;
        Ok(token)
    }

    fn send_to(&mut self, socket: Token, _to: &Address, mut buf: SendBuf) -> Submit {
        let net = self.net.clone();
        let Some((_, pipe)) = self.open(socket) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        match net.lock().take_all_output(pipe, &mut buf) {
            Ok(()) => Submit::Done(buf),
            Err(error) => Submit::Failed(buf, error),
        }
    }

    fn pause_recv(&mut self, token: Token) {
        if let Some((slot, _)) = self.open(token) {
            slot.reading = false;
        }
    }

    fn resume_recv(&mut self, token: Token) {
        if let Some((slot, _)) = self.open(token) {
            slot.reading = true;
        }
    }

    fn pause_accept(&mut self, listener: ListenerId) {
        if let Some(listening) = self.listeners[listener.0 as usize].as_mut() {
            listening.held = true;
        }
    }

    fn resume_accept(&mut self, listener: ListenerId) {
        if let Some(listening) = self.listeners[listener.0 as usize].as_mut() {
            listening.held = false;
        }
    }

    fn shutdown_write(&mut self, token: Token) {
        let net = self.net.clone();
        if let Some((_, pipe)) = self.open(token) {
            net.lock().pipe(pipe).server_fin = true;
        }
    }

    fn close(&mut self, token: Token) {
        let net = self.net.clone();
        let Some((slot, pipe)) = self.open(token) else {
            return;
        };
        slot.pipe = None;
        let unsent = slot.send.take();
        net.lock().close(pipe);
        self.answer(Event::Closed { token, unsent });
    }

    fn ask_peer(&mut self, token: Token) {
        let address = self
            .open(token)
            .and_then(|(_, pipe)| format!("127.0.0.1:{}", 1024 + pipe).parse().ok());
        self.answer(Event::Peer { token, address });
    }

    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
        self.queued.append(&mut self.later);
        if self.woken.swap(false, Ordering::SeqCst) {
            self.queued.push_back(Event::Woken);
        }
        let mut actions = Vec::new();
        for (index, slot) in self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.pipe.is_some())
        {
            let token = Token {
                index: index as u32,
                generation: slot.generation,
            };
            actions.push(Action::Flush(token));
            actions.push(Action::Receive(token));
        }
        let mut net = self.net.lock();
        for index in 0..self.listeners.len() as u32 {
            let waiting = net.waiting(ListenerId(index));
            actions.extend(std::iter::repeat_n(
                Action::Accept(ListenerId(index)),
                waiting,
            ));
        }
        net.shuffle(&mut actions);
        self.actions = actions.into();
        Ok(())
    }

    fn next_event(&mut self) -> Option<Event<'_>> {
        loop {
            if let Some(event) = self.queued.pop_front() {
                if let Event::Closed { token, .. } = event {
                    let slot = &mut self.slots[token.index as usize];
                    slot.generation = Token::next_generation(slot.generation);
                    self.free.push(token.index);
                }
                return Some(event);
            }
            match self.actions.pop_front()? {
                Action::Accept(listener) => {
                    let accepted = self.accept(listener);
                    self.queued.extend(accepted);
                }
                Action::Flush(token) => {
                    let sent = self.flush(token);
                    self.queued.extend(sent);
                }
                Action::Receive(token) => match self.receive(token) {
                    Some(Received::Bytes(bytes)) => {
                        self.lent = bytes;
                        return Some(Event::Received {
                            token,
                            bytes: &mut self.lent,
                        });
                    }
                    Some(Received::Datagram(bytes)) => {
                        self.lent = bytes;
                        let from = Address::Unix(crate::sys::UnixName::Unnamed);
                        let bytes = &mut self.lent;
                        return Some(Event::Datagram {
                            socket: token,
                            from,
                            bytes,
                            truncated: false,
                        });
                    }
                    Some(Received::Event(event)) => return Some(event),
                    None => {}
                },
            }
        }
    }

    fn waker(&self) -> Waker {
        let woken = self.woken.clone();
        Waker::custom(move || woken.store(true, Ordering::SeqCst))
    }

    fn teardown(&mut self, _limit: Duration) -> io::Result<()> {
        Ok(())
    }

    fn probe(&mut self) -> &mut Silent {
        &mut self.probe
    }
}
