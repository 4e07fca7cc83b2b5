//! Lesson 16: a slow reader, and who keeps the bytes.
//!
//! ```text
//!   our outbox  ──▶  send buffer  ──▶  window  ──▶  receive buffer  ──▶  a reader that does not read
//!   grows last       full third        0 second     full first
//! ```
//!
//! First with two bare sockets, so that the kernel's part can be seen alone. Then a server, whose part begins where the
//! kernel's ends: it has to wait, to drop, or to part, and the other clients must not notice. It does not know why a reader
//! is slow; neither does a server.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use longshore::client::{Error, Event, Options, WebSocket};
use longshore::sys::{self, Address, Mode, POLLOUT, Probe, Silent, SocketOption};
use longshore::{
    Handler, Limits, Replied, Reply, Request, Server, SlowPeer, Socket, Upgrade, http::Status, ws,
};

use super::Lesson;
use super::beside::{Beside, PATIENCE};
use super::frame::Frame;
use super::kernel;
use super::loopback::{pause, ready};
use super::report::Table;
use super::small_buffers::{BUFFER_BYTES, small_pair, small_socket};

pub(super) const LESSON: Lesson = Lesson {
    number: 16,
    name: "slow-reader",
    about: "A slow reader and backpressure: who keeps the bytes, and what a server can do",
    run,
};

const PIECE_BYTES: usize = 4096;
/// A message: its number and padding.
const MESSAGE_BYTES: usize = 1024;
/// Messages that are under way to the healthy client at once.
const BATCH: u64 = 16;

fn run(frame: &Frame) -> io::Result<()> {
    let kernel = bare_sockets(frame)?;
    let messages = frame.scale().pick(1_024, 4_096, 16_384);
    let ends = policies(frame, messages)?;

    frame.conclude(
        kernel.taken > 0 && kernel.at_sender > 0 && kernel.at_receiver > 0,
        format!(
            "send succeeded for {} bytes that nobody had read: {} of them were at the receiver's end, {} at the sender's. That \
             send took something says nothing about the reader.",
            kernel.taken, kernel.at_receiver, kernel.at_sender
        ),
        "The kernel's queues could not be seen filled; see the findings.",
    );
    frame.conclude(
        kernel.read_before_writable > PIECE_BYTES,
        format!(
            "One read by the reader did not make the writer ready: it took {} bytes. The kernel waits for real room, so that \
             both ends do not go on in crumbs.",
            kernel.read_before_writable
        ),
        "The writer was ready again after the first read.",
    );
    let healthy = ends.iter().all(|end| end.healthy == messages);
    frame.conclude(
        healthy && ends.iter().any(|end| end.slow < messages),
        format!(
            "The healthy client got all {messages} messages, whatever became of the slow one. A server reads the sign (send \
             says EAGAIN), keeps a bounded amount, and then follows a policy: it parts, drops what is new, drops what is old, or \
             keeps the newest of each key."
        ),
        "The slow client was not slow enough here, or the healthy one missed something; see the table.",
    );
    let bound = LIMITS_BYTES as u64;
    let held = ends.iter().map(|end| end.held_bytes).max().unwrap_or(0);
    frame.conclude(
        held <= bound,
        format!(
            "No slow client made the server keep more than {held} bytes. {bound} were allowed: {OUTBOX_BYTES} in messages that \
             wait, {HIGH_BYTES} on their way to the socket, a message beyond each, and a batch for the healthy client."
        ),
        format!("The server kept {held} bytes, more than the {bound} that its limits allow."),
    );
    Ok(())
}

/// What became of the bytes between two bare sockets.
struct Kept {
    taken: usize,
    at_sender: u32,
    at_receiver: u32,
    read_before_writable: usize,
}

