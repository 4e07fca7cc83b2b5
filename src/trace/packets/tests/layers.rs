//! Layers from bytes: counts that add up, names by what came before, and bounds.

use super::{ACK, SYN, Script, Segment, from_client, from_server, ipv4, ipv6, tcp, udp};
use crate::trace::packets::{Frame, Layer, LayerKind, Layers};

use LayerKind::{Data, Http, Ipv4, Ipv6, Link, Tcp, Udp, WebSocket};

const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello";
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
/// The masked "Hello" of RFC 6455 §5.7.
const MASKED: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

/// A connection whose packets are taken apart; each payload follows the one before.
struct Taken {
    script: Script,
    layers: Layers,
    client: u32,
    server: u32,
}

impl Taken {
    fn new(bytes_max: usize) -> Self {
        let mut taken = Taken {
            script: Script::new(),
            layers: Layers::new(bytes_max),
            client: 1000,
            server: 2000,
        };
        taken.segment(&from_client(SYN, 999, 0));
        taken.segment(&from_server(SYN | ACK, 1999, 1000));
        taken
    }

    fn frame(&mut self, bytes: &[u8]) -> Vec<Layer> {
        let frame = Frame {
            at: self.script.at,
            bytes,
            wire_bytes: bytes.len(),
        };
        let packet = self.script.tracker.read(&frame).expect("a whole packet");
        let layers = self.layers.take_apart(&frame, &packet).into_vec();
        let sum: usize = layers.iter().map(|layer| layer.bytes).sum();
        assert_eq!(sum, bytes.len(), "{layers:?}");
        layers
    }

    fn segment(&mut self, segment: &Segment<'_>) -> Vec<Layer> {
        self.frame(&tcp(segment))
    }

    /// What the payload is taken for.
    fn client(&mut self, payload: &[u8]) -> Vec<Layer> {
        let segment = from_client(ACK, self.client, self.server);
        self.client += payload.len() as u32;
        self.segment(&Segment { payload, ..segment })[3..].to_vec()
    }

    fn server(&mut self, payload: &[u8]) -> Vec<Layer> {
        let segment = from_server(ACK, self.server, self.client);
        self.server += payload.len() as u32;
        self.segment(&Segment { payload, ..segment })[3..].to_vec()
    }
}

fn counts(layers: &[Layer]) -> Vec<(LayerKind, usize)> {
    layers
        .iter()
        .map(|layer| (layer.kind, layer.bytes))
        .collect()
}

fn texts(layers: &[Layer]) -> Vec<&str> {
    layers.iter().map(|layer| &*layer.text).collect()
}

#[test]
fn headers_say_their_fields() {
    let mut taken = Taken::new(32);
    let options = [2, 4, 0xff, 0xd7, 4, 2, 1, 1];
    let syn = Segment {
        options: &options,
        ..from_client(SYN, 4_000_000_000, 0)
    };
    let layers = taken.segment(&syn);
    assert_eq!(counts(&layers), [(Link, 14), (Ipv4, 20), (Tcp, 28)]);
    assert_eq!(
        layers[1].to_string(),
        "IPv4         20 bytes  45 00 00 30 00 00 40 00 40 06 00 00 7f 00 00 01 7f 00 00 01  \
         version 4, header 20 bytes, total 48, TTL 64, carries TCP, 127.0.0.1 → 127.0.0.1"
    );
    assert_eq!(
        texts(&layers)[2],
        "port 40000 → port 8080, header 28 bytes, SYN seq 0 win 512, options mss 65495 sack"
    );
    let layers = taken.frame(&udp(4000, 8080, b"ahoy"));
    assert_eq!(
        counts(&layers),
        [(Link, 14), (Ipv4, 20), (Udp, 8), (Data, 4)]
    );
    assert_eq!(
        texts(&layers)[2..],
        ["port 4000 → port 8080, length 12", "\"ahoy\""]
    );
    let header = [0x0f, 0xa0, 0x1f, 0x90, 0, 8, 0, 0];
    let layers = taken.frame(&ipv6(17, &header));
    assert_eq!(counts(&layers), [(Link, 14), (Ipv6, 40), (Udp, 8)]);
    assert!(layers[1].text.ends_with("carries UDP, ::1 → ::1"));
}

