//! Lesson 8: Nagle's algorithm and delayed acknowledgements. Each saves packets; together they wait for each other.
//!
//! ```text
//!   client                                       server
//!   write(head) ──────── head ─────────▶         read: not whole yet, so nothing to answer
//!   write(body)   held: head is not              ACK   held: perhaps a reply will carry it
//!                 acknowledged (Nagle)                 (delayed ACK, 40 ms or more)
//!               ◀──────── ACK ──────────         … the timer ends
//!               ───────── body ────────▶         read: whole
//!   read        ◀──────── reply ────────         write
//! ```

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use longshore::sys::{self, Count, Probe, Silent, SocketOption};
use socket2::SockRef;

use super::Lesson;
use super::frame::Frame;
use super::loopback::{self, median};
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 8,
    name: "nagle",
    about: "Nagle's algorithm and delayed acknowledgements: the pause of 40 ms, and four ways out",
    run,
};

const HEAD: &[u8] = b"PUT /x 6\r\n";
const BODY: &[u8] = b"cargo!";
const REPLY: &[u8] = b"done";

/// A pause that long is no scheduling of this machine, as a rule, but a timer of the kernel's.
const STALL: Duration = Duration::from_millis(20);

/// How a request of two parts is sent.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    WriteWrite,
    NoDelay,
    Writev,
    More,
    QuickAck,
}

const WAYS: [(Way, &str); 5] = [
    (Way::WriteWrite, "write, write"),
    (Way::NoDelay, "write, write, TCP_NODELAY"),
    (Way::Writev, "one writev"),
    (Way::More, "send with MSG_MORE, send"),
    (Way::QuickAck, "write, write; server TCP_QUICKACK"),
];

/// What was measured of one way.
struct Measured {
    median_ms: f64,
    stalls: usize,
    calls: u64,
}

fn run(frame: &Frame) -> io::Result<()> {
    let rounds = frame.scale().pick(30, 100, 300);
    frame.say(format!(
        "A request in two parts, a reply, {rounds} times over one connection, in five ways. First a look at the calls."
    ));
    for (way, name) in WAYS {
        frame.say(format!("{name}:"));
        look(frame, way)?;
    }
    frame.say(format!("Now {rounds} rounds of each, silently. Linux acknowledges the first packets of a connection at once, so the pauses begin a little later."));
    let progress = frame.progress("rounds of requests", (rounds * WAYS.len()) as u64);
    let mut table = Table::new(
        "Rounds of request and reply",
        &[
            "way",
            "client's calls",
            "middle round ms",
            "rounds with a pause",
            "of",
        ],
    );
    let mut all = Vec::new();
    for (way, name) in WAYS {
        let measured = measure(way, rounds, |done| progress.step(done))?;
        table.row([
            name.into(),
            measured.calls.into(),
            measured.median_ms.into(),
            measured.stalls.into(),
            rounds.into(),
        ]);
        all.push(measured);
    }
    drop(progress);
    frame.table(table);
    conclude(frame, &all);
    Ok(())
}

fn conclude(frame: &Frame, all: &[Measured]) {
    let [plain, no_delay, writev, more, quick] = all else {
        return;
    };
    frame.finding("plain_ms", plain.median_ms);
    frame.finding("plain_stalls", plain.stalls);
    frame.finding("no_delay_ms", no_delay.median_ms);
    frame.finding("no_delay_stalls", no_delay.stalls);
    frame.finding("writev_ms", writev.median_ms);
    frame.finding("writev_calls", writev.calls);
    frame.finding("write_write_calls", plain.calls);
    frame.finding("more_ms", more.median_ms);
    frame.finding("quick_ack_ms", quick.median_ms);
    frame.conclude(
        plain.median_ms > 5.0 * no_delay.median_ms,
        format!(
            "Two writes and a wait for the reply take {:.1} ms, {:.0} times as long as with TCP_NODELAY ({:.3} ms): \
             Nagle keeps the second part until the first is acknowledged, and the receiver keeps the acknowledgement \
             until it has something to say.",
            plain.median_ms,
            plain.median_ms / no_delay.median_ms,
            no_delay.median_ms
        ),
        format!(
            "Here two writes ({:.3} ms) did not wait much longer than with TCP_NODELAY ({:.3} ms).",
            plain.median_ms, no_delay.median_ms
        ),
    );
    frame.conclude(
        plain.median_ms > 5.0 * writev.median_ms && plain.median_ms > 5.0 * more.median_ms,
        format!(
            "One writev is the best way out: no pause, one segment, {} calls of the client instead of {}. MSG_MORE \
             gives one segment from two calls, where the parts come at different times.",
            writev.calls, plain.calls
        ),
        format!("writev took {:.3} ms and MSG_MORE {:.3} ms.", writev.median_ms, more.median_ms),
    );
    frame.conclude(
        plain.median_ms > 5.0 * quick.median_ms,
        "TCP_QUICKACK at the receiver ends the pause as well, but it does not stay: it has to be set again and again, by \
         the other side, which is rarely yours.",
        format!("With TCP_QUICKACK at the server a round took {:.1} ms.", quick.median_ms),
    );
}

