//! Lesson 2: everything is a file. A socket, a file, a pipe and a counter are numbers in one table; the same read(2) and
//! write(2) serve them all, and what one of them cannot do is an errno.
//!
//! ```text
//!   this process                       the kernel
//!   descriptor 3 ───────────────────▶  a TCP connection
//!   descriptor 4 ───────────────────▶  its other end
//!   descriptor 5 ───────────────────▶  a file on disk
//!   descriptor 6, 7 ────────────────▶  a pipe: read here, write there
//!   descriptor 8 ───────────────────▶  an eventfd: a counter
//! ```

use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use longshore::sys::{self, EPOLLIN, Family, Kind, Mode};
use nix::fcntl::{AT_FDCWD, OFlag, openat};

use super::Lesson;
use super::frame::{Calls, Frame};
use super::loopback::{self, verdict};
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 2,
    name: "files",
    about: "Everything is a file: descriptors, and one read(2) and write(2) for all of them",
    run,
};

/// As long as a counter, so that one buffer fits all.
const EIGHT: [u8; 8] = 7u64.to_ne_bytes();

/// Something to read and something to write; the same descriptor for most.
struct Thing {
    what: &'static str,
    reader: OwnedFd,
    writer: Option<OwnedFd>,
}

impl Thing {
    fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_ref().unwrap_or(&self.reader).as_fd()
    }
}

fn run(frame: &Frame) -> io::Result<()> {
    let calls = &mut frame.calls("");
    let things = things(frame, calls)?;
    let mut table = Table::new(
        "What each of them answers",
        &[
            "what",
            "number",
            "/proc/self/fd",
            "write",
            "read",
            "lseek",
            "recv",
            "epoll_ctl",
        ],
    );
    frame.say(
        "Each is told eight bytes by write(2) and asked for them by read(2): the same two calls.",
    );
    let mut written = Vec::new();
    for thing in &things {
        written.push(sys::write(calls, thing.writer(), &EIGHT));
        if thing.what == "file" {
            // The file has one position for both; the others have none.
            rewind(frame, &thing.reader)?;
        }
    }
    let mut read = Vec::new();
    for thing in &things {
        let mut bytes = [0; 8];
        let result = sys::read(calls, thing.reader.as_fd(), &mut bytes);
        read.push(result.map(|count| bytes[..count] == EIGHT));
    }
    let same = read.iter().filter(|it| matches!(it, Ok(true))).count();

    frame.say("Nothing is left to receive now, and recv would wait for it: each is told not to block, an eventfd and a pipe as a socket.");
    for thing in &things {
        sys::set_mode(calls, thing.reader.as_fd(), Mode::Nonblocking)?;
    }
    frame.say("What belongs to one kind only is refused by the others: a position, recv, waiting for readiness.");
    let epoll = sys::epoll_create1(calls)?;
    let mut with_position = 0;
    for (at, thing) in things.iter().enumerate() {
        let fd = thing.reader.as_fd();
        let sought = seek(frame, fd);
        let received = sys::recv(calls, fd, &mut [0; 8]);
        let watched = sys::epoll_ctl_add(calls, epoll.as_fd(), fd, EPOLLIN, 0);
        with_position += usize::from(matches!(sought, Ok(8)));
        let link = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let link = link.map_or_else(|error| error.to_string(), |it| it.display().to_string());
        if thing.what == "socket" {
            frame.finding("socket_link", link.as_str());
            frame.finding("socket_lseek", verdict(&sought));
        }
        if thing.what == "file" {
            frame.finding("file_recv", verdict(&received));
            frame.finding("file_epoll", verdict(&watched));
        }
        table.row([
            thing.what.into(),
            fd.as_raw_fd().into(),
            link.into(),
            verdict(&written[at]).into(),
            verdict(&read[at]).into(),
            sought
                .as_ref()
                .map_or_else(|_| verdict(&sought).into(), |at| at.to_string().into()),
            verdict(&received).into(),
            verdict(&watched).into(),
        ]);
    }
    frame.table(table);
    frame.finding("things", things.len());
    frame.finding("same_bytes_back", same);
    frame.finding("with_position", with_position);
    frame.conclude(
        same == things.len(),
        format!("All {same} gave back what they were given, by the same two calls: to read(2) a socket is a file."),
        format!("Only {same} of {} gave back what they were given.", things.len()),
    );
    frame.conclude(
        with_position == 1,
        "But only the file is at byte 8 now. Bytes of a socket are gone once they are read: it has no position, and \
         lseek answers ESPIPE, as a pipe's does (an eventfd's says 0 and means nothing). And a file is always ready, so \
         epoll does not take it (EPERM).",
        format!("{with_position} of them are at byte 8 after it; only the file should be."),
    );
    drop(things);
    numbers(frame, calls)
}

