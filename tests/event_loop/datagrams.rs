//! Datagrams: borders, senders, truncation, and what is dropped.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;

use longshore::sys::Address;
use longshore::{DATAGRAMS_WAITING_MAX, DatagramDropped, EventLoop, ServerError};

use super::{BACKENDS, PATIENCE, Script, Seen, options, until};

fn bound(
    backend: longshore::Backend,
    address: &str,
) -> (EventLoop<Script>, longshore::DatagramSocket) {
    let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
    event_loop.protocol_mut().echoes = true;
    let socket = event_loop.bind_datagram(&address.parse().unwrap()).unwrap();
    (event_loop, socket)
}

#[test]
fn borders_are_kept_and_answers_find_their_way() {
    for backend in BACKENDS {
        let (mut event_loop, socket) = bound(backend, "127.0.0.1:0");
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(socket.address.inet().unwrap()).unwrap();
                client.set_nonblocking(true).unwrap();
                client
            })
            .collect();
        let long = vec![7; 60_000];
        let payloads: [&[u8]; 4] = [b"one", b"", b"three", &long];
        for client in &clients {
            for payload in payloads {
                client.send(payload).unwrap();
            }
        }
        let mut buf = vec![0; 65536];
        for client in &clients {
            for payload in payloads {
                let mut count = 0;
                until(&mut event_loop, "the echo", |_| {
                    match client.recv(&mut buf) {
                        Ok(bytes) => {
                            count = bytes;
                            true
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            false
                        }
                    }
                });
                assert_eq!(&buf[..count], payload, "{backend}");
            }
        }
        let seen = &event_loop.protocol().seen;
        let whole = |seen: &Seen| {
            matches!(
                seen,
                Seen::Datagram {
                    truncated: false,
                    ..
                }
            )
        };
        assert!(seen.iter().all(whole), "{seen:?}");
    }
}

#[test]
fn what_is_longer_than_the_buffer_is_cut_and_said_to_be() {
    for backend in BACKENDS {
        let name = format!(
            "unix:@longshore-cut-{}-{}",
            backend.name(),
            std::process::id()
        );
        let (mut event_loop, socket) = bound(backend, &name);
        event_loop.protocol_mut().echoes = false;
        let sender = UnixDatagram::unbound().unwrap();
        let to = std::os::unix::net::SocketAddr::from_abstract_name(&name[6..]).unwrap();
        sender.send_to_addr(&vec![1; 100_000], &to).unwrap();
        sender.send_to_addr(b"short", &to).unwrap();
        until(&mut event_loop, "both", |event_loop| {
            event_loop.protocol().payloads.len() == 2
        });
        let script = event_loop.protocol();
        let Seen::Datagram { bytes, truncated } = script.seen[0] else {
            panic!("{:?}", script.seen)
        };
        assert!(
            truncated && (65_000..100_000).contains(&bytes),
            "{backend}: {bytes}"
        );
        let whole = Seen::Datagram {
            bytes: 5,
            truncated: false,
        };
        assert_eq!(script.seen[1], whole, "the next one is whole");
        event_loop.close_datagram(socket.id);
        let gone = event_loop.send_to(socket.id, &socket.address, b"x");
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotConnected);
    }
}

#[test]
fn a_unix_receiver_that_does_not_read_loses_datagrams_and_holds_nobody() {
    for backend in BACKENDS {
        let (mut event_loop, socket) = {
            let mut event_loop =
                EventLoop::with_options(Script::default(), &options(backend)).unwrap();
            let unnamed = Address::Unix(longshore::sys::UnixName::Unnamed);
            let socket = event_loop.bind_datagram(&unnamed).unwrap();
            (event_loop, socket)
        };
        let receiver = |what: &str| {
            let name = format!("longshore-{what}-{}-{}", backend.name(), std::process::id());
            let at = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
            let receiver = UnixDatagram::bind_addr(&at).unwrap();
            receiver.set_nonblocking(true).unwrap();
            (
                receiver,
                format!("unix:@{name}").parse::<Address>().unwrap(),
            )
        };
        let (_deaf, deaf_at) = receiver("deaf");
        let (hears, hears_at) = receiver("hears");
        // The queue of a Unix datagram socket holds a bounded number (net.unix.max_dgram_qlen).
        let mut refused = 0;
        for _ in 0..2000 {
            refused += usize::from(event_loop.send_to(socket.id, &deaf_at, b"?").is_err());
            event_loop
                .poll_once(Some(std::time::Duration::ZERO))
                .unwrap();
        }
        let undelivered = Seen::Undelivered(ErrorKind::WouldBlock);
        refused += event_loop
            .protocol()
            .seen
            .iter()
            .filter(|seen| **seen == undelivered)
            .count();
        assert!(refused > 0 && refused < 2000, "{backend}: {refused}");
        event_loop.send_to(socket.id, &hears_at, b"you").unwrap();
        let mut buf = [0; 8];
        until(&mut event_loop, "the other one", |_| {
            hears
                .recv(&mut buf)
                .is_ok_and(|count| &buf[..count] == b"you")
        });
    }
}

#[test]
fn too_many_in_one_call_are_refused_at_once() {
    let (mut event_loop, socket) = bound(BACKENDS[0], "127.0.0.1:0");
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to: Address = receiver.local_addr().unwrap().into();
    let stream = std::os::unix::net::UnixStream::pair().unwrap();
    let id = event_loop.adopt(stream.0.into(), 0).unwrap();
    let taken = event_loop.call(id, |_, _, wire| {
        let mut taken = 0;
        loop {
            match wire.errands().send_to(socket.id, &to, b"many") {
                Ok(()) => taken += 1,
                Err(DatagramDropped) => return taken,
            }
        }
    });
    assert_eq!(taken, Some(DATAGRAMS_WAITING_MAX));
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(
        receiver.recv(&mut [0; 8]).unwrap(),
        4,
        "what was taken leaves"
    );
}

#[test]
fn a_closed_port_answers_by_an_error() {
    for backend in BACKENDS {
        let (mut event_loop, socket) = bound(backend, "127.0.0.1:0");
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to: Address = closed.local_addr().unwrap().into();
        drop(closed);
        // A socket that is not connected hears of refusals only if it asked (IP_RECVERR): the loop goes on in any case.
        let _ = event_loop.send_to(socket.id, &to, b"anybody?");
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client
            .send_to(b"me", socket.address.inet().unwrap())
            .unwrap();
        until(&mut event_loop, "somebody", |event_loop| {
            event_loop.protocol().payloads.len() == 1
        });
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_and_a_stale_path_is_not() {
    let directory = std::env::temp_dir().join(format!("longshore-dgram-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let address = format!("unix:{}", path.display());
    drop(UnixDatagram::bind(&path).unwrap());
    assert!(path.exists(), "a socket's path outlives it");
    let (event_loop, _socket) = bound(BACKENDS[0], &address);
    let mut second = EventLoop::with_options(Script::default(), &options(BACKENDS[0])).unwrap();
    let taken = second.bind_datagram(&address.parse().unwrap());
    assert!(matches!(taken, Err(ServerError::Path { .. })), "{taken:?}");
    drop(event_loop);
    assert!(!path.exists(), "its own path goes with it");
    std::fs::remove_dir_all(&directory).unwrap();
}
