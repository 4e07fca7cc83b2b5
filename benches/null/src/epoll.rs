//! Readiness: level-triggered, one recv and one send for each that is ready.
//!
//! ```text
//! epoll_wait → recv → answer → send
//!     └ the listener: accept4 → recv at once, the request may be there → send → EPOLL_CTL_ADD
//! ```

use std::io;
use std::os::fd::RawFd;

use crate::protocol::{Answer, Protocol, RECV_BYTES};
use crate::{http, sys};

const EVENTS_PER_WAIT: usize = 512;

struct Connection {
    protocol: Protocol,
    /// Left over by a short send. Receiving stops until it is gone.
    unsent: Vec<u8>,
}

struct Loop {
    epoll: RawFd,
    listener: RawFd,
    ws: bool,
    connections: Vec<Option<Connection>>,
    received: Vec<u8>,
    out: Vec<u8>,
    replies: Vec<u8>,
}

pub(crate) fn serve(listener: RawFd, ws: bool) -> io::Result<()> {
    let epoll = sys::epoll_create()?;
    sys::watch(epoll, libc::EPOLL_CTL_ADD, listener, libc::EPOLLIN)?;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_WAIT];
    let mut all = Loop {
        epoll,
        listener,
        ws,
        connections: Vec::new(),
        received: vec![0; RECV_BYTES],
        out: Vec::with_capacity(2 * RECV_BYTES),
        replies: http::replies_for(RECV_BYTES),
    };
    loop {
        let ready = sys::epoll_wait(epoll, &mut events)?;
        for event in &events[..ready] {
            let socket = event.u64 as RawFd;
            if socket == listener {
                all.accept_all()?;
            } else {
                all.ready(socket);
            }
        }
    }
}

impl Loop {
    fn accept_all(&mut self) -> io::Result<()> {
        while let Some(socket) = sys::accept(self.listener)? {
            let index = socket as usize;
            if index >= self.connections.len() {
                self.connections.resize_with(index + 1, || None);
            }
            self.connections[index] = Some(Connection {
                protocol: Protocol::new(self.ws),
                unsent: Vec::new(),
            });
            // Whoever asks one thing and goes is never watched.
            if matches!(self.receive(socket), Ok(true)) {
                let unsent = self.connections[index].as_ref();
                let full = unsent.is_some_and(|connection| !connection.unsent.is_empty());
                let interest = if full { libc::EPOLLOUT } else { libc::EPOLLIN };
                sys::watch(self.epoll, libc::EPOLL_CTL_ADD, socket, interest)?;
            } else {
                self.close(socket);
            }
        }
        Ok(())
    }

    fn ready(&mut self, socket: RawFd) {
        let connection = self.connections[socket as usize].as_ref();
        let connection = connection.expect("only open connections are watched");
        let outcome = if connection.unsent.is_empty() {
            self.receive(socket).and_then(|open| {
                self.watch_output(socket)?;
                Ok(open)
            })
        } else {
            self.flush(socket)
        };
        if !matches!(outcome, Ok(true)) {
            self.close(socket);
        }
    }

    /// After a short send only.
    fn watch_output(&mut self, socket: RawFd) -> io::Result<()> {
        match &self.connections[socket as usize] {
            Some(connection) if !connection.unsent.is_empty() => {
                sys::watch(self.epoll, libc::EPOLL_CTL_MOD, socket, libc::EPOLLOUT)
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, socket: RawFd) {
        sys::close(socket);
        self.connections[socket as usize] = None;
    }

    /// One recv, one send. `Ok(false)`: the connection is over.
    fn receive(&mut self, socket: RawFd) -> io::Result<bool> {
        let Some(count) = sys::recv(socket, &mut self.received)? else {
            return Ok(true);
        };
        if count == 0 {
            return Ok(false);
        }
        let connection = self.connections[socket as usize].as_mut();
        let connection = connection.expect("only open connections receive");
        self.out.clear();
        let received = &self.received[..count];
        let (bytes, closing) = match connection.protocol.answer(received, &mut self.out) {
            Answer::Replies(count) => (&self.replies[..count], false),
            Answer::LastReply => (http::LAST_REPLY, true),
            Answer::Appended { closing } => (&self.out[..], closing),
            Answer::Over => return Ok(false),
        };
        if bytes.is_empty() {
            return Ok(true);
        }
        let sent = sys::send(socket, bytes)?.unwrap_or(0);
        if sent < bytes.len() {
            connection.unsent = bytes[sent..].to_vec();
            return Ok(true);
        }
        Ok(!closing)
    }

    fn flush(&mut self, socket: RawFd) -> io::Result<bool> {
        let connection = self.connections[socket as usize].as_mut();
        let connection = connection.expect("only open connections are watched");
        let sent = sys::send(socket, &connection.unsent)?.unwrap_or(0);
        connection.unsent.drain(..sent);
        if connection.unsent.is_empty() {
            connection.unsent = Vec::new();
            sys::watch(self.epoll, libc::EPOLL_CTL_MOD, socket, libc::EPOLLIN)?;
        }
        Ok(true)
    }
}
