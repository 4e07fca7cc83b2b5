//! Lesson 5: TCP, UDP, and Unix sockets. The same calls, four promises: whether borders are kept, whether everything
//! arrives, what happens when the receiver is slow, whether one send can reach many, and what a round trip costs.
//!
//! ```text
//!                  borders   a full receiver              one send to many   leaves the machine
//!   TCP            no        the sender waits             no                 yes
//!   UDP            yes       the datagram is lost         yes (multicast)    yes
//!   Unix stream    no        the sender waits             no                 no
//!   Unix datagram  yes       the sender waits             no                 no
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use longshore::sys::{self, Count, Family, Kind, Mode, POLLIN, Probe, Silent, SocketOption};

use super::Lesson;
use super::frame::Frame;
use super::kernel;
use super::loopback::{self, PATIENCE, anywhere, median, verdict};
use super::report::{Table, Value};

mod many;

pub(super) const LESSON: Lesson = Lesson {
    number: 5,
    name: "kinds",
    about: "TCP, UDP, Unix stream and datagram: borders, loss, one to many, the price of a round trip",
    run,
};

/// One pair of connected ends of each kind.
struct Ends {
    kind: &'static str,
    left: OwnedFd,
    right: OwnedFd,
}

fn run(frame: &Frame) -> io::Result<()> {
    borders(frame)?;
    full_receiver(frame)?;
    nobody_there(frame)?;
    many::run(frame)?;
    round_trips(frame)
}

/// A pair of each kind. UDP ends are connected too: it is only a note of the peer's address, no packet.
fn all_kinds(probe: &mut impl Probe) -> io::Result<Vec<Ends>> {
    let (client, server) = loopback::pair(&mut Silent)?;
    let (stream, stream_peer) = sys::socketpair(probe, Kind::Stream, Mode::Blocking)?;
    let (datagram, datagram_peer) = sys::socketpair(probe, Kind::Datagram, Mode::Blocking)?;
    let (one, other) = udp_pair(probe)?;
    let ends = |kind, left, right| Ends { kind, left, right };
    Ok(vec![
        ends("TCP", client, server),
        ends("UDP", one, other),
        ends("Unix stream", stream, stream_peer),
        ends("Unix datagram", datagram, datagram_peer),
    ])
}

fn udp_pair(probe: &mut impl Probe) -> io::Result<(OwnedFd, OwnedFd)> {
    let left = sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?;
    let right = sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?;
    sys::bind(probe, left.as_fd(), &anywhere())?;
    sys::bind(probe, right.as_fd(), &anywhere())?;
    let (left_name, right_name) = (
        sys::getsockname(probe, left.as_fd())?,
        sys::getsockname(probe, right.as_fd())?,
    );
    sys::connect(probe, left.as_fd(), &right_name)?;
    sys::connect(probe, right.as_fd(), &left_name)?;
    Ok((left, right))
}

/// Three sends, and the receives that bring them; then a receive that is too short.
fn borders(frame: &Frame) -> io::Result<()> {
    frame.say(
        "One pair of each kind. TCP's took the calls of lesson 1, which are not shown; the Unix pairs take one socketpair(2) \
         each. A UDP socket is made, bound, and that is all: no listen, no accept. connect only notes the other address.",
    );
    let kinds = all_kinds(&mut frame.calls(""))?;
    let mut table = Table::new(
        "Three sends of 5 bytes",
        &["kind", "receives", "of a short receive, the rest is"],
    );
    for Ends { kind, left, right } in &kinds {
        frame.say(format!(
            "{kind}: three sends, and as many receives as it takes."
        ));
        for _ in 0..3 {
            sys::send(&mut frame.calls("left"), left.as_fd(), b"ahoy!")?;
        }
        let (mut receives, mut received) = (0, 0);
        while received < 15 {
            received += sys::recv(&mut frame.calls("right"), right.as_fd(), &mut [0; 64])?;
            receives += 1;
        }
        sys::send(&mut frame.calls("left"), left.as_fd(), b"ahoy!")?;
        sys::recv(&mut frame.calls("right"), right.as_fd(), &mut [0; 2])?;
        let kept = loopback::ready(&mut Silent, right.as_fd(), POLLIN, Duration::ZERO)?;
        table.row([
            (*kind).into(),
            receives.into(),
            if kept { "kept" } else { "lost" }.into(),
        ]);
        let (name, rest) = match *kind {
            "TCP" => ("tcp_receives", "tcp_rest_kept"),
            "UDP" => ("udp_receives", "udp_rest_kept"),
            "Unix stream" => ("unix_stream_receives", "unix_stream_rest_kept"),
            _ => ("unix_datagram_receives", "unix_datagram_rest_kept"),
        };
        frame.finding(name, receives);
        frame.finding(rest, kept);
    }
    let rows = &table.rows;
    let (streams, datagrams) = ([&rows[0], &rows[2]], [&rows[1], &rows[3]]);
    let three = Value::from(3);
    let holds =
        datagrams.iter().all(|row| row[1] == three) && streams.iter().all(|row| row[1] != three);
    frame.table(table);
    frame.conclude(
        holds,
        "Datagrams keep their borders: one send, one receive. Streams join them. In return a stream keeps what a \
         short receive leaves, and a datagram's rest is gone.",
        "Here borders were not as expected: see the table.",
    );
    Ok(())
}

