//! Runs a lesson of the built program and reads its JSON.

use std::process::{Command, Output};

use serde_json::Value;

/// The report of one lesson.
pub(crate) struct Lesson(Value);

/// Runs the program with `lab` and these arguments.
pub(crate) fn lab(arguments: &[&str]) -> Output {
    // A lesson that never ends must fail one test, and not hold all of them.
    Command::new("timeout")
        .args(["--kill-after=5", "300", env!("CARGO_BIN_EXE_longshore")])
        .arg("lab")
        .args(arguments)
        .env_remove("COLUMNS")
        .output()
        .expect("the program starts")
}

impl Lesson {
    /// Runs the lesson of this name; it must come to its end.
    pub(crate) fn run(name: &str) -> Self {
        let output = lab(&[name, "--json", "--scale", "quick"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let document: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"));
        let lesson = document["lessons"][0].clone();
        assert!(output.status.success(), "{}\n{errors}", lesson["error"]);
        assert_eq!(lesson["name"], name);
        Lesson(lesson)
    }

    /// A finding that is a whole number.
    pub(crate) fn count(&self, finding: &str) -> i64 {
        self.count_if_any(finding)
            .unwrap_or_else(|| panic!("no {finding}: {:#}", self.0["findings"]))
    }

    /// A finding that not every machine can have.
    pub(crate) fn count_if_any(&self, finding: &str) -> Option<i64> {
        self.0["findings"][finding].as_i64()
    }

    /// A finding that is any number: a time, a ratio.
    pub(crate) fn number(&self, finding: &str) -> f64 {
        let value = &self.0["findings"][finding];
        value
            .as_f64()
            .unwrap_or_else(|| panic!("{finding} is {value}: {:#}", self.0["findings"]))
    }

    /// A finding that is yes or no.
    pub(crate) fn is(&self, finding: &str) -> bool {
        let value = &self.0["findings"][finding];
        value
            .as_bool()
            .unwrap_or_else(|| panic!("{finding} is {value}: {:#}", self.0["findings"]))
    }

    /// A finding that is text.
    pub(crate) fn text(&self, finding: &str) -> &str {
        let value = &self.0["findings"][finding];
        value
            .as_str()
            .unwrap_or_else(|| panic!("{finding} is {value}: {:#}", self.0["findings"]))
    }

    /// Whether this machine refused nothing of the lesson.
    pub(crate) fn whole(&self) -> bool {
        let refused = self.0["refused"].as_array().expect("a list");
        for line in refused {
            eprintln!("SKIPPED: {line}");
        }
        refused.is_empty()
    }

    /// The measurement bears out every conclusion.
    pub(crate) fn concludes(&self) {
        let conclusions = self.0["conclusions"].as_array().expect("a list");
        assert!(!conclusions.is_empty(), "a lesson concludes something");
        for conclusion in conclusions {
            assert_eq!(conclusion["holds"], true, "{}", conclusion["text"]);
        }
    }

    /// How many of the calls that were shown begin with this: `send(`.
    pub(crate) fn calls(&self, begin: &str) -> usize {
        let steps = self.0["steps"].as_array().expect("a list");
        let lines = steps
            .iter()
            .filter_map(|step| step["call"]["line"].as_str());
        lines.filter(|line| line.starts_with(begin)).count()
    }
}
