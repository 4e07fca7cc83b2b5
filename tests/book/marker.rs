//! The line above a block: what prints it, and which part of that is shown.
//!
//! ```text
//!   <!-- output[, ATTRIBUTE]…: COMMAND[, ATTRIBUTE]… -->
//!
//!   ATTRIBUTE   figures vary            numbers differ from run to run: words, rows and their order are compared
//!               order varies            within a paragraph, the same lines may come in any order
//!               calls vary              threads take turns by chance: lines that show a call are not compared
//!               exit N                  the command ends with this code, and not with 0
//!               needs io_uring          or CAP_NET_RAW, strace: skipped, loudly, where that is refused
//!               lines A..B              both ends included, from 1
//!               from "…" to "…"         from the first line that holds the one to the next that holds the other
//! ```

use crate::command::Command;

/// What a block may need that not every machine allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    IoUring,
    RawPackets,
    Strace,
}

/// Which lines of an output stand in the chapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// From 1, both ends included.
    Lines(usize, usize),
    /// From the first line that holds the text, to the next one that holds the other, if there is another.
    Between(String, Option<String>),
}

impl Part {
    /// The chosen lines.
    ///
    /// # Errors
    /// A sentence, if there are no such lines.
    pub(crate) fn of(&self, text: &str) -> Result<String, String> {
        let lines: Vec<&str> = text.lines().collect();
        let (from, to) = match self {
            Part::All => (0, lines.len()),
            Part::Lines(from, to) => {
                if *from == 0 || from > to || *to > lines.len() {
                    return Err(format!("lines {from}..{to} of {}", lines.len()));
                }
                (from - 1, *to)
            }
            Part::Between(from, to) => {
                let find = |start: usize, wanted: &str| {
                    let found = lines[start..].iter().position(|line| line.contains(wanted));
                    found
                        .map(|at| start + at)
                        .ok_or(format!("no line has {wanted:?}"))
                };
                let start = find(0, from)?;
                let end = match to {
                    Some(to) => find(start, to)? + 1,
                    None => lines.len(),
                };
                (start, end)
            }
        };
        Ok(lines[from..to].join("\n"))
    }
}

/// A marker, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) command: Command,
    pub(crate) part: Part,
    pub(crate) figures_vary: bool,
    pub(crate) order_varies: bool,
    pub(crate) calls_vary: bool,
    pub(crate) exit: i32,
    pub(crate) needs: Vec<Need>,
}

impl Marker {
    /// Reads a line of a chapter; `None` if it is no marker.
    pub(crate) fn parse(line: &str) -> Option<Result<Self, String>> {
        let inside = line.trim().strip_prefix("<!-- output")?;
        Some(Self::inside(inside).map_err(|why| format!("{why} in `{}`", line.trim())))
    }

    fn inside(inside: &str) -> Result<Self, String> {
        let inside = inside
            .strip_suffix("-->")
            .ok_or("the marker has no end `-->`")?
            .trim();
        let colon = outside_quotes(inside, ":").next();
        let colon = colon.ok_or("no `:` before the command")?;
        let mut after = split(inside[colon + 1..].trim());
        let command = Command::parse(after.remove(0))?;
        let mut marker = Marker {
            command,
            part: Part::All,
            figures_vary: false,
            order_varies: false,
            calls_vary: false,
            exit: 0,
            needs: Vec::new(),
        };
        let before = split(&inside[..colon]).into_iter().skip(1);
        for attribute in before.chain(after) {
            marker.add(attribute)?;
        }
        Ok(marker)
    }

    fn add(&mut self, attribute: &str) -> Result<(), String> {
        let unknown = || format!("no attribute is called `{attribute}`");
        let (name, value) = attribute.split_once(' ').ok_or_else(unknown)?;
        match (name, value) {
            ("figures", "vary") => self.figures_vary = true,
            ("order", "varies") => self.order_varies = true,
            ("calls", "vary") => self.calls_vary = true,
            ("exit", code) => self.exit = code.parse().map_err(|_| unknown())?,
            ("needs", "io_uring") => self.needs.push(Need::IoUring),
            ("needs", "CAP_NET_RAW") => self.needs.push(Need::RawPackets),
            ("needs", "strace") => self.needs.push(Need::Strace),
            ("lines", range) => {
                let ends = range
                    .split_once("..")
                    .and_then(|(from, to)| Some(Part::Lines(from.parse().ok()?, to.parse().ok()?)));
                self.part = ends.ok_or_else(unknown)?;
            }
            ("from", texts) => {
                let pieces: Vec<&str> = texts.split('"').collect();
                self.part = match pieces[..] {
                    ["", from, ""] => Part::Between(from.to_owned(), None),
                    ["", from, " to ", to, ""] => {
                        Part::Between(from.to_owned(), Some(to.to_owned()))
                    }
                    _ => return Err(unknown()),
                };
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

/// Where `wanted` stands outside of double quotes.
fn outside_quotes<'t>(text: &'t str, wanted: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(wanted)
        .map(|(at, _)| at)
        .filter(|at| text[..*at].matches('"').count().is_multiple_of(2))
}

/// The pieces between commas.
fn split(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    for comma in outside_quotes(text, ", ") {
        pieces.push(text[begin..comma].trim());
        begin = comma + 2;
    }
    pieces.push(text[begin..].trim());
    pieces
}

mod tests;
