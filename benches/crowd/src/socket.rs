//! System calls: sockets by their numbers, since a table of 20,000 is all that a thread here owns.
#![allow(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};

fn check(answer: i32) -> io::Result<i32> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}

/// Raises the soft limit of descriptors to the hard one, and answers it.
pub(crate) fn raise_nofile() -> io::Result<usize> {
    // SAFETY: the kernel writes to and reads from one rlimit, which is ours alone.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit))?;
        Ok(limit.rlim_max as usize)
    }
}

/// Gives the calling thread a descriptor table of its own, and with it a limit of its own (unshare(2)).
pub(crate) fn own_table() -> io::Result<()> {
    // SAFETY: shares no memory with the kernel.
    check(unsafe { libc::unshare(libc::CLONE_FILES) }).map(drop)
}

pub(crate) fn epoll() -> io::Result<i32> {
    // SAFETY: shares no memory with the kernel.
    check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

fn option<T>(fd: i32, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as u32;
    // SAFETY: the kernel reads `length` bytes from `value`, which lives through the call.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const *value).cast(), length) })
        .map(drop)
}

fn address(of: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: of.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*of.ip()).to_be(),
        },
        sin_zero: [0; 8],
    }
}

/// Begins to connect from `source`, and has `epoll` watch for room to send.
pub(crate) fn connect(epoll: i32, source: Ipv4Addr, to: SocketAddrV4) -> io::Result<i32> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: shares no memory with the kernel.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    let begun = begin(epoll, fd, source, to);
    if begun.is_err() {
        close(fd);
    }
    begun.map(|()| fd)
}

fn begin(epoll: i32, fd: i32, source: Ipv4Addr, to: SocketAddrV4) -> io::Result<()> {
    match connect_from(fd, source, to) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    watch(epoll, fd, libc::EPOLL_CTL_ADD, libc::EPOLLOUT)
}

fn connect_from(fd: i32, source: Ipv4Addr, to: SocketAddrV4) -> io::Result<()> {
    option(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &1i32)?;
    // Closing resets: no TIME_WAIT keeps the port, and nothing is waited for (socket(7), SO_LINGER).
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &linger)?;
    let length = size_of::<libc::sockaddr_in>() as u32;
    let (from, to) = (address(SocketAddrV4::new(source, 0)), address(to));
    // SAFETY: the kernel reads `length` bytes of each address, which live through the calls.
    unsafe {
        check(libc::bind(fd, (&raw const from).cast(), length))?;
        check(libc::connect(fd, (&raw const to).cast(), length)).map(drop)
    }
}

/// Connects from `source`, and waits until that is done.
pub(crate) fn connect_blocking(source: Ipv4Addr, to: SocketAddrV4) -> io::Result<i32> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: shares no memory with the kernel.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    let connected = connect_from(fd, source, to);
    if connected.is_err() {
        close(fd);
    }
    connected.map(|()| fd)
}

/// Has `epoll` watch for something to receive, instead of room to send.
pub(crate) fn await_input(epoll: i32, fd: i32) -> io::Result<()> {
    watch(epoll, fd, libc::EPOLL_CTL_MOD, libc::EPOLLIN)
}

fn watch(epoll: i32, fd: i32, operation: i32, events: i32) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: fd as u64,
    };
    // SAFETY: the kernel reads the event, which lives through the call.
    check(unsafe { libc::epoll_ctl(epoll, operation, fd, &raw mut event) }).map(drop)
}

/// Waits at most `milliseconds`; answers descriptors and what they are ready for.
pub(crate) fn wait(
    epoll: i32,
    events: &mut [libc::epoll_event],
    milliseconds: i32,
) -> io::Result<usize> {
    let length = events.len() as i32;
    // SAFETY: the kernel writes at most `length` events, and the slice is as long.
    let answer = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), length, milliseconds) };
    match check(answer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        answer => answer.map(|count| count as usize),
    }
}

pub(crate) fn send(fd: i32, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the kernel reads the slice, which lives through the call.
    let answer = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn recv(fd: i32, bytes: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes into the slice, which is ours alone.
    let answer = unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn close(fd: i32) {
    // SAFETY: `fd` came from `connect`, and whoever calls forgets it now.
    unsafe { libc::close(fd) };
}

/// One GET on a connection of its own; the whole reply.
pub(crate) fn ask(to: SocketAddrV4, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}
