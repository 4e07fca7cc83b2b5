//! A kernel made of memory: the driver for tests of everything above the seam.
//!
//! ```text
//!   SimPeer::write ──▶ link ──▶ wait: what is ready, in the seed's order ──▶ next_event ──▶ Event
//!   SimPeer::read  ◀── link ◀── send, as much as the plan lets it take   ◀── SendBuf
//! ```
//!
//! No thread, no clock, no socket: a test writes as a peer, lets the driver take a turn, and looks at what came of it.
//! The same seed does the same to the same calls, so a failure can be repeated by its seed. Everything that it does is
//! legal for one of the real drivers, and it passes the same conformance suite. A [`Plan`] says what is left to chance;
//! handles of [`SimNet`] decide the rest: where writes are cut, how much a send takes, who resets when.
//!
//! What it does not model: time (`wait` never sleeps, whatever its limit), running out of descriptors or memory, the
//! loss and the delay of packets, the length of listen queues, connections of a driver to itself, and wakes that race
//! with a wait.
//!
//! ```text
//! let mut driver = Sim::open(&config, Plan::seeded(7, Shape::Completion))?;
//! let listener = driver.net().listener(Family::Inet, 16);
//! let address = listener.address.clone();
//! driver.listen(listener)?;
//! let peer = driver.net().connect(&address)?;
//! peer.write(b"GET / HTTP/1.1\r\n");
//! driver.wait(None)?;
//! while let Some(event) = driver.next_event() { … }
//! ```
#![forbid(unsafe_code)]

mod answer;
mod link;
mod net;
mod plan;
mod random;
mod slots;
mod turn;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use link::Link;
use net::{Known, World};
pub(crate) use net::{SimDatagram, SimHost, SimNet, SimPeer, SimRead};
pub(crate) use plan::{Plan, Shape};
use random::Random;
use slots::{Kind, Slots, State};
use turn::{Due, Listening};

use super::{Config, Driver, Event, Listener, ListenerId, Op, Submit, Token, Waker};
use crate::buf::{FileSlice, SendBuf};
use crate::sys::Address;

/// A driver in memory.
pub(crate) struct Sim {
    plan: Plan,
    random: Random,
    config: Config,
    world: Rc<RefCell<World>>,
    slots: Slots,
    listeners: Vec<Option<Listening>>,
    /// Answers that were known at once. They come before anything new.
    queued: VecDeque<Event<'static>>,
    /// Answers that come after so many turns.
    later: Vec<(usize, Event<'static>)>,
    /// What this turn yields.
    due: VecDeque<Due>,
    /// The memory that is lent.
    lend: Vec<u8>,
    woken: Arc<AtomicBool>,
}

impl Sim {
    /// The network around this driver.
    pub(crate) fn net(&self) -> SimNet {
        let world = self.world.clone();
        SimNet { world }
    }

    /// Ends a socket, a connection in one way or the other.
    fn end(&mut self, token: Token, how: fn(&mut Link)) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        slot.state = State::Closing;
        match slot.kind.take() {
            Some(Kind::Stream(link)) => how(&mut link.borrow_mut()),
            Some(Kind::Datagram(at)) => {
                self.world.borrow_mut().mail.remove(&at);
            }
            None => {}
        }
        // The buffer stays in the slot: it comes back with the answer.
        let unsent = None;
        self.answer(Event::Closed { token, unsent });
    }
}

impl Driver for Sim {
    type Probe = Plan;

    fn open(config: &Config, plan: Plan) -> io::Result<Self> {
        Ok(Self {
            random: Random::new(plan.seed),
            plan,
            config: config.clone(),
            world: Rc::default(),
            slots: Slots::default(),
            listeners: Vec::new(),
            queued: VecDeque::new(),
            later: Vec::new(),
            due: VecDeque::new(),
            lend: Vec::new(),
            woken: Arc::default(),
        })
    }

    fn listen(&mut self, listener: Listener) -> io::Result<ListenerId> {
        let address = listener.address.clone();
        self.world.borrow_mut().open_port(address, true)?;
        self.listeners.push(Some(Listening::new(listener)));
        Ok(ListenerId(self.listeners.len() as u32 - 1))
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        if let Some(listening) = self.listening(listener) {
            listening.stopping = true;
        }
    }

    fn close_listener(&mut self, listener: ListenerId) {
        let Some(listening) = self.listening(listener) else {
            return;
        };
        listening.stopping = true;
        let address = listening.address().clone();
        // The port is closed in the next turn, as one that has taken in everybody.
        let mut world = self.world.borrow_mut();
        let waiting = world.ports.get_mut(&address).map(|port| &mut port.waiting);
        for link in waiting.into_iter().flat_map(std::mem::take) {
            link.borrow_mut().driver_reset = true;
        }
    }