fn bare_sockets(frame: &Frame) -> io::Result<Kept> {
    frame.say("Two ends of a connection with small buffers. One sends without waiting; the other does not read.");
    let (reader, writer) = small_pair(Mode::Nonblocking)?;
    let probes = kernel::counter("TCPWinProbe");
    let calls = &mut frame.calls("writer");
    let taken = fill(calls, writer.as_fd())?;
    frame.say(format!(
        "EAGAIN: after {taken} bytes the kernel takes no more. Where are they? /proc/net/tcp shows both ends' queues:"
    ));
    let (kept_at_sender, kept_at_receiver) = queues(writer.as_fd(), reader.as_fd(), taken)?;
    let mut table = Table::new("Who keeps the bytes", &["where", "bytes"]);
    table.row([
        "receive buffer of the reader".into(),
        kept_at_receiver.into(),
    ]);
    table.row(["send buffer of the writer".into(), kept_at_sender.into()]);
    table.row(["taken by send".into(), taken.into()]);
    frame.table(table);
    frame.finding("taken_bytes", taken);
    frame.finding("kept_at_sender_bytes", kept_at_sender);
    frame.finding("kept_at_receiver_bytes", kept_at_receiver);
    window_probes(frame, probes)?;
    // A probe that found room has taken bytes along.
    let more = if writable(writer.as_fd(), Duration::ZERO)? {
        fill(calls, writer.as_fd())?
    } else {
        0
    };
    frame.finding("taken_later_bytes", more);
    if more > 0 {
        frame.say(format!("One of them found room: {more} bytes more."));
    }
    let read_before_writable = drain(frame, reader.as_fd(), writer.as_fd(), taken + more)?;
    frame.finding("read_before_writable_bytes", read_before_writable);
    Ok(Kept {
        taken,
        at_sender: kept_at_sender,
        at_receiver: kept_at_receiver,
        read_before_writable,
    })
}

/// Waits until the writer's kernel asks whether the window has opened (RFC 9293 §3.8.6.1): that it was closed can be seen
/// from nothing else without looking at packets.
fn window_probes(frame: &Frame, before: Option<u64>) -> io::Result<()> {
    let Some(before) = before else {
        frame.refused("window probes", "this kernel does not show TCPWinProbe");
        return Ok(());
    };
    let begin = Instant::now();
    let mut count = 0;
    while count == 0 && begin.elapsed() < PATIENCE {
        pause(Duration::from_millis(20))?;
        count = kernel::counter("TCPWinProbe").map_or(0, |after| after.saturating_sub(before));
    }
    frame.finding("window_probes", count);
    frame.say(format!(
        "The reader's kernel has closed its window, so the writer's sends nothing, and asks now and then whether it has \
         opened: TCPWinProbe of /proc/net/netstat grew by {count}."
    ));
    Ok(())
}

