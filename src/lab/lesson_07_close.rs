//! Lesson 7: how a connection ends. In order, by a FIN from either side; or abruptly, by an RST.
//!
//! ```text
//!   client                                   server
//!   ESTABLISHED                              ESTABLISHED
//!   shutdown ──── FIN ────▶                  CLOSE-WAIT      read = 0: the client has said everything
//!   FIN-WAIT-2 ◀── ACK ───
//!              ◀── data ──                   write           the other half still works
//!              ◀── FIN ───                   close           LAST-ACK
//!   TIME-WAIT  ─── ACK ───▶                  gone
//!   (60 s)
//! ```

mod reply;

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use longshore::sys::{self, Address, Family, How, Kind, Mode, POLLIN, Silent, SocketOption};

use super::Lesson;
use super::frame::Frame;
use super::kernel;
use super::loopback::{self, PATIENCE, settled, v4, verdict};
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 7,
    name: "close",
    about: "Four-way close, half-close, TIME_WAIT, and RST",
    run,
};

/// What the kernel lists no more.
const GONE: &str = "-";

fn run(frame: &Frame) -> io::Result<()> {
    four_ways(frame)?;
    time_wait(frame)?;
    abrupt_ends(frame)?;
    reply::lost(frame)?;
    after_the_end(frame)
}

/// Both ends of a connection with their names, so that their states can be looked up when they are closed.
struct Ends {
    client: OwnedFd,
    server: OwnedFd,
    client_name: SocketAddrV4,
    server_name: SocketAddrV4,
}

impl Ends {
    fn new() -> io::Result<Self> {
        let (client, server) = loopback::pair(&mut Silent)?;
        let client_name = v4(&sys::getsockname(&mut Silent, client.as_fd())?)?;
        let server_name = v4(&sys::getsockname(&mut Silent, server.as_fd())?)?;
        Ok(Ends {
            client,
            server,
            client_name,
            server_name,
        })
    }

    fn names(&self) -> (SocketAddrV4, SocketAddrV4) {
        (self.client_name, self.server_name)
    }
}

/// The states of client and server once they are as expected, or as they are when patience ends.
fn states(
    (client, server): (SocketAddrV4, SocketAddrV4),
    expected: (&'static str, &'static str),
) -> io::Result<(&'static str, &'static str)> {
    settled(&expected, || {
        let at_client = kernel::tcp_state(client, server)?;
        let at_server = kernel::tcp_state(server, client)?;
        Ok((at_client.unwrap_or(GONE), at_server.unwrap_or(GONE)))
    })
}

/// The client says that it is done; the server goes on, then closes.
fn four_ways(frame: &Frame) -> io::Result<()> {
    let ends = Ends::new()?;
    let names = ends.names();
    let (client_calls, server_calls) = (&mut frame.calls("client"), &mut frame.calls("server"));
    let mut table = Table::new("States, from /proc/net/tcp", &["after", "client", "server"]);
    let mut seen = |after: &'static str, expected| {
        let (client, server) = states(names, expected)?;
        table.row([after.into(), client.into(), server.into()]);
        Ok::<_, io::Error>((client, server))
    };
    frame.say("A connection, and nothing said yet.");
    seen("connected", ("ESTABLISHED", "ESTABLISHED"))?;

    frame.say("The client shuts its writing half. Its FIN arrives, and is acknowledged.");
    sys::shutdown(client_calls, ends.client.as_fd(), How::Write)?;
    let end = sys::read(server_calls, ends.server.as_fd(), &mut [0; 16])?;
    let half = seen("shutdown by the client", ("FIN-WAIT-2", "CLOSE-WAIT"))?;

    frame.say("The other half works on: the server writes, the client reads.");
    sys::write(server_calls, ends.server.as_fd(), b"still here")?;
    let mut room = [0; 16];
    let count = sys::read(client_calls, ends.client.as_fd(), &mut room)?;
    let late = &room[..count] == b"still here";
    let refused = verdict(&sys::send(
        client_calls,
        ends.client.as_fd(),
        b"I take that back",
    ));
    seen("the server still writes", ("FIN-WAIT-2", "CLOSE-WAIT"))?;

    frame.say("The server closes: its FIN, and the last acknowledgement.");
    sys::close(server_calls, ends.server)?;
    let last = sys::read(client_calls, ends.client.as_fd(), &mut [0; 16])?;
    let closed = seen("close by the server", ("TIME-WAIT", GONE))?;
    sys::close(client_calls, ends.client)?;
    seen("close by the client", ("TIME-WAIT", GONE))?;
    frame.table(table);

    frame.finding("half_client", half.0);
    frame.finding("half_server", half.1);
    frame.finding("half_bytes_arrived", late);
    frame.finding("half_write_again", refused);
    frame.finding("closed_client", closed.0);
    frame.finding("closed_server", closed.1);
    frame.conclude(
        half == ("FIN-WAIT-2", "CLOSE-WAIT") && late && end + last == 0 && refused == "EPIPE",
        "A FIN ends one direction: the reader sees 0 bytes, and the other direction lives. CLOSE-WAIT means that the \
         program has not closed yet; many of them are a leak in the program, not in the network.",
        format!("After shutdown the states were {} and {}, and the late bytes arrived: {late}.", half.0, half.1),
    );
    frame.conclude(
        closed == ("TIME-WAIT", GONE),
        "Who closes first keeps the connection in TIME-WAIT for a minute, without any descriptor, so that a late packet \
         cannot fall into a new connection of the same five facts (RFC 9293 §3.3.2). The other side is done at once.",
        format!("After both closed the states were {} and {}.", closed.0, closed.1),
    );
    Ok(())
}

