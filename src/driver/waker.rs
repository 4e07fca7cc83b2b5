//! Waking a driver that waits in the kernel, from any thread.
#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::sys::{self, ThreadProbe, ToldFd};

/// Ends a driver's `wait`, now or the next one.
#[derive(Clone)]
pub(crate) struct Waker {
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Waker {
    /// Wakes by a write to an eventfd(2) that the driver watches. The counter keeps a wake that comes before the wait.
    pub(crate) fn eventfd(fd: Arc<ToldFd>) -> Self {
        Self {
            wake: Arc::new(move || {
                // The only error is EAGAIN at a counter of 2^64 - 2: the driver has been woken then already.
                let _ = sys::eventfd_write(&mut ThreadProbe, fd.as_fd());
            }),
        }
    }

    /// Wakes by this one, then by `other`.
    #[cfg(feature = "io-uring")]
    pub(crate) fn then(self, other: Self) -> Self {
        Self {
            wake: Arc::new(move || {
                self.wake();
                other.wake();
            }),
        }
    }

    /// Wakes a driver that has no kernel.
    #[cfg(any(test, feature = "bench"))]
    pub(crate) fn custom(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            wake: Arc::new(wake),
        }
    }

    /// Wakes the driver. Costs one system call; may be called any number of times.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
