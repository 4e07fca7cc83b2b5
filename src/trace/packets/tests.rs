//! What needs no capability: the kernel runs the filter on a socket pair, frames are built by hand, and files are read
//! back. The live captures are in `tests/packets.rs`.

mod diag;
mod filter;
mod frames;
mod hostile;
mod layers;
mod life;

use super::{Frame, Packet, Tracker};
use std::time::{Duration, SystemTime};

/// A tracker of port 8080, and the packets of a scripted connection: client 40000, server 8080.
struct Script {
    tracker: Tracker,
    at: SystemTime,
}

const CLIENT: u16 = 40_000;
const SERVER: u16 = 8080;

impl Script {
    fn new() -> Script {
        Script {
            tracker: Tracker::new(&[SERVER]),
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(43_381_123_456),
        }
    }

    fn frame(&mut self, bytes: &[u8]) -> Option<Packet> {
        self.tracker.read(&Frame {
            at: self.at,
            bytes,
            wire_bytes: bytes.len(),
        })
    }

    /// One segment; `flags` are letters, numbers are raw.
    fn segment(&mut self, segment: &Segment<'_>) -> Packet {
        self.frame(&tcp(segment)).expect("a whole segment")
    }
}

/// A TCP segment as the tests write it.
#[derive(Clone, Copy)]
struct Segment<'a> {
    from: u16,
    to: u16,
    flags: u8,
    seq: u32,
    ack: u32,
    window: u16,
    options: &'a [u8],
    payload: &'a [u8],
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

fn from_client(flags: u8, seq: u32, ack: u32) -> Segment<'static> {
    Segment {
        from: CLIENT,
        to: SERVER,
        flags,
        seq,
        ack,
        window: 512,
        options: &[],
        payload: &[],
    }
}

fn from_server(flags: u8, seq: u32, ack: u32) -> Segment<'static> {
    Segment {
        from: SERVER,
        to: CLIENT,
        ..from_client(flags, seq, ack)
    }
}

fn tcp(segment: &Segment<'_>) -> Vec<u8> {
    assert!(segment.options.len().is_multiple_of(4));
    let header = 20 + segment.options.len();
    let mut bytes = Vec::new();
    bytes.extend(segment.from.to_be_bytes());
    bytes.extend(segment.to.to_be_bytes());
    bytes.extend(segment.seq.to_be_bytes());
    bytes.extend(segment.ack.to_be_bytes());
    bytes.extend([(header as u8 / 4) << 4, segment.flags]);
    bytes.extend(segment.window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(segment.options);
    bytes.extend(segment.payload);
    ipv4(6, &bytes)
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(from.to_be_bytes());
    bytes.extend(to.to_be_bytes());
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(payload);
    ipv4(17, &bytes)
}

/// An Ethernet frame with an IPv4 packet between 127.0.0.1 and itself.
fn ipv4(protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend([0x08, 0x00, 0x45, 0]);
    bytes.extend((20 + transport.len() as u16).to_be_bytes());
    bytes.extend([
        0, 0, 0x40, 0, 64, protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
    ]);
    bytes.extend(transport);
    bytes
}

/// The same between ::1 and itself.
fn ipv6(next_header: u8, transport: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    bytes.extend((transport.len() as u16).to_be_bytes());
    bytes.extend([next_header, 64]);
    for _ in 0..2 {
        bytes.extend([0; 15]);
        bytes.push(1);
    }
    bytes.extend(transport);
    bytes
}
