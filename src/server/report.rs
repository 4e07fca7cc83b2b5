//! What a server has done, told when it ends.

use crate::sys::Counts;

/// What a server has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// WebSocket messages that came.
    pub messages: u64,
    /// How often accepting had to rest for lack of descriptors or memory.
    pub accept_failures: u64,
    /// System calls and ring operations, if they were counted.
    pub counts: Option<Counts>,
}

impl Report {
    /// Adds another worker's figures.
    pub(super) fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.messages += other.messages;
        self.accept_failures += other.accept_failures;
        match (&mut self.counts, other.counts) {
            (Some(total), Some(counts)) => total.merge(&counts),
            (total @ None, counts) => *total = counts,
            (Some(_), None) => {}
        }
    }
}
