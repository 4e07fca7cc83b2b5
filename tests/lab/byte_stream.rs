//! Lesson 4.

use crate::lesson::Lesson;

#[test]
fn a_stream_has_no_borders_and_lengths_bring_them_back() {
    let lesson = Lesson::run("byte-stream");
    assert!(lesson.count("small_reads") < lesson.count("small_writes"));
    assert!(lesson.count("large_write_reads") > 1);
    assert_eq!(
        lesson.count("large_read_bytes"),
        lesson.count("large_write_bytes")
    );
    assert!(lesson.count("short_first") < lesson.count("short_asked"));
    assert_eq!(lesson.text("short_then"), "EAGAIN");
    assert_eq!(
        lesson.count("in_send_queue") + lesson.count("in_receive_queue"),
        lesson.count("taken")
    );
    assert!(lesson.count("short_writes_more") > 0);
    assert!(lesson.is("short_all_arrived"));
    assert!(lesson.count("messages_by_reads") < lesson.count("messages"));
    assert_eq!(
        lesson.count("messages_by_lengths"),
        lesson.count("messages")
    );
    assert!(lesson.is("messages_all_equal"));
    lesson.concludes();
}
