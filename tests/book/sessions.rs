//! Scripted sessions: a traced server, a client that sends prepared bytes, and the trace of its one connection.
//!
//! ```text
//!   connect ──▶ Shown: the server waits ──▶ Send, Receive, Shown, … ──▶ end ──▶ until it has closed
//!                                                                               │
//!   trace:   … [ the wait that brought the client  …  everything between  …  “closed” ] …
//! ```
//!
//! The client goes on only when the trace says that the server has done everything and waits: so each turn holds the same
//! calls in each run. It knows the trace as lines of text, and nothing of how they are made.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::PROGRAM;
use crate::lines::Lines;
use crate::process::{SECONDS_MAX, command};

/// More lines than that are no trace of one short connection.
const LINES_MAX: usize = 2_000;

/// What the client does, one after the other.
enum Step {
    Send(&'static [u8]),
    /// Reads until these bytes have come.
    Receive(&'static [u8]),
    /// Reads to the server's end.
    End,
    /// Waits until the trace has a line of this connection with that in it: on epoll, or on a ring.
    Shown(&'static str, &'static str),
}

use Step::{End, Receive, Send, Shown};

/// The server has asked for more, and has nothing to do but wait.
const ARMED: Step = Shown(">> ", "[sqe] recv(");

/// One request on a connection that is kept, then the client's end.
const REQUEST: &[Step] = &[
    Send(b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Receive(b"Hello, World!"),
    ARMED,
];

/// A handshake, one message and its echo, and the closing handshake.
const ECHO: &[Step] = &[
    Send(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ),
    Receive(b"\r\n\r\n"),
    ARMED,
    // "ahoy", and Close with code 1000, both under the mask of RFC 6455 §5.7.
    Send(b"\x81\x84\x37\xfa\x21\x3d\x56\x92\x4e\x44"),
    Receive(b"\x81\x04ahoy"),
    Shown(">> text", ">> text"),
    Send(b"\x88\x82\x37\xfa\x21\x3d\x34\x12"),
    Receive(b"\x88\x02\x03\xe8"),
    // The server ends first (RFC 6455 §7.1.1).
    End,
    Shown("shutdown(", "[cqe] shutdown"),
];

/// All sessions: name, backend, what the client does.
const SESSIONS: [(&str, &str, &[Step]); 5] = [
    ("request-epoll", "epoll", REQUEST),
    ("request-io-uring", "io-uring", REQUEST),
    ("echo-epoll", "epoll", ECHO),
    ("echo-io-uring", "io-uring", ECHO),
    ("layers-epoll", "epoll", ECHO),
];

/// Runs a session; its part of the trace.
pub(crate) fn run(name: &str) -> Result<String, String> {
    let known = SESSIONS.iter().find(|(known, ..)| *known == name);
    let (_, backend, steps) = known.ok_or_else(|| {
        let names: Vec<&str> = SESSIONS.iter().map(|(name, ..)| *name).collect();
        format!(
            "no session is called {name}; there are {}",
            names.join(", ")
        )
    })?;
    let mut server = Server::start(backend, name.starts_with("layers"))?;
    let talked = server.talk(steps);
    let lines = server.stop();
    talked.map_err(|why| format!("session {name}: {why}\n{}", lines.join("\n")))?;
    part(&lines).ok_or_else(|| format!("session {name} has no end:\n{}", lines.join("\n")))
}

/// Reads until these bytes have come; to the end of the connection, if there are none.
fn receive(client: &mut TcpStream, wanted: Option<&[u8]>) -> io::Result<()> {
    let mut read = Vec::new();
    let mut piece = [0; 1024];
    while wanted.is_none_or(|wanted| !read.ends_with(wanted)) {
        match client.read(&mut piece)? {
            0 if wanted.is_none() => return Ok(()),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(&piece[..count]),
        }
    }
    Ok(())
}

/// From the wait that brought the client to the end of its connection.
fn part(lines: &[String]) -> Option<String> {
    let waits = |line: &String| line.contains(" epoll_wait(") || line.contains(" io_uring_enter(");
    // With packets, the handshake comes before it.
    let opened = lines.iter().position(|line| has(line, "opened by "))?;
    let begin = lines[..opened].iter().rposition(waits)?;
    let end = lines.iter().position(|line| is_closed(line))?;
    Some(lines.get(begin..=end)?.join("\n"))
}

/// A line of the first connection, which is the session's.
fn has(line: &str, wanted: &str) -> bool {
    line.contains(" #1 ") && line.contains(wanted)
}

fn is_closed(line: &str) -> bool {
    has(line, "") && line.ends_with(" closed")
}

/// A traced server, killed if a session fails.
struct Server {
    process: Child,
    address: SocketAddr,
    is_ring: bool,
    trace: Lines,
}

impl Server {
    fn start(backend: &str, layers: bool) -> Result<Self, String> {
        let mut process = command(PROGRAM.as_ref())
            .arg("trace")
            .args(layers.then_some("--layers"))
            .args(["serve", "--workers", "1", "--backend", backend])
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{PROGRAM}: {error}"))?;
        let stderr = process.stderr.take().expect("it is piped");
        let mut trace = Lines::of(stderr, LINES_MAX);
        let mut first = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        // A server that cannot start ends, and its output with it.
        let _ = BufReader::new(stdout).read_line(&mut first);
        let address = first
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        let Some(address) = address else {
            let _ = process.kill();
            let _ = process.wait();
            let (why, _) = trace.rest();
            return Err(format!("no address: {first}{}", why.join("\n")));
        };
        Ok(Server {
            process,
            address,
            is_ring: backend == "io-uring",
            trace,
        })
    }

    /// The whole conversation of one client.
    fn talk(&mut self, steps: &[Step]) -> Result<(), String> {
        let told = |error: io::Error| error.to_string();
        let mut client = TcpStream::connect(self.address).map_err(told)?;
        let patience = Some(Duration::from_secs(SECONDS_MAX));
        client.set_read_timeout(patience).map_err(told)?;
        client.set_nodelay(true).map_err(told)?;
        // A ring asks for the peer's name while it receives already.
        self.trace.until(|line| has(line, "named: "))?;
        if !self.is_ring {
            self.trace.until(|line| has(line, "EPOLL_CTL_ADD"))?;
        }
        for step in steps {
            match step {
                Send(bytes) => client.write_all(bytes).map_err(told)?,
                Receive(bytes) => receive(&mut client, Some(bytes)).map_err(told)?,
                End => receive(&mut client, None).map_err(told)?,
                Shown(epoll, ring) => {
                    let wanted = if self.is_ring { ring } else { epoll };
                    self.trace.until(|line| has(line, wanted))?;
                }
            }
        }
        drop(client);
        self.trace.until(is_closed)
    }

    /// Ends it. All lines of its trace.
    fn stop(mut self) -> Vec<String> {
        // It may have ended by itself, and then says so in its trace.
        let _ = kill(
            Pid::from_raw(self.process.id().cast_signed()),
            Signal::SIGTERM,
        );
        self.trace.rest().0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
