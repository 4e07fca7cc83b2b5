//! A connected socket: the addresses of a name are tried in turn, each for as long as time is left.
//!
//! ```text
//!   getaddrinfo ─▶ [a, b, …] ─▶ socket ─▶ connect = EINPROGRESS ─▶ poll(POLLOUT) ─▶ SO_ERROR
//!                      ▲                                                                │ refused
//!                      └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! It does not know what will be said.

use std::io;
use std::net::ToSocketAddrs as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use longshore::sys::{
    self, Address, Family, Kind, Mode, POLLOUT, PollFd, Probe, SocketOption, UnixName,
};

use super::output::{Output, Shared};
use super::target::Place;

/// How many of a name's addresses are tried. Honest names have a handful.
const ADDRESSES_MAX: usize = 16;

/// A socket with two ends.
pub(super) struct Opened<P: Probe> {
    /// Non-blocking.
    pub(super) fd: Socket<P>,
    /// Names the other end for messages: `tcp 127.0.0.1:7007`.
    pub(super) name: String,
}

/// A socket whose close is a call like the others, also where an error ends its use.
pub(super) struct Socket<P: Probe> {
    /// `None` only while it is dropped.
    fd: Option<OwnedFd>,
    probe: Shared<P>,
}

impl<P: Probe> Socket<P> {
    fn open(probe: &Shared<P>, family: Family, kind: Kind, mode: Mode) -> io::Result<Self> {
        let fd = probe.call(|probe| sys::socket(probe, family, kind, mode))?;
        Ok(Self {
            fd: Some(fd),
            probe: probe.clone(),
        })
    }
}

impl<P: Probe> AsFd for Socket<P> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let fd = self.fd.as_ref();
        fd.expect("only drop takes it").as_fd()
    }
}

impl<P: Probe> Drop for Socket<P> {
    fn drop(&mut self) {
        if let Some(fd) = self.fd.take() {
            // What close answers is about files.
            let _ = self.probe.call(|probe| sys::close(probe, fd));
        }
    }
}

pub(super) fn connect<P: Probe>(
    probe: &Shared<P>,
    place: &Place,
    kind: Kind,
    limit: Duration,
    output: &Output<P>,
) -> Result<Opened<P>, String> {
    let until = Instant::now() + limit;
    let mut failed = format!("{place} has no address");
    for address in addresses(place)? {
        let name = name(kind, &address);
        match one(probe, kind, &address, until) {
            Ok(fd) => {
                if P::ACTIVE || output.is_verbose() {
                    // Our own address: who watches the calls learns it from this one.
                    let tuple = five_tuple(probe, &fd, &name, &address);
                    output.note(|| format!("* {tuple}"));
                }
                return Ok(Opened { fd, name });
            }
            Err(error) => {
                failed = format!("cannot connect to {name}: {error}{}", advice(&error));
                output.note(|| format!("* {name}: {error}"));
            }
        }
    }
    Err(failed)
}

fn addresses(place: &Place) -> Result<Vec<Address>, String> {
    match place {
        Place::Address(address) => Ok(vec![address.clone()]),
        Place::Name(name, port) => (name.as_str(), *port)
            .to_socket_addrs()
            .map(|found| found.take(ADDRESSES_MAX).map(Address::Inet).collect())
            .map_err(|error| {
                format!(
                    "{name} names no known host ({error}): check the name, or write its address"
                )
            }),
    }
}

fn one<P: Probe>(
    probe: &Shared<P>,
    kind: Kind,
    address: &Address,
    until: Instant,
) -> io::Result<Socket<P>> {
    let left = || until.saturating_duration_since(Instant::now());
    if address.family() == Family::Unix {
        return unix(probe, kind, address, left());
    }
    let fd = Socket::open(probe, address.family(), kind, Mode::Nonblocking)?;
    if kind == Kind::Stream {
        // What is typed shall leave at once, and not wait for more (RFC 896).
        let now = SocketOption::NoDelay(true);
        probe.call(|probe| sys::setsockopt(probe, fd.as_fd(), &now))?;
    }
    match probe.call(|probe| sys::connect(probe, fd.as_fd(), address)) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        other => return other.map(|()| fd),
    }
    loop {
        let left = left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut fds = [PollFd::new(fd.as_fd(), POLLOUT)];
        if probe.call(|probe| sys::poll(probe, &mut fds, Some(left)))? > 0 {
            probe.call(|probe| sys::connect_result(probe, fd.as_fd()))?;
            return Ok(fd);
        }
    }
}

/// A Unix socket never is in progress: where the backlog is full a blocking one waits, and only that can be bounded.
fn unix<P: Probe>(
    probe: &Shared<P>,
    kind: Kind,
    address: &Address,
    left: Duration,
) -> io::Result<Socket<P>> {
    let socket = Socket::open(probe, Family::Unix, kind, Mode::Blocking)?;
    let fd = socket.as_fd();
    let connected = probe.call(|probe| {
        if kind == Kind::Datagram {
            // Without a name nobody can answer; the kernel chooses one (unix(7), autobind).
            sys::bind(probe, fd, &Address::Unix(UnixName::Unnamed))?;
        }
        sys::setsockopt(probe, fd, &SocketOption::SendTimeout(left))?;
        sys::connect(probe, fd, address).map_err(|error| match error.raw_os_error() {
            Some(libc::EAGAIN) => io::ErrorKind::TimedOut.into(),
            _ => error,
        })?;
        sys::set_mode(probe, fd, Mode::Nonblocking)
    });
    connected.map(|()| socket)
}

/// How the other end is written on the command line, but for the scheme of TCP and UDP.
fn name(kind: Kind, address: &Address) -> String {
    let text = address.to_string();
    match (kind, text.strip_prefix("unix:")) {
        (Kind::Stream, None) => format!("tcp {text}"),
        (Kind::Datagram, None) => format!("udp {text}"),
        (Kind::Stream, Some(_)) => text,
        (Kind::Datagram, Some(name)) => format!("unix-datagram:{name}"),
    }
}

/// Protocol, and an address and a port at each end.
fn five_tuple<P: Probe>(probe: &Shared<P>, fd: &Socket<P>, name: &str, to: &Address) -> String {
    let ours = probe.call(|probe| sys::getsockname(probe, fd.as_fd()));
    match (ours, name.split_once(' ')) {
        (Ok(ours), Some((protocol, _))) => format!("{protocol} {ours} -> {to}"),
        _ => format!("connected to {name}"),
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => {
            "; nobody listens there: start the server, or check the address"
        }
        Some(libc::ENOENT) => "; there is no such socket: start the server, or check the path",
        Some(libc::EACCES | libc::EPERM) => "; this user may not",
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => "; no route leads there",
        Some(libc::EPROTOTYPE) => "; it is a socket of another kind: unix: or unix-datagram:",
        None if error.kind() == io::ErrorKind::TimedOut => {
            "; nobody answered: check the address, or raise --connect-timeout"
        }
        _ => "",
    }
}
