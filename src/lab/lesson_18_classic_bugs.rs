//! Lesson 18: four classic bugs, each shown failing and then mended.
//!
//! ```text
//!   lost edge           EPOLLET tells of news once; what was not read then is never announced again
//!   short write         send takes a part and says how much; the rest is the caller's
//!   reused descriptor   a closed number is the next socket's number
//!   close in flight     close gives the number back, not the file that an operation holds
//! ```
//!
//! Each is small enough to be seen whole, and each has cost somebody a night. The third cannot be written with this crate:
//! descriptors are owned there. It is written with bare numbers here, as C programs have them.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use longshore::sys::{
    self, Address, EPOLLET, EPOLLIN, EpollEvent, Family, Kind, Mode, POLLIN, POLLOUT, Silent,
};
use nix::sys::socket::{MsgFlags, send};

use super::Lesson;
use super::beside::PATIENCE;
use super::frame::Frame;
use super::loopback::{ready, to_its_end};
use super::report::{Table, Value};
use super::small_buffers::small_pair;

pub(super) const LESSON: Lesson = Lesson {
    number: 18,
    name: "classic-bugs",
    about: "Lost edge, ignored short write, reused descriptor, close in flight: failing, then mended",
    run,
};

/// How long nothing has to happen until we believe that nothing will. On loopback everything is there at once.
const SILENCE: Duration = Duration::from_millis(100);

fn run(frame: &Frame) -> io::Result<()> {
    let mut table = Table::new(
        "Failing and mended",
        &["bug", "what is wrong", "failing", "mended"],
    );
    for bug in [lost_edge, short_write, reused_descriptor] {
        table.row(bug(frame)?);
    }
    if let Some(row) = close_in_flight(frame)? {
        table.row(row);
    }
    frame.table(table);
    Ok(())
}

type Row = [Value; 4];

/// Bytes lie there, and nobody is told: `epoll(7)`, "level-triggered and edge-triggered".
fn lost_edge(frame: &Frame) -> io::Result<Row> {
    frame.say(
        "Lost edge. 8 KiB arrive at a socket that is watched with EPOLLET. The program reads 1 KiB for each announcement, \
         answers it, and waits for the next one:",
    );
    let failing = left_behind(frame, EPOLLET, false)?;
    frame.say(format!(
        "epoll_wait says nothing more, though {failing} bytes lie there: an edge is told once. Mended: read until EAGAIN."
    ));
    let mended = left_behind(frame, EPOLLET, true)?;
    frame.say("The other way to mend it: level-triggered. The same reads of 1 KiB, announced again and again:");
    let level = left_behind(frame, 0, false)?;
    frame.finding("lost_edge_left_bytes", failing);
    frame.finding("drained_left_bytes", mended);
    frame.finding("level_triggered_left_bytes", level);
    frame.conclude(
        failing > 0 && mended == 0 && level == 0,
        "An edge-triggered socket must be read until EAGAIN, or remembered as still readable; a level-triggered one reminds.",
        "No edge was lost here; see the findings.",
    );
    Ok([
        "lost edge".into(),
        "bytes never read".into(),
        failing.into(),
        mended.into(),
    ])
}

