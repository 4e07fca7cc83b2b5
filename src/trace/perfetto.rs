//! Events as a file that ui.perfetto.dev and chrome://tracing open: the trace-event format of Chrome, an array of JSON.
//!
//! ```text
//!   track of a thread   ┌── turn 12 ────────────────┐     ring        recv ────────●──────●──  from submission to the
//!                       │ recv  send  epoll_ctl     │     (async)          completions     last completion
//!                       └───────── ▼ GET / → 200 ───┘     connections #3 ────────────────────
//! ```
//!
//! Each call is a slice in its thread, each turn a slice around its calls, each connection and each operation of a ring a
//! track of its own. The file is an array that a program which was killed leaves open; both viewers read that too.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Event, Kind, Sink};

/// What waits is written at this length, even while more is there to be shown.
const WRITTEN_BYTES: usize = 64 * 1024;

/// Writes events in Chrome's trace-event format.
#[derive(Debug)]
pub struct Perfetto<W> {
    output: W,
    waiting: Vec<u8>,
    pid: u32,
    begun: bool,
    threads: HashSet<i32>,
    /// Where the last call of each thread began and ended.
    last: HashMap<i32, (Duration, Duration)>,
    /// The turn of each thread that has not ended: its number, begin, source and events.
    turns: HashMap<i32, OpenTurn>,
    /// Connections and operations that have not ended.
    connections: BTreeSet<u64>,
    operations: HashMap<u64, &'static str>,
    newest: Duration,
}

#[derive(Debug)]
struct OpenTurn {
    number: u64,
    began: Duration,
    source: &'static str,
    events: usize,
}

/// An entry of the array; `docs` of the format: "Trace Event Format".
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    cat: &'a str,
    ph: &'a str,
    /// Microseconds.
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: u32,
    tid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'a str>,
    args: Value,
}

impl<W: Write> Perfetto<W> {
    /// Writes to `output`.
    pub fn new(output: W) -> Self {
        Self {
            output,
            waiting: Vec::new(),
            pid: std::process::id(),
            begun: false,
            threads: HashSet::new(),
            last: HashMap::new(),
            turns: HashMap::new(),
            connections: BTreeSet::new(),
            operations: HashMap::new(),
            newest: Duration::ZERO,
        }
    }

    fn entry<'a>(&self, event: &Event, cat: &'a str, ph: &'a str, name: &'a str) -> Entry<'a> {
        Entry {
            name,
            cat,
            ph,
            ts: micros(event.at),
            dur: None,
            pid: self.pid,
            tid: event.thread.id,
            id: None,
            s: None,
            args: json!({}),
        }
    }

    fn push(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let between: &[u8] = if self.begun { b",\n" } else { b"[\n" };
        self.begun = true;
        self.waiting.extend_from_slice(between);
        serde_json::to_writer(&mut self.waiting, entry)?;
        Ok(())
    }

    /// Names a thread's track when it is first seen.
    fn introduce(&mut self, event: &Event) -> io::Result<()> {
        let name = match &event.kind {
            // The wire is no thread of ours, and has a track all the same.
            Kind::Packet(..) | Kind::Tcp(_) => "packets",
            _ => &*event.thread.name,
        };
        if name.is_empty() || !self.threads.insert(event.thread.id) {
            return Ok(());
        }
        let mut entry = self.entry(event, "__metadata", "M", "thread_name");
        entry.args = json!({ "name": name });
        self.push(&entry)
    }

    fn instant(&mut self, event: &Event, cat: &str, name: &str) -> io::Result<()> {
        let mut entry = self.entry(event, cat, "i", name);
        entry.s = Some("t");
        entry.args = json!({ "connection": number(event) });
        self.push(&entry)
    }

    /// A slice in its thread.
    fn call(&mut self, event: &Event) -> io::Result<()> {
        let Kind::Call(call) = &event.kind else {
            return Ok(());
        };
        let began = self.began(event);
        let mut entry = self.entry(event, "call", "X", call.name);
        entry.ts = micros(began);
        entry.dur = Some(micros(event.at.saturating_sub(began)));
        entry.args = json!({
            "arguments": call.arguments,
            "result": call.result,
            "error": call.error.as_ref().map(|error| &error.name),
            "connection": number(event),
            "turn": event.turn,
        });
        self.last.insert(event.thread.id, (began, event.at));
        self.push(&entry)
    }

    /// When a call began, but never inside the one before it: the times of threads that meet at the queue are put in
    /// order there, and slices that overlap by that nanosecond would not be drawn as they are.
    fn began(&self, event: &Event) -> Duration {
        let last = self.last.get(&event.thread.id);
        let end = last.map_or(Duration::ZERO, |(_, end)| *end);
        event.began().max(end).min(event.at)
    }

    /// A turn lasts until the next wait begins.
    fn turn(&mut self, event: &Event, source: &'static str, events: usize) -> io::Result<()> {
        // The call that waited came right before; without one the turn before ends here.
        let wait = self.last.get(&event.thread.id);
        let wait = wait.filter(|_| event.took.is_some());
        let end = wait.map_or(event.at, |(began, _)| *began);
        self.end_turn(event, end)?;
        let turn = OpenTurn {
            number: event.turn,
            began: event.at,
            source,
            events,
        };
        self.turns.insert(event.thread.id, turn);
        Ok(())
    }

    fn end_turn(&mut self, event: &Event, at: Duration) -> io::Result<()> {
        let Some(turn) = self.turns.remove(&event.thread.id) else {
            return Ok(());
        };
        let name = format!("turn {}", turn.number);
        let mut entry = self.entry(event, "turn", "X", &name);
        entry.ts = micros(turn.began);
        entry.dur = Some(micros(at.saturating_sub(turn.began)));
        entry.args = json!({ "source": turn.source, "events": turn.events });
        self.push(&entry)
    }

    /// An operation lasts from its submission to its last completion.
    fn operation(&mut self, event: &Event) -> io::Result<()> {
        let (ph, name, id, args) = match &event.kind {
            Kind::Submitted(submitted) => {
                let args = json!({
                    "arguments": submitted.arguments,
                    "connection": number(event),
                });
                if submitted.skips_success {
                    return self.instant(event, "ring", submitted.name);
                }
                self.operations.insert(submitted.operation, submitted.name);
                ("b", submitted.name, submitted.operation, args)
            }
            Kind::Completed(completed) => {
                let args = json!({
                    "result": completed.result,
                    "flags": completed.flags,
                    "connection": number(event),
                });
                let Some(operation) = completed.operation else {
                    return self.instant(event, "ring", completed.name);
                };
                if completed.more {
                    ("n", completed.name, operation, args)
                } else {
                    self.operations.remove(&operation);
                    ("e", completed.name, operation, args)
                }
            }
            _ => return Ok(()),
        };
        let mut entry = self.entry(event, "ring", ph, name);
        entry.id = Some(id);
        entry.args = args;
        self.push(&entry)
    }

    fn connection(&mut self, event: &Event, ph: &str) -> io::Result<()> {
        let Some(connection) = &event.connection else {
            return Ok(());
        };
        let changed = match ph {
            "b" => self.connections.insert(connection.number),
            "e" => self.connections.remove(&connection.number),
            _ => self.connections.contains(&connection.number),
        };
        if !changed {
            return Ok(());
        }
        let name = format!("connection {}", connection.number);
        let mut entry = self.entry(event, "connection", ph, &name);
        entry.id = Some(connection.number);
        entry.args = json!({ "addresses": connection.ends.to_string() });
        self.push(&entry)
    }

    fn write(&mut self) -> io::Result<()> {
        let written = self.output.write_all(&self.waiting);
        self.waiting.clear();
        written
    }
}

