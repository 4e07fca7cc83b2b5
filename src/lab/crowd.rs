//! Many clients in one thread: sockets that do not block, and epoll.
//!
//! ```text
//!   open   ── connect, in groups, each of which asks once ──▶ all are known to the server
//!   round  ── every client asks; who is answered asks again, until all requests are made
//!   drop   ── resets: no port rests in TIME_WAIT
//! ```
//!
//! It knows one request and the length of its reply, nothing else: a reply is complete when so many bytes have come.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use longshore::sys::{
    self, Address, EPOLLIN, EpollEvent, Family, Kind, Mode, Silent, SocketOption,
};

use super::beside::{HttpClient, PATIENCE};
use super::frame::Frame;
use super::loopback::to_its_end;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// Connections that are made before the first of them is answered: less than any backlog.
const GROUP: usize = 256;
/// Connections from one address, well below the range of ports that connect chooses from.
const PER_ADDRESS: usize = 10_000;

/// Descriptors that are no connections, in either process.
const RESERVED: usize = 128;
/// Below this there is no crowd, and figures for each connection say nothing.
const SMALLEST: usize = 100;

/// How many clients this machine has descriptors for, on either side; `None`, and a line that says so, if too few.
pub(super) fn most(frame: &Frame, descriptors: u64) -> Option<usize> {
    let most = (descriptors as usize).saturating_sub(RESERVED);
    if most < SMALLEST {
        let needed = SMALLEST + RESERVED;
        frame.not_here(format!(
            "ulimit -n is {descriptors}, this lesson needs {needed}"
        ));
        return None;
    }
    Some(most)
}

/// Clients of one server.
pub(super) struct Crowd {
    epoll: OwnedFd,
    clients: Vec<Client>,
    to: SocketAddr,
    reply_bytes: usize,
}

struct Client {
    fd: OwnedFd,
    /// Bytes of the reply that have not come.
    missing: usize,
}

impl Crowd {
    /// Nobody yet; asks once to know how long a reply is.
    pub(super) fn new(to: SocketAddr) -> io::Result<Self> {
        let mut client = HttpClient::connect(&mut Silent, to)?;
        client.send(&mut Silent, REQUEST)?;
        let reply = client.reply(&mut Silent)?;
        Ok(Crowd {
            epoll: sys::epoll_create1(&mut Silent)?,
            clients: Vec::new(),
            to,
            reply_bytes: reply.head.len() + reply.body.len(),
        })
    }

    /// Opens connections until there are `total`, each of which has been answered once. `done` is told of each group.
    pub(super) fn open(&mut self, total: usize, mut done: impl FnMut(usize)) -> io::Result<()> {
        self.clients
            .reserve_exact(total.saturating_sub(self.clients.len()));
        while self.clients.len() < total {
            let first = self.clients.len();
            let group = GROUP.min(total - first);
            for _ in 0..group {
                self.connect()?;
            }
            self.exchange(first, group)?;
            done(group);
        }
        Ok(())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Every client asks, and asks again when it is answered, until `requests` requests were answered in all.
    pub(super) fn round(&mut self, requests: usize) -> io::Result<()> {
        self.exchange(0, requests)
    }

    /// One connection. Each so many come from another address of 127.0.0.0/8, all of which is this machine.
    fn connect(&mut self) -> io::Result<()> {
        let silent = &mut Silent;
        let number = self.clients.len();
        let fd = sys::socket(silent, Family::Inet, Kind::Stream, Mode::Blocking)?;
        let reset = SocketOption::Linger(Some(Duration::ZERO));
        for option in [reset, SocketOption::NoDelay(true)] {
            sys::setsockopt(silent, fd.as_fd(), &option)?;
        }
        if number >= PER_ADDRESS {
            // Only connect chooses the port, by the whole five-tuple (4.2+).
            let late = SocketOption::BindAddressNoPort(true);
            sys::setsockopt(silent, fd.as_fd(), &late)?;
            let from = Ipv4Addr::new(127, 1, 0, (number / PER_ADDRESS) as u8);
            sys::bind(silent, fd.as_fd(), &Address::Inet((from, 0).into()))?;
        }
        sys::connect(silent, fd.as_fd(), &Address::Inet(self.to))?;
        sys::set_mode(silent, fd.as_fd(), Mode::Nonblocking)?;
        sys::epoll_ctl_add(
            silent,
            self.epoll.as_fd(),
            fd.as_fd(),
            EPOLLIN,
            number as u64,
        )?;
        self.clients.push(Client { fd, missing: 0 });
        Ok(())
    }

    /// The clients from `first` on ask, `requests` times in all.
    fn exchange(&mut self, first: usize, requests: usize) -> io::Result<()> {
        let (mut asked, mut answered) = (0, 0);
        for client in self.clients[first..].iter_mut().take(requests) {
            client.ask(self.reply_bytes)?;
            asked += 1;
        }
        let mut events = [EpollEvent::default(); 256];
        while answered < requests {
            let epoll = self.epoll.as_fd();
            let count = to_its_end(PATIENCE, |left| {
                sys::epoll_wait(&mut Silent, epoll, &mut events, Some(left))
            })?;
            if count == 0 {
                return Err(ErrorKind::TimedOut.into());
            }
            for event in &events[..count] {
                let client = &mut self.clients[event.key() as usize];
                if !client.hear()? {
                    continue;
                }
                answered += 1;
                if asked < requests {
                    client.ask(self.reply_bytes)?;
                    asked += 1;
                }
            }
        }
        Ok(())
    }
}

impl Client {
    /// A request is far smaller than an empty send buffer, so it is taken whole.
    fn ask(&mut self, reply_bytes: usize) -> io::Result<()> {
        self.missing = reply_bytes;
        match sys::send(&mut Silent, self.fd.as_fd(), REQUEST)? {
            count if count == REQUEST.len() => Ok(()),
            _ => Err(ErrorKind::WriteZero.into()),
        }
    }

    /// Reads what has come; whether that completes the reply.
    fn hear(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 1024];
        match sys::recv(&mut Silent, self.fd.as_fd(), &mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.missing = self.missing.saturating_sub(count);
                Ok(self.missing == 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
