//! Which lesson is meant: its number, its name, or the beginning of one name only.

use super::{LESSONS, Lesson};

/// Names that have less in common (Jaro, 0 to 1) are not proposed.
const ALIKE_MIN: f64 = 0.7;

/// Finds a lesson by its number, its name, or what only one name begins with.
///
/// # Errors
/// A sentence that names the lessons that may have been meant.
pub(crate) fn find(wanted: &str) -> Result<&'static Lesson, String> {
    let exact = |lesson: &&Lesson| lesson.name == wanted || wanted.parse() == Ok(lesson.number);
    if let Some(lesson) = LESSONS.iter().find(exact) {
        return Ok(lesson);
    }
    let begun: Vec<&'static Lesson> = match wanted {
        "" => Vec::new(),
        _ => begun_by(wanted),
    };
    match begun.as_slice() {
        [] => Err(match nearest(wanted) {
            Some(name) => format!(
                "there is no such lesson; did you mean `{name}`? `longshore lab` lists them"
            ),
            None => "there is no such lesson; `longshore lab` lists them".to_owned(),
        }),
        [lesson] => Ok(lesson),
        several => {
            let names: Vec<&str> = several.iter().map(|lesson| lesson.name).collect();
            Err(format!(
                "several lessons begin so: {}; `longshore lab` lists them",
                names.join(", ")
            ))
        }
    }
}

fn begun_by(wanted: &str) -> Vec<&'static Lesson> {
    let begins = |lesson: &&Lesson| lesson.name.starts_with(wanted);
    LESSONS.iter().filter(begins).collect()
}

/// The name that is most like this, if one is.
fn nearest(wanted: &str) -> Option<&'static str> {
    let likeness = |lesson: &'static Lesson| (strsim::jaro(wanted, lesson.name), lesson.name);
    let alike = LESSONS
        .iter()
        .map(likeness)
        .filter(|(alike, _)| *alike >= ALIKE_MIN);
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
