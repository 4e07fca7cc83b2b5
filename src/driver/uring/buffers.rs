//! Provided buffers: memory that the kernel receives into, chosen when bytes arrive (5.19+).
//!
//! ```text
//!   entries (shared with the kernel)      memory
//!   ┌────┬────┬────┬────┐                ┌────────┬────────┬────────┬────────┐
//!   │ 0  │ 1  │ 2  │ 3  │ ──────────────▶│ 0      │ 1      │ 2      │ 3      │
//!   └────┴────┴────┴────┘                └────────┴────────┴────────┴────────┘
//!     ▲ head: kernel takes   ▲ tail: we give back
//! ```
//!
//! A receive that waits owns no memory: a thousand idle connections share one small group. The group is small on
//! purpose: 512 KiB stay in the cache, while an 8 MiB group cost 4–6 % when it was measured.
//!
//! Where the kernel can, receives fill a buffer one behind the other ([`Filling::On`]): a small one costs no more than its
//! bytes, and a large one comes whole. Otherwise each takes a small buffer of its own, and a large one takes several.
//!
//! Every buffer has its own place in the ring, and goes back into it in its turn. So what a receive brings in several
//! buffers lies in one piece.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::available::in_order;
use super::ring::Ring;
use super::{Config, Probe, STREAMS};
use crate::sys::Registration;

const PAGE: usize = 4096;

/// A receive of a stream that takes a buffer of its own brings at most this many bytes.
const BUFFER_BYTES: u32 = 2048;
/// How many buffers streams share. With two the kernel would often wait for the first one.
const SHARED_BUFFERS: u16 = 4;

/// How the kernel fills a group's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// Each receive takes a buffer of its own.
    Once = 0,
    /// A receive goes on where the one before it has ended, until the buffer is full (`IOU_PBUF_RING_INC`, 6.12+).
    On = 2,
}

/// The buffers that streams receive into.
pub(super) fn for_streams<P: Probe>(
    probe: &mut P,
    ring: &Ring,
    config: &Config,
) -> io::Result<Buffers> {
    let all = config.ring_buffers;
    if config.ring_shares_buffers && in_order() {
        let count = all.min(SHARED_BUFFERS);
        let size = u32::from(all / count) * BUFFER_BYTES;
        return Buffers::register(probe, ring, STREAMS, count, size, Filling::On);
    }
    Buffers::register(probe, ring, STREAMS, all, BUFFER_BYTES, Filling::Once)
}

/// One group of buffers.
pub(super) struct Buffers {
    entries: NonNull<BufRingEntry>,
    entries_layout: Layout,
    memory: NonNull<u8>,
    memory_layout: Layout,
    count: u16,
    size: u32,
    tail: u16,
    /// How many buffers the kernel may take now.
    available: u16,
    /// Which buffers were given back, but stand behind one that was not.
    back: Box<[bool]>,
    /// How much of each buffer is filled.
    filled: Box<[u32]>,
    /// The kernel may still write here after we are gone.
    leaked: bool,
}

impl Buffers {
    /// Registers `count` (a power of two) buffers of `size` bytes as `group`.
    pub(super) fn register<P: Probe>(
        probe: &mut P,
        ring: &Ring,
        group: u16,
        count: u16,
        size: u32,
        filling: Filling,
    ) -> io::Result<Self> {
        let bad = |_| io::Error::from(io::ErrorKind::InvalidInput);
        if !count.is_power_of_two() || size == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let entries_bytes = usize::from(count) * size_of::<BufRingEntry>();
        let entries_layout = Layout::from_size_align(entries_bytes, PAGE).map_err(bad)?;
        let memory_layout =
            Layout::from_size_align(usize::from(count) * size as usize, PAGE).map_err(bad)?;
        // SAFETY: both sizes are above zero, checked right above.
        let (entries, memory) =
            unsafe { (alloc_zeroed(entries_layout), alloc_zeroed(memory_layout)) };
        let Some(entries) = NonNull::new(entries).map(NonNull::cast::<BufRingEntry>) else {
            handle_alloc_error(entries_layout)
        };
        let Some(memory) = NonNull::new(memory) else {
            handle_alloc_error(memory_layout)
        };
        let mut buffers = Self {
            entries,
            entries_layout,
            memory,
            memory_layout,
            count,
            size,
            tail: 0,
            available: 0,
            back: vec![false; usize::from(count)].into(),
            filled: vec![0; usize::from(count)].into(),
            leaked: false,
        };
        let what = Registration::Buffers {
            group,
            entries: count,
            incremental: filling == Filling::On,
        };
        // SAFETY: the entries are page-aligned and live until the ring is gone: `Uring` drops its ring first, or leaks.
        ring.register(probe, what, |submitter| unsafe {
            submitter.register_buf_ring_with_flags(
                entries.as_ptr() as u64,
                count,
                group,
                filling as u16,
            )
        })?;
        for buffer in 0..count {
            buffers.give_back(buffer);
        }
        Ok(buffers)
    }

