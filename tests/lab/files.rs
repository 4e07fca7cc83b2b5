//! Lesson 2.

use crate::lesson::Lesson;

#[test]
fn one_read_and_one_write_serve_all_kinds_of_descriptors() {
    let lesson = Lesson::run("files");
    assert_eq!(lesson.count("things"), 4);
    assert_eq!(lesson.count("same_bytes_back"), lesson.count("things"));
    assert!(lesson.text("socket_link").starts_with("socket:["));
    // Only a file has a position, only a socket can recv, and a file is never waited for.
    assert_eq!(lesson.count("with_position"), 1);
    assert_eq!(lesson.text("socket_lseek"), "ESPIPE");
    assert_eq!(lesson.text("file_recv"), "ENOTSOCK");
    assert_eq!(lesson.text("file_epoll"), "EPERM");
    assert_eq!(lesson.count("closed_number"), lesson.count("next_number"));
    lesson.concludes();
}
