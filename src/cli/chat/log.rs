//! What was said: numbers, and the last messages.

use std::collections::VecDeque;
use std::sync::Arc;

use super::protocol::Said;

/// How many messages are kept for those who come later, or come back.
pub(super) const HISTORY_MAX: usize = 50;

/// The room's messages.
#[derive(Debug, Default)]
pub(super) struct Log {
    last: u64,
    kept: VecDeque<Arc<Said>>,
}

impl Log {
    /// The number that the next message has.
    pub(super) fn next(&self) -> u64 {
        self.last + 1
    }

    /// Keeps a message, which has the next number.
    pub(super) fn keep(&mut self, said: Said) {
        debug_assert_eq!(said.number, self.next(), "numbers have no gap");
        self.last = said.number;
        if self.kept.len() == HISTORY_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::new(said));
    }

    /// What came behind a number, as far as it is kept.
    pub(super) fn since(&self, number: u64) -> Vec<Arc<Said>> {
        let behind = self.kept.iter().filter(|said| said.number > number);
        behind.cloned().collect()
    }

    /// A message that was said already: its speaker does not know, because the connection broke before it was told.
    pub(super) fn find(&self, from: &str, id: &str) -> Option<Arc<Said>> {
        let mut kept = self.kept.iter().rev();
        kept.find(|said| said.from == from && said.id == id)
            .cloned()
    }
}
