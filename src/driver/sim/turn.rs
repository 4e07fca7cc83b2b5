//! One turn: what is ready, in which order, and what comes of it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::{Event, Kind, Listener, ListenerId, Op, Shape, Sim, State, Token};
use crate::sys::Address;

/// The most lends of one connection that one turn of a ring yields.
const LENDS_MAX: usize = 16;

/// One listener.
#[derive(Debug)]
pub(super) struct Listening {
    listener: Listener,
    pub(super) held: bool,
    pub(super) stopping: bool,
}

impl Listening {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            listener,
            held: false,
            stopping: false,
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.listener.address
    }
}

/// Something that this turn yields. What exactly is found out when its turn comes: others may have come between.
#[derive(Debug)]
pub(super) enum Due {
    Accept(ListenerId),
    Receive(Token),
    Send(Token),
    Answer(Event<'static>),
    Woken,
}

impl Sim {
    pub(super) fn listening(&mut self, id: ListenerId) -> Option<&mut Listening> {
        self.listeners.get_mut(id.0 as usize)?.as_mut()
    }

    /// Finds out what is ready.
    pub(super) fn begin_turn(&mut self) {
        let mut due = Vec::new();
        let mut rest = Vec::new();
        for (turns, event) in self.later.drain(..) {
            match turns.checked_sub(1) {
                Some(left) => rest.push((left, event)),
                None => due.push(Due::Answer(event)),
            }
        }
        self.later = rest;
        if self.woken.swap(false, Ordering::Acquire) {
            due.push(Due::Woken);
        }
        self.find_sockets(&mut due);
        self.find_clients(&mut due);
        if self.plan.chance {
            self.random.shuffle(&mut due);
        }
        self.due.extend(due);
    }

    fn find_sockets(&mut self, due: &mut Vec<Due>) {
        let ready: Vec<_> = self.slots.connected().map(|(token, _)| token).collect();
        for token in ready {
            let Some(slot) = self.slots.open(token) else {
                continue;
            };
            if slot.send.is_some() {
                due.push(Due::Send(token));
            }
            let lends = match &slot.kind {
                Some(Kind::Stream(link)) => {
                    let link = link.borrow();
                    // A reset is told whether receiving is paused or not.
                    let wanted = slot.reading || link.peer_reset;
                    let ready = wanted && !slot.ended && link.is_readable();
                    let bytes = usize::from(slot.reading) * link.to_driver.len();
                    usize::from(ready) * (bytes + 1)
                }
                Some(Kind::Datagram(at)) if slot.reading => {
                    self.world.borrow().mail.get(at).map_or(0, VecDeque::len)
                }
                _ => 0,
            };
            let reading = slot.reading;
            let lends = match self.plan.shape {
                Shape::Readiness => lends.min(1),
                Shape::Completion => lends.min(LENDS_MAX),
            };
            for _ in 0..lends {
                due.push(Due::Receive(token));
            }
            if self.plan.shape == Shape::Completion && reading && lends > 0 {
                self.take_lends(token, lends);
            }
        }
    }

    /// Takes bytes out of the kernel that will be lent in this turn even if the connection is paused meanwhile.
    fn take_lends(&mut self, token: Token, count: usize) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        let Some(link) = slot.link().cloned() else {
            return;
        };
        for _ in 0..count {
            let Some(whole) = link.borrow_mut().to_driver.pop_front() else {
                break;
            };
            let (first, rest) = self.cut(whole);
            if let Some(rest) = rest {
                link.borrow_mut().to_driver.push_front(rest);
            }
            if let Some(slot) = self.slots.open(token) {
                slot.taken.push_back(first);
            }
        }
    }

    fn find_clients(&mut self, due: &mut Vec<Due>) {
        for index in 0..self.listeners.len() {
            let Some(listening) = &self.listeners[index] else {
                continue;
            };
            let mut world = self.world.borrow_mut();
            let address = listening.address().clone();
            let waiting = world
                .ports
                .get(&address)
                .map_or(0, |port| port.waiting.len());
            if listening.stopping && waiting == 0 {
                world.ports.remove(&address);
                self.listeners[index] = None;
                let listener = ListenerId(index as u32);
                due.push(Due::Answer(Event::ListenerClosed { listener }));
            } else if listening.stopping || !listening.held {
                let count = waiting.min(self.config.accepts_per_turn as usize);
                due.extend((0..count).map(|_| Due::Accept(ListenerId(index as u32))));
            }
        }
    }

