//! Lesson 16.

use crate::lesson::Lesson;

#[test]
fn the_kernel_keeps_some_the_server_a_bounded_rest_and_others_do_not_notice() {
    let lesson = Lesson::run("slow-reader");
    lesson.concludes();
    // Every byte that send took is in one of the two queues, and comes out at the end.
    let taken = lesson.count("taken_bytes");
    let sender = lesson.count("kept_at_sender_bytes");
    let receiver = lesson.count("kept_at_receiver_bytes");
    assert_eq!(taken, sender + receiver);
    // A window probe that finds room takes bytes along, and then send takes some more.
    let later = lesson.count("taken_later_bytes");
    assert_eq!(taken + later, lesson.count("read_bytes"));
    if lesson.whole() {
        assert!(lesson.count("window_probes") >= 1);
    }
    let messages = lesson.count("messages");
    for policy in ["disconnect", "drop_newest", "drop_oldest", "conflate"] {
        let of = |what| lesson.count(&format!("{policy}_{what}"));
        assert_eq!(of("healthy"), messages, "{policy}");
        assert!(of("slow") < messages, "{policy}");
    }
    // What was said first, or what was said last.
    let newest = |policy: &str| lesson.count(&format!("{policy}_newest"));
    assert!(newest("drop_newest") < messages);
    assert_eq!(newest("drop_oldest"), messages);
    assert_eq!(newest("conflate"), messages);
    let slow = |policy: &str| lesson.count(&format!("{policy}_slow"));
    assert!(slow("conflate") < slow("drop_oldest"));
    assert!(lesson.count("held_bytes_max") <= lesson.count("held_bytes_allowed"));
}
