//! The gate: counts of instructions beside the recorded ones.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::record::{self, Record};
use crate::{COUNT, callgrind, cases};

/// How far a count may be off, up or down.
const TOLERANCE: f64 = 0.01;
/// Bytes of all units that are counted of one case, if that is not too few or too many units. What a run costs besides
/// is taken off exactly, so little will do.
const COUNTED_BYTES: usize = 1 << 20;

/// Prints the counts of the cases with `part` in their names.
pub(crate) fn show(part: &str) -> ExitCode {
    let tools = match record::tools() {
        Ok(tools) => tools,
        Err(why) => return skipped(&why),
    };
    println!(
        "{}\n\n| case | instructions per unit |\n|---|---|",
        tools.join(", ")
    );
    for (name, count) in measure(part, true) {
        println!("| {name} | {count:.1} |");
    }
    ExitCode::SUCCESS
}

/// Writes the counts into the tree.
pub(crate) fn record() -> ExitCode {
    let tools = match record::tools() {
        Ok(tools) => tools,
        Err(why) => return skipped(&why),
    };
    let before = Record::read().unwrap_or_default();
    let counts = measure("", false);
    let now = Record { tools, counts };
    compare(&before, &now);
    match now.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("layers: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Compares the counts with those in the tree.
pub(crate) fn check() -> ExitCode {
    let recorded = match Record::read() {
        Ok(recorded) => recorded,
        Err(why) => {
            eprintln!("layers: {why}");
            return ExitCode::FAILURE;
        }
    };
    let tools = match record::tools() {
        Ok(tools) if tools == recorded.tools => tools,
        Ok(tools) => {
            let differing = tools.iter().filter(|tool| !recorded.tools.contains(tool));
            let differing: Vec<&str> = differing.map(String::as_str).collect();
            let there = recorded.tools.join(", ");
            return skipped(&format!("{}; recorded with {there}", differing.join(", ")));
        }
        Err(why) => return skipped(&why),
    };
    let counts = measure("", false);
    let off = compare(&recorded, &Record { tools, counts });
    if off == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "layers: {off} cases are off by more than {} %. If that is meant: cargo bench -- --record, and say why in the commit.",
        TOLERANCE * 100.0
    );
    ExitCode::FAILURE
}

fn skipped(why: &str) -> ExitCode {
    eprintln!("\nSKIPPED: instructions cannot be compared here: {why}\n");
    ExitCode::from(u8::try_from(callgrind::SKIPPED).expect("small"))
}

/// Prints both, and says how many cases are off.
fn compare(recorded: &Record, now: &Record) -> usize {
    println!("{}\n", now.tools.join(", "));
    println!("| case | recorded | measured | difference |\n|---|---|---|---|");
    let mut off = 0;
    for (name, measured) in &now.counts {
        let Some(recorded) = recorded.count(name) else {
            println!("| {name} | – | {measured:.1} | NEW |");
            off += 1;
            continue;
        };
        let difference = measured / recorded - 1.0;
        let is_off = difference.abs() > TOLERANCE;
        off += usize::from(is_off);
        let note = if is_off { " OFF" } else { "" };
        let percent = difference * 100.0;
        println!("| {name} | {recorded:.1} | {measured:.1} | {percent:+.2} %{note} |");
    }
    for (name, recorded) in &recorded.counts {
        if now.count(name).is_none() {
            println!("| {name} | {recorded:.1} | – | GONE |");
            off += 1;
        }
    }
    off
}

/// Counts, one process for each processor: nothing that runs beside changes a count.
fn measure(part: &str, also_theirs: bool) -> Vec<(String, f64)> {
    let wanted = cases(part).filter(|case| case.is_ours || also_theirs);
    let names: Vec<(String, usize)> = wanted
        .map(|case| {
            let units = COUNTED_BYTES / case.bytes.max(1);
            (case.name, units.clamp(16, 1024))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let count_some = || {
        let mut counted = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, units)) = names.get(at) else {
                return counted;
            };
            let count = callgrind::instructions_per_unit(&[COUNT, name], *units);
            counted.push((at, name.clone(), count));
        }
    };
    let mut counted: Vec<(usize, String, f64)> = thread::scope(|scope| {
        let parallel = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..parallel).map(|_| scope.spawn(count_some)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(counted) => counted,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(join).collect()
    });
    counted.sort_by_key(|(at, ..)| *at);
    counted
        .into_iter()
        .map(|(_, name, count)| (name, count))
        .collect()
}
