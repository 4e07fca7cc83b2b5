//! Lesson 5.

use crate::lesson::Lesson;

#[test]
fn datagrams_keep_borders_and_udp_loses_where_others_wait() {
    let lesson = Lesson::run("kinds");
    for kind in ["udp", "unix_datagram"] {
        assert_eq!(lesson.count(&format!("{kind}_receives")), 3, "{kind}");
        assert!(!lesson.is(&format!("{kind}_rest_kept")), "{kind}");
    }
    for kind in ["tcp", "unix_stream"] {
        assert!(lesson.count(&format!("{kind}_receives")) < 3, "{kind}");
        assert!(lesson.is(&format!("{kind}_rest_kept")), "{kind}");
    }

    assert_eq!(lesson.text("udp_then"), "ok");
    assert!(lesson.count("udp_lost") > 0);
    for kind in ["tcp", "unix_datagram"] {
        assert_eq!(lesson.text(&format!("{kind}_then")), "EAGAIN");
        assert_eq!(lesson.count(&format!("{kind}_lost")), 0);
    }
    // The counter is that of the whole machine.
    if let Some(errors) = lesson.count_if_any("rcvbuf_errors") {
        assert!(errors >= lesson.count("udp_lost"), "{errors}");
    }

    assert_eq!(lesson.text("tcp_connect_to_nobody"), "ECONNREFUSED");
    assert_eq!(lesson.text("udp_send_to_nobody"), "ok");
    assert_eq!(lesson.text("udp_receive_after_it"), "ECONNREFUSED");
}

#[test]
fn one_send_reaches_a_group_and_a_unix_socket_is_cheaper_than_tcp() {
    let lesson = Lesson::run("kinds");
    assert_eq!(
        lesson.count("unicast_reached"),
        lesson.count("unicast_sends")
    );
    if lesson.whole() {
        assert_eq!(lesson.count("multicast_sends"), 1);
        assert_eq!(
            lesson.count("multicast_reached"),
            lesson.count("unicast_reached")
        );
        lesson.concludes();
    }
    assert!(lesson.number("unix_stream_us") < lesson.number("tcp_us"));
}
