//! Datagrams: a line of input is one, and each that comes is printed as a line.
//!
//! ```text
//!   read(0) ─▶ line ─▶ send            connect(2) on a socket of datagrams sends nothing: it names the one peer, whose
//!   write(1) ◀─ line ◀─ recvmsg        datagrams alone are received, and whose refusal (ICMP) is told
//! ```
//!
//! Nothing says that a datagram has arrived, and nothing that no more will come: behind the end of input this waits for
//! `--linger` of silence, and ends.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use longshore::sys::{self, POLLIN, POLLOUT, PollFd, Probe, Received, StreamError, stream_error};

use super::lines::Lines;
use super::open::Opened;
use super::output::{Output, Shared, Source};

/// Larger than any that a Unix socket with the usual buffers can send; a UDP datagram has at most 65,507.
const DATAGRAM_BYTES_MAX: usize = 256 << 10;

pub(super) struct Terms {
    /// Silence of the peer behind the end of input.
    pub(super) linger: Duration,
    /// Silence at any time.
    pub(super) timeout: Option<Duration>,
    /// The input to its end is one datagram.
    pub(super) whole: bool,
}

pub(super) fn run<P: Probe>(
    probe: &Shared<P>,
    opened: &Opened<P>,
    mut source: Source,
    output: &mut Output<P>,
    terms: &Terms,
) -> Result<(), String> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut lines = Lines::new(DATAGRAM_BYTES_MAX, terms.whole);
    let mut heard = Instant::now();
    loop {
        let ended = !source.is_open() && !source.never_reads();
        let limit = if ended {
            Some(terms.linger)
        } else {
            terms.timeout
        };
        let left = limit.map(|limit| limit.saturating_sub(heard.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return match (ended, terms.timeout) {
                (false, Some(time)) => Err(format!(
                    "nothing came from {} for {} s; raise --timeout to wait longer",
                    opened.name,
                    time.as_secs_f64()
                )),
                _ => Ok(()),
            };
        }
        let (input, socket) = wait(probe, opened, &source, left)?;
        if socket {
            receive(probe, opened, &mut buffer, output)?;
            heard = Instant::now();
        }
        if input {
            let more = source.read(probe)?;
            let is_last = more.is_none();
            let fits = lines.push(more.unwrap_or_default());
            while let Some(line) = lines.next_line() {
                send(probe, opened, line)?;
            }
            fits?;
            if is_last && let Some(line) = lines.last() {
                send(probe, opened, line)?;
            }
            heard = Instant::now();
        }
    }
}

/// Whether there is input, and whether the socket has something to tell.
fn wait<P: Probe>(
    probe: &Shared<P>,
    opened: &Opened<P>,
    source: &Source,
    left: Option<Duration>,
) -> Result<(bool, bool), String> {
    let stdin = io::stdin();
    let mut fds = [
        PollFd::new(opened.fd.as_fd(), POLLIN),
        PollFd::new(stdin.as_fd(), POLLIN),
    ];
    let fds = if source.is_open() {
        &mut fds[..]
    } else {
        &mut fds[..1]
    };
    probe
        .call(|probe| sys::poll(probe, fds, left))
        .map_err(|error| format!("poll: {error}"))?;
    let ready = |at: usize| fds.get(at).is_some_and(|fd| fd.revents() != 0);
    Ok((ready(1), ready(0)))
}

fn receive<P: Probe>(
    probe: &Shared<P>,
    opened: &Opened<P>,
    buffer: &mut [u8],
    output: &mut Output<P>,
) -> Result<(), String> {
    match probe.call(|probe| sys::recvfrom(probe, opened.fd.as_fd(), buffer)) {
        Ok(Received {
            bytes, truncated, ..
        }) => {
            output.note(|| {
                let cut = if truncated {
                    ", cut: the rest is lost"
                } else {
                    ""
                };
                format!("← datagram {bytes} bytes{cut}")
            });
            output.line(&buffer[..bytes])
        }
        Err(error) if stream_error(&error) == StreamError::NotReady => Ok(()),
        Err(error) => Err(failed(opened, &error)),
    }
}

fn send<P: Probe>(probe: &Shared<P>, opened: &Opened<P>, datagram: &[u8]) -> Result<(), String> {
    loop {
        match probe.call(|probe| sys::send(probe, opened.fd.as_fd(), datagram)) {
            Ok(_) => return Ok(()),
            // The receiver's queue is full, or ours.
            Err(error) if stream_error(&error) == StreamError::NotReady => {
                let mut fds = [PollFd::new(opened.fd.as_fd(), POLLOUT)];
                probe
                    .call(|probe| sys::poll(probe, &mut fds, None))
                    .map_err(|error| format!("poll: {error}"))?;
            }
            Err(error) => return Err(failed(opened, &error)),
        }
    }
}

fn failed<P: Probe>(opened: &Opened<P>, error: &io::Error) -> String {
    let name = &opened.name;
    let advice = match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => {
            "; nobody listens there: start the server, or check the address"
        }
        Some(libc::EMSGSIZE) => "; the line is longer than a datagram can be",
        _ => "",
    };
    format!("{name}: {error}{advice}")
}
