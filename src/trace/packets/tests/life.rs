//! Scripted connections, packet by packet, with the numbers that Wireshark would show.

use super::*;
use crate::trace::packets::{CONNECTIONS_MAX, Side, Step, Transport};

/// What Linux offers on loopback: mss 65495, sack, timestamps, scale 7.
const OFFER: [u8; 20] = [
    2, 4, 0xff, 0xd7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
];

const C: u32 = u32::MAX - 10;
const S: u32 = 5000;

fn syn() -> Segment<'static> {
    Segment {
        window: 65495,
        options: &OFFER,
        ..from_client(SYN, C, 0)
    }
}

fn syn_ack() -> Segment<'static> {
    Segment {
        window: 65483,
        options: &OFFER,
        ..from_server(SYN | ACK, S, C.wrapping_add(1))
    }
}

/// A connection whose handshake is over.
fn opened() -> Script {
    let mut script = Script::new();
    script.segment(&syn());
    script.segment(&syn_ack());
    let third = script.segment(&from_client(ACK, C.wrapping_add(1), S + 1));
    assert_eq!(third.step, Step::Handshake(3));
    script
}

fn numbers(packet: &Packet) -> (u32, Option<u32>) {
    let Transport::Tcp(segment) = packet.transport else {
        panic!("{packet}")
    };
    (segment.seq.relative, segment.ack.map(|ack| ack.relative))
}

#[test]
fn the_handshake_reads_as_in_the_books() {
    let mut script = Script::new();
    let first = script.segment(&syn());
    assert_eq!(
        first.stamped().to_string(),
        "12:03:01.123456  127.0.0.1:40000 → 127.0.0.1:8080  SYN seq 0 win 65495 mss 65495 sack ts wscale 7  three-way handshake 1/3  (client SYN-SENT)"
    );
    assert_eq!(
        script.segment(&syn_ack()).to_string(),
        "127.0.0.1:8080 → 127.0.0.1:40000  SYN|ACK seq 0 ack 1 win 65483 mss 65495 sack ts wscale 7  three-way handshake 2/3  (client ESTABLISHED, server SYN-RECEIVED)"
    );
    assert_eq!(
        script
            .segment(&from_client(ACK, C.wrapping_add(1), S + 1))
            .to_string(),
        "127.0.0.1:40000 → 127.0.0.1:8080  ACK seq 1 ack 1 win 65536  three-way handshake 3/3  (client ESTABLISHED, server ESTABLISHED)"
    );
    assert_eq!(
        (first.tuple.local.port(), first.tuple.remote.port()),
        (SERVER, CLIENT)
    );
    assert!(first.tuple.joins(first.from, first.to) && first.tuple.joins(first.to, first.from));
}

#[test]
fn numbers_count_across_the_end_of_their_range() {
    let mut script = opened();
    let data = Segment {
        payload: &[b'x'; 78],
        ..from_client(ACK | 8, C.wrapping_add(1), S + 1)
    };
    let packet = script.segment(&data);
    assert_eq!(packet.step, Step::Data { bytes: 78 });
    assert_eq!(
        packet.to_string(),
        "127.0.0.1:40000 → 127.0.0.1:8080  PSH|ACK seq 1 ack 1 win 65536  data 78 bytes"
    );
    let ack = script.segment(&from_server(ACK, S + 1, C.wrapping_add(79)));
    assert_eq!(
        (ack.step, numbers(&ack)),
        (Step::Acknowledgement { bytes: 78 }, (1, Some(79)))
    );
    let again = script.segment(&data);
    assert!(again.retransmission && again.to_string().ends_with("data 78 bytes, sent again"));
    let repeated = script.segment(&from_server(ACK, S + 1, C.wrapping_add(79)));
    assert_eq!(repeated.step, Step::Acknowledgement { bytes: 0 });
    let room = Segment {
        window: 600,
        ..from_server(ACK, S + 1, C.wrapping_add(79))
    };
    assert_eq!(script.segment(&room).step, Step::WindowUpdate);
}

