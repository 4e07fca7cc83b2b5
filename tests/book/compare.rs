//! Runs what the chapters name, compares, and writes the chapters anew if that is wanted.
//!
//! Each command runs once, however many blocks show a part of it, so that all of them tell of the same run.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use similar::TextDiff;

use crate::chapter::{Block, Chapter};
use crate::command::{Command, Printed};
use crate::normal::{Figures, normal};
use crate::process::root;

/// What to do with a block that is out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Compare,
    /// A chapter with such a block gets fresh output in all of its blocks, so that they agree with each other.
    Write,
}

/// The Markdown files of a folder, in their order.
pub(crate) fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    pages.sort();
    pages
}

/// Holds every block below the folder to what its command prints. `only`: a part of the names of the files to look at.
/// The faults, each a text for a reader.
pub(crate) fn outputs(folder: &Path, mode: Mode, only: &str) -> Vec<String> {
    let mut runs = Runs::default();
    let mut faults = Vec::new();
    for page in pages(folder) {
        if page.to_string_lossy().contains(only) {
            faults.extend(runs.page(&page, mode));
        }
    }
    faults
}

/// What has been printed so far.
#[derive(Default)]
struct Runs(HashMap<Command, Result<Printed, String>>);

impl Runs {
    fn page(&mut self, path: &Path, mode: Mode) -> Vec<String> {
        let text = fs::read_to_string(path).expect("a page is text");
        let name = path.strip_prefix(root()).unwrap_or(path);
        let chapter = match Chapter::parse(name, &text) {
            Ok(chapter) => chapter,
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        let mut texts = Vec::new();
        let mut is_stale = false;
        for block in &chapter.blocks {
            let place = format!("{}:{}", name.display(), block.line);
            if let Some(why) = refusal(block) {
                // Not `eprintln!`: the harness would swallow it when the test passes.
                let _ = writeln!(std::io::stderr(), "SKIPPED {place}: {why}");
                texts.push(None);
                continue;
            }
            let fresh = self.part(block);
            match &fresh {
                Err(why) => faults.push(format!("{place}: {why}")),
                Ok(fresh) => {
                    if let Some(diff) = difference(block, fresh) {
                        is_stale = true;
                        if mode == Mode::Compare {
                            faults.push(format!("{place} is out of date:\n{diff}"));
                        }
                    }
                }
            }
            texts.push(fresh.ok());
        }
        if is_stale && mode == Mode::Write {
            fs::write(path, chapter.rewritten(&texts)).expect("the page can be written");
        }
        faults
    }

    /// What the block's command prints, and of that the block's part.
    fn part(&mut self, block: &Block) -> Result<String, String> {
        let command = &block.marker.command;
        let run = self
            .0
            .entry(command.clone())
            .or_insert_with(|| command.run());
        let printed = run.as_ref().map_err(Clone::clone)?;
        if printed.exit != block.marker.exit {
            return Err(format!(
                "exit code {}, and not {}:\n{}",
                printed.exit, block.marker.exit, printed.text
            ));
        }
        let part = block.marker.part.of(&printed.text)?;
        // Colours have no business in a book, nor have the spaces behind a line.
        let output = normal(&part, Figures::Exact);
        Ok(match &block.marker.typed {
            Some(typed) => format!("{typed}\n{output}"),
            None => output,
        })
    }
}

/// Why the block cannot be looked at here.
fn refusal(block: &Block) -> Option<&'static str> {
    let needs = { block.marker.needs.iter() }.chain(block.marker.command.needs());
    { needs }.find_map(|need| need.refusal())
}

/// What differs once everything is taken away that may, as lines with `-` (the chapter) and `+` (the command).
fn difference(block: &Block, fresh: &str) -> Option<String> {
    let figures = match () {
        () if block.marker.figures_vary => Figures::Vary,
        () if block.marker.command.is_exact() => Figures::Exact,
        () => Figures::Usual,
    };
    let comparable = |text: &str| {
        // What is typed is no output: every character counts.
        let (typed, text) = match &block.marker.typed {
            Some(_) => text.split_once('\n').unwrap_or((text, "")),
            None => ("", text),
        };
        let text = if block.marker.pace_varies {
            &without_pace(text)
        } else {
            text
        };
        let mut text = normal(text, figures);
        if block.marker.calls_vary {
            text = without_calls(&text);
        }
        if block.marker.order_varies {
            text = sorted(&text);
        }
        match typed {
            "" => text + "\n",
            typed => format!("{typed}\n{text}\n"),
        }
    };
    let (old, new) = (comparable(&block.text), comparable(fresh));
    (old != new).then(|| {
        let diff = TextDiff::from_lines(&old, &new);
        diff.unified_diff().context_radius(2).to_string()
    })
}

/// The text without the lines that show a call or say how many were left out: `    client    read(5, "x", 1) = 1`.
fn without_calls(text: &str) -> String {
    let call = Regex::new(r"^\s*([\w-]+\s+)?\w+\(.*\) = ").expect("a pattern");
    let is_call = |line: &&str| call.is_match(line) || line.trim_start().starts_with('…');
    let rest: Vec<&str> = text.lines().filter(|line| !is_call(line)).collect();
    rest.join("\n")
}

/// A trace without what depends on who was faster, the server or its client: whether a call found something at once, and
/// with it how often the server waited.
fn without_pace(text: &str) -> String {
    const PACE: [&str; 5] = [
        " epoll_wait(",
        " epoll_pwait2(",
        " epoll_ctl(",
        " = -1 EAGAIN ",
        " ── turn ",
    ];
    let is_pace = |line: &&str| PACE.iter().any(|pace| line.contains(pace));
    let rest: Vec<&str> = text.lines().filter(|line| !is_pace(line)).collect();
    rest.join("\n")
}

/// The lines of each paragraph in one order, whatever order they came in.
fn sorted(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let mut lines: Vec<&str> = paragraph.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn what_threads_do_by_chance_can_be_left_out() {
    let text = "Two threads.\n    client  write(5, \"a = b\", 5) = 5\n    read(4, \"\", 1) = -1 EAGAIN\n    … 3 more: 3 read\n\n  b 1\n  a 2\n";
    assert_eq!(without_calls(text), "Two threads.\n\n  b 1\n  a 2");
    assert_eq!(sorted("c\nb\n\nd\na\n"), "b\nc\n\na\nd");
}
