//! A [model server](super::model_server) as the lesson holds it: a process to ask, to look at in `/proc`, and to end.
//!
//! It is ended when it is dropped, and ends by itself when this process does.

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use super::model_server::{Figures, Hello, Model, Totals};

/// A server in another process.
pub(super) struct Serving {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(super) address: SocketAddr,
}

impl Serving {
    /// Starts this program again, as a server.
    ///
    /// # Errors
    /// Why it cannot be started, or why the server does not start: its own line.
    pub(super) fn start(model: Model) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["lab-server", "--model", model.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(io::Error::other("a child without pipes"));
        };
        let mut output = BufReader::new(output);
        if let Ok(hello) = line::<Hello>(&mut output) {
            return Ok(Serving {
                child,
                input: Some(input),
                output,
                address: hello.address,
            });
        }
        drop(input);
        let why = child.wait_with_output()?.stderr;
        let why = String::from_utf8_lossy(&why);
        Err(io::Error::other(why.trim().to_owned()))
    }

    /// What it has used so far.
    pub(super) fn figures(&mut self) -> io::Result<Figures> {
        if let Some(input) = &mut self.input {
            input.write_all(b"\n")?;
        }
        line(&mut self.output)
    }

    /// A figure of `/proc/PID/status` or another such file, in its own unit: `number("status", "VmSize:")`.
    pub(super) fn number(&self, file: &str, name: &str) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?;
        number_in(&text, name).ok_or_else(|| io::Error::other(format!("{file} has no {name}")))
    }

    /// How many descriptors it has open.
    pub(super) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Ends it; what it did.
    pub(super) fn end(mut self) -> io::Result<Totals> {
        self.input = None;
        let totals = line(&mut self.output);
        self.child.wait()?;
        totals
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Either it has ended already, or the lesson broke off and nobody asks any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line<T: DeserializeOwned>(from: &mut impl io::BufRead) -> io::Result<T> {
    let mut text = String::new();
    from.read_line(&mut text)?;
    serde_json::from_str(&text).map_err(io::Error::other)
}

/// `VmSize:    1234 kB`
fn number_in(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// A figure of the whole machine: `machine("/proc/meminfo", "KernelStack:")`.
pub(super) fn machine(file: &str, name: &str) -> Option<u64> {
    number_in(&fs::read_to_string(file).ok()?, name)
}
