//! What a lesson leaves behind: its transcript, tables, named findings and conclusions, as data.
//!
//! It does not know how it is printed: [`stage`](super::stage) does that while the lesson runs, and `--json` afterwards.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Lesson;
use super::grid::{self, Column};

/// Everything that one run of `longshore lab` measured.
#[derive(Serialize)]
pub(super) struct Document {
    longshore: &'static str,
    kernel: String,
    scale: &'static str,
    lessons: Vec<Report>,
}

impl Document {
    pub(super) fn new(scale: &'static str, lessons: Vec<Report>) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Document {
            longshore: env!("CARGO_PKG_VERSION"),
            kernel: kernel.trim().to_owned(),
            scale,
            lessons,
        }
    }
}

/// What there is to run: the list of lessons, of which nothing is measured.
#[derive(Serialize)]
pub(super) struct Contents {
    longshore: &'static str,
    lessons: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    lesson: u8,
    name: &'static str,
    about: &'static str,
}

impl Contents {
    pub(super) fn new(lessons: &[Lesson]) -> Self {
        let entry = |lesson: &Lesson| Entry {
            lesson: lesson.number,
            name: lesson.name,
            about: lesson.about,
        };
        Contents {
            longshore: env!("CARGO_PKG_VERSION"),
            lessons: lessons.iter().map(entry).collect(),
        }
    }
}

/// What one lesson did and measured.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) lesson: u8,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What was said and which calls were made, in order; long runs of calls are shortened.
    pub(super) steps: Vec<Step>,
    pub(super) tables: Vec<Table>,
    /// Measured values by name, for whoever compares them.
    pub(super) findings: BTreeMap<&'static str, Value>,
    pub(super) conclusions: Vec<Conclusion>,
    /// What this machine refused, one line each.
    pub(super) refused: Vec<String>,
    /// Why the lesson broke off, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    pub(super) seconds: f64,
}

impl Report {
    pub(super) fn new(lesson: &Lesson) -> Self {
        Report {
            lesson: lesson.number,
            name: lesson.name,
            about: lesson.about,
            ..Report::default()
        }
    }

    /// Whether the lesson came to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.error.is_none()
    }
}

/// One line of the transcript.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    /// A sentence about what comes next.
    Say(String),
    /// A system call as it was made, with its answer.
    Call {
        /// Who made it; empty where only one party acts.
        #[serde(skip_serializing_if = "str::is_empty")]
        by: &'static str,
        line: String,
    },
    /// Calls of the same kind that are not shown.
    More(String),
}

/// Something that follows from the findings, or should have.
#[derive(Serialize)]
pub(super) struct Conclusion {
    /// Whether the measurement bears it out.
    pub(super) holds: bool,
    pub(super) text: String,
}

/// One measured value: a finding, or a cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Bool(bool),
    Whole(i64),
    Fraction(f64),
    /// Of which only the first digit behind the point means anything.
    Tenths(f64),
    Text(String),
}

impl Display for Value {
    /// Whole numbers with commas, fractions with about three digits.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(true) => f.write_str("yes"),
            Value::Bool(false) => f.write_str("no"),
            Value::Whole(number) => f.write_str(&commas(*number)),
            Value::Fraction(number) if number.abs() < 0.1 => write!(f, "{number:.4}"),
            Value::Fraction(number) if number.abs() < 10.0 => write!(f, "{number:.2}"),
            Value::Fraction(number) | Value::Tenths(number) => write!(f, "{number:.1}"),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// `1,234,567`
fn commas(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

macro_rules! whole {
    ($($kind:ty)*) => { $(impl From<$kind> for Value {
        fn from(number: $kind) -> Self {
            // A count beyond 2^63 does not happen in a lesson; clamped it is still wrong by less than a wrapped one.
            Value::Whole(i64::try_from(number).unwrap_or(i64::MAX))
        }
    })* };
}
whole! { u8 u16 u32 u64 usize i32 i64 }

impl From<bool> for Value {
    fn from(it: bool) -> Self {
        Value::Bool(it)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Fraction(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

/// Measured results side by side. Units stand in the names of the columns.
#[derive(Serialize)]
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Table {
    pub(super) fn new(title: &'static str, columns: &[&'static str]) -> Self {
        Table {
            title,
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: as many cells as there are columns.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Value>) {
        let cells: Vec<Value> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// The table as lines within this many columns, if that can be: numbers to the right, text to the left.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let column = |(at, &heading): (usize, &&'static str)| {
            let cells = || self.rows.iter().filter_map(move |row| row.get(at));
            let is_figure = |cell: &Value| !matches!(cell, Value::Text(_));
            Column {
                heading,
                cells: cells().map(Value::to_string).collect(),
                figures: cells().all(is_figure),
            }
        };
        let columns: Vec<Column<'_>> = self.columns.iter().enumerate().map(column).collect();
        grid::lines(&columns, width)
    }
}