    /// Where a lend ends: at `receive_bytes`, and earlier if the plan leaves it to chance.
    fn cut(&mut self, mut bytes: Vec<u8>) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut len = bytes.len().min(self.config.receive_bytes);
        if self.plan.chance && self.random.below(2) == 0 {
            len = self.random.size(len);
        }
        let rest = bytes.split_off(len);
        (bytes, (!rest.is_empty()).then_some(rest))
    }

    pub(super) fn next(&mut self) -> Option<Event<'_>> {
        loop {
            if let Some(event) = self.queued.pop_front() {
                if let Some(event) = self.tell(event) {
                    return Some(event);
                }
                continue;
            }
            match self.due.pop_front()? {
                Due::Answer(event) => self.queued.push_back(event),
                Due::Woken => return Some(Event::Woken),
                Due::Accept(listener) => {
                    if let Some(event) = self.accept(listener) {
                        return Some(event);
                    }
                }
                Due::Send(token) => {
                    if let Some(event) = self.continue_send(token) {
                        return Some(event);
                    }
                }
                Due::Receive(token) => match self.receive(token) {
                    Received::Nothing => {}
                    Received::Event(event) => return Some(event),
                    Received::Lend => {
                        let bytes = &mut self.lend[..];
                        return Some(Event::Received { token, bytes });
                    }
                    Received::Datagram(from, truncated) => {
                        let (socket, bytes) = (token, &mut self.lend[..]);
                        return Some(Event::Datagram {
                            socket,
                            from,
                            bytes,
                            truncated,
                        });
                    }
                },
            }
        }
    }

    /// Does what belongs to an answer at the moment when it is taken, or drops it with its socket.
    fn tell(&mut self, event: Event<'static>) -> Option<Event<'static>> {
        match event {
            Event::Closed { token, .. } => {
                let unsent = self.slots.free(token);
                return Some(Event::Closed { token, unsent });
            }
            Event::Connected { token } => self.slots.open(token)?.state = State::Open,
            _ => {}
        }
        let stale = |token| self.slots.peek(token).is_none();
        if event.dies_with().is_some_and(stale) {
            return None;
        }
        Some(event)
    }

    fn accept(&mut self, listener: ListenerId) -> Option<Event<'static>> {
        if self.slots.live() >= self.config.connections_max as usize {
            return None;
        }
        let listening = self.listeners.get(listener.0 as usize)?.as_ref()?;
        if listening.held && !listening.stopping {
            return None;
        }
        let mut world = self.world.borrow_mut();
        let port = world.ports.get_mut(listening.address())?;
        let link = port.waiting.pop_front()?;
        drop(world);
        let token = self.slots.occupy(Kind::Stream(link), State::Open);
        Some(Event::Accepted { token, listener })
    }

    fn receive(&mut self, token: Token) -> Received {
        let Some(slot) = self.slots.open(token) else {
            return Received::Nothing;
        };
        if let Some(bytes) = slot.taken.pop_front() {
            self.lend = bytes;
            return Received::Lend;
        }
        match slot.kind.clone() {
            Some(Kind::Stream(link)) if !slot.ended => {
                let mut link = link.borrow_mut();
                if link.peer_reset {
                    slot.ended = true;
                    let error = std::io::Error::from_raw_os_error(libc::ECONNRESET);
                    let op = Op::Receive;
                    return Received::Event(Event::Failed { token, op, error });
                }
                if !slot.reading {
                    return Received::Nothing;
                }
                if let Some(whole) = link.to_driver.pop_front() {
                    let (first, rest) = self.cut(whole);
                    if let Some(rest) = rest {
                        link.to_driver.push_front(rest);
                    }
                    self.lend = first;
                    return Received::Lend;
                }
                if link.peer_ended {
                    slot.ended = true;
                    return Received::Event(Event::Ended { token });
                }
                Received::Nothing
            }
            Some(Kind::Datagram(at)) if slot.reading => self.receive_datagram(&at),
            _ => Received::Nothing,
        }
    }

    fn receive_datagram(&mut self, at: &Address) -> Received {
        let mut world = self.world.borrow_mut();
        let mail = world.mail.get_mut(at).and_then(VecDeque::pop_front);
        let Some((from, mut bytes)) = mail else {
            return Received::Nothing;
        };
        let truncated = bytes.len() > self.config.receive_bytes;
        bytes.truncate(self.config.receive_bytes);
        self.lend = bytes;
        Received::Datagram(from, truncated)
    }
}

/// What came of a receive. The bytes stay in the driver's buffer until the event is made.
enum Received {
    Nothing,
    Event(Event<'static>),
    Lend,
    Datagram(Address, bool),
}
