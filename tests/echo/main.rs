//! `longshore echo` as a process of its own, by every model, over every kind of socket.
//!
//! The tests know the documented behaviour and nothing of the inside. A time appears only as a bound on waiting.
#![forbid(unsafe_code)]

mod addresses;
mod datagrams;
#[path = "../programs/threads.rs"]
mod few_threads;
mod hostile;
#[path = "../programs/mod.rs"]
mod programs;
mod streams;
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use programs::PROGRAM;

/// The models that serve several connections at once.
const CONCURRENT: [&str; 4] = ["threads", "epoll", "io-uring", "mio"];
const ALL: [&str; 5] = ["blocking", "threads", "epoll", "io-uring", "mio"];

/// Runs `test` with each model, side by side, and names those with which it fails.
fn with_each(models: &[&'static str], test: impl Fn(&'static str) + Sync) {
    let run = |model: &'static str| catch_unwind(AssertUnwindSafe(|| test(model)));
    let failed: Vec<&str> = thread::scope(|scope| {
        let tests: Vec<_> = models
            .iter()
            .filter(|&&model| model != "io-uring" || has_io_uring())
            .map(|&model| (model, scope.spawn(move || run(model))))
            .collect();
        tests
            .into_iter()
            .filter_map(|(model, test)| {
                let failed = test.join().map_or(true, |result| result.is_err());
                failed.then_some(model)
            })
            .collect()
    });
    assert!(failed.is_empty(), "failed with {}", failed.join(", "));
}

/// Whether this machine allows io_uring.
fn has_io_uring() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let doctor = Command::new(PROGRAM).args(["doctor", "--json"]).output();
        let text = String::from_utf8(doctor.expect("doctor runs").stdout).expect("text");
        let has = text.contains("\"name\":\"io-uring\",\"ok\":true");
        if !has {
            eprintln!("SKIPPED on io-uring, which is refused here: {text}");
        }
        has
    })
}
