//! A ring whose close is a visible call.
//!
//! The library that made it closes it too, when it is dropped: that moment is told to the thread's probe.
#![allow(
    unsafe_code,
    reason = "a value is dropped in a place that is being dropped"
)]

use super::{Call, Probe as _, ThreadProbe};
use io_uring::IoUring;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd as _;

/// A ring. Its close is told to the thread's probe.
pub(crate) struct ToldRing(ManuallyDrop<IoUring>);

impl From<IoUring> for ToldRing {
    fn from(ring: IoUring) -> Self {
        Self(ManuallyDrop::new(ring))
    }
}

impl Deref for ToldRing {
    type Target = IoUring;

    #[inline]
    fn deref(&self) -> &IoUring {
        &self.0
    }
}

impl DerefMut for ToldRing {
    #[inline]
    fn deref_mut(&mut self) -> &mut IoUring {
        &mut self.0
    }
}

impl Drop for ToldRing {
    fn drop(&mut self) {
        let call = Call::Close {
            fd: self.0.as_raw_fd(),
        };
        ThreadProbe.before(&call);
        // SAFETY: nobody uses the field again, kept true by `drop`, which runs once and last.
        unsafe { ManuallyDrop::drop(&mut self.0) };
        // What close(2) of a ring answers the library does not say; there is nothing that could be lost.
        ThreadProbe.after(&call, Ok(0));
    }
}
