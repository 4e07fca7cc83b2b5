//! Packet sockets: what passes an interface, below IP (`packet(7)`).
//!
//! ```text
//!   packet_socket    sees nothing yet: its protocol is 0
//!   attach_filter    from here on only what the filter lets through
//!   bind_interface   now the kernel begins to copy frames into the queue
//!   recv_packet      one frame, its time, and which way it went
//!   packet_statistics   how many the queue had no room for
//! ```
//!
//! In this order no frame that was not asked for is ever in the queue. It does not know what is in a frame.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, outcome, retry, told};
use super::socket::socket_of;
use super::{Call, Mode, OptionValue, Probe};
use nix::sys::socket::{self as nix_socket, ControlMessageOwned, LinkAddr, MsgFlags};
use nix::sys::time::TimeSpec;
use socket2::SockRef;
use std::io::{self, IoSliceMut};
use std::mem::{self, size_of, size_of_val};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

/// One instruction of a classic BPF program: `code`, `jt`, `jf`, `k` (the kernel's `networking/filter.rst`).
pub use socket2::SockFilter as FilterOp;

/// Makes a socket that will see whole frames, and sees none until [`bind_interface`] (`socket(2)`, `AF_PACKET`).
///
/// # Errors
///
/// EPERM: the process lacks `CAP_NET_RAW` (`capabilities(7)`); EAFNOSUPPORT: the kernel was built without packet
/// sockets.
pub fn packet_socket(probe: &mut impl Probe, mode: Mode) -> io::Result<OwnedFd> {
    // Protocol 0 receives nothing (packet(7)), so nothing can come in before the filter is there.
    socket_of(probe, libc::AF_PACKET, libc::SOCK_RAW | mode.flags(), 0)
}

/// Gives a socket a program that decides which packets reach its queue (`setsockopt(2)`, `SO_ATTACH_FILTER`).
///
/// The program answers how many bytes are kept, 0 for none. It works on every kind of socket, and needs no capability.
///
/// # Errors
///
/// EINVAL: the program is empty, longer than 4096 instructions, or jumps out of itself.
pub fn attach_filter(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    program: &[FilterOp],
) -> io::Result<()> {
    let call = Call::Setsockopt {
        fd: fd.as_raw_fd(),
        level: libc::SOL_SOCKET,
        option: libc::SO_ATTACH_FILTER,
        value: OptionValue::Structure {
            bytes: size_of::<libc::sock_fprog>() as u32,
            room: size_of::<libc::sock_fprog>() as u32,
        },
    };
    retry(|| {
        ask(probe, &call)?;
        let result = SockRef::from(&fd).attach_filter(program).map(|()| 0);
        told(probe, &call, result)
    })?;
    Ok(())
}

/// The number of an interface (`if_nametoindex(3)`, which opens a socket for its `ioctl(2)`): 1 is `lo` in most
/// network namespaces.
///
/// # Errors
///
/// ENODEV: there is none of this name.
pub fn interface_index(probe: &mut impl Probe, name: &str) -> io::Result<u32> {
    let call = Call::Library {
        name: "if_nametoindex",
    };
    ask(probe, &call)?;
    let result = nix::net::if_::if_nametoindex(name).map_err(io::Error::from);
    let index = told(probe, &call, result.map(|index| index as usize))?;
    Ok(index as u32)
}

/// Begins to see the frames of an interface, in both directions (`bind(2)` of a packet socket, `ETH_P_ALL`).
///
/// # Errors
///
/// ENODEV: there is no such interface; ENETDOWN: it is down.
pub fn bind_interface(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    interface: u32,
) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let protocol = libc::ETH_P_ALL as u16;
    let call = Call::BindInterface {
        fd,
        protocol,
        interface,
    };
    let mut raw = no_address();
    raw.sll_family = libc::AF_PACKET as libc::sa_family_t;
    raw.sll_protocol = protocol.to_be();
    raw.sll_ifindex = interface.cast_signed();
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: `raw` lives through the call, is as long as said, and is only read.
        let answer = unsafe {
            libc::bind(
                fd,
                (&raw const raw).cast(),
                size_of_val(&raw) as libc::socklen_t,
            )
        };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// What kind of hardware the bound interface is: `ARPHRD_ETHER` 1, `ARPHRD_LOOPBACK` 772 (`getsockname(2)`,
