//! A handler for the tests, and a server of one reactor that a test turns by hand.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::buf::{Budget, Ceiling};
use crate::driver::sim::{Sim, SimNet};
use crate::driver::{Config, Driver, Listener};
use crate::http::{Head, Method, Status};
use crate::limits::Limits;
use crate::reactor::Reactor;
use crate::server::web::Web;
use crate::server::{Body, Handler, Message, Replied, Reply, Request, Socket};
use crate::sys::{self, Silent};

/// Answers with what it was asked.
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

    fn body(&mut self, piece: &mut [u8], streamed: &mut usize) {
        *streamed += piece.len();
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, streamed: &mut usize) -> Replied {
        match (request.method(), request.path()) {
            (_, b"/ws") => reply.websocket(&request),
            (_, b"/large") => reply.ok("text/plain", &[b'x'; 100_000]),
            (Method::Post, b"/stream") => reply.text(&std::mem::take(streamed).to_string()),
            (Method::Post, _) => reply.ok("application/octet-stream", request.body()),
            (_, path) => reply.ok("text/plain", path),
        }
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, _: &mut usize) {
        socket.send(message.kind, message.bytes);
    }
}

/// One reactor on the in-memory driver.
pub(super) struct Simulated {
    pub(super) reactor: Reactor<Sim, Web<Echo>>,
    pub(super) net: SimNet,
}

impl Simulated {
    pub(super) fn new(seed: u64, limits: Limits) -> Self {
        let driver = Sim::seeded(&Config::default(), seed);
        let net = driver.net();
        let mut reactor = reactor(driver, limits);
        reactor.listen(no_listener()).expect("listens");
        Self { reactor, net }
    }

    /// Makes turns until everything that was sent has been read, and some more.
    pub(super) fn settle(&mut self) {
        for _ in 0..40 + self.net.lends_waiting() {
            self.reactor
                .poll_once(Some(Duration::ZERO))
                .expect("a turn");
        }
    }
}

pub(super) fn reactor<D: Driver>(driver: D, limits: Limits) -> Reactor<D, Web<Echo>> {
    let budget = Budget::new(Ceiling::new(limits.memory_bytes_max));
    Reactor::new(driver, Arc::new(limits), budget, |post| {
        Web::new(Echo, post)
    })
}

/// The in-memory driver takes a listener, and needs none.
fn no_listener() -> Listener {
    let fd: OwnedFd = sys::eventfd(&mut Silent).expect("a descriptor");
    let address = "127.0.0.1:80".parse().expect("an address");
    debug_assert!(fd.as_fd().try_clone_to_owned().is_ok());
    Listener {
        fd,
        address,
        backlog: 16,
    }
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
