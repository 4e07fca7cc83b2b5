//! What a socket says about itself: one `getsockopt(2)` for each value.
//!
//! None of these calls blocks. All fail with ENOPROTOOPT or EOPNOTSUPP where the socket's protocol has no such option,
//! and with EBADF or ENOTSOCK on a wrong descriptor.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{ask, outcome, retry, told};
use super::{Call, OptionValue, Probe};
use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET};
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// The error that waits on the socket, and takes it away (`SO_ERROR`, `socket(7)`).
///
/// # Errors
///
/// As every call of this kind; the socket's own error is the answer, not an error.
pub fn error(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let errno = int(probe, fd, SOL_SOCKET, libc::SO_ERROR)?;
    Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
}

/// How a [`connect`](super::connect) in progress went, once the socket is writable (`SO_ERROR`, `connect(2)`).
///
/// # Errors
///
/// That of the connect: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH.
pub fn connect_result(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<()> {
    error(probe, fd)?.map_or(Ok(()), Err)
}

/// Whether [`listen`](super::listen) was called on it (`SO_ACCEPTCONN`): for descriptors that were inherited.
///
/// # Errors
///
/// ENOTSOCK: it is no socket.
pub fn is_listening(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, SOL_SOCKET, libc::SO_ACCEPTCONN))
}

/// Whether addresses in `TIME_WAIT` may be bound (`SO_REUSEADDR`).
///
/// # Errors
///
/// As every call of this kind.
pub fn reuse_address(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, SOL_SOCKET, libc::SO_REUSEADDR))
}

/// Whether several sockets may share the address (`SO_REUSEPORT`).
///
/// # Errors
///
/// As every call of this kind.
pub fn reuse_port(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, SOL_SOCKET, libc::SO_REUSEPORT))
}

/// Whether small segments leave at once (`TCP_NODELAY`).
///
/// # Errors
///
/// EOPNOTSUPP: it is no TCP socket.
pub fn no_delay(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, IPPROTO_TCP, libc::TCP_NODELAY))
}

