//! The log as the embedder holds it: opened, opened anew, closed.
//!
//! It knows the target and the thread; lines are the business of [`lines`](super::lines).

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::queue::Queue;
use super::target::LogFile;
use super::watch::Watch;
use super::{AccessFormat, AccessLines, AccessTarget, writer};
#[cfg(feature = "trace")]
use crate::trace::Trace;

/// How many bytes of lines may wait for the writer by default: 4 MiB, some 40,000 lines. Above it lines are dropped.
pub const ACCESS_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// The smallest queue. A batch is 64 KiB and at most one line more, and a line of five fields that are cut and escaped
/// is 61 KiB: any batch has to fit.
const QUEUE_BYTES_MIN: usize = 128 * 1024;

/// How long closing waits for what is queued.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// An access log: one line for each request, written by a thread of its own. Clones write to the same log.
///
/// [`open`](Self::open) starts that one thread; the library starts none unasked. Workers never wait for it: if the
/// target is slower than the requests, or full, or its reader has gone, lines are dropped and [counted](Self::dropped).
///
/// When the last clone is dropped, what is queued is written, for at most 5 seconds.
///
/// A server that is traced ([`Server::trace`](crate::Server::trace)) shows the writer's calls too. The writer keeps that
/// trace until the log is closed, or another traced server has the log.
///
/// A process that lets SIGPIPE end it ([`restore_sigpipe`](crate::sys::restore_sigpipe)) is ended by a pipe without a
/// reader; Rust programs ignore the signal unless told otherwise. SIGXFSZ they do not ignore: where file sizes are limited
/// (`ulimit -f`, `LimitFSIZE` of systemd), a line too many ends the process, unless it calls
/// [`ignore_sigxfsz`](crate::sys::ignore_sigxfsz) at its start. Then it costs the line, as a full disk does.
///
/// ```
/// use longshore::{AccessFormat, AccessLog};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("longshore-{}.log", std::process::id()));
/// let log = AccessLog::open(path.as_path(), AccessFormat::Combined)?;
/// // … a server writes to clones of it; another program renames the file …
/// std::fs::rename(&path, path.with_extension("1"))?;
/// log.reopen()?;
/// assert_eq!(log.close(), 0, "no line was dropped");
/// # std::fs::remove_file(path.with_extension("1"))?;
/// # std::fs::remove_file(&path)
/// # }
/// ```
#[derive(Clone)]
pub struct AccessLog {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Arc<Queue<LogFile>>,
    target: AccessTarget,
    format: AccessFormat,
    thread: Mutex<Option<JoinHandle<()>>>,
    #[cfg(feature = "trace")]
    watch: Arc<Watch>,
}

impl AccessLog {
    /// Opens `target` and starts the thread that writes to it, with a queue of [`ACCESS_QUEUE_BYTES`].
    ///
    /// A file is appended to, and created with mode 0640 if there is none.
    ///
    /// # Errors
    /// What open(2) says; ENXIO for a FIFO that nobody reads. No thread could be started.
    pub fn open(target: impl Into<AccessTarget>, format: AccessFormat) -> io::Result<Self> {
        Self::open_with_queue(target, format, ACCESS_QUEUE_BYTES)
    }

    /// As [`open`](Self::open), with room for `queue_bytes` of lines. At least 128 KiB.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_queue(
        target: impl Into<AccessTarget>,
        format: AccessFormat,
        queue_bytes: usize,
    ) -> io::Result<Self> {
        let target = target.into();
        let file = target.open()?;
        let queue = Arc::new(Queue::new(queue_bytes.max(QUEUE_BYTES_MIN)));
        let source = queue.clone();
        let watch = Arc::new(Watch::default());
        let watcher = watch.clone();
        let thread = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer::run(&source, file, &watcher))?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue,
                target,
                format,
                thread: Mutex::new(Some(thread)),
                #[cfg(feature = "trace")]
                watch,
            }),
        })
    }

    /// Where it goes.
    pub fn target(&self) -> &AccessTarget {
        &self.shared.target
    }

    /// How its lines look.
    pub fn format(&self) -> AccessFormat {
        self.shared.format
    }

    /// Opens the path anew, for after a rotation has renamed the file: lines that were handed over before go to the old
    /// file, later ones to the new one, and none is lost. With standard output there is nothing to do.
    ///
    /// Returns when the new file is open; the old one is closed when its last lines are written.
    ///
    /// # Errors
    /// As [`open`](Self::open). The old file stays in use then.
    pub fn reopen(&self) -> io::Result<()> {
        if let AccessTarget::Path(_) = self.shared.target {
            self.shared.queue.switch(self.shared.target.open()?);
        }
        Ok(())
    }

    /// Shows the writer's calls in `trace`, from the next line on, until the log is closed or another trace is given.
    #[cfg(feature = "trace")]
    pub(crate) fn watch(&self, trace: &Trace) {
        self.shared.watch.give(trace);
    }

    /// How many lines were not written: because the queue was full, a write failed, or the log was closed.
    pub fn dropped(&self) -> u64 {
        self.shared.queue.dropped()
    }

    /// The error of the last write that failed. Older ones are forgotten; success does not clear it.
    pub fn last_error(&self) -> Option<io::Error> {
        self.shared.queue.last_error()
    }

    /// Writes what is queued, ends the thread, and answers how many lines were dropped in all.
    ///
    /// Waits at most 5 seconds. What is not known to be written by then counts as dropped, and the thread ends by
    /// itself when the kernel lets it. Lines that other clones hand over later are dropped.
    pub fn close(self) -> u64 {
        self.shared.close();
        self.dropped()
    }

    /// The lines of one worker.
    pub(crate) fn lines(&self) -> AccessLines {
        AccessLines::new(self.clone())
    }

    /// Adds a batch of whole lines to the queue.
    pub(super) fn put(&self, batch: &[u8], lines: u64) {
        self.shared.queue.put(batch, lines);
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("target", self.target())
            .field("format", &self.format())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn close(&self) {
        let ended = self.queue.close(CLOSE_TIMEOUT);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A thread that hangs in the kernel cannot be joined.
        if let Some(thread) = thread.filter(|_| ended) {
            // It has written its last line; a panic behind that has nothing to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}