/// A server that closes first, and wants its port again.
fn time_wait(frame: &Frame) -> io::Result<()> {
    frame.say(
        "Now the server closes first, its listener too. Then it is started again on the same port.",
    );
    let mut table = Table::new(
        "Binding a port with a connection in TIME-WAIT",
        &[
            "SO_REUSEADDR before",
            "SO_REUSEADDR now",
            "server's state",
            "bind",
        ],
    );
    let mut answers = Vec::new();
    for (before, now) in [(false, false), (false, true), (true, false), (true, true)] {
        let (address, state) = closed_first(frame, before)?;
        let answer = again(frame, &address, now)?;
        table.row([before.into(), now.into(), state.into(), answer.into()]);
        answers.push((state, answer));
    }
    frame.table(table);
    let [neither, only_now, only_before, both] = [answers[0], answers[1], answers[2], answers[3]];
    frame.finding("server_first_server", both.0);
    frame.finding("restart_plain", neither.1);
    frame.finding("restart_reuse_only_now", only_now.1);
    frame.finding("restart_reuse_only_before", only_before.1);
    frame.finding("restart_reuse_both", both.1);
    frame.conclude(
        both == ("TIME-WAIT", "ok") && neither == ("TIME-WAIT", "EADDRINUSE"),
        "The server closed first, so TIME-WAIT is on its port, and bind refuses it: EADDRINUSE. SO_REUSEADDR says that \
         this is fine. The connection that is left must have said so too, so a server sets it from the first day.",
        format!("The server's end was {}; bind answered {}, with SO_REUSEADDR {}.", both.0, neither.1, both.1),
    );
    Ok(())
}

/// A server that closes its connection before the client does, and then its listener: its address, and its end's state.
fn closed_first(frame: &Frame, reuse: bool) -> io::Result<(Address, &'static str)> {
    let calls = &mut frame.calls("server");
    let listener = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    if reuse {
        sys::setsockopt(calls, listener.as_fd(), &SocketOption::ReuseAddress(true))?;
    }
    sys::bind(calls, listener.as_fd(), &loopback::anywhere())?;
    sys::listen(calls, listener.as_fd(), 1)?;
    let address = sys::getsockname(calls, listener.as_fd())?;
    let client = loopback::client(&mut Silent, &address)?;
    let server = sys::accept4(calls, listener.as_fd(), Mode::Blocking)?;
    let names = (
        v4(&sys::getsockname(&mut Silent, client.as_fd())?)?,
        v4(&address)?,
    );
    sys::close(calls, server)?;
    sys::read(&mut frame.calls("client"), client.as_fd(), &mut [0; 16])?;
    sys::close(&mut frame.calls("client"), client)?;
    sys::close(calls, listener)?;
    let (_, state) = states(names, (GONE, "TIME-WAIT"))?;
    Ok((address, state))
}

