//! What is open, so that another thread can end it.
//!
//! ```text
//!   enter ──▶ { 0: listener, 1: connection, 2: connection … } ──▶ leave
//!                             ▲
//!   a signal ── stop ─────────┘  listener: shutdown(SHUT_RDWR)     accept4 answers EINVAL
//!                                connection: shutdown(SHUT_RD)     recv answers what has come, then 0
//!                                … 2 s later: SHUT_RDWR            a send that waits for its peer answers EPIPE
//! ```
//!
//! A thread that waits in a system call hears of no flag. `shutdown(2)` wakes it, and unlike `close(2)` it leaves the
//! number to its owner, so that nobody can meet another file under it. It does not know what is done with the sockets.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore::sys::{self, AcceptError, How, Probe, accept_error};

/// How long a connection may go on echoing what it has when the program stops.
const STOP_MAX: Duration = Duration::from_secs(2);
/// How long to wait when there is nothing left for one more connection.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Live {
    stopping: AtomicBool,
    open: Mutex<Open>,
    /// Something has left, or stopping has begun.
    changed: Condvar,
}

#[derive(Default)]
struct Open {
    next: u64,
    seats: BTreeMap<u64, (Arc<OwnedFd>, How)>,
}

/// A socket among those that a signal ends.
pub(super) struct Seat {
    pub(super) number: u64,
    fd: Arc<OwnedFd>,
}

impl Seat {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Live {
    /// Takes a socket in; `how` it is shut when the program stops.
    pub(super) fn enter(&self, fd: OwnedFd, how: How) -> Seat {
        let fd = Arc::new(fd);
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        open.seats.insert(number, (Arc::clone(&fd), how));
        Seat { number, fd }
    }

    /// Closes the socket.
    pub(super) fn leave(&self, seat: Seat, probe: &mut impl Probe) {
        let mut open = self.lock();
        open.seats.remove(&seat.number);
        drop(open);
        self.changed.notify_all();
        // `stop` borrows descriptors only while it holds the lock, so this is the last owner. What close answers is
        // about files.
        if let Some(fd) = Arc::into_inner(seat.fd) {
            let _ = sys::close(probe, fd);
        }
    }

    /// Whether to begin nothing new. Looked at by whoever has entered, so that nobody misses it: `stop` first says it, and
    /// then shuts what has entered.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits until fewer than `most` are in, or stopping has begun.
    pub(super) fn await_room(&self, most: usize) {
        let full = |open: &mut Open| open.seats.len() >= most && !self.is_stopping();
        drop(self.changed.wait_while(self.lock(), full));
    }

    /// What accept4(2) refused: worth another try, or the reason to end.
    pub(super) fn not_accepted(&self, error: &io::Error) -> Result<(), String> {
        match accept_error(error) {
            // The signal has shut the listener.
            _ if self.is_stopping() => {}
            AcceptError::NotReady | AcceptError::ThisConnection => {}
            // The connection still waits: without a pause this would spin.
            AcceptError::Exhausted => self.pause(),
            AcceptError::Listener => return Err(format!("cannot accept: {error}")),
        }
        Ok(())
    }

    /// Waits a moment for descriptors, threads or memory to become free, or until stopping has begun.
    pub(super) fn pause(&self) {
        let going = |_: &mut Open| !self.is_stopping();
        drop(self.changed.wait_timeout_while(self.lock(), RETRY, going));
    }

    /// Ends everything in order, and what does not end then without it.
    pub(super) fn stop(&self, probe: &mut impl Probe) {
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_all();
        let open = self.lock();
        for (fd, how) in open.seats.values() {
            // ENOTCONN: the peer was faster, or it is a socket of datagrams, which wakes nevertheless.
            let _ = sys::shutdown(probe, fd.as_fd(), *how);
        }
        let waited = self
            .changed
            .wait_timeout_while(open, STOP_MAX, |open| !open.seats.is_empty());
        let (open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for (fd, _) in open.seats.values() {
            let _ = sys::shutdown(probe, fd.as_fd(), How::Both);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // A panic elsewhere leaves the table whole: every change is one call.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
