//! A client that says exactly the bytes it is told to, and reads replies one by one.
//!
//! It believes nothing: a reply must be framed as RFC 9112 §6.3 says, and the end of a connection must be a FIN, not a
//! reset that could have destroyed a reply.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use longshore::trace::packets::Diag;
use socket2::SockRef;

use crate::server::{PATIENCE, eventually};

/// One connection to the server.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// Received, not asked for yet.
    unread: Vec<u8>,
}

/// A complete reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Status line and fields, with the empty line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut fields = lines.filter_map(|line| line.split_once(": "));
        fields
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("somebody listens"))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("an open socket");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("an open socket");
        stream.set_nodelay(true).expect("an open socket");
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// Sends what the server wants to have: it may have closed already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends until the kernel takes nothing for a while: the server does not read. Gives the number of bytes.
    pub(crate) fn stuff(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_nonblocking(true).expect("an open socket");
        let (mut sent, mut idle) = (0, 0);
        while sent < bytes.len() && idle < 40 {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => (sent, idle) = (sent + count, 0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    idle += 1;
                    thread::sleep(Duration::from_millis(5));
                }
                Err(_) => break,
            }
        }
        self.stream.set_nonblocking(false).expect("an open socket");
        sent
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&self) {
        self.stream
            .shutdown(Shutdown::Write)
            .expect("an open socket");
    }

    /// Goes with a reset instead of a FIN.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("an open socket");
    }

    /// Receives once. False at the end of the connection.
    fn receive(&mut self) -> bool {
        let mut buffer = vec![0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) => panic!("{error}, behind {:?}", text_of(&self.unread)),
        }
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(
                self.receive(),
                "the end, behind {:?}",
                text_of(&self.unread)
            );
        }
        self.unread.drain(..count).collect()
    }

    /// The reply to a request with a method other than HEAD.
    pub(crate) fn reply(&mut self) -> Reply {
        self.reply_to("GET")
    }

    /// The reply to a request with `method`.
    pub(crate) fn reply_to(&mut self, method: &str) -> Reply {
        let head_bytes = self.reply_head_bytes();
        let head = String::from_utf8(self.take(head_bytes)).expect("text");
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let mut reply = Reply {
            status: status.expect("a status line"),
            head,
            body: Vec::new(),
        };
        let length = reply
            .field("Content-Length")
            .map(|value| value.parse().expect("a number"));
        let bodiless = method == "HEAD" || matches!(reply.status, 100..=199 | 204 | 304);
        if !bodiless {
            reply.body = self.take(length.expect("a Content-Length"));
        }
        reply
    }

    /// How long the head of the reply is that comes next.
    pub(crate) fn reply_head_bytes(&mut self) -> usize {
        loop {
            let end = self
                .unread
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                return end + 4;
            }
            assert!(
                self.receive(),
                "the end, behind {:?}",
                text_of(&self.unread)
            );
        }
    }

    /// Sends a request and reads its reply.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Reply {
        let request = request.as_ref();
        self.send(request);
        self.reply_to(if request.starts_with(b"HEAD ") {
            "HEAD"
        } else {
            "GET"
        })
    }

    /// `GET path`.
    pub(crate) fn fetch(&mut self, path: &str) -> Reply {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    /// Everything up to the peer's FIN. A reset fails the test.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.receive() {}
        std::mem::take(&mut self.unread)
    }

    /// The server has closed in order, and said nothing more.
    pub(crate) fn ends(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "more than expected: {:?}", text_of(&rest));
    }

    /// The server has cut the connection: by a FIN or a reset, maybe behind bytes that were on their way. Gives their
    /// number.
    pub(crate) fn is_cut(&mut self) -> usize {
        let mut buffer = vec![0; 1 << 20];
        let mut count = self.unread.len();
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return count,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return count,
                Err(error) => panic!("not cut: {error}"),
            }
        }
    }

    /// The server says nothing for `time`, and does not close.
    pub(crate) fn stays_silent(&mut self, time: Duration) {
        assert!(
            self.unread.is_empty(),
            "unread: {:?}",
            text_of(&self.unread)
        );
        let deadline = Instant::now() + time;
        self.stream
            .set_read_timeout(Some(time))
            .expect("an open socket");
        match self.stream.peek(&mut [0]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {}
            other => panic!(
                "not silent: {other:?}, {:?} early",
                deadline - Instant::now()
            ),
        }
        self.stream
            .set_read_timeout(Some(PATIENCE))
            .expect("an open socket");
    }

    /// Waits until the server has read everything that was sent: nothing is left in its socket's receive queue.
    pub(crate) fn is_read(&self) {
        let address = |of: io::Result<SocketAddr>| of.expect("an open socket");
        let server = address(self.stream.peer_addr());
        let ours = address(self.stream.local_addr());
        let mut kernel = Diag::open().expect("sock_diag(7)");
        eventually("everything is read", || {
            let end = kernel.tcp(server, ours).expect("an answer");
            end.is_some_and(|end| end.receive_queue == 0)
        });
    }

    /// Whether something came, or the connection ended, without waiting.
    pub(crate) fn has_news(&self) -> bool {
        self.stream.set_nonblocking(true).expect("an open socket");
        let news = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).expect("an open socket");
        !self.unread.is_empty() || news
    }
}

/// Bytes for a message: not too many.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
    format!("{shown} ({} bytes)", bytes.len())
}

/// A request without a body.
pub(crate) fn request(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A request with a body whose length is declared.
pub(crate) fn with_length(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A request with a body in chunks of `chunk_bytes`.
pub(crate) fn chunked(method: &str, path: &str, body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut request = head.into_bytes();
    for chunk in body.chunks(chunk_bytes) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

/// Bytes that repeat with a period that no buffer size shares, so that a mixed-up order shows.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index % 251) as u8).collect()
}
