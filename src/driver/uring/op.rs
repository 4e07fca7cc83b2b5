//! The operations that are submitted, one function each, and their names in `user_data`.
//!
//! `user_data` is `operation:8 | generation:24 | index:32`, never a pointer. A completion that comes after its
//! connection has gone then names an old generation, and is dropped.

use std::os::fd::RawFd;

use io_uring::types::{CancelBuilder, DestinationSlot, Fd, Fixed};
use io_uring::{opcode, squeue};

use crate::driver::Token;

pub(super) const ACCEPT: u8 = 1;
pub(super) const RECEIVE: u8 = 2;
pub(super) const SEND: u8 = 3;
pub(super) const CLOSE: u8 = 4;
pub(super) const CONNECT: u8 = 5;
pub(super) const WAKE: u8 = 6;
pub(super) const PEER: u8 = 7;
pub(super) const READ_FILE: u8 = 8;
pub(super) const DATAGRAM: u8 = 9;
pub(super) const SEND_TO: u8 = 10;
pub(super) const SHUTDOWN: u8 = 11;
/// Cancellations and the like: what they answer is told by the operation that they ended.
pub(super) const NOBODY: u8 = 12;
/// The file behind a send's bytes is read into memory.
pub(super) const STAGE: u8 = 13;
/// SO_LINGER is set, right before a close.
pub(super) const LINGER: u8 = 14;
/// A paused connection is watched for a reset.
pub(super) const WATCH: u8 = 15;

/// The operation's name in a trace.
pub(super) fn name(user_data: u64) -> &'static str {
    match (user_data >> 56) as u8 {
        ACCEPT => "accept",
        RECEIVE => "recv",
        SEND => "send",
        CLOSE => "close",
        CONNECT => "connect",
        PEER => "getpeername",
        WAKE | READ_FILE | STAGE => "read",
        DATAGRAM => "recvmsg",
        SEND_TO => "sendmsg",
        SHUTDOWN => "shutdown",
        LINGER => "setsockopt",
        WATCH => "poll",
        _ => "cancel",
    }
}

/// The slot of the socket that an operation is for; `None` for those that are on no socket of their own.
pub(super) fn slot(user_data: u64) -> Option<u32> {
    let (operation, token) = Token::unpack(user_data);
    let on_a_socket = matches!(
        operation,
        RECEIVE
            | SEND
            | CLOSE
            | CONNECT
            | PEER
            | READ_FILE
            | DATAGRAM
            | SHUTDOWN
            | STAGE
            | LINGER
            | WATCH
    );
    on_a_socket.then_some(token.index)
}

/// A socket as the ring names it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// Direct: an index of the ring's own table, which does not count against `ulimit -n`.
    Fixed(u32),
    /// A descriptor of the process.
    Plain(RawFd),
}

/// Builds an operation on either kind of target.
macro_rules! on {
    ($target:expr, |$fd:ident| $build:expr) => {
        match $target {
            Target::Fixed(index) => {
                let $fd = Fixed(index);
                $build
            }
            Target::Plain(raw) => {
                let $fd = Fd(raw);
                $build
            }
        }
    };
}

/// accept(2) into the ring's table, once.
pub(super) fn accept(listener: RawFd) -> squeue::Entry {
    let anywhere = Some(DestinationSlot::auto_target());
    opcode::Accept::new(Fd(listener), std::ptr::null_mut(), std::ptr::null_mut())
        .file_index(anywhere)
        .build()
}

/// accept(2) into the ring's table, again and again (5.19+).
pub(super) fn accept_multishot(listener: RawFd) -> squeue::Entry {
    opcode::AcceptMulti::new(Fd(listener))
        .allocate_file_index(true)
        .build()
}

/// recv(2) of at most `bytes_max` into a buffer of the group, once.
pub(super) fn recv(target: Target, group: u16, bytes_max: u32) -> squeue::Entry {
    let nowhere = std::ptr::null_mut();
    let entry = on!(target, |fd| opcode::Recv::new(fd, nowhere, bytes_max)
        .buf_group(group)
        .build());
    entry.flags(squeue::Flags::BUFFER_SELECT)
}

/// recv(2) into buffers of the group, again and again (6.0+).
pub(super) fn recv_multishot(target: Target, group: u16) -> squeue::Entry {
    on!(target, |fd| opcode::RecvMulti::new(fd, group).build())
}

/// send(2). Without MSG_WAITALL, so that every byte that a slow peer takes is seen; MSG_NOSIGNAL keeps a closed peer from
/// raising SIGPIPE; MSG_MORE, if `more` follows, keeps a head until it can share a segment with the file behind it.
pub(super) fn send(target: Target, bytes: *const u8, len: u32, more: bool) -> squeue::Entry {
    let flags = send_flags(more);
    on!(target, |fd| opcode::Send::new(fd, bytes, len)
        .flags(flags)
        .build())
}

/// sendmsg(2) of several parts; flags as [`send`].
pub(super) fn sendmsg(target: Target, message: *const libc::msghdr, more: bool) -> squeue::Entry {
    let flags = send_flags(more) as u32;
    on!(target, |fd| opcode::SendMsg::new(fd, message)
        .flags(flags)
        .build())
}

/// sendmsg(2) of one datagram. It is refused where it would have to wait for room, as on a non-blocking socket: otherwise
/// one Unix receiver that does not read would keep the memory of all that is sent to it.
pub(super) fn send_datagram(target: Target, message: *const libc::msghdr) -> squeue::Entry {
    let flags = (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u32;
    on!(target, |fd| opcode::SendMsg::new(fd, message)
        .flags(flags)
        .build())
}

fn send_flags(more: bool) -> i32 {
    libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 }
}

