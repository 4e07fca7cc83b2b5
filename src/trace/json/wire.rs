//! Packets and the kernel's account of a connection, as objects inside a line.

use std::fmt::Write as _;

use serde::Serialize;

use crate::sys::TcpState;
use crate::trace::TcpEnd;
use crate::trace::packets::{Layer, Packet, Protocol, Segment, Side, States, Transport};

/// What a packet says. Numbers are relative to the first SYN of their direction.
#[derive(Serialize)]
pub(super) struct PacketLine<'a> {
    protocol: &'static str,
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'static str>,
    #[serde(flatten)]
    segment: Option<SegmentLine>,
    bytes: usize,
    step: String,
    retransmission: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<StatesLine>,
    /// From the outside in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerLine<'a>>,
}

/// One layer; `hex` has its first bytes.
#[derive(Serialize)]
struct LayerLine<'a> {
    layer: &'static str,
    bytes: usize,
    hex: String,
    text: &'a str,
}

impl<'a> LayerLine<'a> {
    fn of(layer: &'a Layer) -> Self {
        let hex = |mut hex: String, byte: &u8| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        };
        Self {
            layer: layer.kind.name(),
            bytes: layer.bytes,
            hex: layer.first.iter().fold(String::new(), hex),
            text: &layer.text,
        }
    }
}

/// What only a TCP packet has.
#[derive(Serialize)]
struct SegmentLine {
    flags: String,
    seq: u32,
    ack: Option<u32>,
    /// In bytes; `null` where the handshake was not seen, so that its scale is not known.
    window: Option<u32>,
}

/// Both ends once the packet has arrived; `null` for one that has not shown itself.
#[derive(Serialize)]
struct StatesLine {
    from: Option<&'static str>,
    to: Option<&'static str>,
}

impl<'a> PacketLine<'a> {
    pub(super) fn of(packet: &Packet, layers: &'a [Layer]) -> Self {
        let name = |state: Option<TcpState>| state.map(TcpState::name);
        Self {
            protocol: match packet.tuple.protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
            },
            from: packet.from.to_string(),
            to: packet.to.to_string(),
            sender: packet.sender.map(|side| match side {
                Side::Client => "client",
                Side::Server => "server",
            }),
            segment: match &packet.transport {
                Transport::Tcp(segment) => Some(SegmentLine::of(segment)),
                Transport::Udp => None,
            },
            bytes: packet.payload_bytes,
            step: packet.step.to_string(),
            retransmission: packet.retransmission,
            states: packet.states.map(|States { local, remote }| {
                let (from, to) = if packet.from == packet.tuple.local {
                    (local, remote)
                } else {
                    (remote, local)
                };
                StatesLine {
                    from: name(from),
                    to: name(to),
                }
            }),
            layers: layers.iter().map(LayerLine::of).collect(),
        }
    }
}

impl SegmentLine {
    fn of(segment: &Segment) -> Self {
        Self {
            flags: segment.flags.to_string(),
            seq: segment.seq.relative,
            ack: segment.ack.map(|ack| ack.relative),
            window: segment.window.bytes,
        }
    }
}

/// The kernel's account of our end. Times are in seconds.
#[derive(Serialize)]
pub(super) struct TcpLine {
    local: String,
    remote: String,
    state: &'static str,
    unread: u32,
    unacknowledged: u32,
    later: f64,
    #[serde(flatten)]
    account: Option<AccountLine>,
}

/// What the kernel keeps of a connection that is neither beginning nor at rest.
#[derive(Serialize)]
struct AccountLine {
    rtt: f64,
    rtt_variation: f64,
    cwnd: u32,
    mss: u32,
    retransmits: u32,
    timeouts: u8,
    bytes_acked: Option<u64>,
    bytes_received: Option<u64>,
}

impl TcpLine {
    pub(super) fn of(end: &TcpEnd) -> Self {
        let state = &end.state;
        Self {
            local: end.tuple.local.to_string(),
            remote: end.tuple.remote.to_string(),
            state: state.state.name(),
            unread: state.receive_queue,
            unacknowledged: state.send_queue,
            later: end.later.as_secs_f64(),
            account: state.info.as_ref().map(|info| AccountLine {
                rtt: info.rtt.as_secs_f64(),
                rtt_variation: info.rtt_variation.as_secs_f64(),
                cwnd: info.congestion_window,
                mss: info.send_mss,
                retransmits: info.total_retransmits,
                timeouts: info.retransmits,
                bytes_acked: info.bytes_acked,
                bytes_received: info.bytes_received,
            }),
        }
    }
}