#[test]
fn what_fills_a_short_frame_is_padding() {
    let mut bytes = udp(4000, 8080, b"ahoy");
    bytes.resize(60, 0);
    let layers = Taken::new(32).frame(&bytes);
    assert_eq!(layers[3..].len(), 2);
    assert_eq!((layers[4].kind, layers[4].bytes), (LayerKind::Padding, 14));
}

#[test]
fn http_then_websocket() {
    let mut taken = Taken::new(32);
    let layers = taken.client(REQUEST);
    assert_eq!(counts(&layers), [(Http, REQUEST.len())]);
    assert_eq!(texts(&layers), ["\"GET /plaintext HTTP/1.1\""]);
    let layers = taken.server(REPLY);
    assert_eq!(counts(&layers), [(Http, REPLY.len() - 5), (Data, 5)]);
    assert_eq!(texts(&layers), ["\"HTTP/1.1 200 OK\"", "body \"Hello\""]);
    assert_eq!(counts(&taken.client(UPGRADE)), [(Http, UPGRADE.len())]);
    // The first frame may come with the head.
    let layers = taken.server(&[SWITCHING, b"\x81\x02hi"].concat());
    assert_eq!(
        counts(&layers),
        [(Http, SWITCHING.len()), (WebSocket, 2), (Data, 2)]
    );
    let layers = taken.client(MASKED);
    assert_eq!(counts(&layers), [(WebSocket, 6), (Data, 5)]);
    assert_eq!(
        texts(&layers),
        ["text 5 bytes, masked, fin", "unmasked \"Hello\""]
    );
    assert_eq!(*layers[0].first, MASKED[..6]);
    let layers = taken.server(b"\x89\x00\x88\x05\x03\xe8bye");
    assert_eq!(counts(&layers), [(WebSocket, 2), (WebSocket, 2), (Data, 5)]);
    assert_eq!(
        texts(&layers)[..2],
        ["ping 0 bytes, fin", "close 1000, fin"]
    );
}

#[test]
fn pipelined_messages_are_told_apart_from_their_bodies() {
    let mut taken = Taken::new(32);
    let upload = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let layers = taken.client(&[upload, REQUEST].concat());
    let expected = [(Http, upload.len() - 2), (Data, 2), (Http, REQUEST.len())];
    assert_eq!(counts(&layers), expected);
    let layers = taken.server(&[REPLY, REPLY].concat());
    let head = REPLY.len() - 5;
    assert_eq!(
        counts(&layers),
        [(Http, head), (Data, 5), (Http, head), (Data, 5)]
    );
    assert_eq!(texts(&layers)[2], "\"HTTP/1.1 200 OK\"");
}

#[test]
fn frames_behind_a_request_that_nobody_has_answered_are_told_as_frames() {
    let mut taken = Taken::new(32);
    let layers = taken.client(&[UPGRADE, MASKED].concat());
    assert_eq!(
        counts(&layers),
        [(Http, UPGRADE.len()), (WebSocket, 6), (Data, 5)]
    );
    assert_eq!(
        texts(&layers)[1..],
        [
            "text 5 bytes, masked, fin, if the server agrees",
            "unmasked \"Hello\""
        ]
    );
    // A frame in two packets, the server's answer between them.
    assert_eq!(
        counts(&taken.client(&MASKED[..8])),
        [(WebSocket, 6), (Data, 2)]
    );
    taken.server(SWITCHING);
    let layers = taken.client(&[&MASKED[8..], MASKED].concat());
    assert_eq!(counts(&layers), [(Data, 3), (WebSocket, 6), (Data, 5)]);
    assert_eq!(texts(&layers)[1], "text 5 bytes, masked, fin");

    // Requests are no frames, and a server that refuses gets requests.
    let mut taken = Taken::new(32);
    taken.client(UPGRADE);
    assert_eq!(counts(&taken.client(REQUEST)), [(Data, REQUEST.len())]);
    let mut taken = Taken::new(32);
    taken.client(UPGRADE);
    taken.server(REPLY);
    assert_eq!(counts(&taken.client(REQUEST)), [(Http, REQUEST.len())]);

    let mut taken = Taken::new(32);
    let layers = taken.client(&[UPGRADE, &*MASKED.repeat(40)].concat());
    assert!(layers.len() < 64, "{}", layers.len());
    assert_eq!(layers.last().expect("one").kind, WebSocket);
}

