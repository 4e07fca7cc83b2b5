//! The SYN queue: connections whose third packet has not come. On loopback it comes at once, so the listener is told to take
//! no connection without data (`TCP_DEFER_ACCEPT`): the kernel then ignores the third packet, and they stay half open.
//!
//! A SYN flood is the same with senders that never answer. A full queue is met with SYN cookies (`tcp_syncookies` in
//! `tcp(7)`): the state goes into the answer's sequence number, and the kernel keeps nothing.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use longshore::sys::{self, Address, Mode, POLLIN, Silent, SocketOption};

use super::{Caller, answered, call, rise};
use crate::lab::frame::Frame;
use crate::lab::kernel;
use crate::lab::loopback::{self, PATIENCE, settled, v4};
use crate::lab::report::Table;

const CALLERS: usize = 3;

/// With this backlog the SYN queue is full too, sooner than there are callers.
const TINY: i32 = 1;

pub(super) fn run(frame: &Frame) -> io::Result<()> {
    enough_room(frame)?;
    too_little_room(frame)
}

/// Clients that are connected as they see it and half open as the server sees it.
fn enough_room(frame: &Frame) -> io::Result<()> {
    frame.say("The other queue. This listener wants data before it takes a connection (TCP_DEFER_ACCEPT).");
    let (listener, address) = loopback::listener(&mut frame.calls("server"), 16)?;
    let option = SocketOption::DeferAccept(Duration::from_secs(10));
    sys::setsockopt(&mut frame.calls("server"), listener.as_fd(), &option)?;
    let callers = call_all(frame, &address)?;
    let port = v4(&address)?.port();
    let half_open = settled(&CALLERS, || count(port, "SYN-RECV"))?;
    let established = settled(&CALLERS, || count(port, "ESTABLISHED"))?;
    let waiting = super::listening(port)?.map_or(0, |listener| listener.receive_queue);

    frame.say("One of them speaks.");
    sys::write(
        &mut frame.calls("client"),
        callers[0].socket.as_fd(),
        b"ahoy",
    )?;
    let acceptable = loopback::ready(
        &mut frame.calls("server"),
        listener.as_fd(),
        POLLIN,
        PATIENCE,
    )?;
    if acceptable {
        sys::accept4(&mut frame.calls("server"), listener.as_fd(), Mode::Blocking)?;
    }
    let left = settled(&(CALLERS - 1), || count(port, "SYN-RECV"))?;
    let mut table = Table::new(
        "Half open",
        &[
            "when",
            "clients in ESTABLISHED",
            "server in SYN-RECV",
            "accept queue",
        ],
    );
    table.row([
        "all silent".into(),
        established.into(),
        half_open.into(),
        waiting.into(),
    ]);
    table.row([
        "one has spoken".into(),
        CALLERS.into(),
        left.into(),
        0.into(),
    ]);
    frame.table(table);
    frame.finding("half_open_callers", CALLERS);
    frame.finding("half_open_at_server", half_open);
    frame.finding("half_open_established_at_clients", established);
    frame.finding("half_open_after_data", left);
    frame.conclude(
        half_open == CALLERS && established == CALLERS && left == CALLERS - 1 && acceptable,
        format!(
            "{half_open} clients believe that they are connected; for the server they are half open, in SYN-RECV, and \
             cost it almost nothing. Data made one of them whole."
        ),
        format!("{established} clients were established, {half_open} half open at the server, {left} after data."),
    );
    Ok(())
}

/// More half-open connections than the SYN queue may hold.
fn too_little_room(frame: &Frame) -> io::Result<()> {
    let setting = fs::read_to_string("/proc/sys/net/ipv4/tcp_syncookies").unwrap_or_default();
    let setting = setting.trim();
    frame.say(format!("The same with a backlog of {TINY}, so that this queue overflows (net.ipv4.tcp_syncookies = {setting})."));
    let (listener, address) = loopback::listener(&mut Silent, TINY)?;
    let option = SocketOption::DeferAccept(Duration::from_secs(10));
    sys::setsockopt(&mut Silent, listener.as_fd(), &option)?;
    let figures = || ["SyncookiesSent", "TCPReqQFullDrop", "ListenDrops"].map(kernel::counter);
    let before = figures();
    let mut callers = call_all(frame, &address)?;
    let port = v4(&address)?.port();
    let risen = || {
        let after = figures();
        [0, 1, 2].map(|at| rise(before[at], after[at]).unwrap_or(0))
    };
    settled(&true, || Ok(risen().iter().sum::<u64>() > 0))?;
    answered(&mut callers, Duration::ZERO)?;
    let connected = callers
        .iter()
        .filter(|caller| caller.connected.is_some())
        .count();
    let half_open = count(port, "SYN-RECV")?;
    let [cookies, full, drops] = risen();
    frame.finding("tiny_half_open", half_open);
    frame.finding("tiny_connected", connected);
    frame.finding("tiny_cookies", cookies);
    frame.finding("tiny_full_drops", full);
    frame.finding("tiny_drops", drops);
    frame.conclude(
        half_open < CALLERS && cookies + full + drops > 0,
        format!(
            "The kernel keeps {half_open} half open and no more: SyncookiesSent rose by {cookies}, ListenDrops by \
             {drops}. With a cookie in the answer a flood of SYNs takes no memory, and {connected} of {CALLERS} \
             clients are connected all the same, as they see it."
        ),
        format!("The kernel kept {half_open} half open, and counted neither a cookie nor a drop."),
    );
    Ok(())
}

fn call_all(frame: &Frame, to: &Address) -> io::Result<Vec<Caller>> {
    (0..CALLERS).map(|_| call(frame, to)).collect()
}

/// How many ends at this port are in a state: half open is the server's end, established here only a client's.
fn count(port: u16, state: &str) -> io::Result<usize> {
    let sockets = kernel::tcp_sockets(port)?;
    let of_clients = state == "ESTABLISHED";
    let ours = sockets
        .iter()
        .filter(|socket| (socket.remote.port() == port) == of_clients);
    Ok(ours.filter(|socket| socket.state == state).count())
}
