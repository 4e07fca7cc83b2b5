//! Bytes that wait to leave, because a send is in flight or the peer does not read.

use std::collections::VecDeque;

use super::part::{PARTS_MAX, Part, SendBuf};
use super::pool::Pool;

/// A tail segment that is smaller than this takes further bytes, so that many small frames leave as one part.
const TAIL_BYTES_MAX: usize = 16 * 1024;
/// The most bytes that one send carries. A smaller send tells sooner whether a slow peer still takes anything.
const SEND_BYTES_MAX: usize = 256 * 1024;

/// A queue of segments. A segment holds whole messages, so a border between segments is a border between messages:
/// what a policy drops is always a whole one.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    segments: VecDeque<Part>,
    bytes: usize,
}

impl Outbox {
    /// How many bytes wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// How many segments wait.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Queues one part. Small private parts are joined to a small private tail, and their buffer goes back to `pool`.
    pub(crate) fn push(&mut self, part: Part, pool: &mut Pool) {
        self.bytes += part.len();
        if let (Part::Pooled(fresh), Some(Part::Pooled(tail))) = (&part, self.segments.back_mut())
            && tail.len() + fresh.len() <= TAIL_BYTES_MAX
        {
            tail.extend_from_slice(fresh);
            if let Part::Pooled(fresh) = part {
                pool.put(fresh);
            }
            return;
        }
        self.segments.push_back(part);
    }

    /// Takes as much from the front as one send may carry.
    pub(crate) fn take_send(&mut self) -> Option<SendBuf> {
        let mut send = SendBuf::new(self.segments.pop_front()?);
        while send.parts() < PARTS_MAX
            && let Some(next) = self.segments.front()
            && send.remaining() + next.len() <= SEND_BYTES_MAX
            && let Some(part) = self.segments.pop_front()
        {
            send.push(part);
        }
        self.bytes -= send.remaining();
        Some(send)
    }

    /// Forgets everything that waits.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        self.bytes = 0;
        for part in self.segments.drain(..) {
            if let Part::Pooled(buffer) = part {
                pool.put(buffer);
            }
        }
    }
}
