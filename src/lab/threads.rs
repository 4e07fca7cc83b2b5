//! Threads beside a lesson. A machine that gives none fails the lesson in a line, as one that gives no descriptors does.
//!
//! It does not know what the threads do.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that nobody has to wait for.
///
/// # Errors
/// EAGAIN: the user, or its cgroup, has as many as it may; ENOMEM. With what was wanted, and what to do.
pub(super) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().spawn(work).map_err(|error| {
        let why = format!("cannot start a thread: {error}; raise `ulimit -u`");
        io::Error::new(error.kind(), why)
    })
}
