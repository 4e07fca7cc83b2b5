//! The book (`docs/book`) cannot go stale: what it shows is run again here and compared, and what it names must exist.
//!
//! ```text
//!   docs/book/*.md ──▶ chapter ──▶ marker ──▶ command ──▶ process, source, sessions, pairs
//!                         │                                     │ printed
//!                         └── what stands there ──▶ compare ◀───┘        normal: what may differ is taken away
//!                  ──▶ shape    links, files, figures, the summary, the top of each chapter
//! ```
//!
//! `cargo test --test book` compares. `LONGSHORE_BOOK=write cargo test --test book` writes fresh output into chapters that
//! are out of date, and `LONGSHORE_BOOK_PAGE=05` looks at the pages with that in their names only. Blocks that need what
//! this machine refuses are SKIPPED, loudly.
#![forbid(unsafe_code)]

#[path = "../built/mod.rs"]
mod built;
mod chapter;
mod command;
mod compare;
mod lines;
mod marker;
mod normal;
mod pairs;
mod process;
mod sessions;
mod shape;
mod source;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use compare::{Mode, outputs};

fn fail_on(faults: &[String], hint: &str) {
    assert!(faults.is_empty(), "\n{}\n{hint}\n", faults.join("\n\n"));
}

#[test]
fn the_book_shows_what_is_printed() {
    let mode = match env::var("LONGSHORE_BOOK").as_deref() {
        Err(_) => Mode::Compare,
        Ok("write") => Mode::Write,
        Ok(other) => panic!("LONGSHORE_BOOK: `write` or nothing, not {other:?}"),
    };
    let only = env::var("LONGSHORE_BOOK_PAGE").unwrap_or_default();
    let faults = outputs(&process::root().join("docs/book"), mode, &only);
    fail_on(
        &faults,
        "To write fresh output into the chapters: LONGSHORE_BOOK=write cargo test --test book; then read what has changed.",
    );
}

/// What everybody reads first shows output too.
#[test]
fn the_readme_shows_what_is_printed() {
    let write = env::var("LONGSHORE_BOOK").as_deref() == Ok("write");
    let mode = if write { Mode::Write } else { Mode::Compare };
    let hint = "To write fresh output: LONGSHORE_BOOK=write cargo test --test book";
    fail_on(&outputs(process::root(), mode, "README"), hint);
}

/// So do the pages on the tools.
#[test]
fn the_pages_on_the_tools_show_what_is_printed() {
    let write = env::var("LONGSHORE_BOOK").as_deref() == Ok("write");
    let mode = if write { Mode::Write } else { Mode::Compare };
    let hint = "To write fresh output: LONGSHORE_BOOK=write cargo test --test book";
    for page in ["TRACE.md", "STUDY.md"] {
        fail_on(&outputs(&process::root().join("docs"), mode, page), hint);
    }
}

#[test]
fn the_book_is_whole() {
    fail_on(&shape::faults(&process::root().join("docs/book")), "");
}

fn fixture() -> PathBuf {
    process::root().join("tests/book/fixture")
}

#[test]
fn a_true_page_passes() {
    fail_on(&outputs(&fixture(), Mode::Compare, "true"), "");
    fail_on(&shape::faults(&fixture()), "");
}

/// A copy of one page of the fixture, in a folder of its own.
fn copy(page: &str, test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(fixture().join(page), folder.join(page)).unwrap();
    folder
}

#[test]
fn a_stale_page_fails_block_by_block() {
    let faults = outputs(&fixture(), Mode::Compare, "stale");
    let told = |line: usize, why: &str| {
        let place = format!("stale.md:{line}");
        let fault = faults.iter().find(|fault| fault.contains(&place));
        fault.is_some_and(|fault| fault.contains(why))
    };
    assert!(told(6, "-pub fn bound("), "{faults:#?}");
    assert!(told(14, "+longshore "), "an empty block: {faults:#?}");
    assert!(told(17, "exit code 2, and not 0"), "{faults:#?}");
    assert!(told(20, "no line has"), "{faults:#?}");
    assert!(told(23, "there is no `fn"), "{faults:#?}");
    assert!(told(26, "no session is called"), "{faults:#?}");
    assert!(told(29, "-Content-Length: 14"), "a client: {faults:#?}");
    assert!(told(42, "-$ longshore trace --connection 2"), "{faults:#?}");
    assert!(told(42, "<< GET /plaintext"), "a server: {faults:#?}");
    assert!(
        told(49, "+$ example 01_the_verbs | tail -n 1"),
        "{faults:#?}"
    );
    assert_eq!(faults.len(), 9, "{faults:#?}");
}

#[test]
fn a_stale_page_is_written_anew_and_then_passes() {
    let folder = copy("old.md", "book-write");
    assert_eq!(outputs(&folder, Mode::Compare, "").len(), 2);
    let before = fs::read_to_string(folder.join("old.md")).unwrap();
    fail_on(&outputs(&folder, Mode::Write, ""), "");
    let after = fs::read_to_string(folder.join("old.md")).unwrap();
    fail_on(&outputs(&folder, Mode::Compare, ""), "");
    assert_ne!(before, after);
    for kept in [
        "# An old page",
        "Text between.",
        "<!-- output: longshore --version -->",
        "The end.",
    ] {
        assert!(after.contains(kept), "{after}");
    }
    // A page that is true is not touched, although ports and times were others.
    fail_on(&outputs(&folder, Mode::Write, ""), "");
    assert_eq!(fs::read_to_string(folder.join("old.md")).unwrap(), after);
}
