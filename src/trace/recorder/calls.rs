//! System calls: as events, and as what they say of connections.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use super::{Recorder, failure, opened};
use crate::sys::{Address, Call};
use crate::trace::event::{self, Connection, Ends, Kind, Transport};
use crate::trace::protocol::Direction;
use crate::trace::table::Place;

/// What a call has done to its connection.
#[derive(Default)]
pub(super) struct Story {
    connection: Option<Connection>,
    /// It began with this call.
    opened: bool,
    /// Its addresses became known.
    named: bool,
    /// Who had the descriptor before, and was closed unseen.
    before: Option<Connection>,
}

impl Recorder {
    /// Tells of a call that was answered.
    pub(super) fn answer(
        &mut self,
        at: Instant,
        took: Option<Duration>,
        call: &Call<'_>,
        result: Result<usize, &io::Error>,
    ) {
        let closing = self.closing.take();
        let story = match call {
            Call::Close { .. } => Story {
                connection: closing.clone(),
                ..Story::default()
            },
            _ => self.follow(call, result),
        };
        let turn = turn_of(call, result);
        if turn.is_some() {
            // The wait is the first call of its turn.
            self.turn += 1;
        }
        if let Some(before) = story.before {
            self.tell(at, Some(before), Kind::Closed);
        }
        let text_bytes = self.trace.shared().text_bytes;
        let kind = Kind::Call(event::Call {
            name: call.name(),
            arguments: call.arguments(Some(result), text_bytes).to_string(),
            result: result.map_or(-1, |number| number as i64),
            meaning: result.ok().and_then(|answer| call.meaning(answer)),
            error: result.err().map(failure),
            bytes: match result {
                Ok(count) if call.moves_bytes() => count as u64,
                _ => 0,
            },
        });
        let event = self.event(at, took, story.connection.clone(), kind);
        if matches!(call, Call::IoUringEnter { .. }) {
            self.entered = Some(event);
            return;
        }
        self.batch.push(event);
        if let Some((source, events)) = turn {
            let kind = Kind::Turn { source, events };
            let turn = self.event(at, took, None, kind);
            self.batch.push(turn);
        }
        if story.opened {
            self.tell(at, story.connection.clone(), opened(call.name()));
        } else if story.named {
            self.tell(at, story.connection.clone(), Kind::Named);
        }
        if closing.is_some() {
            self.tell(at, closing, Kind::Closed);
        }
        self.read_data(at, call, result);
    }

    /// Which connection a call concerns, and what it says of it.
    fn follow(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) -> Story {
        let is_in_progress = |error: &io::Error| error.raw_os_error() == Some(libc::EINPROGRESS);
        match (*call, result) {
            (Call::Socket { family, kind, .. }, Ok(fd)) => {
                // A stream socket is no connection yet, and may become a listener.
                if kind & 0xf == libc::SOCK_DGRAM {
                    let ends = Ends {
                        transport: datagrams_of(family),
                        ..Ends::default()
                    };
                    return self.open(fd as i32, ends, true);
                }
                Story::default()
            }
            (Call::Accept4 { fd, from, .. }, Ok(accepted)) => {
                let local = self.connections().listener(self.descriptor(fd)).cloned();
                let peer = from.cloned();
                self.open(accepted as i32, stream(local, peer), false)
            }
            (Call::Connect { fd, address }, result)
                if result.is_ok() || result.is_err_and(is_in_progress) =>
            {
                self.connects(fd, address)
            }
            (Call::Bind { fd, address }, Ok(_)) => self.names(fd, Some(address), None),
            (Call::Getsockname { fd, address }, Ok(_)) => self.names(fd, address, None),
            (Call::Getpeername { fd, address }, Ok(_)) => self.names(fd, None, address),
            (Call::Unshare { flags }, Ok(_)) if flags & libc::CLONE_FILES != 0 => {
                self.table = self.thread_id();
                Story::default()
            }
            // What listens is no connection, also when it is shut.
            (Call::Shutdown { fd, .. }, _)
                if self.connections().listener(self.descriptor(fd)).is_some() =>
            {
                self.known(fd).unwrap_or_default()
            }
            // A socket that came from elsewhere: a pair, a parent process.
            (
                Call::Recv { fd, .. }
                | Call::Send { fd, .. }
                | Call::Sendmsg { fd, .. }
                | Call::Sendfile { out: fd, .. }
                | Call::Shutdown { fd, .. },
                Ok(_),
            ) => self
                .known(fd)
                .unwrap_or_else(|| self.open(fd, Ends::default(), false)),
            (call, _) => {
                let known = call.fd().and_then(|fd| self.known(fd));
                known.unwrap_or_default()
            }
        }
    }

