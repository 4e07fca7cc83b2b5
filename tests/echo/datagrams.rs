//! Datagrams come back one by one, to whom they came from.

use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::programs::{PATIENCE, Running, path, pattern};
use crate::{ALL, with_each};

#[test]
fn udp_of_every_size() {
    with_each(&ALL, |model| {
        let server = Running::start(&["echo", "udp", "-l", "127.0.0.1:0", "-m", model]);
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a port");
        peer.connect(server.inet()).expect("loopback");
        peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut buffer = vec![0; 70_000];
        let sizes = [0, 1, 2, 511, 1472, 1473, 9000, 65_506, 65_507, 0, 1];
        for size in sizes {
            let datagram = pattern(size);
            assert_eq!(peer.send(&datagram).expect("room"), size);
            let count = peer.recv(&mut buffer).expect("an answer");
            assert!(buffer[..count] == datagram, "{size}: {count} came back");
        }
        let total: usize = sizes.iter().sum();
        let report = format!("0 connections, 11 datagrams, {total} bytes echoed\n");
        assert_eq!(server.stop(), report);
    });
}

/// Borders are kept although many are under way, and everybody gets his own.
#[test]
fn many_peers_do_not_mix() {
    with_each(&ALL, |model| {
        let server = Running::start(&["echo", "udp", "-l", "127.0.0.1:0", "-m", model]);
        let peers: Vec<UdpSocket> = (0..20)
            .map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port"))
            .collect();
        for (index, peer) in peers.iter().enumerate() {
            peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
            let word = format!("from {index}");
            peer.send_to(word.as_bytes(), server.inet()).expect("room");
        }
        let mut buffer = [0; 100];
        for (index, peer) in peers.iter().enumerate() {
            let (count, from) = peer.recv_from(&mut buffer).expect("an answer");
            assert_eq!(&buffer[..count], format!("from {index}").as_bytes());
            assert_eq!(from.to_string(), server.inet());
        }
        server.stop();
    });
}

#[test]
fn unix_datagrams_and_senders_that_cannot_be_answered() {
    with_each(&ALL, |model| {
        let path = path("echo-dgram");
        let address = format!("unix:{}", path.display());
        let server = Running::start(&["echo", "unix-datagram", "-l", &address, "-m", model]);
        assert_eq!(server.at, format!("unix-datagram:{}", path.display()));
        let nameless = UnixDatagram::unbound().expect("a socket");
        nameless.send_to(b"who am I?", &path).expect("room");
        let peer = named(&format!("longshore-test-{}-{model}", std::process::id()));
        peer.connect(&path).expect("it is bound");
        let mut buffer = vec![0; 70_000];
        for size in [1, 100, 4096, 60_000] {
            let datagram = pattern(size);
            peer.send(&datagram).expect("room");
            let count = peer.recv(&mut buffer).expect("an answer");
            assert!(buffer[..count] == datagram, "{size}: {count} came back");
        }
        // Longer than is received: cut, and not sent back as if it were whole.
        peer.send(&pattern(100_000)).expect("room");
        peer.send(b"after").expect("room");
        let count = peer.recv(&mut buffer).expect("an answer");
        assert_eq!(&buffer[..count], b"after");
        let report = server.stop();
        assert_eq!(
            report,
            "0 connections, 7 datagrams, 64202 bytes echoed, 2 datagrams not answered\n"
        );
        assert!(!path.exists(), "the path goes with the server");
    });
}

fn named(name: &str) -> UnixDatagram {
    let name = SocketAddr::from_abstract_name(name).expect("a short name");
    let socket = UnixDatagram::bind_addr(&name).expect("nobody has it");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket
}

/// A receiver that takes nothing holds nobody up for ever.
#[test]
fn a_receiver_that_does_not_read_is_passed_over() {
    with_each(&ALL, |model| {
        let name = format!("unix:@longshore-deaf-{}-{model}", std::process::id());
        let server = Running::start(&["echo", "unix-datagram", "-l", &name, "-m", model]);
        let to = SocketAddr::from_abstract_name(name.strip_prefix("unix:@").expect("a name"));
        let to = to.expect("a short name");
        let deaf = named(&format!(
            "longshore-deaf-peer-{}-{model}",
            std::process::id()
        ));
        deaf.set_nonblocking(true).expect("a socket");
        let mut sent = 0;
        while deaf.send_to_addr(b"never read", &to).is_ok() && sent < 2000 {
            sent += 1;
        }
        let peer = named(&format!("longshore-heard-{}-{model}", std::process::id()));
        peer.send_to_addr(b"word", &to).expect("room comes");
        let mut buffer = [0; 100];
        let count = peer.recv(&mut buffer).expect("an answer");
        assert_eq!(&buffer[..count], b"word");
        server.stop();
    });
}
