//! Counting checks, and saying which of them failed.

use std::fmt::Debug;

/// The longest that is shown of a value.
const SHOWN_BYTES_MAX: usize = 300;

#[derive(Default)]
pub struct Checks {
    count: usize,
    failed: bool,
}

impl Checks {
    /// The two must be equal.
    pub fn expect<T: PartialEq + Debug>(&mut self, what: &str, wanted: &T, found: &T) {
        self.count += 1;
        if wanted != found {
            self.failed = true;
            let mut text = format!("{what}: expected {wanted:?}, found {found:?}");
            text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
            println!("FAILED: {text}");
        }
    }

    /// What ended a part is its failure.
    pub fn outcome(&mut self, part: &str, outcome: Result<(), Box<dyn std::error::Error>>) {
        let found = outcome.map_err(|error| error.to_string());
        self.expect(part, &Ok(()), &found);
    }

    /// Says how many there were; the exit code.
    pub fn report(self) -> i32 {
        println!("{} checks", self.count);
        i32::from(self.failed)
    }
}
