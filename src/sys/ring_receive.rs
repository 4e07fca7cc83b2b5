//! One receive on a ring of its own: what happens to an operation while its descriptor is closed, cancelled, shut down.
//!
//! ```text
//!   submit ──[sqe] recv──▶ the kernel holds the file and our buffer ──[cqe]──▶ wait
//!                             │ close(2) of the descriptor changes nothing
//!                             └ shutdown(2), cancel or the peer end it
//! ```
//!
//! For lessons and experiments; a server has one ring for everything, in the io_uring driver. It does not know sockets
//! beyond their descriptor, nor what to do when a receive has ended.
#![allow(unsafe_code, reason = "an operation that outlives its call")]

use super::flags::ENTER_EXT_ARG;
use super::hook::{ask, told};
use super::{Call, Probe, ToldRing};
use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// `IORING_ENTER_GETEVENTS`
const ENTER_GETEVENTS: u32 = 1;
const RECEIVE: u64 = 1;
const CANCEL: u64 = 2;

/// How long dropping waits for a receive that was cancelled. After it memory is leaked, which is safe.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// A receive that the kernel was asked for, and that may still be under way.
///
/// Dropping it cancels it. The descriptor may be closed in the meantime: the ring holds the file and not the number.
///
/// ```
/// use longshore::sys::{self, RingReceive, Silent};
/// use std::os::{fd::AsFd, unix::net::UnixStream};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = UnixStream::pair()?;
/// # if RingReceive::submit(&mut Silent, ours.as_fd(), 16).is_err() { return Ok(()) } // no io_uring here
/// let mut receive = RingReceive::submit(&mut Silent, ours.as_fd(), 16)?;
/// assert!(receive.wait(&mut Silent, Duration::ZERO)?.is_none(), "nothing has come");
/// sys::send(&mut Silent, theirs.as_fd(), b"ahoy")?;
/// let bytes = receive.wait(&mut Silent, Duration::from_secs(5))?.expect("it has ended")?;
/// assert_eq!(bytes, b"ahoy");
/// # Ok(())
/// # }
/// ```
pub struct RingReceive {
    // Neither is freed while the receive is in flight: see `drop`.
    ring: ManuallyDrop<ToldRing>,
    buffer: ManuallyDrop<Box<[u8]>>,
    result: Option<i32>,
    taken: bool,
}

impl fmt::Debug for RingReceive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingReceive")
            .field("bytes_max", &self.buffer.len())
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}

impl RingReceive {
    /// Sets up a ring and submits a receive of at most `bytes` bytes, at least 1 (`io_uring_setup(2)`,
    /// `io_uring_enter(2)`, 5.11+). Does not wait.
    ///
    /// # Errors
    /// ENOSYS, EPERM, EACCES: io_uring is refused here. ENOMEM: too little locked memory.
    pub fn submit(probe: &mut impl Probe, fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        let setup = Call::IoUringSetup {
            entries: 4,
            flags: 0,
        };
        ask(probe, &setup)?;
        let ring = IoUring::new(4);
        told(probe, &setup, as_count(&ring))?;
        let mut receive = Self {
            ring: ManuallyDrop::new(ring?.into()),
            buffer: ManuallyDrop::new(vec![0; bytes.max(1)].into_boxed_slice()),
            // Until something was submitted there is nothing to wait for.
            result: Some(-libc::ECANCELED),
            taken: false,
        };
        let (start, len) = (receive.buffer.as_mut_ptr(), receive.buffer.len());
        let entry = opcode::Recv::new(Fd(fd.as_raw_fd()), start, len as u32).build();
        // SAFETY: `buffer` is neither moved, read nor freed before the receive's completion, kept true by `wait`, which
        // reads it only then, and by `drop`, which waits for it or leaks.
        unsafe { receive.push(&entry.user_data(RECEIVE)) }?;
        receive.result = None;
        receive.enter(probe, 0, Duration::ZERO)?;
        Ok(receive)
    }

    /// Waits at most `patience` for the receive to end. `None`: it is still in flight. Otherwise what it brought; an empty
    /// vector is the peer's end, or a shutdown of ours. The second time it has brought nothing.
    ///
    /// # Errors
    /// Those of `io_uring_enter(2)`; the receive's own are inside.
    pub fn wait(
        &mut self,
        probe: &mut impl Probe,
        patience: Duration,
    ) -> io::Result<Option<io::Result<Vec<u8>>>> {
        self.collect();
        if self.result.is_none() {
            self.enter(probe, 1, patience)?;
            self.collect();
        }
        let Some(result) = self.result else {
            return Ok(None);
        };
        if std::mem::replace(&mut self.taken, true) {
            return Ok(Some(Ok(Vec::new())));
        }
        Ok(Some(match usize::try_from(result) {
            Ok(count) => Ok(self.buffer[..count].to_vec()),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        }))
    }

    /// Asks for the end of the receive, which [`wait`](Self::wait) then answers with ECANCELED, unless it ended just before.
    ///
    /// # Errors
    /// Those of `io_uring_enter(2)`.
    pub fn cancel(&mut self, probe: &mut impl Probe) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(RECEIVE).build();
        // SAFETY: a cancellation carries no pointer.
        unsafe { self.push(&entry.user_data(CANCEL)) }?;
        self.enter(probe, 0, Duration::ZERO)
    }

    /// # Safety
    /// What the entry points to lives until its completion.
    unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the caller keeps the entry's memory alive, as this function asks.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(|_| io::Error::other("the ring takes no more"))
    }

    /// io_uring_enter(2): submits, and waits for `want` completions at most `patience`.
    fn enter(&mut self, probe: &mut impl Probe, want: u32, patience: Duration) -> io::Result<()> {
        let call = Call::IoUringEnter {
            fd: self.ring.as_raw_fd(),
            to_submit: self.ring.submission().len() as u32,
            min_complete: want,
            flags: ENTER_EXT_ARG | if want > 0 { ENTER_GETEVENTS } else { 0 },
        };
        ask(probe, &call)?;
        let limit = Timespec::from(patience);
        let mut arguments = SubmitArgs::new();
        if want > 0 {
            arguments = arguments.timespec(&limit);
        }
        let submitter = self.ring.submitter();
        let submitted = submitter.submit_with_args(want as usize, &arguments);
        match told(probe, &call, submitted) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn collect(&mut self) {
        for entry in self.ring.completion() {
            if entry.user_data() == RECEIVE {
                self.result = Some(entry.result());
            }
        }
    }
}

fn as_count(ring: &io::Result<IoUring>) -> io::Result<usize> {
    match ring {
        Ok(ring) => Ok(ring.as_raw_fd() as usize),
        // An errno, so that it can be told twice.
        Err(error) => Err(io::Error::from_raw_os_error(
            error.raw_os_error().unwrap_or(libc::EIO),
        )),
    }
}

impl Drop for RingReceive {
    fn drop(&mut self) {
        let probe = &mut super::ThreadProbe;
        if self.result.is_none() {
            // If this fails, the check below sees the receive in flight and leaks.
            let _ = self.cancel(probe);
            let _ = self.wait(probe, CANCEL_WAIT);
        }
        if self.result.is_none() {
            return; // leaking is safe, freeing what the kernel may write to is not
        }
        // SAFETY: neither is used again, and the kernel has nothing in flight, as just checked.
        unsafe {
            ManuallyDrop::drop(&mut self.ring);
            ManuallyDrop::drop(&mut self.buffer);
        }
    }
}

#[cfg(test)]
mod tests;