    /// Notes that a completion brought `len` bytes, and tells where they lie in the memory. `more`: the kernel goes on to
    /// fill the buffer. Only the order of the completions says where: the caller has to keep it.
    pub(super) fn received(&mut self, buffer: u16, len: usize, more: bool) -> Range<usize> {
        let index = usize::from(buffer);
        let start = self.end(buffer);
        self.filled[index] += len as u32;
        debug_assert!(self.filled[index] <= self.size, "the kernel stays inside");
        if !more {
            self.available = self.available.saturating_sub(1);
        }
        start..start + len
    }

    /// Where the bytes will lie that the kernel puts into a buffer next.
    pub(super) fn end(&self, buffer: u16) -> usize {
        let index = usize::from(buffer);
        index * self.size as usize + self.filled[index] as usize
    }

    /// What the kernel has written to a range of the memory. No buffer of it must have been given back.
    pub(super) fn lend(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.memory_layout.size());
        // SAFETY: inside the allocation by the assertion; initialised (zeroed, then written by the kernel); the kernel
        // does not touch what it filled before `give_back`, which the exclusive borrow keeps apart.
        unsafe {
            let start = self.memory.as_ptr().add(range.start);
            std::slice::from_raw_parts_mut(start, range.len())
        }
    }

    /// Never frees the memory: operations that use it did not finish.
    pub(super) fn leak(&mut self) {
        self.leaked = true;
    }

    /// Lets the kernel fill a buffer again, as soon as those before it are back too: so the buffers stand in the ring as
    /// they lie in the memory, and what a receive brings in several of them is one piece.
    pub(super) fn give_back(&mut self, buffer: u16) {
        debug_assert!(buffer < self.count && !self.back[usize::from(buffer)]);
        self.back[usize::from(buffer)] = true;
        while self.available < self.count {
            let next = self.tail & (self.count - 1);
            if !std::mem::take(&mut self.back[usize::from(next)]) {
                return;
            }
            self.publish(next);
        }
    }

    /// Puts a buffer into its own place in the ring, which is the one at the tail.
    fn publish(&mut self, buffer: u16) {
        debug_assert!(buffer == self.tail & (self.count - 1));
        let index = usize::from(buffer);
        self.tail = self.tail.wrapping_add(1);
        self.available += 1;
        self.filled[index] = 0;
        // SAFETY: `index` is below `count`, so the entry lies inside the allocation; the kernel reads it only after the
        // tail has moved past it. The tail shares the first entry's padding and is written atomically, as the kernel reads it.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(index);
            entry.set_addr(self.memory.as_ptr().add(index * self.size as usize) as u64);
            entry.set_len(self.size);
            entry.set_bid(buffer);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>();
            // Release: the entry's fields are written before the kernel sees it.
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if self.leaked {
            return;
        }
        // SAFETY: allocated with these layouts in `register`; the ring is gone, so the kernel no longer writes here.
        unsafe {
            dealloc(self.entries.as_ptr().cast(), self.entries_layout);
            dealloc(self.memory.as_ptr(), self.memory_layout);
        }
    }
}
