//! A packet taken apart, from the outside in: which of its bytes belong to which layer, and what they say.
//!
//! ```text
//!   14 bytes      20          32           6            4
//!   link     ┆  IPv4    ┆   TCP    ┆  WebSocket  ┆   data          each layer wraps what is right of it
//!   └──────────── headers ─────────┘ └── Follower: what the payload means, by what came before ──┘
//! ```
//!
//! The counts of the layers add up to the length of the packet. Of each layer no more bytes are kept than are asked for.
//!
//! It does not know calls, and reads the payload as the trace of calls does: from the bytes alone. It does not know headers
//! between those of Ethernet, IPv4 and TCP or UDP either, such as a VLAN tag: all behind the link is data then.

mod follow;
mod pieces;
mod text;

use super::{Frame, Packet, Transport};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TcpOptionElement, TcpSlice, TransportSlice};
use follow::Follower;
use std::fmt::Write as _;

/// The header of an Ethernet frame; `lo` has one too.
const LINK_BYTES: usize = 14;

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerKind {
    /// The header of an Ethernet frame.
    Link,
    /// RFC 791.
    Ipv4,
    /// RFC 8200, extension headers included.
    Ipv6,
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// Heads of HTTP/1.1 messages (RFC 9112), and what stands around the chunks of a body. Bodies are data.
    Http,
    /// Headers of WebSocket frames (RFC 6455 §5.2). Their payloads are data.
    WebSocket,
    /// What no layer adds: a body, the payload of a frame, or bytes of a protocol that is not known.
    Data,
    /// What fills an Ethernet frame up to its least length.
    Padding,
}

impl LayerKind {
    /// Its name in a trace: `link`, `IPv4`, `TCP`, `HTTP`, `WebSocket`, `data`, …
    pub const fn name(self) -> &'static str {
        match self {
            LayerKind::Link => "link",
            LayerKind::Ipv4 => "IPv4",
            LayerKind::Ipv6 => "IPv6",
            LayerKind::Tcp => "TCP",
            LayerKind::Udp => "UDP",
            LayerKind::Http => "HTTP",
            LayerKind::WebSocket => "WebSocket",
            LayerKind::Data => "data",
            LayerKind::Padding => "padding",
        }
    }
}

/// One layer of one packet.
///
/// `Display` is its line: `IPv4          20 bytes  45 00 …  version 4, header 20 bytes, TTL 64, …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What it is.
    pub kind: LayerKind,
    /// How many bytes of the packet it has.
    pub bytes: usize,
    /// The first of them, as many as were asked for and captured.
    pub first: Box<[u8]>,
    /// Its fields, in words.
    pub text: String,
}

/// Takes packets apart, and knows of each connection what came before.
///
/// It follows 256 connections; beyond them the one that was silent for longest is forgotten, and its payload is data. It
/// keeps at most 128 KiB of unfinished heads for each, against a peer that never ends one.
///
/// ```
/// use longshore::trace::packets::{Frame, LayerKind, Layers, Tracker};
/// use std::time::SystemTime;
///
/// // Ethernet, IPv4 and UDP headers by hand: 127.0.0.1:4000 → 127.0.0.1:53, payload "ahoy".
/// let mut bytes = vec![0; 12];
/// bytes.extend([8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
/// bytes.extend([0x0f, 0xa0, 0, 53, 0, 12, 0, 0]);
/// bytes.extend(b"ahoy");
///
/// let frame = Frame { at: SystemTime::UNIX_EPOCH, bytes: &bytes, wire_bytes: bytes.len() };
/// let packet = Tracker::new(&[53]).read(&frame).expect("it is UDP");
/// let layers = Layers::new(32).take_apart(&frame, &packet);
/// let counts: Vec<_> = layers.iter().map(|layer| (layer.kind, layer.bytes)).collect();
/// use LayerKind::{Data, Ipv4, Link, Udp};
/// assert_eq!(counts, [(Link, 14), (Ipv4, 20), (Udp, 8), (Data, 4)]);
/// ```
#[derive(Debug)]
pub struct Layers {
    bytes_max: usize,
    follower: Follower,
}

impl Layers {
    /// Keeps at most `bytes_max` bytes of each layer.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            follower: Follower::new(bytes_max),
        }
    }

    /// How many connections are followed.
    #[cfg(test)]
    pub(super) fn followed(&self) -> usize {
        self.follower.followed()
    }

    /// The layers of a packet that a [`Tracker`](super::Tracker) has read from this frame. Packets come in their order.
    pub fn take_apart(&mut self, frame: &Frame<'_>, packet: &Packet) -> Box<[Layer]> {
        let mut cut = Cut::new(frame, self.bytes_max);
        let Ok(sliced) = LaxSlicedPacket::from_ethernet(frame.bytes) else {
            return cut.finish();
        };
        cut.link();
        if let Some(why) = unread(&sliced) {
            cut.push(LayerKind::Data, frame.wire_bytes, why.to_owned());
            return cut.finish();
        }
        cut.network(&sliced);
        cut.transport(&sliced, packet);
        let end = cut.at.saturating_add(packet.payload_bytes);
        let end = end.min(frame.wire_bytes);
        let captured = frame.bytes.get(cut.at..).unwrap_or_default();
        let captured = &captured[..captured.len().min(end - cut.at)];
        for piece in self.follower.read(packet, captured) {
            cut.push(piece.kind, piece.bytes, piece.text);
        }
        if cut.at < end {
            let text = "not captured".to_owned();
            cut.push(LayerKind::Data, end - cut.at, text);
        }
        cut.finish()
    }
}

