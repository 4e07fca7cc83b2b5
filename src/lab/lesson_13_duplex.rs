//! Lesson 13: simplex, half duplex, full duplex.
//!
//! ```text
//!   simplex      one direction only               a connection of which one half is shut
//!   half duplex  both, one after the other        request and reply: HTTP
//!   full duplex  both, at the same time           WebSocket, and every TCP connection by itself
//! ```
//!
//! TCP is full duplex: two streams of bytes that do not know each other. What is half duplex is a rule on top. The lesson
//! moves the same bytes by both rules over the same kind of connection, and counts what came in while the receiver still
//! had something to send. One thread plays both ends, so that nothing depends on who runs when.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use longshore::sys::{self, Count, How, Mode, POLLIN, POLLOUT, PollFd, Silent};
use longshore::{Handler, Replied, Reply, Request, Server, Socket};

use super::Lesson;
use super::beside::{Beside, HttpClient, PATIENCE};
use super::frame::Frame;
use super::loopback::{ready, to_its_end};
use super::report::Table;
use super::small_buffers::small_pair;

pub(super) const LESSON: Lesson = Lesson {
    number: 13,
    name: "duplex",
    about: "Simplex, half duplex, full duplex: who may speak when, and what crosses",
    run,
};

/// What one end moves in one call.
const PIECE_BYTES: usize = 16 * 1024;

fn run(frame: &Frame) -> io::Result<()> {
    let bytes = frame.scale().pick(2 << 20, 32 << 20, 256 << 20);
    simplex(frame)?;
    let overlaps = both_ways(frame, bytes)?;
    let stuck = nobody_reads(frame)?;
    let (http, websocket) = who_speaks_first(frame)?;

    frame.conclude(
        overlaps,
        "The connection was the same, and so were the bytes. By request and reply nothing overlapped; when both ends just \
         sent, most of the bytes crossed. Half duplex is a rule of the protocol above, not a property of the wire.",
        format!(
            "Only part of {bytes} bytes crossed when both ends sent at once: this machine moved them one after the other.",
        ),
    );
    frame.conclude(
        stuck,
        "Full duplex is an obligation too: two ends that only write, and read afterwards, wait for each other for ever. So \
         a server reads while it writes, or stops reading on purpose and says when it goes on.",
        "The kernel took everything that both ends had to say, so they did not get stuck here.",
    );
    frame.conclude(
        http == 0 && websocket > 0,
        "Over HTTP the server had no way to say the first word; over a WebSocket it did. That is the difference that \
         polling is a substitute for (lesson 12).",
        "The server did not speak as expected; see the findings.",
    );
    Ok(())
}

/// One half is shut, then the other end tries to use it.
fn simplex(frame: &Frame) -> io::Result<()> {
    frame
        .say("Simplex: a connection, of which the client shuts the half that leads to the server.");
    let (server, client) = small_pair(Mode::Blocking)?;
    let mut bytes = [0; 64];
    sys::shutdown(&mut frame.calls("client"), client.as_fd(), How::Write)?;
    frame.say("The server sees the end of that direction, and no error. The other direction is untouched:");
    let end = sys::recv(&mut frame.calls("server"), server.as_fd(), &mut bytes)?;
    sys::send(&mut frame.calls("server"), server.as_fd(), b"still here")?;
    let count = sys::recv(&mut frame.calls("client"), client.as_fd(), &mut bytes)?;
    let sent = sys::send(&mut frame.calls("client"), client.as_fd(), b"no");
    let epipe = matches!(sent, Err(ref error) if error.kind() == ErrorKind::BrokenPipe);
    frame.finding("received_after_shut_wr", end as u64);
    frame.finding("other_direction_bytes", count as u64);
    frame.finding("send_after_shut_wr_is_epipe", epipe);
    frame.say("SHUT_RD is only a note to oneself: TCP has no segment for it, so the server can still send.");
    sys::shutdown(&mut frame.calls("client"), client.as_fd(), How::Read)?;
    let end = sys::recv(&mut frame.calls("client"), client.as_fd(), &mut bytes)?;
    let told = sys::send(&mut frame.calls("server"), server.as_fd(), b"anybody?");
    frame.finding("received_after_shut_rd", end as u64);
    frame.finding("peer_can_send_after_shut_rd", told.is_ok());
    Ok(())
}

