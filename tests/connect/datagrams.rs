//! Datagrams: a line each, out and in.

use std::net::UdpSocket;

use crate::programs::{Running, fails};
use crate::succeeds;

#[test]
fn a_line_is_a_datagram() {
    for kind in ["udp", "unix-datagram"] {
        let name = format!("unix:@longshore-lines-{}", std::process::id());
        let listen = if kind == "udp" { "127.0.0.1:0" } else { &name };
        let server = Running::start(&["echo", kind, "-m", "epoll", "-l", listen]);
        let target = server.at.replace("udp ", "udp://");
        let arguments = ["connect", "-v", "--linger", "0.3", &target];
        let (printed, said) = succeeds(&arguments, b"one\n\nthree\r\nfour");
        assert_eq!(printed, b"one\n\nthree\nfour\n", "{kind}");
        let headers: Vec<&str> = said.lines().filter(|line| line.starts_with('←')).collect();
        let expected = [
            "← datagram 3 bytes",
            "← datagram 0 bytes",
            "← datagram 5 bytes",
            "← datagram 4 bytes",
        ];
        assert_eq!(headers, expected, "{said}");
        let report = server.stop();
        assert!(report.contains("4 datagrams, 12 bytes"), "{report}");
    }
}

#[test]
fn the_whole_input_is_a_datagram() {
    let server = Running::start(&["echo", "udp", "-l", "127.0.0.1:0"]);
    let target = format!("udp://{}", server.inet());
    let arguments = ["connect", "--whole", "--linger", "0.3", &target];
    let (printed, _) = succeeds(&arguments, b"one\ntwo\n");
    assert_eq!(printed, b"one\ntwo\n\n");
    assert!(server.stop().contains("1 datagrams, 8 bytes"));
}

#[test]
fn nobody_there() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let target = format!("udp://{}", socket.local_addr().expect("bound"));
    drop(socket);
    // That is told by the network when a datagram was sent, so it must be waited for.
    let said = fails(1, &["connect", "--linger", "20", &target], b"anybody?\n");
    assert!(said.contains("Connection refused") && said.contains("udp 127.0.0.1"));
    let said = fails(1, &["connect", "unix-datagram:/no/such/path"], b"");
    assert!(said.contains("there is no such socket"), "{said}");
}

#[test]
fn what_no_datagram_can_hold() {
    let server = Running::start(&["echo", "udp", "-l", "127.0.0.1:0"]);
    let target = format!("udp://{}", server.inet());
    let said = fails(1, &["connect", &target], &vec![b'x'; 65_508]);
    assert!(said.contains("longer than a datagram can be"), "{said}");
    let said = fails(1, &["connect", &target], &vec![b'x'; 300_000]);
    assert!(said.contains("a line of the input has more than"), "{said}");
    server.stop();
}

#[test]
fn silence_is_a_failure_only_if_asked() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let target = format!("udp://{}", socket.local_addr().expect("bound"));
    succeeds(&["connect", "--linger", "0.1", &target], b"word\n");
    let arguments = ["connect", "--no-input", "--timeout", "0.1", &target];
    assert!(fails(1, &arguments, b"").contains("nothing came from udp"));
}
