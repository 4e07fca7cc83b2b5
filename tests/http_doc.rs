//! `docs/HTTP.md` names every case of `tests/rfc`, and whatever it names exists.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../docs/HTTP.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands in backquotes on the page.
fn quoted() -> impl Iterator<Item = &'static str> {
    PAGE.split('`').skip(1).step_by(2)
}

/// `9112-3.2-host-missing`: a document, a section, and words.
fn is_case(name: &str) -> bool {
    let mut parts = name.splitn(3, '-');
    let mut numeric = |what: fn(char) -> bool| {
        parts
            .next()
            .is_some_and(|part| !part.is_empty() && part.chars().all(what))
    };
    numeric(|letter| letter.is_ascii_digit())
        && numeric(|letter| letter.is_ascii_digit() || letter == '.')
        && parts.next().is_some()
}

/// The names of all cases.
fn cases() -> BTreeSet<String> {
    let folder = fs::read_dir(root().join("tests/rfc/http")).expect("a folder of cases");
    let mut names = BTreeSet::new();
    for entry in folder {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("text");
        let ids = text.lines().filter_map(|line| line.strip_prefix("case "));
        names.extend(ids.map(str::to_owned));
    }
    names
}

/// The file of `http::tests::framing::content_length` is `src/http/tests/framing.rs`; `blackbox` and its like stand below
/// `tests`.
fn file_of(modules: &str) -> PathBuf {
    let path = modules.replace("::", "/");
    let of_tests = ["blackbox", "streaming", "compression", "embed"];
    let first = path.split('/').next().unwrap_or_default();
    let folder = if of_tests.contains(&first) {
        "tests"
    } else {
        "src"
    };
    root().join(folder).join(path).with_extension("rs")
}

#[test]
fn every_case_is_named_on_the_page() {
    let named: BTreeSet<&str> = quoted().collect();
    let cases = cases();
    assert!(cases.len() >= 450, "only {} cases", cases.len());
    let missing: Vec<&String> = cases
        .iter()
        .filter(|case| !named.contains(case.as_str()))
        .collect();
    assert!(missing.is_empty(), "docs/HTTP.md does not name {missing:?}");
}

#[test]
fn every_case_that_is_named_exists() {
    let cases = cases();
    let invented: Vec<&str> = quoted()
        .filter(|name| is_case(name) && !cases.contains(*name))
        .collect();
    assert!(invented.is_empty(), "docs/HTTP.md invents {invented:?}");
}

#[test]
fn every_test_that_is_named_exists() {
    let mut found = 0;
    for name in quoted() {
        // `module::test` explains the notation.
        let Some((modules, test)) = name.rsplit_once("::").filter(|_| name != "module::test")
        else {
            continue;
        };
        let path = file_of(modules);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("docs/HTTP.md names {name}, but {}: {error}", path.display())
        });
        assert!(
            text.contains(&format!("fn {test}(")),
            "docs/HTTP.md names {name}, which {} does not hold",
            path.display()
        );
        found += 1;
    }
    assert!(found > 20, "only {found} tests");
}
