//! Lesson 6.

use crate::lesson::Lesson;

#[test]
fn an_accept_queue_that_is_full_drops_syns_and_counts_them() {
    let lesson = Lesson::run("backlog");
    let (callers, at_once) = (
        lesson.count("callers"),
        lesson.count("connected_before_accept"),
    );
    assert_eq!(at_once, lesson.count("backlog") + 1);
    assert_eq!(lesson.count("accept_queue"), at_once);
    assert!(callers > at_once);
    // The counters are those of the whole machine.
    if lesson.whole() {
        let dropped = callers - at_once;
        assert!(lesson.count("listen_overflows") >= dropped);
        assert!(lesson.count("listen_drops") >= dropped);
        assert!(lesson.count("syn_retransmits") >= dropped);
    }
    assert_eq!(lesson.count("connected_at_last"), callers);
    assert!(lesson.number("last_ms") > 10.0 * lesson.number("first_ms"));

    assert_eq!(lesson.text("write_before_accept"), "ok");
    assert_eq!(lesson.text("read_after_listener_closed"), "ECONNRESET");

    let half_open = lesson.count("half_open_at_server");
    assert_eq!(half_open, lesson.count("half_open_callers"));
    assert_eq!(
        lesson.count("half_open_established_at_clients"),
        lesson.count("half_open_callers")
    );
    assert_eq!(lesson.count("half_open_after_data"), half_open - 1);
    assert!(lesson.count("tiny_half_open") < half_open);
    lesson.concludes();
}
