//! A server in a process of its own, so that what `/proc` and `getrusage(2)` say of it is the server's alone.
//!
//! ```text
//!   lesson ── starts this program again: longshore lab-server --model epoll
//!      │ standard output: one line of JSON, the address
//!      ├─ an empty line ──▶   ◀── Figures, one line: switches, processor time, so far
//!      └─ the end of input ──▶  ◀── Totals, one line: its system calls, ring operations, requests
//! ```
//!
//! Three models answer the same request with the same few bytes: a blocking thread for each connection, written here, and
//! the crate's server on epoll and on io_uring, with one worker. It ends when its input does, so that nothing is left behind
//! if the lesson breaks off. It does not know what is asked of it, nor how often.

use std::io::{self, BufRead as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use longshore::sys::{
    self, Address, Count, Counts, Family, Kind, Mode, Probe, Silent, SocketOption,
};
use longshore::{Backend, Handler, Replied, Reply, Request, Server, Workers};

use super::any_handler::AnyHandler;
use super::threads;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// What every model says.
const BODY: &str = "Hello, World!";
/// The thread's reply; as long as the crate's, which has a Date.
const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: longshore-threads\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 13\r\nX-Model: a thread for each\r\n\r\nHello, World!";

const HEAD_BYTES_MAX: usize = 4096;
const BACKLOG: i32 = 4096;
/// How long threads are given to see that their clients have gone.
const END_WAIT: Duration = Duration::from_secs(10);

/// How connections are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    /// A blocking thread for each connection
    Threads,
    /// One thread, epoll
    Epoll,
    /// One thread, a ring
    IoUring,
}

impl Model {
    /// The value on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Model::Threads => "threads",
            Model::Epoll => "epoll",
            Model::IoUring => "io-uring",
        }
    }
}

/// Serve for a lesson in another process.
#[derive(Args, Debug)]
pub(crate) struct LabServer {
    /// How connections are served
    #[arg(long, value_enum)]
    model: Model,
}

/// Where it listens: the first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) address: SocketAddr,
}

/// What the process has used so far (`getrusage(2)`), ended threads included.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Times that a thread went to sleep of its own accord.
    pub(super) voluntary_switches: u64,
    pub(super) cpu_micros: u64,
}

/// What the server did in all: the last line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) calls: u64,
    /// Operations submitted to a ring, which are no calls.
    pub(super) operations: u64,
}

impl From<&Counts> for Totals {
    fn from(counts: &Counts) -> Self {
        Totals {
            calls: counts.calls_total(),
            operations: counts.submitted_total(),
        }
    }
}

impl LabServer {
    /// Serves until standard input ends.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let served = match self.model {
            Model::Threads => threads(),
            Model::Epoll => reactor(Backend::Epoll),
            Model::IoUring => reactor(Backend::IoUring),
        };
        served.map_err(|error| error.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Says where, answers what it has used until input ends, and says what it did.
fn converse(address: SocketAddr, end: impl FnOnce() -> io::Result<Totals>) -> io::Result<()> {
    say(&Hello { address })?;
    for line in io::stdin().lock().lines() {
        line?;
        say(&figures()?)?;
    }
    say(&end()?)
}

fn say(what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

fn figures() -> io::Result<Figures> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros =
        (user.tv_sec() + system.tv_sec()) * 1_000_000 + (user.tv_usec() + system.tv_usec());
    Ok(Figures {
        voluntary_switches: usage.voluntary_context_switches() as u64,
        cpu_micros: micros as u64,
    })
}

/// Answers every request.
struct Hi;

impl Handler for Hi {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text(BODY)
    }
}

fn reactor(backend: Backend) -> io::Result<()> {
    sys::raise_nofile(&mut Silent)?;
    let bound = Server::new()
        .listen(Address::Inet(SocketAddr::from(([127, 0, 0, 1], 0))))
        .backend(backend)
        .workers(Workers::Count(1))
        .count_calls(true)
        .bind()
        .map_err(io::Error::other)?;
    let address = bound.addresses().find_map(Address::inet);
    let address = address.ok_or_else(|| io::Error::other("no address"))?;
    let stopper = bound.stopper();
    let server = threads::start(move || bound.run(|_worker| AnyHandler::new(Hi)))?;
    converse(address, || {
        // The second time it does not wait for connections to finish.
        stopper.stop();
        stopper.stop();
        let ended = server.join().map_err(|_| io::Error::other("it panicked"))?;
        let report = ended.map_err(io::Error::other)?;
        Ok(report.counts.as_ref().map(Totals::from).unwrap_or_default())
    })
}

/// What the threads leave behind, and how many live.
#[derive(Default)]
struct Shared {
    state: Mutex<(Counts, usize)>,
    changed: Condvar,
}

impl Shared {
    fn enter(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
    }

    fn leave(&self, counts: &Counts) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.merge(counts);
        state.1 -= 1;
        self.changed.notify_all();
    }

    fn end(&self) -> Totals {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(state, END_WAIT, |state| state.1 > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Totals::from(&state.0)
    }
}

/// The classic model: accept, and a thread that blocks in recv.
fn threads() -> io::Result<()> {
    sys::raise_nofile(&mut Silent)?;
    let probe = &mut Silent;
    let listener = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let anywhere = Address::Inet(SocketAddr::from(([127, 0, 0, 1], 0)));
    // Accepted sockets inherit it, as with the crate's server.
    sys::setsockopt(probe, listener.as_fd(), &SocketOption::NoDelay(true))?;
    sys::bind(probe, listener.as_fd(), &anywhere)?;
    sys::listen(probe, listener.as_fd(), BACKLOG)?;
    let address = sys::getsockname(probe, listener.as_fd())?;
    let address = address
        .inet()
        .ok_or_else(|| io::Error::other("no address"))?;
    let shared = Arc::new(Shared::default());
    let accepting = Arc::clone(&shared);
    threads::start(move || accept(&listener, &accepting))?;
    converse(address, || Ok(shared.end()))
}

fn accept(listener: &OwnedFd, shared: &Arc<Shared>) {
    loop {
        let mut count = Count::new();
        let Ok(connection) = sys::accept4(&mut count, listener.as_fd(), Mode::Blocking) else {
            // No descriptors: those that end make room.
            thread::yield_now();
            continue;
        };
        shared.enter();
        let for_thread = Arc::clone(shared);
        let spawned = thread::Builder::new().spawn(move || {
            // A client that resets ends its connection, as one that closes.
            let _ = serve(&mut count, &connection);
            drop(connection);
            for_thread.leave(count.counts());
        });
        if spawned.is_err() {
            // No thread to be had: the connection is closed, which its client sees.
            shared.leave(&Counts::default());
        }
    }
}

/// Reads heads and answers each, until the client has finished.
pub(super) fn serve(probe: &mut impl Probe, connection: &OwnedFd) -> io::Result<()> {
    let (mut head, mut bytes) = (Vec::new(), [0; 1024]);
    loop {
        match sys::recv(probe, connection.as_fd(), &mut bytes)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&bytes[..read]),
        }
        while let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            head.drain(..end + 4);
            let mut rest = REPLY;
            while !rest.is_empty() {
                rest = &rest[sys::send(probe, connection.as_fd(), rest)?..];
            }
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}
