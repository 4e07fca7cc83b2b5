//! From a frame's bytes to the fields that count: Ethernet, IP, TCP or UDP.
//!
//! Every byte may be hostile and every length a lie: the walk is etherparse's, which stays within the slice, and nothing
//! is allocated. It keeps no state: what a number means beside earlier ones is for [`Life`](super::life::Life).

use super::{Flags, Frame, Protocol, SynOptions};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TcpOptionElement, TcpSlice, TransportSlice};
use std::net::{IpAddr, SocketAddr};

/// The fields of one packet, nothing concluded from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) protocol: Protocol,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload_bytes: usize,
    /// `None` for UDP.
    pub(super) tcp: Option<Tcp>,
}

/// The fields of a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tcp {
    pub(super) flags: Flags,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) options: SynOptions,
}

/// RFC 7323 §2.3: a larger shift is taken for this one.
const WINDOW_SCALE_MAX: u8 = 14;

const ETHERNET_BYTES: usize = 14;
const IPV6_BYTES: usize = 40;

/// The fields of a frame that carries TCP or UDP; `None` for every other frame, for later fragments, and for one that was
/// cut within its headers.
pub(super) fn decode(frame: &Frame<'_>) -> Option<Decoded> {
    let sliced = LaxSlicedPacket::from_ethernet(frame.bytes).ok()?;
    let (source, destination, transport_bytes) = network(&sliced, frame)?;
    let (protocol, ports, header_bytes, tcp) = match sliced.transport? {
        TransportSlice::Tcp(tcp) => {
            let ports = (tcp.source_port(), tcp.destination_port());
            let header_bytes = usize::from(tcp.data_offset()) * 4;
            (Protocol::Tcp, ports, header_bytes, Some(fields(&tcp)))
        }
        TransportSlice::Udp(udp) => {
            let ports = (udp.source_port(), udp.destination_port());
            (Protocol::Udp, ports, 8, None)
        }
        _ => return None,
    };
    Some(Decoded {
        protocol,
        from: SocketAddr::new(source, ports.0),
        to: SocketAddr::new(destination, ports.1),
        payload_bytes: transport_bytes.saturating_sub(header_bytes),
        tcp,
    })
}

/// The two addresses, and how many bytes the transport's header and payload have together on the wire.
fn network(sliced: &LaxSlicedPacket<'_>, frame: &Frame<'_>) -> Option<(IpAddr, IpAddr, usize)> {
    let source: IpAddr;
    let destination: IpAddr;
    // A length of 0 is that of a packet of more than 64 KiB (BIG TCP); one shorter than the headers is a lie.
    let (header_bytes, said) = match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (source, destination) = (
                header.source_addr().into(),
                header.destination_addr().into(),
            );
            // IPv4 counts its own header, IPv6 does not.
            let header_bytes = usize::from(header.ihl()) * 4;
            let said = usize::from(header.total_len()).checked_sub(header_bytes);
            (header_bytes, said)
        }
        LaxNetSlice::Ipv6(ip) => {
            let (header, extensions) = (ip.header(), ip.extensions().slice().len());
            (source, destination) = (
                header.source_addr().into(),
                header.destination_addr().into(),
            );
            let said = match usize::from(header.payload_length()) {
                0 => None,
                bytes => bytes.checked_sub(extensions),
            };
            (IPV6_BYTES + extensions, said)
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let most = frame
        .wire_bytes
        .saturating_sub(ETHERNET_BYTES + header_bytes);
    Some((
        source,
        destination,
        said.map_or(most, |bytes| bytes.min(most)),
    ))
}

fn fields(tcp: &TcpSlice<'_>) -> Tcp {
    let flags = [
        (tcp.fin(), Flags::FIN),
        (tcp.syn(), Flags::SYN),
        (tcp.rst(), Flags::RST),
        (tcp.psh(), Flags::PSH),
        (tcp.ack(), Flags::ACK),
        (tcp.urg(), Flags::URG),
        (tcp.ece(), Flags::ECE),
        (tcp.cwr(), Flags::CWR),
    ];
    let set = flags.iter().filter(|(set, _)| *set);
    let mut options = SynOptions::default();
    // An option that is cut or malformed ends the list: what came before it stands.
    for option in tcp.options_iterator().map_while(Result::ok) {
        match option {
            TcpOptionElement::MaximumSegmentSize(bytes) => options.mss = Some(bytes),
            TcpOptionElement::WindowScale(bits) => {
                options.window_scale = Some(bits.min(WINDOW_SCALE_MAX));
            }
            TcpOptionElement::SelectiveAcknowledgementPermitted => options.sack = true,
            TcpOptionElement::Timestamp(..) => options.timestamps = true,
            TcpOptionElement::Noop | TcpOptionElement::SelectiveAcknowledgement(..) => {}
        }
    }
    Tcp {
        flags: set.fold(Flags::default(), |all, (_, flag)| all | *flag),
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        window: tcp.window_size(),
        options,
    }
}
