//! Any number of bytes is understood, and a live connection agrees with what was done to it.

use super::*;
use crate::sys::{Count, How, Silent, Strace, shutdown};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_connection_tells_of_its_bytes_and_its_end() {
    let (mut client, mut server) = pair();
    client.write_all(b"twelve bytes").unwrap();
    server.read_exact(&mut [0; 12]).unwrap();
    let received = tcp_info(&mut Silent, server.as_fd()).unwrap();
    assert_eq!(received.state, TcpState::Established);
    assert_eq!(received.bytes_received, Some(12));
    assert!(received.congestion_window > 0 && received.send_mss > 0);
    assert!(received.rtt > Duration::ZERO, "{received:?}");

    shutdown(&mut Silent, client.as_fd(), How::Write).unwrap();
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    let half = tcp_info(&mut Silent, server.as_fd()).unwrap();
    assert_eq!(half.state, TcpState::CloseWait);
    // Loopback delivers the FIN and its acknowledgement before read can tell of it.
    let ours = tcp_info(&mut Silent, client.as_fd()).unwrap();
    assert!(matches!(
        ours.state,
        TcpState::FinWait1 | TcpState::FinWait2
    ));
}

#[test]
fn an_older_kernel_tells_less_and_a_newer_one_is_not_read_wrongly() {
    let mut bytes = [0u8; 600];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = at as u8;
    }
    bytes[0] = 4;
    assert_eq!(TcpInfo::from_bytes(&bytes[..103]), None);
    let oldest = TcpInfo::from_bytes(&bytes[..104]).unwrap();
    assert_eq!(oldest.state, TcpState::FinWait1);
    assert_eq!(
        oldest.total_retransmits,
        u32::from_ne_bytes([100, 101, 102, 103])
    );
    assert_eq!((oldest.bytes_acked, oldest.peer_window), (None, None));
    let cut = TcpInfo::from_bytes(&bytes[..135]).unwrap();
    assert!(
        cut.bytes_acked.is_some() && cut.bytes_received.is_none(),
        "a field is whole or not there"
    );
    let newer = TcpInfo::from_bytes(&bytes).unwrap();
    assert_eq!(
        newer.peer_window,
        Some(u32::from_ne_bytes([228, 229, 230, 231]))
    );
    for len in 104..bytes.len() {
        assert!(TcpInfo::from_bytes(&bytes[..len]).is_some());
    }
}

#[test]
fn states_have_the_names_of_the_rfc() {
    let names: Vec<&str> = (1..=11)
        .map(|number| TcpState::from_raw(number).name())
        .collect();
    let expected = "ESTABLISHED SYN-SENT SYN-RECEIVED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED CLOSE-WAIT LAST-ACK LISTEN CLOSING";
    assert_eq!(names.join(" "), expected);
    assert_eq!(TcpState::from_raw(12), TcpState::SynReceived);
    for unknown in [0, 13, 255] {
        assert_eq!(TcpState::from_raw(unknown), TcpState::Unknown(unknown));
        assert_eq!(TcpState::from_raw(unknown).name(), "UNKNOWN");
    }
}

#[test]
fn one_line_and_one_call() {
    let (client, _server) = pair();
    let line = tcp_info(&mut Silent, client.as_fd()).unwrap().to_string();
    assert!(
        line.starts_with("ESTABLISHED rtt ") && !line.contains('\n'),
        "{line}"
    );
    assert!(
        line.contains(", cwnd ") && line.contains(", retransmits 0/0"),
        "{line}"
    );

    let mut count = Count::new();
    tcp_info(&mut count, client.as_fd()).unwrap();
    assert_eq!(count.counts().calls_total(), 1);
    let mut strace = Strace::new(Vec::new());
    tcp_info(&mut strace, client.as_fd()).unwrap();
    let text = String::from_utf8(strace.into_output()).unwrap();
    assert!(
        text.contains("SOL_TCP, TCP_INFO, {...}, ") && text.ends_with(" = 0\n"),
        "{text}"
    );
}

#[test]
fn a_socket_of_another_kind_is_refused() {
    let (unix, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let error = tcp_info(&mut Silent, unix.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
}
