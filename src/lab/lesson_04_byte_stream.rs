//! Lesson 4: a byte stream without borders. TCP delivers bytes in order, not messages: writes arrive joined, or cut, and
//! a write itself may take less than it was given. A length in front of each message brings the borders back.
//!
//! ```text
//!   write "one" ─┐
//!   write "two" ─┼─▶  …onetwothree…  ─▶  read "onetwothree"         joined
//!   write "three"┘
//!   write 1 MiB ───▶  ▒▒▒▒▒▒▒▒▒▒▒▒▒  ─▶  read 64 KiB, 32 KiB, …     cut
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use longshore::sys::{self, Mode, POLLIN, POLLOUT, Probe, Silent, SocketOption};

use super::Lesson;
use super::frame::Frame;
use super::kernel;
use super::loopback::{self, PATIENCE, settled, times, v4};
use super::report::Table;
use super::threads;

pub(super) const LESSON: Lesson = Lesson {
    number: 4,
    name: "byte-stream",
    about: "A byte stream without borders: partial reads, short writes, and a length prefix against both",
    run,
};

/// What the kernel is asked to buffer; it doubles the figure for its own bookkeeping.
const BUFFER: usize = 32 * 1024;

fn run(frame: &Frame) -> io::Result<()> {
    joined(frame)?;
    cut(frame)?;
    short_writes(frame)?;
    with_lengths(frame)
}

/// Ten writes, and the reads that bring them.
fn joined(frame: &Frame) -> io::Result<()> {
    const WRITES: usize = 10;
    let (client, server) = loopback::pair(&mut Silent)?;
    sys::setsockopt(&mut Silent, client.as_fd(), &SocketOption::NoDelay(true))?;
    frame.say(format!(
        "The client writes {WRITES} lines, each at once (TCP_NODELAY). Then the server reads."
    ));
    let mut sent = 0;
    for line in 0..WRITES {
        let text = format!("line {line}\n");
        sent += sys::write(&mut frame.calls("client"), client.as_fd(), text.as_bytes())?;
    }
    let (mut reads, mut received) = (0, 0);
    while received < sent {
        received += sys::read(&mut frame.calls("server"), server.as_fd(), &mut [0; 4096])?;
        reads += 1;
    }
    frame.finding("small_writes", WRITES);
    frame.finding("small_reads", reads);
    frame.conclude(
        reads < WRITES,
        format!("{WRITES} writes arrived in {}: the borders between them are nowhere.", times(reads, "read")),
        format!("{WRITES} writes arrived in {reads} reads, this time: the reader was as quick as the writer."),
    );
    Ok(())
}

/// One write, and the reads that bring it.
fn cut(frame: &Frame) -> io::Result<()> {
    let bytes: usize = frame.scale().pick(1, 4, 64) << 20;
    let (client, server) = loopback::pair(&mut Silent)?;
    small_buffers(&client, &server)?;
    frame.say(format!(
        "The client writes {} MiB with one call; the server has room for as much in one read.",
        bytes >> 20
    ));
    let mut client_calls = frame.calls("client");
    let writer = threads::start(move || {
        let payload = vec![b'x'; bytes];
        // A write that blocks returns when the kernel has taken the last byte.
        let taken = sys::write(&mut client_calls, client.as_fd(), &payload)?;
        sys::close(&mut client_calls, client)?;
        Ok::<usize, io::Error>(taken)
    })?;
    let mut server_calls = frame.calls("server");
    let (mut room, mut reads) = (vec![0; bytes], Vec::new());
    loop {
        match sys::read(&mut server_calls, server.as_fd(), &mut room)? {
            0 => break,
            count => reads.push(count),
        }
    }
    let written = writer
        .join()
        .map_err(|_| io::Error::other("the writer panicked"))??;
    let received: usize = reads.iter().sum();
    let (least, most) = (reads.iter().min().copied(), reads.iter().max().copied());
    let mut table = Table::new(
        "One write, seen from the other end",
        &[
            "written bytes",
            "reads",
            "shortest read",
            "longest read",
            "read bytes",
        ],
    );
    let (least, most) = (least.unwrap_or(0), most.unwrap_or(0));
    table.row([
        written.into(),
        reads.len().into(),
        least.into(),
        most.into(),
        received.into(),
    ]);
    frame.table(table);
    frame.finding("large_write_bytes", written);
    frame.finding("large_write_reads", reads.len());
    frame.finding("large_read_bytes", received);
    frame.conclude(
        reads.len() > 1 && received == written,
        format!(
            "One write arrived in {}, none with more than {most} bytes: a read takes what has come, so read until \
             what you wait for is whole.",
            times(reads.len(), "read")
        ),
        format!("One write of {written} bytes arrived in {}: {received} bytes.", times(reads.len(), "read")),
    );
    Ok(())
}

