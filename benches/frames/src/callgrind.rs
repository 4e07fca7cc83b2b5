//! Counts instructions: this program runs itself under valgrind, twice, with more work the second time.
//!
//! ```text
//!   program --count WHAT 1×n   ─▶ start-up + n units          difference ÷ n (difference of the two numbers of units)
//!   program --count WHAT 3×n   ─▶ start-up + 3n units         = instructions per unit
//! ```
//!
//! Counts repeat to the instruction on a busy machine, where times do not. They are not times: a memory access and an
//! addition count the same. memcpy(3) is told not to use `rep movsb`, which callgrind counts once for every byte. valgrind
//! knows AVX2 and not AVX-512: programs that ask the processor see one with AVX2.
#![forbid(unsafe_code)]

use std::env;
use std::path::Path;
use std::process::Command;

/// What a build system takes for "skipped".
pub(crate) const SKIPPED: i32 = 77;

/// The first line that valgrind says about itself; `None` if it cannot be run.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.to_owned())
}

/// The compiler on the path, which is the one that cargo used.
pub(crate) fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or("rustc, unknown".to_owned(), |text| text.trim().to_owned())
}

/// Instructions of `units` units of work: those of a run of three times as many, less those of a run of as many.
///
/// `arguments` say what to do; the number of units is appended. The run prints on its standard output how many units it
/// really did.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn instructions_per_unit(arguments: &[&str], units: usize) -> f64 {
    let (few, few_units) = run(arguments, units);
    let (many, many_units) = run(arguments, 3 * units);
    (many - few) as f64 / (many_units - few_units) as f64
}

fn run(arguments: &[&str], units: usize) -> (u64, u64) {
    let program = env::current_exe().expect("a running program has a path");
    let (Some(folder), Some(name)) = (program.parent(), program.file_name()) else {
        unreachable!("a program is a file in a folder");
    };
    // The environment and the program's path lie on its stack. How long they are would move what lies below them.
    let output = Command::new("valgrind")
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .current_dir(folder)
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.x86_rep_movsb_threshold=1073741824",
        )
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(Path::new(".").join(name))
        .args(arguments)
        .arg(units.to_string())
        .output()
        .expect("valgrind said its version before");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .expect("callgrind ends with the number of collected instructions");
    let done = String::from_utf8_lossy(&output.stdout);
    (
        count,
        done.trim().parse().expect("the units that were done"),
    )
}
