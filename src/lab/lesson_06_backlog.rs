//! Lesson 6: the three-way handshake, and what happens when nobody accepts. The kernel shakes hands by itself and keeps two
//! queues for a listener: connections that are half open, and connections that wait for accept.
//!
//! ```text
//!   client                  the server's kernel                          the server
//!   connect ── SYN ───────▶ SYN queue (half open: SYN-RECV)
//!           ◀─ SYN+ACK ───  │
//!           ── ACK ───────▶ └─▶ accept queue (ESTABLISHED, backlog + 1) ──▶ accept4
//!
//!   accept queue full:      the SYN is dropped, counted, and sent again by the client a second later
//!   SYN queue full:         the SYN is answered with a cookie and forgotten, or dropped
//! ```

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use longshore::sys::{self, Address, Family, Kind, Mode, POLLIN, POLLOUT, PollFd, Silent};

use super::Lesson;
use super::frame::Frame;
use super::kernel::{self, TcpSocket};
use super::loopback::{self, PATIENCE, settled, v4, verdict};
use super::report::Table;

mod half_open;

pub(super) const LESSON: Lesson = Lesson {
    number: 6,
    name: "backlog",
    about: "The three-way handshake, the two queues of a listener, and a backlog that overflows",
    run,
};

/// Linux lets one connection more than this wait.
const BACKLOG: i32 = 1;
const ROOM: usize = 2;

/// A client that has begun to connect, and when it was connected.
struct Caller {
    socket: OwnedFd,
    begun: Instant,
    connected: Option<Duration>,
}

fn run(frame: &Frame) -> io::Result<()> {
    overflow(frame)?;
    left_waiting(frame)?;
    half_open::run(frame)
}

/// More clients than the accept queue holds, and a server that looks away.
fn overflow(frame: &Frame) -> io::Result<()> {
    let too_many = frame.scale().pick(2, 4, 8);
    frame.say(format!(
        "A listener with a backlog of {BACKLOG}. The server will not accept for a while."
    ));
    let (listener, address) = loopback::listener(&mut frame.calls("server"), BACKLOG)?;
    let before = Counters::now();

    frame.say(format!(
        "{} clients connect, without waiting.",
        ROOM + too_many
    ));
    let mut callers = Vec::new();
    for _ in 0..ROOM + too_many {
        callers.push(call(frame, &address)?);
        answered(&mut callers, Duration::ZERO)?;
    }
    let port = v4(&address)?.port();
    let queued = settled(&(ROOM as u32), || {
        Ok(listening(port)?.map_or(0, |listener| listener.receive_queue))
    })?;
    answered(&mut callers, Duration::ZERO)?;
    let at_once = callers
        .iter()
        .filter(|caller| caller.connected.is_some())
        .count();
    let after = Counters::now();
    show_queues(frame, port)?;
    frame.finding("backlog", BACKLOG);
    frame.finding("callers", callers.len());
    frame.finding("connected_before_accept", at_once);
    frame.finding("accept_queue", queued);
    frame.conclude(
        at_once == ROOM && queued as usize == ROOM,
        format!(
            "{at_once} clients are connected although the server has accepted none: they wait in the accept queue, \
             which holds one more than the backlog. The others are in SYN-SENT."
        ),
        format!("{at_once} clients are connected, {queued} wait for accept; {ROOM} were expected."),
    );
    overflowed(frame, before, after, too_many);

    frame.say("Now the server accepts, and again whenever somebody comes.");
    accept_all(frame, &listener, &mut callers)?;
    arrivals(frame, &callers, &before);
    Ok(())
}

/// The figures of the kernel that speak of listeners, for all programs together.
#[derive(Clone, Copy)]
struct Counters {
    overflows: Option<u64>,
    drops: Option<u64>,
    retransmits: Option<u64>,
}

impl Counters {
    fn now() -> Self {
        Counters {
            overflows: kernel::counter("ListenOverflows"),
            drops: kernel::counter("ListenDrops"),
            retransmits: kernel::counter("TCPSynRetrans"),
        }
    }
}

/// How much a counter rose.
fn rise(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    Some(after?.saturating_sub(before?))
}

fn overflowed(frame: &Frame, before: Counters, after: Counters, too_many: usize) {
    let risen = rise(before.overflows, after.overflows).zip(rise(before.drops, after.drops));
    let Some((overflows, drops)) = risen else {
        return frame.refused(
            "the counters of /proc/net/netstat",
            "this kernel does not show them",
        );
    };
    frame.finding("listen_overflows", overflows);
    frame.finding("listen_drops", drops);
    frame.conclude(
        overflows >= too_many as u64,
        format!(
            "The kernel dropped their SYNs and counted: ListenOverflows rose by {overflows}, ListenDrops by {drops} \
             (other programs count too). No one was refused: a SYN that is dropped looks like a slow network."
        ),
        format!("ListenOverflows rose by {overflows} only, for {too_many} clients too many."),
    );
}

/// A client that does not wait for its handshake: connect answers EINPROGRESS.
fn call(frame: &Frame, to: &Address) -> io::Result<Caller> {
    let calls = &mut frame.calls("client");
    let socket = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Nonblocking)?;
    let begun = Instant::now();
    let result = sys::connect(calls, socket.as_fd(), to);
    match verdict(&result) {
        "ok" | "EINPROGRESS" => Ok(Caller {
            socket,
            begun,
            connected: None,
        }),
        _ => Err(result.err().unwrap_or_else(|| io::ErrorKind::Other.into())),
    }
}