/// How long a listener waits for a connection's first bytes (`TCP_DEFER_ACCEPT`), as the kernel rounded it.
///
/// # Errors
///
/// EOPNOTSUPP: it is no TCP socket.
pub fn defer_accept(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Duration> {
    int(probe, fd, IPPROTO_TCP, libc::TCP_DEFER_ACCEPT).map(seconds)
}

/// The length of the queue for connections with data in their first segment (`TCP_FASTOPEN`); 0 is off.
///
/// # Errors
///
/// EOPNOTSUPP: it is no TCP socket.
pub fn fast_open(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<i32> {
    int(probe, fd, IPPROTO_TCP, libc::TCP_FASTOPEN)
}

/// When a silent peer is asked whether it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveTimes {
    /// Silence before the first question.
    pub idle: Duration,
    /// Time between questions.
    pub interval: Duration,
    /// Unanswered questions before the connection is given up.
    pub count: u32,
}

/// When a silent peer is asked, or `None` if never (`SO_KEEPALIVE`, then `TCP_KEEPIDLE`, `TCP_KEEPINTVL`,
/// `TCP_KEEPCNT`): one call or four.
///
/// # Errors
///
/// EOPNOTSUPP: keepalive is on and it is no TCP socket.
pub fn keepalive(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Option<KeepaliveTimes>> {
    if int(probe, fd, SOL_SOCKET, libc::SO_KEEPALIVE)? == 0 {
        return Ok(None);
    }
    Ok(Some(KeepaliveTimes {
        idle: seconds(int(probe, fd, IPPROTO_TCP, libc::TCP_KEEPIDLE)?),
        interval: seconds(int(probe, fd, IPPROTO_TCP, libc::TCP_KEEPINTVL)?),
        count: int(probe, fd, IPPROTO_TCP, libc::TCP_KEEPCNT)?.unsigned_abs(),
    }))
}

/// How long sent data may stay unacknowledged (`TCP_USER_TIMEOUT`); zero leaves it to the kernel.
///
/// # Errors
///
/// EOPNOTSUPP: it is no TCP socket.
pub fn user_timeout(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Duration> {
    let milliseconds = int(probe, fd, IPPROTO_TCP, libc::TCP_USER_TIMEOUT)?;
    Ok(Duration::from_millis(milliseconds.unsigned_abs().into()))
}

/// Below how many unsent bytes the socket counts as writable (`TCP_NOTSENT_LOWAT`).
///
/// # Errors
///
/// EOPNOTSUPP: it is no TCP socket.
pub fn not_sent_lowat(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<u32> {
    int(probe, fd, IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT).map(i32::cast_unsigned)
}

/// Bytes of receive buffer (`SO_RCVBUF`): twice what was set, the kernel's bookkeeping included.
///
/// # Errors
///
/// As every call of this kind.
pub fn receive_buffer(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<usize> {
    int(probe, fd, SOL_SOCKET, libc::SO_RCVBUF).map(|bytes| bytes as usize)
}

/// Bytes of send buffer (`SO_SNDBUF`): twice what was set, the kernel's bookkeeping included.
///
/// # Errors
///
/// As every call of this kind.
pub fn send_buffer(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<usize> {
    int(probe, fd, SOL_SOCKET, libc::SO_SNDBUF).map(|bytes| bytes as usize)
}

/// Whether a bound client chooses its port only in connect (`IP_BIND_ADDRESS_NO_PORT`).
///
/// # Errors
///
/// EOPNOTSUPP: it is no IP socket.
pub fn bind_address_no_port(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT))
}

/// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`).
///
/// # Errors
///
/// ENOPROTOOPT, EOPNOTSUPP: it is no IPv6 socket.
pub fn only_v6(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, IPPROTO_IPV6, libc::IPV6_V6ONLY))
}

/// Whether packets come with the kernel's time (`SO_TIMESTAMPNS`).
///
/// # Errors
///
/// As every call of this kind.
pub fn receive_time(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<bool> {
    on(int(probe, fd, SOL_SOCKET, libc::SO_TIMESTAMPNS))
}

/// How long close waits for unsent data (`SO_LINGER`); `None`: it does not, and the data leaves in the background.
///
/// # Errors
///
/// As every call of this kind.
pub fn linger(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Option<Duration>> {
    let (fd, level, option) = (fd.as_raw_fd(), SOL_SOCKET, libc::SO_LINGER);
    let mut raw = libc::linger {
        l_onoff: 0,
        l_linger: 0,
    };
    retry(|| {
        ask(
            probe,
            &Call::Getsockopt {
                fd,
                level,
                option,
                value: None,
            },
        )?;
        let mut len = size_of_val(&raw) as libc::socklen_t;
        // SAFETY: `raw` and `len` live through the call, and `len` starts as the size of `raw`.
        let answer =
            unsafe { libc::getsockopt(fd, level, option, (&raw mut raw).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        let value = OptionValue::Linger {
            on: raw.l_onoff != 0,
            seconds: raw.l_linger,
        };
        let value = result.is_ok().then_some(value);
        told(
            probe,
            &Call::Getsockopt {
                fd,
                level,
                option,
                value,
            },
            result,
        )
    })?;
    Ok((raw.l_onoff != 0).then(|| seconds(raw.l_linger)))
}

/// Who is at the other end of a Unix connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process.
    pub pid: i32,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
}

/// Who connected, as the kernel noted it in connect(2) or socketpair(2): it cannot be forged (`SO_PEERCRED`, `unix(7)`).
///
/// # Errors
///
/// As every call of this kind. Of a socket that is no connected Unix one the kernel answers -1 for the user, on some
/// kernels an error.
///
/// ```
/// use longshore::sys::{self, Silent};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, _theirs) = UnixStream::pair()?;
/// let peer = sys::peer_credentials(&mut Silent, ours.as_fd())?;
/// assert_eq!(peer.pid.unsigned_abs(), std::process::id());
/// # Ok(())
/// # }
/// ```
pub fn peer_credentials(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Credentials> {
    let (fd, level, option) = (fd.as_raw_fd(), SOL_SOCKET, libc::SO_PEERCRED);
    let mut raw = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    retry(|| {
        let mut call = Call::Getsockopt {
            fd,
            level,
            option,
            value: None,
        };
        ask(probe, &call)?;
        let mut len = size_of_val(&raw) as libc::socklen_t;
        // SAFETY: `raw` and `len` live through the call, and `len` starts as the size of `raw`.
        let answer =
            unsafe { libc::getsockopt(fd, level, option, (&raw mut raw).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        if let Call::Getsockopt { value, .. } = &mut call {
            let libc::ucred { pid, uid, gid } = raw;
            let known = OptionValue::Credentials { pid, uid, gid };
            *value = result.is_ok().then_some(known);
        }
        told(probe, &call, result)
    })?;
    let libc::ucred { pid, uid, gid } = raw;
    Ok(Credentials { pid, uid, gid })
}

fn int(probe: &mut impl Probe, fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<i32> {
    let fd = fd.as_raw_fd();
    let mut number = 0i32;
    retry(|| {
        ask(
            probe,
            &Call::Getsockopt {
                fd,
                level,
                option,
                value: None,
            },
        )?;
        let mut len = size_of_val(&number) as libc::socklen_t;
        // SAFETY: `number` and `len` live through the call, and `len` starts as the size of `number`.
        let answer =
            unsafe { libc::getsockopt(fd, level, option, (&raw mut number).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        let value = result.is_ok().then_some(OptionValue::Int(number));
        told(
            probe,
            &Call::Getsockopt {
                fd,
                level,
                option,
                value,
            },
            result,
        )
    })?;
    Ok(number)
}

fn on(number: io::Result<i32>) -> io::Result<bool> {
    number.map(|number| number != 0)
}

fn seconds(number: i32) -> Duration {
    Duration::from_secs(number.unsigned_abs().into())
}
