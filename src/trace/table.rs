//! Connections by the names that calls and operations use for them.
//!
//! ```text
//!   accept4 = 9 ──▶ descriptor 9 ──────┐
//!   [cqe] accept = 12 ──▶ slot 12 ─────┼──▶ connection 3: addresses, readers of both directions
//!   [sqe] recv(9), for slot 70000 ─────┘
//!   close(9), [cqe] close of slot 12 ──▶ gone; the number is not used again
//! ```
//!
//! One table for all threads, since a descriptor means the same to all of them. A thread that left the shared descriptor
//! table (unshare(2)) and a ring's own table have names of their own. It does not know calls.

use std::collections::HashMap;
use std::sync::Arc;

use super::dissect::Dissector;
use super::event::{Connection, Ends};
use super::protocol::{Direction, Protocol};
use crate::sys::Address;

/// A name of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A descriptor, in the table that most threads share (0) or that of a thread.
    Descriptor { table: i32, fd: i32 },
    /// A slot of a thread's ring.
    Slot { thread: i32, slot: u32 },
}

/// What is known of a connection.
#[derive(Debug)]
struct Entry {
    connection: Connection,
    dissector: Dissector,
    /// Datagrams are no stream: nothing is read from them.
    datagrams: bool,
}

/// All connections that are open.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: HashMap<Place, Entry>,
    /// Slots of sockets that have a descriptor as well.
    aliases: HashMap<Place, Place>,
    /// Where listeners listen.
    listeners: HashMap<Place, Address>,
    opened: u64,
}

impl Table {
    fn place(&self, place: Place) -> Place {
        self.aliases.get(&place).copied().unwrap_or(place)
    }

    /// The connection of this name.
    pub(super) fn find(&self, place: Place) -> Option<Connection> {
        let entry = self.entries.get(&self.place(place))?;
        Some(entry.connection.clone())
    }

    /// A connection came into being. Whoever had the name before is gone, by a close that nobody saw.
    pub(super) fn open(
        &mut self,
        place: Place,
        ends: Ends,
        datagrams: bool,
    ) -> (Connection, Option<Connection>) {
        let before = self.close(place);
        self.opened += 1;
        let connection = Connection {
            number: self.opened,
            ends: Arc::new(ends),
        };
        let entry = Entry {
            connection: connection.clone(),
            dissector: Dissector::default(),
            datagrams,
        };
        self.entries.insert(place, entry);
        (connection, before)
    }

    /// A connection has another name too.
    pub(super) fn alias(&mut self, other: Place, place: Place) {
        if self.entries.contains_key(&place) && !self.entries.contains_key(&other) {
            self.aliases.insert(other, place);
        }
    }

    /// The name means nobody any more.
    pub(super) fn close(&mut self, place: Place) -> Option<Connection> {
        self.listeners.remove(&place);
        if let Some(real) = self.aliases.remove(&place) {
            return self.close(real);
        }
        let entry = self.entries.remove(&place)?;
        self.aliases.retain(|_, real| *real != place);
        Some(entry.connection)
    }

    /// Notes addresses; answers the connection if that is news.
    pub(super) fn name(
        &mut self,
        place: Place,
        local: Option<&Address>,
        peer: Option<&Address>,
    ) -> Option<Connection> {
        let place = self.place(place);
        let entry = self.entries.get_mut(&place)?;
        let mut ends = Ends::clone(&entry.connection.ends);
        ends.local = local.cloned().or(ends.local);
        ends.peer = peer.cloned().or(ends.peer);
        if !entry.datagrams {
            ends = ends.of_stream();
        }
        if ends == *entry.connection.ends {
            return None;
        }
        entry.connection.ends = Arc::new(ends);
        Some(entry.connection.clone())
    }

    /// Notes where a listener listens.
    pub(super) fn listens(&mut self, place: Place, address: &Address) {
        self.listeners.insert(place, address.clone());
    }

    /// Where a listener listens; a thread's own table began as a copy of the shared one.
    pub(super) fn listener(&self, place: Place) -> Option<&Address> {
        let shared = match place {
            Place::Descriptor { fd, .. } => Place::Descriptor { table: 0, fd },
            Place::Slot { .. } => place,
        };
        self.listeners
            .get(&place)
            .or_else(|| self.listeners.get(&shared))
    }

    /// What bytes of a connection mean.
    pub(super) fn read(
        &mut self,
        place: Place,
        direction: Direction,
        bytes: &[u8],
        told: &mut Vec<Protocol>,
    ) {
        let place = self.place(place);
        if let Some(entry) = self
            .entries
            .get_mut(&place)
            .filter(|entry| !entry.datagrams)
        {
            entry.dissector.read(direction, bytes, told);
        }
    }

    /// Bytes of a connection went that nobody saw.
    pub(super) fn skip(
        &mut self,
        place: Place,
        direction: Direction,
        count: u64,
        told: &mut Vec<Protocol>,
    ) {
        let place = self.place(place);
        if let Some(entry) = self.entries.get_mut(&place) {
            entry.dissector.skip(direction, count, told);
        }
    }
}
