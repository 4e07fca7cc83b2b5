//! Lesson 3.

use crate::lesson::Lesson;

#[test]
fn a_tuple_is_taken_and_not_a_port() {
    let lesson = Lesson::run("five-tuple");
    let connections = lesson.count("connections");
    assert!(connections > 1);
    assert_eq!(lesson.count("server_local_ports"), 1);
    assert_eq!(lesson.count("client_ports"), connections);
    assert_eq!(lesson.count("listed_listening"), 1);
    assert_eq!(lesson.count("listed_established"), 2 * connections);

    assert_eq!(lesson.text("second_bind"), "EADDRINUSE");
    assert_eq!(lesson.text("same_tuple_bind"), "ok");
    assert_eq!(lesson.text("same_tuple_connect"), "EADDRNOTAVAIL");
    assert_eq!(lesson.text("to_another_server"), "ok");
    assert_eq!(lesson.text("from_another_address"), "ok");
    assert_eq!(lesson.text("udp_bind"), "ok");
    lesson.concludes();
}
