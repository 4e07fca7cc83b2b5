//! What a running program prints, line by line, waited for within bounds.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::SECONDS_MAX;

/// The lines that a program has printed, and those that are to come.
pub(crate) struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// Reads `source` to its end, on a thread of its own, but at most `most` lines.
    pub(crate) fn of(source: impl Read + Send + 'static, most: usize) -> Self {
        let (send, coming) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(source).lines();
            // Whoever waits for them may have gone before the last.
            { lines.map_while(Result::ok).take(most) }.try_for_each(|text| send.send(text))
        });
        Self {
            coming,
            seen: Vec::new(),
        }
    }

    /// Waits for a line. An error if none comes that `is_it`.
    pub(crate) fn until(&mut self, is_it: impl Fn(&str) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.coming.recv_timeout(left);
            let line = line.map_err(|_| "the program does not say what comes next".to_owned())?;
            let found = is_it(&line);
            self.seen.push(line);
            if found {
                return Ok(());
            }
        }
    }

    /// All lines that have been waited for.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// All lines up to the end of the source; false if that does not come.
    pub(crate) fn rest(&mut self) -> (Vec<String>, bool) {
        let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX);
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(line) = self.coming.recv_timeout(left()) {
            self.seen.push(line);
        }
        (std::mem::take(&mut self.seen), !left().is_zero())
    }
}
