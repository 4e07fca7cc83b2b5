use super::*;

/// What is told of bytes that come in these pieces.
fn told_of(pieces: &[&[u8]]) -> Vec<String> {
    let lines = std::cell::RefCell::new(Vec::new());
    let mut side = Side::new('<', '←');
    for piece in pieces {
        let mut on_head = |mark: char, head: &[u8]| {
            let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
            lines
                .borrow_mut()
                .push(format!("{mark} {}", line.escape_ascii()));
        };
        side.pass(piece, &mut on_head, &mut |line, _| {
            lines.borrow_mut().push(line.to_owned());
        });
    }
    lines.into_inner()
}

#[test]
fn heads_then_frames_wherever_they_are_cut() {
    // The examples of RFC 6455 §5.7, a compressed one of RFC 7692 §7.2.3, a 16-bit length, and a Close.
    let bytes = [
        &b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n"[..],
        b"\x81\x05Hello",
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        b"\x01\x03Hel\x80\x02lo\x89\x05Hello\x8a\x00",
        b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x82\x7e\x01\x00",
        &[0; 256],
        b"\x88\x82\x00\x00\x00\x01\x03\xe8",
        b"\x88\x00",
        b"\x83\x00",
    ]
    .concat();
    let expected = [
        "< HTTP/1.1 103 Early Hints",
        "< HTTP/1.1 101 Switching Protocols",
        "← fin text 5 bytes",
        "← fin text masked 5 bytes key 0x37fa213d",
        "← text 3 bytes",
        "← fin continuation 2 bytes",
        "← fin ping 5 bytes",
        "← fin pong 0 bytes",
        "← fin rsv1 text 7 bytes",
        "← fin binary 256 bytes",
        "← fin close masked 2 bytes key 0x00000001 code 1000",
        "← fin close 0 bytes",
        "← fin opcode 0x3 0 bytes",
    ];
    assert_eq!(told_of(&[&bytes]), expected);
    for cut in 0..=bytes.len() {
        assert_eq!(told_of(&[&bytes[..cut], &bytes[cut..]]), expected, "{cut}");
    }
    assert_eq!(told_of(&bytes.chunks(1).collect::<Vec<_>>()), expected);
}

#[test]
fn a_refusal_has_no_frames() {
    let bytes = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n\x81\x05Hello..";
    assert_eq!(told_of(&[bytes]), ["< HTTP/1.1 404 Not Found"]);
}

#[test]
fn an_endless_head_and_lengths_that_lie_cost_nothing() {
    assert_eq!(told_of(&[&vec![b'a'; 3 * HEAD_BYTES_MAX]]).len(), 1);
    let mut bytes = b"HTTP/1.1 101 \r\n\r\n\x82\x7f".to_vec();
    bytes.extend_from_slice(&u64::MAX.to_be_bytes());
    bytes.extend_from_slice(b"\x81\x00\x81\x00");
    assert_eq!(
        told_of(&[&bytes])[1..],
        ["← fin binary 18446744073709551615 bytes"]
    );
}
