//! Lesson 11.

use crate::lesson::Lesson;

#[test]
fn who_is_silent_is_noticed_by_whoever_asks() {
    let lesson = Lesson::run("heartbeats");
    // The application: offline, on a connection that stands.
    assert!(lesson.is("ada_online_while_beating"));
    assert!(!lesson.is("ada_online_when_silent"));
    assert_eq!(lesson.text("ada_tcp_state"), "ESTABLISHED");
    assert!(lesson.count("ada_last_seen_ms") >= lesson.count("offline_after_ms"));
    assert!(lesson.is("bob_online"));
    // The WebSocket: the stuck one goes, the other stays.
    assert_eq!(lesson.count("websockets_dropped"), 1);
    assert!(lesson.is("lively_stays"));
    assert!(lesson.count("pongs_received") >= 1);
    // The idle connection: cut, and not before its time.
    assert!(lesson.is("idle_was_cut"));
    assert!(lesson.count("idle_cut_after_ms") >= lesson.count("idle_limit_ms") / 2);
    // The kernels: they answer for a program that does nothing.
    if lesson.whole() {
        assert!(lesson.count("keepalive_probes") >= 1);
        assert!(lesson.is("keepalive_connection_stays"));
    }
    lesson.concludes();
}