/// `sll_hatype`).
///
/// # Errors
///
/// EBADF, ENOTSOCK: a wrong descriptor.
pub fn interface_kind(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<u16> {
    let fd = fd.as_raw_fd();
    let call = Call::Getsockname { fd, address: None };
    let mut raw = no_address();
    retry(|| {
        ask(probe, &call)?;
        let mut len = size_of_val(&raw) as libc::socklen_t;
        // SAFETY: `raw` and `len` live through the call, and `len` starts as the size of `raw`.
        let answer = unsafe { libc::getsockname(fd, (&raw mut raw).cast(), &raw mut len) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(raw.sll_hatype)
}

fn no_address() -> libc::sockaddr_ll {
    // SAFETY: all zeros is a sockaddr_ll, kept true by libc's definition: integers and bytes.
    unsafe { mem::zeroed() }
}

/// One frame as it passed the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How many of its bytes are in the buffer.
    pub bytes: usize,
    /// How long it was: more than `bytes` if the buffer was too short.
    pub wire_bytes: usize,
    /// When the kernel saw it; `None` without [`SocketOption::ReceiveTime`](super::SocketOption::ReceiveTime).
    pub at: Option<SystemTime>,
    /// Whether this machine sent it (`PACKET_OUTGOING`). What is sent through `lo` is seen twice: leaving and arriving.
    pub outgoing: bool,
}

/// Receives one frame (`recvmsg(2)` with `MSG_TRUNC`).
///
/// # Errors
///
/// EAGAIN: none is there; ENETDOWN: the interface went down, told once.
pub fn recv_packet(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
) -> io::Result<Captured> {
    const TIME: usize = nix_socket::cmsg_space::<TimeSpec>();
    /// Aligned for the cmsghdr at its start, which is read where it lies (cmsg(3)).
    #[repr(align(8))]
    struct Control([u8; TIME]);
    let (fd, flags) = (fd.as_raw_fd(), libc::MSG_TRUNC);
    retry(|| {
        let asked = Call::Recvmsg {
            fd,
            bytes: buf,
            from: None,
            truncated: false,
            flags,
        };
        ask(probe, &asked)?;
        let mut control = Control([0; TIME]);
        let mut parts = [IoSliceMut::new(buf)];
        let wanted = MsgFlags::MSG_TRUNC;
        let answer = nix_socket::recvmsg::<LinkAddr>(fd, &mut parts, Some(&mut control.0), wanted);
        let received = answer.map_err(io::Error::from).map(|message| {
            let outgoing = message
                .address
                .is_some_and(|from| from.pkttype() == OUTGOING);
            let at = message
                .cmsgs()
                .ok()
                .into_iter()
                .flatten()
                .find_map(|message| time(&message));
            (message.bytes, at, outgoing)
        });
        let truncated = matches!(&received, Ok((bytes, ..)) if *bytes > buf.len());
        let done = Call::Recvmsg {
            fd,
            bytes: buf,
            from: None,
            truncated,
            flags,
        };
        let (result, found) = match received {
            Ok((bytes, at, outgoing)) => (Ok(bytes), Some((at, outgoing))),
            Err(error) => (Err(error), None),
        };
        let wire_bytes = told(probe, &done, result)?;
        let (at, outgoing) = found.unwrap_or((None, false));
        Ok(Captured {
            bytes: wire_bytes.min(buf.len()),
            wire_bytes,
            at,
            outgoing,
        })
    })
}

const OUTGOING: u8 = libc::PACKET_OUTGOING;

fn time(message: &ControlMessageOwned) -> Option<SystemTime> {
    let ControlMessageOwned::ScmTimestampns(time) = message else {
        return None;
    };
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

/// What became of the frames since the last question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketStatistics {
    /// How many the filter let through, the dropped ones included.
    pub packets: u32,
    /// How many of them were lost, because the socket's receive buffer was full.
    pub drops: u32,
}

/// How many frames came and were lost since the last question (`getsockopt(2)`, `PACKET_STATISTICS`): asking sets both
/// to zero.
///
/// # Errors
///
/// ENOPROTOOPT, EOPNOTSUPP: it is no packet socket.
pub fn packet_statistics(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
) -> io::Result<PacketStatistics> {
    let (fd, level, option) = (fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS);
    let mut raw = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let call = |value| Call::Getsockopt {
        fd,
        level,
        option,
        value,
    };
    retry(|| {
        ask(probe, &call(None))?;
        let mut len = size_of_val(&raw) as libc::socklen_t;
        // SAFETY: `raw` and `len` live through the call, and `len` starts as the size of `raw`.
        let answer =
            unsafe { libc::getsockopt(fd, level, option, (&raw mut raw).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        let room = size_of_val(&raw) as u32;
        let value = OptionValue::Structure { bytes: len, room };
        told(probe, &call(result.is_ok().then_some(value)), result)
    })?;
    Ok(PacketStatistics {
        packets: raw.tp_packets,
        drops: raw.tp_drops,
    })
}