/// Who notices that the receiver does not keep up.
fn full_receiver(frame: &Frame) -> io::Result<()> {
    const DATAGRAM: [u8; 1_000] = [b'd'; 1_000];
    let sends = frame.scale().pick(500, 2_000, 20_000);
    let before = kernel::counter("RcvbufErrors");
    let mut table = Table::new(
        "A receiver that does not read",
        &["kind", "sends", "accepted", "then", "received", "lost"],
    );
    let mut lost_by_kind = Vec::new();
    frame.say("New pairs, made as before. Their ends do not block, so that a full buffer is an errno, and buffers are small.");
    for Ends { kind, left, right } in all_kinds(&mut Silent)? {
        frame.say(format!(
            "{kind}: up to {sends} sends of {} bytes into a small buffer; nobody reads.",
            DATAGRAM.len()
        ));
        let (mut sender, mut receiver) = (frame.calls("left"), frame.calls("right"));
        for (calls, end) in [(&mut sender, &left), (&mut receiver, &right)] {
            sys::set_mode(calls, end.as_fd(), Mode::Nonblocking)?;
            for option in [
                SocketOption::SendBuffer(16 * 1024),
                SocketOption::ReceiveBuffer(16 * 1024),
            ] {
                sys::setsockopt(calls, end.as_fd(), &option)?;
            }
        }
        let (mut accepted, mut then) = (0_usize, "ok");
        for _ in 0..sends {
            match sys::send(&mut sender, left.as_fd(), &DATAGRAM) {
                Ok(count) => accepted += count,
                error => {
                    then = verdict(&error);
                    break;
                }
            }
        }
        let received = drain(&mut receiver, right.as_fd())?;
        let lost = accepted.saturating_sub(received);
        lost_by_kind.push((kind, then, lost / DATAGRAM.len()));
        let whole = DATAGRAM.len();
        table.row([
            kind.into(),
            sends.into(),
            (accepted / whole).into(),
            then.into(),
            (received / whole).into(),
            (lost / whole).into(),
        ]);
    }
    frame.table(table);
    let lost = |wanted| {
        let found = lost_by_kind.iter().find(|(kind, ..)| *kind == wanted);
        found.map_or(("", 0), |(_, then, lost)| (*then, *lost))
    };
    let (udp, tcp, unix) = (lost("UDP"), lost("TCP"), lost("Unix datagram"));
    frame.finding("udp_lost", udp.1);
    frame.finding("udp_then", udp.0);
    frame.finding("tcp_lost", tcp.1);
    frame.finding("tcp_then", tcp.0);
    frame.finding("unix_datagram_lost", unix.1);
    frame.finding("unix_datagram_then", unix.0);
    if let (Some(before), Some(after)) = (before, kernel::counter("RcvbufErrors")) {
        frame.finding("rcvbuf_errors", after - before);
        frame.say(format!(
            "The kernel counted it: UDP's RcvbufErrors rose by {}.",
            after - before
        ));
    }
    let instead = if tcp.0 == unix.0 {
        tcp.0.to_owned()
    } else {
        format!("{} and {}", tcp.0, unix.0)
    };
    frame.conclude(
        udp.1 > 0 && udp.0 == "ok" && tcp.1 + unix.1 == 0,
        format!(
            "UDP said ok {sends} times and lost {} datagrams: nobody told the sender. TCP and Unix sockets said \
             {instead} instead, and lost nothing.",
            udp.1
        ),
        format!("Lost: UDP {}, TCP {}, Unix datagrams {}.", udp.1, tcp.1, unix.1),
    );
    Ok(())
}

