//! `longshore lab`: which lessons, how much, and in what form.

use std::io;
use std::process::ExitCode;

use clap::Args;

use crate::lab::{self, How, LESSONS, Lesson, Scale};

/// Run lessons: small experiments on loopback that show the system calls and measure what they teach.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  The list of lessons:
    longshore lab
  A lesson by its number, or by its name or the beginning of it:
    longshore lab 4
    longshore lab byte-stream
  All of them, as one JSON document:
    longshore lab all --json

A lesson takes seconds, never more than a minute (--scale large: as long as it needs), uses loopback only, and leaves \
nothing behind but connections in TIME-WAIT. `=>` stands before a conclusion that the measurement bears out, `??` before one that it does not.

Sentences and tables fold to the width of the terminal, or of COLUMNS where there is none: 40 to 100 columns. Figures and \
calls are not folded.

What a machine does not permit is said in a line (`not here:`, in JSON under `refused`) and is no failure, also where it \
leaves nothing of a lesson.

Exit code 1: a lesson broke off (in JSON `error` says why).")]
pub(crate) struct Lab {
    /// Lessons by number or name, or `all`; the list without any
    #[arg(value_name = "LESSON", value_parser = choice)]
    lessons: Vec<Choice>,
    /// How much each lesson does
    #[arg(long, value_enum, default_value_t = Scale::Normal)]
    scale: Scale,
    /// Show the first N calls of each kind behind every sentence, and count the others; 0 shows none
    #[arg(long, value_name = "N", default_value_t = 4)]
    calls: u32,
    /// Print one JSON document: steps, tables, findings by name, conclusions
    #[arg(long)]
    json: bool,
}

/// What was asked for.
#[derive(Clone, Copy)]
enum Choice {
    All,
    One(&'static Lesson),
}

impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Choice::All => "all",
            Choice::One(lesson) => lesson.name,
        })
    }
}

fn choice(text: &str) -> Result<Choice, String> {
    if text == "all" {
        return Ok(Choice::All);
    }
    lab::find(text).map(Choice::One)
}

impl Lab {
    /// The error is one line: standard output could not be written.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let whole = self
            .print()
            .map_err(|error| format!("cannot write to standard output: {error}"))?;
        Ok(if whole {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// Whether all came to their end.
    fn print(self) -> io::Result<bool> {
        if self.lessons.is_empty() {
            return lab::list(self.json).map(|()| true);
        }
        let lessons: Vec<&'static Lesson> = self
            .lessons
            .iter()
            .flat_map(|choice| match choice {
                Choice::All => LESSONS.iter().collect(),
                Choice::One(lesson) => vec![*lesson],
            })
            .collect();
        let how = How {
            scale: self.scale,
            calls: self.calls,
        };
        lab::run(&lessons, how, self.json)
    }
}
