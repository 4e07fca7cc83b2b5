//! What each layer costs by itself, in memory: request heads, chunks, replies, WebSocket frames, and whole turns of a
//! connection without a socket.
//!
//! ```text
//!   cargo bench                          times: throughput and latency of every case
//!   cargo bench -- head                  of those with `head` in their names
//!   cargo bench -- --instructions        instructions per unit, counted by callgrind
//!   cargo bench -- --check               the same, beside the recorded ones: exit code 1 if one is off by over 1 %
//!   cargo bench -- --record              writes them to benches/instructions.txt
//! ```
//!
//! Exit code 77: the counts cannot be compared here, with the reason. For other crates' frame decoders beside this one see
//! `benches/compare-frames`.
#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]

#[path = "../frames/src/callgrind.rs"]
mod callgrind;
mod case;
mod frames;
mod gate;
mod http;
mod record;
#[path = "../frames/src/sample.rs"]
mod sample;
mod times;
mod turn;

use std::process::ExitCode;

use case::Case;

/// How this program is called under valgrind: with a case's name and a number of units.
const COUNT: &str = "--count";
/// Or to say what it sees of the processor there.
const PROCESSOR: &str = "--processor";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` says so; `cargo test --all-targets` does not.
    let timed = arguments.iter().any(|argument| argument == "--bench");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let asked: Vec<&str> = (arguments.iter().copied())
        .filter(|argument| *argument != "--bench")
        .collect();
    match asked[..] {
        [COUNT, name, units] => count(name, units),
        [PROCESSOR] => println!("{}", record::processor()),
        ["--instructions"] => return gate::show(""),
        ["--instructions", part] => return gate::show(part),
        ["--check"] => return gate::check(),
        ["--record"] => return gate::record(),
        [] if timed => times::show(""),
        [part] if timed && !part.starts_with('-') => times::show(part),
        // Without `--bench`, one unit of each shows that they work.
        [] => cases("").for_each(|case| {
            (case.work)()(1);
        }),
        _ => {
            eprintln!(
                "layers: nothing, a part of a name, --instructions [PART], --check or --record"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The rows of the tables whose names have `part` in them.
fn cases(part: &str) -> impl Iterator<Item = Case> {
    let all = http::cases()
        .into_iter()
        .chain(frames::cases())
        .chain(turn::cases());
    all.filter(move |case| case.name.contains(part))
}

/// Does one case's work and says how many units, for callgrind to watch.
fn count(name: &str, units: &str) {
    let case = cases(name)
        .find(|case| case.name == name)
        .expect("a case's name");
    println!(
        "{}",
        (case.work)()(units.parse().expect("a number of units"))
    );
}
