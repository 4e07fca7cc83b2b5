//! Numbers, names, beginnings, and mistakes.

use super::find;

fn error(wanted: &str) -> String {
    match find(wanted) {
        Ok(lesson) => panic!("{wanted} is {}", lesson.name),
        Err(error) => error,
    }
}

#[test]
fn a_number_a_name_and_the_beginning_of_one_name_find_the_same() {
    for wanted in ["4", "byte-stream", "byte", "by"] {
        let found = find(wanted).map(|lesson| lesson.number);
        assert_eq!(found, Ok(4), "{wanted}");
    }
}

#[test]
fn a_beginning_of_several_names_finds_none_of_them() {
    let error = error("f");
    assert!(error.contains("files, five-tuple, feeds, frame"), "{error}");
}

#[test]
fn the_name_that_was_meant_is_proposed_and_not_just_any() {
    assert!(error("upgarde").contains("did you mean `upgrade`?"));
    assert!(error("bite-stream").contains("did you mean `byte-stream`?"));
    for wrong in ["", "0", "99", "xyzzy"] {
        assert!(!error(wrong).contains("did you mean"), "{wrong}");
    }
}
