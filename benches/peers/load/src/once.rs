//! A connection for every request: connect, ask with `Connection: close`, read to the end, and again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::connection::socket_from;
use crate::script::Script;
use crate::{Stopwatch, Tally};

const EVENTS_PER_WAIT: usize = 512;
const SILENCE_MS: u16 = 5000;

/// One of the connections at a time; a new one takes its place when it ends.
struct Attempt {
    stream: TcpStream,
    heard: usize,
    asked: bool,
}

pub(crate) fn run(
    script: &Script,
    to: SocketAddr,
    connections: usize,
    window: Duration,
) -> io::Result<Tally> {
    let watch = Stopwatch::start()?;
    let deadline = watch.started() + window;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut opened = 0;
    let mut attempts = Vec::with_capacity(connections);
    for slot in 0..connections {
        attempts.push(Some(Attempt::open(opened, to, script, &epoll, slot)?));
        opened += 1;
    }
    let (mut units, mut open) = (0, connections);
    let mut events = [EpollEvent::empty(); EVENTS_PER_WAIT];
    let mut buffer = vec![0; script.reply_bytes() + 1];
    while open > 0 {
        let ready = match epoll.wait(&mut events, SILENCE_MS) {
            Err(nix::errno::Errno::EINTR) => continue,
            other => other?,
        };
        if ready == 0 {
            return Err(io::Error::other(format!(
                "{open} of {units} never came back"
            )));
        }
        let on = Instant::now() < deadline;
        for event in &events[..ready] {
            let slot = event.data() as usize;
            let Some(attempt) = &mut attempts[slot] else {
                continue;
            };
            if !attempt.turn(script, &epoll, slot, &mut buffer)? {
                continue;
            }
            units += 1;
            // Closes the old one, which the server has closed already.
            attempts[slot] = None;
            if on {
                attempts[slot] = Some(Attempt::open(opened, to, script, &epoll, slot)?);
                opened += 1;
            } else {
                open -= 1;
            }
        }
    }
    watch.stop(units)
}

impl Attempt {
    /// Over loopback the handshake is done when connect(2) returns, and the request can go at once.
    fn open(
        number: usize,
        to: SocketAddr,
        script: &Script,
        epoll: &Epoll,
        slot: usize,
    ) -> io::Result<Self> {
        let socket = socket_from(number, to)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            other => other?,
        }
        let mut attempt = Self {
            stream: socket.into(),
            heard: 0,
            asked: false,
        };
        attempt.ask(script)?;
        let event = EpollEvent::new(attempt.interest(), slot as u64);
        epoll.add(attempt.stream.as_fd(), event)?;
        Ok(attempt)
    }

    fn interest(&self) -> EpollFlags {
        if self.asked {
            EpollFlags::EPOLLIN
        } else {
            EpollFlags::EPOLLOUT
        }
    }

    fn ask(&mut self, script: &Script) -> io::Result<()> {
        match self.stream.write(script.units(0, 1)) {
            Ok(count) if count == script.units(0, 1).len() => self.asked = true,
            Ok(_) => return Err(io::Error::other("a fresh socket took half a request")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// `true`: the whole reply came, and the end of the connection behind it.
    fn turn(
        &mut self,
        script: &Script,
        epoll: &Epoll,
        slot: usize,
        buffer: &mut [u8],
    ) -> io::Result<bool> {
        if !self.asked {
            self.ask(script)?;
            let mut event = EpollEvent::new(self.interest(), slot as u64);
            epoll.modify(self.stream.as_fd(), &mut event)?;
            return Ok(false);
        }
        loop {
            match self.stream.read(buffer) {
                Ok(0) if self.heard == script.reply_bytes() => return Ok(true),
                Ok(0) => return Err(io::Error::other("closed before the end of the reply")),
                Ok(count) => {
                    if !script.is_next(self.heard as u64, &buffer[..count]) {
                        let text = String::from_utf8_lossy(&buffer[..count]);
                        return Err(io::Error::other(format!(
                            "other bytes than expected: {text:?}"
                        )));
                    }
                    self.heard += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}
