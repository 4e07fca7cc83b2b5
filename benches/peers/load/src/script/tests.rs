use super::*;

#[test]
fn an_echo_is_checked_byte_for_byte_at_any_position() {
    let script = Script::ws(20, 16, "/ws");
    let period = script.reply.len() / 2;
    let stream = script.reply.repeat(2);
    for start in 0..period {
        for length in [1, 7, 22, 23, period, period + 5] {
            let piece = &stream[start..start + length];
            assert!(script.is_next(start as u64, piece));
            assert!(script.is_next((start + 3 * period) as u64, piece));
            let mut wrong = piece.to_vec();
            wrong[length / 2] ^= 1;
            assert!(!script.is_next(start as u64, &wrong));
        }
    }
    // A message that is lost or comes twice is seen.
    assert!(!script.is_next(0, &stream[22..44]));
}

#[test]
fn a_frame_unmasks_to_its_echo() {
    for (bytes, header) in [(20, 2), (125, 2), (126, 4), (16384, 4), (70_000, 10)] {
        let script = Script::ws(bytes, 1, "/ws");
        let sent = script.units(1, 1);
        assert_eq!(sent.len(), header + 4 + bytes);
        let mask = &sent[header..header + 4];
        let payload = sent[header + 4..].iter().zip(mask.iter().cycle());
        let payload: Vec<u8> = payload.map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(payload[0], 1);
        let reply = &script.reply[script.reply_unit..][..script.reply_unit];
        assert_eq!(reply[header..], payload);
    }
}

#[test]
fn only_the_date_may_change() {
    let reply = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    let script = Script {
        out: Vec::new(),
        out_unit: 1,
        reply: reply.repeat(2),
        reply_unit: reply.len(),
        units: 1,
        date: 23..52,
        handshake: None,
    };
    let later = b"HTTP/1.1 200 OK\r\nDate: Mon, 07 Nov 1994 08:49:38 GMT\r\n\r\n";
    assert!(script.is_next(0, later));
    assert!(script.is_next(30, &later[30..]));
    let wrong = b"HTTP/1.1 201 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    assert!(!script.is_next(0, wrong));
    assert!(!script.is_next(
        0,
        b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT,"
    ));
}
