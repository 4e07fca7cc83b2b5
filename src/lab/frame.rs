//! What every lesson stands in: the door through which it speaks, shows its calls, and hands over what it measured.
//!
//! Sentences with figures are made from the measurement, so a lesson cannot claim what it did not see:
//! [`Frame::conclude`] takes the condition beside the sentence, and the sentence for when it does not hold.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use longshore::sys::{self, Strace};

use super::report::{Report, Table, Value};
use super::stage::Stage;
use super::threads;

/// How often a line on the terminal moves.
const TICK: Duration = Duration::from_millis(200);

/// How much a lesson does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// A second or two for each lesson: for tests
    Quick,
    /// Some seconds, figures that repeat
    Normal,
    /// As much as this machine allows
    Large,
}

impl Scale {
    /// Chooses a figure for this scale.
    pub(super) fn pick<T>(self, quick: T, normal: T, large: T) -> T {
        match self {
            Scale::Quick => quick,
            Scale::Normal => normal,
            Scale::Large => large,
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.pick("quick", "normal", "large")
    }
}

/// How lessons are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) scale: Scale,
    /// How many calls of one kind are shown between two sentences; the others are counted.
    pub(crate) calls: u32,
}

/// The probe that shows each call when the kernel has answered it.
pub(super) type Calls = Strace<Pen>;

/// One lesson's run. Clones speak for the same lesson, from any thread.
#[derive(Clone)]
pub(super) struct Frame {
    stage: Arc<Mutex<Stage>>,
    scale: Scale,
    shows_calls: bool,
}

impl Frame {
    /// Prints while it runs if `text` says so, in colours or not.
    pub(super) fn new(report: Report, how: How, text: Option<bool>) -> Self {
        let scale = how.scale;
        let stage = Arc::new(Mutex::new(Stage::new(report, text, how.calls)));
        Frame {
            stage,
            scale,
            shows_calls: how.calls > 0,
        }
    }

    /// A lesson's thread that panicked leaves the report as it was: every change is one call.
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much to do.
    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// Whether any calls are shown: what is there for nothing else need not be done without.
    pub(super) fn shows_calls(&self) -> bool {
        self.shows_calls
    }

    /// Says in a plain sentence what comes next, or what has just been seen.
    pub(super) fn say(&self, sentence: impl Into<String>) {
        self.stage().say(sentence.into());
    }

    /// A probe that shows the calls of `by` (`"server"`, `"client"`, or `""` where only one acts), one line each.
    ///
    /// Of a kind of call only the first few after each sentence are shown, the others counted. It takes a lock and
    /// writes for each call: measure times with [`Silent`](sys::Silent), and numbers of calls with
    /// [`Count`](sys::Count).
    pub(super) fn calls(&self, by: &'static str) -> Calls {
        Strace::new(Pen {
            stage: Arc::clone(&self.stage),
            by,
        })
    }

    /// Shows a call that was made without a probe, by the standard library or a crate: `lseek(3, 0, SEEK_CUR)`.
    pub(super) fn made(
        &self,
        by: &'static str,
        call: &str,
        result: Result<impl Display, &io::Error>,
    ) {
        let line = match result {
            Ok(number) => format!("{call} = {number}"),
            Err(error) => {
                let name = error.raw_os_error().map_or("", sys::errno_name);
                let text = error.to_string();
                // The standard library appends the number, which the name already says.
                let text = text.split(" (os error").next().unwrap_or_default();
                format!("{call} = -1 {name} ({text})")
            }
        };
        self.called(by, &line);
    }

    /// Shows a call of another process, as its trace tells it: `recv(5, "", 16384, 0) = 0`.
    pub(super) fn called(&self, by: &'static str, line: &str) {
        self.stage().call(by, line);
    }

    /// Keeps a measured value under a name (`listen_overflows`): for `--json`, and for tests that compare them.
    pub(super) fn finding(&self, name: &'static str, value: impl Into<Value>) {
        self.stage().finding(name, value.into());
    }

    /// Shows a table of measured results, and keeps it.
    pub(super) fn table(&self, table: Table) {
        self.stage().table(table);
    }

    /// Draws a conclusion from what was measured: `then` if the measurement bears it out, `otherwise` if it does not.
    pub(super) fn conclude(
        &self,
        holds: bool,
        then: impl Into<String>,
        otherwise: impl Into<String>,
    ) {
        let text = if holds { then.into() } else { otherwise.into() };
        self.stage().conclude(holds, text);
    }

    /// Says in one line that this machine does not permit something; the lesson goes on with the rest.
    pub(super) fn refused(&self, what: &str, why: impl Display) {
        self.not_here(format!("{what}: {why}"));
    }

    /// The same as a whole sentence: `ulimit -n is 60, this lesson needs 228`.
    pub(super) fn not_here(&self, sentence: String) {
        self.stage().refused(sentence);
    }

    /// Whether all lines were printed; asked at the end, since a lesson cleans up all the same.
    ///
    /// # Errors
    /// The first line that could not be written to standard output; a reader that has gone is no error.
    pub(super) fn written(&self) -> io::Result<()> {
        self.stage().unwritten.take().map_or(Ok(()), Err)
    }

    /// Shows on a terminal how far something is that may take more than two seconds. Dropping it clears the line.
    pub(super) fn progress(&self, what: &'static str, total: u64) -> Progress {
        // A mistake in the template would show the plain bar.
        let style = ProgressStyle::with_template("  {spinner} {msg}  {bar:30}  {pos} of {len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total).with_style(style).with_message(what);
        self.stage().bar = bar.clone();
        Progress::start(bar)
    }

    /// The report, whole or broken off.
    pub(super) fn end(self, error: Option<io::Error>, took: Duration) -> Report {
        let mut stage = self.stage();
        stage.end(error, took.as_secs_f64());
        std::mem::take(&mut stage.report)
    }
}

/// A line on the terminal that moves. On anything else nothing is shown.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Moves it also while nothing is done; its end is told by dropping the sender. The crate's own thread for this
    /// panics where none can be started; without this one the line moves with each step.
    ticking: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    fn start(bar: ProgressBar) -> Self {
        let shown = !bar.is_hidden();
        let ticking = shown.then(|| Self::tick(bar.clone()).ok()).flatten();
        Progress { bar, ticking }
    }

    fn tick(bar: ProgressBar) -> io::Result<(Sender<()>, JoinHandle<()>)> {
        let (sender, end) = mpsc::channel();
        let thread = threads::start(move || {
            while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                bar.tick();
            }
        })?;
        Ok((sender, thread))
    }

    /// So much more is done.
    pub(super) fn step(&self, by: u64) {
        self.bar.inc(by);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.ticking.take() {
            drop(sender);
            // It draws no more when the line is cleared. A panic of its own has nothing to tell.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

/// Takes the lines of a [`Strace`] to the stage.
pub(super) struct Pen {
    stage: Arc<Mutex<Stage>>,
    by: &'static str,
}

impl Write for Pen {
    /// `Strace` writes a whole line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        stage.call(self.by, text.trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
