//! The sockets that most lessons begin with: a listener on 127.0.0.1, a connection to it, a wait with an end.
//!
//! A lesson that teaches how they come about makes them itself.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use longshore::sys::{self, Address, Family, Kind, Mode, PollFd, Probe, Silent};

/// How long a lesson waits for something that loopback does within a millisecond, on however busy a machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// `127.0.0.1:0`: any free port.
pub(super) fn anywhere() -> Address {
    Address::Inet(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// The address and port, where nothing but IPv4 was made.
pub(super) fn v4(address: &Address) -> io::Result<SocketAddrV4> {
    match address.inet() {
        Some(SocketAddr::V4(v4)) => Ok(v4),
        _ => Err(io::Error::other(format!("{address} is not IPv4"))),
    }
}

/// A listener that blocks, and its address.
pub(super) fn listener(probe: &mut impl Probe, backlog: i32) -> io::Result<(OwnedFd, Address)> {
    let listener = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::bind(probe, listener.as_fd(), &anywhere())?;
    sys::listen(probe, listener.as_fd(), backlog)?;
    let address = sys::getsockname(probe, listener.as_fd())?;
    Ok((listener, address))
}

/// A client that blocks, connected to this address.
pub(super) fn client(probe: &mut impl Probe, to: &Address) -> io::Result<OwnedFd> {
    let client = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Blocking)?;
    sys::connect(probe, client.as_fd(), to)?;
    Ok(client)
}

/// Both ends of a TCP connection, client first. The listener is gone.
pub(super) fn pair(probe: &mut impl Probe) -> io::Result<(OwnedFd, OwnedFd)> {
    let (listener, address) = listener(probe, 1)?;
    let client = client(probe, &address)?;
    let server = sys::accept4(probe, listener.as_fd(), Mode::Blocking)?;
    sys::close(probe, listener)?;
    Ok((client, server))
}

/// Waits until `fd` is ready for one of `events`, or some time passes; whether it is ready.
pub(super) fn ready(
    probe: &mut impl Probe,
    fd: BorrowedFd<'_>,
    events: i16,
    within: Duration,
) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, events)];
    Ok(to_its_end(within, |left| sys::poll(probe, &mut fds, Some(left)))? > 0)
}

/// Waits for as long as it was meant: again with what is left of the time, if a wait ends early and nothing has happened.
///
/// A signal ends a wait (`signal(7)`), and so does the kernel's own work for the thread (EINTR without a signal): if the
/// thread has closed a ring, the rest of that ring is taken down by it some milliseconds later.
pub(super) fn to_its_end(
    within: Duration,
    mut wait: impl FnMut(Duration) -> io::Result<usize>,
) -> io::Result<usize> {
    let begin = Instant::now();
    let mut left = within;
    loop {
        let count = wait(left)?;
        left = within.saturating_sub(begin.elapsed());
        if count > 0 || left.is_zero() {
            return Ok(count);
        }
    }
}

/// Lets time pass: no descriptors, nothing is waited for.
pub(super) fn pause(time: Duration) -> io::Result<()> {
    to_its_end(time, |left| sys::poll(&mut Silent, &mut [], Some(left))).map(drop)
}

/// Asks again until the answer is `wanted` or [`PATIENCE`] is at its end; the last answer.
///
/// Packets on loopback are delivered within the call that sends them, as a rule; on a busy machine a little later.
pub(super) fn settled<T: PartialEq>(
    wanted: &T,
    mut ask: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let begin = Instant::now();
    loop {
        let answer = ask()?;
        if answer == *wanted || begin.elapsed() > PATIENCE {
            return Ok(answer);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// `ok`, or the name of the errno: `EADDRINUSE`.
pub(super) fn verdict<T>(result: &io::Result<T>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.raw_os_error().map_or("an error", sys::errno_name),
    }
}

/// `1 read`, `3 reads`.
pub(super) fn times(count: usize, text: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {text}{plural}")
}

/// The middle one of these measurements; 0 of none.
pub(super) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
