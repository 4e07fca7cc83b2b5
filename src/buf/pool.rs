//! Buffers that are used again: one pool for each reactor, no locks.

use super::SendBuf;
use super::part::Part;

/// What a fresh buffer can hold before it grows: 16 pipelined plaintext replies fit.
const FRESH_BYTES: usize = 4096;
/// A buffer that grew beyond this is given back to the allocator, so that one large reply does not stay for ever.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// How many free buffers are kept: 1 MiB of fresh ones.
const KEPT_MAX: usize = 256;

/// A stack of empty buffers. The last one returned is the next one lent, because its bytes are still in the cache.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
}

impl Pool {
    /// An empty buffer with some capacity.
    #[inline]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.free
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(FRESH_BYTES))
    }

    /// Gives a buffer back. Its bytes are forgotten.
    #[inline]
    pub(crate) fn put(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() >= FRESH_BYTES
            && buffer.capacity() <= KEPT_BYTES_MAX
            && self.free.len() < KEPT_MAX
        {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Empties a buffer that stays in use, and changes it for another if it grew too large.
    #[inline]
    pub(crate) fn renew(&mut self, buffer: &mut Vec<u8>) {
        buffer.clear();
        if buffer.capacity() > KEPT_BYTES_MAX {
            *buffer = self.take();
        }
    }

    /// Gives back every pooled buffer of a finished send.
    #[inline]
    pub(crate) fn put_sent(&mut self, sent: SendBuf) {
        for part in sent.into_parts() {
            if let Part::Pooled(buffer) = part {
                self.put(buffer);
            }
        }
    }
}