/// One end of a connection in a transfer.
struct End {
    fd: OwnedFd,
    to_send: usize,
    received: usize,
    /// Received while there was still something to send.
    overlapping: usize,
}

impl End {
    fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            to_send: 0,
            received: 0,
            overlapping: 0,
        }
    }

    fn wanted(&self) -> i16 {
        if self.to_send > 0 {
            POLLIN | POLLOUT
        } else {
            POLLIN
        }
    }

    /// One send and one receive, as far as the socket is ready; whether bytes left, and whether some came.
    fn turn(&mut self, count: &mut Count, ready: i16) -> io::Result<(bool, bool)> {
        let mut piece = [0; PIECE_BYTES];
        let mut left = 0;
        if ready & POLLOUT != 0 && self.to_send > 0 {
            let most = self.to_send.min(PIECE_BYTES);
            left = now(sys::send(count, self.fd.as_fd(), &piece[..most]))?;
            self.to_send -= left;
        }
        let mut came = 0;
        if ready & POLLIN != 0 {
            came = now(sys::recv(count, self.fd.as_fd(), &mut piece))?;
            self.received += came;
            if self.to_send > 0 {
                self.overlapping += came;
            }
        }
        Ok((left > 0, came > 0))
    }
}

/// "Not now" is 0 bytes.
fn now(answer: io::Result<usize>) -> io::Result<usize> {
    match answer {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        answer => answer,
    }
}

/// What a transfer was like.
struct Moved {
    turns: u64,
    /// Turns in which bytes went in both directions.
    both: u64,
    overlapping: usize,
    calls: u64,
}

/// Moves `bytes` each way. By request and reply the server begins when it has everything.
fn transfer(bytes: usize, at_once: bool) -> io::Result<Moved> {
    let (server, client) = small_pair(Mode::Nonblocking)?;
    let (mut client, mut server) = (End::new(client), End::new(server));
    let mut count = Count::new();
    let mut moved = Moved {
        turns: 0,
        both: 0,
        overlapping: 0,
        calls: 0,
    };
    client.to_send = bytes;
    let mut answered = at_once;
    if at_once {
        server.to_send = bytes;
    }
    while client.received < bytes || server.received < bytes {
        if !answered && server.received == bytes {
            answered = true;
            server.to_send = bytes;
        }
        let mut fds = [
            PollFd::new(client.fd.as_fd(), client.wanted()),
            PollFd::new(server.fd.as_fd(), server.wanted()),
        ];
        if to_its_end(PATIENCE, |left| sys::poll(&mut count, &mut fds, Some(left)))? == 0 {
            return Err(ErrorKind::TimedOut.into());
        }
        let ready = fds.map(|fd| fd.revents());
        let (to_server, from_server) = client.turn(&mut count, ready[0])?;
        let (to_client, from_client) = server.turn(&mut count, ready[1])?;
        moved.turns += 1;
        moved.both += u64::from((to_server || from_client) && (to_client || from_server));
    }
    moved.overlapping = client.overlapping + server.overlapping;
    moved.calls = count.counts().calls_total();
    Ok(moved)
}

fn both_ways(frame: &Frame, bytes: usize) -> io::Result<bool> {
    frame.say(format!(
        "Now {} KiB each way over one connection: first by request and reply, then both at once.",
        bytes >> 10
    ));
    let (half, full) = (transfer(bytes, false)?, transfer(bytes, true)?);
    let mut table = Table::new(
        "The same bytes by two rules",
        &[
            "rule",
            "turns",
            "with both directions",
            "bytes received while sending",
            "calls",
        ],
    );
    for (name, moved) in [("half duplex", &half), ("full duplex", &full)] {
        table.row([
            name.into(),
            moved.turns.into(),
            moved.both.into(),
            moved.overlapping.into(),
            moved.calls.into(),
        ]);
    }
    frame.table(table);
    frame.finding("half_overlapping_bytes", half.overlapping as u64);
    frame.finding("full_overlapping_bytes", full.overlapping as u64);
    frame.finding("half_turns", half.turns);
    frame.finding("full_turns", full.turns);
    frame.finding("transferred_bytes", 2 * bytes as u64);
    Ok(half.overlapping == 0 && full.overlapping > bytes)
}

