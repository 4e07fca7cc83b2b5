//! A protocol of one's own on an [`EventLoop`], on every backend: what it is told, what its limits do, and how it lives
//! inside somebody else's loop.
//!
//! Loop and peers share a thread: a test makes turns until what it waits for is there.

mod connections;
mod datagrams;
mod http;
mod limits;
mod outer;
mod reach;
mod script;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use longshore::sys::{Address, Probe};
use longshore::{Backend, EventLoop, Limits, LoopOptions, Protocol};

pub(crate) use script::{Script, Seen};

pub(crate) const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Mio];

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one turn waits, so that a peer on the same thread is looked at.
const TURN: Duration = Duration::from_millis(2);

pub(crate) fn options(backend: Backend) -> LoopOptions {
    LoopOptions::new().backend(backend)
}

/// A loop on `backend` that listens on loopback, and where.
pub(crate) fn listening(backend: Backend, limits: Limits) -> (EventLoop<Script>, Address) {
    let options = options(backend).limits(limits);
    let mut event_loop = EventLoop::with_options(Script::default(), &options).unwrap();
    let address = listen(&mut event_loop);
    (event_loop, address)
}

pub(crate) fn listen<W: Probe>(event_loop: &mut EventLoop<Script, W>) -> Address {
    let any: Address = "127.0.0.1:0".parse().unwrap();
    event_loop.listen(any).unwrap().address
}

/// Makes turns until `done`.
pub(crate) fn until<P: Protocol, W: Probe>(
    event_loop: &mut EventLoop<P, W>,
    what: &str,
    mut done: impl FnMut(&mut EventLoop<P, W>) -> bool,
) {
    let began = Instant::now();
    while !done(event_loop) {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        event_loop.poll_once(Some(TURN)).unwrap();
    }
}

/// A client on the loop's thread.
pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    pub(crate) fn connect(address: &Address) -> Self {
        let stream = TcpStream::connect(address.inet().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self(stream)
    }

    /// Writes all of `bytes`, while the loop makes turns.
    pub(crate) fn write(&mut self, event_loop: &mut EventLoop<Script>, bytes: &[u8]) {
        let mut left = bytes;
        until(event_loop, "room to write", |_| {
            match self.0.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            left.is_empty()
        });
    }

    /// Reads `count` bytes, while the loop makes turns.
    pub(crate) fn read(&mut self, event_loop: &mut EventLoop<Script>, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let mut at = 0;
        until(event_loop, "bytes to read", |_| {
            match self.0.read(&mut bytes[at..]) {
                Ok(0) => panic!("the end came after {at} of {count} bytes"),
                Ok(read) => at += read,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            at == count
        });
        bytes
    }

    /// Reads to the end: what came, and whether the end was a reset.
    pub(crate) fn read_to_end(&mut self, event_loop: &mut EventLoop<Script>) -> (Vec<u8>, bool) {
        let (mut bytes, mut buf, mut reset) = (Vec::new(), vec![0; 65536], false);
        until(event_loop, "the end", |_| match self.0.read(&mut buf) {
            Ok(0) => true,
            Ok(read) => {
                bytes.extend_from_slice(&buf[..read]);
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                reset = true;
                true
            }
        });
        (bytes, reset)
    }
}
