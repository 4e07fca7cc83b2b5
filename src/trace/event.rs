//! The event stream: what happened, apart from how it is printed.
//!
//! An event owns everything that it says, so that it can wait, travel to another thread, or become a line of text, of
//! JSON, or of a page. It does not know sinks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::packets::{FiveTuple, Layer, Packet, SocketState, Step};
use super::protocol::Protocol;
use crate::sys::Address;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, since the trace began (CLOCK_MONOTONIC): for a call, when the kernel had answered. Never before that of an
    /// earlier event of a thread.
    pub at: Duration,
    /// The same moment as a date (CLOCK_REALTIME), as good as the clock was when the trace began.
    pub wall: SystemTime,
    /// How long a call took, or a turn's wait.
    pub took: Option<Duration>,
    /// Whose call it was.
    pub thread: Thread,
    /// The turn of that thread's loop, from 1; 0 before the first wait.
    pub turn: u64,
    /// The connection that it concerns, if it concerns one.
    pub connection: Option<Connection>,
    /// What it was.
    pub kind: Kind,
}

impl Event {
    /// When a call began.
    pub fn began(&self) -> Duration {
        self.at.saturating_sub(self.took.unwrap_or_default())
    }

    /// Whether it is a call or a completion that failed, or a packet that resets, refuses, or was sent again.
    pub fn is_error(&self) -> bool {
        match &self.kind {
            Kind::Packet(packet, _) => {
                packet.retransmission || matches!(packet.step, Step::Reset | Step::Refused)
            }
            Kind::Call(call) => call.error.is_some(),
            Kind::Completed(completed) => completed.result < 0,
            _ => false,
        }
    }

    /// The name of the call or operation, if it is one.
    pub fn name(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Call(call) => Some(call.name),
            Kind::Submitted(submitted) => Some(submitted.name),
            Kind::Completed(completed) => Some(completed.name),
            _ => None,
        }
    }
}

/// A thread, as the kernel and as the program call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// `gettid(2)`: the number that strace prints.
    pub id: i32,
    /// What the program calls it; empty if it has no name.
    pub name: Arc<str>,
}

/// A connection by our own count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// From 1, in the order in which they came into being.
    pub number: u64,
    /// Its protocol and addresses, as far as some call has told them.
    pub ends: Arc<Ends>,
}

/// The five facts that name a connection: its protocol, and of each end the address and the port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// What carries its bytes; `None` as long as no call has told it.
    pub transport: Option<Transport>,
    /// Ours. Of an accepted connection: its listener's, which may be a wildcard.
    pub local: Option<Address>,
    /// The peer's.
    pub peer: Option<Address>,
}

impl Ends {
    /// The transport, where nobody has told it, follows from the addresses of what is a stream.
    pub(super) fn of_stream(mut self) -> Self {
        if self.transport.is_none() {
            self.transport = match self.local.as_ref().or(self.peer.as_ref()) {
                Some(Address::Inet(_)) => Some(Transport::Tcp),
                Some(Address::Unix(_)) => Some(Transport::Unix),
                None => None,
            };
        }
        self
    }
}

impl fmt::Display for Ends {
    /// `tcp 127.0.0.1:8080 <-> 127.0.0.1:40000`; `?` stands for what nobody has told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |f: &mut fmt::Formatter<'_>, address: &Option<Address>| match address {
            Some(address) => address.fmt(f),
            None => f.write_str("?"),
        };
        if let Some(transport) = self.transport {
            write!(f, "{transport} ")?;
        }
        end(f, &self.local)?;
        f.write_str(" <-> ")?;
        end(f, &self.peer)
    }
}

/// What carries the bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// A stream over IP (RFC 9293).
    Tcp,
    /// Datagrams over IP (RFC 768).
    Udp,
    /// The kernel alone, between processes of one machine: a stream or datagrams (`unix(7)`).
    Unix,
}

impl Transport {
    /// `tcp`, `udp`, `unix`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Unix => "unix",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an [`Event`] is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A system call and its answer.
    Call(Call),
    /// An entry was put into a ring's submission queue.
    Submitted(Submitted),
    /// An entry was taken from a ring's completion queue.
    Completed(Completed),
    /// What the last completion of a receive has brought.
    Lent {
        /// How many bytes.
        bytes: usize,
        /// The first of them, escaped.
        text: String,
    },
    /// A connection came into being, by this call.
    Opened {
        /// `accept4`, `connect`, …
        by: &'static str,
    },
    /// A connection's addresses became known.
    Named,
    /// A connection is gone.
    Closed,
    /// A wait has ended and a turn begins. Comes right behind the call that waited.
    Turn {
        /// The call that waited.
        source: &'static str,
        /// How many events or completions it gave.
        events: usize,
    },
    /// What the bytes of the call before it mean.
    Protocol(Protocol),
    /// A packet was seen on the wire. Its event has the time at which the kernel saw it, and no thread.
    ///
    /// Its layers from the outside in, if they were asked for ([`Beside::layers`](super::packets::Beside::layers)).
    Packet(Box<Packet>, Box<[Layer]>),
    /// What the kernel thought of our end of a connection, asked behind the packet that is told before it.
    Tcp(Box<TcpEnd>),
    /// What the trace has to say about itself.
    Note(String),
}

/// One end of a TCP connection, as the kernel of this machine had it when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpEnd {
    /// Whose end it is: `local` is ours.
    pub tuple: FiveTuple,
    /// The answer.
    pub state: SocketState,
    /// How long after the packet it was given: meanwhile more may have happened than the packet says.
    pub later: Duration,
}

/// A system call and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name in the man pages.
    pub name: &'static str,
    /// Its arguments as text, flags by their names.
    pub arguments: String,
    /// The answer; -1 for an error.
    pub result: i64,
    /// What the answer means, where it is more than a number: `flags O_RDWR|O_NONBLOCK`, `[{fd=3, revents=POLLIN}]`.
    pub meaning: Option<String>,
    /// The error, if there was one.
    pub error: Option<Failure>,
    /// How many bytes of data it moved.
    pub bytes: u64,
}

/// An error of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `EAGAIN`, or a number if it has no name here. Empty if it was no error of a system call.
    pub name: String,
    /// `Resource temporarily unavailable`
    pub text: String,
}

/// An entry that was put into a submission queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its name in completions.
    pub name: &'static str,
    /// Its arguments as text.
    pub arguments: String,
    /// Ties it to its completions: a count of all submissions of this trace, from 1.
    pub operation: u64,
    /// Whether it may complete more than once.
    pub multishot: bool,
    /// Whether it completes only if it fails.
    pub skips_success: bool,
}

/// An entry that was taken from a completion queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The name of the operation.
    pub name: &'static str,
    /// The entry's result: what the call of this name would have answered, or a negative errno.
    pub result: i32,
    /// The error, if it is one.
    pub error: Option<Failure>,
    /// The flags as words: `buffer 3, more`.
    pub flags: String,
    /// The submission that it answers, if that was seen.
    pub operation: Option<u64>,
    /// Whether the same submission completes again.
    pub more: bool,
    /// How many bytes of data it moved.
    pub bytes: u64,
}
