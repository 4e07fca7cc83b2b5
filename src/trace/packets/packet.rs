//! What one packet says, in parsed form.
//!
//! It does not know how it is printed, nor how a life of a connection goes on.

use super::Step;
use crate::sys::TcpState;
use std::net::SocketAddr;
use std::time::SystemTime;

/// One frame as the interface carried it, Ethernet header included.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When the kernel saw it (real-time clock, nanoseconds).
    pub at: SystemTime,
    /// Its bytes: all of them, or the first so many.
    pub bytes: &'a [u8],
    /// How long it was: more than `bytes` if the capture cut it.
    pub wire_bytes: usize,
}

/// The transport protocol of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

/// The five facts that name a connection, the same for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The end with the traced port: a server's own address, or the one that a traced client connects to.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

impl FiveTuple {
    /// Whether it is the connection between these two addresses, whichever is called local.
    pub fn joins(&self, one: SocketAddr, other: SocketAddr) -> bool {
        (self.local, self.remote) == (one, other) || (self.local, self.remote) == (other, one)
    }
}

/// Who asked for the connection and who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that sent the first SYN.
    Client,
    /// The end that answered it.
    Server,
}

/// One TCP or UDP packet, with its place in the life of its connection.
///
/// `Display` is a line without the time; [`Packet::stamped`] puts the time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// When the kernel saw it (real-time clock, nanoseconds).
    pub at: SystemTime,
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// The same two, sorted by which port is traced.
    pub tuple: FiveTuple,
    /// Which side sent it; `None` for UDP, and for a connection whose beginning was not seen.
    pub sender: Option<Side>,
    /// Bytes of payload, as the headers say: no more than 65,535 but on interfaces with BIG TCP.
    pub payload_bytes: usize,
    /// What only one of the protocols has.
    pub transport: Transport,
    /// What it means in the life of the connection.
    pub step: Step,
    /// The states that it puts the ends into; `None` if it changes none, and for UDP.
    pub states: Option<States>,
    /// Whether it carries bytes (or a SYN or FIN) that were seen before: the sender sent them again.
    pub retransmission: bool,
}

/// The states of the two ends once a packet has arrived, concluded from the packets seen (RFC 9293 §3.3.2).
///
/// `None` is an end that has not shown itself yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States {
    /// The end with the traced port.
    pub local: Option<TcpState>,
    /// The other end.
    pub remote: Option<TcpState>,
}

/// What only one of the protocols has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram, whose header says no more than ports and length.
    Udp,
}

/// The header of a TCP segment (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// SYN, ACK, FIN and the others.
    pub flags: Flags,
    /// The number of its first byte.
    pub seq: Sequence,
    /// The number of the byte that is expected next, if the ACK flag is set.
    pub ack: Option<Sequence>,
    /// How much more the sender of this segment can take.
    pub window: Window,
    /// What was offered; only a segment with SYN offers.
    pub options: Option<SynOptions>,
}

/// A sequence or acknowledgement number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// As it stands in the header.
    pub raw: u32,
    /// Counted from the first SYN of the direction, which is 0, as Wireshark counts. Where the SYN was not seen the first
    /// packet has 1. It wraps after 4 GiB as the raw number does.
    pub relative: u32,
}

/// A receive window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// As it stands in the header.
    pub raw: u16,
    /// In bytes, the scale of the handshake applied (RFC 7323 §2.2); `None` if the handshake was not seen.
    pub bytes: Option<u32>,
}

/// What a SYN offers (RFC 9293 §3.2, RFC 7323, RFC 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SynOptions {
    /// The largest segment that its sender takes, in bytes.
    pub mss: Option<u16>,
    /// By how many bits its sender's later windows are shifted; at most 14.
    pub window_scale: Option<u8>,
    /// Whether it understands selective acknowledgements.
    pub sack: bool,
    /// Whether it sends timestamps.
    pub timestamps: bool,
}

/// The flags of a TCP segment (RFC 9293 §3.1, RFC 3168).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// The sender has nothing more to send.
    pub const FIN: Flags = Flags(0x01);
    /// The first segment of its direction.
    pub const SYN: Flags = Flags(0x02);
    /// The connection is no more, or never was.
    pub const RST: Flags = Flags(0x04);
    /// Give the bytes to the application at once.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Flags = Flags(0x10);
    /// The urgent pointer counts.
    pub const URG: Flags = Flags(0x20);
    /// The network was congested (in a SYN: congestion can be told).
    pub const ECE: Flags = Flags(0x40);
    /// The sender has slowed down.
    pub const CWR: Flags = Flags(0x80);

    /// The flags of byte 13 of a TCP header.
    pub const fn from_raw(byte: u8) -> Flags {
        Flags(byte)
    }

    /// The byte as it stands in the header.
    pub const fn raw(self) -> u8 {
        self.0
    }

    /// Whether all of these are set.
    pub const fn has(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}
