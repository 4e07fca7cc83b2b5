//! # 03: epoll by hand, one thread for all connections
//!
//! No call blocks except one: `epoll_wait(2)`, which sleeps until *any* socket can do something. Then every socket that
//! the kernel named is asked for what it has, and nothing waits for anybody. What a thread's stack remembered in 02
//! (where in the request am I, what is still to be written) now stands in a struct per connection.
//!
//! ```text
//!            ┌────────────────────────── epoll_wait ◄──────────────────────────┐
//!            ▼                                                                 │
//!     listener readable → accept4, epoll_ctl(ADD)                              │
//!     connection readable → recv → count heads → send ──── all sent ───────────┤
//!                                                └─ a part: keep the rest, ────┤
//!     connection writable → send the rest ──────────────── wait for EPOLLOUT ──┘
//! ```
//!
//! **Run it**, and load it:
//!
//! ```text
//! cargo run --release --example 03_epoll_by_hand -- 127.0.0.1:8080
//! wrk -c 64 -t 1 -d 3 http://127.0.0.1:8080/
//! ```
//!
//! **See the calls** (one turn of the loop serves many connections; compare `-c` here and in 02):
//!
//! ```text
//! strace -yy -e trace=%network,epoll_create1,epoll_ctl,epoll_wait,close target/debug/examples/03_epoll_by_hand 127.0.0.1:8080
//! ```
//!
//! **Look at**: level-triggered means "readable *now*", so one recv per turn is enough, and what was not taken is reported
//! again; a peer that does not read makes send(2) take a part or fail with EAGAIN, and from then on that connection is
//! asked for writability only, so that it cannot fill our memory with replies that it does not want; how little an
//! idle connection holds.
//!
//! **What it leaves out**: timeouts (a silent peer stays for ever), IPv6, more than one core, and everything about HTTP
//! but the blank line that ends a request's head.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::RawFd;
use std::{env, io, mem};

const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
const BACKLOG: i32 = 1024;
const EVENTS_PER_WAIT: usize = 512;
const ACCEPTS_PER_TURN: usize = 64;
const RECV_BYTES: usize = 16 * 1024;
/// A head that is larger than this ends its connection: without a limit, a peer could send one for ever.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long no connection is accepted after the kernel had no descriptor or memory for one.
const ACCEPT_PAUSE_MS: i32 = 100;

fn main() -> io::Result<()> {
    let (address, once) = arguments()?;
    let listener = listen_on(address)?;
    println!("listening on {}", local_address(listener)?);
    Loop::open(listener, once.unwrap_or(u64::MAX))?.run()
}

/// What a connection needs to remember between two turns.
#[derive(Default)]
struct Connection {
    heads: Heads,
    /// Replies of which the kernel has not taken `sent` bytes only. Empty (and unallocated) unless the peer is slow.
    unsent: Vec<u8>,
    sent: usize,
}

/// Whether a connection goes on after an event.
#[derive(PartialEq)]
enum Life {
    Goes,
    Over,
}

/// The reactor: one epoll instance and the connections that it watches.
struct Loop {
    epoll: RawFd,
    listener: RawFd,
    /// By descriptor: the kernel always gives the lowest free number, so the table stays dense.
    connections: Vec<Option<Connection>>,
    still_to_accept: u64,
    open: usize,
    accept_paused: bool,
    bytes: Box<[u8]>,
}

impl Loop {
    fn open(listener: RawFd, still_to_accept: u64) -> io::Result<Self> {
        // SAFETY: epoll_create1(2) takes an integer.
        let epoll = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        watch(epoll, libc::EPOLL_CTL_ADD, listener, libc::EPOLLIN)?;
        Ok(Self {
            epoll,
            listener,
            connections: Vec::new(),
            still_to_accept,
            open: 0,
            accept_paused: false,
            bytes: vec![0; RECV_BYTES].into(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_WAIT];
        while self.still_to_accept > 0 || self.open > 0 {
            let timeout_ms = if self.accept_paused {
                ACCEPT_PAUSE_MS
            } else {
                -1
            };
            let ready = epoll_wait(self.epoll, &mut events, timeout_ms)?;
            self.resume_accept()?;
            // Each descriptor is named at most once here, and only its own event closes it. So a number that accept4
            // hands out again in this turn cannot be mistaken: the old owner's event is behind us.
            for event in &events[..ready] {
                let socket = event.u64 as RawFd;
                if socket == self.listener {
                    self.accept_waiting()?;
                } else if self.serve(socket, event.events) == Life::Over {
                    close(socket); // also removes it from the epoll instance
                    self.connections[socket as usize] = None;
                    self.open -= 1;
                }
            }
        }
        close(self.epoll);
        close(self.listener);
        Ok(())
    }

    /// Takes waiting connections, but not so many that the others starve: level-triggered epoll reports the rest again.
    fn accept_waiting(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN {
            if self.still_to_accept == 0 {
                return watch(self.epoll, libc::EPOLL_CTL_MOD, self.listener, 0);
            }
            let connection = match accept(self.listener) {
                Ok(connection) => connection,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(()),
                    // Interrupted, or the peer gave up while it waited in the backlog.
                    Some(libc::EINTR | libc::ECONNABORTED) => continue,
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        return self.pause_accept(&error);
                    }
                    _ => return Err(error),
                },
            };
            if let Err(error) = watch(self.epoll, libc::EPOLL_CTL_ADD, connection, libc::EPOLLIN) {
                eprintln!("connection {connection}: {error}");
                close(connection);
                continue;
            }
            let index = connection as usize;
            if index >= self.connections.len() {
                self.connections.resize_with(index + 1, || None);
            }
            self.connections[index] = Some(Connection::default());
            self.open += 1;
            self.still_to_accept -= 1;
        }
        Ok(())
    }

