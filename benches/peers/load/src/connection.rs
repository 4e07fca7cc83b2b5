//! One open connection: what was said, what was heard, and what the socket did not take yet.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use crate::script::{Script, head};

/// A source address gives some 28,000 ports, of which those of closed connections rest for a minute.
const SOURCES: usize = 200;

/// A socket that connects from the address that `number` falls on: 127.1.0.1 and those after it.
pub(crate) fn socket_from(number: usize, to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if to.is_ipv4() && to.ip().is_loopback() {
        let source = Ipv4Addr::new(127, 1, 0, (number % SOURCES) as u8 + 1);
        // The port is chosen by connect(2), which knows the destination, and not by bind(2), which must avoid all.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::V4(SocketAddrV4::new(source, 0)).into())?;
    }
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Units handed to [`Connection::say`] so far.
    said: u64,
    /// Bytes heard so far.
    heard: u64,
    /// Of the last units said, the socket did not take so many bytes.
    unsent: usize,
}

impl Connection {
    /// Connects, shakes hands, and makes one exchange: from here on the server knows this connection.
    pub(crate) fn open(number: usize, to: SocketAddr, script: &Script) -> io::Result<Self> {
        let socket = socket_from(number, to)?;
        socket.connect(&to.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        if let Some(handshake) = script.handshake() {
            stream.write_all(handshake)?;
            let head = head(&mut stream)?;
            let text = String::from_utf8_lossy(&head);
            // The accept value of the example key (RFC 6455 §1.3).
            if !text.starts_with("HTTP/1.1 101 ") || !text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            {
                return Err(io::Error::other(format!("answered {text:?}")));
            }
        }
        stream.write_all(script.units(0, 1))?;
        let mut reply = vec![0; script.reply_bytes()];
        stream.read_exact(&mut reply)?;
        if !script.is_next(0, &reply) {
            return Err(wrong_bytes(0, &reply));
        }
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            said: 1,
            heard: reply.len() as u64,
            unsent: 0,
        })
    }

    /// Sends `count` more units, as far as the socket takes them; `true` when all is sent.
    pub(crate) fn say(&mut self, script: &Script, count: usize) -> io::Result<bool> {
        self.said += count as u64;
        if self.unsent == 0 {
            let bytes = script.units(self.said - count as u64, count);
            self.unsent = bytes.len() - written(self.stream.write(bytes))?;
        } else {
            // Behind what is waiting already.
            self.unsent += script.units(0, count).len();
        }
        Ok(self.unsent == 0)
    }

    /// Sends what is waiting; `true` when all is sent.
    pub(crate) fn flush(&mut self, script: &Script) -> io::Result<bool> {
        let unit = script.units(0, 1).len();
        let units = self.unsent.div_ceil(unit);
        let bytes = script.units(self.said - units as u64, units);
        let rest = &bytes[bytes.len() - self.unsent..];
        self.unsent -= written(self.stream.write(rest))?;
        Ok(self.unsent == 0)
    }

    /// One recv: how many units were completed by what came.
    pub(crate) fn hear(&mut self, script: &Script, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(io::Error::other("the server closed a connection")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..count];
        if !script.is_next(self.heard, bytes) {
            return Err(wrong_bytes(self.heard, bytes));
        }
        let unit = script.reply_bytes() as u64;
        let before = self.heard / unit;
        self.heard += count as u64;
        let after = self.heard / unit;
        if after > self.said {
            return Err(io::Error::other("more replies than requests"));
        }
        Ok((after - before) as usize)
    }
}

fn written(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

fn wrong_bytes(position: u64, bytes: &[u8]) -> io::Error {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    io::Error::other(format!(
        "other bytes than expected, at {position}: {shown:?}"
    ))
}