    fn connect(&mut self, to: &Address, from: Option<&Address>) -> io::Result<Token> {
        let mut world = self.world.borrow_mut();
        let source = match from {
            Some(Address::Inet(from)) if from.port() == 0 => {
                let Address::Inet(mut unused) = world.unused(to.family()) else {
                    return Err(io::ErrorKind::InvalidInput.into());
                };
                unused.set_ip(from.ip());
                Address::Inet(unused)
            }
            Some(from) => from.clone(),
            None => world.source(to),
        };
        let link = Link::new(to.clone(), source);
        let answer = world.knock(to, link.clone(), false);
        drop(world);
        let token = self.slots.occupy(Kind::Stream(link), State::Connecting);
        let op = Op::Connect;
        self.answer(match answer {
            Ok(()) => Event::Connected { token },
            Err(error) => Event::Failed { token, op, error },
        });
        Ok(token)
    }

    fn adopt(&mut self, stream: OwnedFd) -> io::Result<Token> {
        let known = self.world.borrow_mut().known.remove(&stream.as_raw_fd());
        match known {
            Some(Known::Stream(link)) => Ok(self.slots.occupy(Kind::Stream(link), State::Open)),
            _ => Err(io::Error::from_raw_os_error(libc::ENOTSOCK)),
        }
    }

    fn send(&mut self, token: Token, buf: SendBuf) -> Submit {
        self.start_send(token, buf)
    }

    fn send_at_once(&mut self, token: Token, bytes: &[u8]) -> usize {
        self.lend_out(token, bytes)
    }

    fn unsent(&self, token: Token) -> usize {
        let send = self.slots.peek(token).and_then(|slot| slot.send.as_ref());
        send.map_or(0, SendBuf::remaining)
    }

    fn read_file(&mut self, token: Token, file: FileSlice, buf: Vec<u8>) {
        self.start_read(token, &file, buf);
    }

    fn bind_datagram(&mut self, socket: OwnedFd) -> io::Result<Token> {
        let known = self.world.borrow_mut().known.remove(&socket.as_raw_fd());
        match known {
            Some(Known::Datagram(at)) => Ok(self.slots.occupy(Kind::Datagram(at), State::Open)),
            _ => Err(io::Error::from_raw_os_error(libc::ENOTSOCK)),
        }
    }

    fn send_to(&mut self, socket: Token, to: &Address, buf: SendBuf) -> Submit {
        self.send_datagram(socket, to, buf)
    }

    fn pause_recv(&mut self, token: Token) {
        if let Some(slot) = self.slots.open(token) {
            slot.reading = false;
        }
    }

    fn resume_recv(&mut self, token: Token) {
        if let Some(slot) = self.slots.open(token) {
            slot.reading = true;
        }
    }

    fn pause_accept(&mut self, listener: ListenerId) {
        if let Some(listening) = self.listening(listener) {
            listening.held = true;
        }
    }

    fn resume_accept(&mut self, listener: ListenerId) {
        if let Some(listening) = self.listening(listener) {
            listening.held = false;
        }
    }

    fn shutdown_write(&mut self, token: Token) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        if slot.send.is_some() {
            slot.ending = true;
        } else if let Some(link) = slot.link() {
            link.borrow_mut().driver_ended = true;
        }
    }

    fn close(&mut self, token: Token) {
        self.end(token, Link::close);
    }

    fn reset(&mut self, token: Token) {
        self.end(token, Link::reset);
    }

    fn ask_peer(&mut self, token: Token) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        let link = slot.link().map(|link| link.borrow());
        let known = link.filter(|link| !link.peer_reset);
        let address = known.map(|link| link.peer_address.clone());
        self.answer(Event::Peer { token, address });
    }

    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
        self.begin_turn();
        Ok(())
    }

    fn next_event(&mut self) -> Option<Event<'_>> {
        self.next()
    }

    fn waker(&self) -> Waker {
        let woken = self.woken.clone();
        Waker::custom(move || woken.store(true, Ordering::Release))
    }

    fn teardown(&mut self, _limit: Duration) -> io::Result<()> {
        self.later.clear();
        self.queued.clear();
        self.due.clear();
        Ok(())
    }

    fn probe(&mut self) -> &mut Plan {
        &mut self.plan
    }
}

/// The process ends, and the kernel closes what it had: listeners, those who wait there, and every connection.
impl Drop for Sim {
    fn drop(&mut self) {
        for (_, slot) in self.slots.connected() {
            if let Some(link) = slot.link() {
                link.borrow_mut().close();
            }
        }
        for listening in self.listeners.iter().flatten() {
            let port = self.world.borrow_mut().ports.remove(listening.address());
            for link in port.into_iter().flat_map(|port| port.waiting) {
                link.borrow_mut().driver_reset = true;
            }
        }
    }
}
