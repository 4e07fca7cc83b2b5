//! Packet and netlink sockets, as far as they need no capability, and how their calls read.

use super::*;
use crate::sys::{Call, FilterOp, OptionValue, Probe, Strace};
use std::os::fd::AsRawFd;

const RETURN: u16 = 0x06;

#[test]
fn a_filter_decides_what_is_queued() {
    let (receiver, bound) = datagram_socket(&address("127.0.0.1:0"));
    let (sender, _) = datagram_socket(&address("127.0.0.1:0"));
    let probe = &mut Silent;
    let nothing = [FilterOp::new(RETURN, 0, 0, 0)];
    sys::attach_filter(probe, receiver.as_fd(), &nothing).unwrap();
    sys::sendto(probe, sender.as_fd(), b"dropped", &bound).unwrap();
    // A UDP header and three bytes.
    let eleven = [FilterOp::new(RETURN, 0, 0, 11)];
    sys::attach_filter(probe, receiver.as_fd(), &eleven).unwrap();
    sys::sendto(probe, sender.as_fd(), b"shortened", &bound).unwrap();
    let mut buf = [0; 64];
    let received = sys::recvfrom(probe, receiver.as_fd(), &mut buf).unwrap();
    assert_eq!(&buf[..received.bytes], b"sho");
    assert_eq!(
        errno(sys::attach_filter(probe, receiver.as_fd(), &[])),
        libc::EINVAL
    );
}

#[test]
fn packets_carry_the_kernels_time() {
    let (fd, _) = datagram_socket(&address("127.0.0.1:0"));
    for on in [true, false] {
        let option = sys::SocketOption::ReceiveTime(on);
        sys::setsockopt(&mut Silent, fd.as_fd(), &option).unwrap();
        assert_eq!(sys::receive_time(&mut Silent, fd.as_fd()).unwrap(), on);
    }
}

#[test]
fn interfaces_by_name() {
    assert_eq!(sys::interface_index(&mut Silent, "lo").unwrap(), 1);
    let none = sys::interface_index(&mut Silent, "no-such-interface");
    assert_eq!(errno(none), libc::ENODEV);
}

#[test]
fn packet_sockets_need_a_capability_and_say_so() {
    match sys::packet_socket(&mut Silent, Mode::Nonblocking) {
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        Ok(fd) => {
            // Not bound: nothing is queued, whatever passes.
            let mut buf = [0; 64];
            let nothing = sys::recv_packet(&mut Silent, fd.as_fd(), &mut buf);
            assert_eq!(errno(nothing), libc::EAGAIN);
            let statistics = sys::packet_statistics(&mut Silent, fd.as_fd()).unwrap();
            assert_eq!((statistics.packets, statistics.drops), (0, 0));
        }
    }
}

#[test]
fn the_calls_read_as_strace_prints_them() {
    let line = |call: &Call<'_>| {
        let mut strace = Strace::new(Vec::new());
        strace.after(call, Ok(0));
        String::from_utf8(strace.into_output()).unwrap()
    };
    let bind = Call::BindInterface {
        fd: 3,
        protocol: 3,
        interface: 1,
    };
    assert_eq!(
        line(&bind),
        "bind(3, {sa_family=AF_PACKET, sll_protocol=htons(ETH_P_ALL), sll_ifindex=1}, 20) = 0\n"
    );
    let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
    let (bytes, room) = (16, 16);
    let value = OptionValue::Structure { bytes, room };
    let attach = Call::Setsockopt {
        fd: 3,
        level,
        option,
        value,
    };
    assert_eq!(
        line(&attach),
        "setsockopt(3, SOL_SOCKET, SO_ATTACH_FILTER, {...}, 16) = 0\n"
    );

    let mut strace = Strace::new(Vec::new());
    let fd = sys::diag_socket(&mut strace, Mode::Blocking).unwrap();
    let expected = format!(
        "socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, 4) = {}\n",
        fd.as_raw_fd()
    );
    assert_eq!(String::from_utf8(strace.into_output()).unwrap(), expected);
}
