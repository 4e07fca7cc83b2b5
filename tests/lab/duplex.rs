//! Lesson 13.

use crate::lesson::Lesson;

#[test]
fn both_directions_are_busy_at_once_only_where_the_rule_lets_them() {
    let lesson = Lesson::run("duplex");
    lesson.concludes();
    assert_eq!(lesson.count("half_overlapping_bytes"), 0);
    let crossed = lesson.count("full_overlapping_bytes");
    assert!(crossed > lesson.count("transferred_bytes") / 2);
    assert!(lesson.count("full_turns") < lesson.count("half_turns"));
    // Simplex: one half is shut, the other goes on.
    assert_eq!(lesson.count("received_after_shut_wr"), 0);
    assert!(lesson.count("other_direction_bytes") > 0);
    assert!(lesson.is("send_after_shut_wr_is_epipe"));
    assert!(lesson.is("peer_can_send_after_shut_rd"));
    // Nobody reads.
    assert!(lesson.count("kernel_held_bytes") > 0);
    assert_eq!(lesson.count("ends_writable"), 0);
    // Who speaks first.
    assert_eq!(lesson.count("http_bytes_unasked"), 0);
    assert!(lesson.count("websocket_bytes_unasked") > 0);
}
