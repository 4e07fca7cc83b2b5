//! Frames a second in memory: longshore's decoder beside tungstenite, fastwebsockets and tokio-websockets.
//!
//! ```text
//!   frames [SLICES]             times, interleaved: A B C D, A B C D …
//!   frames --instructions       instructions per frame, counted by callgrind
//! ```
//!
//! Everybody gets the same bytes in the same 64 KiB reads and yields whole messages. `benches/compare-frames` builds
//! and runs it.
#![forbid(unsafe_code)]

mod callgrind;
mod readers;
mod sample;
mod wire;

use std::time::{Duration, Instant};

use readers::{NAMES, Reader, reader};

use sample::Row;

/// Which columns hold the others: not longshore, not the copy.
const OTHERS: std::ops::Range<usize> = 1..NAMES.len() - 1;

/// Long enough to outlast a clock's steps, short enough that a disturbance hits neighbours alike.
const SLICE: Duration = Duration::from_millis(40);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => times(15),
        ["--instructions"] => instructions(),
        ["--count", name, row, messages] => count(name, row, messages),
        [slices] if slices.parse::<usize>().is_ok_and(|slices| slices > 0) => {
            times(slices.parse().expect("just parsed"));
        }
        _ => {
            eprintln!("frames: SLICES (a number), --instructions, or nothing");
            std::process::exit(2);
        }
    }
}

fn times(slices: usize) {
    println!(
        "{}, {slices} slices of {} ms",
        callgrind::compiler(),
        SLICE.as_millis()
    );
    println!("\nMillion frames a second: median (lowest – highest)\n");
    println!(
        "| frames | {} | longshore ÷ best other |",
        NAMES.join(" | ")
    );
    println!("|---|{}", "---|".repeat(NAMES.len() + 1));
    for row in Row::all() {
        let mut readers = NAMES.map(|name| open(name, row));
        let mut rates = NAMES.map(|_| Vec::new());
        for reader in &mut readers {
            rate(reader.as_mut(), row); // the first slice only warms caches and predictors
        }
        for _ in 0..slices {
            for (reader, rates) in readers.iter_mut().zip(&mut rates) {
                rates.push(rate(reader.as_mut(), row));
            }
        }
        // Neighbours in time are compared, so that what disturbs a slice disturbs both sides of its ratio.
        let mut ratios: Vec<f64> = (0..slices)
            .map(|slice| {
                rates[0][slice] / rates[OTHERS].iter().map(|r| r[slice]).fold(0.0, f64::max)
            })
            .collect();
        let cells = rates.each_mut().map(|rates| spread(rates));
        println!(
            "| {} | {} | {} |",
            row.name(),
            cells.join(" | "),
            spread(&mut ratios)
        );
    }
}

/// Million frames a second, over one slice.
fn rate(reader: &mut dyn Reader, row: Row) -> f64 {
    let batch = (256 << 10) / row.payload_bytes;
    let start = Instant::now();
    let mut read = 0;
    loop {
        read += reader.read(batch, row.payload_bytes);
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return read as f64 / elapsed.as_secs_f64() / 1e6;
        }
    }
}

fn spread(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let [low, .., high] = values[..] else {
        return format!("{:.2}", values[0]);
    };
    format!("{:.2} ({low:.2} – {high:.2})", values[values.len() / 2])
}

fn instructions() {
    let Some(version) = callgrind::version() else {
        eprintln!("frames: valgrind cannot be run, so no instructions are counted");
        std::process::exit(callgrind::SKIPPED);
    };
    println!("{version}, {}", callgrind::compiler());
    println!("\nInstructions per frame, the copy into the reader's buffer included\n");
    println!(
        "| frames | {} | best other ÷ longshore |",
        NAMES.join(" | ")
    );
    println!("|---|{}", "---|".repeat(NAMES.len() + 1));
    for row in Row::all() {
        let messages = (2 << 20) / row.payload_bytes;
        let counts = NAMES.map(|name| {
            callgrind::instructions_per_unit(&["--count", name, &row.name()], messages)
        });
        let best = counts[OTHERS].iter().copied().fold(f64::INFINITY, f64::min);
        let cells = counts.map(|count| format!("{count:.0}"));
        println!(
            "| {} | {} | {:.2} |",
            row.name(),
            cells.join(" | "),
            best / counts[0]
        );
    }
}

/// Reads messages and says how many, for callgrind to watch.
fn count(name: &str, row: &str, messages: &str) {
    let row = Row::all()
        .find(|candidate| candidate.name() == row)
        .expect("a row's name");
    let messages = messages.parse().expect("a number of messages");
    println!("{}", open(name, row).read(messages, row.payload_bytes));
}

fn open(name: &str, row: Row) -> Box<dyn Reader> {
    reader(name, row.frames()).expect("a name of the list")
}