/// Both ends write and neither reads: it ends when all four buffers are full.
fn nobody_reads(frame: &Frame) -> io::Result<bool> {
    frame.say("And what if both ends write first and want to read afterwards? Both send until the kernel takes no more:");
    let (server, client) = small_pair(Mode::Nonblocking)?;
    let piece = [0; PIECE_BYTES];
    let mut taken = 0;
    let mut stuck = 0;
    for fd in [client.as_fd(), server.as_fd()] {
        // The peer's kernel may still be taking some: full is what stays full.
        while let Some(count) = room(fd, &piece)? {
            taken += count;
        }
        stuck += 1;
    }
    let mut fds = [
        PollFd::new(client.as_fd(), POLLOUT),
        PollFd::new(server.as_fd(), POLLOUT),
    ];
    let ready = to_its_end(Duration::from_millis(50), |left| {
        sys::poll(&mut frame.calls("both"), &mut fds, Some(left))
    })?;
    frame.say(format!(
        "The kernel holds {taken} bytes, and neither end can write. With blocking sockets both would sleep now, for ever.",
    ));
    frame.finding("kernel_held_bytes", taken as u64);
    frame.finding("ends_stuck", stuck);
    frame.finding("ends_writable", ready as u64);
    Ok(ready == 0)
}

/// Sends once; `None` when the socket stays full.
fn room(fd: BorrowedFd<'_>, piece: &[u8]) -> io::Result<Option<usize>> {
    if !ready(&mut Silent, fd, POLLOUT, Duration::from_millis(50))? {
        return Ok(None);
    }
    now(sys::send(&mut Silent, fd, piece)).map(Some)
}

/// Greets every WebSocket; answers requests when they come.
#[derive(Clone)]
struct Greeter;

impl Handler for Greeter {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/ws" => reply.websocket(&request),
            _ => reply.text("you asked"),
        }
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.send_text("nobody asked");
    }
}

fn who_speaks_first(frame: &Frame) -> io::Result<(u64, u64)> {
    frame.say("The server wants to say something unasked. Over HTTP it has to wait for a request:");
    let server = Beside::start(Server::new(), Greeter)?;
    let http = HttpClient::connect(&mut frame.calls("client"), server.address())?;
    let unasked = waiting(frame, &http.stream)?;
    frame.say(
        "Over a WebSocket it speaks as soon as it is open; the client has sent no frame at all:",
    );
    let mut websocket = HttpClient::connect(&mut Silent, server.address())?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n",
        server.address()
    );
    websocket.send(&mut Silent, request.as_bytes())?;
    // The greeting may come together with the 101, in one segment and one recv.
    let calls = &mut frame.calls("client").text_max(256);
    let status = websocket.reply(calls)?.status;
    let greeting = websocket.bytes(calls, 2 + "nobody asked".len())?;
    frame.finding("websocket_status", status);
    frame.finding("http_bytes_unasked", unasked);
    frame.finding("websocket_bytes_unasked", greeting.len() as u64);
    server.stop()?;
    Ok((unasked, greeting.len() as u64))
}

/// How many bytes came within a while that a server on loopback never needs.
fn waiting(frame: &Frame, stream: &TcpStream) -> io::Result<u64> {
    let calls = &mut frame.calls("client");
    if !ready(calls, stream.as_fd(), POLLIN, Duration::from_millis(200))? {
        return Ok(0);
    }
    let mut bytes = [0; 256];
    Ok(sys::recv(&mut frame.calls("client"), stream.as_fd(), &mut bytes)? as u64)
}
