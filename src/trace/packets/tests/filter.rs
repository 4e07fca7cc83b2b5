//! The kernel runs the program on datagrams of a Unix pair: it is the same machine, and needs no capability.

use super::*;
use crate::sys::{self, Silent, attach_filter};
use crate::trace::packets::PORTS_MAX;
use crate::trace::packets::filter::program;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

/// Whether a socket with the program for these ports gets the frame.
fn passes(ports: &[u16], frame: &[u8]) -> bool {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    attach_filter(&mut Silent, ours.as_fd(), &program(ports, true)).unwrap();
    ours.set_nonblocking(true).unwrap();
    // A Unix datagram that the filter refuses is dropped, and the sender is told EPERM.
    let _ = theirs.send(frame);
    let mut buf = vec![0; 70_000];
    match sys::recv(&mut Silent, ours.as_fd(), &mut buf) {
        Ok(bytes) => {
            assert_eq!(&buf[..bytes], frame, "what is kept is kept whole");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
            false
        }
    }
}

#[test]
fn the_traced_ports_pass_and_no_other() {
    let segment = tcp(&from_client(SYN, 1, 0));
    assert!(passes(&[SERVER], &segment), "destination");
    assert!(passes(&[CLIENT], &segment), "source");
    assert!(!passes(&[SERVER + 1], &segment));
    assert!(passes(&[1, 2, SERVER], &segment), "the last of several");
    assert!(passes(&[53], &udp(4000, 53, b"question")));
    assert!(!passes(&[53], &udp(4000, 54, b"question")));
}

#[test]
fn as_many_ports_as_allowed() {
    let ports: Vec<u16> = (0..PORTS_MAX as u16).map(|port| 8000 + port).collect();
    for port in [8000, 8000 + PORTS_MAX as u16 - 1] {
        assert!(passes(&ports, &udp(1, port, b"")));
        assert!(passes(&ports, &udp(port, 1, b"")));
        assert!(passes(&ports, &ipv6(17, &udp(port, 1, b"x")[34..])));
        assert!(passes(&ports, &ipv6(17, &udp(1, port, b"x")[34..])));
    }
    assert!(!passes(&ports, &udp(1, 8000 + PORTS_MAX as u16, b"")));
    assert!(!passes(&ports, &ipv6(17, &udp(1, 7999, b"x")[34..])));
}

#[test]
fn both_families_and_options_of_the_header() {
    let transport = &tcp(&from_client(SYN, 1, 0))[34..];
    assert!(passes(&[SERVER], &ipv6(6, transport)));
    assert!(!passes(&[SERVER], &ipv6(58, transport)), "ICMPv6");
    // Eight more bytes of IPv4 options: the ports lie further back.
    let mut long = ipv4(6, &[&[1; 8][..], transport].concat());
    long[14] = 0x47;
    assert!(passes(&[SERVER], &long));
    assert!(!passes(&[0x0101], &long), "options are no ports");
}

#[test]
fn no_fragments_no_other_protocols_nothing_short() {
    let whole = udp(4000, 53, b"question");
    let mut fragment = whole.clone();
    fragment[20..22].copy_from_slice(&[0x00, 0x10]);
    assert!(
        !passes(&[53], &fragment),
        "there are no ports in a later fragment"
    );
    let mut icmp = whole.clone();
    icmp[23] = 1;
    assert!(!passes(&[53], &icmp));
    let mut arp = whole.clone();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    assert!(!passes(&[53], &arp));
    for cut in 0..38 {
        assert!(
            !passes(&[53], &whole[..cut]),
            "{cut} bytes hold no two ports"
        );
    }
    assert!(passes(&[53], &whole[..38]));
}
