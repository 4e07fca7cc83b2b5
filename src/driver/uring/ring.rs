//! The ring itself: io_uring_setup(2), io_uring_enter(2), and the two queues between.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, Submitter, cqueue, squeue};

use super::{op, told};
use crate::sys::{Aside, Call, Probe, Registration, ToldRing};

/// How often one wait empties an overflown completion queue before the turn goes on with what it has.
const OVERFLOW_ROUNDS_MAX: usize = 4;

/// One completion, copied out of the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    pub(super) user_data: u64,
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl Completion {
    /// Whether the same request will complete again.
    pub(super) fn more(self) -> bool {
        cqueue::more(self.flags)
    }

    /// The provided buffer that the kernel chose.
    pub(super) fn buffer(self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }

    /// Whether the kernel keeps that buffer, because it is not full.
    pub(super) fn buffer_more(self) -> bool {
        cqueue::buffer_more(self.flags)
    }

    /// The result as the system call of the same name would have returned it.
    pub(super) fn outcome(self) -> io::Result<usize> {
        usize::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }
}

/// A ring, and the completions of the last wait.
pub(super) struct Ring {
    pub(super) io: ToldRing,
    completions: VecDeque<Completion>,
    /// How many of them belong to this turn. What a full submission queue brings in its middle waits for the next one:
    /// otherwise many sends to peers that read at once would answer each other, and the turn would not end.
    due: usize,
    /// How many quiet submissions were told of.
    quiet: u64,
}

impl Ring {
    /// io_uring_setup(2) with the flags that suit one thread which waits once per turn:
    ///
    /// - `DEFER_TASKRUN` (6.1+): completions are worked off inside our own enter, never in the middle of other code;
    /// - `SINGLE_ISSUER` (6.0+): one thread submits, so the kernel needs no lock;
    /// - `SUBMIT_ALL` (5.18+): a refused entry does not hold back those behind it;
    /// - `TASKRUN_FLAG` (5.19+): says when an enter that need not wait has completions to work off.
    pub(super) fn open<P: Probe>(
        probe: &mut P,
        entries: u32,
        completions: u32,
    ) -> io::Result<Self> {
        let call = Call::IoUringSetup {
            entries,
            flags: SETUP_FLAGS,
        };
        if P::ACTIVE {
            probe.before(&call);
        }
        let result = IoUring::builder()
            .setup_defer_taskrun()
            .setup_single_issuer()
            .setup_submit_all()
            .setup_taskrun_flag()
            .setup_cqsize(completions)
            .dontfork()
            .build(entries);
        probe.after(&call, result.as_ref().map(|io| io.as_raw_fd() as usize));
        Ok(Self {
            io: result?.into(),
            completions: VecDeque::with_capacity(completions as usize),
            due: 0,
            quiet: 0,
        })
    }

    /// io_uring_register(2): a table of direct descriptors, empty at first (5.19+).
    pub(super) fn register_table<P: Probe>(&self, probe: &mut P, places: u32) -> io::Result<()> {
        self.register(probe, Registration::Files { places }, |submitter| {
            submitter.register_files_sparse(places)
        })
    }

