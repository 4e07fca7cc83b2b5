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

mod beside;
mod child;
mod crowd;
mod frame;
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
mod slabs;
mod small_buffers;
mod stage;

use std::io::{self, IsTerminal, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use frame::Frame;
use report::{Document, Report};

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

/// A lesson that takes longer is stuck, and is given up with the whole program.
const SECONDS_MAX: [u64; 3] = [60, 120, 900];

/// One lesson: how it is called, and what runs.
pub(crate) struct Lesson {
    pub(crate) number: u8,
    /// Lower case with hyphens, as it is typed.
    pub(crate) name: &'static str,
    /// One line for the list.
    pub(crate) about: &'static str,
    run: fn(&Frame) -> io::Result<()>,
}

/// Finds a lesson by its number or its name.
pub(crate) fn find(wanted: &str) -> Option<&'static Lesson> {
    LESSONS
        .iter()
        .find(|lesson| lesson.name == wanted || wanted.parse() == Ok(lesson.number))
}

/// Runs lessons one after the other; `false` if one of them broke off.
///
/// As text each lesson prints while it runs; as JSON one document comes at the end.
pub(crate) fn run(lessons: &[&'static Lesson], how: How, json: bool) -> bool {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut reports = Vec::new();
    for lesson in lessons {
        let frame = Frame::new(Report::new(lesson), how, (!json).then_some(colours));
        let _guard = guard(lesson, how.scale);
        let begin = Instant::now();
        let result = (lesson.run)(&frame);
        reports.push(frame.end(result.err(), begin.elapsed()));
    }
    let whole = reports.iter().all(Report::is_whole);
    if json {
        print_json(&Document::new(how.scale.name(), reports));
    }
    whole
}

/// The lessons by number and name, as text or JSON.
pub(crate) fn list(json: bool) {
    if json {
        let reports = LESSONS.iter().map(Report::new).collect();
        return print_json(&Document::new("none", reports));
    }
    let mut out = io::stdout().lock();
    for lesson in LESSONS {
        // A reader that has gone is no error.
        let _ = writeln!(
            out,
            "{:>3}  {:<16} {}",
            lesson.number, lesson.name, lesson.about
        );
    }
    let _ = writeln!(
        out,
        "\nRun one with `longshore lab 4` or by its name; `longshore lab all` runs them all."
    );
}

fn print_json(document: &Document) {
    let mut out = io::stdout().lock();
    let _ = serde_json::to_writer_pretty(&mut out, document);
    let _ = writeln!(out);
}

/// Ends the program when a lesson hangs: its blocking calls cannot be interrupted from outside. Dropping the answer
/// calls the guard off.
fn guard(lesson: &'static Lesson, scale: Scale) -> mpsc::Sender<()> {
    let seconds = SECONDS_MAX[scale as usize];
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if receiver.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
            let _ = writeln!(
                io::stderr(),
                "longshore: lesson {} ({}) did not end within {seconds} s; try --scale quick",
                lesson.number,
                lesson.name
            );
            std::process::exit(1);
        }
    });
    sender
}