#[test]
fn what_stands_around_chunks_is_told_apart_from_them() {
    let head = b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = b"5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nT: 1\r\n\r\n";
    let mut taken = Taken::new(32);
    let layers = taken.client(&[&head[..], body, REQUEST].concat());
    assert_eq!(
        texts(&layers),
        [
            "\"PUT /x HTTP/1.1\"",
            "chunk header \"5\\r\\n\"",
            "body \"hello\"",
            "end of the chunk \"\\r\\n\"",
            "chunk header \"6;x=1\\r\\n\"",
            "body \" world\"",
            "end of the chunk \"\\r\\n\"",
            "chunk header \"0\\r\\n\"",
            "trailer section \"T: 1\\r\\n\\r\\n\"",
            "\"GET /plaintext HTTP/1.1\"",
        ]
    );
    let data: usize = 11;
    for cut in 1..body.len() {
        let mut taken = Taken::new(32);
        taken.client(head);
        let mut layers = taken.client(&body[..cut]);
        layers.extend(taken.client(&[&body[cut..], REQUEST].concat()));
        let of_data = layers.iter().filter(|layer| layer.kind == Data);
        let sum: usize = of_data.map(|layer| layer.bytes).sum();
        assert_eq!(sum, data, "{cut}: {layers:?}");
    }
    // The same of a reply.
    let mut taken = Taken::new(32);
    taken.client(REQUEST);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let layers = taken.server(&[&head[..], b"2\r\nhi\r\n0\r\n\r\n", REPLY].concat());
    let kinds = [Http, Http, Data, Http, Http, Http, Http, Data];
    assert_eq!(
        layers.iter().map(|layer| layer.kind).collect::<Vec<_>>(),
        kinds
    );
    let mut taken = Taken::new(32);
    taken.client(b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let layers = taken.client(b"x\r\n");
    assert!(layers[0].text.starts_with("breaks the rules: "));
    assert!(!layers[0].text.contains(".: "), "{}", layers[0]);
}

#[test]
fn any_cut_of_a_direction_gives_the_same_layers_in_all() {
    let whole = [REQUEST, UPGRADE].concat();
    for cut in 1..whole.len() {
        let mut taken = Taken::new(32);
        let mut layers = taken.client(&whole[..cut]);
        layers.extend(taken.client(&whole[cut..]));
        let http: usize = layers
            .iter()
            .filter(|layer| layer.kind == Http)
            .map(|layer| layer.bytes)
            .sum();
        // A method that is cut is not known for one yet.
        assert!(cut < 4 || http == whole.len(), "{cut}: {layers:?}");
        taken.server(REPLY);
        taken.server(SWITCHING);
        let mut headers = 0;
        for piece in [&MASKED[..1], &MASKED[1..5], &MASKED[5..8], &MASKED[8..]] {
            let layers = taken.client(piece);
            let kinds = layers.iter().filter(|layer| layer.kind == WebSocket);
            headers += kinds.map(|layer| layer.bytes).sum::<usize>();
        }
        assert_eq!(headers, 6);
    }
    let cut = REPLY.len() - 7;
    let mut taken = Taken::new(32);
    taken.client(REQUEST);
    assert_eq!(counts(&taken.server(&REPLY[..cut])), [(Http, cut)]);
    assert_eq!(counts(&taken.server(&REPLY[cut..])), [(Http, 2), (Data, 5)]);
}

#[test]
fn bytes_that_were_sent_again_are_not_read_twice() {
    let mut taken = Taken::new(32);
    taken.client(UPGRADE);
    taken.server(SWITCHING);
    taken.client(MASKED);
    taken.client -= MASKED.len() as u32;
    let layers = taken.client(MASKED);
    assert_eq!(counts(&layers), [(Data, MASKED.len())]);
    assert!(layers[0].text.starts_with("sent again "));
    assert_eq!(counts(&taken.client(MASKED)), [(WebSocket, 6), (Data, 5)]);
}

#[test]
fn bytes_of_no_protocol_are_data_and_no_more_are_kept_than_asked_for() {
    let mut taken = Taken::new(4);
    let layers = taken.client(b"ahoy sailor\n");
    assert_eq!(counts(&layers), [(Data, 12)]);
    assert_eq!(*layers[0].first, *b"ahoy");
    assert_eq!(
        layers[0].to_string(),
        "data         12 bytes  61 68 6f 79 ...  \"ahoy\"..."
    );
    // Thousands of requests in one packet are no thousands of lines.
    let many = REQUEST.repeat(1000);
    let layers = Taken::new(4).client(&many);
    assert!(layers.len() < 64, "{}", layers.len());
    assert!(
        layers
            .iter()
            .all(|layer| layer.kind == Http && layer.first.len() <= 4)
    );
}

#[test]
fn a_broken_rule_behind_data_is_told() {
    let mut taken = Taken::new(32);
    taken.client(UPGRADE);
    taken.server(SWITCHING);
    let layers = taken.client(&[MASKED, b"\x81\x02hi"].concat());
    assert_eq!(
        counts(&layers),
        [(WebSocket, 6), (Data, 5), (Data, 2), (Data, 2)]
    );
    let rule = "breaks the rules: a client's frame is not masked (RFC 6455 §5.1)";
    assert_eq!(
        texts(&layers)[1..],
        [
            "unmasked \"Hello\"",
            &format!("{rule}: \"\\201\\2\""),
            "\"hi\""
        ]
    );

    let mut taken = Taken::new(32);
    let upload = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let layers = taken.client(&[upload, &b"GET  HTTP/1.1\r\n\r\n"[..]].concat());
    let expected = [(Http, upload.len() - 2), (Data, 2), (Data, 17)];
    assert_eq!(counts(&layers), expected);
    assert!(layers[2].text.starts_with("breaks the rules: "));

    // Behind more frames than are told one by one.
    let mut taken = Taken::new(32);
    taken.client(UPGRADE);
    taken.server(SWITCHING);
    let layers = taken.client(&[&*MASKED.repeat(40), b"\x81\x02hi"].concat());
    assert!(layers.len() < 64, "{}", layers.len());
    let last = layers.last().expect("one at least");
    assert!(last.text.ends_with(rule), "{last}");
}

#[test]
fn data_that_goes_on_shows_its_bytes_or_that_there_are_more() {
    for (bytes_max, text) in [
        (32, "body \"ab\\r\\n\\r\\ncd\""),
        (6, "body \"ab\\r\\n\\r\\n\"..."),
        (2, "body \"ab\"..."),
    ] {
        let mut taken = Taken::new(bytes_max);
        taken.client(REQUEST);
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let layers = taken.server(&[&head[..], b"ab\r\n\r\ncd"].concat());
        assert_eq!(counts(&layers), [(Http, head.len()), (Data, 8)]);
        assert_eq!(texts(&layers)[1], text);
    }
}

#[test]
fn new_bytes_behind_those_that_were_sent_again_are_told_apart() {
    let mut taken = Taken::new(32);
    taken.client(b"ahoy");
    taken.client -= 4;
    let layers = taken.client(b"ahoy sailor");
    assert_eq!(counts(&layers), [(Data, 4), (Data, 7)]);
    assert_eq!(texts(&layers), ["sent again \"ahoy\"", "\" sailor\""]);
}

#[test]
fn bytes_in_a_syn_come_before_those_of_the_next_segment() {
    let mut taken = Taken::new(32);
    let (first, second) = REQUEST.split_at(20);
    // The numbers wrap between the SYN and its first byte.
    let syn = Segment {
        payload: first,
        ..from_client(SYN, u32::MAX, 0)
    };
    assert_eq!(counts(&taken.segment(&syn)[3..]), [(Http, 20)]);
    taken.segment(&from_server(SYN | ACK, 1999, 20));
    taken.client = 20;
    let layers = taken.client(second);
    assert_eq!(counts(&layers), [(Http, second.len())]);
    assert!(layers[0].text.starts_with("end of a head: "));
    assert_eq!(counts(&taken.client(REQUEST)), [(Http, REQUEST.len())]);
}

#[test]
fn the_code_of_a_close_may_be_cut() {
    let close = b"\x88\x05\x03\xe8bye";
    for cut in [2, 3] {
        let mut taken = Taken::new(32);
        taken.client(UPGRADE);
        taken.server(SWITCHING);
        assert_eq!(counts(&taken.server(&close[..cut])), [(WebSocket, cut)]);
        let layers = taken.server(&[&close[cut..], b"\x89\x00"].concat());
        assert_eq!(counts(&layers), [(Data, close.len() - cut), (WebSocket, 2)]);
        assert!(layers[0].text.starts_with("close 1000, fin: "));
        assert_eq!(layers[1].text, "ping 0 bytes, fin");
    }
}

#[test]
fn headers_that_are_not_counted_end_the_reading_at_the_link() {
    let whole = tcp(&Segment {
        payload: REQUEST,
        ..from_client(ACK, 1000, 2000)
    });
    let tag = [0x81, 0, 0, 5];
    let tagged = [&whole[..12], &tag, &whole[12..]].concat();
    let layers = Taken::new(32).frame(&tagged);
    assert_eq!(counts(&layers), [(Link, 14), (Data, tagged.len() - 14)]);
    assert_eq!(texts(&layers)[1], "behind a VLAN tag or MACsec, not read");

    // RFC 4302: TCP is next, then a length in words without the first two.
    let mut authentication = vec![6, 1, 0, 0];
    authentication.extend([0; 8]);
    authentication.extend(&whole[34..]);
    let behind = ipv4(51, &authentication);
    let layers = Taken::new(32).frame(&behind);
    assert_eq!(counts(&layers), [(Link, 14), (Data, behind.len() - 14)]);
}

#[test]
fn connections_without_end_cost_no_memory_without_end() {
    let mut taken = Taken::new(32);
    for port in 1024..4096 {
        let segment = Segment {
            from: port,
            payload: b"GET / HTTP/1.1\r\n",
            ..from_client(ACK, 1, 1)
        };
        taken.segment(&segment);
    }
    assert!(taken.layers.followed() <= 256);
}

proptest::proptest! {
    #[test]
    fn no_payload_makes_it_fail(
        payloads in proptest::collection::vec(
            (proptest::bool::ANY, proptest::collection::vec(proptest::num::u8::ANY, 0..40)), 0..20),
        upgraded in proptest::bool::ANY,
    ) {
        let mut taken = Taken::new(8);
        if upgraded {
            taken.client(UPGRADE);
            taken.server(SWITCHING);
        }
        for (is_client, payload) in &payloads {
            // It asserts that the counts add up.
            if *is_client { taken.client(payload) } else { taken.server(payload) };
        }
    }
}
