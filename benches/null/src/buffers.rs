//! Buffers that the kernel picks from when bytes arrive: few and small, so that they stay in the cache.
//!
//! ```text
//! one mapping: │ entries: address, length, id … │ buffer 0 │ buffer 1 │ …
//!                we write at the tail; the kernel takes from its own head
//! ```

use std::sync::atomic::{AtomicU16, Ordering};
use std::{io, mem, ptr, slice};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

pub(crate) const GROUP: u16 = 0;
/// All buffers together: what stays in the second-level cache beside everything else.
const POOL_BYTES: usize = 512 * 1024;

pub(crate) struct BufferRing {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    /// A power of two, as the kernel asks.
    count: u16,
    buffer_bytes: usize,
    tail: u16,
}

impl BufferRing {
    /// `buffer_bytes` is a power of two between 16 bytes and the whole pool.
    pub(crate) fn register(ring: &IoUring, buffer_bytes: usize) -> io::Result<Self> {
        if !buffer_bytes.is_power_of_two() || !(16..=POOL_BYTES).contains(&buffer_bytes) {
            return Err(io::Error::other("a buffer's size is a power of two"));
        }
        let count = (POOL_BYTES / buffer_bytes) as u16;
        let entries_bytes = count as usize * mem::size_of::<BufRingEntry>();
        let length = entries_bytes + POOL_BYTES;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping touches no memory of ours. It is page-aligned, as the ring has to be.
        let base = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping starts with room for the entries and is never unmapped, kept so by having no Drop.
        unsafe {
            let submitter = ring.submitter();
            submitter.register_buf_ring_with_flags(base as u64, count, GROUP, 0)?;
        }
        let mut buffers = Self {
            entries: base.cast(),
            // SAFETY: the buffers follow the entries inside the mapping.
            bytes: unsafe { base.cast::<u8>().add(entries_bytes) },
            count,
            buffer_bytes,
            tail: 0,
        };
        (0..count).for_each(|id| buffers.give_back(id));
        buffers.publish();
        Ok(buffers)
    }

    /// The first `count` bytes of a buffer that a completion has named.
    pub(crate) fn bytes(&self, id: u16, count: usize) -> &[u8] {
        debug_assert!(id < self.count && count <= self.buffer_bytes);
        // SAFETY: inside the mapping; ours to read from its completion until `give_back`, which the borrow keeps away.
        unsafe { slice::from_raw_parts(self.bytes.add(id as usize * self.buffer_bytes), count) }
    }

    /// Puts a buffer behind the others; the kernel sees it after [`publish`](Self::publish).
    pub(crate) fn give_back(&mut self, id: u16) {
        debug_assert!(id < self.count, "not a buffer of ours");
        let index = self.tail & (self.count - 1);
        // SAFETY: inside the mapping, and the kernel does not look at an entry beyond the published tail.
        unsafe {
            let entry = &mut *self.entries.add(index as usize);
            entry.set_addr(self.bytes.add(id as usize * self.buffer_bytes) as u64);
            entry.set_len(self.buffer_bytes as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    pub(crate) fn publish(&mut self) {
        // SAFETY: the tail is an aligned u16 inside the mapping, and is only written here, atomically. Release: whoever
        // sees the new tail also sees the entries before it.
        unsafe {
            let tail = BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}
