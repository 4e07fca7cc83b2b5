//! The end of a lesson that hangs. Its blocking calls cannot be interrupted from outside, so the program ends with it.
//!
//! ```text
//!   run ── Guard::new ──▶ a thread that waits ── too long ──▶ give_up: what there is as JSON, one line, exit code 1
//!    └──── drop ─────────▶ it ends
//! ```
//!
//! It does not know what the lesson waits for.

use std::io::{self, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::frame::{Frame, How, Scale};
use super::report::{Document, Report};
use super::{Lesson, print_json, threads};

/// A lesson that takes longer is stuck: for each scale, in seconds.
const SECONDS_MAX: [u64; 3] = [60, 120, 900];

/// The reports of lessons that have ended, shared with the guard of the next.
pub(super) type Ended = Arc<Mutex<Vec<Report>>>;

/// Waits beside a lesson. Dropping it calls it off.
pub(super) struct Guard(#[expect(dead_code, reason = "dropped, not read")] mpsc::Sender<()>);

impl Guard {
    /// Gives the lesson up when its time has passed, and ends the program.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn new(
        lesson: &'static Lesson,
        frame: &Frame,
        ended: &Ended,
        how: How,
        json: bool,
    ) -> io::Result<Self> {
        let seconds = SECONDS_MAX[how.scale as usize];
        let (frame, ended) = (frame.clone(), Arc::clone(ended));
        Self::after(Duration::from_secs(seconds), move || {
            // The lock is kept: a lesson that ends just now prints nothing beside this.
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            if json {
                let all = with_broken_off(std::mem::take(&mut ended), frame, seconds);
                // The exit code is that of a failure already.
                let _ = print_json(&Document::new(how.scale.name(), all));
            }
            let _ = writeln!(io::stderr(), "{}", line(lesson, how.scale, seconds));
            std::process::exit(1);
        })
    }

    fn after(limit: Duration, give_up: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        threads::start(move || {
            if receiver.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                give_up();
            }
        })?;
        Ok(Guard(sender))
    }
}

/// The reports so far, and that of the lesson that did not end.
fn with_broken_off(mut ended: Vec<Report>, frame: Frame, seconds: u64) -> Vec<Report> {
    let why = io::Error::other(format!("it did not end within {seconds} s"));
    ended.push(frame.end(Some(why), Duration::from_secs(seconds)));
    ended
}

fn line(lesson: &Lesson, scale: Scale, seconds: u64) -> String {
    let hint = match scale {
        Scale::Quick => "",
        Scale::Normal | Scale::Large => "; try --scale quick",
    };
    format!(
        "longshore: lesson {} ({}) did not end within {seconds} s{hint}",
        lesson.number, lesson.name
    )
}

#[cfg(test)]
mod tests;
