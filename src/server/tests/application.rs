//! A handler for the tests, and a server of one reactor that a test turns by hand.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::buf::{Budget, Ceiling};
use crate::driver::sim::{Plan, Shape, Sim, SimNet, SimPeer, SimRead};
use crate::driver::{Config, Driver};
use crate::http::{Head, Method, Status};
use crate::limits::Limits;
use crate::reactor::{Letter, Reactor};
use crate::server::stop::Farewell;
use crate::server::web::{Journal, Topics, Web};
use crate::server::{
    Body, Handler, Incoming, Message, MessagePiece, Replied, Reply, Request, Response, SlowPeer,
    Socket, Stopper, Upgrade,
};
use crate::sys::{Address, Family};
use crate::ws::{CloseCode, Kind};

/// Answers with what it was asked. On `/ws` a text like `!piece:abc` is an order.
pub(super) struct Echo;

impl Handler for Echo {
    type Connection = usize;

    fn head(&mut self, head: &Head<'_>, _: &mut usize) -> Body {
        match head.target.path() {
            b"/stream" => Body::Stream,
            b"/refuse" => Body::Refuse(Status::FORBIDDEN),
            _ => Body::Collect,
        }
    }

    fn body(&mut self, piece: &mut [u8], _: &mut Incoming<'_>, streamed: &mut usize) {
        *streamed += piece.len();
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, streamed: &mut usize) -> Replied {
        match (request.method(), request.path()) {
            (_, b"/ws") => reply.websocket(&request),
            (_, b"/pieces") => {
                let upgrade = Upgrade::new().pieces();
                let replied = reply.upgrade(&request, &upgrade);
                replied.expect("no field is no wrong field")
            }
            (_, path @ (b"/later" | b"/last")) => later(reply, path == b"/last"),
            (_, b"/large") => reply.ok("text/plain", &vec![b'x'; 100_000]),
            (Method::Post, b"/stream") => reply.text(&std::mem::take(streamed).to_string()),
            (Method::Post, _) => reply.ok("application/octet-stream", request.body()),
            (_, path) => reply.ok("text/plain", path),
        }
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, _: &mut usize) {
        match message.bytes.strip_prefix(b"!") {
            Some(order) => obey(order, socket),
            None => {
                socket.send(message.kind, message.bytes);
            }
        }
    }

    fn piece(&mut self, piece: MessagePiece<'_>, socket: &mut Socket<'_, '_>, inside: &mut usize) {
        assert_eq!(piece.first, *inside == 0, "the first, and no other");
        *inside = usize::from(!piece.last);
        assert!(piece.first || piece.last || !piece.bytes.is_empty());
        if piece.bytes == b"!take whole" {
            socket.take_pieces(false);
        }
        socket.send_piece(piece.kind, piece.bytes, piece.last);
    }
}

/// Does what a message of a test asks for.
fn obey(order: &[u8], socket: &mut Socket<'_, '_>) {
    let end = order.iter().position(|&byte| byte == b':');
    let (verb, text) = order.split_at(end.map_or(order.len(), |end| end + 1));
    match verb {
        b"piece:" | b"last:" => {
            socket.send_piece(Kind::Text, text, verb == b"last:");
        }
        b"close" => socket.close(CloseCode::NORMAL, "as asked"),
        b"drop newest" => socket.on_slow_peer(SlowPeer::DropNewest),
        b"take pieces" => socket.take_pieces(true),
        _ => panic!("no order: {}", String::from_utf8_lossy(order)),
    }
}

/// Answers through the mailbox.
fn later(reply: Reply<'_>, last: bool) -> Replied {
    let reply = if last { reply.close() } else { reply };
    let (replied, ticket) = reply.defer();
    ticket.answer(Response::new(Status::OK).content("later"));
    replied
}

/// One reactor on the in-memory driver.
pub(super) struct Simulated {
    pub(super) reactor: Reactor<Sim, Web<Echo>>,
    pub(super) stopper: Stopper,
    net: SimNet,
    address: Address,
    /// How many lends were written, each of which takes turns to be read.
    written: Rc<Cell<usize>>,
}

