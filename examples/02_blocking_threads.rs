//! # 02: blocking calls, one thread per connection
//!
//! The classic server: one thread waits in accept(2); each connection gets a thread of its own, which waits in read(2)
//! and write(2). The kernel's scheduler does all the switching, and the code reads from top to bottom.
//!
//! ```text
//! main thread          socket → bind → listen → accept ─┬─ accept ─┬─ accept …
//! connection thread                                     └─ read → write → read → write → read = 0 → close
//! ```
//!
//! **Run it**, then talk to it from a second terminal, once politely and once by hand:
//!
//! ```text
//! cargo run --example 02_blocking_threads -- 127.0.0.1:8080
//! curl -v http://127.0.0.1:8080/
//! printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n' | nc -q1 127.0.0.1 8080
//! ```
//!
//! **See the calls** (`-f` follows the threads, `-yy` prints both addresses of every socket):
//!
//! ```text
//! strace -f -yy -e trace=%network,read,write,close,clone3 target/debug/examples/02_blocking_threads 127.0.0.1:8080
//! ```
//!
//! **Look at**: accept(2) returns a *new* descriptor and the listener stays; a thread sleeps inside `read(9<TCP:[…]>`
//! while its peer is silent; one read may hold half a request or five; read(2) returns 0 when the peer has finished
//! sending; two requests that arrived together are answered by one write.
//!
//! **What it leaves out**: everything about HTTP but the blank line that ends a request's head (no methods, no fields,
//! and a request's body would be taken for further requests); IPv6; a limit on threads. A thousand silent peers cost a
//! thousand threads, which is what the next two files are about.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::RawFd;
use std::time::Duration;
use std::{env, io, mem, thread};

const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
const BACKLOG: i32 = 1024;
const READ_BYTES: usize = 16 * 1024;
/// A head that is larger than this ends its connection: without a limit, a peer could send one for ever.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A thread is too dear to wait for a silent peer, or for one that never reads, for ever.
const SILENCE_SECONDS_MAX: i64 = 60;

fn main() -> io::Result<()> {
    let (address, once) = arguments()?;
    let listener = listen_on(address)?;
    println!("listening on {}", local_address(listener)?);

    let mut threads = Vec::new();
    for _ in 0..once.unwrap_or(u64::MAX) {
        let connection = accept(listener)?;
        let spawned = thread::Builder::new().spawn(move || serve(connection));
        match spawned {
            Ok(handle) if once.is_some() => threads.push(handle),
            Ok(_) => {}
            // The closure was dropped without having run, so the descriptor is still ours to close.
            Err(error) => {
                eprintln!("no thread for a connection: {error}");
                close(connection);
            }
        }
    }
    for handle in threads {
        // A thread that panicked has printed why; the others still deserve their time.
        drop(handle.join());
    }
    close(listener);
    Ok(())
}

/// The whole life of one connection, on its own thread.
fn serve(connection: RawFd) {
    if let Err(error) = converse(connection) {
        eprintln!("connection {connection}: {error}");
    }
    close(connection);
}

/// Reads requests and answers them until the peer has finished sending.
fn converse(connection: RawFd) -> io::Result<()> {
    set_timeouts(connection)?;
    let mut heads = Heads::default();
    let mut bytes = [0; READ_BYTES];
    loop {
        let count = read(connection, &mut bytes)?;
        if count == 0 {
            return Ok(()); // the peer's FIN; all that it asked has been answered
        }
        let complete = heads
            .count(&bytes[..count])
            .ok_or_else(|| io::Error::other("a request's head is larger than 16 KiB"))?;
        // All replies leave in one write: one call and one packet instead of many.
        write_all(connection, &REPLY.repeat(complete))?;
    }
}

/// Finds where request heads end, in a stream of bytes that may be cut anywhere.
///
/// TCP carries bytes, not messages: a read may end between the `\r` and the `\n`. So the last four
/// bytes are kept from one read to the next. The same lines stand in 02, 03 and 04, so that the rest can be compared.
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

/// socket(2), setsockopt(2), bind(2), listen(2).
fn listen_on(address: SocketAddrV4) -> io::Result<RawFd> {
    // SAFETY: socket(2) takes three integers and no memory.
    let listener =
        checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // A restarted server may bind although old connections of its port are still in TIME_WAIT.
    set_option(listener, libc::SOL_SOCKET, libc::SO_REUSEADDR, &1_i32)?;
    // A reply leaves at once instead of waiting for an acknowledgement. Accepted sockets inherit this.
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_NODELAY, &1_i32)?;
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*address.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: `name` is a whole `sockaddr_in`, kept alive by this frame, and the length is its own.
    checked(unsafe {
        libc::bind(
            listener,
            (&raw const name).cast(),
            mem::size_of_val(&name) as libc::socklen_t,
        )
    })?;
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

/// accept4(2): waits for a connection that the kernel has already established, and gives it a descriptor.
fn accept(listener: RawFd) -> io::Result<RawFd> {
    loop {
        // SAFETY: both pointers may be null: we do not ask for the peer's address.
        let answer = checked(unsafe {
            libc::accept4(
                listener,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                libc::SOCK_CLOEXEC,
            )
        });
        let Err(error) = answer else { return answer };
        match error.raw_os_error() {
            // Interrupted, or the peer gave up while it waited in the backlog.
            Some(libc::EINTR | libc::ECONNABORTED) => {}
            // No descriptor or memory now. The connection still waits, so asking again at once would only burn time.
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100));
            }
            _ => return Err(error),
        }
    }
}

/// read(2): at least one byte, or 0 when the peer has finished sending. A socket is a file like any other here.
fn read(connection: RawFd, into: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: `into` is writable for its length, kept so by the exclusive borrow.
        let answer = unsafe { libc::read(connection, into.as_mut_ptr().cast(), into.len()) };
        match checked_size(answer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

/// write(2), until everything is with the kernel: a call may take only a part.
///
/// Rust programs ignore SIGPIPE, so a peer that is gone is an error here (EPIPE) and not the end of the process.
fn write_all(connection: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: `bytes` is readable for its length, kept so by the borrow.
        let answer = unsafe { libc::write(connection, bytes.as_ptr().cast(), bytes.len()) };
        match checked_size(answer) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// close(2): the last descriptor of the socket goes, and the kernel sends our FIN.
fn close(socket: RawFd) {
    // SAFETY: the callers own `socket` and do not use it again. The descriptor is gone even if the call reports an error.
    unsafe { libc::close(socket) };
}

/// `SO_RCVTIMEO` and `SO_SNDTIMEO`: a blocked call gives up with EAGAIN.
fn set_timeouts(connection: RawFd) -> io::Result<()> {
    let silence = libc::timeval {
        tv_sec: SILENCE_SECONDS_MAX,
        tv_usec: 0,
    };
    set_option(connection, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &silence)?;
    set_option(connection, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &silence)
}

/// setsockopt(2).
fn set_option<T>(socket: RawFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let length = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is readable for its own size, kept so by the borrow.
    checked(unsafe { libc::setsockopt(socket, level, option, (&raw const *value).cast(), length) })
        .map(drop)
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
