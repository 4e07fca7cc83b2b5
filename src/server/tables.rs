//! Workers with descriptor tables of their own: each may have as many connections as `ulimit -n` says.
//!
//! ```text
//!   one table     bind ──▶ open all drivers ──▶ gate ─┬─▶ worker 0 leaves with a copy, closes the others' listeners
//!   (wakers and listeners                             ├─▶ worker 1 leaves …
//!    of everybody)                                    └─▶ last: its own copies of all listeners are closed
//! ```
//!
//! A waker is an eventfd(2), written by other threads under the number that it has in *their* table. So all of them are
//! made before anybody leaves, and are never closed while somebody may write. A listener must be closed everywhere, or its
//! port would go on taking clients whom nobody accepts.
//!
//! It does not know drivers. Rings need none of this: their direct descriptors lie in a table of the ring's.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::gate::{Arrival, Gate};
use crate::driver::Listener;
use crate::sys::{self, ThreadProbe};

/// Descriptors that are not used for connections: listeners, epoll, eventfds, files.
pub(super) const DESCRIPTORS_RESERVED: u64 = 32;

/// How many connections the process's descriptor table has room for, beside `reserved` other descriptors.
pub(super) fn connections_possible(reserved: u64) -> u32 {
    let descriptors = sys::nofile().map_or(1024, |(soft, _)| soft);
    let spare = descriptors
        .saturating_sub(reserved)
        .max(descriptors / 2)
        .max(1);
    u32::try_from(spare).unwrap_or(u32::MAX).min(1 << 20)
}

/// Who leaves the shared table, and which listeners are whose.
pub(super) struct Tables {
    listeners: Vec<(usize, RawFd)>,
    all_left: Gate,
}

impl Tables {
    pub(super) fn new(listeners: &[Vec<Listener>]) -> Self {
        let numbered = listeners.iter().enumerate().flat_map(|(worker, own)| {
            own.iter()
                .map(move |listener| (worker, listener.fd.as_raw_fd()))
        });
        Self {
            listeners: numbered.collect(),
            all_left: Gate::new(listeners.len()),
        }
    }

    /// A worker that is still to leave.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        self.all_left.arrival()
    }

    /// The calling worker leaves. Every driver is open by now.
    pub(super) fn leave(&self, worker: usize, arrival: Arrival<'_>) -> io::Result<()> {
        sys::own_table(&mut ThreadProbe)?;
        let others = self.listeners.iter().filter(|(owner, _)| *owner != worker);
        sys::close_copies(&mut ThreadProbe, others.map(|(_, fd)| *fd));
        arrival.come();
        Ok(())
    }

    /// Waits for all workers to leave, then closes the copies of their listeners in the table that they left.
    pub(super) fn close_what_was_left(&self) {
        // A worker that failed before it left has closed its listeners in this table: their numbers may be somebody
        // else's by now. The others stop then, and the process's end closes the rest.
        if self.all_left.wait() {
            sys::close_copies(&mut ThreadProbe, self.listeners.iter().map(|(_, fd)| *fd));
        }
    }
}
