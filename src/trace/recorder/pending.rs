//! Submissions whose last completion has not come, by the names that completions have.
//!
//! Operations of one name complete in the order in which they were submitted. Not so those that answer only a failure: most
//! never answer, and a failure may be any one's. So they belong to a completion only if nobody else has its name, which a
//! driver sees to by giving each its own.
//!
//! It does not know what the operations do.

use std::collections::{HashMap, VecDeque};

use crate::trace::event::Connection;
use crate::trace::table::Place;

/// How many submissions that answer only a failure are remembered. They come in one burst when a server stops: one for each
/// connection that is still open.
const QUIET_MAX: usize = 1 << 16;

/// A submission that has not completed for the last time.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) operation: u64,
    pub(super) place: Option<Place>,
    /// The bytes of a send: only its completion says how many of them went. At most 64 KiB, for each send in flight.
    pub(super) bytes: Vec<u8>,
    pub(super) listener: Option<i32>,
}

/// A submission that answers only a failure.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) operation: u64,
    /// Whom it was for. A slot would not do: it may have been given to another since.
    pub(super) connection: Option<Connection>,
}

/// All that may still complete.
#[derive(Debug, Default)]
pub(super) struct Submissions {
    pending: HashMap<u64, VecDeque<Pending>>,
    quiet: VecDeque<(u64, Quiet)>,
}

impl Submissions {
    pub(super) fn add(&mut self, user_data: u64, pending: Pending) {
        self.pending
            .entry(user_data)
            .or_default()
            .push_back(pending);
    }

    /// Adds one that may never answer. The oldest is forgotten for it, if there are too many.
    pub(super) fn add_quiet(&mut self, user_data: u64, quiet: Quiet) {
        if self.quiet.len() >= QUIET_MAX {
            self.quiet.pop_front();
        }
        self.quiet.push_back((user_data, quiet));
    }

    /// The submission that a completion answers: a copy without its bytes if more follow, otherwise it is over.
    pub(super) fn take(&mut self, user_data: u64, more: bool) -> Option<Pending> {
        let waiting = self.pending.get_mut(&user_data)?;
        if more {
            let pending = waiting.front()?;
            return Some(Pending {
                bytes: Vec::new(),
                ..*pending
            });
        }
        let pending = waiting.pop_front();
        if waiting.is_empty() {
            self.pending.remove(&user_data);
        }
        pending
    }

    /// The submission of which a completion tells that it failed; `None` if it may be one of several.
    pub(super) fn take_quiet(&mut self, user_data: u64) -> Option<Quiet> {
        let mut named =
            { self.quiet.iter().enumerate() }.filter(|(_, (name, _))| *name == user_data);
        let (Some((at, _)), None) = (named.next(), named.next()) else {
            return None;
        };
        self.quiet.remove(at).map(|(_, quiet)| quiet)
    }
}
