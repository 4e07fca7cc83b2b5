//! Bytes in, bytes out: recv, send, read, write, writev, sendmsg.
//!
//! One call each: a short answer is an answer. On a non-blocking descriptor all of them fail with EAGAIN instead of
//! waiting; sort the errors with [`stream_error`](super::stream_error). The sending ones on sockets carry
//! `MSG_NOSIGNAL`, because a peer that left must be an error, not the end of the process (SIGPIPE).
//!
//! `recv` and `send` are recvfrom(2) and sendto(2) without an address: Linux has no others, as strace(1) shows. They are
//! called by number, because the C library's functions are points where a thread can be cancelled (`pthreads(7)`), and in
//! a program with threads each of them then costs two atomic operations, 60 instructions.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, retry};
use super::{Call, Probe};
use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// The most parts that one call takes (`IOV_MAX`); more are left for the next call.
const PARTS_MAX: usize = 1024;

/// The most parts that a call shortened by a probe takes.
const SHORTENED_PARTS_MAX: usize = 16;

/// Receives what has arrived, up to the buffer's length (`recv(2)`).
///
/// 0 means that the peer has sent its last byte (or that `buf` is empty). A blocking socket waits for the first byte.
///
/// # Errors
///
/// EAGAIN: nothing is there; ECONNRESET, ETIMEDOUT: the connection is gone; ENOTCONN: it never was.
#[inline]
pub fn recv(probe: &mut impl Probe, fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let (fd, flags) = (fd.as_raw_fd(), 0);
    retry(|| {
        let most = ask(
            probe,
            &Call::Recv {
                fd,
                bytes: buf,
                flags,
            },
        )?;
        let len = buf.len().min(most);
        let nowhere = ptr::null_mut::<libc::sockaddr>();
        // SAFETY: the kernel writes at most `len` bytes to `buf`, which is at least as long and ours alone, and no address.
        let answer = unsafe {
            let number = libc::SYS_recvfrom;
            libc::syscall(number, fd, buf.as_mut_ptr(), len, flags, nowhere, nowhere)
        };
        answered(
            probe,
            &Call::Recv {
                fd,
                bytes: buf,
                flags,
            },
            answer as isize,
        )
    })
}

/// Sends as many bytes as the socket takes (`send(2)` with `MSG_NOSIGNAL`).
///
/// The answer is how many were copied to the kernel: they may be fewer, and they are not yet at the peer. A blocking
/// socket waits until all are.
///
/// # Errors
///
/// EAGAIN: the socket's buffer is full; EPIPE: this side or the connection is shut; ECONNRESET: the peer reset it;
/// ENOBUFS, ENOMEM: no memory.
#[inline]
pub fn send(probe: &mut impl Probe, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    send_with(probe, fd, bytes, libc::MSG_NOSIGNAL)
}

/// As [`send`], and promises that more follows at once (`MSG_MORE`).
///
/// TCP then keeps a last segment that is not full until the next bytes come, at most 200 ms (`tcp(7)`): a head shares a
/// segment with the first bytes of the file behind it. Other sockets ignore the promise.
///
/// # Errors
///
/// As [`send`].
///
/// ```
/// use longshore::sys::{self, Strace};
/// use std::net::{TcpListener, TcpStream};
/// use std::os::fd::{AsFd, AsRawFd};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let peer = TcpStream::connect(listener.local_addr()?)?;
/// let (ours, _) = listener.accept()?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// let mut strace = Strace::new(Vec::new());
/// sys::send_more(&mut strace, ours.as_fd(), b"head")?;
/// sys::sendfile(&mut strace, ours.as_fd(), file.as_fd(), 0, 10)?;
///
/// let (socket, file) = (ours.as_raw_fd(), file.as_raw_fd());
/// let expected = format!(
///     "send({socket}, \"head\", 4, MSG_NOSIGNAL|MSG_MORE) = 4\n\
///      sendfile({socket}, {file}, [0] => [10], 10) = 10\n"
/// );
/// assert_eq!(String::from_utf8_lossy(strace.output()), expected);
/// # drop(peer);
/// # Ok(())
/// # }
/// ```
#[inline]
pub fn send_more(probe: &mut impl Probe, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    send_with(probe, fd, bytes, libc::MSG_NOSIGNAL | libc::MSG_MORE)
}

#[inline(always)]
fn send_with(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    flags: i32,
) -> io::Result<usize> {
    let fd = fd.as_raw_fd();
    let call = Call::Send { fd, bytes, flags };
    retry(|| {
        let most = ask(probe, &call)?;
        let len = bytes.len().min(most);
        let nobody = ptr::null::<libc::sockaddr>();
        // SAFETY: the kernel reads at most `len` bytes of `bytes`, which is at least as long, and no address.
        let answer = unsafe {
            let number = libc::SYS_sendto;
            libc::syscall(number, fd, bytes.as_ptr(), len, flags, nobody, 0usize)
        };
        answered(probe, &call, answer as isize)
    })
}

