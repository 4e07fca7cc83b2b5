//! Socket options that a server sets, one `setsockopt(2)` for each value.
//!
//! An option set on a listener is inherited by the connections that it accepts (`tcp(7)`, Linux), which saves one call per
//! connection: [`SocketOption::NoDelay`], keepalive, buffers and timeouts belong there. No defaults are chosen here.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, retry};
use super::{Address, Call, OptionValue, Probe};
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// An option of a socket with its value.
///
/// Times are rounded up to the unit that the kernel keeps, so that a short one is never "off"; zero is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// Bind although old connections of the address are in `TIME_WAIT`: a server restarts without waiting
    /// (`SO_REUSEADDR`). Off by default.
    ReuseAddress(bool),
    /// Several sockets of one user listen on one address and the kernel spreads connections over them
    /// (`SO_REUSEPORT`, 3.9+). Off by default; not for Unix sockets (EOPNOTSUPP).
    ReusePort(bool),
    /// Send small segments at once instead of waiting for the last one's acknowledgement (`TCP_NODELAY`). Off by
    /// default.
    NoDelay(bool),
    /// A listener wakes for a connection only when its first bytes have come, for about this long
    /// (`TCP_DEFER_ACCEPT`, whole seconds, which the kernel turns into a number of retransmissions). Off by default.
    DeferAccept(Duration),
    /// A listener takes data in the first segment of peers that were here before, with a queue of this length
    /// (`TCP_FASTOPEN`, RFC 7413). 0 is off, the default.
    FastOpen(i32),
    /// Ask a silent peer whether it still lives (`SO_KEEPALIVE`, and for TCP `TCP_KEEPIDLE`, `TCP_KEEPINTVL`,
    /// `TCP_KEEPCNT`): four calls. The kernel's defaults are off, 7200 s, 75 s and 9.
    Keepalive {
        /// Silence before the first question; whole seconds, from 1 to 32767.
        idle: Duration,
        /// Time between questions; whole seconds, from 1 to 32767.
        interval: Duration,
        /// Unanswered questions before the connection is given up, from 1 to 127.
        count: u32,
    },
    /// How long sent data may stay unacknowledged before the connection is given up (`TCP_USER_TIMEOUT`,
    /// milliseconds). 0 leaves it to the kernel, the default: about 15 minutes.
    UserTimeout(Duration),
    /// The socket counts as writable only with fewer unsent bytes than this (`TCP_NOTSENT_LOWAT`). By default no such
    /// limit.
    NotSentLowat(u32),
    /// Bytes of receive buffer (`SO_RCVBUF`). The kernel doubles the figure for its own bookkeeping, cuts it at
    /// `net.core.rmem_max`, and stops tuning it. Set it before listen or connect.
    ReceiveBuffer(usize),
    /// Bytes of send buffer (`SO_SNDBUF`); doubled, cut at `net.core.wmem_max`, and no longer tuned.
    SendBuffer(usize),
    /// A client bound to an address and port 0 chooses its port only in connect, so that ports can be shared between
    /// different peers (`IP_BIND_ADDRESS_NO_PORT`, 4.2+). Off by default.
    BindAddressNoPort(bool),
    /// An IPv6 socket does not take IPv4 as well (`IPV6_V6ONLY`, before bind). The default is
    /// `/proc/sys/net/ipv6/bindv6only`, normally off.
    OnlyV6(bool),
    /// Every packet comes with the time at which the kernel first saw it, in nanoseconds of the real-time clock
    /// (`SO_TIMESTAMPNS`, `socket(7)`). Off by default.
    ReceiveTime(bool),
    /// What close does with unsent data (`SO_LINGER`, whole seconds): `None`, the default, sends it in the background;
    /// zero throws it away and resets the connection; a longer time makes close block.
    Linger(Option<Duration>),
    /// How long a blocking call waits to receive before it fails with EAGAIN (`SO_RCVTIMEO`, microseconds). Holds for
    /// recv, recvfrom and accept. 0 waits for ever, the default.
    ReceiveTimeout(Duration),
    /// How long a blocking call waits for room to send before it fails with EAGAIN (`SO_SNDTIMEO`, microseconds), or
    /// answers how much has left. Holds for send, sendto and connect. 0 waits for ever, the default.
    SendTimeout(Duration),
}

impl SocketOption {
    /// Whether sockets of this address's family have the option. To others it means nothing (EOPNOTSUPP, ENOPROTOOPT).
    ///
    /// ```
    /// use longshore::sys::{Address, SocketOption};
    ///
    /// let unix: Address = "unix:/run/name.sock".parse()?;
    /// assert!(!SocketOption::NoDelay(true).fits(&unix));
    /// assert!(SocketOption::SendBuffer(65_536).fits(&unix));
    /// # Ok::<(), longshore::sys::AddressError>(())
    /// ```
    pub fn fits(&self, address: &Address) -> bool {
        match self {
            Self::OnlyV6(_) => address.inet().is_some_and(|inet| inet.is_ipv6()),
            Self::ReusePort(_)
            | Self::NoDelay(_)
            | Self::DeferAccept(_)
            | Self::FastOpen(_)
            | Self::Keepalive { .. }
            | Self::UserTimeout(_)
            | Self::NotSentLowat(_)
            | Self::BindAddressNoPort(_) => !address.is_unix(),
            Self::ReuseAddress(_)
            | Self::ReceiveBuffer(_)
            | Self::SendBuffer(_)
            | Self::ReceiveTime(_)
            | Self::Linger(_)
            | Self::ReceiveTimeout(_)
            | Self::SendTimeout(_) => true,
        }
    }
}

