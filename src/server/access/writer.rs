//! The writer's thread: takes what has gathered and writes it, in as few calls as the kernel allows.
//!
//! It tries each line once. An error costs the lines that were not written; they are counted, and it goes on with the
//! next ones, so a full disk is neither fatal nor a reason to spin. It does not know formats or paths.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use super::queue::Queue;
use super::watch::{Watch, Watched};

/// How long to wait for a reader before looking whether anyone still waits for the writer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What lines are written to.
pub(super) trait Sink: Write {
    /// Waits until a write that would have blocked may succeed, at most this long.
    fn wait_for_room(&mut self, at_most: Duration);
}

/// Writes until the log is closed and empty, and then says so: nothing is left that could wait.
pub(super) fn run<S: Sink>(queue: &Queue<S>, sink: S, watch: &Watch) {
    write_out(queue, sink, watch);
    queue.ended();
}

/// What is opened last is closed first: a trace shows the file's close too.
fn write_out<S: Sink>(queue: &Queue<S>, sink: S, watch: &Watch) {
    let mut watched = Watched::default();
    let mut output = Output { sink, torn: false };
    let mut lines = Vec::new();
    while let Some(taken) = queue.take(&mut lines) {
        watch.renew(&mut watched);
        let border = taken
            .switch
            .as_ref()
            .map_or(lines.len(), |switch| switch.at);
        let (old, new) = lines.split_at(border);
        output.write(old, queue);
        if let Some(switch) = taken.switch {
            output = Output {
                sink: switch.sink,
                torn: false,
            };
        }
        output.write(new, queue);
    }
    watch.renew(&mut watched);
}

struct Output<S> {
    sink: S,
    /// The last line was written in part: the next one must not continue it.
    torn: bool,
}

impl<S: Sink> Output<S> {
    /// Writes whole lines, or counts those that could not be written.
    fn write(&mut self, lines: &[u8], queue: &Queue<S>) {
        if lines.is_empty() {
            return;
        }
        if self.torn {
            match self.write_bytes(b"\n", queue) {
                Ok(()) => self.torn = false,
                Err((_, error)) => {
                    queue.lost(count_lines(lines), &error);
                    return;
                }
            }
        }
        if let Err((written, error)) = self.write_bytes(lines, queue) {
            self.torn = written > 0 && lines[written - 1] != b'\n';
            queue.lost(count_lines(&lines[written..]), &error);
        }
    }

    /// As `write_all`, but says how far it came, and waits for a reader that is slow.
    fn write_bytes(&mut self, bytes: &[u8], queue: &Queue<S>) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while written < bytes.len() {
            match self.sink.write(&bytes[written..]) {
                Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && !queue.is_abandoned() => {
                    self.sink.wait_for_room(LOOK_EVERY);
                }
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
