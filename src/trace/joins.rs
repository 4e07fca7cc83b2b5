//! Which connection two addresses belong to, as far as the events have told.
//!
//! ```text
//!   Opened, Named ──▶ [#1 tcp 127.0.0.1:8080 <-> ?] [#2 …] ◀── a packet from 127.0.0.1:40000 to 127.0.0.1:8080
//! ```
//!
//! A packet comes before the call that makes its connection known, and after the close of it. So the collector looks here
//! when it shows a packet: by then the events of a moment later are known, and those that are closed are not forgotten at
//! once. It does not know packets.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::event::{Connection, Ends};
use super::{Event, Kind};
use crate::sys::Address;

/// How many connections are kept in mind, the newest ones: the others keep no number for their last packets.
const CONNECTIONS_MAX: usize = 4096;

/// The connections of late, by their addresses.
#[derive(Debug, Default)]
pub(super) struct Joins {
    /// In the order of their numbers.
    known: VecDeque<Connection>,
}

impl Joins {
    /// Takes notice of an event, before it is shown.
    pub(super) fn see(&mut self, event: &Event) {
        let (Kind::Opened { .. } | Kind::Named, Some(connection)) =
            (&event.kind, &event.connection)
        else {
            return;
        };
        let at = (self.known).partition_point(|known| known.number < connection.number);
        match self.known.get_mut(at) {
            Some(known) if known.number == connection.number => *known = connection.clone(),
            _ => self.known.insert(at, connection.clone()),
        }
        if self.known.len() > CONNECTIONS_MAX {
            self.known.pop_front();
        }
    }

    /// The connection with these two ends, in whichever order. The newest one counts, since ports come again; and one
    /// whose own end nobody has told only if no other fits.
    pub(super) fn between(&self, ends: &Ends) -> Option<Connection> {
        let (Some(one), Some(other)) = (&ends.local, &ends.peer) else {
            return None;
        };
        let newest_that = |fits: &dyn Fn(&Ends) -> bool| {
            let mut newest_first = self.known.iter().rev();
            newest_first.find(|connection| fits(&connection.ends))
        };
        let has_both = |known: &Ends| {
            (is_at(known.local.as_ref(), one) && is_at(known.peer.as_ref(), other))
                || (is_at(known.local.as_ref(), other) && is_at(known.peer.as_ref(), one))
        };
        // A client before getsockname, a datagram socket that has no one peer.
        let has_one = |known: &Ends| match (&known.local, &known.peer) {
            (None, Some(_)) => is_at(known.peer.as_ref(), one) || is_at(known.peer.as_ref(), other),
            (Some(Address::Inet(_)), None) => {
                is_at(known.local.as_ref(), one) || is_at(known.local.as_ref(), other)
            }
            _ => false,
        };
        newest_that(&has_both)
            .or_else(|| newest_that(&has_one))
            .cloned()
    }
}

/// Whether an end that a call has told is the one on the wire: a listener's may be a wildcard, and an IPv6 socket writes
/// IPv4 addresses in its own way.
fn is_at(told: Option<&Address>, on_wire: &Address) -> bool {
    let (Some(Address::Inet(told)), Address::Inet(wire)) = (told, on_wire) else {
        return told == Some(on_wire);
    };
    let plain = |address: &SocketAddr| address.ip().to_canonical();
    told.port() == wire.port() && (told.ip().is_unspecified() || plain(told) == plain(wire))
}

#[cfg(test)]
mod tests;
