//! Lesson 7.

use crate::lesson::Lesson;

#[test]
fn states_follow_the_fins_and_an_rst_leaves_none() {
    let lesson = Lesson::run("close");
    assert_eq!(lesson.text("half_client"), "FIN-WAIT-2");
    assert_eq!(lesson.text("half_server"), "CLOSE-WAIT");
    assert!(lesson.is("half_bytes_arrived"));
    assert_eq!(lesson.text("half_write_again"), "EPIPE");
    // Who closes first waits.
    assert_eq!(lesson.text("closed_client"), "TIME-WAIT");
    assert_eq!(lesson.text("closed_server"), "-");
    assert_eq!(lesson.text("server_first_server"), "TIME-WAIT");
    assert_eq!(lesson.text("restart_plain"), "EADDRINUSE");
    assert_eq!(lesson.text("restart_reuse_only_before"), "EADDRINUSE");
    assert_eq!(lesson.text("restart_reuse_both"), "ok");

    assert_eq!(lesson.text("unread_close"), "ECONNRESET");
    assert_eq!(lesson.text("linger_close"), "ECONNRESET");
    assert_eq!(lesson.text("orderly_close"), "ok");

    // What had arrived stays readable; what waited at the server is gone, unless it lingers.
    let bytes = |name: &str| lesson.count(&format!("{name}_bytes"));
    assert!(bytes("small_reply_sent") > 0);
    assert_eq!(bytes("small_reply_read"), bytes("small_reply_sent"));
    assert_eq!(lesson.text("small_reply_then"), "ECONNRESET");
    assert_eq!(lesson.text("busy_client_first_send"), "ECONNRESET");
    assert_eq!(lesson.text("busy_client_second_send"), "EPIPE");
    assert_eq!(bytes("busy_client_read"), bytes("small_reply_sent"));
    assert!(bytes("large_reply_read") < bytes("large_reply_sent"));
    assert_eq!(lesson.text("large_reply_then"), "ECONNRESET");
    assert_eq!(bytes("lingered_reply_read"), bytes("lingered_reply_sent"));
    assert_eq!(lesson.text("lingered_reply_then"), "ok");

    assert_eq!(lesson.text("first_write"), "ok");
    assert_eq!(lesson.text("second_write"), "EPIPE");
    lesson.concludes();
}
