//! What waits to be written: lines of all workers in one buffer, bounded in bytes.
//!
//! ```text
//!   put ──copy──▶ waiting ──swap──▶ in the writer's hands ──▶ write(2)
//!                    ▲
//!                 switch: from this byte on, another file
//! ```
//!
//! Why a mutex: it is held for a copy of one batch, which is 128 KiB at most and in most turns a few hundred bytes, or for
//! a swap of pointers; never while anything is written. Copying into one buffer, instead of queueing the batches, makes
//! the bound exact (many small batches would each hold a large buffer) and gives one large write for all of them. Two
//! buffers change places, so that a steady load allocates nothing.
//!
//! It does not know what a line says, and opens and writes no file.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem};

/// How much has to have gathered for the writer to be woken at once.
const FLUSH_BYTES: usize = 64 * 1024;

/// How long less than that may gather. So a busy server makes large writes instead of one for each turn, and a line is
/// in the file within this time.
const GATHER: Duration = Duration::from_millis(20);

/// A buffer that a burst has made larger than this is given back to the allocator.
const KEPT_BYTES: usize = 512 * 1024;

/// Lines on their way to a writer, and what became of those that were not written. `S` is what is written to.
#[derive(Debug)]
pub(super) struct Queue<S> {
    state: Mutex<State<S>>,
    /// The writer waits here for lines.
    work: Condvar,
    /// Whoever closes waits here for the writer to end.
    end: Condvar,
    bytes_max: usize,
    abandoned: AtomicBool,
    dropped: AtomicU64,
    last_errno: AtomicI32,
}

#[derive(Debug)]
struct State<S> {
    waiting: Vec<u8>,
    waiting_lines: u64,
    /// What the writer has taken and not come back from.
    in_hand_bytes: usize,
    in_hand_lines: u64,
    switch: Option<Switch<S>>,
    sleeper: Sleeper,
    closing: bool,
    ended: bool,
}

/// From the byte `at` on, lines go to `sink`.
#[derive(Debug)]
pub(super) struct Switch<S> {
    pub(super) at: usize,
    pub(super) sink: S,
}

/// What the writer wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleeper {
    /// It is writing and will look for itself.
    Awake,
    /// For the first line.
    ForAny,
    /// For [`FLUSH_BYTES`]; else it wakes by itself.
    ForMany,
}

