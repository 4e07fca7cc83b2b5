//! Lesson 13.

use crate::lesson::Lesson;

#[test]
fn both_directions_are_busy_at_once_only_where_the_rule_lets_them() {
    let lesson = Lesson::run("duplex");
    lesson.concludes();
    assert_eq!(lesson.number("half_overlapping_bytes"), 0.0);
    let crossed = lesson.number("full_overlapping_bytes");
    assert!(crossed > lesson.number("transferred_bytes") / 2.0);
    assert!(lesson.number("full_turns") < lesson.number("half_turns"));
    // Simplex: one half is shut, the other goes on.
    assert_eq!(lesson.number("received_after_shut_wr"), 0.0);
    assert!(lesson.number("other_direction_bytes") > 0.0);
    assert!(lesson.is("send_after_shut_wr_is_epipe"));
    assert!(lesson.is("peer_can_send_after_shut_rd"));
    // Nobody reads.
    assert!(lesson.number("kernel_held_bytes") > 0.0);
    assert_eq!(lesson.number("ends_writable"), 0.0);
    // Who speaks first.
    assert_eq!(lesson.number("http_bytes_unasked"), 0.0);
    assert!(lesson.number("websocket_bytes_unasked") > 0.0);
}
