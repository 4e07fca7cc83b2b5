//! Flags and numbers by the names that man pages use.
//!
//! Only what the calls of this layer can carry is named; the rest prints as a number.
#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter};

type Table = &'static [(u64, &'static str)];

macro_rules! table {
    ($(#[$doc:meta])* $table:ident: $($name:ident)*) => {
        $(#[$doc])*
        pub(super) const $table: Table = &[$((libc::$name as u64, stringify!($name))),*];
    };
}

table! { FAMILIES: AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET }
table! { KINDS: SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET SOCK_RAW }
table! { SOCKET_MODES: SOCK_CLOEXEC SOCK_NONBLOCK }
table! { EPOLL_MODES: EPOLL_CLOEXEC }
table! { EVENTFD_MODES: EFD_CLOEXEC EFD_NONBLOCK }
table! { MESSAGE_FLAGS: MSG_OOB MSG_PEEK MSG_TRUNC MSG_DONTWAIT MSG_WAITALL MSG_NOSIGNAL MSG_MORE MSG_ZEROCOPY }
table! { FILE_TYPES: S_IFREG S_IFDIR S_IFLNK S_IFIFO S_IFSOCK S_IFCHR S_IFBLK }
table! { ACCESS_MODES: O_RDONLY O_WRONLY O_RDWR }
table! { AT_FLAGS: AT_SYMLINK_NOFOLLOW }
table! { MODE_BITS: S_ISUID S_ISGID S_ISVTX }
table! { RESOLVE_FLAGS: RESOLVE_NO_XDEV RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_BENEATH RESOLVE_IN_ROOT }
table! { POLL_EVENTS: POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL POLLRDHUP }
table! { EPOLL_OPS: EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD }
table! { FCNTL_COMMANDS: F_GETFL F_SETFL F_DUPFD_CLOEXEC }
table! { RESOURCES: RLIMIT_NOFILE RLIMIT_MEMLOCK }
table! {
    SOCKET_OPTIONS:
    SO_REUSEADDR SO_REUSEPORT SO_ERROR SO_KEEPALIVE SO_RCVBUF SO_SNDBUF SO_LINGER SO_ACCEPTCONN
    SO_TIMESTAMPNS SO_ATTACH_FILTER SO_RCVTIMEO SO_SNDTIMEO SO_PEERCRED SO_PEERNAME
}
table! {
    TCP_OPTIONS:
    TCP_NODELAY TCP_DEFER_ACCEPT TCP_FASTOPEN TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_USER_TIMEOUT
    TCP_NOTSENT_LOWAT TCP_INFO
}
table! { IP_OPTIONS: IP_BIND_ADDRESS_NO_PORT }
table! { IPV6_OPTIONS: IPV6_V6ONLY }
table! { PACKET_OPTIONS: PACKET_STATISTICS }
table! { PACKET_PROTOCOLS: ETH_P_ALL }

// Not through the macro: the constants of libc are negative when cast, or have another name or value.
pub(super) const OPEN_FLAGS: Table = &[
    (libc::O_WRONLY as u64, "O_WRONLY"),
    (libc::O_RDWR as u64, "O_RDWR"),
    (libc::O_CREAT as u64, "O_CREAT"),
    (libc::O_NOCTTY as u64, "O_NOCTTY"),
    (libc::O_APPEND as u64, "O_APPEND"),
    (libc::O_NONBLOCK as u64, "O_NONBLOCK"),
    // The kernel's, which libc has as 0 where every file may be large.
    #[cfg(target_arch = "x86_64")]
    (1 << 15, "O_LARGEFILE"),
    (libc::O_NOFOLLOW as u64, "O_NOFOLLOW"),
    (libc::O_CLOEXEC as u64, "O_CLOEXEC"),
    (libc::O_PATH as u64, "O_PATH"),
    (libc::O_DIRECTORY as u64, "O_DIRECTORY"),
];
pub(super) const EPOLL_EVENTS: Table = &[
    (super::EPOLLIN as u64, "EPOLLIN"),
    (super::EPOLLPRI as u64, "EPOLLPRI"),
    (super::EPOLLOUT as u64, "EPOLLOUT"),
    (super::EPOLLERR as u64, "EPOLLERR"),
    (super::EPOLLHUP as u64, "EPOLLHUP"),
    (super::EPOLLRDHUP as u64, "EPOLLRDHUP"),
    (super::EPOLLEXCLUSIVE as u64, "EPOLLEXCLUSIVE"),
    (super::EPOLLONESHOT as u64, "EPOLLONESHOT"),
    (super::EPOLLET as u64, "EPOLLET"),
];
pub(super) const LEVELS: Table = &[
    (libc::SOL_SOCKET as u64, "SOL_SOCKET"),
    (libc::IPPROTO_TCP as u64, "SOL_TCP"),
    (libc::IPPROTO_IP as u64, "SOL_IP"),
    (libc::IPPROTO_IPV6 as u64, "SOL_IPV6"),
    (libc::SOL_PACKET as u64, "SOL_PACKET"),
];
/// `IORING_ENTER_EXT_ARG` (5.11+)
pub(super) const ENTER_EXT_ARG: u32 = 8;
/// `io_uring_enter(2)`, from `linux/io_uring.h`.
pub(super) const ENTER_FLAGS: Table = &[
    (1, "IORING_ENTER_GETEVENTS"),
    (2, "IORING_ENTER_SQ_WAKEUP"),
    (4, "IORING_ENTER_SQ_WAIT"),
    (8, "IORING_ENTER_EXT_ARG"),
    (16, "IORING_ENTER_REGISTERED_RING"),
];
/// `io_uring_setup(2)`, from `linux/io_uring.h`.
pub(super) const SETUP_FLAGS: Table = &[
    (1, "IORING_SETUP_IOPOLL"),
    (1 << 1, "IORING_SETUP_SQPOLL"),
    (1 << 3, "IORING_SETUP_CQSIZE"),
    (1 << 4, "IORING_SETUP_CLAMP"),
    (1 << 7, "IORING_SETUP_SUBMIT_ALL"),
    (1 << 8, "IORING_SETUP_COOP_TASKRUN"),
    (1 << 9, "IORING_SETUP_TASKRUN_FLAG"),
    (1 << 12, "IORING_SETUP_SINGLE_ISSUER"),
    (1 << 13, "IORING_SETUP_DEFER_TASKRUN"),
];
/// `io_uring_register(2)`, from `linux/io_uring.h`.
pub(super) const REGISTER_OPCODES: Table = &[
    (4, "IORING_REGISTER_EVENTFD"),
    (5, "IORING_UNREGISTER_EVENTFD"),
    (13, "IORING_REGISTER_FILES2"),
    (22, "IORING_REGISTER_PBUF_RING"),
];
/// A completion's flags, from `linux/io_uring.h`; the upper 16 bits are the buffer's number.
pub(super) const COMPLETION_FLAGS: Table = &[
    (1, "IORING_CQE_F_BUFFER"),
    (2, "IORING_CQE_F_MORE"),
    (4, "IORING_CQE_F_SOCK_NONEMPTY"),
    (8, "IORING_CQE_F_NOTIF"),
    (16, "IORING_CQE_F_BUF_MORE"),
];

/// Prints a set of bits: `EPOLLIN|EPOLLRDHUP`, unknown ones in hexadecimal, `0` for none.
pub(super) struct Bits(pub(super) u64, pub(super) Table);

impl Display for Bits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Bits(mut left, table) = *self;
        if left == 0 {
            return f.write_str("0");
        }
        let mut bar = "";
        for &(bit, name) in table {
            if left & bit == bit {
                write!(f, "{bar}{name}")?;
                (left, bar) = (left & !bit, "|");
            }
        }
        if left != 0 {
            write!(f, "{bar}{left:#x}")?;
        }
        Ok(())
    }
}

/// Prints one of several numbers by its name, an unknown one as it is.
pub(super) struct OneOf(pub(super) i32, pub(super) Table);

impl Display for OneOf {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let OneOf(number, table) = *self;
        match table.iter().find(|(n, _)| *n == number as u64) {
            Some((_, name)) => f.write_str(name),
            None => number.fmt(f),
        }
    }
}
