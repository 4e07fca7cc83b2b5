use proptest::prelude::*;

use super::*;
use crate::trace::protocol::BodyLength;

/// What a connection's bytes mean, as lines.
struct Pair {
    dissector: Dissector,
    told: Vec<Protocol>,
}

impl Pair {
    fn new() -> Self {
        Self {
            dissector: Dissector::default(),
            told: Vec::new(),
        }
    }

    fn received(&mut self, bytes: &[u8]) -> Vec<String> {
        self.read(Direction::Received, bytes)
    }

    fn sent(&mut self, bytes: &[u8]) -> Vec<String> {
        self.read(Direction::Sent, bytes)
    }

    fn read(&mut self, direction: Direction, bytes: &[u8]) -> Vec<String> {
        self.dissector.read(direction, bytes, &mut self.told);
        std::mem::take(&mut self.told)
            .iter()
            .map(ToString::to_string)
            .collect()
    }
}

const NONE: [&str; 0] = [];
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

#[test]
fn requests_and_their_replies() {
    let mut pair = Pair::new();
    assert_eq!(pair.received(b"GET / HTTP/1.1\r\nHo"), NONE);
    let both = b"st: a\r\n\r\nHEAD /x HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(pair.received(both), ["GET /", "HEAD /x"]);
    assert_eq!(
        pair.sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        ["GET / → 200, 2 bytes"]
    );
    // The reply to HEAD announces a body that does not come.
    let next = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        pair.sent(next),
        ["HEAD /x → 200, 0 bytes", "→ 408, 0 bytes"]
    );
}