#[test]
fn four_packets_close() {
    let mut script = opened();
    let lines: Vec<String> = [
        from_client(FIN | ACK, C.wrapping_add(1), S + 1),
        from_server(ACK, S + 1, C.wrapping_add(2)),
        from_server(FIN | ACK, S + 1, C.wrapping_add(2)),
        from_client(ACK, C.wrapping_add(2), S + 2),
    ]
    .iter()
    .map(|segment| script.segment(segment).to_string())
    .collect();
    for (line, expected) in lines.iter().zip([
        "FIN|ACK seq 1 ack 1 win 65536  close: FIN from the client 1/4  (client FIN-WAIT-1, server CLOSE-WAIT)",
        "ACK seq 1 ack 2 win 65536  close: ACK from the server 2/4  (client FIN-WAIT-2, server CLOSE-WAIT)",
        "FIN|ACK seq 1 ack 2 win 65536  close: FIN from the server 3/4  (client TIME-WAIT, server LAST-ACK)",
        "ACK seq 2 ack 2 win 65536  close: ACK from the client 4/4  (client TIME-WAIT, server CLOSED)",
    ]) {
        assert!(line.ends_with(expected), "{line}");
    }
}

#[test]
fn three_packets_close_too_and_both_at_once() {
    let mut script = opened();
    script.segment(&from_client(FIN | ACK, C.wrapping_add(1), S + 1));
    let both = script.segment(&from_server(FIN | ACK, S + 1, C.wrapping_add(2)));
    let (ack, fin) = (Some(2), Some(3));
    assert_eq!(both.step, Step::Close { ack, fin });
    assert!(both.to_string().ends_with(
        "close: ACK and FIN from the server 2/4 and 3/4  (client TIME-WAIT, server LAST-ACK)"
    ));
    let last = script.segment(&from_client(ACK, C.wrapping_add(2), S + 2));
    let (ack, fin) = (Some(4), None);
    assert_eq!(last.step, Step::Close { ack, fin });

    let mut script = opened();
    let steps = [
        from_client(FIN | ACK, C.wrapping_add(1), S + 1),
        from_server(FIN | ACK, S + 1, C.wrapping_add(1)),
        from_client(ACK, C.wrapping_add(2), S + 2),
        from_server(ACK, S + 2, C.wrapping_add(2)),
    ]
    .map(|segment| script.segment(&segment));
    let close = |ack, fin| Step::Close { ack, fin };
    let states = steps.map(|packet| {
        let states = packet.states.unwrap();
        (states.remote.unwrap().name(), states.local.unwrap().name())
    });
    assert_eq!(
        states,
        [
            ("FIN-WAIT-1", "CLOSE-WAIT"),
            ("CLOSING", "CLOSING"),
            ("CLOSING", "TIME-WAIT"),
            ("TIME-WAIT", "TIME-WAIT")
        ]
    );
    assert_eq!(
        steps.map(|packet| packet.step),
        [
            close(None, Some(1)),
            close(None, Some(2)),
            close(Some(3), None),
            close(Some(4), None)
        ]
    );
    let again = script.segment(&from_client(FIN | ACK, C.wrapping_add(1), S + 2));
    assert!(again.retransmission);
    assert_eq!(
        again.step,
        close(None, Some(1)),
        "sent again, it keeps its number"
    );
}

#[test]
fn refusals_and_resets() {
    let mut script = Script::new();
    script.segment(&syn());
    let refused = script.segment(&from_server(RST | ACK, 0, C.wrapping_add(1)));
    assert_eq!(
        (refused.step, numbers(&refused)),
        (Step::Refused, (1, Some(1)))
    );
    assert!(refused.to_string().ends_with(
        "win 512 unscaled  RST: refused, nobody listens  (client CLOSED, server CLOSED)"
    ));

    let mut script = opened();
    let reset = script.segment(&from_client(RST | ACK, C.wrapping_add(1), S + 1));
    assert_eq!(
        (reset.step, reset.sender),
        (Step::Reset, Some(Side::Client))
    );
    assert!(
        reset
            .to_string()
            .ends_with("RST from the client  (client CLOSED, server CLOSED)")
    );
}

