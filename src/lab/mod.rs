//! Layer 8, lessons: small experiments on the loopback interface that measure what they teach.
//!
//! ```text
//!   cli::lab ──▶ run ──▶ lesson_04_byte_stream::run(&Frame) ──▶ longshore::sys, as any program would
//!                              │
//!                              ├─ say, calls          what is done, and each system call as it is made
//!                              ├─ finding, table      what was measured
//!                              └─ conclude            what follows, if the measurement bears it out
//! ```
//!
//! A lesson is one file that can be read from top to bottom. It uses the crate as an embedder would, opens sockets on
//! loopback with port 0 only, keeps their number and its memory bounded, and leaves nothing behind. It does not know
//! whether it is read by a person or as JSON.
#![forbid(unsafe_code)]

mod any_handler;
mod beside;
mod child;
mod crowd;
mod find;
mod frame;
mod grid;
mod guard;
mod hex;
mod kernel;
mod lesson_01_verbs;
mod lesson_02_files;
mod lesson_03_five_tuple;
mod lesson_04_byte_stream;
mod lesson_05_kinds;
mod lesson_06_backlog;
mod lesson_07_close;
mod lesson_08_nagle;
mod lesson_09_models;
mod lesson_10_short_and_long;
mod lesson_11_heartbeats;
mod lesson_12_feeds;
mod lesson_13_duplex;
mod lesson_14_upgrade;
mod lesson_15_frame;
mod lesson_16_slow_reader;
mod lesson_17_many;
mod lesson_18_classic_bugs;
mod loopback;
mod model_server;
mod report;
mod served;
mod slabs;
mod small_buffers;
mod stage;
mod threads;

use std::io::{self, ErrorKind, IsTerminal, Write as _};
use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use frame::Frame;
use guard::{Ended, Guard};
use report::{Contents, Document, Report};
use serde::Serialize;

pub(crate) use find::find;
pub(crate) use frame::{How, Scale};
pub(crate) use model_server::LabServer;

/// All lessons, in their order.
pub(crate) const LESSONS: &[Lesson] = &[
    lesson_01_verbs::LESSON,
    lesson_02_files::LESSON,
    lesson_03_five_tuple::LESSON,
    lesson_04_byte_stream::LESSON,
    lesson_05_kinds::LESSON,
    lesson_06_backlog::LESSON,
    lesson_07_close::LESSON,
    lesson_08_nagle::LESSON,
    lesson_09_models::LESSON,
    lesson_10_short_and_long::LESSON,
    lesson_11_heartbeats::LESSON,
    lesson_12_feeds::LESSON,
    lesson_13_duplex::LESSON,
    lesson_14_upgrade::LESSON,
    lesson_15_frame::LESSON,
    lesson_16_slow_reader::LESSON,
    lesson_17_many::LESSON,
    lesson_18_classic_bugs::LESSON,
];

/// One lesson: how it is called, and what runs.
pub(crate) struct Lesson {
    pub(crate) number: u8,
    /// Lower case with hyphens, as it is typed.
    pub(crate) name: &'static str,
    /// One line for the list.
    pub(crate) about: &'static str,
    run: fn(&Frame) -> io::Result<()>,
}

/// Runs lessons one after the other; `false` if one of them broke off.
///
/// As text each lesson prints while it runs; as JSON one document comes at the end.
///
/// # Errors
/// Standard output could not be written. A reader that has gone is no error.
pub(crate) fn run(lessons: &[&'static Lesson], how: How, json: bool) -> io::Result<bool> {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let ended = Ended::default();
    for lesson in lessons {
        let frame = Frame::new(Report::new(lesson), how, (!json).then_some(colours));
        let begin = Instant::now();
        let guard = Guard::new(lesson, &frame, &ended, how, json);
        let result = guard.and_then(|_guard| (lesson.run)(&frame));
        let report = frame.clone().end(result.err(), begin.elapsed());
        frame.written()?;
        lock(&ended).push(report);
    }
    let reports = std::mem::take(&mut *lock(&ended));
    let whole = reports.iter().all(Report::is_whole);
    if json {
        print_json(&Document::new(how.scale.name(), reports))?;
    }
    Ok(whole)
}

/// A guard that panicked has changed nothing.
fn lock(ended: &Ended) -> MutexGuard<'_, Vec<Report>> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lessons by number and name, as text or JSON.
///
/// # Errors
/// As [`run`].
pub(crate) fn list(json: bool) -> io::Result<()> {
    if json {
        return print_json(&Contents::new(LESSONS));
    }
    let mut text = String::new();
    for Lesson {
        number,
        name,
        about,
        ..
    } in LESSONS
    {
        text += &stage::listed(&format!("{number:>3}  {name:<16} "), about);
        text.push('\n');
    }
    let hint = "Run one with `longshore lab 4` or by its name; `longshore lab all` runs them all.";
    text.push('\n');
    text += &stage::listed("", hint);
    text.push('\n');
    print(&text)
}

fn print_json(document: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    print(&text)
}

/// Writes to standard output, at once.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
