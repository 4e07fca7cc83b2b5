//! Finds the examples that cargo has built beside the tests.

use std::path::PathBuf;

/// `target/<profile>/examples/NAME`: a test runs from `target/<profile>/deps`.
pub(crate) fn built(example: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(example);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --examples` first",
        path.display()
    );
    path
}