/// A write that does not block takes what fits, and says how much that was.
fn short_writes(frame: &Frame) -> io::Result<()> {
    const BYTES: usize = 1 << 20;
    let (client, server) = loopback::pair(&mut Silent)?;
    small_buffers(&client, &server)?;
    frame.say(
        "The client does not block now, and the server does not read: a full buffer at either end.",
    );
    sys::set_mode(
        &mut frame.calls("client"),
        client.as_fd(),
        Mode::Nonblocking,
    )?;
    let payload: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
    let first = sys::write(&mut frame.calls("client"), client.as_fd(), &payload)?;
    let mut taken = first;
    let refused = loop {
        match sys::write(
            &mut frame.calls("client"),
            client.as_fd(),
            &payload[taken..],
        ) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
    };
    where_they_are(frame, &client, &server, taken)?;
    frame.finding("short_asked", BYTES);
    frame.finding("short_first", first);
    frame.finding(
        "short_then",
        refused.raw_os_error().map_or("", sys::errno_name),
    );
    frame.say("The server reads, poll says when there is room again, and the client goes on where it was stopped.");
    let (mut received, mut writes, mut room) = (Vec::new(), 0, [0; 16 * 1024]);
    while received.len() < BYTES {
        if taken < BYTES
            && loopback::ready(
                &mut frame.calls("client"),
                client.as_fd(),
                POLLOUT,
                Duration::ZERO,
            )?
        {
            taken += sys::write(
                &mut frame.calls("client"),
                client.as_fd(),
                &payload[taken..],
            )?;
            writes += 1;
        }
        if !loopback::ready(&mut Silent, server.as_fd(), POLLIN, PATIENCE)? {
            break;
        }
        let count = sys::read(&mut frame.calls("server"), server.as_fd(), &mut room)?;
        received.extend_from_slice(&room[..count]);
    }
    let whole = received == payload;
    frame.finding("short_writes_more", writes);
    frame.finding("short_all_arrived", whole);
    frame.conclude(
        first < BYTES && whole,
        format!(
            "write was asked for {BYTES} bytes and took {first}. That is no error: its answer says where to go on. \
             {} later all bytes were there, in order.",
            times(writes, "write")
        ),
        format!("write took {first} of {BYTES} bytes; all arrived in order: {whole}."),
    );
    Ok(())
}

/// Where bytes are that the kernel took and nobody has read.
fn where_they_are(
    frame: &Frame,
    client: &OwnedFd,
    server: &OwnedFd,
    taken: usize,
) -> io::Result<()> {
    let client = v4(&sys::getsockname(&mut Silent, client.as_fd())?)?;
    let server = v4(&sys::getsockname(&mut Silent, server.as_fd())?)?;
    let (mut sending, mut receiving) = (0, 0);
    settled(&taken, || {
        // By both names: an old connection may have had the same port of the client's (lesson 3).
        let sockets = kernel::tcp_sockets(client.port())?;
        let end = |local, remote| {
            let mut ends = sockets.iter();
            ends.find(|socket| (socket.local, socket.remote) == (local, remote))
        };
        sending = end(client, server).map_or(0, |socket| socket.send_queue as usize);
        receiving = end(server, client).map_or(0, |socket| socket.receive_queue as usize);
        Ok(sending + receiving)
    })?;
    let mut table = Table::new(
        "Where the bytes wait, from /proc/net/tcp",
        &[
            "taken by write",
            "the client's send queue",
            "the server's receive queue",
        ],
    );
    table.row([taken.into(), sending.into(), receiving.into()]);
    frame.table(table);
    frame.finding("taken", taken);
    frame.finding("in_send_queue", sending);
    frame.finding("in_receive_queue", receiving);
    frame.conclude(
        sending + receiving == taken,
        "Every byte that write took is in one of the two kernels: behind the sender because the receiver's window is \
         closed, or before the reader.",
        format!("{taken} bytes were taken, and {} are in the queues.", sending + receiving),
    );
    Ok(())
}