impl Simulated {
    /// Seed 0 is a calm kernel; others leave order, cuts and delays to chance.
    pub(super) fn new(seed: u64, limits: Limits) -> Self {
        Self::build(seed, &Config::default(), limits)
    }

    /// With room for so many connections.
    pub(super) fn with_table(connections_max: u32, limits: Limits) -> Self {
        let config = Config {
            connections_max,
            ..Config::default()
        };
        Self::build(0, &config, limits)
    }

    fn build(seed: u64, config: &Config, limits: Limits) -> Self {
        let shape = if seed.is_multiple_of(2) {
            Shape::Readiness
        } else {
            Shape::Completion
        };
        let plan = if seed == 0 {
            Plan::calm(shape)
        } else {
            Plan::seeded(seed, shape)
        };
        let driver = Sim::open(config, plan).expect("memory");
        let net = driver.net();
        let listener = net.listener(Family::Inet, 16);
        let address = listener.address.clone();
        let stopper = Stopper::default();
        let mut reactor = reactor_parting(driver, limits, stopper.farewell());
        reactor.listen(listener).expect("listens");
        let post = reactor.post();
        stopper.register(Box::new(move || {
            post.send(Letter::Stop).expect("a stop is never refused");
        }));
        Self {
            reactor,
            stopper,
            net,
            address,
            written: Rc::default(),
        }
    }

    pub(super) fn connect(&self) -> Client {
        let peer = self.net.connect(&self.address).expect("it listens");
        Client {
            peer,
            written: self.written.clone(),
        }
    }

    /// Makes turns until everything that was sent has been read, and some more.
    pub(super) fn settle(&mut self) {
        for _ in 0..40 + 4 * self.written.take() {
            self.turn();
        }
    }

    pub(super) fn turn(&mut self) {
        self.reactor
            .poll_once(Some(Duration::ZERO))
            .expect("a turn");
    }
}

/// The test's side of a connection.
pub(super) struct Client {
    peer: SimPeer,
    written: Rc<Cell<usize>>,
}

impl Client {
    /// Sends bytes that are lent in one piece, if the kernel is calm.
    pub(super) fn write(&self, bytes: &[u8]) {
        self.peer.write(bytes);
        self.written.set(self.written.get() + 1);
    }

    pub(super) fn end(&self) {
        self.peer.end();
    }

    pub(super) fn reset(self) {
        self.peer.reset();
    }

    pub(super) fn read(&self) -> Vec<u8> {
        self.peer.read_all()
    }

    /// At most so many bytes wait to be read.
    pub(super) fn set_window(&self, bytes: usize) {
        self.peer.window(bytes);
    }

    /// Whether the server has sent its FIN, behind everything that was read.
    pub(super) fn is_ended(&self) -> bool {
        self.peer.read(1) == SimRead::End
    }

    pub(super) fn is_reset(&self) -> bool {
        self.peer.read(1) == SimRead::Reset
    }
}

pub(super) fn reactor<D: Driver>(driver: D, limits: Limits) -> Reactor<D, Web<Echo>> {
    reactor_parting(driver, limits, Farewell::default())
}

fn reactor_parting<D: Driver>(
    driver: D,
    limits: Limits,
    farewell: Farewell,
) -> Reactor<D, Web<Echo>> {
    let budget = Budget::new(Ceiling::new(limits.memory_bytes_max));
    Reactor::new(driver, Arc::new(limits), budget, |post| {
        Web::new(
            Echo,
            post,
            Journal::default(),
            None,
            Topics::alone(),
            Ceiling::new(0),
        )
        .parting(farewell)
    })
}

/// Replies with their dates masked: two runs may fall into different seconds.
pub(super) fn masked(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply).into_owned();
    let mut masked = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("\r\nDate: ") {
        masked.push_str(&rest[..at]);
        masked.push_str("\r\nDate: -");
        rest = rest[at + 2..]
            .find("\r\n")
            .map_or("", |end| &rest[at + 2 + end..]);
    }
    masked.push_str(rest);
    masked
}