    /// The listener stays readable while we cannot accept: watching it now would turn the loop at full speed for nothing.
    fn pause_accept(&mut self, error: &io::Error) -> io::Result<()> {
        eprintln!("accept: {error}");
        self.accept_paused = true;
        watch(self.epoll, libc::EPOLL_CTL_MOD, self.listener, 0)
    }

    fn resume_accept(&mut self) -> io::Result<()> {
        if mem::take(&mut self.accept_paused) {
            watch(
                self.epoll,
                libc::EPOLL_CTL_MOD,
                self.listener,
                libc::EPOLLIN,
            )?;
        }
        Ok(())
    }

    /// Does what a connection's event allows.
    fn serve(&mut self, socket: RawFd, ready: u32) -> Life {
        let connection = self.connections[socket as usize]
            .as_mut()
            .expect("only open connections are watched");
        let outcome = if connection.unsent.is_empty() {
            connection.receive(self.epoll, socket, &mut self.bytes)
        } else {
            connection.flush(self.epoll, socket)
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("connection {socket}: {error} (events {ready:#x})");
            Life::Over
        })
    }
}

impl Connection {
    /// One recv, and one send for all that it asked.
    fn receive(&mut self, epoll: RawFd, socket: RawFd, bytes: &mut [u8]) -> io::Result<Life> {
        let Some(count) = would_block(recv(socket, bytes))? else {
            return Ok(Life::Goes);
        };
        if count == 0 {
            // The peer's FIN. While replies are unsent we do not come here, so all that it asked has been answered.
            return Ok(Life::Over);
        }
        let complete = self
            .heads
            .count(&bytes[..count])
            .ok_or_else(|| io::Error::other("a request's head is larger than 16 KiB"))?;
        if complete == 0 {
            return Ok(Life::Goes);
        }
        let replies = REPLY.repeat(complete);
        let sent = would_block(send(socket, &replies))?.unwrap_or(0);
        if sent < replies.len() {
            // The socket's send buffer is full. EPOLLIN goes out of the interest: what the peer asks next can wait in
            // the kernel, where TCP's window slows it down, until it has read what it asked before.
            self.unsent = replies;
            self.sent = sent;
            watch(epoll, libc::EPOLL_CTL_MOD, socket, libc::EPOLLOUT)?;
        }
        Ok(Life::Goes)
    }

    /// Sends what an earlier send left behind.
    fn flush(&mut self, epoll: RawFd, socket: RawFd) -> io::Result<Life> {
        self.sent += would_block(send(socket, &self.unsent[self.sent..]))?.unwrap_or(0);
        if self.sent == self.unsent.len() {
            self.unsent = Vec::new();
            watch(epoll, libc::EPOLL_CTL_MOD, socket, libc::EPOLLIN)?;
        }
        Ok(Life::Goes)
    }
}

/// Finds where request heads end, in a stream of bytes that may be cut anywhere.
///
/// The same lines stand in 02, 03 and 04, so that the rest can be compared.
#[derive(Default)]
struct Heads {
    /// The last four bytes, the newest lowest.
    window: u32,
    /// Length of the unfinished head.
    bytes: usize,
}

