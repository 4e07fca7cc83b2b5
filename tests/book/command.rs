//! The closed list of what a block may show: a chapter cannot run anything else.
//!
//! ```text
//!   longshore ARGUMENTS…        the program of this build
//!   example NN_name ARGUMENTS…  an example of this build
//!   session NAME                a scripted session, traced: see `sessions.rs`
//!   longshore …, while …        a server and a client by what a reader types: see `pairs.rs`
//!   source PATH [ITEM]          lines of a file: all, `doc` (its head comment), `fn name`, `fn Type::name`, `enum Name`, …
//! ```

use std::path::Path;
use std::sync::OnceLock;

use crate::built::built;
use crate::marker::Need;
use crate::pairs::{Pair, Side};
use crate::process;
use crate::sessions;
use crate::source;

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

/// What prints a block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    Longshore(Vec<String>),
    Example(String, Vec<String>),
    Session(String),
    Pair(Pair, Side),
    Source(String, Option<String>),
}

/// What a command printed, and its exit code.
#[derive(Clone, Debug)]
pub(crate) struct Printed {
    pub(crate) text: String,
    pub(crate) exit: i32,
}

impl Command {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let shape = words.next().unwrap_or_default();
        let rest: Vec<String> = words.collect();
        match (shape.as_str(), &rest[..]) {
            ("longshore", [_, ..]) => Ok(Command::Longshore(rest)),
            ("example", [name, arguments @ ..]) if is_name(name) => {
                Ok(Command::Example(name.clone(), arguments.to_vec()))
            }
            ("session", [name]) => Ok(Command::Session(name.clone())),
            ("source", [path, item @ ..]) => {
                let steps = Path::new(path).components();
                let inside = { steps }.all(|step| matches!(step, std::path::Component::Normal(_)));
                if !inside {
                    return Err(format!("{path} is no file of this repository"));
                }
                let item = (!item.is_empty()).then(|| item.join(" "));
                Ok(Command::Source(path.clone(), item))
            }
            _ => Err(format!("`{text}` is no command of the book")),
        }
    }

    /// Whether every character counts: what is printed holds nothing that was measured or chosen by the kernel.
    pub(crate) fn is_exact(&self) -> bool {
        const EXACT: [&str; 5] = ["--help", "-h", "help", "--version", "-V"];
        match self {
            Command::Source(..) => true,
            Command::Longshore(words) => words.iter().any(|word| EXACT.contains(&word.as_str())),
            Command::Example(..) | Command::Session(_) | Command::Pair(..) => false,
        }
    }

    /// What it is marked as in Markdown.
    pub(crate) fn language(&self) -> &str {
        match self {
            Command::Source(path, _) => match path.rsplit_once('.') {
                Some((_, "rs")) => "rust,ignore",
                Some((_, other @ ("toml" | "sh" | "js" | "html"))) => other,
                _ => "text",
            },
            _ => "text",
        }
    }

    /// What it cannot do without.
    pub(crate) fn needs(&self) -> &'static [Need] {
        match self {
            Command::Session(name) if name.ends_with("io-uring") => &[Need::IoUring],
            Command::Session(name) if name.starts_with("layers") => &[Need::RawPackets],
            _ => &[],
        }
    }

    /// Runs it, within bounds.
    pub(crate) fn run(&self) -> Result<Printed, String> {
        let told = |text| Printed { text, exit: 0 };
        match self {
            Command::Longshore(words) => process::run(PROGRAM.as_ref(), words),
            Command::Example(name, words) => process::run(built(name).as_ref(), words),
            Command::Session(name) => sessions::run(name).map(told),
            Command::Pair(pair, side) => pair.run(*side),
            Command::Source(path, item) => source::quote(path, item.as_deref()).map(told),
        }
    }
}

/// Whether it can be the name of an example, and no path.
fn is_name(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Need {
    /// Why it is refused here, if it is.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        static IO_URING: OnceLock<bool> = OnceLock::new();
        static STRACE: OnceLock<bool> = OnceLock::new();
        let (allowed, why) = match self {
            Need::IoUring => (*IO_URING.get_or_init(io_uring), "io_uring is refused here"),
            Need::RawPackets => (raw_packets(), "CAP_NET_RAW is not given to this process"),
            Need::Strace => {
                let found = || process::run("strace".as_ref(), &["--version".to_owned()]).is_ok();
                (*STRACE.get_or_init(found), "strace is not installed")
            }
        };
        (!allowed).then_some(why)
    }
}

/// Asks the program, which asks the kernel by doing.
fn io_uring() -> bool {
    let doctor = process::run(PROGRAM.as_ref(), &["doctor".to_owned()]);
    doctor.is_ok_and(|printed| {
        let mut lines = printed.text.lines();
        lines.any(|line| line.starts_with("ok") && line.contains("io-uring"))
    })
}

/// Bit 13 of the effective capabilities (capabilities(7)).
fn raw_packets() -> bool {
    const CAP_NET_RAW: u32 = 13;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    effective.is_some_and(|bits| bits >> CAP_NET_RAW & 1 == 1)
}
