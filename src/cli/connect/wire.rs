//! A connected socket as a stream whose waits are bounded, for those who speak HTTP or WebSocket over it.
//!
//! ```text
//!   write ─▶ send ─ EAGAIN ─▶ poll(POLLIN | POLLOUT) ─┬─ room ─▶ send
//!                                                     └─ bytes ─▶ recv ─▶ aside ─▶ the next read
//!   read ◀── aside, or recv ─ EAGAIN ─▶ poll(POLLIN, patience)
//! ```
//!
//! Who waits for room and does not read meanwhile may wait for ever: a peer that echoes stops reading when nobody takes
//! its echo. So a write puts aside what comes, up to a bound. It does not know what the bytes mean; a [`Tap`] may look on.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use longshore::sys::{self, POLLIN, POLLOUT, PollFd, Probe};

use super::open::Socket;
use super::output::Shared;
use super::tap::Tap;

/// How much is received with one call when it is put aside.
const READ_BYTES: usize = 16 << 10;

pub(super) struct Wire<P: Probe> {
    fd: Socket<P>,
    probe: Shared<P>,
    /// How long a read waits; `None` for ever. Set through a shared reference, as for `TcpStream`.
    patience: Cell<Option<Duration>>,
    /// How long a write waits for room.
    write_limit: Option<Duration>,
    aside: Vec<u8>,
    aside_bytes_max: usize,
    /// The peer has ended its half, and what it sent is in `aside`.
    ended: bool,
    tap: Option<Tap>,
}

impl<P: Probe> Wire<P> {
    pub(super) fn new(
        fd: Socket<P>,
        probe: Shared<P>,
        limit: Option<Duration>,
        aside_bytes_max: usize,
    ) -> Self {
        Self {
            fd,
            probe,
            patience: Cell::new(limit),
            write_limit: limit,
            aside: Vec::new(),
            aside_bytes_max,
            ended: false,
            tap: None,
        }
    }

    /// Shows what is sent and received.
    pub(super) fn tapped(self, tap: Tap) -> Self {
        Self {
            tap: Some(tap),
            ..self
        }
    }

    /// Lets reads wait so long from now on; zero: not at all.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the shape that a client of streams wants"
    )]
    pub(super) fn set_patience(&self, patience: Option<Duration>) -> io::Result<()> {
        self.patience.set(patience);
        Ok(())
    }

    /// To be waited for together with others.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn probe(&self) -> &Shared<P> {
        &self.probe
    }

    fn wait(&self, events: i16, limit: Option<Duration>) -> io::Result<i16> {
        let mut fds = [PollFd::new(self.fd.as_fd(), events)];
        match self.probe.call(|probe| sys::poll(probe, &mut fds, limit))? {
            0 => Err(ErrorKind::TimedOut.into()),
            _ => Ok(fds[0].revents()),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self
            .probe
            .call(|probe| sys::recv(probe, self.fd.as_fd(), buffer))?;
        if let Some(tap) = &mut self.tap {
            tap.received(&buffer[..count]);
        }
        Ok(count)
    }

    /// Waits for room, and takes what comes meanwhile.
    fn make_room(&mut self) -> io::Result<()> {
        let reads = !self.ended && self.aside.len() < self.aside_bytes_max;
        let events = if reads { POLLIN | POLLOUT } else { POLLOUT };
        let ready = self.wait(events, self.write_limit)?;
        if reads && ready & POLLIN != 0 {
            let mut buffer = [0; READ_BYTES];
            match self.receive(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => self.aside.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<P: Probe> Read for Wire<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.aside.is_empty() {
            let count = self.aside.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.aside[..count]);
            self.aside.drain(..count);
            return Ok(count);
        }
        if self.ended {
            return Ok(0);
        }
        loop {
            match self.receive(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let patience = self.patience.get();
                    if patience == Some(Duration::ZERO) {
                        return Err(error);
                    }
                    self.wait(POLLIN, patience)?;
                }
                other => return other,
            }
        }
    }
}

impl<P: Probe> Write for Wire<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let sent = self
                .probe
                .call(|probe| sys::send(probe, self.fd.as_fd(), bytes));
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.make_room()?,
                Err(error) => return Err(error),
                Ok(count) => {
                    if let Some(tap) = &mut self.tap {
                        tap.sent(&bytes[..count]);
                    }
                    return Ok(count);
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