    fn known(&self, fd: i32) -> Option<Story> {
        let connection = self.connections().find(self.descriptor(fd))?;
        Some(Story {
            connection: Some(connection),
            ..Story::default()
        })
    }

    fn open(&mut self, fd: i32, ends: Ends, datagrams: bool) -> Story {
        let place = self.descriptor(fd);
        let (connection, before) = self.connections().open(place, ends, datagrams);
        Story {
            connection: Some(connection),
            opened: true,
            named: false,
            before,
        }
    }

    /// A socket has a peer now. A datagram socket was a connection before.
    pub(super) fn connects(&mut self, fd: i32, peer: &Address) -> Story {
        let place = self.descriptor(fd);
        if self.connections().find(place).is_some() {
            return self.names(fd, None, Some(peer));
        }
        let local = self.connections().listener(place).cloned();
        let peer = Some(peer.clone());
        self.open(fd, stream(local, peer), false)
    }

    fn names(&mut self, fd: i32, local: Option<&Address>, peer: Option<&Address>) -> Story {
        let place = self.descriptor(fd);
        let mut connections = self.connections();
        if let Some(connection) = connections.name(place, local, peer) {
            return Story {
                connection: Some(connection),
                named: true,
                ..Story::default()
            };
        }
        let connection = connections.find(place);
        if let (None, Some(local)) = (&connection, local) {
            connections.listens(place, local);
        }
        Story {
            connection,
            ..Story::default()
        }
    }

    /// Reads the bytes that a call has moved.
    fn read_data(&mut self, at: Instant, call: &Call<'_>, result: Result<usize, &io::Error>) {
        let (Ok(count), Some(fd)) = (result, call.fd()) else {
            return;
        };
        let place = self.descriptor(fd);
        let mut told = std::mem::take(&mut self.protocols);
        let mut connections = self.connections();
        let mut read = |direction, bytes: &[u8]| {
            let bytes = &bytes[..count.min(bytes.len())];
            connections.read(place, direction, bytes, &mut told);
        };
        match *call {
            Call::Recv { flags, .. } if flags & libc::MSG_PEEK != 0 => {}
            Call::Recv { bytes, .. } | Call::Read { bytes, .. } => {
                read(Direction::Received, bytes);
            }
            Call::Send { bytes, .. } | Call::Write { bytes, .. } => read(Direction::Sent, bytes),
            Call::Writev { parts, .. } | Call::Sendmsg { parts, .. } => {
                for_each_part(parts, count, |bytes| {
                    connections.read(place, Direction::Sent, bytes, &mut told);
                });
            }
            Call::Sendfile { .. } => {
                connections.skip(place, Direction::Sent, count as u64, &mut told);
            }
            _ => {}
        }
        drop(connections);
        self.protocols = told;
        self.tell_protocols(at, place);
    }
}

/// The ends of a stream socket.
fn stream(local: Option<Address>, peer: Option<Address>) -> Ends {
    let ends = Ends {
        transport: None,
        local,
        peer,
    };
    ends.of_stream()
}

/// What carries the datagrams of a socket of this address family.
fn datagrams_of(family: i32) -> Option<Transport> {
    match family {
        libc::AF_INET | libc::AF_INET6 => Some(Transport::Udp),
        libc::AF_UNIX => Some(Transport::Unix),
        _ => None,
    }
}

/// The first `count` bytes of several parts.
pub(super) fn for_each_part(parts: &[IoSlice<'_>], count: usize, mut each: impl FnMut(&[u8])) {
    let mut left = count;
    for part in parts {
        let taken = left.min(part.len());
        each(&part[..taken]);
        left -= taken;
    }
}

/// Whether a call was a wait that begins a turn: its name, and how much it gave.
fn turn_of(call: &Call<'_>, result: Result<usize, &io::Error>) -> Option<(&'static str, usize)> {
    let waits = match call {
        Call::EpollWait { .. } | Call::EpollPwait2 { .. } | Call::Poll { .. } => true,
        Call::Library { name } => *name == "mio::Poll::poll",
        _ => false,
    };
    let events = match result {
        Ok(events) => events,
        // A signal ends a wait like a timeout.
        Err(error) if error.raw_os_error() == Some(libc::EINTR) => 0,
        Err(_) => return None,
    };
    waits.then_some((call.name(), events))
}

/// A slot's name in the table.
pub(super) fn slot_of(thread: i32, slot: u32) -> Place {
    Place::Slot { thread, slot }
}