/// Sends until the kernel takes no more, and keeps to it.
fn fill(probe: &mut impl Probe, writer: BorrowedFd<'_>) -> io::Result<usize> {
    let piece = [b'.'; PIECE_BYTES];
    let mut taken = 0;
    loop {
        match sys::send(probe, writer, &piece) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // Part may still be on its way to the other buffer, which makes room once more.
                if !writable(writer, Duration::from_millis(50))? {
                    return Ok(taken);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn writable(fd: BorrowedFd<'_>, patience: Duration) -> io::Result<bool> {
    ready(&mut Silent, fd, POLLOUT, patience)
}

/// The writer's send queue and the reader's receive queue, when they hold all that was taken.
fn queues(writer: BorrowedFd<'_>, reader: BorrowedFd<'_>, taken: usize) -> io::Result<(u32, u32)> {
    let begin = Instant::now();
    loop {
        let (sent, received) = queues_now(writer, reader)?;
        // What has arrived stands in both until it is acknowledged, and the two are not read in one moment.
        if (sent + received) as usize == taken || begin.elapsed() > PATIENCE {
            return Ok((sent, received));
        }
        pause(Duration::from_millis(20))?;
    }
}

fn queues_now(writer: BorrowedFd<'_>, reader: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let address = |fd| match sys::getsockname(&mut Silent, fd)? {
        Address::Inet(SocketAddr::V4(address)) => Ok(address),
        _ => Err(io::Error::other("a TCP socket over IPv4")),
    };
    let (writer, reader) = (address(writer)?, address(reader)?);
    let sockets = kernel::tcp_sockets(writer.port())?;
    // By both addresses: the port alone may also be that of connections in TIME_WAIT.
    let end = |local, remote| {
        let mut sockets = sockets.iter();
        let found = sockets.find(|socket| socket.local == local && socket.remote == remote);
        found.ok_or_else(|| io::Error::other("/proc/net/tcp does not show the connection"))
    };
    Ok((
        end(writer, reader)?.send_queue,
        end(reader, writer)?.receive_queue,
    ))
}

/// Reads everything in small pieces; how much had been read when the writer was ready again.
fn drain(
    frame: &Frame,
    reader: BorrowedFd<'_>,
    writer: BorrowedFd<'_>,
    all: usize,
) -> io::Result<usize> {
    frame.say("Now the reader reads, a little at a time. When is the writer ready again?");
    let calls = &mut frame.calls("reader");
    let (mut read, mut ready_after) = (0, None);
    let mut piece = [0; PIECE_BYTES];
    while read < all {
        read += sys::recv(calls, reader, &mut piece)?;
        if ready_after.is_none() && writable(writer, Duration::ZERO)? {
            ready_after = Some(read);
        }
    }
    frame.finding("read_bytes", read);
    frame.say(format!(
        "It read all {read} bytes; the writer was ready after {}.",
        ready_after.unwrap_or(read)
    ));
    Ok(ready_after.unwrap_or(read))
}

/// What may wait for a slow client in whole messages; then its policy acts.
const OUTBOX_BYTES: usize = 128 * 1024;
/// What may be on its way to the socket before messages begin to wait.
const HIGH_BYTES: usize = 32 * 1024;
/// A message as a frame: RFC 6455 §5.2, with 16 bits of length.
const FRAME_BYTES: usize = MESSAGE_BYTES + 4;
/// All that the server below may keep: both of these, each exceeded by the message that reached it, and what is under way
/// to the healthy client.
const LIMITS_BYTES: usize =
    OUTBOX_BYTES + HIGH_BYTES + 2 * FRAME_BYTES + BATCH as usize * FRAME_BYTES;

/// Every WebSocket gets the news; its path says what becomes of them when it does not read.
#[derive(Clone)]
struct News;

impl Handler for News {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let policy = POLICIES
            .iter()
            .find(|policy| policy.path.as_bytes() == request.path());
        let Some(policy) = policy else {
            return reply.error(Status::NOT_FOUND, "There is no such policy.");
        };
        let upgrade = Upgrade::new().on_slow_peer(policy.rule);
        reply
            .upgrade(&request, &upgrade)
            .expect("no field is no wrong field")
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, (): &mut ()) {
        if socket.subscribe("news", 0).is_ok() {
            socket.send_text("subscribed");
        }
    }
}

struct Policy {
    path: &'static str,
    rule: SlowPeer,
    /// Findings: messages of the slow client, the newest of them, those of the healthy one.
    findings: [&'static str; 3],
}

const POLICIES: [Policy; 4] = [
    Policy {
        path: "/disconnect",
        rule: SlowPeer::Disconnect,
        findings: ["disconnect_slow", "disconnect_newest", "disconnect_healthy"],
    },
    Policy {
        path: "/drop-newest",
        rule: SlowPeer::DropNewest,
        findings: [
            "drop_newest_slow",
            "drop_newest_newest",
            "drop_newest_healthy",
        ],
    },
    Policy {
        path: "/drop-oldest",
        rule: SlowPeer::DropOldest,
        findings: [
            "drop_oldest_slow",
            "drop_oldest_newest",
            "drop_oldest_healthy",
        ],
    },
    Policy {
        path: "/conflate",
        rule: SlowPeer::Conflate,
        findings: ["conflate_slow", "conflate_newest", "conflate_healthy"],
    },
];

/// What two clients of one policy got.
struct Outcome {
    slow: u64,
    newest: u64,
    healthy: u64,
    ended: String,
    held_bytes: u64,
}

fn policies(frame: &Frame, messages: u64) -> io::Result<Vec<Outcome>> {
    frame.say(format!(
        "Now a server that publishes {messages} numbered messages of {MESSAGE_BYTES} bytes to two clients. One reads each \
         batch of {BATCH} before the next is published, the other reads nothing until all are out. Beside {HIGH_BYTES} \
         bytes that are on their way to its socket, at most {OUTBOX_BYTES} wait for a client; then its policy says what happens."
    ));
    let progress = frame.progress("policies", POLICIES.len() as u64);
    let mut outcomes = Vec::new();
    for policy in &POLICIES {
        outcomes.push(under(policy, messages)?);
        progress.step(1);
    }
    drop(progress);
    let mut table = Table::new(
        "A client that does not read, by policy",
        &[
            "policy",
            "it got",
            "newest",
            "ended by",
            "other got",
            "most bytes kept",
        ],
    );
    for (policy, outcome) in POLICIES.iter().zip(&outcomes) {
        table.row([
            policy.path.trim_start_matches('/').into(),
            outcome.slow.into(),
            outcome.newest.into(),
            outcome.ended.as_str().into(),
            outcome.healthy.into(),
            outcome.held_bytes.into(),
        ]);
        let [slow, newest, healthy] = policy.findings;
        frame.finding(slow, outcome.slow);
        frame.finding(newest, outcome.newest);
        frame.finding(healthy, outcome.healthy);
    }
    frame.table(table);
    let held = outcomes.iter().map(|outcome| outcome.held_bytes).max();
    frame.finding("messages", messages);
    frame.finding("held_bytes_max", held.unwrap_or(0));
    frame.finding("held_bytes_allowed", LIMITS_BYTES);
    Ok(outcomes)
}

fn under(policy: &Policy, messages: u64) -> io::Result<Outcome> {
    let limits = Limits {
        outbox_high_bytes: HIGH_BYTES,
        outbox_low_bytes: 8 * 1024,
        outbox_bytes_max: OUTBOX_BYTES,
        ..Limits::default()
    };
    let server = Server::new()
        .limits(limits)
        .socket_option(SocketOption::SendBuffer(BUFFER_BYTES));
    let server = Beside::start(server, News)?;
    let mut healthy = subscriber(server.address(), policy)?;
    let mut slow = subscriber(server.address(), policy)?;
    let mut held_bytes = 0;
    let (mut number, mut got) = (0, 0);
    while number < messages {
        for _ in 0..BATCH.min(messages - number) {
            number += 1;
            let text = format!("{number:0MESSAGE_BYTES$}");
            let published = server.publisher().publish_keyed(
                "news",
                ws::Kind::Text,
                text.as_bytes(),
                // Four things that have a newest value each.
                Some(number % 4),
            );
            published.map_err(io::Error::other)?;
        }
        while got < number {
            got = next_number(&mut healthy)?;
        }
        held_bytes = held_bytes.max(server.ledger().figures().held_bytes);
    }
    // In order: what waits is sent, and then the Close.
    server.ask_to_end();
    let mut outcome = read_to_the_end(&mut slow);
    outcome.healthy = got;
    outcome.held_bytes = held_bytes;
    server.stop()?;
    Ok(outcome)
}

fn subscriber(to: SocketAddr, policy: &Policy) -> io::Result<WebSocket<TcpStream>> {
    let fd = small_socket()?;
    sys::connect(&mut Silent, fd.as_fd(), &Address::Inet(to))?;
    let stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(PATIENCE))?;
    let uri = format!("ws://{to}{}", policy.path);
    let mut socket =
        WebSocket::handshake(stream, &uri, &Options::default()).map_err(io::Error::other)?;
    match socket.next().map_err(io::Error::other)? {
        Event::Text("subscribed") => Ok(socket),
        other => Err(io::Error::other(format!("not subscribed: {other:?}"))),
    }
}

fn next_number(socket: &mut WebSocket<TcpStream>) -> io::Result<u64> {
    match socket.next().map_err(io::Error::other)? {
        Event::Text(text) => text.parse().map_err(io::Error::other),
        other => Err(io::Error::other(format!("a number, not {other:?}"))),
    }
}

/// Reads what is left for a client that has read nothing.
fn read_to_the_end(socket: &mut WebSocket<TcpStream>) -> Outcome {
    let (mut slow, mut newest) = (0, 0);
    let ended = loop {
        match socket.next() {
            Ok(Event::Text(text)) => {
                slow += 1;
                newest = newest.max(text.parse().unwrap_or(0));
            }
            Ok(Event::Closed(code, _)) => {
                break code.map_or("Close".to_owned(), |code| {
                    format!("Close {}", code.number())
                });
            }
            Ok(_) => {}
            Err(Error::Read(error)) if error.kind() == ErrorKind::ConnectionReset => {
                break "a reset".to_owned();
            }
            Err(error) => break error.to_string(),
        }
    };
    Outcome {
        slow,
        newest,
        healthy: 0,
        ended,
        held_bytes: 0,
    }
}
