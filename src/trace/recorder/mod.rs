//! A probe that turns what one thread does into events.
//!
//! ```text
//!   before(call) ── the time ──▶ after(call, answer) ──▶ Call ─▶ Opened, Closed ─▶ Protocol ──▶ the queue
//!   submitted ──▶ Submitted ── kept under its name ──▶ completed ──▶ Completed ─▶ Lent ─▶ Protocol ──▶ the queue
//! ```
//!
//! Everything that is borrowed becomes text at once. Which connection a call concerns is looked up in the table that all
//! recorders of a trace share ([`table`](super::table)); what the bytes mean is read there too.
//!
//! It does not know sinks, nor who makes the calls.

mod calls;
mod pending;
mod ring;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::pending::Submissions;
use self::ring::Answered;
use super::event::{Connection, Event, Failure, Kind, Thread};
use super::protocol::Protocol;
use super::table::{Place, Table};
use super::watermark::Speaker;
use super::{Trace, event};
use crate::sys::{Aside, Call, Probe, Verdict, errno_name};

/// Watches the calls of one thread; made with [`Trace::recorder`].
///
/// It belongs to the thread that uses it first. The trace ends when its last recorder and its last handle are gone.
///
/// ```
/// use longshore::sys;
/// use longshore::trace::{Options, Text, Trace};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let trace = Trace::start(vec![Box::new(Text::new(Vec::new()))], Options::default())?;
/// let mut probe = trace.recorder();
/// let (ours, _theirs) = UnixStream::pair()?;
/// sys::send(&mut probe, ours.as_fd(), b"ahoy")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Recorder {
    trace: Trace,
    thread: Option<Thread>,
    /// The thread's descriptor table: 0 for the one that most share.
    table: i32,
    turn: u64,
    /// The thread's ring: its turns end with it.
    ring: Option<i32>,
    began: Option<Instant>,
    /// Whom the close that is being made ends.
    closing: Option<Connection>,
    /// An enter that may turn out to begin a turn.
    entered: Option<Event>,
    /// Submissions that may still complete.
    pending: Submissions,
    /// The last completion, to which asides belong.
    answered: Option<Answered>,
    /// What is to be told of this moment.
    batch: Vec<Event>,
    protocols: Vec<Protocol>,
    speaker: Speaker,
    /// The time of the last event: none that follows is before it.
    told_upto: Duration,
}

impl Recorder {
    pub(super) fn new(trace: Trace) -> Self {
        let speaker = trace.shared().watermarks.speaker();
        Self {
            speaker,
            told_upto: trace.shared().began.elapsed(),
            trace,
            thread: None,
            table: 0,
            turn: 0,
            ring: None,
            began: None,
            closing: None,
            entered: None,
            pending: Submissions::default(),
            answered: None,
            batch: Vec::new(),
            protocols: Vec::new(),
        }
    }

    fn thread(&mut self) -> &Thread {
        self.thread.get_or_insert_with(|| Thread {
            id: nix::unistd::gettid().as_raw(),
            name: std::thread::current().name().unwrap_or_default().into(),
        })
    }

    fn thread_id(&mut self) -> i32 {
        self.thread().id
    }

    /// The connections of the whole trace. A thread that panicked in here has left them usable.
    fn connections(&self) -> MutexGuard<'_, Table> {
        let table = &self.trace.shared().connections;
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn descriptor(&self, fd: i32) -> Place {
        let table = self.table;
        Place::Descriptor { table, fd }
    }

    /// Makes an event of this moment.
    fn event(
        &mut self,
        at: Instant,
        took: Option<Duration>,
        connection: Option<Connection>,
        kind: Kind,
    ) -> Event {
        let shared = self.trace.shared();
        let at = at.saturating_duration_since(shared.began);
        let wall = shared.began_wall + at;
        self.told_upto = self.told_upto.max(at);
        Event {
            at,
            wall,
            took,
            thread: self.thread().clone(),
            turn: self.turn,
            connection,
            kind,
        }
    }

    fn tell(&mut self, at: Instant, connection: Option<Connection>, kind: Kind) {
        let event = self.event(at, None, connection, kind);
        self.batch.push(event);
    }

    /// Tells what the bytes meant that were read last.
    fn tell_protocols(&mut self, at: Instant, place: Place) {
        if self.protocols.is_empty() {
            return;
        }
        let connection = self.connections().find(place);
        for protocol in std::mem::take(&mut self.protocols) {
            self.tell(at, connection.clone(), Kind::Protocol(protocol));
        }
    }

    /// Hands everything over.
    fn flush(&mut self) {
        if !self.batch.is_empty() {
            let mut batch = std::mem::take(&mut self.batch);
            self.trace.shared().queue.push(&mut batch);
            self.batch = batch;
        }
        match &self.entered {
            Some(entered) => self.speaker.speaks_since(entered.at),
            None => self.speaker.is_silent(),
        }
    }

    /// Called before the clock is read for something that will be told.
    fn speaks(&self) {
        let since = self
            .entered
            .as_ref()
            .map_or(self.told_upto, |entered| entered.at);
        self.speaker.speaks_since(since);
    }

    /// What was held back belongs to no turn's beginning.
    fn release(&mut self) {
        if let Some(entered) = self.entered.take() {
            self.batch.push(entered);
        }
    }

    fn begin_turn(&mut self, at: Instant, source: &'static str, events: usize) {
        self.turn += 1;
        let mut turn = self.event(at, None, None, Kind::Turn { source, events });
        if let Some(mut entered) = self.entered.take() {
            entered.turn = self.turn;
            // A turn begins where its wait ends, whenever that is told.
            (turn.at, turn.wall, turn.took) = (entered.at, entered.wall, entered.took);
            self.batch.push(entered);
        }
        self.batch.push(turn);
    }
}

impl Probe for Recorder {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        self.release();
        self.flush();
        if let Call::Close { fd } = *call {
            // Now, since another thread may be given the number before this call is told to have ended.
            let place = self.descriptor(fd);
            let closing = self.connections().close(place);
            self.closing = closing;
        }
        self.began = Some(Instant::now());
        Verdict::Go
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        self.speaks();
        let at = Instant::now();
        let took = self.began.take().map(|began| at - began);
        self.release();
        self.answer(at, took, call, result);
        match (call, result) {
            (Call::IoUringSetup { .. }, Ok(ring)) => self.ring = Some(ring as i32),
            (Call::Close { fd }, _) if self.ring == Some(*fd) => {
                (self.ring, self.turn) = (None, 0);
            }
            _ => {}
        }
        self.flush();
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        self.speaks();
        self.release();
        self.submit(call, user_data);
        self.flush();
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        self.speaks();
        self.release();
        self.complete(name, user_data, result, flags);
        self.flush();
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        self.speaks();
        let at = Instant::now();
        match *aside {
            Aside::Turn { source, events } => self.begin_turn(at, source, events),
            Aside::Lent { user_data, bytes } => self.lent(at, user_data, bytes),
            Aside::Peer { user_data, address } => self.named(at, user_data, address),
        }
        self.flush();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.release();
        self.flush();
    }
}

/// An error as the trace shows it.
fn failure(error: &io::Error) -> Failure {
    let text = error.to_string();
    let Some(errno) = error.raw_os_error() else {
        let name = String::new();
        return Failure { name, text };
    };
    // The standard library appends the number, which the name already says.
    let text = text.split(" (os error").next().unwrap_or_default();
    Failure {
        name: errno_name(errno).to_string(),
        text: text.to_owned(),
    }
}

/// The kinds of events that tell of a connection's life.
fn opened(by: &'static str) -> Kind {
    event::Kind::Opened { by }
}
