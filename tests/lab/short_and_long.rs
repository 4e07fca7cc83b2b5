//! Lesson 10.

use crate::lesson::Lesson;

#[test]
fn a_long_connection_costs_less_than_short_ones_and_a_pipeline_less_still() {
    let lesson = Lesson::run("short-and-long");
    lesson.concludes();
    assert!(lesson.is("server_closed_short"));
    let connections = |way: &str| lesson.count(&format!("{way}_connections"));
    let calls = |way: &str| lesson.number(&format!("{way}_calls"));
    // One connection for each request, or one for all.
    assert_eq!(connections("short_1_0"), connections("short_1_1"));
    for long in ["long_1_0", "long_1_1", "pipelined"] {
        assert_eq!(connections(long), 1, "{long}");
    }
    assert!(connections("short_1_0") > connections("long_1_1"));
    assert!(calls("short_1_0") > calls("long_1_1"));
    assert!(calls("long_1_1") > 2.0 * calls("pipelined"));
    // Of these connections alone, so a handshake and a farewell for each short one, and none for the long one's requests.
    let segments = |way: &str| lesson.number(&format!("{way}_segments"));
    assert!(segments("short_1_0") > 2.0 * segments("long_1_1"));
    assert!(segments("long_1_1") >= 2.0 && segments("long_1_1") < 4.0);
    assert!(segments("pipelined") < segments("long_1_1"));
    // The server closed every short connection first.
    let time_wait = lesson.count("short_1_0_time_wait");
    assert!(time_wait > lesson.count("long_1_1_time_wait"));
}
