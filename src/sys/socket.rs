//! How a socket comes into being: socket, bind, listen, accept4, connect, and the names of its two ends.
//!
//! Only the calls: no defaults, no retries on another address, no options.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, outcome, retry, told};
use super::{Address, Call, Probe};
use std::io;
use std::mem::{self, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which kind of address a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4, `ip(7)`.
    Inet,
    /// IPv6, `ipv6(7)`.
    Inet6,
    /// Sockets within one machine, `unix(7)`.
    Unix,
}

/// What travels: a byte stream or datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `SOCK_STREAM`: TCP, or a Unix stream.
    Stream,
    /// `SOCK_DGRAM`: UDP, or Unix datagrams.
    Datagram,
}

/// What a call does that cannot be answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It waits.
    Blocking,
    /// It fails with EAGAIN (`SOCK_NONBLOCK`).
    Nonblocking,
}

impl Family {
    /// The number that system calls take: `AF_INET`, `AF_INET6` or `AF_UNIX`.
    #[inline]
    pub const fn raw(self) -> i32 {
        match self {
            Family::Inet => libc::AF_INET,
            Family::Inet6 => libc::AF_INET6,
            Family::Unix => libc::AF_UNIX,
        }
    }
}

impl Kind {
    /// The number that system calls take: `SOCK_STREAM` or `SOCK_DGRAM`.
    #[inline]
    pub const fn raw(self) -> i32 {
        match self {
            Kind::Stream => libc::SOCK_STREAM,
            Kind::Datagram => libc::SOCK_DGRAM,
        }
    }
}

impl Mode {
    pub(super) const fn flags(self) -> i32 {
        match self {
            Mode::Blocking => libc::SOCK_CLOEXEC,
            Mode::Nonblocking => libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
        }
    }
}

/// Makes a socket that has no address yet (`socket(2)`).
///
/// Never blocks.
///
/// # Errors
///
/// EMFILE, ENFILE, ENOBUFS and ENOMEM: out of descriptors or memory; EAFNOSUPPORT: the kernel lacks the family.
#[inline]
pub fn socket(
    probe: &mut impl Probe,
    family: Family,
    kind: Kind,
    mode: Mode,
) -> io::Result<OwnedFd> {
    socket_of(probe, family.raw(), kind.raw() | mode.flags(), 0)
}

/// `socket(2)` with the numbers as they are, for the families that carry no bytes of ours.
#[inline]
pub(super) fn socket_of(
    probe: &mut impl Probe,
    family: i32,
    kind: i32,
    protocol: i32,
) -> io::Result<OwnedFd> {
    let call = Call::Socket {
        family,
        kind,
        protocol,
    };
    let fd = retry(|| {
        ask(probe, &call)?;
        // SAFETY: three integers; no memory is shared with the kernel.
        let answer = unsafe { libc::socket(family, kind, protocol) };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Makes two Unix sockets that are connected to each other and have no names (`socketpair(2)`).
///
/// Never blocks.
///
/// # Errors
///
/// EMFILE, ENFILE, ENOBUFS and ENOMEM: out of descriptors or memory.
///
/// ```
/// use longshore::sys::{self, Kind, Mode, Silent};
/// use std::os::fd::AsFd;
///
/// let (ours, theirs) = sys::socketpair(&mut Silent, Kind::Stream, Mode::Blocking)?;
/// sys::send(&mut Silent, ours.as_fd(), b"ahoy")?;
/// assert_eq!(sys::recv(&mut Silent, theirs.as_fd(), &mut [0; 16])?, 4);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn socketpair(
    probe: &mut impl Probe,
    kind: Kind,
    mode: Mode,
) -> io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind, protocol) = (libc::AF_UNIX, kind.raw() | mode.flags(), 0);
    let call = |pair| Call::Socketpair {
        family,
        kind,
        protocol,
        pair,
    };
    let mut pair = [-1; 2];
    retry(|| {
        ask(probe, &call(None))?;
        // SAFETY: the kernel writes two integers to `pair`, which is two and ours alone.
        let answer = unsafe { libc::socketpair(family, kind, protocol, pair.as_mut_ptr()) };
        let result = outcome(answer as isize);
        told(probe, &call(result.is_ok().then_some(pair)), result)
    })?;
    // SAFETY: both are open and nobody else's, kept true by the kernel, which has just made them.
    Ok(unsafe { (OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])) })
}

