//! The protocol under test: lines, and each line says what the connection shall do.

use std::io;
use std::time::Duration;

use longshore::buf::Input;
use longshore::sys::Address;
use longshore::{ConnectionId, Datagram, Errands, Origin, Protocol, SocketId, Wire};

/// What the protocol was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Opened(Origin),
    Line(String),
    Ended { unfinished: bool },
    Expired,
    Idle,
    Writable,
    Called,
    Peer(Option<Address>),
    Mail(u64),
    Letter(u64, Option<ConnectionId>),
    Stopping,
    Closed(ConnectionId),
    Failed(u64, io::ErrorKind),
    Datagram { bytes: usize, truncated: bool },
    Undelivered(io::ErrorKind),
}

/// What it keeps of a connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    /// Bytes of an answer that are still to be said.
    left: usize,
}

/// Does what lines say.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) seen: Vec<Seen>,
    pub(crate) open: Vec<ConnectionId>,
    /// Bytes of lines that were complete, and of the one that is not.
    pub(crate) offered_bytes: usize,
    taken_bytes: usize,
    /// The most bytes that waited for a peer.
    pub(crate) waiting_bytes_max: usize,
    /// What each `opened` asks for.
    pub(crate) greets_with: Option<fn(&mut Wire<'_, '_>)>,
    /// Whether datagrams are sent back.
    pub(crate) echoes: bool,
    /// Every payload that came.
    pub(crate) payloads: Vec<Vec<u8>>,
}

/// How much of a long answer is said at a time.
pub(crate) const STEP_BYTES: usize = 32 * 1024;

impl Script {
    /// Whether this was seen.
    pub(crate) fn saw(&self, what: &Seen) -> bool {
        self.seen.contains(what)
    }

    fn obey(&mut self, line: &str, state: &mut Line, wire: &mut Wire<'_, '_>) {
        let (word, number) = line.split_once(' ').unwrap_or((line, "0"));
        let number: usize = number.parse().unwrap_or(0);
        match word {
            // Says so much, as the peer reads.
            "produce" => {
                state.left = number;
                wire.await_room();
            }
            // Says so much, whether the peer reads or not.
            "flood" => {
                for _ in 0..number.div_ceil(STEP_BYTES) {
                    wire.say(&vec![b'f'; STEP_BYTES]);
                }
            }
            "finish" => wire.finish(),
            "reset" => wire.reset(),
            "half" => {
                wire.say(b"half\n");
                wire.end_output();
                // Not sent.
                wire.say(b"behind the end\n");
            }
            "hold" => {
                wire.hold_input();
                wire.expire_in(Duration::from_millis(number as u64));
            }
            "expire" => wire.expire_in(Duration::from_millis(number as u64)),
            "never" => wire.never_expire(),
            "peer" => wire.ask_peer(),
            "wake" => {
                for id in self.open.clone() {
                    wire.errands().call(id);
                    wire.errands().call(id);
                }
            }
            "stop" => wire.errands().stop(),
            "panic" => panic!("a protocol's bug, on purpose"),
            _ => {
                wire.say(line.as_bytes());
                wire.say(b"\n");
            }
        }
    }
}

impl Protocol for Script {
    type Connection = Line;
    type Mail = u64;

    fn opened(&mut self, origin: Origin, wire: &mut Wire<'_, '_>) -> Line {
        self.seen.push(Seen::Opened(origin));
        self.open.push(wire.id());
        if let Some(greet) = self.greets_with {
            greet(wire);
        }
        Line {
            id: wire.id(),
            left: 0,
        }
    }

    fn received(&mut self, state: &mut Line, input: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
        assert_eq!(state.id, wire.id());
        while wire.wants_input()
            && let Some(end) = input.unread().iter().position(|byte| *byte == b'\n')
        {
            let line = input.take(end + 1);
            self.taken_bytes += line.len();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            self.seen.push(Seen::Line(line.clone()));
            self.obey(&line, state, wire);
            self.waiting_bytes_max = self.waiting_bytes_max.max(wire.waiting_bytes());
        }
        self.offered_bytes = self.taken_bytes + input.len();
    }

    fn ended(&mut self, state: &mut Line, unfinished: bool, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Ended { unfinished });
        if state.left == 0 {
            wire.finish();
        }
    }

    fn writable(&mut self, state: &mut Line, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Writable);
        let step = state.left.min(STEP_BYTES);
        wire.say(&vec![b'p'; step]);
        state.left -= step;
        self.waiting_bytes_max = self.waiting_bytes_max.max(wire.waiting_bytes());
        if state.left > 0 {
            wire.await_room();
        }
    }

    fn expired(&mut self, _: &mut Line, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Expired);
        wire.release_input();
        wire.say(b"expired\n");
    }

    fn idle(&mut self, _: &mut Line, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Idle);
        wire.finish();
    }

    fn called(&mut self, _: &mut Line, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Called);
        wire.say(b"called\n");
    }

    fn peer(&mut self, _: &mut Line, address: Option<Address>, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Peer(address));
        wire.release_input();
    }

    fn mail(&mut self, _: &mut Line, mail: u64, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Mail(mail));
        wire.say(format!("mail {mail}\n").as_bytes());
    }

    fn letter(&mut self, mail: u64, to: Option<ConnectionId>, _: &mut Errands) {
        self.seen.push(Seen::Letter(mail, to));
    }

    fn stopping(&mut self, _: &mut Line, wire: &mut Wire<'_, '_>) {
        self.seen.push(Seen::Stopping);
        wire.say(b"stopping\n");
        wire.finish();
    }

    fn closed(&mut self, id: ConnectionId, state: Line, _: &mut Errands) {
        assert_eq!(state.id, id);
        self.open.retain(|open| *open != id);
        self.seen.push(Seen::Closed(id));
    }

    fn failed(&mut self, key: u64, error: io::Error, _: &mut Errands) {
        self.seen.push(Seen::Failed(key, error.kind()));
    }

    fn datagram(&mut self, datagram: Datagram<'_>, errands: &mut Errands) {
        self.seen.push(Seen::Datagram {
            bytes: datagram.bytes.len(),
            truncated: datagram.truncated,
        });
        self.payloads.push(datagram.bytes.to_vec());
        if self.echoes {
            errands
                .send_to(datagram.socket, &datagram.from, datagram.bytes)
                .unwrap();
        }
    }

    fn undelivered(&mut self, _: SocketId, error: io::Error, _: &mut Errands) {
        self.seen.push(Seen::Undelivered(error.kind()));
    }
}