/// One of each kind, in the order of their numbers.
fn things(frame: &Frame, calls: &mut Calls) -> io::Result<Vec<Thing>> {
    frame.say("One of each: both ends of a TCP connection, a file, a pipe, a counter. The kernel answers with numbers.");
    let (client, server) = loopback::pair(calls)?;
    let file = unnamed_file(frame)?;
    let (reader, writer) = io::pipe()?;
    let ends = format!("[{}, {}]", reader.as_raw_fd(), writer.as_raw_fd());
    frame.made("", &format!("pipe2({ends}, O_CLOEXEC)"), Ok(0));
    let counter = sys::eventfd(calls)?;
    let thing = |what, reader, writer| Thing {
        what,
        reader,
        writer,
    };
    Ok(vec![
        thing("socket", client, Some(server)),
        thing("file", file, None),
        thing("pipe", reader.into(), Some(writer.into())),
        thing("eventfd", counter, None),
    ])
}

/// A file without a name: it is gone when its descriptor is, however the program ends.
fn unnamed_file(frame: &Frame) -> io::Result<OwnedFd> {
    let path = std::env::temp_dir().join(format!("longshore-lab-{}", std::process::id()));
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    let file = openat(AT_FDCWD, &path, flags, mode)?;
    fs::remove_file(&path)?;
    let text = format!(
        "openat(AT_FDCWD, \"{}\", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600)",
        path.display()
    );
    frame.made("", &text, Ok(file.as_raw_fd()));
    frame.made("", &format!("unlink(\"{}\")", path.display()), Ok(0));
    Ok(file)
}

/// Asks for the position.
fn seek(frame: &Frame, fd: BorrowedFd<'_>) -> io::Result<u64> {
    let text = format!("lseek({}, 0, SEEK_CUR)", fd.as_raw_fd());
    // The duplicate has the same position, and is closed here.
    let position = File::from(fd.try_clone_to_owned()?).stream_position();
    frame.made("", &text, position.as_ref().copied());
    position
}

fn rewind(frame: &Frame, fd: &OwnedFd) -> io::Result<()> {
    let result = File::from(fd.try_clone()?).rewind();
    let text = format!("lseek({}, 0, SEEK_SET)", fd.as_raw_fd());
    frame.made("", &text, result.as_ref().map(|()| 0));
    result
}

/// Which number a new descriptor gets.
fn numbers(frame: &Frame, calls: &mut Calls) -> io::Result<()> {
    frame.say("Numbers are taken anew: the lowest free one, whatever it stood for before.");
    let first = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let second = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let closed = first.as_raw_fd();
    sys::close(calls, first)?;
    let third = sys::eventfd(calls)?;
    let reused = third.as_raw_fd();
    sys::close(calls, second)?;
    sys::close(calls, third)?;
    frame.finding("closed_number", closed);
    frame.finding("next_number", reused);
    frame.conclude(
        closed == reused,
        format!(
            "Number {closed} was a TCP socket, was closed, and is an eventfd now. Whoever kept the number talks to \
             something else: lesson 18 shows what becomes of that, and Rust's OwnedFd is why it is rare here."
        ),
        format!("The closed number was {closed} and the next is {reused}: another thread was quicker."),
    );
    Ok(())
}
