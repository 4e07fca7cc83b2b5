//! The system calls, one function each; "not now" is `None`.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::RawFd;
use std::{io, mem, ptr};

const BACKLOG: i32 = 4096;

/// socket(2), setsockopt(2), bind(2), listen(2).
pub(crate) fn listen_on(address: SocketAddrV4) -> io::Result<RawFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes three integers and no memory.
    let listener = checked(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    set_option(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*address.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    let length = mem::size_of_val(&name) as libc::socklen_t;
    // SAFETY: `name` is a whole `sockaddr_in`, kept alive by this frame, and the length is its own.
    checked(unsafe { libc::bind(listener, (&raw const name).cast(), length) })?;
    // SAFETY: listen(2) takes two integers.
    checked(unsafe { libc::listen(listener, BACKLOG) })?;
    Ok(listener)
}

fn set_option(socket: RawFd, level: i32, option: i32) -> io::Result<()> {
    let yes = 1_i32;
    // SAFETY: `yes` is alive in this frame, and 4 is its size.
    checked(unsafe { libc::setsockopt(socket, level, option, (&raw const yes).cast(), 4) })
        .map(drop)
}

/// getsockname(2).
pub(crate) fn local_address(socket: RawFd) -> io::Result<SocketAddrV4> {
    // SAFETY: `sockaddr_in` is made of integers, for which all zeroes is a value.
    let mut name: libc::sockaddr_in = unsafe { mem::zeroed() };
    let mut length = mem::size_of_val(&name) as libc::socklen_t;
    // SAFETY: both are alive in this frame, and `length` is the room that there is.
    checked(unsafe { libc::getsockname(socket, (&raw mut name).cast(), &raw mut length) })?;
    let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
    Ok(SocketAddrV4::new(ip, u16::from_be(name.sin_port)))
}

/// `epoll_create1(2)`.
pub(crate) fn epoll_create() -> io::Result<RawFd> {
    // SAFETY: takes an integer.
    checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// `epoll_ctl(2)`.
pub(crate) fn watch(epoll: RawFd, operation: i32, socket: RawFd, interest: i32) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: interest as u32,
        u64: socket as u64,
    };
    // SAFETY: `event` is alive in this frame, and the kernel copies it.
    checked(unsafe { libc::epoll_ctl(epoll, operation, socket, &raw mut event) }).map(drop)
}

/// `epoll_wait(2)`, without a time limit.
pub(crate) fn epoll_wait(epoll: RawFd, into: &mut [libc::epoll_event]) -> io::Result<usize> {
    // SAFETY: `into` is writable for its length, kept so by the exclusive borrow.
    let answer = unsafe { libc::epoll_wait(epoll, into.as_mut_ptr(), into.len() as i32, -1) };
    Ok(not_now(checked(answer).map(|count| count as usize))?.unwrap_or(0))
}

/// accept4(2).
pub(crate) fn accept(listener: RawFd) -> io::Result<Option<RawFd>> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: both pointers may be null: we do not ask for the peer's address.
    let answer = unsafe { libc::accept4(listener, ptr::null_mut(), ptr::null_mut(), flags) };
    not_now(checked(answer))
}

/// accept4(2) of a socket whose calls wait.
pub(crate) fn accept_blocking(listener: RawFd) -> io::Result<Option<RawFd>> {
    // SAFETY: both pointers may be null: we do not ask for the peer's address.
    let answer = unsafe {
        libc::accept4(
            listener,
            ptr::null_mut(),
            ptr::null_mut(),
            libc::SOCK_CLOEXEC,
        )
    };
    not_now(checked(answer))
}

/// fcntl(2): calls on this socket wait from now on.
pub(crate) fn make_blocking(socket: RawFd) -> io::Result<()> {
    // SAFETY: F_SETFL takes an integer. O_NONBLOCK was the only flag.
    checked(unsafe { libc::fcntl(socket, libc::F_SETFL, 0) }).map(drop)
}

/// recv(2).
pub(crate) fn recv(socket: RawFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: `into` is writable for its length, kept so by the exclusive borrow.
    let answer = unsafe { libc::recv(socket, into.as_mut_ptr().cast(), into.len(), 0) };
    not_now(usize::try_from(answer).map_err(|_| io::Error::last_os_error()))
}

/// send(2).
pub(crate) fn send(socket: RawFd, bytes: &[u8]) -> io::Result<Option<usize>> {
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: `bytes` is readable for its length, kept so by the borrow.
    let answer = unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len(), flags) };
    not_now(usize::try_from(answer).map_err(|_| io::Error::last_os_error()))
}

/// close(2).
pub(crate) fn close(socket: RawFd) {
    // SAFETY: the caller owns `socket` and does not use it again.
    unsafe { libc::close(socket) };
}

fn checked(answer: i32) -> io::Result<i32> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

fn not_now<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted => Ok(None),
            _ => Err(error),
        },
    }
}
