//! A driver without a kernel, for benches: one connection that receives the same bytes in every turn.
//!
//! ```text
//!   Wire::lend ──copied, as recv(2) does──▶ Event::Received        once each turn
//!   counted, and kept if that was asked for ◀── send, send_at_once  always all of it
//! ```
//!
//! It costs next to nothing, so that what a turn costs is the cost of the layers above. For tests there is `sim`, which
//! keeps the whole contract; this one knows no faults, no time and no second connection.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::{Config, Driver, Event, Listener, ListenerId, Submit, Token, Waker};
use crate::buf::{FileSlice, SendBuf};
use crate::sys::{Address, Call, Probe, Verdict};

/// The one connection.
const TOKEN: Token = Token {
    index: 0,
    generation: 0,
};

/// The other end of the connection.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// What every turn receives.
    pub(crate) lend: Vec<u8>,
    /// How many bytes were sent in all.
    pub(crate) sent_bytes: usize,
    /// The bytes that were sent, while somebody wants them.
    pub(crate) kept: Option<Vec<u8>>,
    /// The connection was closed.
    pub(crate) closed: bool,
}

impl Wire {
    #[inline]
    fn take(&mut self, bytes: &[u8]) -> usize {
        self.sent_bytes += bytes.len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        bytes.len()
    }
}

/// The wire takes the probe's place: through it the owner of a reactor reaches the driver.
impl Probe for Wire {
    const ACTIVE: bool = false;

    fn before(&mut self, _call: &Call<'_>) -> Verdict {
        Verdict::Go
    }

    fn after(&mut self, _call: &Call<'_>, _result: Result<usize, &io::Error>) {}
}

/// What the driver tells next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Accepted,
    Received,
    Closed,
    Nothing,
}

/// A driver with one connection and no kernel.
pub(crate) struct Prepared {
    wire: Wire,
    /// The memory that is lent. Protocols may overwrite it.
    lend: Vec<u8>,
    next: Next,
}

impl Driver for Prepared {
    type Probe = Wire;

    fn open(_config: &Config, wire: Wire) -> io::Result<Self> {
        Ok(Self {
            wire,
            lend: Vec::new(),
            next: Next::Accepted,
        })
    }

    fn listen(&mut self, _listener: Listener) -> io::Result<ListenerId> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn stop_listening(&mut self, _listener: ListenerId) {}

    fn close_listener(&mut self, _listener: ListenerId) {}

    fn connect(&mut self, _to: &Address, _from: Option<&Address>) -> io::Result<Token> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn adopt(&mut self, _stream: OwnedFd) -> io::Result<Token> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send(&mut self, token: Token, mut buf: SendBuf) -> Submit {
        let taken = buf.pieces().map(|piece| self.wire.take(piece)).sum();
        debug_assert_eq!(token, TOKEN, "there is one connection");
        buf.advance(taken);
        Submit::Done(buf)
    }

    #[inline]
    fn send_at_once(&mut self, _token: Token, bytes: &[u8]) -> usize {
        self.wire.take(bytes)
    }

    fn unsent(&self, _token: Token) -> usize {
        0
    }

    fn read_file(&mut self, _token: Token, _file: FileSlice, _buf: Vec<u8>) {}

    fn bind_datagram(&mut self, _socket: OwnedFd) -> io::Result<Token> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send_to(&mut self, _socket: Token, _to: &Address, buf: SendBuf) -> Submit {
        Submit::Failed(buf, io::ErrorKind::Unsupported.into())
    }

    fn pause_recv(&mut self, _token: Token) {}

    fn resume_recv(&mut self, _token: Token) {}

    fn pause_accept(&mut self, _listener: ListenerId) {}

    fn resume_accept(&mut self, _listener: ListenerId) {}

    fn shutdown_write(&mut self, _token: Token) {}

    fn close(&mut self, _token: Token) {
        self.wire.closed = true;
        self.next = Next::Closed;
    }

    fn reset(&mut self, token: Token) {
        self.close(token);
    }

    fn ask_peer(&mut self, _token: Token) {}

    #[inline]
    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
        if let Next::Nothing = self.next
            && !self.wire.closed
            && !self.wire.lend.is_empty()
        {
            self.next = Next::Received;
        }
        Ok(())
    }

    #[inline]
    fn next_event(&mut self) -> Option<Event<'_>> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Accepted => Some(Event::Accepted {
                token: TOKEN,
                listener: ListenerId(0),
            }),
            Next::Received => {
                self.lend.clear();
                self.lend.extend_from_slice(&self.wire.lend);
                Some(Event::Received {
                    token: TOKEN,
                    bytes: &mut self.lend,
                })
            }
            Next::Closed => Some(Event::Closed {
                token: TOKEN,
                unsent: None,
            }),
            Next::Nothing => None,
        }
    }

    fn waker(&self) -> Waker {
        Waker::custom(|| {})
    }

    fn teardown(&mut self, _limit: Duration) -> io::Result<()> {
        Ok(())
    }

    fn probe(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
