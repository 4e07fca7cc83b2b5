//! Layer 3, the seam between the reactor and the kernel: trait [`Driver`], and four of them.
//!
//! ```text
//!                    reactor
//!        lend  ▲                 │ move
//!   Event<'_>  │                 ▼ SendBuf
//!          ┌───┴─────── Driver ──────────┐
//!   Readiness<Epoll>  Readiness<Mio>  Uring  Sim
//!   completions made out of readiness │ rings │ a kernel in memory
//! ```
//!
//! *Lend in, move out.* The driver owns the memory into which the kernel receives and lends it for one dispatch: the
//! lifetime of [`Event`] ends with the next call. Bytes to be sent are moved into the driver until the kernel is done
//! with them. Both halves are checked by the compiler.
//!
//! The contract, each line of which is a test in `conformance` that every driver passes:
//!
//! 1. Received bytes are in order and never empty.
//! 2. `Ended` comes at most once, and a half-closed connection that waits costs no turns.
//! 3. After `pause_recv`, bytes that have already left the kernel may still arrive, and none is lost. A reset is told at
//!    once even then: a peer that has gone keeps no slot.
//! 4. At most one send is in flight per connection; short sends are finished here, and the same buffer comes back.
//! 5. After `close(t)` nothing more is heard of `t` but `Closed`, exactly once, with the buffer that was in flight.
//!    `reset(t)` is a close whose end nobody takes for the end of the data: the peer gets an RST.
//! 6. `Failed` does not close by itself.
//! 7. An index is not used again before its `Closed` was taken; a stale token is ignored.
//! 8. A wake before `wait` is not lost.
//! 9. Being out of descriptors or memory pauses accepting and retries later. It never spins, and never closes a client
//!    that waits.
//! 10. A file leaves behind the bytes of its send, as they do, and one turn sends a bounded piece of it. A file that ends
//!     before its slice, or cannot be read, fails the send: the peer was promised those bytes.
//!
//! How a file's bytes come to the socket differs: pollers use sendfile(2), which needs SIGPIPE to be ignored; rings read
//! into a piece of memory and send that. No layer above can tell.
//!
//! A driver knows sockets and time-outs of its own retries. It does not know protocols, connections' deadlines, limits
//! on what is queued, nor who is served first beyond its own turn.

mod aside;
#[cfg(feature = "epoll")]
pub(crate) mod epoll;
mod event;
mod listener;
#[cfg(feature = "mio")]
pub(crate) mod mio;
// Without a kernel, for benches.
mod outside;
#[cfg(feature = "bench")]
pub(crate) mod prepared;
#[cfg(any(feature = "epoll", feature = "mio"))]
pub(crate) mod readiness;
mod token;
#[cfg(feature = "io-uring")]
pub(crate) mod uring;
mod waker;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod sim;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

pub(crate) use aside::Aside;
pub(crate) use event::{Event, Op, Submit};
pub(crate) use listener::{ListenOptions, Listener, ListenerId};
pub(crate) use outside::Outside;
pub(crate) use token::Token;
pub(crate) use waker::Waker;

use crate::buf::{FileSlice, SendBuf};
use crate::sys::{Address, Probe};

/// The driver on epoll(7).
#[cfg(feature = "epoll")]
pub(crate) type Epoll<P> = readiness::Readiness<epoll::Epoll, P>;
/// The driver on the mio crate.
#[cfg(feature = "mio")]
pub(crate) type Mio<P> = readiness::Readiness<mio::Mio, P>;
#[cfg(feature = "io-uring")]
pub(crate) use uring::Uring;

/// What a driver needs to know when it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The most connections at one time. At it, accepting pauses until one closes.
    pub(crate) connections_max: u32,
    /// How many connections are accepted in one turn before the others are served. Default 64.
    pub(crate) accepts_per_turn: u32,
    /// The most bytes that one receive lends (readiness drivers). Default 64 KiB.
    pub(crate) receive_bytes: usize,
    /// How many times 2 KiB the ring has to receive into; a power of two. Default 256.
    pub(crate) ring_buffers: u16,
    /// Whether receives share the ring's buffers, one behind the other, where the kernel does that well (6.16+). Otherwise
    /// each takes 2 KiB of its own. Default true.
    pub(crate) ring_shares_buffers: bool,
    /// How many submissions the ring holds; a power of two. Default 1024.
    pub(crate) ring_entries: u32,
    /// How many completions the ring holds before it overflows; a power of two. Default 4096.
    pub(crate) ring_completions: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 16 * 1024,
            accepts_per_turn: 64,
            receive_bytes: 64 * 1024,
            ring_buffers: 256,
            ring_shares_buffers: true,
            ring_entries: 1024,
            ring_completions: 4096,
        }
    }
}

/// Turns wishes about sockets into system calls, and the kernel's answers into [`Event`]s.
///
/// The module's documentation holds the contract. A turn is one [`wait`](Self::wait), then
/// [`next_event`](Self::next_event) until it says `None`; every other method may be called between two events.
pub(crate) trait Driver: Sized {
    /// Watches this driver's system calls.
    type Probe: Probe;

    /// Sets the driver up. Call it on the thread that will use it.
    fn open(config: &Config, probe: Self::Probe) -> io::Result<Self>;