/// Sets an option (`setsockopt(2)`): one call, four for [`SocketOption::Keepalive`] on TCP. Never blocks.
///
/// # Errors
///
/// ENOPROTOOPT, EOPNOTSUPP: the socket's protocol has no such option; EINVAL: the value is out of range, or it is too
/// late (`OnlyV6` after bind). Of several calls those before the failing one keep their effect.
///
/// ```
/// use longshore::sys::{self, Family, Kind, Mode, Silent, SocketOption};
/// use std::os::fd::AsFd;
///
/// # fn main() -> std::io::Result<()> {
/// let socket = sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Nonblocking)?;
/// sys::setsockopt(&mut Silent, socket.as_fd(), &SocketOption::NoDelay(true))?;
/// assert!(sys::no_delay(&mut Silent, socket.as_fd())?);
/// # Ok(())
/// # }
/// ```
pub fn setsockopt(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    option: &SocketOption,
) -> io::Result<()> {
    use libc::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET};
    match *option {
        SocketOption::ReuseAddress(on) => int(probe, fd, SOL_SOCKET, libc::SO_REUSEADDR, on.into()),
        SocketOption::ReusePort(on) => int(probe, fd, SOL_SOCKET, libc::SO_REUSEPORT, on.into()),
        SocketOption::NoDelay(on) => int(probe, fd, IPPROTO_TCP, libc::TCP_NODELAY, on.into()),
        SocketOption::DeferAccept(time) => int(
            probe,
            fd,
            IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            seconds(time),
        ),
        SocketOption::FastOpen(queue) => int(probe, fd, IPPROTO_TCP, libc::TCP_FASTOPEN, queue),
        SocketOption::Keepalive {
            idle,
            interval,
            count,
        } => {
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            int(probe, fd, SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
            int(probe, fd, IPPROTO_TCP, libc::TCP_KEEPIDLE, seconds(idle))?;
            int(
                probe,
                fd,
                IPPROTO_TCP,
                libc::TCP_KEEPINTVL,
                seconds(interval),
            )?;
            int(probe, fd, IPPROTO_TCP, libc::TCP_KEEPCNT, count)
        }
        SocketOption::UserTimeout(time) => int(
            probe,
            fd,
            IPPROTO_TCP,
            libc::TCP_USER_TIMEOUT,
            milliseconds(time),
        ),
        SocketOption::NotSentLowat(bytes) => {
            // The kernel reads these four bytes as unsigned.
            int(
                probe,
                fd,
                IPPROTO_TCP,
                libc::TCP_NOTSENT_LOWAT,
                bytes.cast_signed(),
            )
        }
        SocketOption::ReceiveBuffer(bytes) => {
            int(probe, fd, SOL_SOCKET, libc::SO_RCVBUF, clamped(bytes))
        }
        SocketOption::SendBuffer(bytes) => {
            int(probe, fd, SOL_SOCKET, libc::SO_SNDBUF, clamped(bytes))
        }
        SocketOption::BindAddressNoPort(on) => int(
            probe,
            fd,
            IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            on.into(),
        ),
        SocketOption::OnlyV6(on) => int(probe, fd, IPPROTO_IPV6, libc::IPV6_V6ONLY, on.into()),
        SocketOption::ReceiveTime(on) => {
            int(probe, fd, SOL_SOCKET, libc::SO_TIMESTAMPNS, on.into())
        }
        SocketOption::Linger(time) => set_linger(probe, fd, time),
        SocketOption::ReceiveTimeout(time) => set_timeout(probe, fd, libc::SO_RCVTIMEO, time),
        SocketOption::SendTimeout(time) => set_timeout(probe, fd, libc::SO_SNDTIMEO, time),
    }
}

fn int(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: i32,
) -> io::Result<()> {
    set(probe, fd, (level, option), &value, OptionValue::Int(value))
}

fn set_linger(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    time: Option<Duration>,
) -> io::Result<()> {
    let (on, seconds) = (time.is_some(), time.map_or(0, seconds));
    let raw = libc::linger {
        l_onoff: on.into(),
        l_linger: seconds,
    };
    let value = OptionValue::Linger { on, seconds };
    set(probe, fd, (libc::SOL_SOCKET, libc::SO_LINGER), &raw, value)
}

fn set_timeout(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    option: i32,
    time: Duration,
) -> io::Result<()> {
    let micros = i64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let raw = libc::timeval {
        tv_sec: seconds,
        tv_usec: micros,
    };
    let value = OptionValue::Time { seconds, micros };
    set(probe, fd, (libc::SOL_SOCKET, option), &raw, value)
}

/// `setsockopt(2)` with the structure that the option takes; `value` is the same as a probe sees it.
fn set<T: Copy>(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    (level, option): (i32, i32),
    raw: &T,
    value: OptionValue,
) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let call = Call::Setsockopt {
        fd,
        level,
        option,
        value,
    };
    retry(|| {
        ask(probe, &call)?;
        let data = std::ptr::from_ref(raw).cast();
        let len = size_of_val(raw) as libc::socklen_t;
        // SAFETY: `raw` lives through the call, is `len` bytes long and is only read.
        let answer = unsafe { libc::setsockopt(fd, level, option, data, len) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

fn seconds(time: Duration) -> i32 {
    let whole = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    i32::try_from(whole).unwrap_or(i32::MAX)
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

fn clamped(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}
