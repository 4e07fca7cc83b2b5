//! Headers of both families, and the file for Wireshark read back.

use super::*;
use crate::trace::packets::{Pcapng, Protocol, Step};
use pcap_file::pcapng::{Block, PcapNgReader};

#[test]
fn datagrams() {
    let mut script = Script::new();
    let packet = script.frame(&udp(4000, SERVER, b"ahoy")).unwrap();
    assert_eq!(
        packet.to_string(),
        "127.0.0.1:4000 → 127.0.0.1:8080  UDP  datagram 4 bytes"
    );
    assert_eq!(
        (packet.tuple.protocol, packet.step),
        (Protocol::Udp, Step::Datagram)
    );
    assert_eq!(
        script.frame(&udp(4000, SERVER, b"")).unwrap().payload_bytes,
        0
    );
    assert_eq!(
        script.tracker.connections(),
        0,
        "a datagram is no connection"
    );
}

#[test]
fn ipv6() {
    let mut script = Script::new();
    let segment = Segment {
        payload: b"twelve bytes",
        ..from_client(ACK, 7, 8)
    };
    let packet = script.frame(&super::ipv6(6, &tcp(&segment)[34..])).unwrap();
    assert_eq!(
        (packet.from.to_string(), packet.payload_bytes),
        ("[::1]:40000".to_owned(), 12)
    );
    let packet = script
        .frame(&super::ipv6(17, &udp(1, 2, b"abc")[34..]))
        .unwrap();
    assert_eq!(
        (packet.to.to_string(), packet.payload_bytes),
        ("[::1]:2".to_owned(), 3)
    );
}

#[test]
fn lengths_are_those_of_the_headers_not_of_the_frame() {
    let mut script = Script::new();
    let segment = Segment {
        payload: &[7; 100],
        ..from_client(ACK, 7, 8)
    };
    let whole = tcp(&segment);
    let cut = Frame {
        at: script.at,
        bytes: &whole[..60],
        wire_bytes: whole.len(),
    };
    assert_eq!(
        script.tracker.read(&cut).unwrap().payload_bytes,
        100,
        "a cut capture"
    );
    let short = Segment {
        payload: b"x",
        ..segment
    };
    let mut padded = tcp(&short);
    padded.resize(60, 0);
    assert_eq!(
        script.frame(&padded).unwrap().payload_bytes,
        1,
        "Ethernet pads to 60 bytes"
    );
    let mut lies = whole.clone();
    lies[16..18].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(
        script.frame(&lies).unwrap().payload_bytes,
        100,
        "no more than the wire carried"
    );
}

#[test]
fn what_is_neither_tcp_nor_udp() {
    let mut script = Script::new();
    for cut in 0..54 {
        assert_eq!(
            script.frame(&tcp(&from_client(SYN, 1, 0))[..cut]),
            None,
            "{cut} bytes"
        );
    }
    let mut icmp = udp(1, 2, b"");
    icmp[23] = 1;
    assert_eq!(script.frame(&icmp), None);
    let mut fragment = udp(1, 2, b"later");
    fragment[20..22].copy_from_slice(&[0x00, 0x10]);
    assert_eq!(script.frame(&fragment), None);
}

#[test]
fn a_file_holds_every_byte_and_nanosecond() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_763_773_381_123_456_789);
    let mut file = Pcapng::new(Vec::new(), "lo", "tcp port 8080").unwrap();
    let bytes = tcp(&from_client(SYN, 1, 0));
    for len in [bytes.len(), bytes.len() - 1] {
        let frame = Frame {
            at,
            bytes: &bytes[..len],
            wire_bytes: bytes.len(),
        };
        file.write(&frame).unwrap();
    }
    let written = file.finish(3, 1).unwrap();
    let mut reader = PcapNgReader::new(&written[..]).unwrap();
    let mut packets = Vec::new();
    let mut ended = 0;
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::EnhancedPacket(packet) => {
                packets.push((packet.timestamp, packet.original_len, packet.data.to_vec()));
            }
            Block::InterfaceStatistics(statistics) => ended = statistics.timestamp,
            _ => {}
        }
    }
    let time = Duration::from_nanos(1_763_773_381_123_456_789);
    assert_eq!(ended, time.as_nanos() as u64);
    let wire = bytes.len() as u32;
    let cut = bytes[..bytes.len() - 1].to_vec();
    assert_eq!(packets, [(time, wire, bytes), (time, wire, cut)]);
}
