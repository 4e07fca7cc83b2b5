//! Provided buffers: memory that the kernel receives into, chosen when bytes arrive (5.19+).
//!
//! ```text
//!   entries (shared with the kernel)      memory
//!   ┌────┬────┬────┬────┐                ┌────────┬────────┬────────┬────────┐
//!   │ 3  │ 0  │ 2  │ 1  │ ──────────────▶│ 0      │ 1      │ 2      │ 3      │
//!   └────┴────┴────┴────┘                └────────┴────────┴────────┴────────┘
//!     ▲ head: kernel takes   ▲ tail: we give back
//! ```
//!
//! A receive that waits owns no memory: a thousand idle connections share one small group. The group is small on
//! purpose: 256 × 2 KiB stay in the cache, while an 8 MiB group cost 4–6 % when it was measured.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::ring::Ring;

const PAGE: usize = 4096;

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
    /// The kernel may still write here after we are gone.
    leaked: bool,
}

impl Buffers {
    /// Registers `count` (a power of two) buffers of `size` bytes as `group`.
    pub(super) fn register(ring: &Ring, group: u16, count: u16, size: u32) -> io::Result<Self> {
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
            leaked: false,
        };
        // SAFETY: the entries are page-aligned and live until the ring is gone: `Uring` drops its ring first, or leaks.
        unsafe {
            ring.io.submitter().register_buf_ring_with_flags(
                entries.as_ptr() as u64,
                count,
                group,
                0,
            )?;
        }
        for buffer in 0..count {
            buffers.give_back(buffer);
        }
        Ok(buffers)
    }

    /// The first `len` bytes of a buffer that the kernel filled. It must not have been given back.
    pub(super) fn lend(&mut self, buffer: u16, range: std::ops::Range<usize>) -> &mut [u8] {
        assert!(buffer < self.count && range.end <= self.size as usize && range.start <= range.end);
        // SAFETY: inside the allocation by the assertion; initialised (zeroed, then written by the kernel); the kernel
        // does not touch a buffer between its completion and `give_back`, which the exclusive borrow keeps apart.
        unsafe {
            let start = self
                .memory
                .as_ptr()
                .add(usize::from(buffer) * self.size as usize + range.start);
            std::slice::from_raw_parts_mut(start, range.len())
        }
    }

    /// Notes that a completion brought a buffer.
    pub(super) fn taken(&mut self) {
        self.available = self.available.saturating_sub(1);
    }

    /// Never frees the memory: operations that use it did not finish.
    pub(super) fn leak(&mut self) {
        self.leaked = true;
    }

    /// Lets the kernel fill a buffer again.
    pub(super) fn give_back(&mut self, buffer: u16) {
        debug_assert!(buffer < self.count && self.available < self.count);
        let index = usize::from(self.tail & (self.count - 1));
        self.tail = self.tail.wrapping_add(1);
        self.available += 1;
        // SAFETY: `index` is below `count`, so the entry lies inside the allocation; the kernel reads it only after the
        // tail has moved past it. The tail shares the first entry's padding and is written atomically, as the kernel reads it.
        unsafe {
            let entry = &mut *self.entries.as_ptr().add(index);
            entry.set_addr(
                self.memory
                    .as_ptr()
                    .add(usize::from(buffer) * self.size as usize) as u64,
            );
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