impl<S> Queue<S> {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                waiting_lines: 0,
                in_hand_bytes: 0,
                in_hand_lines: 0,
                switch: None,
                sleeper: Sleeper::Awake,
                closing: false,
                ended: false,
            }),
            work: Condvar::new(),
            end: Condvar::new(),
            bytes_max,
            abandoned: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            last_errno: AtomicI32::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch of whole lines, or drops all of it if there is no room or the log is closed.
    pub(super) fn put(&self, batch: &[u8], lines: u64) {
        debug_assert!(batch.ends_with(b"\n"), "a batch is whole lines");
        let mut state = self.state();
        let taken = state.waiting.len() + state.in_hand_bytes;
        if state.closing || batch.len() > self.bytes_max.saturating_sub(taken) {
            drop(state);
            self.dropped.fetch_add(lines, Ordering::Relaxed);
            return;
        }
        state.grow(batch.len(), self.bytes_max);
        state.waiting.extend_from_slice(batch);
        state.waiting_lines += lines;
        let wake = match state.sleeper {
            Sleeper::Awake => false,
            Sleeper::ForAny => true,
            Sleeper::ForMany => state.waiting.len() >= FLUSH_BYTES,
        };
        if wake {
            state.sleeper = Sleeper::Awake;
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// From here on, lines go to `sink`. Those that were put before still go to the old one.
    ///
    /// If an earlier switch still waits, `sink` takes its place: a writer that hangs must not collect open files.
    pub(super) fn switch(&self, sink: S) {
        let mut state = self.state();
        let at = match &state.switch {
            Some(earlier) => earlier.at,
            None => state.waiting.len(),
        };
        let replaced = state.switch.replace(Switch { at, sink });
        state.sleeper = Sleeper::Awake;
        drop(state);
        self.work.notify_one();
        // Closing a file may take time, so not under the lock.
        drop(replaced);
    }

    /// Moves everything that waits into `taken`, whose former content counts as done. Waits until there is something, and
    /// then for [`GATHER`] at most, for more; `None` when the log is closed and empty.
    pub(super) fn take(&self, taken: &mut Vec<u8>) -> Option<Taken<S>> {
        taken.clear();
        if taken.capacity() > KEPT_BYTES {
            *taken = Vec::new();
        }
        let mut state = self.state();
        state.in_hand_bytes = 0;
        state.in_hand_lines = 0;
        while state.is_idle() {
            state.sleeper = Sleeper::ForAny;
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + GATHER;
        while !state.is_urgent() {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                break;
            };
            state.sleeper = Sleeper::ForMany;
            let waited = self.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.sleeper = Sleeper::Awake;
        if self.is_abandoned() || (state.waiting.is_empty() && state.switch.is_none()) {
            return None;
        }
        mem::swap(&mut state.waiting, taken);
        state.in_hand_bytes = taken.len();
        state.in_hand_lines = mem::take(&mut state.waiting_lines);
        Some(Taken {
            switch: state.switch.take(),
        })
    }

    /// The writer could not write so many of the lines that it took.
    pub(super) fn lost(&self, lines: u64, error: &io::Error) {
        let state = self.state();
        // Whoever abandoned the writer has counted them.
        if !self.is_abandoned() {
            self.dropped.fetch_add(lines, Ordering::Relaxed);
        }
        drop(state);
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        self.last_errno.store(errno, Ordering::Relaxed);
    }

    /// The writer has ended: nothing more will be written.
    pub(super) fn ended(&self) {
        self.state().ended = true;
        self.end.notify_all();
    }

    /// Takes no more lines, and waits until those that were put are written. After `at_most` the rest counts as
    /// dropped, and the writer is left to itself. True if it has ended.
    pub(super) fn close(&self, at_most: Duration) -> bool {
        // Whoever was not worth waiting for once is not waited for again.
        let at_most = if self.is_abandoned() {
            Duration::ZERO
        } else {
            at_most
        };
        let mut state = self.state();
        state.closing = true;
        self.work.notify_one();
        let waited = self
            .end
            .wait_timeout_while(state, at_most, |state| !state.ended);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if !state.ended && !self.abandoned.swap(true, Ordering::Relaxed) {
            let lost = mem::take(&mut state.waiting_lines) + mem::take(&mut state.in_hand_lines);
            state.waiting = Vec::new();
            self.dropped.fetch_add(lost, Ordering::Relaxed);
        }
        state.ended
    }

    /// Whether nobody waits for the writer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// How many lines were not written.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Why lines could not be written, last.
    pub(super) fn last_error(&self) -> Option<io::Error> {
        match self.last_errno.load(Ordering::Relaxed) {
            0 => None,
            errno => Some(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// What [`Queue::take`] found beside the lines.
#[derive(Debug)]
pub(super) struct Taken<S> {
    /// Where among the lines another file begins, if one does.
    pub(super) switch: Option<Switch<S>>,
}

impl<S> State<S> {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.switch.is_none() && !self.closing
    }

    fn is_urgent(&self) -> bool {
        self.waiting.len() >= FLUSH_BYTES || self.switch.is_some() || self.closing
    }

    /// Makes room for `more` bytes: twice as much as there was, but never more than the bound.
    fn grow(&mut self, more: usize, bytes_max: usize) {
        let needed = self.waiting.len() + more;
        if needed > self.waiting.capacity() {
            let wanted = (self.waiting.capacity() * 2).clamp(needed, bytes_max.max(needed));
            self.waiting.reserve_exact(wanted - self.waiting.len());
        }
    }
}
