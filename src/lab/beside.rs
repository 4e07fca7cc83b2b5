//! What several lessons need beside them: a server of this crate in a thread of its own, and a client that reads replies.
//!
//! ```text
//!   lesson ── sys calls, told to the frame ──▶ socket ◀──▶ Server, one worker, in another thread
//!      └── stop ──▶ Report: requests, connections, and the server's own calls
//! ```
//!
//! The client reads what a server of ours sends: a head, then as many bytes as Content-Length says. It does not know
//! chunks, nor bodies that end with the connection.
#![forbid(unsafe_code)]

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use longshore::sys::{self, Address, Family, Kind, Mode, Probe, SocketOption};
use longshore::{Handler, Ledger, Publisher, Report, Server, ServerError, Stopper, Workers};

use super::any_handler::AnyHandler;
use super::threads;

/// The longest that a lesson waits for one answer on loopback. A machine under load may take long, but not so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A head that grows beyond this is no reply of ours.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A server with one worker, in a thread of this process.
pub(super) struct Beside {
    address: SocketAddr,
    stopper: Stopper,
    ledger: Ledger,
    publisher: Publisher,
    thread: Option<JoinHandle<Result<Report, ServerError>>>,
}

impl Beside {
    /// Binds a port of the kernel's choice on 127.0.0.1, and serves from another thread.
    pub(super) fn start<H>(server: Server, handler: H) -> io::Result<Self>
    where
        H: Handler + Clone + Send + Sync + 'static,
    {
        let anywhere = Address::Inet(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = server.listen(anywhere).workers(Workers::Count(1));
        let (sender, bound) = mpsc::channel();
        let thread = threads::start(move || {
            // Bound here, since binding tries a ring: taking that down interrupts the waits of the thread that made it.
            let bound = server.bind()?;
            let address = bound.addresses().find_map(inet);
            let _ = sender.send((address, bound.stopper(), bound.ledger(), bound.publisher()));
            bound.run(move |_worker| AnyHandler::new(handler.clone()))
        })?;
        let Ok((address, stopper, ledger, publisher)) = bound.recv() else {
            return Err(why(thread.join()));
        };
        Ok(Self {
            address: address.ok_or_else(no_address)?,
            stopper,
            ledger,
            publisher,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done so far.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Publishes to its WebSockets.
    pub(super) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Asks it to end in order: connections are told and may finish. [`stop`](Self::stop) waits for it.
    pub(super) fn ask_to_end(&self) {
        self.stopper.stop();
    }

    /// Ends it, and answers what it has done. Connections that are still open are cut.
    pub(super) fn stop(mut self) -> io::Result<Report> {
        self.end()
            .unwrap_or_else(|| Err(io::Error::other("the server was stopped before")))
    }

    fn end(&mut self) -> Option<io::Result<Report>> {
        let thread = self.thread.take()?;
        // The second time it does not wait for connections to finish.
        self.stopper.stop();
        self.stopper.stop();
        Some(match thread.join() {
            Ok(report) => report.map_err(io::Error::other),
            Err(_) => Err(io::Error::other("the server panicked")),
        })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // A lesson that failed has said why already.
        let _ = self.end();
    }
}

fn inet(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Inet(inet) => Some(*inet),
        Address::Unix(_) => None,
    }
}

/// Why a server has not begun to serve.
fn why(ended: thread::Result<Result<Report, ServerError>>) -> io::Error {
    match ended {
        Ok(Err(error)) => io::Error::other(error),
        _ => io::Error::other("the server ended before it served"),
    }
}

fn no_address() -> io::Error {
    io::Error::other("the server has no address")
}

/// Connects a TCP socket: socket(2), connect(2), told to `probe`. Its reads give up after [`PATIENCE`].
pub(super) fn connect(probe: &mut impl Probe, to: SocketAddr) -> io::Result<TcpStream> {
    let fd = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::connect(probe, fd.as_fd(), &Address::Inet(to))?;
    // Small requests and frames leave at once; no lesson but that of Nagle is about their waiting.
    sys::setsockopt(&mut sys::Silent, fd.as_fd(), &SocketOption::NoDelay(true))?;
    let stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends all of `bytes`, in as many calls as it takes.
pub(super) fn send_all(
    probe: &mut impl Probe,
    stream: &TcpStream,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = sys::send(probe, stream.as_fd(), bytes)?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// A reply: its status, its head as it came, its body.
#[derive(Debug)]
pub(super) struct HttpReply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl HttpReply {
    /// The value of a field, without spaces around it.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A connection, and what has come of the reply that is not complete.
pub(super) struct HttpClient {
    pub(super) stream: TcpStream,
    inbox: Vec<u8>,
}

impl HttpClient {
    /// Connects.
    pub(super) fn connect(probe: &mut impl Probe, to: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: connect(probe, to)?,
            inbox: Vec::new(),
        })
    }

    /// Sends bytes, a request or several.
    pub(super) fn send(&self, probe: &mut impl Probe, bytes: &[u8]) -> io::Result<()> {
        send_all(probe, &self.stream, bytes)
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// `UnexpectedEof`: the server ended the connection first. `InvalidData`: it is no reply of ours.
    pub(super) fn reply(&mut self, probe: &mut impl Probe) -> io::Result<HttpReply> {
        let end = self.head_end(probe)?;
        let head = String::from_utf8_lossy(&self.inbox[..end]).into_owned();
        self.inbox.drain(..end);
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        let mut reply = HttpReply {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            head,
            body: Vec::new(),
        };
        let length = reply.field("content-length").unwrap_or("0");
        let length: usize = length.parse().map_err(io::Error::other)?;
        while self.inbox.len() < length {
            self.more(probe)?;
        }
        reply.body = self.inbox.drain(..length).collect();
        Ok(reply)
    }

    /// Reads at least `count` bytes, whatever they are, and takes them all.
    pub(super) fn bytes(&mut self, probe: &mut impl Probe, count: usize) -> io::Result<Vec<u8>> {
        while self.inbox.len() < count {
            self.more(probe)?;
        }
        Ok(self.inbox.drain(..count).collect())
    }

    /// Reads the end of the server's bytes, and nothing else: it has closed behind its last reply.
    pub(super) fn ended(&mut self, probe: &mut impl Probe) -> io::Result<()> {
        match self.more(probe) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Reads until the server has closed, and answers what came before. A reset ends it as well.
    pub(super) fn rest(mut self) -> io::Result<Vec<u8>> {
        match self.stream.read_to_end(&mut self.inbox) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(self.inbox),
        }
    }

    fn head_end(&mut self, probe: &mut impl Probe) -> io::Result<usize> {
        loop {
            let end = self.inbox.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(at) = end {
                return Ok(at + 4);
            }
            if self.inbox.len() > HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.more(probe)?;
        }
    }

    fn more(&mut self, probe: &mut impl Probe) -> io::Result<()> {
        let mut bytes = [0; 16 * 1024];
        match sys::recv(probe, self.stream.as_fd(), &mut bytes)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.inbox.extend_from_slice(&bytes[..count]);
                Ok(())
            }
        }
    }
}
