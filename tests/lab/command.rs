//! The command itself: the list, names and numbers, what happens to a mistake.

use crate::lesson::lab;
use serde_json::Value;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints text")
}

#[test]
fn the_list_names_every_lesson_once_and_in_order() {
    let listed = lab(&[]);
    assert!(listed.status.success());
    let document: Value =
        serde_json::from_slice(&lab(&["--json"]).stdout).expect("one JSON document");
    let lessons = document["lessons"].as_array().expect("a list");
    let mut last = 0;
    for lesson in lessons {
        let (number, name) = (lesson["lesson"].as_u64(), lesson["name"].as_str());
        let (number, name) = (number.expect("a number"), name.expect("a name"));
        assert!(number > last, "{number} behind {last}");
        assert!(text(&listed.stdout).contains(&format!("{number:>3}  {name} ")));
        last = number;
    }
    assert!(last >= 1, "there are lessons");
}

#[test]
fn a_lesson_is_found_by_number_and_prints_what_it_does() {
    let output = lab(&["1", "--scale", "quick"]);
    assert!(output.status.success());
    let text = text(&output.stdout);
    assert!(text.starts_with("Lesson 1: "), "{text}");
    assert!(text.contains("    server    socket(AF_INET, SOCK_STREAM"));
    assert!(text.contains("  => "), "it concludes: {text}");
    assert!(!text.contains('\x1b'), "no colours but on a terminal");
}

#[test]
fn a_lesson_that_does_not_exist_is_a_mistake_of_the_command_line() {
    for wrong in ["0", "99", "nothing", ""] {
        let output = lab(&[wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(text(&output.stderr).contains("`longshore lab` lists them"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_shows_examples() {
    let output = lab(&["--help"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("longshore lab byte-stream"));
}