#[test]
fn bodies_end_where_their_framing_says() {
    let mut pair = Pair::new();
    let put = b"PUT /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(pair.received(put), ["PUT /u", "GET /2"]);
    assert_eq!(
        pair.sent(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"),
        ["→ 100, 0 bytes", "PUT /u → 200, chunked"]
    );
    assert_eq!(
        pair.sent(b"c\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        ["→ end of the body, 3 bytes", "GET /2 → 200, 10 bytes"]
    );
    // Five bytes that nobody saw, as sendfile(2) sends them, and five that were seen.
    let mut told = Vec::new();
    pair.dissector.skip(Direction::Sent, 5, &mut told);
    let rest = b"12345HTTP/1.0 200 OK\r\n\r\nanything";
    assert_eq!(pair.sent(rest), ["→ 200, until it closes"]);
    assert_eq!(pair.sent(b"HTTP/1.1 200 OK\r\n\r\n"), NONE);
}

#[test]
fn unseen_bytes_that_cannot_be_placed_end_the_reading() {
    let mut pair = Pair::new();
    pair.dissector.skip(Direction::Sent, 5, &mut Vec::new());
    assert_eq!(
        pair.sent(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        NONE
    );
}

#[test]
fn frames_both_ways_behind_an_upgrade() {
    let mut pair = Pair::new();
    let mut first = UPGRADE.to_vec();
    // A client need not wait to send, though it may not yet be understood.
    first.extend(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d");
    assert_eq!(pair.received(&first), ["GET /ws, asks to upgrade"]);
    let mut reply = SWITCH.to_vec();
    reply.extend(b"\x81\x05Hello");
    assert_eq!(
        pair.sent(&reply),
        [
            "GET /ws → upgrade to WebSocket",
            "text 5 bytes, masked, fin",
            "text 5 bytes, fin"
        ]
    );
    assert_eq!(
        pair.received(b"\x51\x58\x02\x80\0\0\0\0\x89\x80\0\0\0\0"),
        ["binary 0 bytes, masked", "ping 0 bytes, masked, fin"]
    );
    assert_eq!(pair.received(b"\x88\x82\x01\x01\x01\x01\x02"), NONE);
    assert_eq!(pair.received(b"\xe9"), ["close 1000, masked, fin"]);
    assert_eq!(pair.sent(b"\x88\0"), ["close without a code, fin"]);
    let long = b"\x82\x7f\0\0\0\0\0\x01\0\0";
    assert_eq!(pair.sent(long), ["binary 65536 bytes, fin"]);
    assert_eq!(pair.sent(&vec![0x81; 65536]), NONE, "payload");
    assert_eq!(pair.sent(b"\x83"), NONE);
    assert_eq!(pair.sent(b"\x00"), ["breaks the rules: a reserved opcode"]);
    assert_eq!(pair.sent(b"\x81\x00"), NONE, "nothing is read after that");
}

fn upgraded(switch: &[u8]) -> Pair {
    let mut pair = Pair::new();
    pair.received(UPGRADE);
    pair.sent(switch);
    pair
}

#[test]
fn frames_that_break_the_rules_are_told() {
    for (bytes, why) in [
        (&b"\x81\x05Hello"[..], "a client's frame is not masked"),
        (b"\xc1\x80\0\0\0\0", "a reserved bit"),
        (b"\xa1\x80\0\0\0\0", "a reserved bit"),
        (b"\x80\x80\0\0\0\0", "a continuation of no message"),
        (b"\x88\x81\0\0\0\0\x03", "a close with half a code"),
        (b"\x09\x80\0\0\0\0", "a control frame in fragments"),
        (b"\x89\xfe\0\x7e\0\0\0\0", "a control frame of more than"),
        (b"\x81\xfe\0\x7d\0\0\0\0", "a length in more bytes"),
        (
            b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0",
            "a length with its top bit",
        ),
    ] {
        let told = upgraded(SWITCH).received(bytes);
        let expected = format!("breaks the rules: {why}");
        assert!(
            told.len() == 1 && told[0].starts_with(&expected),
            "{why}: {told:?}"
        );
    }
    let told = upgraded(SWITCH).sent(b"\x81\x80\0\0\0\0");
    assert!(
        told[0].starts_with("breaks the rules: a server's frame is masked"),
        "{told:?}"
    );
    // A ping may stand between fragments, a message may not.
    let mut pair = upgraded(SWITCH);
    assert_eq!(
        pair.received(b"\x01\x80\0\0\0\0\x89\x80\0\0\0\0\x80\x80\0\0\0\0\x01\x80\0\0\0\0"),
        [
            "text 0 bytes, masked",
            "ping 0 bytes, masked, fin",
            "continuation 0 bytes, masked, fin",
            "text 0 bytes, masked"
        ]
    );
    let told = pair.received(b"\x82\x80\0\0\0\0");
    assert!(
        told[0].starts_with("breaks the rules: a new message inside"),
        "{told:?}"
    );
}

#[test]
fn compression_is_allowed_where_it_was_agreed_on() {
    let agreed = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";
    let mut pair = upgraded(agreed);
    assert_eq!(
        pair.received(b"\xc1\x80\0\0\0\0"),
        ["text 0 bytes, compressed, masked, fin"]
    );
    assert_eq!(pair.sent(b"\xc2\0"), ["binary 0 bytes, compressed, fin"]);
    let told = pair.received(b"\xc9\x80\0\0\0\0");
    assert!(
        told[0].starts_with("breaks the rules: a reserved bit"),
        "{told:?}"
    );
}

#[test]
fn what_is_answered_as_a_request_and_is_none_breaks_the_rules() {
    for bytes in [&b"BAD\r\n\r\n"[..], b"\0\x01garbage\r\n\r\n"] {
        let mut pair = Pair::new();
        assert_eq!(pair.received(bytes), NONE, "it may be an echo's");
        pair.sent(b"HT");
        let told = pair.sent(b"TP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        assert!(told[0].starts_with("breaks the rules: "), "{told:?}");
        assert_eq!(told[1..], ["→ 400, 0 bytes"]);
    }
}

#[test]
fn an_upgrade_that_is_refused_leaves_http() {
    let mut pair = Pair::new();
    let mut first = UPGRADE.to_vec();
    first.extend(b"GET /after HTTP/1.1\r\nHost: a\r\n");
    assert_eq!(pair.received(&first), ["GET /ws, asks to upgrade"]);
    assert_eq!(
        pair.sent(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"),
        ["GET /ws → 426, 0 bytes"]
    );
    assert_eq!(pair.received(b"\r\n"), ["GET /after"]);
}

#[test]
fn a_client_is_read_with_the_directions_swapped() {
    let mut pair = Pair::new();
    assert_eq!(pair.sent(UPGRADE), ["GET /ws, asks to upgrade"]);
    assert_eq!(pair.received(b"HT"), NONE);
    assert_eq!(
        pair.received(&SWITCH[2..]),
        ["GET /ws → upgrade to WebSocket"]
    );
    assert_eq!(
        pair.sent(b"\x81\x80\0\0\0\0"),
        ["text 0 bytes, masked, fin"]
    );
    assert_eq!(pair.received(b"\x8a\x00"), ["pong 0 bytes, fin"]);
}

#[test]
fn what_is_no_http_is_passed_over_and_what_breaks_it_is_told() {
    let mut pair = Pair::new();
    assert_eq!(pair.received(b"hello, echo\n"), NONE);
    assert_eq!(pair.sent(b"hello, echo\n"), NONE);
    for word in [
        "Hello\n",
        "AHOY THERE\n",
        "GETTING started\n",
        "GET",
        "\n\nQUIT\r\n",
    ] {
        let mut pair = Pair::new();
        assert_eq!(pair.received(word.as_bytes()), NONE, "{word}");
        assert_eq!(pair.sent(word.as_bytes()), NONE, "{word}");
    }
    let mut pair = Pair::new();
    let told = pair.received(b"GET / HTTP/1.1\r\n\r\n");
    assert!(
        told.len() == 1 && told[0].starts_with("breaks the rules: "),
        "{told:?}"
    );
    let mut pair = Pair::new();
    let told = pair.sent(b"HTTP/9 what\r\n\r\n");
    assert_eq!(told, ["breaks the rules: no status line"]);
}

#[test]
fn an_endless_head_and_a_long_target_are_cut() {
    let mut pair = Pair::new();
    let endless = b"HTTP/1.1 200 OK\r\nX: ".repeat(8000);
    assert_eq!(
        pair.sent(&endless),
        ["breaks the rules: a head without an end"]
    );
    let mut pair = Pair::new();
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(5000));
    let told = pair.received(long.as_bytes());
    assert!(told[0].len() < 100 && told[0].ends_with("..."), "{told:?}");
}

#[test]
fn requests_that_nobody_answers_are_bounded() {
    let mut pair = Pair::new();
    let many = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(ASKED_MAX + 10);
    let told = pair.received(&many);
    assert_eq!(told.len(), ASKED_MAX + 1);
    assert_eq!(pair.dissector.asked.len(), ASKED_MAX);
}

/// Bytes that look like the protocols often enough to get anywhere.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..40),
        2 => Just(UPGRADE.to_vec()),
        2 => Just(SWITCH.to_vec()),
        1 => Just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        1 => Just(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n".to_vec()),
        1 => Just(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec()),
        1 => Just(b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x88\x02".to_vec()),
        1 => Just(vec![b'a'; 9000]),
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn kept(flow: &Flow) -> usize {
    match flow {
        Flow::Fresh | Flow::Opaque => 0,
        Flow::Begun(first) => first.len(),
        Flow::Requests(requests) => requests.kept(),
        Flow::Replies(replies) => replies.kept(),
        Flow::Frames(frames) => frames.kept(),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_bounds(steps in proptest::collection::vec((any::<bool>(), any::<bool>(), bytes()), 0..20)) {
        let mut dissector = Dissector::default();
        let mut told = Vec::new();
        for (sent, unseen, bytes) in steps {
            let direction = if sent { Direction::Sent } else { Direction::Received };
            if unseen {
                dissector.skip(direction, bytes.len() as u64, &mut told);
            } else {
                dissector.read(direction, &bytes, &mut told);
            }
            prop_assert!(kept(&dissector.sent) <= KEPT_BYTES_MAX);
            prop_assert!(kept(&dissector.received) <= KEPT_BYTES_MAX);
            prop_assert!(dissector.asked.len() <= ASKED_MAX);
        }
        for protocol in &told {
            prop_assert!(protocol.to_string().len() < 400);
        }
    }

    #[test]
    fn where_the_bytes_are_cut_makes_no_difference(bytes in bytes(), cuts in proptest::collection::vec(1..60usize, 1..40)) {
        let mut whole = Pair::new();
        let expected = whole.received(&bytes);
        let mut cut = Pair::new();
        let mut told = Vec::new();
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let at = cuts.next().expect("it cycles").min(rest.len());
            told.extend(cut.received(&rest[..at]));
            rest = &rest[at..];
        }
        prop_assert_eq!(told, expected);
    }
}

#[test]
fn lengths_are_read_as_numbers() {
    let mut pair = Pair::new();
    pair.dissector.read(
        Direction::Sent,
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
        &mut pair.told,
    );
    let What::Reply { body, status, .. } = &pair.told[0].what else {
        panic!("{:?}", pair.told)
    };
    assert_eq!((*body, *status), (BodyLength::Bytes(7), 200));
}
