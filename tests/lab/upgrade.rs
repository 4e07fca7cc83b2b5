//! Lesson 14.

use crate::lesson::Lesson;

#[test]
fn a_handshake_becomes_a_websocket_or_stays_http() {
    let lesson = Lesson::run("upgrade");
    lesson.concludes();
    assert_eq!(lesson.count("status"), 101);
    assert!(lesson.is("accept_matches"), "ours is what the server said");
    assert!(lesson.is("crate_agrees"));
    assert!(lesson.is("echo_is_a_frame"));
    // RFC 6455 §4.2.2: one of those that were offered, or none.
    assert_eq!(lesson.text("protocol"), "chat.v1");
    for unanswered in ["protocol_unknown", "extension", "origin_own"] {
        assert_eq!(lesson.text(unanswered), "none", "{unanswered}");
    }
    assert_eq!(lesson.count("status_origin_foreign"), 403);
    // RFC 6455 §4.4: a version that is not spoken is answered with the one that is.
    assert_eq!(lesson.count("status_wrong_version"), 426);
    assert_eq!(lesson.text("version_offered"), "13");
    assert_eq!(lesson.count("status_plain_get"), 426);
    for (finding, status) in [
        ("status_no_key", 400),
        ("status_short_key", 400),
        ("status_post", 405),
    ] {
        assert_eq!(lesson.count(finding), status, "{finding}");
    }
    let goes_on = lesson.count("refusals_after_which_http_goes_on");
    assert_eq!(goes_on, lesson.count("refusals"));
}
