//! The null server: the least that can be done for a request, so that `benches/compare` can say what a real server adds.
//!
//! ```text
//! epoll_wait → recv → count "\r\n\r\n" → one send of that many ready-made replies
//!                  └ --ws: skip the frame header, unmask, put a server's header in front → one send
//! ```
//!
//! It trusts its peer completely: no limits, no timeouts, no validation. **Never put it on a network.** One thread; pin
//! it from outside (`taskset -c 0`).
//!
//! ```text
//! null ADDR [--ws]      prints `listening on ADDR`; ends by a signal
//! ```

mod http;
mod sys;
mod ws;

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::RawFd;

/// As much as one recv takes.
const RECV_BYTES: usize = 64 * 1024;
const EVENTS_PER_WAIT: usize = 512;

/// What one connection speaks.
enum Protocol {
    Http(http::Heads),
    Ws(Box<ws::Echo>),
}

struct Connection {
    protocol: Protocol,
    /// Left over by a short send. Receiving stops until it is gone.
    unsent: Vec<u8>,
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let ws = words.iter().any(|word| word == "--ws");
    let address = words.iter().find(|word| !word.starts_with("--"));
    let address = address.map_or("127.0.0.1:0", String::as_str);
    let address: SocketAddrV4 = address.parse().map_err(io::Error::other)?;
    let listener = sys::listen_on(address)?;
    println!("listening on http://{}", sys::local_address(listener)?);
    serve(listener, ws)
}

fn serve(listener: RawFd, ws: bool) -> io::Result<()> {
    let epoll = sys::epoll_create()?;
    sys::watch(epoll, libc::EPOLL_CTL_ADD, listener, libc::EPOLLIN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_WAIT];
    let mut bytes = vec![0; RECV_BYTES];
    let mut out = Vec::with_capacity(2 * RECV_BYTES);
    let replies = http::replies_for(RECV_BYTES);
    loop {
        let ready = sys::epoll_wait(epoll, &mut events)?;
        for event in &events[..ready] {
            let socket = event.u64 as RawFd;
            if socket == listener {
                accept_all(epoll, listener, ws, &mut connections)?;
                continue;
            }
            let slot = &mut connections[socket as usize];
            let connection = slot.as_mut().expect("only open connections are watched");
            let outcome = if connection.unsent.is_empty() {
                connection.receive(epoll, socket, &mut bytes, &mut out, &replies)
            } else {
                connection.flush(epoll, socket)
            };
            if !matches!(outcome, Ok(true)) {
                sys::close(socket);
                *slot = None;
            }
        }
    }
}

fn accept_all(
    epoll: RawFd,
    listener: RawFd,
    ws: bool,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    while let Some(socket) = sys::accept(listener)? {
        sys::watch(epoll, libc::EPOLL_CTL_ADD, socket, libc::EPOLLIN)?;
        let index = socket as usize;
        if index >= connections.len() {
            connections.resize_with(index + 1, || None);
        }
        connections[index] = Some(Connection {
            protocol: if ws {
                Protocol::Ws(Box::default())
            } else {
                Protocol::Http(http::Heads::default())
            },
            unsent: Vec::new(),
        });
    }
    Ok(())
}

impl Connection {
    /// One recv, one send. `Ok(false)`: the connection is over.
    fn receive(
        &mut self,
        epoll: RawFd,
        socket: RawFd,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        replies: &[u8],
    ) -> io::Result<bool> {
        let Some(count) = sys::recv(socket, bytes)? else {
            return Ok(true);
        };
        if count == 0 {
            return Ok(false);
        }
        let received = &bytes[..count];
        let answer = match &mut self.protocol {
            Protocol::Http(heads) => &replies[..heads.count(received) * http::REPLY.len()],
            Protocol::Ws(echo) => {
                out.clear();
                if !echo.take(received, out) {
                    return Ok(false);
                }
                out
            }
        };
        if answer.is_empty() {
            return Ok(true);
        }
        let sent = sys::send(socket, answer)?.unwrap_or(0);
        if sent < answer.len() {
            self.unsent = answer[sent..].to_vec();
            sys::watch(epoll, libc::EPOLL_CTL_MOD, socket, libc::EPOLLOUT)?;
            return Ok(true);
        }
        // A server is the first to close (RFC 6455 §7.1.1).
        Ok(!matches!(&self.protocol, Protocol::Ws(echo) if echo.closing))
    }

    fn flush(&mut self, epoll: RawFd, socket: RawFd) -> io::Result<bool> {
        let sent = sys::send(socket, &self.unsent)?.unwrap_or(0);
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
            sys::watch(epoll, libc::EPOLL_CTL_MOD, socket, libc::EPOLLIN)?;
        }
        Ok(true)
    }
}
