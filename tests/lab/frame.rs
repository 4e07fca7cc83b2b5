//! Lesson 15.

use crate::lesson::Lesson;

#[test]
fn a_header_grows_with_the_length_and_violations_get_their_code() {
    let lesson = Lesson::run("frame");
    lesson.concludes();
    assert!(lesson.is("crate_agrees"), "bit by bit as the crate does");
    // RFC 6455 §5.2: three forms, and their borders.
    let header = |length: u32| lesson.count(&format!("header_bytes_{length}"));
    assert_eq!(header(0), header(125));
    assert!(header(125) < header(126));
    assert_eq!(header(126), header(65_535));
    assert!(header(65_535) < header(65_536));
    let (client, server) = (
        lesson.count("client_frame_bytes"),
        lesson.count("server_frame_bytes"),
    );
    assert_eq!(client, server + 4, "a mask is four bytes");
    assert!(lesson.is("pong_before_message"));
    for finding in [
        "close_unmasked",
        "close_reserved_bit",
        "close_reserved_opcode",
        "close_long_control",
        "close_padded_length",
    ] {
        assert_eq!(lesson.count(finding), 1002, "{finding}");
    }
    assert_eq!(lesson.count("close_not_utf8"), 1007);
    assert_eq!(lesson.count("close_too_big"), 1009);
}