/// Notes who is connected by now: a socket that connects is writable when it is done.
fn answered(callers: &mut [Caller], within: Duration) -> io::Result<()> {
    for caller in callers
        .iter_mut()
        .filter(|caller| caller.connected.is_none())
    {
        if loopback::ready(&mut Silent, caller.socket.as_fd(), POLLOUT, within)? {
            sys::connect_result(&mut Silent, caller.socket.as_fd())?;
            caller.connected = Some(caller.begun.elapsed());
        }
    }
    Ok(())
}

/// The listener at this port, as the kernel lists it.
fn listening(port: u16) -> io::Result<Option<TcpSocket>> {
    let sockets = kernel::tcp_sockets(port)?;
    Ok(sockets
        .into_iter()
        .find(|it| it.local.port() == port && it.state == "LISTEN"))
}

/// What `ss -tan` would show for this port.
fn show_queues(frame: &Frame, port: u16) -> io::Result<()> {
    let mut table = Table::new(
        "The port as /proc/net/tcp lists it, before any accept",
        &["state", "local", "remote", "waiting to be read or accepted"],
    );
    // Nothing of this lesson has ended yet: those in TIME-WAIT had the port before.
    let sockets = kernel::tcp_sockets(port)?;
    for socket in sockets.iter().filter(|it| it.state != "TIME-WAIT") {
        table.row([
            socket.state.into(),
            socket.local.to_string().into(),
            socket.remote.to_string().into(),
            socket.receive_queue.into(),
        ]);
    }
    frame.table(table);
    Ok(())
}

/// Accepts until every caller is connected, or patience ends.
fn accept_all(frame: &Frame, listener: &OwnedFd, callers: &mut [Caller]) -> io::Result<()> {
    let progress = frame.progress(
        "waiting for the SYNs to be sent again",
        callers.len() as u64,
    );
    let (mut accepted, begin) = (Vec::new(), Instant::now());
    while begin.elapsed() < PATIENCE && callers.iter().any(|caller| caller.connected.is_none()) {
        let mut watched = vec![PollFd::new(listener.as_fd(), POLLIN)];
        let pending = callers.iter().filter(|caller| caller.connected.is_none());
        watched.extend(pending.map(|caller| PollFd::new(caller.socket.as_fd(), POLLOUT)));
        sys::poll(&mut Silent, &mut watched, Some(PATIENCE))?;
        let somebody = watched[0].revents() & POLLIN != 0;
        drop(watched);
        answered(callers, Duration::ZERO)?;
        if somebody {
            accepted.push(sys::accept4(
                &mut frame.calls("server"),
                listener.as_fd(),
                Mode::Blocking,
            )?);
            progress.step(1);
        }
    }
    Ok(())
}

/// How long each of the callers took.
fn arrivals(frame: &Frame, callers: &[Caller], before: &Counters) {
    let mut table = Table::new("How long connect took", &["client", "milliseconds"]);
    let mut all: Vec<f64> = Vec::new();
    for (at, caller) in callers.iter().enumerate() {
        let took = caller.connected.map(|time| time.as_secs_f64() * 1e3);
        table.row([(at + 1).into(), took.map_or("never".into(), Into::into)]);
        all.extend(took);
    }
    frame.table(table);
    let (first, last) = (
        all.first().copied().unwrap_or(0.0),
        all.last().copied().unwrap_or(0.0),
    );
    frame.finding("connected_at_last", all.len());
    frame.finding("first_ms", first);
    frame.finding("last_ms", last);
    if let Some(again) = rise(before.retransmits, kernel::counter("TCPSynRetrans")) {
        frame.finding("syn_retransmits", again);
    }
    frame.conclude(
        all.len() == callers.len() && last > 10.0 * first,
        format!(
            "Everybody came in at last, but the late ones waited for their SYN to be sent again: {last:.0} ms beside \
             {first:.2} ms. A backlog that is too small is felt as whole seconds, and only by some clients."
        ),
        format!("{} of {} came in; the first took {first:.2} ms, the last {last:.1} ms.", all.len(), callers.len()),
    );
}

/// A listener that closes while somebody waits in its queue.
fn left_waiting(frame: &Frame) -> io::Result<()> {
    frame.say("One more client connects and speaks, and is never accepted: the listener closes.");
    let (listener, address) = loopback::listener(&mut frame.calls("server"), BACKLOG)?;
    let client = loopback::client(&mut frame.calls("client"), &address)?;
    let sent = sys::write(
        &mut frame.calls("client"),
        client.as_fd(),
        b"is anybody there?",
    );
    sys::close(&mut frame.calls("server"), listener)?;
    // The RST comes within the close, as a rule.
    loopback::ready(&mut Silent, client.as_fd(), POLLIN, PATIENCE)?;
    let then = sys::read(&mut frame.calls("client"), client.as_fd(), &mut [0; 16]);
    let (sent, then) = (verdict(&sent), verdict(&then));
    frame.finding("write_before_accept", sent);
    frame.finding("read_after_listener_closed", then);
    frame.conclude(
        (sent, then) == ("ok", "ECONNRESET"),
        "Its connect and its write had both been fine, and the answer is ECONNRESET. So a server that stops accepts what \
         waits before it closes the listener.",
        format!("Its write was {sent}, its read after the close {then}."),
    );
    Ok(())
}
