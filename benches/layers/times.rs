//! Times: throughput and latency apart.
//!
//! ```text
//!   throughput  ├ unit unit unit unit … ┤  one slice, many units: the processor works on several at a time
//!   latency     ├unit┤ ├unit┤ ├unit┤ …    each between two readings of the clock, less an empty one
//! ```
//!
//! A reading of the clock waits until everything before it is done (the kernel's clock_gettime begins with a fence), so
//! a unit alone cannot overlap with the one before. Latency is the mean of the middle half: the clock counts whole
//! nanoseconds, and what disturbs a unit by much is not in it.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::case::Work;
use crate::{callgrind, cases};

const SLICES: usize = 11;
const SLICE: Duration = Duration::from_millis(20);
/// Units alone of one case, at most.
const ALONE_MAX: usize = 20_000;

/// Prints the table of the cases with `part` in their names.
pub(crate) fn show(part: &str) {
    println!(
        "{}, throughput: median of {SLICES} slices of {} ms; latency: one unit alone",
        callgrind::compiler(),
        SLICE.as_millis()
    );
    println!(
        "\n| case | bytes | ns per unit (lowest – highest) | million units/s | GB/s | latency, ns |\n|---|---|---|---|---|---|"
    );
    let mut nothing: Work = Box::new(|units| units);
    let empty = latency(&mut nothing);
    for case in cases(part) {
        let mut work = (case.work)();
        let mut nanos: Vec<f64> = (0..=SLICES)
            .map(|_| slice(&mut work, case.bytes))
            .skip(1)
            .collect();
        nanos.sort_by(f64::total_cmp);
        let (low, median, high) = (nanos[0], nanos[SLICES / 2], nanos[SLICES - 1]);
        let (millions, rate) = (1e3 / median, case.bytes as f64 / median);
        if let Some(alone) = case.alone {
            work = alone();
        }
        let alone = latency(&mut work) - empty;
        println!(
            "| {} | {} | {median:.1} ({low:.1} – {high:.1}) | {millions:.2} | {rate:.2} | {alone:.1} |",
            case.name, case.bytes
        );
    }
}

/// Nanoseconds per unit over one slice.
fn slice(work: &mut Work, bytes: usize) -> f64 {
    let batch = 16 + (64 << 10) / bytes.max(64);
    let (start, mut units) = (Instant::now(), 0);
    loop {
        units += work(batch);
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return elapsed.as_secs_f64() * 1e9 / units as f64;
        }
    }
}

/// Nanoseconds of one unit with the two readings of the clock around it.
fn latency(work: &mut Work) -> f64 {
    let began = Instant::now();
    let mut nanos = Vec::with_capacity(ALONE_MAX);
    while nanos.len() < ALONE_MAX && (nanos.len() < 16 || began.elapsed() < 2 * SLICE) {
        let start = Instant::now();
        black_box(work(1));
        nanos.push(start.elapsed().as_nanos() as f64);
    }
    nanos.sort_by(f64::total_cmp);
    let middle = &nanos[nanos.len() / 4..nanos.len() - nanos.len() / 4];
    middle.iter().sum::<f64>() / middle.len() as f64
}
