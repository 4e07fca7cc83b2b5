use super::*;

/// RFC 6455 §5.2: the fewest bytes for every length.
#[test]
fn headers_at_the_edges() {
    let table: &[(u64, &[u8])] = &[
        (0, b"\x82\x00"),
        (1, b"\x82\x01"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
        (u64::MAX >> 1, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
    ];
    for &(payload_bytes, bytes) in table {
        let header = encode_header(Opcode::Binary, true, None, payload_bytes);
        assert_eq!(header.as_ref(), bytes, "{payload_bytes}");
        let masked = encode_header(Opcode::Binary, true, Some(*b"mask"), payload_bytes);
        let mut expected = [bytes, b"mask"].concat();
        expected[1] |= 0x80;
        assert_eq!(masked.as_ref(), expected, "{payload_bytes}");
    }
}

#[test]
fn first_bytes() {
    let first = |opcode, fin| encode_header(opcode, fin, None, 0).as_ref()[0];
    assert_eq!(first(Opcode::Text, true), 0x81);
    assert_eq!(first(Opcode::Text, false), 0x01);
    assert_eq!(first(Opcode::Continuation, false), 0x00);
    assert_eq!(first(Opcode::Continuation, true), 0x80);
    assert_eq!(first(Opcode::Close, true), 0x88);
    let header = encode_header(Opcode::Text, true, None, 3).compressed();
    assert_eq!(header.as_ref(), b"\xc1\x03");
}

#[test]
fn frames_are_appended() {
    let mut out = b"before".to_vec();
    encode_message(&mut out, Kind::Binary, b"\x00\xff");
    encode_masked_message(&mut out, [1, 2, 3, 4], Kind::Text, b"aaaaa");
    encode_ping(&mut out, b"");
    encode_pong(&mut out, b"p");
    let expected = b"before\x82\x02\x00\xff\x81\x85\x01\x02\x03\x04`cbe`\x89\x00\x8a\x01p";
    assert_eq!(out, expected);
}

#[test]
fn close_frames() {
    let close = |code, reason| {
        let mut out = Vec::new();
        encode_close(&mut out, code, reason);
        out
    };
    assert_eq!(close(None, "not said"), b"\x88\x00");
    assert_eq!(close(Some(CloseCode::NORMAL), ""), b"\x88\x02\x03\xe8");
    let mut masked = Vec::new();
    encode_masked_close(
        &mut masked,
        [0xFF, 0, 0xFF, 0],
        Some(CloseCode::NORMAL),
        "a",
    );
    assert_eq!(masked, b"\x88\x83\xff\x00\xff\x00\xfc\xe8\x9e");
}

/// RFC 6455 §5.5: 125 bytes, two of them the code; a character is not cut in two.
#[test]
fn close_reasons_are_cut_between_characters() {
    for (reason, length) in [
        ("x".repeat(122), 122),
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("é".repeat(62), 122),
        (format!("x{}", "é".repeat(62)), 123),
        ("😂".repeat(31), 120),
        ("x".repeat(100_000), 123),
    ] {
        let mut out = Vec::new();
        encode_close(&mut out, Some(CloseCode::GOING_AWAY), &reason);
        assert_eq!(out[..4], [0x88, 2 + length as u8, 0x03, 0xe9]);
        assert_eq!(&out[4..], &reason.as_bytes()[..length]);
        assert!(std::str::from_utf8(&out[4..]).is_ok());
    }
}

#[test]
#[should_panic(expected = "a control frame is whole")]
fn control_frames_are_short() {
    encode_ping(&mut Vec::new(), &[0; 126]);
}

#[test]
#[should_panic(expected = "a control frame is whole")]
fn control_frames_are_whole() {
    encode_header(Opcode::Close, false, None, 0);
}

#[test]
#[should_panic(expected = "2^63")]
fn lengths_have_63_bits() {
    encode_header(Opcode::Binary, true, None, 1 << 63);
}
