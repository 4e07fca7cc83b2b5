//! Where a lesson happens: it keeps the [`Report`], and prints it line by line while it comes about.
//!
//! ```text
//!   Frame::say ────────┐
//!   Calls (a probe) ───┼──▶ Stage ──▶ Report
//!   Frame::finding ────┘       └────▶ standard output, unless JSON is wanted
//! ```
//!
//! Of the calls between two sentences only the first few of each kind are shown; the others are counted. It does not
//! know what a call means: a kind is its name and, if it failed, its errno.

use std::collections::{BTreeMap, HashMap};
use std::io;

use indicatif::ProgressBar;

use super::report::{Conclusion, Report, Step, Table, Value};

/// Steps of a transcript; a lesson that makes more says less.
const STEPS_MAX: usize = 2_000;

/// Before each line of a table.
const INDENT: &str = "    ";

/// A line that is longer is hard to read.
const COLUMNS_MAX: usize = 100;
/// On a terminal that is narrower, lines are broken by it, not here.
const COLUMNS_MIN: usize = 40;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const YELLOW: &str = "33";

pub(super) struct Stage {
    pub(super) report: Report,
    /// `None`: nothing is printed. Otherwise whether in colours.
    text: Option<bool>,
    /// How many calls of one kind are shown between two sentences. Zero: no word of calls.
    shown: u32,
    /// How often each kind of call has come since the last sentence.
    kinds: HashMap<String, u32>,
    /// Calls that were not shown, by name, since the last line.
    hidden: BTreeMap<String, u64>,
    /// The last line was a conclusion.
    concluding: bool,
    /// The first line that could not be written.
    pub(super) unwritten: Option<io::Error>,
    /// How many columns a sentence may take, and a table if its figures can.
    columns: usize,
    /// The line that moves while something takes time.
    pub(super) bar: ProgressBar,
}

impl Stage {
    pub(super) fn new(report: Report, text: Option<bool>, shown: u32) -> Self {
        let mut stage = Stage {
            report,
            text,
            shown,
            kinds: HashMap::new(),
            hidden: BTreeMap::new(),
            concluding: false,
            unwritten: None,
            columns: columns(),
            bar: ProgressBar::hidden(),
        };
        let number = format!("Lesson {}: ", stage.report.lesson);
        let title = wrapped(stage.columns, &number, "", stage.report.about);
        stage.print(BOLD, &title);
        stage
    }

    fn print(&mut self, colour: &str, line: &str) {
        let line = match self.text {
            None => return,
            Some(true) => format!("\x1b[{colour}m{line}\x1b[0m\n"),
            Some(false) => format!("{line}\n"),
        };
        if let Err(error) = self.bar.suspend(|| super::print(&line)) {
            self.unwritten.get_or_insert(error);
        }
    }

    fn keep(&mut self, step: Step) {
        if self.report.steps.len() < STEPS_MAX {
            self.report.steps.push(step);
        }
    }

    pub(super) fn say(&mut self, sentence: String) {
        self.tell_hidden();
        self.concluding = false;
        self.kinds.clear();
        self.print(
            "0",
            &format!("\n{}", wrapped(self.columns, "", "", &sentence)),
        );
        self.keep(Step::Say(sentence));
    }

    /// A call that was made: `send(7, "ahoy", 4, MSG_NOSIGNAL) = 4`.
    pub(super) fn call(&mut self, by: &'static str, line: &str) {
        let name = line.split('(').next().unwrap_or(line);
        let failure = line.rsplit_once(" = -1 ").map(|(_, why)| why);
        let kind = format!("{by} {name} {}", failure.unwrap_or_default());
        let seen = self.kinds.entry(kind).or_default();
        *seen += 1;
        if *seen > self.shown {
            *self.hidden.entry(name.to_owned()).or_default() += 1;
            return;
        }
        self.tell_hidden();
        self.concluding = false;
        self.print(DIM, &format!("    {by}{}{line}", pad(by)));
        let line = line.to_owned();
        self.keep(Step::Call { by, line });
    }