/// Reads from any descriptor (`read(2)`). On a socket it is [`recv`]; on a pipe or file 0 is the end.
///
/// Waits for the first byte if the descriptor is blocking; a file is never waited for in the sense of EAGAIN.
///
/// # Errors
///
/// EAGAIN: nothing is there; EIO: the device failed; EISDIR: it is a directory.
#[inline]
pub fn read(probe: &mut impl Probe, fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    let fd = fd.as_raw_fd();
    retry(|| {
        let most = ask(probe, &Call::Read { fd, bytes: buf })?;
        let len = buf.len().min(most);
        // SAFETY: the kernel writes at most `len` bytes to `buf`, which is at least as long and ours alone.
        let answer = unsafe { libc::read(fd, buf.as_mut_ptr().cast(), len) };
        answered(probe, &Call::Read { fd, bytes: buf }, answer)
    })
}

/// Writes to any descriptor (`write(2)`).
///
/// On a socket or pipe without a reader it raises SIGPIPE, which Rust programs ignore unless
/// [`restore_sigpipe`](super::restore_sigpipe) was called: use [`send`] on sockets.
///
/// # Errors
///
/// EAGAIN: no room; EPIPE: no reader; ENOSPC, EDQUOT: the disk is full.
#[inline]
pub fn write(probe: &mut impl Probe, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let fd = fd.as_raw_fd();
    let call = Call::Write { fd, bytes };
    retry(|| {
        let most = ask(probe, &call)?;
        let len = bytes.len().min(most);
        // SAFETY: the kernel reads at most `len` bytes of `bytes`, which is at least as long.
        let answer = unsafe { libc::write(fd, bytes.as_ptr().cast(), len) };
        answered(probe, &call, answer)
    })
}

/// Writes several buffers as if they were one (`writev(2)`).
///
/// As [`write()`], SIGPIPE included. Parts after the 1024th are left for the next call: a short answer.
///
/// # Errors
///
/// As [`write()`].
#[inline]
pub fn writev(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
) -> io::Result<usize> {
    let fd = fd.as_raw_fd();
    let call = Call::Writev { fd, parts };
    retry(|| {
        let most = ask(probe, &call)?;
        let mut shortened = [IoSlice::new(&[]); SHORTENED_PARTS_MAX];
        let parts = at_most(parts, most, &mut shortened);
        // SAFETY: an `IoSlice` is an `iovec` (guaranteed by its documentation), each borrows its bytes, and the kernel
        // only reads them.
        let answer = unsafe { libc::writev(fd, parts.as_ptr().cast(), parts.len() as i32) };
        answered(probe, &call, answer)
    })
}

/// Sends several buffers as if they were one (`sendmsg(2)` with `MSG_NOSIGNAL`): [`writev`] for sockets.
///
/// A head and a body that live apart leave together, without being copied together first. Parts after the 1024th are
/// left for the next call: a short answer.
///
/// # Errors
///
/// As [`send`].
///
/// ```
/// use longshore::sys::{self, Silent};
/// use std::io::{IoSlice, Read};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let parts = [IoSlice::new(b"head "), IoSlice::new(b"and body")];
/// assert_eq!(sys::sendmsg(&mut Silent, ours.as_fd(), &parts)?, 13);
/// drop(ours);
/// let mut text = String::new();
/// theirs.read_to_string(&mut text)?;
/// assert_eq!(text, "head and body");
/// # Ok(())
/// # }
/// ```
#[inline]
pub fn sendmsg(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
) -> io::Result<usize> {
    sendmsg_with(probe, fd, parts, libc::MSG_NOSIGNAL)
}

/// As [`sendmsg`], and promises that more follows at once (`MSG_MORE`), as [`send_more`] does.
///
/// # Errors
///
/// As [`send`].
#[inline]
pub fn sendmsg_more(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
) -> io::Result<usize> {
    sendmsg_with(probe, fd, parts, libc::MSG_NOSIGNAL | libc::MSG_MORE)
}

#[inline(always)]
fn sendmsg_with(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    flags: i32,
) -> io::Result<usize> {
    let fd = fd.as_raw_fd();
    let call = Call::Sendmsg { fd, parts, flags };
    retry(|| {
        let most = ask(probe, &call)?;
        let mut shortened = [IoSlice::new(&[]); SHORTENED_PARTS_MAX];
        let parts = at_most(parts, most, &mut shortened);
        // SAFETY: all zeros is a msghdr without address, parts and control data, kept true by libc's definition.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = parts.as_ptr().cast_mut().cast();
        message.msg_iovlen = parts.len();
        // SAFETY: `message` and `parts` live through the call; an `IoSlice` is an `iovec` (guaranteed by its
        // documentation), and the kernel only reads what it borrows.
        let answer = unsafe { libc::sendmsg(fd, &raw const message, flags) };
        answered(probe, &call, answer)
    })
}

/// The first `most` bytes of `parts`, in as many parts as one call takes.
#[inline]
fn at_most<'a>(
    parts: &'a [IoSlice<'a>],
    most: usize,
    shortened: &'a mut [IoSlice<'a>; SHORTENED_PARTS_MAX],
) -> &'a [IoSlice<'a>] {
    if most == usize::MAX {
        return &parts[..parts.len().min(PARTS_MAX)];
    }
    let mut left = most;
    let mut count = 0;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if left == 0 || count == shortened.len() {
            break;
        }
        let len = part.len().min(left);
        shortened[count] = IoSlice::new(&part[..len]);
        left -= len;
        count += 1;
    }
    &shortened[..count]
}