    /// Makes a call to io_uring_register(2) and tells of it.
    pub(super) fn register<P: Probe>(
        &self,
        probe: &mut P,
        what: Registration,
        register: impl FnOnce(&Submitter<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let call = Call::IoUringRegister {
            fd: self.io.as_raw_fd(),
            what,
        };
        if P::ACTIVE {
            probe.before(&call);
        }
        let result = register(&self.io.submitter());
        probe.after(&call, result.as_ref().map(|()| 0));
        result
    }

    /// Adds one submission. When the queue is full, what is in it is submitted first.
    ///
    /// # Safety
    /// Whatever memory `entry` points to must stay where it is, unshared, until its last completion was taken.
    pub(super) unsafe fn push<P: Probe>(&mut self, probe: &mut P, entry: &squeue::Entry) {
        if P::ACTIVE {
            // SAFETY: the caller keeps the memory alive, as this function asks.
            unsafe { told::submission(probe, entry) };
        }
        loop {
            // SAFETY: the caller keeps the memory alive, as this function asks.
            if unsafe { self.io.submission().push(entry) }.is_ok() {
                return;
            }
            // EBUSY: completions have overflown and must be taken first; EAGAIN: no memory just now. Taking completions
            // into our own queue helps with both.
            let _ = self.enter(probe, 0, Some(Duration::ZERO));
            self.collect();
        }
    }

    /// Adds one submission that answers only if it fails. Only a probe needs to know one from another, so that without one
    /// they are not counted.
    ///
    /// # Safety
    /// As [`push`](Self::push).
    pub(super) unsafe fn push_quietly<P: Probe>(&mut self, probe: &mut P, entry: squeue::Entry) {
        let number = if P::ACTIVE {
            self.quiet += 1;
            self.quiet
        } else {
            0
        };
        // SAFETY: the caller keeps the memory alive, as this function asks.
        unsafe { self.push(probe, &op::quiet(entry, number)) };
    }

    /// Submits everything, and neither waits nor lets the kernel work off what has happened meanwhile: only what the
    /// submissions answer at once completes. What is refused stays in the queue.
    pub(super) fn submit<P: Probe>(&mut self, probe: &mut P) {
        let to_submit = self.io.submission().len() as u32;
        let call = Call::IoUringEnter {
            fd: self.io.as_raw_fd(),
            to_submit,
            min_complete: 0,
            flags: 0,
        };
        if P::ACTIVE {
            probe.before(&call);
        }
        // The crate's own `submit` asks for events whenever some are there. They may be receives, and take every buffer.
        // SAFETY: without flags io_uring_enter(2) reads no argument, so there is none to keep alive.
        let result = unsafe {
            let submitter = self.io.submitter();
            submitter.enter::<libc::sigset_t>(to_submit, 0, 0, None)
        };
        probe.after(&call, result.as_ref().map(|submitted| *submitted));
        self.collect();
    }

    /// Submits what waits to be submitted, if anything does.
    pub(super) fn submit_what_waits<P: Probe>(&mut self, probe: &mut P) {
        if !self.io.submission().is_empty() {
            self.submit(probe);
        }
    }

    /// Whether a wait would return at once.
    pub(super) fn has_something(&mut self) -> bool {
        self.collect();
        !self.completions.is_empty() || !self.is_quiet()
    }

    /// Submits everything and waits for one completion, at most `timeout`. One system call, unless completions overflow.
    pub(super) fn submit_and_wait<P: Probe>(
        &mut self,
        probe: &mut P,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.collect();
        let want = usize::from(self.completions.is_empty() && timeout != Some(Duration::ZERO));
        if want == 0 && self.is_quiet() {
            self.due = self.completions.len();
            if self.due > 0 {
                self.tell_turn(probe);
            }
            return Ok(());
        }
        match self.enter(probe, want, timeout) {
            // EBUSY says that completions wait in the kernel because our queue was full: what we take now makes room.
            Err(error) if error.raw_os_error() != Some(libc::EBUSY) => return Err(error),
            _ => {}
        }
        self.collect();
        for _ in 0..OVERFLOW_ROUNDS_MAX {
            if !self.io.submission().cq_overflow() {
                break;
            }
            self.enter(probe, 0, Some(Duration::ZERO))?;
            self.collect();
        }
        self.due = self.completions.len();
        self.tell_turn(probe);
        Ok(())
    }

    /// Whether an enter that does not wait would change nothing: nothing is to be submitted, and the kernel has neither
    /// completions to work off nor to hand over. With busy polling a look at the queues is then all that a turn costs.
    fn is_quiet(&mut self) -> bool {
        let submissions = self.io.submission();
        submissions.is_empty() && !submissions.taskrun() && !submissions.cq_overflow()
    }

    /// io_uring_enter(2). With DEFER_TASKRUN completions appear only inside this call. Ends early, without an error, at
    /// the timeout and at a signal.
    fn enter<P: Probe>(
        &mut self,
        probe: &mut P,
        want: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let fd = self.io.as_raw_fd();
        let to_submit = self.io.submission().len() as u32;
        let limit = Timespec::from(timeout.unwrap_or(Duration::ZERO));
        let mut arguments = SubmitArgs::new();
        if want > 0 && timeout.is_some() {
            arguments = arguments.timespec(&limit);
        }
        let call = Call::IoUringEnter {
            fd,
            to_submit,
            min_complete: want as u32,
            flags: if P::ACTIVE { self.enter_flags(want) } else { 0 },
        };
        if P::ACTIVE {
            probe.before(&call);
        }
        let result = self.io.submitter().submit_with_args(want, &arguments);
        probe.after(&call, result.as_ref().map(|submitted| *submitted));
        match result {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The flags that the crate chooses for an enter with arguments.
    fn enter_flags(&mut self, want: usize) -> u32 {
        let submissions = self.io.submission();
        let events = want > 0 || submissions.taskrun() || submissions.cq_overflow();
        ENTER_EXT_ARG | if events { ENTER_GETEVENTS } else { 0 }
    }

    /// Tells the probe that a turn begins.
    fn tell_turn<P: Probe>(&self, probe: &mut P) {
        if P::ACTIVE {
            probe.aside(&Aside::Turn {
                source: "io_uring_enter",
                events: self.due,
            });
        }
    }

    /// Copies the completions out, so that the kernel has the whole queue again while they are worked off.
    fn collect(&mut self) {
        for entry in self.io.completion() {
            self.completions.push_back(Completion {
                user_data: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            });
        }
    }

    /// The oldest completion of this turn that was not taken.
    pub(super) fn next<P: Probe>(&mut self, probe: &mut P) -> Option<Completion> {
        self.due = self.due.checked_sub(1)?;
        let completion = self.completions.pop_front()?;
        if P::ACTIVE {
            told::completion(probe, completion);
        }
        Some(completion)
    }

    /// The next completion of this turn, if it is wanted.
    pub(super) fn next_if<P: Probe>(
        &mut self,
        probe: &mut P,
        wanted: impl FnOnce(&Completion) -> bool,
    ) -> Option<Completion> {
        if self.due == 0 || !self.completions.front().is_some_and(wanted) {
            return None;
        }
        self.next(probe)
    }

    /// The newest completion, if it is wanted and belongs to no turn yet.
    pub(super) fn take_last<P: Probe>(
        &mut self,
        probe: &mut P,
        wanted: impl FnOnce(&Completion) -> bool,
    ) -> Option<Completion> {
        if self.completions.len() == self.due || !self.completions.back().is_some_and(wanted) {
            return None;
        }
        let completion = self.completions.pop_back()?;
        if P::ACTIVE {
            told::completion(probe, completion);
        }
        Some(completion)
    }
}

/// What is set up, as io_uring_setup(2) sees it: `CQSIZE`, `SUBMIT_ALL`, `TASKRUN_FLAG`, `SINGLE_ISSUER`, `DEFER_TASKRUN`.
const SETUP_FLAGS: u32 = 1 << 3 | 1 << 7 | 1 << 9 | 1 << 12 | 1 << 13;
/// `IORING_ENTER_GETEVENTS`: completions are worked off.
const ENTER_GETEVENTS: u32 = 1;
/// `IORING_ENTER_EXT_ARG`: the argument holds a timeout.
const ENTER_EXT_ARG: u32 = 1 << 3;

#[cfg(test)]
mod tests;
