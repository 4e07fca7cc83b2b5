//! What waits to leave, because a send is in flight or the peer does not read: bytes, and slices of files.

use std::collections::VecDeque;

use super::part::{FILE_BYTES_MAX, FileSlice, PARTS_MAX, Part, SendBuf};
use super::pool::Pool;

/// A tail segment that is smaller than this takes further bytes, so that many small frames leave as one part.
const TAIL_BYTES_MAX: usize = 16 * 1024;
/// The most bytes in memory that one send carries. A smaller send tells sooner whether a slow peer still takes anything.
const SEND_BYTES_MAX: usize = 256 * 1024;

/// What waits.
#[derive(Debug)]
enum Segment {
    Bytes(Part),
    /// Never empty.
    File(FileSlice),
}

/// A queue of segments. A segment holds whole messages, so a border between segments is a border between messages:
/// what a policy drops is always a whole one.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    segments: VecDeque<Segment>,
    /// Bytes that wait, in memory and in files.
    bytes: usize,
    /// Those among them that lie in memory.
    held: usize,
}

impl Outbox {
    /// How many bytes wait for the peer, those of files included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// How many bytes of memory wait. A file that waits costs a descriptor and no memory.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held
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
        self.held += part.len();
        if let (Part::Pooled(fresh), Some(Segment::Bytes(Part::Pooled(tail)))) =
            (&part, self.segments.back_mut())
            && tail.len() + fresh.len() <= TAIL_BYTES_MAX
        {
            tail.extend_from_slice(fresh);
            if let Part::Pooled(fresh) = part {
                pool.put(fresh);
            }
            return;
        }
        self.segments.push_back(Segment::Bytes(part));
    }

    /// Queues a slice of a file. An empty one is not queued.
    pub(crate) fn push_file(&mut self, slice: FileSlice) {
        if slice.is_empty() {
            return;
        }
        self.bytes += slice.len() as usize;
        self.segments.push_back(Segment::File(slice));
    }

    /// Takes as much from the front as one send may carry. A file ends it: the bytes before it leave with it, those
    /// behind it with the next send.
    pub(crate) fn take_send(&mut self) -> Option<SendBuf> {
        if self.is_empty() {
            return None;
        }
        // A part that is larger than a send leaves by itself, and a file may have no bytes before it.
        let first = self.next_part(usize::MAX).unwrap_or(Part::Static(b""));
        let mut send = SendBuf::new(first);
        while send.parts() < PARTS_MAX
            && let Some(part) = self.next_part(SEND_BYTES_MAX.saturating_sub(send.bytes_left()))
        {
            send.push(part);
        }
        self.held -= send.bytes_left();
        if let Some(slice) = self.next_file() {
            send.push_file(slice);
        }
        self.bytes -= send.remaining();
        Some(send)
    }

    /// The front segment, if it is a part of at most `bytes_max` bytes.
    fn next_part(&mut self, bytes_max: usize) -> Option<Part> {
        match self.segments.pop_front()? {
            Segment::Bytes(part) if part.len() <= bytes_max => Some(part),
            other => {
                self.segments.push_front(other);
                None
            }
        }
    }

    /// The front segment, if it is a file; of a large one as much as one send may carry.
    fn next_file(&mut self) -> Option<FileSlice> {
        let Segment::File(slice) = self.segments.front_mut()? else {
            return None;
        };
        let front = slice.take_front(FILE_BYTES_MAX);
        if slice.is_empty() {
            self.segments.pop_front();
        }
        Some(front)
    }

    /// Forgets everything that waits.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        self.bytes = 0;
        self.held = 0;
        for segment in self.segments.drain(..) {
            if let Segment::Bytes(Part::Pooled(buffer)) = segment {
                pool.put(buffer);
            }
        }
    }
}
