//! The kernel is asked about real connections on loopback; every user may.

use crate::sys::{self, TcpState};
use crate::trace::packets::Diag;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The state of an end as soon as it is the expected one: the kernel works on after a call has returned.
fn reaches(
    diag: &mut Diag,
    local: SocketAddr,
    remote: SocketAddr,
    expected: Option<TcpState>,
) -> sys::TcpState {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let end = diag.tcp(local, remote).unwrap();
        let state = end.map(|end| end.state);
        if state == expected || Instant::now() > until {
            assert_eq!(state, expected, "{local} → {remote}");
            return state.unwrap_or(TcpState::Close);
        }
        std::thread::yield_now();
    }
}

#[test]
fn both_ends_through_their_whole_life() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let (here, there) = (client.local_addr().unwrap(), server.local_addr().unwrap());
    let mut diag = Diag::open().unwrap();

    client.write_all(b"twelve bytes").unwrap();
    let unread = diag.tcp(there, here).unwrap().unwrap();
    assert_eq!(
        (unread.state, unread.receive_queue),
        (TcpState::Established, 12)
    );
    server.read_exact(&mut [0; 12]).unwrap();
    let read = diag.tcp(there, here).unwrap().unwrap();
    let asked = sys::tcp_info(&mut sys::Silent, server.as_fd()).unwrap();
    let told = read.info.unwrap();
    assert_eq!(
        (read.receive_queue, told.bytes_received),
        (0, asked.bytes_received)
    );
    assert_eq!(
        (told.send_mss, told.send_window_scale),
        (asked.send_mss, asked.send_window_scale)
    );
    assert!(read.to_string().starts_with("ESTABLISHED rtt "), "{read}");

    client.shutdown(Shutdown::Write).unwrap();
    reaches(&mut diag, here, there, Some(TcpState::FinWait2));
    reaches(&mut diag, there, here, Some(TcpState::CloseWait));
    drop(server);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    reaches(&mut diag, there, here, None);
    reaches(&mut diag, here, there, Some(TcpState::TimeWait));
    let resting = diag.tcp(here, there).unwrap().unwrap();
    assert_eq!(resting.info, None, "a port pair at rest has no account");
    assert_eq!(resting.to_string(), "TIME-WAIT");
}

#[test]
fn a_listener_is_not_taken_for_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bound = listener.local_addr().unwrap();
    let mut diag = Diag::open().unwrap();
    let nobody = "127.0.0.1:9".parse().unwrap();
    assert_eq!(diag.tcp(bound, nobody).unwrap(), None);
    drop(listener);
    assert_eq!(diag.tcp(bound, nobody).unwrap(), None);
}

#[test]
fn both_families_and_no_mixture() {
    let mut diag = Diag::open().unwrap();
    if let Ok(listener) = TcpListener::bind("[::1]:0") {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let end = diag.tcp(here, there).unwrap().unwrap();
        assert_eq!(end.state, TcpState::Established);
    }
    // A listener of both families: packets and names differ in their family.
    if let Ok(listener) = TcpListener::bind("[::]:0") {
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let end = diag.tcp(there, here).unwrap();
        assert_eq!(end.map(|end| end.state), Some(TcpState::Established));
    }
    let mixed = diag.tcp("127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
    assert_eq!(mixed.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}
