//! Memory that the process has freed, and the kernel does not know of.
#![allow(unsafe_code, reason = "a call of the C library")]

use std::sync::atomic::{AtomicBool, Ordering};

/// Gives freed memory back to the kernel (`malloc_trim(3)`). glibc keeps what lies below something that is still in use;
/// with another C library this does nothing. Takes as long as the heap is, and its locks, so it is for quiet moments. False
/// if another thread is at it: try again later.
///
/// It is the library's, which tells the kernel by `madvise(2)` and `brk(2)`: no [`Probe`](super::Probe) sees that.
///
/// ```
/// drop(vec![1_u8; 100_000]);
/// assert!(longshore::sys::trim_heap());
/// ```
pub fn trim_heap() -> bool {
    static AT_IT: AtomicBool = AtomicBool::new(false);
    if AT_IT.swap(true, Ordering::Acquire) {
        return false;
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and moves nothing that is in use, which glibc keeps true. 0: keep no pad.
    unsafe {
        libc::malloc_trim(0);
    }
    AT_IT.store(false, Ordering::Release);
    true
}
