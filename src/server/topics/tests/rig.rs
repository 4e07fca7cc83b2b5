//! Workers on the in-memory driver, turned by hand.

use std::sync::Arc;
use std::time::Duration;

use crate::buf::{Budget, Ceiling};
use crate::driver::sim::{Plan, Shape, Sim, SimNet, SimPeer};
use crate::driver::{Config, Driver};
use crate::limits::Limits;
use crate::reactor::Reactor;
use crate::server::topics::{Homes, Hub, TopicFigures};
use crate::server::web::{Journal, Topics, Web};
use crate::server::{Handler, Message, Publisher, Replied, Reply, Request, SlowPeer, Socket};
use crate::sys::{Address, Family};
use crate::ws::{CloseCode, Kind};

/// Does what messages say.
pub(super) struct Talk;

impl Handler for Talk {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/ws" => reply.websocket(&request),
            path => reply.ok("text/plain", path),
        }
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        let text = String::from_utf8_lossy(message.bytes).into_owned();
        match text.split_once(' ') {
            Some(("join", topic)) => {
                if let Err(error) = socket.subscribe(topic, 100) {
                    socket.send_text(&error.to_string());
                }
            }
            Some(("watch", topic)) => drop(socket.subscribe(topic, 0)),
            Some(("piece", rest)) => drop(socket.send_piece(Kind::Text, rest.as_bytes(), false)),
            Some(("last", rest)) => drop(socket.send_piece(Kind::Text, rest.as_bytes(), true)),
            Some(("leave", topic)) => socket.unsubscribe(topic),
            Some(("farewell", count)) => {
                socket.on_slow_peer(SlowPeer::DropOldest);
                for number in 0..count.parse().expect("a number") {
                    socket.send_text(&format!("message {number}"));
                }
                socket.close(CloseCode::NORMAL, "as asked");
            }
            Some(("burst", count)) => {
                socket.on_slow_peer(SlowPeer::DropOldest);
                for number in 0..count.parse().expect("a number") {
                    socket.send_text(&format!("message {number}"));
                }
            }
            _ if text == "close" => socket.close(CloseCode::NORMAL, "as asked"),
            _ if text == "panic" => panic!("as asked"),
            _ => {
                socket.send(Kind::Text, message.bytes);
            }
        }
    }
}

/// One worker.
pub(super) struct Rig {
    pub(super) reactor: Reactor<Sim, Web<Talk>>,
    pub(super) publisher: Publisher,
    net: SimNet,
    address: Address,
}

impl Rig {
    /// A worker that is alone.
    pub(super) fn alone(shape: Shape, limits: Limits) -> Self {
        Self::worker(0, &Hub::new(1), shape, limits)
    }

    /// Worker `number` of those of `hub`. Call it on the thread that will turn it.
    pub(super) fn worker(number: usize, hub: &Arc<Hub>, shape: Shape, limits: Limits) -> Self {
        let config = Config {
            connections_max: 200_000,
            accepts_per_turn: 20_000,
            ..Config::default()
        };
        let driver = Sim::open(&config, Plan::calm(shape)).expect("memory");
        let net = driver.net();
        let listener = net.listener(Family::Inet, 16);
        let address = listener.address.clone();
        let budget = Budget::new(Ceiling::new(limits.memory_bytes_max));
        let topics = Topics::new(number, hub.clone(), Homes::new(hub.workers(), &limits));
        let mut reactor = Reactor::new(driver, Arc::new(limits), budget, |post| {
            hub.register(number, post.clone());
            let journal = Journal::default();
            Web::new(Talk, post, journal, None, topics, Ceiling::new(0))
        });
        reactor.listen(listener).expect("listens");
        Self {
            reactor,
            publisher: Publisher { hub: hub.clone() },
            net,
            address,
        }
    }

    pub(super) fn figures(&self) -> TopicFigures {
        self.publisher.figures()
    }

    /// A WebSocket, after some turns.
    pub(super) fn connect(&self) -> SimPeer {
        let peer = self.net.connect(&self.address).expect("it listens");
        // Frames are read whole.
        peer.window(usize::MAX);
        peer.write(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        peer
    }

    pub(super) fn turn(&mut self) {
        let turned = self.reactor.poll_once(Some(Duration::ZERO));
        turned.expect("a turn");
    }

    pub(super) fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn();
        }
    }
}

/// A masked frame; the mask is zero, so that the payload can be read.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// A masked text.
pub(super) fn say(peer: &SimPeer, text: &str) {
    peer.write(&frame(0x81, text.as_bytes()));
}

/// The frames of the server that came, without the reply to the handshake: first bytes and payloads.
pub(super) fn frames(peer: &SimPeer) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = peer.read_all();
    if bytes.starts_with(b"HTTP/1.1 101 ") {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        bytes.drain(..end.expect("a whole head") + 4);
    }
    let mut frames = Vec::new();
    let mut rest = bytes.as_slice();
    while let [first, length, behind @ ..] = rest {
        let (length, behind) = match length {
            126 => {
                let (length, behind) = behind.split_at(2);
                let length = u16::from_be_bytes(length.try_into().expect("two"));
                (usize::from(length), behind)
            }
            short => (usize::from(*short), behind),
        };
        let (payload, behind) = behind.split_at(length);
        frames.push((*first, payload.to_vec()));
        rest = behind;
    }
    frames
}

/// Those that are texts.
pub(super) fn texts(peer: &SimPeer) -> Vec<String> {
    let texts = frames(peer).into_iter().filter(|(first, _)| *first == 0x81);
    texts
        .map(|(_, payload)| String::from_utf8(payload).expect("text"))
        .collect()
}