/// Messages over a stream: first by faith that a read is a message, then by their lengths.
fn with_lengths(frame: &Frame) -> io::Result<()> {
    let count = frame.scale().pick(200, 2_000, 50_000);
    frame.say(format!(
        "{count} messages of 0 to 900 bytes, each with its length in front (2 bytes), in writes of any size. One reader \
         takes every read for a message; the other counts bytes."
    ));
    let messages: Vec<Vec<u8>> = (0..count).map(message).collect();
    let mut stream = Vec::new();
    for message in &messages {
        stream.extend_from_slice(&(message.len() as u16).to_be_bytes());
        stream.extend_from_slice(message);
    }
    let (client, server) = loopback::pair(&mut Silent)?;
    let mut client_calls = frame.calls("client");
    let writer = threads::start(move || {
        // Pieces of 1 to 2000 bytes, the same ones each time.
        for (at, piece) in pieces(&stream).enumerate() {
            write_all(&mut client_calls, client.as_fd(), piece)?;
            if at.is_multiple_of(16) {
                thread::yield_now();
            }
        }
        sys::close(&mut client_calls, client)
    })?;
    let (mut reads, mut believed, mut room) = (0_usize, 0_usize, [0; 2048]);
    let (mut inbox, mut decoded) = (Vec::new(), Vec::new());
    let mut server_calls = frame.calls("server");
    loop {
        let read = match sys::read(&mut server_calls, server.as_fd(), &mut room)? {
            0 => break,
            read => &room[..read],
        };
        reads += 1;
        // The believer is right when a read happens to be exactly one message.
        let mut one = read.to_vec();
        believed += usize::from(take_message(&mut one).is_some() && one.is_empty());
        inbox.extend_from_slice(read);
        while let Some(message) = take_message(&mut inbox) {
            decoded.push(message);
        }
    }
    writer
        .join()
        .map_err(|_| io::Error::other("the writer panicked"))??;
    let right = decoded == messages && inbox.is_empty();
    let mut table = Table::new(
        "Messages that came out whole",
        &["reader", "reads", "messages", "of"],
    );
    table.row([
        "a read is a message".into(),
        reads.into(),
        believed.into(),
        count.into(),
    ]);
    table.row([
        "by their lengths".into(),
        reads.into(),
        decoded.len().into(),
        count.into(),
    ]);
    frame.table(table);
    frame.finding("messages", count);
    frame.finding("messages_by_reads", believed);
    frame.finding("messages_by_lengths", decoded.len());
    frame.finding("messages_all_equal", right);
    frame.conclude(
        right && believed < count,
        format!(
            "By its length every message came out whole and in order; a reader that trusts in reads got {believed} of \
             {count}. HTTP has Content-Length and chunks for this, WebSocket a length in each frame's header."
        ),
        format!("All whole and in order by lengths: {right}; by reads {believed} of {count}."),
    );
    Ok(())
}

/// Message number `at`: its length and content follow from the number.
fn message(at: usize) -> Vec<u8> {
    vec![(at % 256) as u8; at * 7919 % 901]
}

/// Cuts where no message ends but by chance.
fn pieces(mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0_usize..).map_while(move |at| {
        let (piece, rest) = stream.split_at(stream.len().min(1 + at * 613 % 2_000));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Takes a message off the front: a length of two bytes, then as many bytes. `None`: it is not whole yet.
fn take_message(inbox: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (length, rest) = inbox.split_first_chunk::<2>()?;
    let message = rest.get(..u16::from_be_bytes(*length) as usize)?.to_vec();
    inbox.drain(..2 + message.len());
    Some(message)
}

fn write_all(probe: &mut impl Probe, fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        bytes = &bytes[sys::write(probe, fd, bytes)?..];
    }
    Ok(())
}

/// Buffers that fill soon, and do not grow.
fn small_buffers(client: &OwnedFd, server: &OwnedFd) -> io::Result<()> {
    sys::setsockopt(
        &mut Silent,
        client.as_fd(),
        &SocketOption::SendBuffer(BUFFER),
    )?;
    sys::setsockopt(
        &mut Silent,
        server.as_fd(),
        &SocketOption::ReceiveBuffer(BUFFER),
    )
}
