//! One system call with its arguments, as a probe sees it.
//!
//! The arguments are borrowed and the enum is built on the stack, so telling of a call costs no allocation. It does not
//! know how it is printed ([`Strace`](super::Strace)) or counted ([`Count`](super::Count)).
#![forbid(unsafe_code)]

use super::{Address, EpollEvent, How, PollFd, Registration, Submission};
use std::io::IoSlice;
use std::path::Path;
use std::time::Duration;

/// One system call with its arguments.
///
/// Names and arguments are those of the man pages of section 2 (`send(2)`, not the `sendto` that the C library makes of
/// it). `fd` is a descriptor's number; a driver that submits to a ring may put an index of its direct table there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the arguments, under the man page's names")]
#[rustfmt::skip] // one call, one line: this enum is read as a table
pub enum Call<'a> {
    // A socket comes into being.
    /// `socket(2)`; `kind` includes `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
    Socket { family: i32, kind: i32, protocol: i32 },
    /// `socketpair(2)`; `pair` is known afterwards.
    Socketpair { family: i32, kind: i32, protocol: i32, pair: Option<[i32; 2]> },
    /// `bind(2)`
    Bind { fd: i32, address: &'a Address },
    /// `bind(2)` of a packet socket to an interface, by its index (`packet(7)`).
    BindInterface { fd: i32, protocol: u16, interface: u32 },
    /// `listen(2)`
    Listen { fd: i32, backlog: i32 },
    /// `accept4(2)`; `from` is known after a call that asked for it.
    Accept4 { fd: i32, from: Option<&'a Address>, flags: i32 },
    /// `connect(2)`
    Connect { fd: i32, address: &'a Address },
    /// `getsockname(2)`; `address` is known afterwards.
    Getsockname { fd: i32, address: Option<&'a Address> },
    /// `getpeername(2)`; `address` is known afterwards.
    Getpeername { fd: i32, address: Option<&'a Address> },
    /// `setsockopt(2)`
    Setsockopt { fd: i32, level: i32, option: i32, value: OptionValue },
    /// `getsockopt(2)`; `value` is known afterwards.
    Getsockopt { fd: i32, level: i32, option: i32, value: Option<OptionValue> },
    /// `fcntl(2)` with `F_GETFL` (then the answer is the flags), `F_SETFL`, or `F_DUPFD_CLOEXEC` (then `flags` is the lowest
    /// number that the copy may have).
    Fcntl { fd: i32, command: i32, flags: i32 },

    // Bytes move.
    /// `recv(2)`; `bytes` is the whole buffer.
    Recv { fd: i32, bytes: &'a [u8], flags: i32 },
    /// `send(2)`
    Send { fd: i32, bytes: &'a [u8], flags: i32 },
    /// `read(2)`; `bytes` is the whole buffer.
    Read { fd: i32, bytes: &'a [u8] },
    /// `write(2)`
    Write { fd: i32, bytes: &'a [u8] },
    /// `writev(2)`
    Writev { fd: i32, parts: &'a [IoSlice<'a>] },
    /// `sendmsg(2)` on a connected socket.
    Sendmsg { fd: i32, parts: &'a [IoSlice<'a>], flags: i32 },
    /// `pread64(2)`; `bytes` is the whole buffer.
    Pread { fd: i32, bytes: &'a [u8], offset: u64 },
    /// `sendfile(2)`
    Sendfile { out: i32, file: i32, offset: u64, count: usize },
    /// `recvmsg(2)` of one datagram; `from` and `truncated` are known afterwards.
    Recvmsg { fd: i32, bytes: &'a [u8], from: Option<&'a Address>, truncated: bool, flags: i32 },
    /// `sendto(2)`
    Sendto { fd: i32, bytes: &'a [u8], to: &'a Address, flags: i32 },

    // Waiting and waking.
    /// `epoll_create1(2)`
    EpollCreate1 { flags: i32 },
    /// `epoll_ctl(2)`; `op` is `EPOLL_CTL_ADD`, `_MOD` or `_DEL`.
    EpollCtl { epoll: i32, op: i32, fd: i32, events: u32, key: u64 },
    /// `epoll_wait(2)`, the timeout in whole milliseconds; `events` is the whole array.
    EpollWait { epoll: i32, events: &'a [EpollEvent], timeout: Option<Duration> },
    /// `epoll_pwait2(2)`, the timeout in nanoseconds; `events` is the whole array.
    EpollPwait2 { epoll: i32, events: &'a [EpollEvent], timeout: Option<Duration> },
    /// `poll(2)`
    Poll { fds: &'a [PollFd<'a>], timeout: Option<Duration> },
    /// `eventfd2(2)`
    Eventfd { value: u32, flags: i32 },
    /// `read(2)` of an eventfd; `value` is known afterwards.
    EventfdRead { fd: i32, value: u64 },
    /// `write(2)` to an eventfd.
    EventfdWrite { fd: i32, value: u64 },
    /// `io_uring_setup(2)`
    IoUringSetup { entries: u32, flags: u32 },
    /// `io_uring_enter(2)`
    IoUringEnter { fd: i32, to_submit: u32, min_complete: u32, flags: u32 },
    /// `io_uring_register(2)`
    IoUringRegister { fd: i32, what: Registration },

    // Files, limits, threads.
    /// `openat2(2)`
    Openat2 { dir: i32, path: &'a Path, flags: u64, resolve: u64 },
    /// `openat(2)`; `dir` may be `AT_FDCWD`, and `mode` counts only with `O_CREAT`.
    Openat { dir: i32, path: &'a Path, flags: i32, mode: u32 },
    /// `newfstatat(2)`, the call behind `lstat`; `mode` and `size` are known afterwards.
    Newfstatat { dir: i32, path: &'a Path, mode: u32, size: u64, flags: i32 },
    /// `chmod(2)`
    Chmod { path: &'a Path, mode: u32 },
    /// `unlink(2)`
    Unlink { path: &'a Path },
    /// `fstat(2)`; `mode` and `size` are known afterwards.
    Fstat { fd: i32, mode: u32, size: u64 },
    /// `getdents64(2)`; `bytes` is the whole buffer.
    Getdents64 { fd: i32, bytes: &'a [u8] },
    /// `getrlimit(2)`; the limits are known afterwards.
    Getrlimit { resource: u32, soft: u64, hard: u64 },
    /// `setrlimit(2)`
    Setrlimit { resource: u32, soft: u64, hard: u64 },
    /// `getrandom(2)`; `bytes` is the whole buffer.
    Getrandom { bytes: &'a [u8], flags: u32 },
    /// `sched_setaffinity(2)` of the calling thread to one processor.
    SchedSetaffinity { cpu: usize },
    /// `unshare(2)`
    Unshare { flags: i32 },

    // The end.
    /// `shutdown(2)`
    Shutdown { fd: i32, how: How },
    /// `close(2)`
    Close { fd: i32 },

    // What has no function here.
    /// An operation that was put into a ring's submission queue, under its name in completions.
    Ring { name: &'static str, submission: &'a Submission<'a> },
    /// A call into a library, which makes system calls of its own that nobody sees.
    Library { name: &'static str },
}

/// The value of a socket option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// An `int`.
    Int(i32),
    /// A `struct linger`, in seconds.
    Linger {
        /// Whether close waits at all.
        on: bool,
        /// For how long.
        seconds: i32,
    },
    /// A structure of so many bytes, which is not shown field by field.
    Structure {
        /// Its length.
        bytes: u32,
        /// The length that there was room for, which the kernel need not use up.
        room: u32,
    },
    /// A `struct timeval`.
    Time {
        /// Whole seconds.
        seconds: i64,
        /// Microseconds beside them, less than a million.
        micros: i64,
    },
    /// A `struct ucred`.
    Credentials {
        /// Process.
        pid: i32,
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

impl Call<'_> {
    /// Every name that [`name`](Self::name) gives and that an operation of a ring has, in alphabetical order.
    pub const NAMES: &'static [&'static str] = &[
        "accept",
        "accept4",
        "bind",
        "cancel",
        "close",
        "connect",
        "epoll_create1",
        "epoll_ctl",
        "epoll_pwait2",
        "epoll_wait",
        "eventfd2",
        "fcntl",
        "fstat",
        "getdents64",
        "getpeername",
        "getrandom",
        "getrlimit",
        "getsockname",
        "getsockopt",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",
        "listen",
        "openat",
        "openat2",
        "poll",
        "pread64",
        "read",
        "recv",
        "recvmsg",
        "sched_setaffinity",
        "send",
        "sendfile",
        "sendmsg",
        "sendto",
        "setrlimit",
        "setsockopt",
        "shutdown",
        "socket",
        "unshare",
        "write",
        "writev",
    ];

    /// The call's name as the man page spells it: the key under which it is counted.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Socket { .. } => "socket",
            Call::Socketpair { .. } => "socketpair",
            Call::Bind { .. } | Call::BindInterface { .. } => "bind",
            Call::Listen { .. } => "listen",
            Call::Accept4 { .. } => "accept4",
            Call::Connect { .. } => "connect",
            Call::Getsockname { .. } => "getsockname",
            Call::Getpeername { .. } => "getpeername",
            Call::Setsockopt { .. } => "setsockopt",
            Call::Getsockopt { .. } => "getsockopt",
            Call::Fcntl { .. } => "fcntl",
            Call::Recv { .. } => "recv",
            Call::Send { .. } => "send",
            Call::Read { .. } | Call::EventfdRead { .. } => "read",
            Call::Write { .. } | Call::EventfdWrite { .. } => "write",
            Call::Writev { .. } => "writev",
            Call::Sendmsg { .. } => "sendmsg",
            Call::Pread { .. } => "pread64",
            Call::Sendfile { .. } => "sendfile",
            Call::Recvmsg { .. } => "recvmsg",
            Call::Sendto { .. } => "sendto",
            Call::EpollCreate1 { .. } => "epoll_create1",
            Call::EpollCtl { .. } => "epoll_ctl",
            Call::EpollWait { .. } => "epoll_wait",
            Call::EpollPwait2 { .. } => "epoll_pwait2",
            Call::Poll { .. } => "poll",
            Call::Eventfd { .. } => "eventfd2",
            Call::IoUringSetup { .. } => "io_uring_setup",
            Call::IoUringEnter { .. } => "io_uring_enter",
            Call::IoUringRegister { .. } => "io_uring_register",
            Call::Openat2 { .. } => "openat2",
            Call::Openat { .. } => "openat",
            Call::Newfstatat { .. } => "newfstatat",
            Call::Chmod { .. } => "chmod",
            Call::Unlink { .. } => "unlink",
            Call::Fstat { .. } => "fstat",
            Call::Getdents64 { .. } => "getdents64",
            Call::Getrlimit { .. } => "getrlimit",
            Call::Setrlimit { .. } => "setrlimit",
            Call::Getrandom { .. } => "getrandom",
            Call::SchedSetaffinity { .. } => "sched_setaffinity",
            Call::Unshare { .. } => "unshare",
            Call::Shutdown { .. } => "shutdown",
            Call::Close { .. } => "close",
            Call::Ring { name, .. } | Call::Library { name } => name,
        }
    }

    /// The descriptor that the call is about: for `epoll_ctl` the one that is watched; `None` where there is none.
    pub fn fd(&self) -> Option<i32> {
        match *self {
            Call::Bind { fd, .. }
            | Call::Listen { fd, .. }
            | Call::Accept4 { fd, .. }
            | Call::Connect { fd, .. }
            | Call::Getsockname { fd, .. }
            | Call::Getpeername { fd, .. }
            | Call::Setsockopt { fd, .. }
            | Call::Getsockopt { fd, .. }
            | Call::Fcntl { fd, .. }
            | Call::Recv { fd, .. }
            | Call::Send { fd, .. }
            | Call::Read { fd, .. }
            | Call::Write { fd, .. }
            | Call::Writev { fd, .. }
            | Call::Sendmsg { fd, .. }
            | Call::Pread { fd, .. }
            | Call::Sendfile { out: fd, .. }
            | Call::Recvmsg { fd, .. }
            | Call::Sendto { fd, .. }
            | Call::EpollCtl { fd, .. }
            | Call::EpollWait { epoll: fd, .. }
            | Call::EpollPwait2 { epoll: fd, .. }
            | Call::EventfdRead { fd, .. }
            | Call::EventfdWrite { fd, .. }
            | Call::IoUringEnter { fd, .. }
            | Call::IoUringRegister { fd, .. }
            | Call::Fstat { fd, .. }
            | Call::Getdents64 { fd, .. }
            | Call::Shutdown { fd, .. }
            | Call::Close { fd } => Some(fd),
            Call::Ring { submission, .. } => submission.fd(),
            _ => None,
        }
    }

    /// How many bytes a call on a byte stream asks to move; `None` for every other call.
    ///
    /// `Some` means that the kernel may legally move fewer. Datagrams are not among them (a shorter datagram is another
    /// datagram), nor is the counter of an eventfd.
    pub fn stream_bytes(&self) -> Option<usize> {
        match self {
            Call::Recv { bytes, .. }
            | Call::Send { bytes, .. }
            | Call::Read { bytes, .. }
            | Call::Write { bytes, .. }
            | Call::Pread { bytes, .. } => Some(bytes.len()),
            Call::Writev { parts, .. } | Call::Sendmsg { parts, .. } => {
                Some(parts.iter().map(|part| part.len()).sum())
            }
            Call::Sendfile { count, .. } => Some(*count),
            _ => None,
        }
    }

    /// Whether a successful answer of this call is a number of bytes that it moved: also the eight of an eventfd's counter,
    /// which are no part of a stream.
    pub fn moves_bytes(&self) -> bool {
        name_moves_bytes(self.name())
    }
}

/// The same by the name alone, which is all that a ring's completion has.
pub(super) fn name_moves_bytes(name: &str) -> bool {
    matches!(
        name,
        "recv"
            | "send"
            | "read"
            | "write"
            | "writev"
            | "sendmsg"
            | "pread64"
            | "sendfile"
            | "recvmsg"
            | "sendto"
    )
}
