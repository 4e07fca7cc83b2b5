//! Datagrams: one socket for all peers, and each datagram goes back to where it came from.
//!
//! ```text
//!   recvmsg ─▶ (bytes, from) ─▶ sendto(bytes, from) ─▶ recvmsg ─▶ …
//! ```
//!
//! A sender's address is a claim. So two things are not answered (the lesson of RFC 862 servers that were made to talk to
//! each other for ever): ports below 1024, where the services live that answer anything, and our own port number. It keeps
//! nothing between two datagrams.

use std::os::fd::BorrowedFd;

use longshore::sys::{self, Address, Probe, UnixName};

use super::live::Live;
use super::tally::Tally;

/// No UDP datagram is longer; of a longer Unix datagram the rest is lost.
pub(super) const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// Ports of well-known services.
const PRIVILEGED_END: u16 = 1024;

/// Echoes until the program stops.
pub(super) fn echo(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    ours: &Address,
    live: &Live,
    tally: &Tally,
) -> Result<(), String> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    while !live.is_stopping() {
        let received = match sys::recvfrom(probe, fd, &mut buffer) {
            // A socket that was shut answers with nothing, from nobody.
            Ok(_) if live.is_stopping() => break,
            Ok(received) => received,
            // What an earlier reply met at its receiver is told here (ip(7), IP_RECVERR); it is about that one alone.
            Err(error) if is_about_one_peer(&error) => continue,
            Err(error) => return Err(format!("cannot receive: {error}")),
        };
        let why_not = unanswerable(&received.from, ours, received.truncated);
        let failed = match why_not {
            None => sys::sendto(probe, fd, &buffer[..received.bytes], &received.from).err(),
            Some(_) => None,
        };
        let failed = failed.map(|error| error.to_string());
        tally.datagram(
            received.bytes,
            &received.from,
            why_not.or(failed.as_deref()),
        );
    }
    Ok(())
}

/// Why a datagram stays without an answer, if it does.
pub(super) fn unanswerable(
    from: &Address,
    ours: &Address,
    truncated: bool,
) -> Option<&'static str> {
    match from {
        Address::Unix(UnixName::Unnamed) => Some("its sender has no name"),
        Address::Inet(inet) if inet.port() < PRIVILEGED_END => {
            Some("it came from a port below 1024")
        }
        Address::Inet(inet) if ours.inet().is_some_and(|ours| ours.port() == inet.port()) => {
            Some("it came from our own port number")
        }
        _ if truncated => Some("it was longer than 64 KiB"),
        _ => None,
    }
}

fn is_about_one_peer(error: &std::io::Error) -> bool {
    use libc::{ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH};
    matches!(
        error.raw_os_error(),
        Some(ECONNREFUSED | EHOSTUNREACH | ENETUNREACH | EMSGSIZE | libc::EAGAIN)
    )
}

#[cfg(test)]
mod tests;
