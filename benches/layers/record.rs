//! The recorded counts: a file in the tree that says what they were counted with.
//!
//! ```text
//!   # prose
//!   ! what they depend on, a line each: compiler, valgrind, C library, processor
//!   case count
//! ```
//!
//! Counts are compared only where every line of the second kind is the same.
#![forbid(unsafe_code)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::{PROCESSOR, callgrind};

/// Where they are.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

const PROSE: &str = "\
# Instructions per unit. Written by `cargo bench -- --record`, compared by `cargo bench -- --check`, which allows 1 %.
# A change of these counts is a change of the program: its commit says the reason.
# valgrind emulates a processor with AVX2 and without AVX-512, whatever runs it; code that is chosen at run time chooses so.
";

/// What was counted, and with what.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Record {
    /// What the counts depend on.
    pub(crate) tools: Vec<String>,
    /// Cases with their counts, in the order of the tables.
    pub(crate) counts: Vec<(String, f64)>,
}

impl Record {
    /// The one in the tree.
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        let mut record = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(tool) = line.strip_prefix("! ") {
                record.tools.push(tool.to_owned());
            } else if let Some((name, count)) = line.split_once(' ') {
                let count = count.trim().parse();
                let count = count.map_err(|_| format!("{PATH}: no count: {line}"))?;
                record.counts.push((name.to_owned(), count));
            }
        }
        Ok(record)
    }

    /// Puts this one in its place.
    pub(crate) fn write(&self) -> Result<(), String> {
        let mut text = PROSE.to_owned();
        for tool in &self.tools {
            writeln!(text, "! {tool}").expect("memory takes all text");
        }
        for (name, count) in &self.counts {
            writeln!(text, "{name:<40} {count:>12.2}").expect("memory takes all text");
        }
        fs::write(PATH, text).map_err(|error| format!("{PATH}: {error}"))
    }

    /// The count of a case.
    pub(crate) fn count(&self, name: &str) -> Option<f64> {
        let found = self.counts.iter().find(|(known, _)| known == name);
        found.map(|(_, count)| *count)
    }
}

/// What counts depend on here; an error if nothing can be counted.
pub(crate) fn tools() -> Result<Vec<String>, String> {
    if cfg!(debug_assertions) {
        return Err("this is no optimised build".to_owned());
    }
    let valgrind = callgrind::version().ok_or("valgrind cannot be run")?;
    let libc = said(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut under_valgrind = Command::new("valgrind");
    under_valgrind.args(["--tool=none", "-q"]).arg(program);
    let processor = said(under_valgrind.arg(PROCESSOR))?;
    Ok(vec![callgrind::compiler(), valgrind, libc, processor])
}

/// The first line that a program says.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    let line = text.and_then(|text| text.lines().next().map(str::to_owned));
    line.ok_or_else(|| format!("{} failed", command.get_program().display()))
}

/// What this program sees of the processor, and what it was compiled for.
#[cfg(target_arch = "x86_64")]
pub(crate) fn processor() -> String {
    let features = [
        (
            "sse4.2",
            is_x86_feature_detected!("sse4.2"),
            cfg!(target_feature = "sse4.2"),
        ),
        (
            "avx2",
            is_x86_feature_detected!("avx2"),
            cfg!(target_feature = "avx2"),
        ),
        (
            "bmi2",
            is_x86_feature_detected!("bmi2"),
            cfg!(target_feature = "bmi2"),
        ),
        (
            "sha",
            is_x86_feature_detected!("sha"),
            cfg!(target_feature = "sha"),
        ),
        (
            "avx512bw",
            is_x86_feature_detected!("avx512bw"),
            cfg!(target_feature = "avx512bw"),
        ),
    ];
    let words = features.map(|(name, seen, compiled)| match (seen, compiled) {
        (_, true) => format!("{name} (compiled in)"),
        (true, _) => name.to_owned(),
        (false, _) => format!("no {name}"),
    });
    format!("x86_64: {}", words.join(", "))
}

/// What this program was compiled for.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn processor() -> String {
    env::consts::ARCH.to_owned()
}
