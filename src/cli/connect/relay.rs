//! A byte stream: what is typed goes out, what comes is printed, both at once.
//!
//! ```text
//!   read(0) ─▶ waiting ─▶ send        poll(2) says which of the two can go on
//!   write(1) ◀────────── recv         0: the peer has ended its half
//!
//!   end of input ─▶ all has been sent ─▶ shutdown(SHUT_WR) ─▶ recv … 0, or silence for --linger
//! ```
//!
//! While what was read waits to be sent, nothing more is read: the memory is one buffer. It does not know where a message
//! begins; in a byte stream there are none.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use longshore::sys::{
    self, How, POLLERR, POLLHUP, POLLIN, POLLOUT, PollFd, Probe, StreamError, stream_error,
};

use super::open::Opened;
use super::output::{Output, Shared, Source};

/// How much is received with one call.
const READ_BYTES: usize = 64 << 10;

/// What the user wants of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// LF leaves as CRLF.
    pub(super) crlf: bool,
    /// Silence of the peer behind the end of input.
    pub(super) linger: Duration,
    /// Silence at any time.
    pub(super) timeout: Option<Duration>,
    /// Go on sending when the peer has ended its half.
    pub(super) keep_sending: bool,
}

pub(super) fn run<P: Probe>(
    probe: &Shared<P>,
    opened: Opened<P>,
    source: Source,
    output: &mut Output<P>,
    terms: Terms,
) -> Result<(), String> {
    let mut relay = Relay {
        probe,
        fd: opened.fd.as_fd(),
        source,
        waiting: Vec::new(),
        last_was_cr: false,
        said_end: false,
        peer_open: true,
        terms,
    };
    let result = relay.run(output);
    let Opened { name, fd } = opened;
    drop(fd);
    result.map_err(|failed| match failed {
        Failed::Connection(error) => {
            let error = match stream_error(&error) {
                StreamError::PeerGone => format!("{name} has cut the connection: {error}"),
                _ => format!("{name}: {error}"),
            };
            format!("{error}; what was not printed is lost")
        }
        Failed::Silence(time) => {
            let seconds = time.as_secs_f64();
            format!("nothing came from {name} for {seconds} s; raise --timeout to wait longer")
        }
        Failed::Here(error) => error,
    })
}

enum Failed {
    Connection(io::Error),
    Silence(Duration),
    /// Standard input or output.
    Here(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Connection(error)
    }
}

struct Relay<'r, P> {
    probe: &'r Shared<P>,
    fd: BorrowedFd<'r>,
    source: Source,
    /// Read, and not sent yet.
    waiting: Vec<u8>,
    /// For `crlf`: what was read last ends with a CR.
    last_was_cr: bool,
    /// Our half is shut.
    said_end: bool,
    peer_open: bool,
    terms: Terms,
}

impl<P: Probe> Relay<'_, P> {
    fn run(&mut self, output: &mut Output<P>) -> Result<(), Failed> {
        let mut heard = Instant::now();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let has_all = self.waiting.is_empty();
            let input_ended = !self.source.is_open() && !self.source.never_reads();
            if input_ended && has_all && !self.said_end {
                self.end_our_half(output)?;
            }
            let is_over = self.said_end || (has_all && !self.terms.keep_sending);
            if !self.peer_open && is_over {
                return output.end().map_err(Failed::Here);
            }
            let limit = if self.said_end {
                Some(self.terms.linger)
            } else {
                self.terms.timeout
            };
            let left = limit.map(|limit| limit.saturating_sub(heard.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return self.silence(output);
            }
            let (input, socket) = self.wait(left)?;
            if input {
                self.take_input()?;
                heard = Instant::now();
            }
            if socket & POLLOUT != 0 && !self.waiting.is_empty() {
                self.send()?;
                heard = Instant::now();
            }
            if socket & (POLLIN | POLLHUP | POLLERR) != 0 {
                if !self.peer_open {
                    // A reset behind the peer's end: it takes nothing more.
                    return Err(io::Error::from_raw_os_error(libc::EPIPE).into());
                }
                self.receive(&mut buffer, output)?;
                heard = Instant::now();
            }
        }
    }

    fn end_our_half(&mut self, output: &Output<P>) -> Result<(), Failed> {
        self.said_end = true;
        output.note(|| "* end of input: shutdown(SHUT_WR)".to_owned());
        let shut = self
            .probe
            .call(|probe| sys::shutdown(probe, self.fd, How::Write));
        match shut {
            // The peer has cut the connection already; receiving tells how.
            Err(error) if error.raw_os_error() == Some(libc::ENOTCONN) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The time is over: a failure, but behind the end of input.
    fn silence(&self, output: &mut Output<P>) -> Result<(), Failed> {
        if !self.said_end {
            let time = self.terms.timeout.unwrap_or_default();
            return Err(Failed::Silence(time));
        }
        output.note(|| "* the peer does not end its half; not waiting longer".to_owned());
        output.end().map_err(Failed::Here)
    }

    /// Whether there is input, and what the socket is ready for.
    fn wait(&mut self, left: Option<Duration>) -> Result<(bool, i16), Failed> {
        let reads = self.source.is_open() && self.waiting.is_empty();
        let mut events = 0;
        if self.peer_open {
            events |= POLLIN;
        }
        if !self.waiting.is_empty() {
            events |= POLLOUT;
        }
        let stdin = io::stdin();
        let mut fds = [
            PollFd::new(self.fd, events),
            PollFd::new(stdin.as_fd(), POLLIN),
        ];
        let fds = if reads { &mut fds[..] } else { &mut fds[..1] };
        self.probe.call(|probe| sys::poll(probe, fds, left))?;
        let input = fds.get(1).is_some_and(|stdin| stdin.revents() != 0);
        Ok((input, fds[0].revents()))
    }

    fn take_input(&mut self) -> Result<(), Failed> {
        let bytes = self.source.read(self.probe).map_err(Failed::Here)?;
        let bytes = bytes.unwrap_or_default();
        if !self.terms.crlf {
            self.waiting.extend_from_slice(bytes);
            return Ok(());
        }
        for &byte in bytes {
            if byte == b'\n' && !self.last_was_cr {
                self.waiting.push(b'\r');
            }
            self.waiting.push(byte);
            self.last_was_cr = byte == b'\r';
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failed> {
        let sent = self
            .probe
            .call(|probe| sys::send(probe, self.fd, &self.waiting));
        match sent {
            Ok(count) => drop(self.waiting.drain(..count)),
            Err(error) if stream_error(&error) == StreamError::NotReady => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8], output: &mut Output<P>) -> Result<(), Failed> {
        match self.probe.call(|probe| sys::recv(probe, self.fd, buffer)) {
            Ok(0) => {
                self.peer_open = false;
                output.note(|| "* the peer has ended its half".to_owned());
            }
            Ok(count) => output.bytes(&buffer[..count]).map_err(Failed::Here)?,
            Err(error) if stream_error(&error) == StreamError::NotReady => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
