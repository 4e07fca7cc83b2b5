//! Memory that the process has freed, and the kernel does not know of.
#![allow(unsafe_code, reason = "a call of the C library")]

/// Gives freed memory back to the kernel (`malloc_trim(3)`). glibc keeps what lies below something that is still in use;
/// with another C library this does nothing. Takes as long as the heap is, so it is for quiet moments.
///
/// It is the library's, which tells the kernel by `madvise(2)` and `brk(2)`: no [`Probe`](super::Probe) sees that.
///
/// ```
/// drop(vec![1_u8; 100_000]);
/// longshore::sys::trim_heap();
/// ```
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and moves nothing that is in use, which glibc keeps true. 0: keep no pad.
    unsafe {
        libc::malloc_trim(0);
    }
}
