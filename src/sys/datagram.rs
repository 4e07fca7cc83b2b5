//! Datagrams: recvfrom and sendto. One call, one datagram; what does not fit is lost, and said so.
//!
//! It does not know what a datagram means, and it never splits or joins them.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, outcome, retry, told};
use super::socket::{empty_name, unknown_family};
use super::{Address, Call, Probe, UnixName};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// One received datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes are in the buffer: at most its length, and 0 for an empty datagram.
    pub bytes: usize,
    /// Who sent it; `Unnamed` for a Unix socket that is not bound, which cannot be answered.
    pub from: Address,
    /// Whether it was longer than the buffer: the rest is lost (`MSG_TRUNC`).
    pub truncated: bool,
}

/// Receives one datagram and its sender.
///
/// It is `recvmsg(2)`, not `recvfrom(2)`: only recvmsg says that a datagram was cut. An empty datagram is a datagram, not
/// an end. A blocking socket waits for one.
///
/// # Errors
///
/// EAGAIN: none is there; ECONNREFUSED: an earlier [`sendto`] of a connected socket met a closed port;
/// `Unsupported`: the sender's family is none of ours.
///
/// ```
/// use longshore::sys::{self, Address, Family, Kind, Mode, Silent};
/// use std::os::fd::AsFd;
///
/// # fn main() -> std::io::Result<()> {
/// let probe = &mut Silent;
/// let any: Address = "127.0.0.1:0".parse().expect("a literal");
/// let (a, b) = (
///     sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?,
///     sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?,
/// );
/// sys::bind(probe, a.as_fd(), &any)?;
/// sys::bind(probe, b.as_fd(), &any)?;
/// let to = sys::getsockname(probe, b.as_fd())?;
/// sys::sendto(probe, a.as_fd(), b"twelve bytes", &to)?;
///
/// let mut buf = [0; 6];
/// let received = sys::recvfrom(probe, b.as_fd(), &mut buf)?;
/// assert_eq!((&buf[..received.bytes], received.truncated), (&b"twelve"[..], true));
/// assert_eq!(received.from, sys::getsockname(probe, a.as_fd())?);
/// # Ok(())
/// # }
/// ```
#[inline]
pub fn recvfrom(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
) -> io::Result<Received> {
    let (fd, flags) = (fd.as_raw_fd(), 0);
    retry(|| {
        let asked = Call::Recvmsg {
            fd,
            bytes: buf,
            from: None,
            truncated: false,
            flags,
        };
        ask(probe, &asked)?;
        let (mut storage, size) = empty_name();
        let mut part = libc::iovec {
            iov_base: buf.as_mut_ptr().cast(),
            iov_len: buf.len(),
        };
        // SAFETY: all zeros is a msghdr without address, parts and control data, kept true by libc's definition.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_name = (&raw mut storage).cast();
        message.msg_namelen = size;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        // SAFETY: `storage`, `part` and `buf` live through the call and are as long as the message says; `buf` is ours
        // alone.
        let answer = unsafe { libc::recvmsg(fd, &raw mut message, flags) };
        let result = outcome(answer);
        let truncated = result.is_ok() && message.msg_flags & libc::MSG_TRUNC != 0;
        let from = match (&result, message.msg_namelen) {
            (Err(_), _) => None,
            // Only a Unix socket can send without a name.
            (Ok(_), 0) => Some(Address::Unix(UnixName::Unnamed)),
            (Ok(_), len) => Address::from_raw(&storage, len),
        };
        let done = Call::Recvmsg {
            fd,
            bytes: buf,
            from: from.as_ref(),
            truncated,
            flags,
        };
        let bytes = told(probe, &done, result)?;
        let from = from.ok_or_else(unknown_family)?;
        Ok(Received {
            bytes,
            from,
            truncated,
        })
    })
}

/// Sends one datagram to an address (`sendto(2)` with `MSG_NOSIGNAL`). It leaves whole or not at all.
///
/// A blocking socket waits for room.
///
/// # Errors
///
/// EAGAIN: no room; EMSGSIZE: larger than the protocol or the send buffer allows; ECONNREFUSED: a Unix receiver is gone,
/// or the refusal of an earlier datagram; EPERM: a firewall forbids it; ENOBUFS: the interface's queue is full;
/// `InvalidInput`: no possible Unix name.
#[inline]
pub fn sendto(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    to: &Address,
) -> io::Result<usize> {
    let (fd, flags) = (fd.as_raw_fd(), libc::MSG_NOSIGNAL);
    let raw = to.to_sockaddr()?;
    let call = Call::Sendto {
        fd,
        bytes,
        to,
        flags,
    };
    retry(|| {
        ask(probe, &call)?;
        let (data, len) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: `bytes` and `raw` live through the call, are as long as said, and are only read.
        let answer = unsafe { libc::sendto(fd, data, len, flags, raw.as_ptr().cast(), raw.len()) };
        answered(probe, &call, answer)
    })
}