/// recvmsg(2) of datagrams, again and again (6.0+).
pub(super) fn recvmsg_multishot(
    target: Target,
    message: *const libc::msghdr,
    group: u16,
) -> squeue::Entry {
    on!(target, |fd| opcode::RecvMsgMulti::new(fd, message, group)
        .build())
}

/// poll(2) for an error or a hang-up, again and again (5.13+). The ring adds the peer's FIN (POLLRDHUP) whether it was
/// asked for or not.
pub(super) fn poll_multishot(target: Target) -> squeue::Entry {
    let events = (libc::POLLERR | libc::POLLHUP) as u32;
    on!(target, |fd| opcode::PollAdd::new(fd, events)
        .multi(true)
        .build())
}

/// connect(2).
pub(super) fn connect(
    target: Target,
    address: *const libc::sockaddr,
    len: libc::socklen_t,
) -> squeue::Entry {
    on!(target, |fd| opcode::Connect::new(fd, address, len).build())
}

/// shutdown(2).
pub(super) fn shutdown(target: Target, how: i32) -> squeue::Entry {
    on!(target, |fd| opcode::Shutdown::new(fd, how).build())
}

/// close(2) of a direct descriptor.
pub(super) fn close(index: u32) -> squeue::Entry {
    opcode::Close::new(Fixed(index)).build()
}

/// read(2) from the eventfd that wakes the ring, or from a file at an offset (pread(2)).
pub(super) fn read(fd: RawFd, buf: *mut u8, len: u32, offset: u64) -> squeue::Entry {
    opcode::Read::new(Fd(fd), buf, len).offset(offset).build()
}

/// Cancels everything on a socket (5.19+).
pub(super) fn cancel_all(target: Target) -> squeue::Entry {
    let what = on!(target, |fd| CancelBuilder::fd(fd).all());
    opcode::AsyncCancel2::new(what).build()
}

/// Cancels one operation by its name.
pub(super) fn cancel(user_data: u64) -> squeue::Entry {
    opcode::AsyncCancel2::new(CancelBuilder::user_data(user_data)).build()
}

/// Cancels whatever is in flight on the ring (5.19+).
pub(super) fn cancel_everything() -> squeue::Entry {
    opcode::AsyncCancel2::new(CancelBuilder::any()).build()
}

/// getsockopt(2) SO_PEERNAME on a direct descriptor (6.7+). getpeername(2) would need a descriptor of the process.
pub(super) fn peer_name(
    target: Target,
    address: *mut libc::sockaddr_storage,
    len: u32,
) -> squeue::Entry {
    const SOCKET_URING_OP_GETSOCKOPT: u32 = 2;
    let mut entry = option(target, SOCKET_URING_OP_GETSOCKOPT, address as u64);
    write_option(&mut entry, libc::SOL_SOCKET, libc::SO_PEERNAME, len);
    entry
}

/// setsockopt(2) SO_LINGER with a time of zero on a direct descriptor (6.7+): the close that follows throws away what
/// was not sent, and says RST (socket(7)).
pub(super) fn refuse_linger(target: Target) -> squeue::Entry {
    const SOCKET_URING_OP_SETSOCKOPT: u32 = 3;
    // The kernel reads it when it pleases, so it stays for ever.
    static NO_TIME: libc::linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let value = &raw const NO_TIME as u64;
    let mut entry = option(target, SOCKET_URING_OP_SETSOCKOPT, value);
    let len = size_of::<libc::linger>() as u32;
    write_option(&mut entry, libc::SOL_SOCKET, libc::SO_LINGER, len);
    entry
}

/// A command about a socket's option, whose value stands at an address.
fn option(target: Target, command: u32, value: u64) -> squeue::Entry {
    let mut bytes = [0; 16];
    // The option's value lives where the command's bytes begin (`optval` in `struct io_uring_sqe`).
    bytes[..8].copy_from_slice(&value.to_ne_bytes());
    on!(target, |fd| opcode::UringCmd16::new(fd, command)
        .cmd(bytes)
        .build())
}

/// Writes three fields for which the crate has no setter: `level` and `optname` at byte 16, `optlen` at byte 44.
fn write_option(entry: &mut squeue::Entry, level: i32, name: i32, len: u32) {
    const { assert!(size_of::<squeue::Entry>() == 64) };
    let bytes = std::ptr::from_mut(entry).cast::<u8>();
    // SAFETY: an entry is `repr(C)` over the kernel's 64-byte `struct io_uring_sqe`, whose layout is ABI; the three
    // fields lie inside it, and any bit pattern is valid for them.
    unsafe {
        bytes.add(16).cast::<i32>().write_unaligned(level);
        bytes.add(20).cast::<i32>().write_unaligned(name);
        bytes.add(44).cast::<u32>().write_unaligned(len);
    }
}

/// Names an operation on a socket.
pub(super) fn tag(entry: squeue::Entry, operation: u8, token: Token) -> squeue::Entry {
    entry.user_data(token.pack(operation))
}

/// Makes an operation answer only if it fails (5.17+). Its number, of which the lower 56 bits count, is for whoever reads a
/// trace: the driver does not tell one from another.
pub(super) fn quiet(entry: squeue::Entry, number: u64) -> squeue::Entry {
    let name = u64::from(NOBODY) << 56 | number & ((1 << 56) - 1);
    entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(name)
}
