//! Turns of a server without a socket: the seam through which `benches/layers` measures connection, service and settle.
//!
//! ```text
//!   prepare(bytes)
//!   turn() ──▶ Prepared ──lend──▶ Reactor ▶ Connection ▶ Web ▶ your Handler
//!                  ◀─────────────────────── settle: one send
//! ```
//!
//! It exists only with the feature `bench`, which no other feature brings, and is no part of the interface that this
//! crate promises to keep. It does not know what the bytes mean.

use std::sync::Arc;
use std::time::Duration;

use super::Handler;
use super::topics::{Homes, Hub};
use super::web::{Journal, Topics, Web};
use crate::buf::{Budget, Ceiling};
use crate::driver::prepared::{Prepared, Wire};
use crate::driver::{Config, Driver};
use crate::limits::Limits;
use crate::reactor::Reactor;

/// One connection of a server with default limits, whose bytes come from memory.
pub struct Turns<H: Handler> {
    reactor: Reactor<Prepared, Web<H>>,
}

impl<H: Handler> Turns<H> {
    /// Puts the layers together and lets the connection be accepted.
    pub fn new(handler: H) -> Self {
        let limits = Limits::default();
        let driver = Prepared::open(&Config::default(), Wire::default())
            .expect("nothing is asked of the kernel");
        let budget = Budget::new(Ceiling::new(limits.memory_bytes_max));
        let topics = Topics::new(0, Hub::new(1), Homes::new(1, &limits));
        let deflate = Ceiling::new(limits.deflate_memory_bytes_max);
        let reactor = Reactor::new(driver, Arc::new(limits), budget, |post| {
            Web::new(handler, post, Journal::default(), None, topics, deflate)
        });
        let mut turns = Self { reactor };
        turns.poll();
        turns
    }

    /// What every turn receives from now on. Nothing: turns without input.
    pub fn prepare(&mut self, lend: &[u8]) {
        lend.clone_into(&mut self.reactor.probe().lend);
    }

    /// Makes one turn, and says how many bytes it sent.
    #[inline]
    pub fn turn(&mut self) -> usize {
        let before = self.reactor.probe().sent_bytes;
        self.poll();
        self.reactor.probe().sent_bytes - before
    }

    /// Makes one turn that receives `lend`, and returns what it sent. Later turns receive what was prepared.
    pub fn said_to(&mut self, lend: &[u8]) -> Vec<u8> {
        let wire = self.reactor.probe();
        let prepared = std::mem::replace(&mut wire.lend, lend.to_vec());
        wire.kept = Some(Vec::new());
        self.poll();
        let wire = self.reactor.probe();
        wire.lend = prepared;
        wire.kept.take().unwrap_or_default()
    }

    fn poll(&mut self) {
        self.reactor
            .poll_once(Some(Duration::ZERO))
            .expect("a driver without a kernel does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Replied, Reply, Request};

    struct Hello;

    impl Handler for Hello {
        type Connection = ();

        fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
            reply.text("Hello, World!")
        }
    }

    #[test]
    fn every_turn_receives_what_was_prepared_and_answers_it() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut turns = Turns::new(Hello);
        assert_eq!(turns.turn(), 0);
        let said = turns.said_to(request);
        assert!(said.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(said.ends_with(b"\r\n\r\nHello, World!"));
        turns.prepare(&request.repeat(3));
        for _ in 0..3 {
            assert_eq!(turns.turn(), 3 * said.len());
        }
    }

    #[test]
    fn a_connection_that_was_closed_receives_nothing() {
        let mut turns = Turns::new(Hello);
        let said = turns.said_to(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(said.starts_with(b"HTTP/1.1 200 OK\r\n"));
        turns.prepare(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(turns.turn(), 0);
    }
}