/// Reads as it is told, and answers what is left when epoll says nothing more.
fn left_behind(frame: &Frame, trigger: u32, drain: bool) -> io::Result<usize> {
    const ALL: usize = 8 * 1024;
    let (reader, writer) = small_pair(Mode::Nonblocking)?;
    let calls = &mut frame.calls("server");
    let epoll = sys::epoll_create1(&mut Silent)?;
    sys::epoll_ctl_add(calls, epoll.as_fd(), reader.as_fd(), EPOLLIN | trigger, 1)?;
    send_all(&writer, &[b'.'; ALL])?;
    let (mut read, mut bytes) = (0, [0; 1024]);
    let mut events = [EpollEvent::default(); 4];
    loop {
        // A wait that ends early is no silence.
        let count = to_its_end(SILENCE, |left| {
            sys::epoll_wait(calls, epoll.as_fd(), &mut events, Some(left))
        })?;
        if count == 0 {
            return Ok(ALL - read);
        }
        loop {
            match sys::recv(calls, reader.as_fd(), &mut bytes) {
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            if !drain {
                break;
            }
        }
    }
}

/// Sends all, waiting for room: what a writer has to do.
fn send_all(fd: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sys::send(&mut Silent, fd.as_fd(), bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !wait(fd.as_fd(), POLLOUT, PATIENCE)? {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait(fd: BorrowedFd<'_>, events: i16, patience: Duration) -> io::Result<bool> {
    ready(&mut Silent, fd, events, patience)
}

/// Three records of one letter each; the caller believes that send takes everything, or looks.
fn short_write(frame: &Frame) -> io::Result<Row> {
    const RECORD: usize = 256 * 1024;
    frame.say(format!(
        "Short write. Three records of {} KiB go out, each with one send on a socket that does not block:",
        RECORD >> 10
    ));
    let (reader, writer) = small_pair(Mode::Nonblocking)?;
    let calls = &mut frame.calls("writer");
    for letter in *b"abc" {
        // The bug: neither the count nor EAGAIN is looked at.
        let _ = sys::send(calls, writer.as_fd(), &vec![letter; RECORD]);
    }
    drop(writer);
    let failing = 3 * RECORD - whole(&reader, None, &[])?.len();
    frame.say(format!(
        "{failing} bytes were never sent, and no call has failed but with EAGAIN: the reader takes the second record for the \
         rest of the first. Mended: keep what send did not take, and go on when the socket is writable."
    ));
    let (reader, writer) = small_pair(Mode::Nonblocking)?;
    let records: Vec<u8> = b"abc"
        .iter()
        .flat_map(|&letter| vec![letter; RECORD])
        .collect();
    let received = whole(&reader, Some(writer), &records)?;
    let mended = 3 * RECORD - received.len();
    frame.finding("short_write_lost_bytes", failing);
    frame.finding("short_write_mended_lost_bytes", mended);
    frame.finding("short_write_mended_equal", received == records);
    frame.conclude(
        failing > 0 && received == records,
        "send answers how much it took. Whoever does not look loses bytes exactly when the reader is slow, which is to say \
         not in tests and not on a quiet day.",
        "Every send took everything here, so nothing was lost.",
    );
    Ok([
        "ignored short write".into(),
        "bytes lost".into(),
        failing.into(),
        mended.into(),
    ])
}

/// Reads to the end, while the writer (if there is one) sends as it should: the rest when there is room.
fn whole(reader: &OwnedFd, mut writer: Option<OwnedFd>, mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let (mut received, mut bytes) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        if let Some(fd) = writer.take_if(|_| rest.is_empty()) {
            drop(fd); // everything is sent: the end
        }
        if let Some(fd) = &writer {
            match sys::send(&mut Silent, fd.as_fd(), rest) {
                Ok(count) => rest = &rest[count..],
                // Room comes from the reads below.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if !wait(reader.as_fd(), POLLIN, PATIENCE)? {
            return Err(ErrorKind::TimedOut.into());
        }
        match sys::recv(&mut Silent, reader.as_fd(), &mut bytes)? {
            0 => return Ok(received),
            count => received.extend_from_slice(&bytes[..count]),
        }
    }
}

/// Whoever remembers a number remembers a place, not who sits there.
fn reused_descriptor(frame: &Frame) -> io::Result<Row> {
    frame.say("Reused descriptor. A server remembers Ada's connection by its number, and closes it when she goes:");
    let listener = sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let anywhere: Address = "127.0.0.1:0".parse().map_err(io::Error::other)?;
    sys::bind(&mut Silent, listener.as_fd(), &anywhere)?;
    sys::listen(&mut Silent, listener.as_fd(), 2)?;
    let address = sys::getsockname(&mut Silent, listener.as_fd())?;
    // Both clients live in this process too: their numbers are taken before the game begins.
    let [ada, bob] = [new_client()?, new_client()?];
    let calls = &mut frame.calls("server");
    sys::connect(&mut Silent, ada.as_fd(), &address)?;
    let number = sys::accept4(calls, listener.as_fd(), Mode::Nonblocking)?.into_raw_fd();
    close_number(frame, number)?;
    frame.say("Bob comes. accept gives the lowest number that is free:");
    sys::connect(&mut Silent, bob.as_fd(), &address)?;
    let bobs = sys::accept4(calls, listener.as_fd(), Mode::Nonblocking)?.into_raw_fd();
    frame.finding("number_is_reused", bobs == number);
    frame.say("A job that was begun for Ada is done, and goes to the number that it remembers. Then she is closed once more:");
    let secret = b"for Ada only";
    let sent = send(number, secret, MsgFlags::MSG_NOSIGNAL).map_err(io::Error::from);
    frame.made(
        "server",
        &format!("send({number}, \"for Ada only\", 12, MSG_NOSIGNAL)"),
        sent.as_ref().copied(),
    );
    close_number(frame, number)?;
    let calls = &mut frame.calls("bob");
    let mut bytes = [0; 64];
    sys::set_mode(&mut Silent, bob.as_fd(), Mode::Nonblocking)?;
    wait(bob.as_fd(), POLLIN, PATIENCE)?;
    let leaked = arrived(sys::recv(calls, bob.as_fd(), &mut bytes))?;
    let cut_off = matches!(sys::recv(calls, bob.as_fd(), &mut bytes), Ok(0));
    frame.finding("reused_leaked_bytes", leaked);
    frame.finding("reused_bob_cut_off", cut_off);

    frame.say("Mended: the server remembers a place *and* which time it was taken. The second time it is another token:");
    let (leaked_mended, refused) = with_generations()?;
    frame.finding("generation_leaked_bytes", leaked_mended);
    frame.finding("generation_refused", refused);
    frame.conclude(
        leaked > 0 && cut_off && leaked_mended == 0 && refused == 2,
        "A number that was closed belongs to whoever comes next: one stale send told Bob what was Ada's, and one stale close \
         cut him off. A generation beside the number makes both a miss; an owned descriptor does not even compile.",
        "The number was not given to the next connection, so nobody was hit.",
    );
    Ok([
        "reused descriptor".into(),
        "another client's bytes".into(),
        leaked.into(),
        leaked_mended.into(),
    ])
}

fn new_client() -> io::Result<OwnedFd> {
    sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Blocking)
}

fn close_number(frame: &Frame, number: RawFd) -> io::Result<()> {
    let closed = nix::unistd::close(number).map_err(io::Error::from);
    frame.made(
        "server",
        &format!("close({number})"),
        closed.as_ref().map(|()| 0),
    );
    closed
}

/// Bytes that came, 0 where none are there.
fn arrived(answer: io::Result<usize>) -> io::Result<usize> {
    match answer {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        answer => answer,
    }
}

/// A table of connections whose tokens carry a generation; bytes that reached Bob, and stale uses that were refused.
fn with_generations() -> io::Result<(usize, u32)> {
    let (bob, at_server) = small_pair(Mode::Nonblocking)?;
    let mut places = Places::default();
    let (_ada, adas) = small_pair(Mode::Nonblocking)?;
    let ada = places.open(adas);
    places.close(ada);
    let _bob = places.open(at_server);
    let mut refused = 0;
    match places.find(ada) {
        Some(fd) => drop(sys::send(&mut Silent, fd, b"for Ada only")?),
        None => refused += 1,
    }
    if !places.close(ada) {
        refused += 1;
    }
    let leaked = arrived(sys::recv(&mut Silent, bob.as_fd(), &mut [0; 64]))?;
    Ok((leaked, refused))
}

/// One place, which is enough to see it reused.
#[derive(Default)]
struct Places {
    generation: u32,
    open: Option<OwnedFd>,
}

impl Places {
    fn open(&mut self, fd: OwnedFd) -> u32 {
        self.open = Some(fd);
        self.generation
    }

    fn find(&self, token: u32) -> Option<BorrowedFd<'_>> {
        let fd = self.open.as_ref()?;
        (token == self.generation).then(|| fd.as_fd())
    }

    /// Whether it was this one that was closed.
    fn close(&mut self, token: u32) -> bool {
        let ours = token == self.generation && self.open.take().is_some();
        self.generation += u32::from(ours);
        ours
    }
}

/// close(2) of a socket on which a ring's receive is armed.
#[cfg(feature = "io-uring")]
fn close_in_flight(frame: &Frame) -> io::Result<Option<Row>> {
    use longshore::sys::{How, RingReceive};

    frame.say("Close with an operation in flight. A ring waits for bytes of a socket, and the server closes it:");
    let (server, client) = small_pair(Mode::Nonblocking)?;
    let mut receive = match RingReceive::submit(&mut frame.calls("server"), server.as_fd(), 64) {
        Ok(receive) => receive,
        Err(error) => {
            frame.refused("io_uring", error);
            return Ok(None);
        }
    };
    frame.say("The receive is with the kernel. close succeeds:");
    sys::close(&mut frame.calls("server"), server)?;
    let told = wait(client.as_fd(), POLLIN, SILENCE)?;
    frame.say(format!(
        "The client has {}. It says something, and the receive of the closed descriptor gets it:",
        if told {
            "seen the end"
        } else {
            "seen no end: the ring still holds the file"
        }
    ));
    sys::send(
        &mut frame.calls("client"),
        client.as_fd(),
        b"anybody there?",
    )?;
    let after = completed(frame, &mut receive)?;
    frame.finding("close_in_flight_peer_saw_the_end", told);
    frame.finding("received_after_close_bytes", after);

    frame.say("Mended: shutdown first. The receive ends with 0, the client sees the end, and then the number is given back:");
    let (server, client) = small_pair(Mode::Nonblocking)?;
    let mut receive = RingReceive::submit(&mut frame.calls("server"), server.as_fd(), 64)?;
    sys::shutdown(&mut frame.calls("server"), server.as_fd(), How::Both)?;
    let mended = completed(frame, &mut receive)?;
    sys::close(&mut frame.calls("server"), server)?;
    let told_mended = wait(client.as_fd(), POLLIN, PATIENCE)?;
    frame.finding("received_after_shutdown_bytes", mended);
    frame.finding("shutdown_peer_saw_the_end", told_mended);
    frame.conclude(
        !told && after > 0 && mended == 0 && told_mended,
        "close gives a number back; the file lives as long as an operation holds it. Until the last completion a connection's \
         memory is the kernel's too: shut down, cancel, wait for the completion, then free.",
        "close ended the operation here, so nothing came after it.",
    );
    Ok(Some([
        "close in flight".into(),
        "bytes received after close".into(),
        after.into(),
        mended.into(),
    ]))
}

/// Waits for the receive's end, and says how many bytes it brought.
#[cfg(feature = "io-uring")]
fn completed(frame: &Frame, receive: &mut sys::RingReceive) -> io::Result<usize> {
    let begin = Instant::now();
    let ended = loop {
        let left = PATIENCE.saturating_sub(begin.elapsed());
        let ended = receive.wait(&mut frame.calls("server"), left)?;
        // Neither does this wait always last as long as it was meant.
        if ended.is_some() || left.is_zero() {
            break ended;
        }
    };
    let ended = ended.unwrap_or_else(|| Err(ErrorKind::TimedOut.into()));
    let count = ended.map(|bytes| bytes.len());
    frame.made("server", "[cqe] recv", count.as_ref().copied());
    count
}

#[cfg(not(feature = "io-uring"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
fn close_in_flight(frame: &Frame) -> io::Result<Option<Row>> {
    frame.refused(
        "io_uring",
        "this program was built without the feature io-uring",
    );
    Ok(None)
}
