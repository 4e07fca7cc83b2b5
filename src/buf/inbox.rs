//! Bytes a protocol could not finish: the start of a head or frame header, or what came while the peer did not read.

/// Received bytes that are kept beyond their lend, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Bytes before this index were consumed. They go when the next bytes are appended, so that a long pipeline is not
    /// moved down once for each request.
    consumed: usize,
}

impl Inbox {
    /// The bytes that are kept.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.consumed..]
    }

    /// The bytes that are kept, to decode them in place.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.consumed..]
    }

    /// How many bytes are kept.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.consumed
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much memory this holds, used or not.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Keeps `fresh` behind what is kept already.
    pub(crate) fn append(&mut self, fresh: &[u8]) {
        if self.consumed > 0 {
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
        self.bytes.extend_from_slice(fresh);
    }

    /// Forgets everything but the last `unread` bytes.
    pub(crate) fn keep_last(&mut self, unread: usize) {
        debug_assert!(unread <= self.len(), "only bytes that are kept can stay");
        self.consumed = self.bytes.len() - unread;
        if unread == 0 {
            self.bytes.clear();
            self.consumed = 0;
        }
    }
}