/// One round with its calls shown.
fn look(frame: &Frame, way: Way) -> io::Result<()> {
    let (client, server) = connection(&mut frame.calls("client"), way)?;
    send_request(&mut frame.calls("client"), &client, way)?;
    if way == Way::QuickAck {
        let text = format!(
            "setsockopt({}, SOL_TCP, TCP_QUICKACK, [1], 4)",
            server.as_raw_fd()
        );
        let set = SockRef::from(&server).set_tcp_quickack(true);
        frame.made("server", &text, set.as_ref().map(|()| 0));
    }
    receive_all(&mut frame.calls("server"), &server, HEAD.len() + BODY.len())?;
    sys::send(&mut frame.calls("server"), server.as_fd(), REPLY)?;
    receive_all(&mut frame.calls("client"), &client, REPLY.len())
}

/// Many rounds over one connection.
fn measure(way: Way, rounds: usize, done: impl Fn(u64)) -> io::Result<Measured> {
    let (client, server) = connection(&mut Silent, way)?;
    let mut count = Count::new();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        send_request(&mut count, &client, way)?;
        serve(&server, way)?;
        receive_all(&mut count, &client, REPLY.len())?;
        times.push(begin.elapsed());
        done(1);
    }
    Ok(Measured {
        median_ms: median(times.iter().map(|time| time.as_secs_f64() * 1e3).collect()),
        stalls: times.iter().filter(|time| **time > STALL).count(),
        calls: count.counts().calls_total() / rounds as u64,
    })
}

fn connection(probe: &mut impl Probe, way: Way) -> io::Result<(OwnedFd, OwnedFd)> {
    let (client, server) = loopback::pair(&mut Silent)?;
    if way == Way::NoDelay {
        sys::setsockopt(probe, client.as_fd(), &SocketOption::NoDelay(true))?;
    }
    Ok((client, server))
}

fn send_request(probe: &mut impl Probe, client: &OwnedFd, way: Way) -> io::Result<()> {
    let fd = client.as_fd();
    match way {
        Way::Writev => {
            sys::writev(probe, fd, &[IoSlice::new(HEAD), IoSlice::new(BODY)])?;
        }
        Way::More => {
            sys::send_more(probe, fd, HEAD)?;
            sys::send(probe, fd, BODY)?;
        }
        Way::WriteWrite | Way::NoDelay | Way::QuickAck => {
            sys::write(probe, fd, HEAD)?;
            sys::write(probe, fd, BODY)?;
        }
    }
    Ok(())
}

/// The server's part of a round: it answers when the request is whole.
fn serve(server: &OwnedFd, way: Way) -> io::Result<()> {
    if way == Way::QuickAck {
        SockRef::from(server).set_tcp_quickack(true)?;
    }
    receive_all(&mut Silent, server, HEAD.len() + BODY.len())?;
    sys::send(&mut Silent, server.as_fd(), REPLY)?;
    Ok(())
}

fn receive_all(probe: &mut impl Probe, fd: &OwnedFd, mut left: usize) -> io::Result<()> {
    let mut room = [0; 64];
    while left > 0 {
        match sys::read(probe, fd.as_fd(), &mut room[..left.min(64)])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => left -= count,
        }
    }
    Ok(())
}
