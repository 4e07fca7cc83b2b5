//! The program that the kernel runs on every frame, to pass those of the traced ports and no other.
//!
//! ```text
//!   leaving through lo? ─▶ drop          lo shows each frame twice, leaving and arriving: the arriving one is kept
//!   IPv4 ─▶ TCP or UDP, first fragment ─▶ source or destination port ─▶ keep
//!   IPv6 ─▶ TCP or UDP                 ─▶ source or destination port ─▶ keep
//!   anything else ─▶ drop
//! ```
//!
//! Classic BPF, as `tcpdump -d` shows it. It does not see through VLAN tags, IPv6 extension headers or tunnels.

use crate::sys::FilterOp;

/// How many ports a capture may watch: each costs two instructions per frame and direction.
pub const PORTS_MAX: usize = 32;

/// More than any frame: what the filter keeps, it keeps whole. The receive buffer decides what is cut.
const KEEP: u32 = 0x0004_0000;

// linux/bpf_common.h and linux/filter.h.
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF_INDEXED: u16 = 0x48;
const LOAD_IP_HEADER_LENGTH: u16 = 0xb1;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: not a byte of the frame, but which way it goes.
const PACKET_TYPE: u32 = (-0x1000i32).cast_unsigned() + 4;
const PACKET_OUTGOING: u32 = 4;

// Offsets within an Ethernet frame.
const ETHER_TYPE: u32 = 12;
const IP: u32 = 14;
const IPV4_FRAGMENT: u32 = IP + 6;
const IPV4_PROTOCOL: u32 = IP + 9;
const IPV6_NEXT_HEADER: u32 = IP + 6;
const IPV6_PORTS: u32 = IP + 40;

const IPV4_TYPE: u32 = 0x0800;
const IPV6_TYPE: u32 = 0x86dd;
const FRAGMENT_OFFSET: u32 = 0x1fff;
const TCP: u32 = 6;
const UDP: u32 = 17;

/// The program for these ports; `loopback` drops the leaving copy.
pub(super) fn program(ports: &[u16], loopback: bool) -> Vec<FilterOp> {
    debug_assert!(ports.len() <= PORTS_MAX, "the plan was checked");
    let op = FilterOp::new;
    let mut program = Vec::new();
    if loopback {
        program.push(op(LOAD_BYTE, 0, 0, PACKET_TYPE));
        program.push(op(JUMP_IF_EQUAL, 0, 1, PACKET_OUTGOING));
        program.push(op(RETURN, 0, 0, 0));
    }
    let (v4, v6) = (ipv4(ports), ipv6(ports));
    program.push(op(LOAD_HALF, 0, 0, ETHER_TYPE));
    // Conditional jumps reach 255 instructions, a plain one reaches everything.
    program.push(op(JUMP_IF_EQUAL, 1, 0, IPV4_TYPE));
    program.push(op(JUMP, 0, 0, v4.len() as u32));
    program.extend(v4);
    program.push(op(JUMP_IF_EQUAL, 1, 0, IPV6_TYPE));
    program.push(op(RETURN, 0, 0, 0));
    program.extend(v6);
    program
}

fn ipv4(ports: &[u16]) -> Vec<FilterOp> {
    let op = FilterOp::new;
    let mut program = tcp_or_udp(IPV4_PROTOCOL);
    program.extend([
        op(LOAD_HALF, 0, 0, IPV4_FRAGMENT),
        op(JUMP_IF_SET, 0, 1, FRAGMENT_OFFSET),
        op(RETURN, 0, 0, 0),
        op(LOAD_IP_HEADER_LENGTH, 0, 0, IP),
        op(LOAD_HALF_INDEXED, 0, 0, IP),
    ]);
    program.extend(keep_if_in(ports));
    program.push(op(LOAD_HALF_INDEXED, 0, 0, IP + 2));
    program.extend(keep_if_in(ports));
    program.push(op(RETURN, 0, 0, 0));
    program
}

fn ipv6(ports: &[u16]) -> Vec<FilterOp> {
    let op = FilterOp::new;
    let mut program = tcp_or_udp(IPV6_NEXT_HEADER);
    program.push(op(LOAD_HALF, 0, 0, IPV6_PORTS));
    program.extend(keep_if_in(ports));
    program.push(op(LOAD_HALF, 0, 0, IPV6_PORTS + 2));
    program.extend(keep_if_in(ports));
    program.push(op(RETURN, 0, 0, 0));
    program
}

/// Goes on behind itself with TCP and UDP, and drops the rest.
fn tcp_or_udp(protocol: u32) -> Vec<FilterOp> {
    let op = FilterOp::new;
    vec![
        op(LOAD_BYTE, 0, 0, protocol),
        op(JUMP_IF_EQUAL, 2, 0, TCP),
        op(JUMP_IF_EQUAL, 1, 0, UDP),
        op(RETURN, 0, 0, 0),
    ]
}

/// Keeps the frame if the loaded number is one of these ports, else goes on behind itself.
fn keep_if_in(ports: &[u16]) -> impl Iterator<Item = FilterOp> {
    ports.iter().flat_map(|&port| {
        let skip = FilterOp::new(JUMP_IF_EQUAL, 0, 1, port.into());
        [skip, FilterOp::new(RETURN, 0, 0, KEEP)]
    })
}