/// A frame, cut as far as `at`.
struct Cut<'a> {
    frame: &'a Frame<'a>,
    bytes_max: usize,
    at: usize,
    layers: Vec<Layer>,
}

impl<'a> Cut<'a> {
    fn new(frame: &'a Frame<'a>, bytes_max: usize) -> Self {
        Self {
            frame,
            bytes_max,
            at: 0,
            layers: Vec::new(),
        }
    }

    /// The next layer. A length that is a lie ends with the packet.
    fn push(&mut self, kind: LayerKind, bytes: usize, text: String) {
        let bytes = bytes.min(self.frame.wire_bytes.saturating_sub(self.at));
        if bytes == 0 {
            return;
        }
        let captured = self.frame.bytes.get(self.at..).unwrap_or_default();
        let first = &captured[..captured.len().min(bytes).min(self.bytes_max)];
        self.layers.push(Layer {
            kind,
            bytes,
            first: first.into(),
            text,
        });
        self.at += bytes;
    }

    fn finish(mut self) -> Box<[Layer]> {
        let rest = self.frame.wire_bytes.saturating_sub(self.at);
        self.push(LayerKind::Padding, rest, String::new());
        self.layers.into()
    }

    fn link(&mut self) {
        let Some(header) = self.frame.bytes.first_chunk::<LINK_BYTES>() else {
            return;
        };
        let address = |bytes: &[u8]| {
            let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            pairs.join(":")
        };
        // Ethernet names the receiver first.
        let (to, from) = (address(&header[..6]), address(&header[6..12]));
        let carries = match header[12..] {
            [0x08, 0x00] => "IPv4",
            [0x86, 0xdd] => "IPv6",
            _ => "another protocol",
        };
        let text = format!("{from} → {to}, carries {carries}");
        self.push(LayerKind::Link, LINK_BYTES, text);
    }

    fn network(&mut self, sliced: &LaxSlicedPacket<'_>) {
        match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                let header_bytes = header.slice().len();
                let text = format!(
                    "version {}, header {header_bytes} bytes, total {}, TTL {}, carries {}, {} → {}",
                    header.version(),
                    header.total_len(),
                    header.ttl(),
                    protocol(header.protocol().0),
                    header.source_addr(),
                    header.destination_addr(),
                );
                self.push(LayerKind::Ipv4, header_bytes, text);
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                let header_bytes = header.slice().len() + ip.extensions().slice().len();
                let text = format!(
                    "version {}, header {header_bytes} bytes, payload {}, hop limit {}, carries {}, {} → {}",
                    header.version(),
                    header.payload_length(),
                    header.hop_limit(),
                    protocol(header.next_header().0),
                    header.source_addr(),
                    header.destination_addr(),
                );
                self.push(LayerKind::Ipv6, header_bytes, text);
            }
            _ => {}
        }
    }

    fn transport(&mut self, sliced: &LaxSlicedPacket<'_>, packet: &Packet) {
        match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let header_bytes = tcp.header_slice().len();
                let mut text = format!(
                    "port {} → port {}, header {header_bytes} bytes, ",
                    tcp.source_port(),
                    tcp.destination_port()
                );
                if let Transport::Tcp(segment) = &packet.transport {
                    // Writing to a String cannot fail.
                    let (flags, seq, window) = (segment.flags, segment.seq, segment.window);
                    let _ = write!(text, "{flags} seq {}", seq.relative);
                    if let Some(ack) = segment.ack {
                        let _ = write!(text, " ack {}", ack.relative);
                    }
                    let _ = write!(text, " {window}");
                }
                options(&mut text, tcp);
                self.push(LayerKind::Tcp, header_bytes, text);
            }
            Some(TransportSlice::Udp(udp)) => {
                let text = format!(
                    "port {} → port {}, length {}",
                    udp.source_port(),
                    udp.destination_port(),
                    udp.length()
                );
                self.push(LayerKind::Udp, 8, text);
            }
            _ => {}
        }
    }
}

/// Why a packet is not read beyond its link: headers are between whose lengths are not counted here.
fn unread(sliced: &LaxSlicedPacket<'_>) -> Option<&'static str> {
    if !sliced.link_exts.is_empty() {
        return Some("behind a VLAN tag or MACsec, not read");
    }
    match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) if !ip.extensions().is_empty() => {
            Some("IPv4 with an authentication header, not read")
        }
        _ => None,
    }
}

/// The number of a protocol that IP carries, with the names of those that are read here.
fn protocol(number: u8) -> String {
    match number {
        6 => "TCP".to_owned(),
        17 => "UDP".to_owned(),
        other => format!("protocol {other}"),
    }
}

/// The options of a TCP header, in their order. One that is cut or malformed ends the list.
fn options(text: &mut String, tcp: &TcpSlice<'_>) {
    let mut before = ", options";
    for option in tcp.options_iterator().map_while(Result::ok) {
        // Writing to a String cannot fail.
        let _ = match option {
            TcpOptionElement::Noop => continue,
            TcpOptionElement::MaximumSegmentSize(bytes) => write!(text, "{before} mss {bytes}"),
            TcpOptionElement::WindowScale(bits) => write!(text, "{before} wscale {bits}"),
            TcpOptionElement::SelectiveAcknowledgementPermitted => write!(text, "{before} sack"),
            TcpOptionElement::SelectiveAcknowledgement(..) => {
                write!(text, "{before} sack of what came")
            }
            TcpOptionElement::Timestamp(ours, echoed) => {
                write!(text, "{before} ts {ours} echoes {echoed}")
            }
        };
        before = "";
    }
}
