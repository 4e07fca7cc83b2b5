//! Lesson 18.

use crate::lesson::Lesson;

#[test]
fn each_bug_fails_and_its_mended_form_does_not() {
    let lesson = Lesson::run("classic-bugs");
    lesson.concludes();
    assert!(lesson.count("lost_edge_left_bytes") > 0);
    assert_eq!(lesson.count("drained_left_bytes"), 0);
    assert_eq!(lesson.count("level_triggered_left_bytes"), 0);

    assert!(lesson.count("short_write_lost_bytes") > 0);
    assert_eq!(lesson.count("short_write_mended_lost_bytes"), 0);
    assert!(lesson.is("short_write_mended_equal"));

    assert!(lesson.is("number_is_reused"));
    assert!(lesson.count("reused_leaked_bytes") > 0);
    assert!(lesson.is("reused_bob_cut_off"));
    assert_eq!(lesson.count("generation_leaked_bytes"), 0);
    assert_eq!(lesson.count("generation_refused"), 2);

    // Where io_uring is refused, the rest of the lesson still runs.
    if lesson.whole() {
        assert!(!lesson.is("close_in_flight_peer_saw_the_end"));
        assert!(lesson.count("received_after_close_bytes") > 0);
        assert_eq!(lesson.count("received_after_shutdown_bytes"), 0);
        assert!(lesson.is("shutdown_peer_saw_the_end"));
    }
}
