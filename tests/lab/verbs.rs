//! Lesson 1.

use crate::lesson::Lesson;

#[test]
fn one_life_takes_nine_verbs() {
    let lesson = Lesson::run("verbs");
    for verb in [
        "socket(",
        "bind(",
        "listen(",
        "accept4(",
        "connect(",
        "read(",
        "write(",
        "shutdown(",
        "close(",
    ] {
        assert!(lesson.calls(verb) > 0, "{verb} is shown");
    }
    assert_eq!(lesson.count("bytes_to_server"), 12);
    assert_eq!(lesson.count("bytes_to_client"), 12);
    assert_eq!(lesson.count("read_after_fin_at_server"), 0);
    assert_eq!(lesson.count("read_after_fin_at_client"), 0);
    assert!(lesson.is("accept_gave_a_new_descriptor"));
}
