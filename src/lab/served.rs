//! `longshore serve` in a process of its own, as a lesson holds it: where it listens, and what it says at its end.
//!
//! ```text
//!   lesson ── starts this program again: longshore serve … --end-with-input
//!      │ standard output: `listening on http://127.0.0.1:43123 (epoll, 1 worker)`
//!      │ standard error: with `--trace --json` each of its calls, a line of JSON
//!      └─ SIGTERM, or the end of its input ──▶  the rest of both
//! ```
//!
//! Its input is a pipe of ours, so it ends when this process does, also when a signal kills us. It does not know what is
//! asked of it.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use super::frame::Frame;
use super::threads;

/// A server with one worker.
pub(super) struct Served {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Reads the trace while it comes: a pipe that is full would stop the server.
    trace: Option<JoinHandle<io::Result<String>>>,
    pub(super) address: SocketAddr,
}

impl Served {
    /// Starts it with these arguments more.
    pub(super) fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--workers", "1"])
            .arg("--end-with-input")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let (Some(output), Some(mut errors)) = (output, errors) else {
            return Err(io::Error::other("a child without pipes"));
        };
        let mut server = Served {
            child,
            output: BufReader::new(output),
            trace: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.trace = Some(threads::start(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text)
        })?);
        let mut line = String::new();
        server.output.read_line(&mut line)?;
        let address = line.split("http://").nth(1);
        let address = address.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        if let Some(address) = address {
            server.address = address;
            return Ok(server);
        }
        // It has ended, and has said why in its only line; what else it may be doing is over.
        let _ = server.child.kill();
        let why = server.errors()?;
        Err(io::Error::other(why.trim().to_owned()))
    }

    /// Ends it in order: what it printed, and its trace.
    pub(super) fn end(mut self) -> io::Result<(String, String)> {
        let id = Pid::from_raw(self.child.id().cast_signed());
        kill(id, Signal::SIGTERM)?;
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        let trace = self.errors()?;
        Ok((text, trace))
    }

    fn errors(&mut self) -> io::Result<String> {
        let Some(thread) = self.trace.take() else {
            return Ok(String::new());
        };
        let ended = thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("the reader of a trace panicked")))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already, or the lesson broke off.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event of a trace, as far as a lesson shows it.
#[derive(Deserialize)]
struct Event {
    thread_name: String,
    connection: Option<u64>,
    #[serde(rename = "event")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    arguments: String,
    #[serde(default)]
    result: i64,
    error: Option<String>,
    #[serde(default)]
    error_text: String,
}

impl Event {
    /// As a lesson shows calls; `None` for what is neither a call nor an operation of a ring.
    fn line(&self) -> Option<String> {
        let (name, arguments) = (&self.name, &self.arguments);
        let answer = match &self.error {
            Some(error) => format!("-1 {error} ({})", self.error_text),
            None => self.result.to_string(),
        };
        match self.kind.as_str() {
            "call" => Some(format!("{name}({arguments}) = {answer}")),
            "submitted" => Some(format!("[sqe] {name}({arguments})")),
            "completed" => Some(format!("[cqe] {name} = {answer}")),
            _ => None,
        }
    }

    fn waits(&self) -> bool {
        let waits = ["epoll_wait", "epoll_pwait2", "io_uring_enter"];
        self.kind == "call" && waits.contains(&self.name.as_str())
    }
}

/// Shows what the worker did from the wait that told of its first connection until that is closed.
pub(super) fn show(frame: &Frame, trace: &str) {
    let events: Vec<Event> = trace
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Event| event.thread_name.starts_with("worker"))
        .collect();
    let of_first = |event: &Event| event.connection == Some(1);
    let Some(opened) = events.iter().position(of_first) else {
        return;
    };
    let last = events.iter().rposition(of_first).unwrap_or(opened);
    let first = events[..opened].iter().rposition(Event::waits);
    for event in &events[first.unwrap_or(opened)..=last] {
        if let Some(line) = event.line() {
            frame.called("server", &line);
        }
    }
}
