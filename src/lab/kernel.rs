//! What the kernel says about its sockets: `/proc/net/tcp` and the counters of `/proc/net/netstat` (`proc_net(5)`).
//!
//! These files belong to the network namespace, so other programs' connections stand in them and raise the counters too:
//! a lesson looks up its own ports, and says "at least" of a counter.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// One line of `/proc/net/tcp`: a TCP socket over IPv4.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpSocket {
    pub(super) local: SocketAddrV4,
    pub(super) remote: SocketAddrV4,
    /// By its name in `tcp(7)` and `ss(8)`: `ESTABLISHED`.
    pub(super) state: &'static str,
    /// Bytes sent and not yet acknowledged, or not yet sent.
    pub(super) send_queue: u32,
    /// Bytes received and not yet read; of a listener: connections that wait for accept.
    pub(super) receive_queue: u32,
}

/// The states in the order of `include/net/tcp_states.h`, from 1 on.
const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSE",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "NEW-SYN-RECV",
];

/// Every TCP socket over IPv4 that has `port` at either end.
///
/// The file is no snapshot: while others open and close, a socket may be missing or stand there twice. The second is
/// mended here; for the first ask again ([`settled`](super::loopback::settled)).
///
/// # Errors
///
/// `/proc` is not mounted, or this network namespace has no IPv4.
pub(super) fn tcp_sockets(port: u16) -> io::Result<Vec<TcpSocket>> {
    Ok(tcp_sockets_in(&fs::read_to_string("/proc/net/tcp")?, port))
}

fn tcp_sockets_in(text: &str, port: u16) -> Vec<TcpSocket> {
    let mut found: Vec<TcpSocket> = Vec::new();
    // Other programs may have a million connections: only lines that name the port are read.
    for (at, _) in text.match_indices(&format!(":{port:04X} ")) {
        let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let line = text[begin..].lines().next().unwrap_or_default();
        let ends = |socket: &TcpSocket| (socket.local, socket.remote);
        if let Some(socket) = tcp_socket(line)
            && (socket.local.port() == port || socket.remote.port() == port)
            && found.iter().all(|earlier| ends(earlier) != ends(&socket))
        {
            found.push(socket);
        }
    }
    found
}

/// The state of the connection's end at `local`; `None`: the kernel knows no such end (any more).
///
/// # Errors
///
/// As [`tcp_sockets`].
pub(super) fn tcp_state(
    local: SocketAddrV4,
    remote: SocketAddrV4,
) -> io::Result<Option<&'static str>> {
    let sockets = tcp_sockets(local.port())?;
    let ours = sockets
        .iter()
        .find(|socket| socket.local == local && socket.remote == remote);
    Ok(ours.map(|socket| socket.state))
}

/// `   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 …`
fn tcp_socket(line: &str) -> Option<TcpSocket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    let state = usize::from_str_radix(words.next()?, 16).ok()?;
    let (send, receive) = words.next()?.split_once(':')?;
    Some(TcpSocket {
        local,
        remote,
        state: STATES.get(state.checked_sub(1)?)?,
        send_queue: u32::from_str_radix(send, 16).ok()?,
        receive_queue: u32::from_str_radix(receive, 16).ok()?,
    })
}

/// `0100007F:1F90`: the address as a number in this machine's byte order, the port as it is said.
fn address(word: &str) -> Option<SocketAddrV4> {
    let (ip, port) = word.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// A counter of this network namespace by its name in `nstat(8)` without the prefix: `ListenOverflows`.
///
/// `None`: this kernel does not have it, or does not show it.
pub(super) fn counter(name: &str) -> Option<u64> {
    ["/proc/net/netstat", "/proc/net/snmp"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|text| counter_in(&text, name))
}

/// Names stand on one line, the figures in the same order on the next; both begin with the protocol.
fn counter_in(text: &str, name: &str) -> Option<u64> {
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks_exact(2).find_map(|pair| {
        let at = pair[0].split(' ').position(|word| word == name)?;
        pair[1].split(' ').nth(at)?.parse().ok()
    })
}

#[cfg(test)]
mod tests;
