//! Layer 1, the kernel: one visible function for each system call.
//!
//! Each function shows the raw call, and around it the same three lines: tell the [`Probe`] what is about to be asked,
//! ask, tell it the answer. Nothing here keeps state, queues, or decides; nothing here knows what the bytes mean.
//! A call that a signal interrupted (EINTR) is repeated, in one place for all of them, except where repeating is wrong:
//! [`close`] (the descriptor is already gone) and the waits [`epoll_wait`] and [`poll`] (a signal ends the wait).
//!
//! The calls in the order of a connection's life:
//!
//! ```text
//!           server                                      client
//!   socket ─ setsockopt ─ bind ─ listen            socket ─ setsockopt
//!                            │                          │
//!   epoll_create1, epoll_ctl_add, epoll_wait       connect ─ connect_result
//!                            │                          │
//!            accept4 ◄───────┴──────────────────────────┘
//!               │
//!   recv  read  pread      ◄── bytes ──►     send  write  writev  sendmsg  sendfile
//!   recvfrom               ◄─ datagrams ─►   sendto
//!               │
//!           shutdown ─ recv until 0 ─ close
//!
//!   beside them: socketpair, getsockname getpeername, eventfd (wake a loop), raise_nofile memlock, getrandom,
//!   files to send: open_directory, openat2 or openat, fstat, getdents64; names of Unix sockets: lstat chmod unlink;
//!   a log: open_append; pin_thread, block wait (signals), trim_heap,
//!   what the kernel does with them: tcp_info, diag_socket, packet_socket recv_packet packet_statistics
//!   RingReceive: one operation that outlives its call
//! ```
//!
//! Descriptors go in as [`BorrowedFd`](std::os::fd::BorrowedFd) and come out as [`OwnedFd`](std::os::fd::OwnedFd), so
//! that a closed number is never used again. Every descriptor is made close-on-exec.
//!
//! ```
//! use longshore::sys::{self, Address, Family, Kind, Mode, Silent};
//! use std::os::fd::AsFd;
//!
//! # fn main() -> std::io::Result<()> {
//! let probe = &mut Silent;
//! let listener = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
//! sys::bind(probe, listener.as_fd(), &"127.0.0.1:0".parse::<Address>().expect("a literal"))?;
//! sys::listen(probe, listener.as_fd(), 16)?;
//! let address = sys::getsockname(probe, listener.as_fd())?;
//!
//! let client = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
//! sys::connect(probe, client.as_fd(), &address)?;
//! let server = sys::accept4(probe, listener.as_fd(), Mode::Blocking)?;
//!
//! sys::send(probe, client.as_fd(), b"ahoy")?;
//! let mut buf = [0; 16];
//! assert_eq!(sys::recv(probe, server.as_fd(), &mut buf)?, 4);
//! assert_eq!(&buf[..4], b"ahoy");
//! sys::close(probe, server)?;
//! # Ok(())
//! # }
//! ```

mod address;
mod affinity;
mod call;
mod count;
mod datagram;
mod directory;
mod dynamic;
mod end;
mod epoll;
mod errno;
mod event;
mod file;
mod flags;
mod flaky;
mod heap;
mod hook;
mod netlink;
mod options;
mod packet;
mod path;
mod poll;
mod probe;
mod random;
mod read_options;
mod registration;
#[cfg(feature = "io-uring")]
mod ring_receive;
mod rlimit;
mod show;
pub mod signal;
mod socket;
mod strace;
mod stream;
mod submission;
mod table;
mod tcp_info;
#[cfg(test)]
mod tests;
mod thread_probe;
#[cfg(feature = "server")]
mod told;
#[cfg(feature = "io-uring")]
mod told_ring;

pub use address::{Address, AddressError, SUN_PATH_BYTES_MAX, UnixName};
pub use affinity::{allowed_cpus, pin_thread};
pub use call::{Call, OptionValue};
pub use count::{Count, Counts, Figures, RingFigures};
pub use datagram::{Received, recvfrom, sendto};
pub use directory::{Entries, Entry, Step, getdents64, open_append, open_directory, openat};
pub use dynamic::{Dynamic, Watch};
pub use end::{How, close, shutdown};
pub use epoll::{
    EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI,
    EPOLLRDHUP, EpollEvent, epoll_create1, epoll_ctl_add, epoll_ctl_del, epoll_ctl_mod, epoll_wait,
};
pub use errno::{AcceptError, StreamError, accept_error, errno_name, stream_error};
pub use event::{eventfd, eventfd_read, eventfd_write};
pub use file::{Beneath, FileKind, FileStat, fstat, openat2, pread, sendfile};
pub use flaky::Flaky;
pub use heap::trim_heap;
pub use netlink::diag_socket;
pub use options::{SocketOption, setsockopt};
pub use packet::{
    Captured, FilterOp, PacketStatistics, attach_filter, bind_interface, interface_index,
    interface_kind, packet_socket, packet_statistics, recv_packet,
};
pub use path::{chmod, lstat, unlink};
pub use poll::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDHUP, PollFd, poll};
pub use probe::{Aside, Probe, Silent, Verdict};
pub use random::getrandom;
pub use read_options::{
    Credentials, KeepaliveTimes, bind_address_no_port, connect_result, defer_accept, error,
    fast_open, is_listening, keepalive, linger, no_delay, not_sent_lowat, only_v6,
    peer_credentials, receive_buffer, receive_time, reuse_address, reuse_port, send_buffer,
    user_timeout,
};
pub use registration::Registration;
#[cfg(feature = "io-uring")]
pub use ring_receive::RingReceive;
pub use rlimit::{memlock, nofile, raise_nofile};
#[cfg(feature = "trace")]
pub(crate) use show::values::answer;
pub use show::{Arguments, Escaped};
pub use signal::{block, exit_now, ignore_sigxfsz, is_ignored, restore_sigpipe, unblock, wait};
pub use socket::{
    Family, Kind, Mode, accept4, accept4_from, bind, connect, duplicate, getpeername, getsockname,
    listen, set_mode, socket, socketpair,
};
pub use strace::Strace;
pub use stream::{read, recv, send, send_more, sendmsg, sendmsg_more, write, writev};
pub use submission::{CompletionFlags, SUBMISSION_BYTES, Submission};
#[cfg(feature = "server")]
pub(crate) use table::close_copies;
pub use table::own_table;
pub use tcp_info::{TcpInfo, TcpState, tcp_info};
pub use thread_probe::{ThreadProbe, watch_thread};
#[cfg(feature = "server")]
pub(crate) use told::{ToldFd, ToldFile};
#[cfg(feature = "io-uring")]
pub(crate) use told_ring::ToldRing;