#[test]
fn questions_to_a_silent_peer() {
    let mut script = opened();
    let question = from_client(ACK, C, S + 1);
    assert_eq!(script.segment(&question).step, Step::Keepalive);
    assert!(!script.segment(&question).retransmission);
    let full = Segment {
        window: 0,
        ..from_server(ACK, S + 1, C.wrapping_add(1))
    };
    script.segment(&full);
    assert_eq!(script.segment(&question).step, Step::WindowProbe);
}

#[test]
fn a_connection_that_began_earlier() {
    let mut script = Script::new();
    let data = Segment {
        payload: b"late",
        ..from_server(ACK, 777, 888)
    };
    let packet = script.segment(&data);
    assert_eq!(
        (packet.step, packet.sender),
        (Step::Data { bytes: 4 }, None)
    );
    assert_eq!(
        numbers(&packet),
        (1, Some(1)),
        "as Wireshark counts without a SYN"
    );
    assert!(
        packet.to_string().contains(" win 512 unscaled "),
        "{packet}"
    );
    let answer = script.segment(&from_client(ACK, 888, 781));
    assert_eq!(numbers(&answer), (1, Some(5)));
}

#[test]
fn a_port_pair_used_again_begins_anew() {
    let mut script = opened();
    let again = script.segment(&syn());
    assert!(
        again.retransmission && again.step == Step::Handshake(1),
        "the same SYN"
    );
    let other = Segment { seq: 99, ..syn() };
    let packet = script.segment(&other);
    assert!(!packet.retransmission && packet.step == Step::Handshake(1));
    assert_eq!(numbers(&packet), (0, None));
    let answer = Segment {
        ack: 100,
        ..syn_ack()
    };
    assert_eq!(script.segment(&answer).sender, Some(Side::Server));
}

#[test]
fn without_a_scale_from_both_no_window_is_scaled() {
    let mut script = Script::new();
    script.segment(&syn());
    let plain = Segment {
        options: &[],
        ..syn_ack()
    };
    script.segment(&plain);
    let third = script.segment(&from_client(ACK, C.wrapping_add(1), S + 1));
    assert!(third.to_string().contains(" win 512  "), "{third}");
    let huge = [3, 3, 255, 0];
    let mut script = Script::new();
    for segment in [syn(), syn_ack()] {
        script.segment(&Segment {
            options: &huge,
            window: u16::MAX,
            ..segment
        });
    }
    let window = Segment {
        window: u16::MAX,
        ..from_client(ACK, C.wrapping_add(1), S + 1)
    };
    let third = script.segment(&window).to_string();
    assert!(
        third.contains(&format!(" win {}  ", 65535u32 << 14)),
        "RFC 7323 §2.3: {third}"
    );
}

#[test]
fn the_oldest_connection_is_forgotten() {
    let mut script = Script::new();
    script.segment(&syn());
    let other = |number: usize| Segment {
        from: 20_000 + number as u16,
        ..syn()
    };
    for number in 0..CONNECTIONS_MAX - 1 {
        script.segment(&other(number));
    }
    assert_eq!(script.tracker.connections(), CONNECTIONS_MAX);
    // The first was heard of again, so another one is the oldest.
    assert_eq!(script.segment(&syn_ack()).step, Step::Handshake(2));
    script.segment(&other(CONNECTIONS_MAX));
    assert_eq!(script.tracker.connections(), CONNECTIONS_MAX);
    let third = script.segment(&from_client(ACK, C.wrapping_add(1), S + 1));
    assert_eq!(third.step, Step::Handshake(3), "it is still known");
    assert!(
        !script.segment(&other(0)).retransmission,
        "this one was forgotten"
    );
}