    /// `… 997 more: 498 recv, 499 send`
    fn tell_hidden(&mut self) {
        let hidden = std::mem::take(&mut self.hidden);
        let total: u64 = hidden.values().sum();
        if total == 0 || self.shown == 0 {
            return;
        }
        let each: Vec<String> = hidden
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let line = format!("… {total} more: {}", each.join(", "));
        self.print(DIM, &format!("    {line}"));
        self.keep(Step::More(line));
    }

    pub(super) fn finding(&mut self, name: &'static str, value: Value) {
        let earlier = self.report.findings.insert(name, value);
        debug_assert!(earlier.is_none(), "two findings are called {name}");
    }

    pub(super) fn table(&mut self, table: Table) {
        self.tell_hidden();
        self.concluding = false;
        self.print("0", "");
        let title = wrapped(self.columns, "  ", "  ", table.title);
        self.print(BOLD, &title);
        for line in table.lines(self.columns - INDENT.len()) {
            self.print("0", &format!("{INDENT}{line}"));
        }
        self.report.tables.push(table);
    }

    pub(super) fn conclude(&mut self, holds: bool, text: String) {
        self.tell_hidden();
        if !std::mem::replace(&mut self.concluding, true) {
            self.print("0", "");
        }
        let (colour, mark) = if holds { (GREEN, "=>") } else { (YELLOW, "??") };
        let lines = wrapped(self.columns, &format!("  {mark} "), "     ", &text);
        self.print(colour, &lines);
        self.report.conclusions.push(Conclusion { holds, text });
    }

    pub(super) fn refused(&mut self, line: String) {
        self.tell_hidden();
        let lines = wrapped(self.columns, "  not here: ", "     ", &line);
        self.print(YELLOW, &lines);
        self.report.refused.push(line);
    }

    pub(super) fn end(&mut self, error: Option<io::Error>, seconds: f64) {
        self.tell_hidden();
        self.bar.finish_and_clear();
        if let Some(error) = error {
            let line = format!("the lesson broke off: {error}");
            self.print(YELLOW, &format!("\n  {line}"));
            self.report.error = Some(line);
        }
        self.report.seconds = seconds;
        self.print("0", "");
    }
}

/// The width of the terminal. Where there is none, or it does not say, that of the variable COLUMNS.
fn width() -> Option<usize> {
    let terminal = terminal_size::terminal_size_of(io::stdout());
    terminal
        .map(|(width, _)| usize::from(width.0))
        .or_else(|| number(&std::env::var("COLUMNS").ok()?))
}

/// A width that is one: not 0, which a terminal says that knows of none.
fn number(text: &str) -> Option<usize> {
    text.trim().parse().ok().filter(|&width| width > 0)
}

/// How wide sentences and tables may be: what reads well where there is more room, or where nobody knows how much there is.
fn columns() -> usize {
    width().map_or(COLUMNS_MAX, |width| width.clamp(COLUMNS_MIN, COLUMNS_MAX))
}

/// A line of a list; several where it is wider than what shows it. Where nobody knows how wide that is, it stays whole.
pub(super) fn listed(head: &str, text: &str) -> String {
    let columns = width().map_or(usize::MAX, |width| width.max(COLUMNS_MIN));
    wrapped(columns, head, &" ".repeat(head.chars().count()), text)
}

/// Labels of different lengths stand above each other.
fn pad(by: &str) -> &'static str {
    const WIDTH: usize = 10;
    match by.len() {
        0 => "",
        len => &"          "[len.min(WIDTH - 1)..],
    }
}

/// Breaks a sentence into lines of readable length. Lines behind the first are quotations, and stay as they are.
fn wrapped(columns: usize, first: &str, then: &str, text: &str) -> String {
    let mut lines = first.to_owned();
    let mut column = first.chars().count();
    let (sentence, quoted) = text.split_at(text.find('\n').unwrap_or(text.len()));
    for (at, word) in sentence.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && column + 1 + width > columns {
            lines.push('\n');
            lines.push_str(then);
            column = then.chars().count();
        } else if at > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines.push_str(quoted);
    lines
}

#[cfg(test)]
mod tests;
