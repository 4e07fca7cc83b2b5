//! Every system call as it happens, with what it means: strace's truth for epoll, io_uring and mio, without a second
//! process.
//!
//! ```text
//!   thread ── Recorder, a Probe ──┐   events, in order
//!   thread ── Recorder ───────────┼──▶ Queue ──▶ one collector ── Filter ──┬─▶ Text       a line for each
//!   Beside: packets, notes ───────┘  (bounded)                             ├─▶ JsonLines  for programs
//!                                                                          ├─▶ Perfetto   for ui.perfetto.dev
//!                                                                          └─▶ Summary    as strace -c
//! ```
//!
//! A [`Recorder`] stands where any other [`Probe`](crate::sys::Probe) does, so a program that is not traced has none of
//! this. What happened ([`Event`]) is kept apart from how it is shown ([`Sink`]). Nothing is lost: when the queue is full,
//! the traced thread waits for the collector. Calls that other libraries or the standard library make are not seen; strace
//! sees them.
//!
//! A server is traced with `Server::trace`, `longshore serve --trace`, or `longshore trace serve`. In any other program:
//!
//! ```
//! use longshore::sys;
//! use longshore::trace::{Options, Text, Trace};
//! use std::os::fd::AsFd;
//! use std::os::unix::net::UnixStream;
//!
//! # fn main() -> std::io::Result<()> {
//! let trace = Trace::start(vec![Box::new(Text::new(std::io::stderr()))], Options::default())?;
//! let mut probe = trace.recorder();
//! let (ours, theirs) = UnixStream::pair()?;
//! sys::send(&mut probe, ours.as_fd(), b"ahoy")?;
//! sys::recv(&mut probe, theirs.as_fd(), &mut [0; 16])?;
//! drop(probe);
//! trace.finish()?;
//! # Ok(())
//! # }
//! ```
//!
//! It does not know drivers, servers or handlers; it reads protocols from the bytes alone.
#![forbid(unsafe_code)]

mod clock;
mod collector;
mod dissect;
mod environment;
mod event;
mod filter;
mod joins;
mod json;
pub mod packets;
mod perfetto;
mod protocol;
mod queue;
mod recorder;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod watermark;

use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

pub use environment::EnvironmentError;
pub use event::{
    Call, Completed, Connection, Ends, Event, Failure, Kind, Submitted, TcpEnd, Thread, Transport,
};
pub use filter::Filter;
pub use json::JsonLines;
pub use perfetto::Perfetto;
pub use protocol::{BodyLength, Direction, Protocol, What};
pub use recorder::Recorder;
pub use summary::{Figures, Summary};
pub use text::Text;

use self::packets::{Beside, CaptureError};
use self::queue::Queue;
use self::table::Table;
use self::watermark::Watermarks;
use crate::sys::{self, Address};

/// Where events go.
///
/// The collector's thread calls it; an error ends this sink, and neither the others nor the program.
pub trait Sink: Send {
    /// Takes an event. They come in the order of their times.
    ///
    /// # Errors
    /// Whatever is written to has failed: the sink is asked nothing more.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Writes out what was held back: the collector has nothing more to show at the moment.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The trace has ended.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// What a trace keeps and shows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which events are shown. Default all.
    pub filter: Filter,
    /// How many bytes of each buffer are shown. Default 32, as strace.
    pub text_bytes: usize,
    /// How many events may wait for the collector before the traced threads do. Default 8,192, some MiB.
    pub queue_events: usize,
    /// For how long the collector holds events back, so that those which are told late still come in their order: packets,
    /// and what [`Trace::tell`] is given. Default 20 ms. Calls need none of it, they are in order with zero too. What is
    /// held when the process ends without [`Trace::finish`] is lost.
    pub hold: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            text_bytes: 32,
            queue_events: 8192,
            hold: Duration::from_millis(20),
        }
    }
}

/// The number of a connection that is known by its addresses alone, until the collector has looked it up.
const UNJOINED: u64 = 0;

/// A running trace. Clones are the same trace; it ends with [`finish`](Self::finish), or with the last clone and recorder.
#[derive(Clone)]
pub struct Trace(Arc<Handle>);

/// What recorders share.
#[derive(Debug)]
struct Shared {
    queue: Queue,
    watermarks: Watermarks,
    connections: Mutex<Table>,
    /// Counts submissions.
    operations: AtomicU64,
    began: Instant,
    began_wall: SystemTime,
    text_bytes: usize,
    /// The first error of a sink, when the trace has ended.
    failure: Mutex<Option<io::Error>>,
}

struct Handle {
    shared: Arc<Shared>,
    /// Captures of packets; they end before the collector.
    beside: Mutex<Vec<Beside>>,
    collector: Mutex<Option<JoinHandle<()>>>,
}