/// Gives a socket its address (`bind(2)`). Port 0 lets the kernel choose: ask [`getsockname`].
///
/// Never blocks on IP sockets; on a Unix path it makes the file.
///
/// # Errors
///
/// EADDRINUSE: another socket has it, or the Unix path exists; EADDRNOTAVAIL: no interface has it; EACCES: the port or
/// the directory is not for this user; `InvalidInput`: no possible Unix name.
#[inline]
pub fn bind(probe: &mut impl Probe, fd: BorrowedFd<'_>, address: &Address) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let raw = address.to_sockaddr()?;
    let call = Call::Bind { fd, address };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: `raw` lives through the call and is `raw.len()` bytes long, kept true by `to_sockaddr`.
        let answer = unsafe { libc::bind(fd, raw.as_ptr().cast(), raw.len()) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// Starts to take connections (`listen(2)`).
///
/// `backlog` is how many finished handshakes may wait for [`accept4`]; the kernel cuts it to
/// `/proc/sys/net/core/somaxconn`. May be called again to change it. Never blocks.
///
/// # Errors
///
/// EADDRINUSE: another socket listens there; EOPNOTSUPP: not a stream socket.
#[inline]
pub fn listen(probe: &mut impl Probe, fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let call = Call::Listen { fd, backlog };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: two integers; no memory is shared with the kernel.
        let answer = unsafe { libc::listen(fd, backlog) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// Takes the next waiting connection, without asking whose it is (`accept4(2)`).
///
/// `mode` is that of the new socket: unlike options, it is not inherited. On a blocking listener it waits for a
/// connection.
///
/// # Errors
///
/// Sort them with [`accept_error`](super::accept_error): nothing waits, this one connection failed, out of descriptors
/// or memory, or the listener is broken.
#[inline]
pub fn accept4(
    probe: &mut impl Probe,
    listener: BorrowedFd<'_>,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let (listener, flags) = (listener.as_raw_fd(), mode.flags());
    let call = Call::Accept4 {
        fd: listener,
        from: None,
        flags,
    };
    let fd = retry(|| {
        ask(probe, &call)?;
        // SAFETY: null pointers say that the peer's address is not wanted (accept(2)).
        let answer =
            unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags) };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Takes the next waiting connection and its peer's address (`accept4(2)`).
///
/// As [`accept4`]. A peer of the Unix family that did not bind is `Unnamed`.
///
/// # Errors
///
/// As [`accept4`]; `Unsupported` if the peer's family is none of ours, and then the connection is closed.
#[inline]
pub fn accept4_from(
    probe: &mut impl Probe,
    listener: BorrowedFd<'_>,
    mode: Mode,
) -> io::Result<(OwnedFd, Address)> {
    let (listener, flags) = (listener.as_raw_fd(), mode.flags());
    retry(|| {
        ask(
            probe,
            &Call::Accept4 {
                fd: listener,
                from: None,
                flags,
            },
        )?;
        let (mut storage, mut len) = empty_name();
        // SAFETY: `storage` and `len` live through the call, and `len` starts as the storage's size.
        let answer =
            unsafe { libc::accept4(listener, (&raw mut storage).cast(), &raw mut len, flags) };
        let result = outcome(answer as isize);
        // Owned before anything else can fail, so that it cannot leak.
        let fd = result
            .as_ref()
            .ok()
            // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
            .map(|&fd| unsafe { OwnedFd::from_raw_fd(fd as i32) });
        let from = fd.as_ref().and_then(|_| Address::from_raw(&storage, len));
        told(
            probe,
            &Call::Accept4 {
                fd: listener,
                from: from.as_ref(),
                flags,
            },
            result,
        )?;
        match (fd, from) {
            (Some(fd), Some(from)) => Ok((fd, from)),
            _ => Err(unknown_family()),
        }
    })
}

/// Connects to an address (`connect(2)`).
///
/// A blocking socket waits for the handshake: minutes, if nobody answers. A non-blocking one fails with EINPROGRESS and
/// becomes writable when it is done; ask [`connect_result`](super::connect_result) then. A non-blocking Unix socket
/// never is in progress: a full backlog is EAGAIN.
///
/// A wait that a signal interrupted goes on: Linux answers the repeated call with the state of the first.
///
/// # Errors
///
/// EINPROGRESS as above; ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH; EADDRNOTAVAIL: no local port is free;
/// `InvalidInput`: no possible Unix name.
#[inline]
pub fn connect(probe: &mut impl Probe, fd: BorrowedFd<'_>, address: &Address) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let raw = address.to_sockaddr()?;
    let call = Call::Connect { fd, address };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: `raw` lives through the call and is `raw.len()` bytes long, kept true by `to_sockaddr`.
        let answer = unsafe { libc::connect(fd, raw.as_ptr().cast(), raw.len()) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// The address of this end (`getsockname(2)`). Never blocks.
///
/// # Errors
///
/// EBADF, ENOTSOCK: a wrong descriptor; `Unsupported`: a family that is none of ours.
#[inline]
pub fn getsockname(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Address> {
    let fd = fd.as_raw_fd();
    retry(|| {
        ask(probe, &Call::Getsockname { fd, address: None })?;
        let (mut storage, mut len) = empty_name();
        // SAFETY: `storage` and `len` live through the call, and `len` starts as the storage's size.
        let answer = unsafe { libc::getsockname(fd, (&raw mut storage).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        let address = result
            .is_ok()
            .then(|| Address::from_raw(&storage, len))
            .flatten();
        told(
            probe,
            &Call::Getsockname {
                fd,
                address: address.as_ref(),
            },
            result,
        )?;
        address.ok_or_else(unknown_family)
    })
}

/// The address of the other end (`getpeername(2)`). Never blocks.
///
/// # Errors
///
/// ENOTCONN: there is no other end, or no longer; `Unsupported`: a family that is none of ours.
#[inline]
pub fn getpeername(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<Address> {
    let fd = fd.as_raw_fd();
    retry(|| {
        ask(probe, &Call::Getpeername { fd, address: None })?;
        let (mut storage, mut len) = empty_name();
        // SAFETY: `storage` and `len` live through the call, and `len` starts as the storage's size.
        let answer = unsafe { libc::getpeername(fd, (&raw mut storage).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        let address = result
            .is_ok()
            .then(|| Address::from_raw(&storage, len))
            .flatten();
        told(
            probe,
            &Call::Getpeername {
                fd,
                address: address.as_ref(),
            },
            result,
        )?;
        address.ok_or_else(unknown_family)
    })
}

/// Makes another descriptor for the same open file or socket (`fcntl(2)`, `F_DUPFD_CLOEXEC`).
///
/// Both share everything but their numbers: a socket is closed when both are, and the mode of one is that of the other.
/// Not 0, 1 or 2, which programs take for the standard streams.
///
/// # Errors
///
/// EMFILE: out of descriptors.
pub fn duplicate(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const LOWEST: i32 = 3;
    let fd = fd.as_raw_fd();
    let call = Call::Fcntl {
        fd,
        command: libc::F_DUPFD_CLOEXEC,
        flags: LOWEST,
    };
    let copy = retry(|| {
        ask(probe, &call)?;
        // SAFETY: F_DUPFD_CLOEXEC takes an integer and shares no memory.
        let answer = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, LOWEST) };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `copy` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as i32) })
}

/// Makes a descriptor that came from elsewhere blocking or non-blocking (two `fcntl(2)` calls: read the flags, set
/// them).
///
/// The mode belongs to the open socket, not to the number: a process that shares it sees the change. Never blocks.
///
/// # Errors
///
/// EBADF: a wrong descriptor.
#[inline]
pub fn set_mode(probe: &mut impl Probe, fd: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    let read = Call::Fcntl {
        fd,
        command: libc::F_GETFL,
        flags: 0,
    };
    let before = retry(|| {
        ask(probe, &read)?;
        // SAFETY: F_GETFL takes no third argument and shares no memory.
        let answer = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        answered(probe, &read, answer as isize)
    })? as i32;
    let flags = match mode {
        Mode::Blocking => before & !libc::O_NONBLOCK,
        Mode::Nonblocking => before | libc::O_NONBLOCK,
    };
    let write = Call::Fcntl {
        fd,
        command: libc::F_SETFL,
        flags,
    };
    retry(|| {
        ask(probe, &write)?;
        // SAFETY: F_SETFL takes an integer and shares no memory.
        let answer = unsafe { libc::fcntl(fd, libc::F_SETFL, flags) };
        answered(probe, &write, answer as isize)
    })?;
    Ok(())
}

/// Room for any address, and its size.
pub(super) fn empty_name() -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all zeros is a sockaddr_storage, kept true by libc's definition: integers and bytes.
    let storage = unsafe { mem::zeroed() };
    (
        storage,
        size_of::<libc::sockaddr_storage>() as libc::socklen_t,
    )
}

pub(super) fn unknown_family() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the socket's address is of no family that is known here",
    )
}
