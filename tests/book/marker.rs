//! The line above a block: what prints it, and which part of that is shown.
//!
//! ```text
//!   <!-- output[, ATTRIBUTE]…: COMMAND[, ATTRIBUTE]… -->
//!
//!   ATTRIBUTE   figures vary            numbers differ from run to run: words, rows and their order are compared
//!               order varies            within a paragraph, the same lines may come in any order
//!               calls vary              threads take turns by chance: lines that show a call are not compared
//!               pace varies             who is faster decides: waits, turns, calls that found nothing, and the calls
//!                                       that ask to be woken are not compared
//!               while CLIENT            the command is a server, and this runs beside it: what the server prints
//!               beside SERVER           the other end of the same run: what the client prints
//!               typed, typed to cargo   the block begins with `$ ` and the command, as a reader types it
//!               exit N                  the command ends with this code, and not with 0
//!               needs io_uring          or CAP_NET_RAW, strace: skipped, loudly, where that is refused
//!               lines A..B              both ends included, from 1
//!               from "…" to "…"         from the first line that holds the one to the next that holds the other
//!
//!   COMMAND | tail -n N                 the last lines
//! ```

use crate::command::Command;
use crate::pairs::{Pair, Side};

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
    /// So many at the end.
    Last(usize),
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
            Part::Last(count) => (lines.len().saturating_sub(*count), lines.len()),
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
    pub(crate) pace_varies: bool,
    /// What stands above the output, if the block shows what is typed.
    pub(crate) typed: Option<String>,
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
        let text = after.remove(0);
        let before = split(&inside[..colon]).into_iter().skip(1);
        let attributes: Vec<&str> = before.chain(after).collect();
        let (run, last) = match text.split_once(" | tail -n ") {
            Some((run, count)) => (run, Some(count)),
            None => (text, None),
        };
        let last = last.map(|count| { count.parse() }.map_err(|_| format!("{count} lines")));
        let mut marker = Marker {
            command: command(run, &attributes)?,
            part: last.transpose()?.map_or(Part::All, Part::Last),
            figures_vary: false,
            order_varies: false,
            calls_vary: false,
            pace_varies: false,
            typed: None,
            exit: 0,
            needs: Vec::new(),
        };
        for attribute in attributes {
            marker.add(attribute, text)?;
        }
        Ok(marker)
    }

    /// What the block is marked as in Markdown.
    pub(crate) fn language(&self) -> &str {
        match self.typed {
            Some(_) => "console",
            None => self.command.language(),
        }
    }

    /// `text`: the command that the marker names.
    fn add(&mut self, attribute: &str, text: &str) -> Result<(), String> {
        let unknown = || format!("no attribute is called `{attribute}`");
        let (name, value) = attribute.split_once(' ').unwrap_or((attribute, ""));
        match (name, value) {
            ("figures", "vary") => self.figures_vary = true,
            ("order", "varies") => self.order_varies = true,
            ("calls", "vary") => self.calls_vary = true,
            ("pace", "varies") => self.pace_varies = true,
            // Part of the command.
            ("while" | "beside", _) => {}
            ("typed", "") => self.typed = Some(format!("$ {text}")),
            ("typed", "to cargo") => self.typed = Some(format!("$ {}", to_cargo(text))),
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

/// What prints the block: one command, or one of two that run beside each other.
fn command(text: &str, attributes: &[&str]) -> Result<Command, String> {
    for attribute in attributes {
        if let Some(client) = attribute.strip_prefix("while ") {
            return Ok(Command::Pair(Pair::parse(text, client)?, Side::Server));
        }
        if let Some(server) = attribute.strip_prefix("beside ") {
            return Ok(Command::Pair(Pair::parse(server, text)?, Side::Client));
        }
    }
    Command::parse(text)
}

/// The command for who has built nothing yet. `-q`: without cargo's own lines.
fn to_cargo(text: &str) -> String {
    match text.strip_prefix("example ") {
        Some(name) => format!("cargo run -q --example {name}"),
        None => text.replacen("longshore ", "cargo run -q --release -- ", 1),
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
