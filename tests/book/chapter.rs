//! A chapter: Markdown, with blocks that a command has printed.
//!
//! ````text
//!   <!-- output: longshore lab 1 -->       the marker
//!   ```text
//!   …                                      what is compared, and written anew on demand
//!   ```
//!   <!-- end -->
//! ````
//!
//! It does not know commands, only where their output stands. Markers within other code blocks are text.

use std::ops::Range;
use std::path::Path;

use crate::marker::Marker;

const END: &str = "<!-- end -->";

/// One output in a chapter.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) marker: Marker,
    /// What stands in the chapter now.
    pub(crate) text: String,
    /// The marker's line, from 1.
    pub(crate) line: usize,
    /// The lines between marker and end.
    inside: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Chapter {
    pub(crate) blocks: Vec<Block>,
    lines: Vec<String>,
}

impl Chapter {
    /// Finds the blocks.
    ///
    /// # Errors
    /// A sentence with the line, for the first marker that cannot be read.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            let told = |why: &str| format!("{}:{}: {why}", path.display(), at + 1);
            if let Some(end) = fenced(&lines, at) {
                at = end + 1;
            } else if let Some(marker) = Marker::parse(&lines[at]) {
                let marker = marker.map_err(|why| told(&why))?;
                let end = end(&lines, at + 1).ok_or_else(|| {
                    told("behind the marker stands a code block or nothing, and then <!-- end -->")
                })?;
                blocks.push(Block {
                    marker,
                    text: inside(&lines[at + 1..end]),
                    line: at + 1,
                    inside: at + 1..end,
                });
                at = end + 1;
            } else if lines[at].trim() == END {
                return Err(told("an end without its marker"));
            } else {
                at += 1;
            }
        }
        Ok(Chapter { blocks, lines })
    }

    /// The chapter with new texts in its blocks; `None` leaves one as it is.
    pub(crate) fn rewritten(&self, texts: &[Option<String>]) -> String {
        let mut out = String::new();
        let mut at = 0;
        for (block, text) in self.blocks.iter().zip(texts) {
            let Some(text) = text else { continue };
            push(&mut out, &self.lines[at..block.inside.start]);
            let fence = fence(text);
            let language = block.marker.language();
            for piece in [&fence, language, "\n", text.trim_end(), "\n", &fence, "\n"] {
                out.push_str(piece);
            }
            at = block.inside.end;
        }
        push(&mut out, &self.lines[at..]);
        out
    }
}

fn push(out: &mut String, lines: &[String]) {
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
}

/// How many backticks the line begins with, if that opens or closes a code block.
fn ticks(line: &str) -> Option<usize> {
    let count = line.len() - line.trim_start_matches('`').len();
    (count >= 3).then_some(count)
}

/// The last line of the code block that begins at `at`, if one does. One without an end goes to the chapter's end.
fn fenced(lines: &[String], at: usize) -> Option<usize> {
    let opened = ticks(&lines[at])?;
    let closes = |line: &String| {
        ticks(line).is_some_and(|count| count >= opened) && line.trim_matches('`').trim().is_empty()
    };
    let end = lines[at + 1..].iter().position(closes);
    Some(end.map_or(lines.len() - 1, |end| at + 1 + end))
}

/// The line of the end, behind at most one code block.
fn end(lines: &[String], from: usize) -> Option<usize> {
    let skip_empty = |from: usize| (from..lines.len()).find(|at| !lines[*at].trim().is_empty());
    let mut at = skip_empty(from)?;
    if let Some(last) = fenced(lines, at) {
        at = skip_empty(last + 1)?;
    }
    (lines[at].trim() == END).then_some(at)
}

/// What stands within the code block among these lines.
fn inside(lines: &[String]) -> String {
    let begin = lines.iter().position(|line| ticks(line).is_some());
    let Some(begin) = begin else {
        return String::new();
    };
    let end = fenced(lines, begin).unwrap_or(begin);
    lines[begin + 1..end].join("\n")
}

/// More backticks than the text has anywhere.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

mod tests;