/// Reads what has come until nothing does for a moment; the bytes.
fn drain(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<usize> {
    let (mut total, mut room) = (0, [0; 2_048]);
    while loopback::ready(&mut Silent, fd, POLLIN, Duration::from_millis(100))? {
        match sys::recv(probe, fd, &mut room)? {
            0 => break,
            count => total += count,
        }
    }
    Ok(total)
}

/// What each protocol says of a port where nobody is.
fn nobody_there(frame: &Frame) -> io::Result<()> {
    frame.say("Nobody has this port any more. TCP is refused at once; UDP sends, and learns of it with a later call.");
    let (listener, address) = loopback::listener(&mut Silent, 1)?;
    sys::close(&mut Silent, listener)?;
    let calls = &mut frame.calls("");
    let tcp = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let connected = verdict(&sys::connect(calls, tcp.as_fd(), &address));
    let udp = sys::socket(calls, Family::Inet, Kind::Datagram, Mode::Nonblocking)?;
    sys::connect(calls, udp.as_fd(), &address)?;
    let sent = verdict(&sys::send(calls, udp.as_fd(), b"anybody?"));
    // The ICMP answer comes within the send, as a rule; POLLERR says when.
    loopback::ready(&mut Silent, udp.as_fd(), POLLIN, PATIENCE)?;
    let later = verdict(&sys::recv(calls, udp.as_fd(), &mut [0; 8]));
    frame.finding("tcp_connect_to_nobody", connected);
    frame.finding("udp_send_to_nobody", sent);
    frame.finding("udp_receive_after_it", later);
    frame.conclude(
        (connected, sent, later) == ("ECONNREFUSED", "ok", "ECONNREFUSED"),
        "TCP's connect asks the other side, and gets an RST: ECONNREFUSED. UDP's send asks nobody; an ICMP message came \
         back later, and only because this socket was connected did anyone hear of it.",
        format!("connect: {connected}; send: {sent}; the receive after it: {later}."),
    );
    Ok(())
}

/// Ping and pong between two ends in one thread: two sends and two receives each time.
fn round_trips(frame: &Frame) -> io::Result<()> {
    let (samples, each) = (frame.scale().pick(20, 100, 400), 50);
    frame.say(format!(
        "{} round trips of 64 bytes over each kind, silently.",
        samples * each
    ));
    let mut table = Table::new(
        "A round trip of 64 bytes",
        &[
            "kind",
            "calls before the first byte",
            "calls",
            "microseconds",
            "x Unix stream",
        ],
    );
    let mut kinds = all_kinds(&mut Silent)?;
    sys::setsockopt(
        &mut Silent,
        kinds[0].left.as_fd(),
        &SocketOption::NoDelay(true),
    )?;
    sys::setsockopt(
        &mut Silent,
        kinds[0].right.as_fd(),
        &SocketOption::NoDelay(true),
    )?;
    let mut times = vec![Vec::new(); kinds.len()];
    // In turns, so that whatever else this machine does hits all of them alike.
    for _ in 0..samples {
        for (at, ends) in kinds.iter_mut().enumerate() {
            let begin = Instant::now();
            for _ in 0..each {
                round_trip(&mut Silent, ends)?;
            }
            times[at].push(begin.elapsed().as_secs_f64() * 1e6 / f64::from(each));
        }
    }
    let times: Vec<f64> = times.into_iter().map(median).collect();
    let unix = times[2];
    for (ends, time) in kinds.iter().zip(&times) {
        let mut count = Count::new();
        round_trip(&mut count, ends)?;
        let calls = count.counts().calls_total();
        table.row([
            ends.kind.into(),
            setup_calls(ends.kind)?.into(),
            calls.into(),
            (*time).into(),
            (time / unix).into(),
        ]);
    }
    frame.table(table);
    frame.finding("tcp_us", times[0]);
    frame.finding("udp_us", times[1]);
    frame.finding("unix_stream_us", unix);
    frame.finding("unix_datagram_us", times[3]);
    frame.conclude(
        unix < times[0],
        format!(
            "The same four calls: over TCP they cost {:.1} times what a Unix stream costs, because every \
             message becomes a segment that goes down through IP to the loopback device and up again, although it never \
             leaves the machine. The checksum of TCP is no part of that: on loopback nobody works it out.",
            times[0] / unix
        ),
        format!("Here TCP ({:.1} µs) was no dearer than a Unix stream ({unix:.1} µs).", times[0]),
    );
    Ok(())
}

fn round_trip(probe: &mut impl Probe, ends: &Ends) -> io::Result<()> {
    let mut room = [0; 64];
    for (from, to) in [(&ends.left, &ends.right), (&ends.right, &ends.left)] {
        sys::send(probe, from.as_fd(), &[b'p'; 64])?;
        sys::recv(probe, to.as_fd(), &mut room)?;
    }
    Ok(())
}

/// How many calls both sides make until they can talk, counted.
fn setup_calls(kind: &str) -> io::Result<u64> {
    let mut count = Count::new();
    match kind {
        "TCP" => drop(loopback::pair(&mut count)?),
        "UDP" => drop(udp_pair(&mut count)?),
        _ => drop(sys::socketpair(&mut count, Kind::Stream, Mode::Blocking)?),
    }
    let calls = count.counts();
    Ok(calls.calls_total() - calls.call("close").calls)
}
