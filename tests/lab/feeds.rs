//! Lesson 12.

use crate::lesson::Lesson;

#[test]
fn polling_needs_more_requests_bytes_and_calls_than_a_websocket_for_the_same_news() {
    let lesson = Lesson::run("feeds");
    // Each way is shown by the server's own calls: it takes a connection, hears a question, and answers.
    assert!(lesson.calls("accept4(") >= 4);
    assert!(lesson.calls("recv(") >= 4 && lesson.calls("send(") + lesson.calls("sendmsg(") >= 8);
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
