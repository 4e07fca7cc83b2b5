//! Lesson 12.

use crate::lesson::Lesson;

#[test]
fn polling_needs_more_requests_bytes_and_calls_than_a_websocket_for_the_same_news() {
    let lesson = Lesson::run("feeds");
    let of = |way: &str, what: &str| lesson.count(&format!("{way}_{what}"));
    for way in ["poll", "long_poll", "stream", "websocket"] {
        assert!(lesson.is(&format!("{way}_without_gap")), "{way}");
        assert!(of(way, "events") >= 12, "{way}");
    }
    assert!(of("poll", "requests") > of("long_poll", "requests"));
    assert!(of("long_poll", "requests") > of("stream", "requests"));
    assert_eq!(of("stream", "requests"), 1);
    assert_eq!(of("websocket", "requests"), 1);
    assert!(of("poll", "bytes") > of("websocket", "bytes"));
    assert!(of("long_poll", "bytes") > of("stream", "bytes"));
    assert!(of("poll", "calls") > of("websocket", "calls"));
}