    /// Accepts on `listener` from now on.
    fn listen(&mut self, listener: Listener) -> io::Result<ListenerId>;

    /// Accepts what already waits in the listener's queue, then closes it: closing it first would reset those clients.
    /// Answered by `ListenerClosed`. While the table is full, or no descriptor is left, they wait, and so does the answer;
    /// where nobody waits it comes all the same. Who comes later is taken in too, up to as many as the queue could hold when
    /// this was called.
    fn stop_listening(&mut self, listener: ListenerId);

    /// Closes a listener at once; the kernel resets who waits in its queue. Answered by `ListenerClosed`, once for this and
    /// `stop_listening` together.
    fn close_listener(&mut self, listener: ListenerId);

    /// Begins to connect. Answered by `Connected`, or `Failed` with [`Op::Connect`].
    ///
    /// # Errors
    /// What is known at once: no descriptor, a source that cannot be bound, and on some drivers a refusal.
    fn connect(&mut self, to: &Address, from: Option<&Address>) -> io::Result<Token>;

    /// Takes over a connected stream socket and receives on it.
    fn adopt(&mut self, stream: OwnedFd) -> io::Result<Token>;

    /// Sends `buf`: its bytes, then its file. At most one send may be in flight per connection.
    ///
    /// A send with a file is seldom `Done` at once. While it is in flight its file stays open, and up to
    /// [`SendBuf::held_bytes`] of memory are in use for it. If the file ends before its slice does, the send fails with
    /// `UnexpectedEof`, and with the read's own error if it cannot be read: what left before has left, and the connection
    /// should be closed, since its peer waits for the rest.
    fn send(&mut self, token: Token, buf: SendBuf) -> Submit;

    /// Sends what the kernel takes of `bytes` now, and keeps none of them: says how many it took. A driver whose sends are
    /// submitted takes none, since they would have to stay where they are. Not while a send is in flight. An error is left
    /// to be found by [`send`](Self::send), which takes the rest.
    fn send_at_once(&mut self, token: Token, bytes: &[u8]) -> usize {
        let _ = (token, bytes);
        0
    }

    /// How many bytes of the send in flight the socket has not taken, those of its file included, as far as is known:
    /// shows whether a slow peer still reads at all. 0 when nothing is in flight.
    fn unsent(&self, token: Token) -> usize;

    /// Reads a slice of a file into `buf` (over its whole capacity at most). Answered by `FileRead`. At most one read may
    /// be in flight per connection.
    fn read_file(&mut self, token: Token, file: FileSlice, buf: Vec<u8>);

    /// Takes over a bound datagram socket and receives on it.
    fn bind_datagram(&mut self, socket: OwnedFd) -> io::Result<Token>;

    /// Sends one datagram, which has no file. Several may be in flight. Answered by `Sent` when it was not done at once.
    fn send_to(&mut self, socket: Token, to: &Address, buf: SendBuf) -> Submit;

    /// Stops receiving; what has left the kernel already still arrives. The peer's FIN is told after `resume_recv`, a
    /// reset at once, as `Failed` with [`Op::Receive`]: the bytes that it overtook are lost.
    fn pause_recv(&mut self, token: Token);

    /// Receives again.
    fn resume_recv(&mut self, token: Token);

    /// Lets clients wait in the listener's queue.
    fn pause_accept(&mut self, listener: ListenerId);

    /// Accepts again.
    fn resume_accept(&mut self, listener: ListenerId);

    /// Tells the peer that nothing more will be sent: FIN behind what was sent, the send in flight included.
    fn shutdown_write(&mut self, token: Token);

    /// Closes the socket, whatever is in flight. Answered by `Closed`. What the kernel has taken still leaves; what it has
    /// not comes back.
    fn close(&mut self, token: Token);

    /// As [`close`](Self::close), but the peer gets an RST and not a FIN: what it heard so far was not everything
    /// (SO_LINGER of zero, socket(7)). Answered by `Closed`. What the kernel has taken and not yet sent is thrown away.
    ///
    /// Two cases end as a close does, because there is no RST to be had: a Unix socket, which knows none, and an
    /// accepted socket of a ring before Linux 6.7, where the option cannot be set.
    fn reset(&mut self, token: Token);

    /// Asks for the peer's address. Answered by `Peer`.
    fn ask_peer(&mut self, token: Token);

    /// Waits for the kernel, at most `timeout` (`None`: until something happens).
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// The next thing that happened; ends the lend of the one before. `None` ends the turn.
    fn next_event(&mut self) -> Option<Event<'_>>;

    /// Gives back memory that sockets needed which are closed now. Looks at all places of sockets, so not for every turn.
    fn give_back(&mut self) {}

    /// Wakes a `wait` from any thread.
    fn waker(&self) -> Waker;

    /// Ends whatever is in flight and takes the answers, so that its memory can be freed. Dropping the driver does the
    /// same, but cannot tell.
    ///
    /// # Errors
    /// `TimedOut` if the kernel did not answer within `limit`; the memory concerned is leaked.
    fn teardown(&mut self, limit: Duration) -> io::Result<()>;

    /// The probe, to read its figures.
    fn probe(&mut self) -> &mut Self::Probe;
}
