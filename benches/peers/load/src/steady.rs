//! Connections that stay open, each with the same number of units in flight.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::connection::Connection;
use crate::script::Script;
use crate::{Stopwatch, Tally};

const EVENTS_PER_WAIT: usize = 512;
const RECV_BYTES: usize = 256 * 1024;
/// A server that answers nothing at all for so long has lost something.
const SILENCE: Duration = Duration::from_secs(5);

pub(crate) struct Load<'s> {
    script: &'s Script,
    epoll: Epoll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
}

impl<'s> Load<'s> {
    pub(crate) fn open(script: &'s Script, to: SocketAddr, count: usize) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let connection = Connection::open(number, to, script)?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            epoll.add(connection.stream.as_fd(), event)?;
            connections.push(connection);
        }
        Ok(Self {
            script,
            epoll,
            connections,
            buffer: vec![0; RECV_BYTES],
        })
    }

    /// Keeps `depth` units in flight on every connection for `window`, then waits for the last of them.
    pub(crate) fn run(&mut self, depth: usize, window: Duration) -> io::Result<Tally> {
        let watch = Stopwatch::start()?;
        let deadline = watch.started() + window;
        for number in 0..self.connections.len() {
            self.say(number, depth)?;
        }
        let (mut units, mut in_flight) = (0, self.connections.len() * depth);
        let mut events = [EpollEvent::empty(); EVENTS_PER_WAIT];
        while in_flight > 0 {
            let ready = match self.epoll.wait(&mut events, SILENCE.as_millis() as u16) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            if ready == 0 {
                let what = format!("{in_flight} of {units} never came back");
                return Err(io::Error::other(what));
            }
            let on = Instant::now() < deadline;
            for event in &events[..ready] {
                let number = event.data() as usize;
                let back = self.turn(number, event.events())?;
                units += back as u64;
                if on && back > 0 {
                    self.say(number, back)?;
                } else {
                    in_flight -= back;
                }
            }
        }
        watch.stop(units)
    }

    fn turn(&mut self, number: usize, ready: EpollFlags) -> io::Result<usize> {
        let connection = &mut self.connections[number];
        if ready.contains(EpollFlags::EPOLLOUT) && connection.flush(self.script)? {
            self.watch(number, EpollFlags::EPOLLIN)?;
        }
        if ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            return self.connections[number].hear(self.script, &mut self.buffer);
        }
        Ok(0)
    }

    fn say(&mut self, number: usize, count: usize) -> io::Result<()> {
        if !self.connections[number].say(self.script, count)? {
            self.watch(number, EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT)?;
        }
        Ok(())
    }

    fn watch(&self, number: usize, interest: EpollFlags) -> io::Result<()> {
        let mut event = EpollEvent::new(interest, number as u64);
        let stream = self.connections[number].stream.as_fd();
        Ok(self.epoll.modify(stream, &mut event)?)
    }
}