impl Trace {
    /// Starts a trace, with one thread that writes to `sinks`.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(sinks: Vec<Box<dyn Sink>>, options: Options) -> io::Result<Self> {
        let (began, began_wall) = clock::now();
        let shared = Arc::new(Shared {
            queue: Queue::new(options.queue_events),
            watermarks: Watermarks::default(),
            connections: Mutex::default(),
            operations: AtomicU64::new(0),
            began,
            began_wall,
            text_bytes: options.text_bytes,
            failure: Mutex::default(),
        });
        let collector = collector::start(shared.clone(), sinks, options)?;
        Ok(Self(Arc::new(Handle {
            shared,
            beside: Mutex::default(),
            collector: Mutex::new(Some(collector)),
        })))
    }

    fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// A probe for one thread.
    pub fn recorder(&self) -> Recorder {
        Recorder::new(self.clone())
    }

    /// Watches the calling thread's calls that are made where no probe reaches, as long as the answer lives; see
    /// [`ThreadProbe`](crate::sys::ThreadProbe).
    pub fn watch_thread(&self) -> WatchedThread {
        WatchedThread {
            before: sys::watch_thread(Some(Box::new(self.recorder()))),
        }
    }

    /// Tells of something that happened at `at`, between two addresses if it concerns a connection: a packet, a note.
    ///
    /// It finds its place in the order if it is told within [`Options::hold`], and its connection by the addresses if a call
    /// tells them within that time.
    pub fn tell(&self, at: SystemTime, between: Option<(&Address, &Address)>, kind: Kind) {
        // A note that finds no room is one of many.
        let shared = self.shared();
        let _ = shared.tell(shared.since_began(at), between, kind);
    }

    /// Captures packets beside the calls until the trace is finished; see [`Beside`]. Whatever comes to
    /// the plan's ports when this has returned is seen.
    ///
    /// ```no_run
    /// use longshore::trace::packets::{Beside, Plan};
    /// use longshore::trace::{Options, Text, Trace};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let options = Options { hold: Beside::HOLD, ..Options::default() };
    /// let trace = Trace::start(vec![Box::new(Text::new(std::io::stderr()))], options)?;
    /// trace.capture(Beside::new(Plan::new([8080])))?;
    /// // … listen on port 8080, with `trace.recorder()` as the probe …
    /// trace.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`CaptureError`]: mostly that `CAP_NET_RAW` is missing. The trace goes on without.
    pub fn capture(&self, mut beside: Beside) -> Result<(), CaptureError> {
        beside.start(&self.0.shared)?;
        let captures = &self.0.beside;
        let mut captures = captures.lock().unwrap_or_else(PoisonError::into_inner);
        captures.push(beside);
        Ok(())
    }

    /// Ends the trace: what was told is written, sinks are finished. What is told later is lost. Called by several threads,
    /// it answers each when the work is done.
    ///
    /// # Errors
    /// The first error of a sink or of a file of packets, told once: what it should have written is cut. The others are
    /// whole.
    pub fn finish(&self) -> io::Result<()> {
        self.0.finish();
        let failure = &self.shared().failure;
        let failure = failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        failure.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Shared {
    /// False if there is no room for it. `at` is the time since the trace began.
    fn tell(&self, at: Duration, between: Option<(&Address, &Address)>, kind: Kind) -> bool {
        self.queue.insert(Event {
            at,
            wall: self.began_wall + at,
            took: None,
            thread: Thread {
                id: 0,
                name: Arc::default(),
            },
            turn: 0,
            connection: between.map(|(one, other)| Connection {
                number: UNJOINED,
                ends: Arc::new(Ends {
                    transport: None,
                    local: Some(one.clone()),
                    peer: Some(other.clone()),
                }),
            }),
            kind,
        })
    }

    fn since_began(&self, at: SystemTime) -> Duration {
        clock::since(self.began, at)
    }

    fn fail(&self, error: io::Error) {
        let failure = self.failure.lock();
        let mut failure = failure.unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
    }

    fn note(&self, text: String) {
        // One that finds no room is one of many.
        let _ = self.tell(self.began.elapsed(), None, Kind::Note(text));
    }
}

impl Handle {
    /// Both locks are held until the work is done: whoever comes second waits for the first.
    fn finish(&self) {
        let beside = self.beside.lock();
        let mut beside = beside.unwrap_or_else(PoisonError::into_inner);
        for capture in beside.drain(..) {
            capture.finish(&self.shared);
        }
        self.shared.queue.close();
        let collector = self.collector.lock();
        let mut collector = collector.unwrap_or_else(PoisonError::into_inner);
        if let Some(collector) = collector.take() {
            // A sink that panicked has said so; the program goes on.
            let _ = collector.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A thread is watched as long as this lives; made with [`Trace::watch_thread`]. Dropped on the same thread, in the reverse
/// order.
pub struct WatchedThread {
    before: Option<Box<dyn sys::Watch>>,
}

impl fmt::Debug for WatchedThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedThread")
    }
}

impl Drop for WatchedThread {
    fn drop(&mut self) {
        let ours = sys::watch_thread(self.before.take());
        drop(ours);
    }
}