impl Heads {
    /// How many heads end in `bytes`; `None` when one is larger than [`HEAD_BYTES_MAX`].
    fn count(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut complete = 0;
        for byte in bytes {
            self.window = self.window << 8 | u32::from(*byte);
            self.bytes += 1;
            if self.window == u32::from_be_bytes(*b"\r\n\r\n") {
                complete += 1;
                *self = Self::default();
            } else if self.bytes >= HEAD_BYTES_MAX {
                return None;
            }
        }
        Some(complete)
    }
}

// The system calls, one function each. A failed call returns -1 and leaves the reason in errno.

/// socket(2), setsockopt(2), bind(2), listen(2). The listener does not block either: a connection that `epoll_wait(2)`
/// announced may be gone before we ask for it.
fn listen_on(address: SocketAddrV4) -> io::Result<RawFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes three integers and no memory.
    let listener = checked(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    set_option(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    // A reply leaves at once instead of waiting for an acknowledgement. Accepted sockets inherit this.
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
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

/// getsockname(2): the port that the kernel chose when we asked for port 0.
fn local_address(socket: RawFd) -> io::Result<SocketAddrV4> {
    // SAFETY: `sockaddr_in` is made of integers, for which all zeroes is a value.
    let mut name: libc::sockaddr_in = unsafe { mem::zeroed() };
    let mut length = mem::size_of_val(&name) as libc::socklen_t;
    // SAFETY: `name` and `length` are alive in this frame, and `length` is the room that there is.
    checked(unsafe { libc::getsockname(socket, (&raw mut name).cast(), &raw mut length) })?;
    let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
    Ok(SocketAddrV4::new(ip, u16::from_be(name.sin_port)))
}

/// `epoll_wait(2)`: sleeps until a watched socket is ready or the time has passed (-1: no limit); how many events there are.
fn epoll_wait(epoll: RawFd, into: &mut [libc::epoll_event], timeout_ms: i32) -> io::Result<usize> {
    // SAFETY: `into` is writable for its length, kept so by the exclusive borrow.
    let answer =
        unsafe { libc::epoll_wait(epoll, into.as_mut_ptr(), into.len() as i32, timeout_ms) };
    match checked(answer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        answer => answer.map(|count| count as usize),
    }
}

/// `epoll_ctl(2)`. The kernel gives the 64 bits back with each event: ours say which descriptor it is about. EPOLLHUP and
/// EPOLLERR come unasked.
fn watch(epoll: RawFd, operation: i32, socket: RawFd, interest: i32) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: interest as u32,
        u64: socket as u64,
    };
    // SAFETY: `event` is alive in this frame, and the kernel copies it.
    checked(unsafe { libc::epoll_ctl(epoll, operation, socket, &raw mut event) }).map(drop)
}

/// accept4(2): the new socket does not block either.
fn accept(listener: RawFd) -> io::Result<RawFd> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let nobody = std::ptr::null_mut();
    // SAFETY: both pointers may be null: we do not ask for the peer's address.
    checked(unsafe { libc::accept4(listener, nobody, std::ptr::null_mut(), flags) })
}

/// recv(2): read(2) with flags.
fn recv(socket: RawFd, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `into` is writable for its length, kept so by the exclusive borrow.
    checked_size(unsafe { libc::recv(socket, into.as_mut_ptr().cast(), into.len(), 0) })
}

/// send(2): may take only a part. `MSG_NOSIGNAL`: a peer that is gone is an error and not a signal.
fn send(socket: RawFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: `bytes` is readable for its length, kept so by the borrow.
    checked_size(unsafe { libc::send(socket, bytes.as_ptr().cast(), bytes.len(), flags) })
}

/// close(2).
fn close(socket: RawFd) {
    // SAFETY: the callers own `socket` and do not use it again. The descriptor is gone even if the call reports an error.
    unsafe { libc::close(socket) };
}

/// setsockopt(2) with an integer.
fn set_option(socket: RawFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let length = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` is alive in this frame, and the length is its own.
    checked(unsafe { libc::setsockopt(socket, level, option, (&raw const value).cast(), length) })
        .map(drop)
}

/// "Not now" is no failure: level-triggered epoll says when to ask again.
fn would_block(answer: io::Result<usize>) -> io::Result<Option<usize>> {
    match answer {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}

fn checked(answer: i32) -> io::Result<i32> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

fn checked_size(answer: isize) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// `[ADDR] [--once N]`: where to listen, and after how many connections to end.
fn arguments() -> io::Result<(SocketAddrV4, Option<u64>)> {
    let mut address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let mut once = None;
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--once" {
            let count = words.next().unwrap_or_default();
            once = Some(count.parse().map_err(io::Error::other)?);
        } else {
            address = word.parse().map_err(io::Error::other)?;
        }
    }
    Ok((address, once))
}