/// Binds and listens at the port once more.
fn again(frame: &Frame, address: &Address, reuse: bool) -> io::Result<&'static str> {
    let calls = &mut frame.calls("restarted");
    let socket = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    if reuse {
        sys::setsockopt(calls, socket.as_fd(), &SocketOption::ReuseAddress(true))?;
    }
    let bound = sys::bind(calls, socket.as_fd(), address);
    if bound.is_ok() {
        sys::listen(calls, socket.as_fd(), 1)?;
    }
    Ok(verdict(&bound))
}

/// Ends without a FIN: close with bytes unread, and close with SO_LINGER 0.
fn abrupt_ends(frame: &Frame) -> io::Result<()> {
    let mut table = Table::new(
        "A close that resets",
        &[
            "how the server closes",
            "client's read",
            "client's state",
            "server's state",
        ],
    );
    frame.say("The server closes although bytes wait that it has not read: they can never arrive, so RST says so.");
    let ends = Ends::new()?;
    sys::write(&mut frame.calls("client"), ends.client.as_fd(), b"read me")?;
    loopback::ready(
        &mut frame.calls("server"),
        ends.server.as_fd(),
        POLLIN,
        PATIENCE,
    )?;
    let unread = reset(frame, ends, "with bytes unread", &mut table)?;

    frame.say("With SO_LINGER and a time of zero, close always resets, and throws away what was not sent.");
    let ends = Ends::new()?;
    let option = SocketOption::Linger(Some(Duration::ZERO));
    sys::setsockopt(&mut frame.calls("server"), ends.server.as_fd(), &option)?;
    let linger = reset(frame, ends, "with SO_LINGER 0", &mut table)?;

    frame.say("For comparison, in order: everything read, no option.");
    let ends = Ends::new()?;
    let orderly = reset(frame, ends, "in order", &mut table)?;
    frame.table(table);
    frame.finding("unread_close", unread);
    frame.finding("linger_close", linger);
    frame.finding("orderly_close", orderly);
    frame.conclude(
        [unread, linger, orderly] == ["ECONNRESET", "ECONNRESET", "ok"],
        "An RST is ECONNRESET for the peer, and leaves no TIME-WAIT on either side.",
        format!("The client's read said: unread bytes {unread}, SO_LINGER 0 {linger}, in order {orderly}."),
    );
    Ok(())
}

/// The server closes, the client reads; what the client's read said.
fn reset(
    frame: &Frame,
    ends: Ends,
    how: &'static str,
    table: &mut Table,
) -> io::Result<&'static str> {
    let names = ends.names();
    sys::close(&mut frame.calls("server"), ends.server)?;
    loopback::ready(&mut Silent, ends.client.as_fd(), POLLIN, PATIENCE)?;
    let read = sys::read(
        &mut frame.calls("client"),
        ends.client.as_fd(),
        &mut [0; 16],
    );
    sys::close(&mut Silent, ends.client)?;
    let expected = if read.is_ok() {
        (GONE, "TIME-WAIT")
    } else {
        (GONE, GONE)
    };
    let (client, server) = states(names, expected)?;
    table.row([
        how.into(),
        verdict(&read).into(),
        client.into(),
        server.into(),
    ]);
    Ok(verdict(&read))
}

/// Writing to a peer that has closed: the first write is fine, and the second is not.
fn after_the_end(frame: &Frame) -> io::Result<()> {
    frame.say("The server has closed. The client has not read that, and writes, twice.");
    let Ends {
        client,
        server,
        client_name,
        server_name,
    } = Ends::new()?;
    sys::close(&mut frame.calls("server"), server)?;
    let calls = &mut frame.calls("client");
    let first = verdict(&sys::send(calls, client.as_fd(), b"one"));
    // The answer to it is an RST: nobody has this connection any more.
    states((client_name, server_name), (GONE, GONE))?;
    let second = verdict(&sys::send(calls, client.as_fd(), b"two"));
    frame.finding("first_write", first);
    frame.finding("second_write", second);
    frame.conclude(
        (first, second) == ("ok", "EPIPE"),
        "The first write is fine, because a FIN says only that the peer sends nothing more. Its answer was an RST, so \
         the second one is EPIPE. A write that succeeds says that the kernel took the bytes, never that they arrived.",
        format!("The first write said {first}, the second {second}."),
    );
    Ok(())
}
