//! Lesson 8.

use crate::lesson::Lesson;

#[test]
fn two_small_writes_wait_for_an_acknowledgement_and_one_does_not() {
    let lesson = Lesson::run("nagle");
    let plain = lesson.number("plain_ms");
    for way in ["no_delay_ms", "writev_ms", "more_ms", "quick_ack_ms"] {
        let other = lesson.number(way);
        assert!(plain > 5.0 * other, "{way}: {other} beside {plain}");
    }
    assert!(lesson.count("plain_stalls") > lesson.count("no_delay_stalls"));
    assert!(lesson.count("writev_calls") < lesson.count("write_write_calls"));
    lesson.concludes();
}
