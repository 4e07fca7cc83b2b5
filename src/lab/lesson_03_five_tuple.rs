//! Lesson 3: the five facts that tell one connection from every other: the protocol, and an address and a port on either
//! side. A port is not used up by a connection; a tuple is.
//!
//! ```text
//!   TCP 127.0.0.1:40001 ──┐
//!   TCP 127.0.0.1:40002 ──┼──▶ 127.0.0.1:8080       one port, as many connections as there are other ends
//!   TCP 127.0.0.2:40001 ──┘
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use longshore::sys::{self, Address, Family, Kind, Mode, Silent, SocketOption};

use super::Lesson;
use super::frame::Frame;
use super::kernel;
use super::loopback::{self, settled, v4, verdict};
use super::report::{Table, Value};

pub(super) const LESSON: Lesson = Lesson {
    number: 3,
    name: "five-tuple",
    about: "The five facts of a connection, and what makes an address taken",
    run,
};

/// How many connections are listed in full.
const LISTED: usize = 4;

fn run(frame: &Frame) -> io::Result<()> {
    let (listener, address) = many_to_one_port(frame)?;
    one_port_many_times(frame, &address)?;
    sys::close(&mut frame.calls("server"), listener)
}

/// Many clients, one port of the server.
fn many_to_one_port(frame: &Frame) -> io::Result<(OwnedFd, Address)> {
    let count = frame.scale().pick(20, 100, 400);
    let (server_calls, client_calls) = (&mut frame.calls("server"), &mut frame.calls("client"));
    frame.say("A listener has two facts, its own address and port. The other side is open.");
    let (listener, address) = loopback::listener(server_calls, 16)?;
    let port = v4(&address)?.port();

    frame.say(format!("{count} clients connect to its one port. None of them binds: the kernel chooses their ports."));
    let mut table = Table::new(
        "Connections as the server sees them",
        &[
            "descriptor",
            "protocol",
            "local address",
            "local port",
            "remote address",
            "remote port",
        ],
    );
    let (mut open, mut local_ports, mut remote_ports) =
        (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for at in 0..count {
        let client = loopback::client(client_calls, &address)?;
        let server = sys::accept4(server_calls, listener.as_fd(), Mode::Blocking)?;
        let local = v4(&sys::getsockname(server_calls, server.as_fd())?)?;
        let remote = v4(&sys::getpeername(server_calls, server.as_fd())?)?;
        local_ports.insert(local.port());
        remote_ports.insert(remote.port());
        if at < LISTED {
            table.row([
                server.as_raw_fd().into(),
                "TCP".into(),
                local.ip().to_string().into(),
                local.port().to_string().into(),
                remote.ip().to_string().into(),
                remote.port().to_string().into(),
            ]);
        }
        open.push((client, server));
    }
    let (listening, established) = settled(&(1, 2 * open.len()), || {
        let listed = kernel::tcp_sockets(port)?;
        let of = |state| listed.iter().filter(|socket| socket.state == state).count();
        Ok((of("LISTEN"), of("ESTABLISHED")))
    })?;
    frame.table(table);
    frame.finding("connections", open.len());
    frame.finding("server_local_ports", local_ports.len());
    frame.finding("client_ports", remote_ports.len());
    frame.finding("listed_listening", listening);
    frame.finding("listed_established", established);
    frame.conclude(
        local_ports.len() == 1 && remote_ports.len() == open.len(),
        format!(
            "{} connections share one port of the server: accept4 takes no new port, only a new descriptor. What \
             differs is the client's port.",
            open.len()
        ),
        "The connections do not share the server's port, or two of them have the same five facts.",
    );
    frame.conclude(
        listening == 1 && established == 2 * open.len(),
        format!(
            "/proc/net/tcp lists {listening} listener and {established} ends of connections at port {port}: on \
             loopback the kernel holds both ends."
        ),
        format!("/proc/net/tcp lists {listening} listeners and {established} ends, not 1 and {}.", 2 * open.len()),
    );
    Ok((listener, address))
}

/// The same port of a client, again and again: which of it is refused, and by which call.
fn one_port_many_times(frame: &Frame, first_server: &Address) -> io::Result<()> {
    let calls = &mut frame.calls("client");
    let (_other_listener, second_server) = loopback::listener(&mut Silent, 16)?;
    frame.say("A client takes a port of its own, and connects.");
    let client = shareable(frame)?;
    sys::bind(calls, client.as_fd(), &loopback::anywhere())?;
    let ours = sys::getsockname(calls, client.as_fd())?;
    sys::connect(calls, client.as_fd(), first_server)?;

    let mut table = Table::new("The same port once more", &["who", "bind", "connect"]);
    let mut tried = |who: &'static str, socket: &OwnedFd, local: &Address, to: Option<&Address>| {
        let calls = &mut frame.calls("client");
        let bound = sys::bind(calls, socket.as_fd(), local);
        let connected = to
            .filter(|_| bound.is_ok())
            .map(|to| sys::connect(calls, socket.as_fd(), to));
        let answers = (verdict(&bound), connected.as_ref().map_or("-", verdict));
        table.row([who.into(), answers.0.into(), answers.1.into()]);
        answers
    };
    frame
        .say("Another socket wants the same address and port. By itself that is refused, by bind.");
    let plain = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let (second_bind, _) = tried("a second socket", &plain, &ours, Some(&second_server));

    frame.say("Both allow it (SO_REUSEADDR), and connect to another server: a fact differs, so the tuple is free.");
    let elsewhere = shareable(frame)?;
    let (_, to_another) = tried("to another server", &elsewhere, &ours, Some(&second_server));

    frame.say("To the same server all five facts would be the same: bind cannot know it yet, connect refuses.");
    let same = shareable(frame)?;
    let (same_bind, to_same) = tried("to the same server", &same, &ours, Some(first_server));

    frame.say("From another address of this machine, 127.0.0.2, the port is another one.");
    let (local, neighbour) = (
        v4(&ours)?,
        SocketAddrV4::new([127, 0, 0, 2].into(), v4(&ours)?.port()),
    );
    let neighbour = Address::Inet(SocketAddr::V4(neighbour));
    let socket = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let (_, from_another) = tried("from 127.0.0.2", &socket, &neighbour, Some(first_server));

    frame.say("And UDP is another protocol: its ports are not TCP's.");
    let datagrams = sys::socket(calls, Family::Inet, Kind::Datagram, Mode::Blocking)?;
    let (udp_bind, _) = tried("a UDP socket", &datagrams, &ours, None);
    frame.table(table);

    frame.finding("second_bind", second_bind);
    frame.finding("to_another_server", to_another);
    frame.finding("same_tuple_bind", same_bind);
    frame.finding("same_tuple_connect", to_same);
    frame.finding("from_another_address", from_another);
    frame.finding("udp_bind", udp_bind);
    frame.conclude(
        (second_bind, same_bind, to_same) == ("EADDRINUSE", "ok", "EADDRNOTAVAIL"),
        format!(
            "EADDRINUSE comes from bind: somebody has port {} and does not share it. EADDRNOTAVAIL comes from \
             connect: the whole tuple is taken.",
            local.port()
        ),
        format!("bind said {second_bind}, and connect with the same five facts said {to_same}."),
    );
    frame.conclude(
        [to_another, from_another, udp_bind] == ["ok"; 3],
        format!(
            "One fact that differs is enough: the remote port, the local address, or the protocol. So the {} ports \
             that the kernel chooses from are for each server anew, and for each address of the client's own.",
            own_ports()
        ),
        format!("Refused: to another server {to_another}, from another address {from_another}, over UDP {udp_bind}."),
    );
    Ok(())
}

/// How many ports connect chooses from (`ip_local_port_range` in `ip(7)`).
fn own_ports() -> Value {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = text
        .split_ascii_whitespace()
        .map_while(|word| word.parse::<u32>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) if first <= last => (last - first + 1).into(),
        _ => "few".into(),
    }
}

/// A socket whose port others may take as well.
fn shareable(frame: &Frame) -> io::Result<OwnedFd> {
    let calls = &mut frame.calls("client");
    let socket = sys::socket(calls, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::setsockopt(calls, socket.as_fd(), &SocketOption::ReuseAddress(true))?;
    Ok(socket)
}