impl<W: Write + Send> Sink for Perfetto<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.newest = self.newest.max(event.at);
        self.introduce(event)?;
        match &event.kind {
            Kind::Call(_) => self.call(event)?,
            Kind::Submitted(_) | Kind::Completed(_) => self.operation(event)?,
            Kind::Turn { source, events } => self.turn(event, source, *events)?,
            Kind::Opened { .. } => self.connection(event, "b")?,
            Kind::Named => self.connection(event, "n")?,
            Kind::Closed => self.connection(event, "e")?,
            Kind::Protocol(protocol) => {
                self.instant(event, "protocol", &protocol.to_string())?;
            }
            Kind::Packet(packet, _) => self.instant(event, "packet", &packet.to_string())?,
            Kind::Tcp(end) => self.instant(event, "tcp", &end.to_string())?,
            Kind::Note(text) => self.instant(event, "note", text)?,
            // Its bytes are in the completion before it.
            Kind::Lent { .. } => {}
        }
        if self.waiting.len() >= WRITTEN_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        // What has not ended ends here, or the viewer would draw it without an end.
        let at = micros(self.newest);
        let turns: Vec<_> = self.turns.drain().collect();
        let mut left = Vec::new();
        for (tid, turn) in turns {
            let dur = self.newest.saturating_sub(turn.began);
            left.push(json!({
                "name": format!("turn {}", turn.number), "cat": "turn", "ph": "X",
                "ts": micros(turn.began), "dur": micros(dur), "pid": self.pid, "tid": tid,
                "args": { "source": turn.source, "events": turn.events },
            }));
        }
        let ends = |name: String, cat: &str, id: u64| {
            json!({
                "name": name, "cat": cat, "ph": "e", "ts": at, "pid": self.pid, "tid": 0,
                "id": id, "args": {},
            })
        };
        let connections = self.connections.iter();
        left.extend(
            connections.map(|number| ends(format!("connection {number}"), "connection", *number)),
        );
        let operations = self.operations.iter();
        left.extend(operations.map(|(id, name)| ends((*name).to_owned(), "ring", *id)));
        for entry in left {
            let between: &[u8] = if self.begun { b",\n" } else { b"[\n" };
            self.begun = true;
            self.waiting.extend_from_slice(between);
            serde_json::to_writer(&mut self.waiting, &entry)?;
        }
        let end: &[u8] = if self.begun { b"\n]\n" } else { b"[]\n" };
        self.waiting.extend_from_slice(end);
        self.write()?;
        self.output.flush()
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn number(event: &Event) -> Option<u64> {
    let connection = event.connection.as_ref()?;
    Some(connection.number)
}
