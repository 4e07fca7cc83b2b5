//! A WebSocket client for tests.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use longshore::ws::{CloseCode, Kind, encode_masked_close, encode_masked_message};

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_to(port, "/", "")
    }

    /// With further `fields`, each with its line end.
    pub(crate) fn connect_to(port: u16, path: &str, fields: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a reply");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        let mut frame = Vec::new();
        encode_masked_message(&mut frame, [1, 2, 3, 4], Kind::Text, text.as_bytes());
        self.stream.write_all(&frame).expect("sent");
    }

    /// Closes, and is answered.
    pub(crate) fn say_goodbye(mut self) {
        let mut frame = Vec::new();
        encode_masked_close(&mut frame, [1, 2, 3, 4], Some(CloseCode::NORMAL), "");
        self.stream.write_all(&frame).expect("sent");
        assert_eq!(self.close().0, 1000);
    }

    /// The next text message.
    pub(crate) fn text(&mut self) -> String {
        let (first, payload) = self.frame();
        assert_eq!(first, 0x81, "a whole text message");
        String::from_utf8(payload).expect("text")
    }

    /// Whether the next frame is a text message. It stays to be read.
    pub(crate) fn next_is_text(&mut self) -> bool {
        while self.unread.is_empty() {
            assert!(self.receive(), "the server has closed");
        }
        self.unread[0] == 0x81
    }

    /// The next frame is a Close: its code and reason.
    pub(crate) fn close(&mut self) -> (u16, String) {
        let (first, payload) = self.frame();
        assert_eq!(first, 0x88, "a Close");
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        (
            code,
            String::from_utf8(payload[2..].to_vec()).expect("text"),
        )
    }

    /// Nothing comes but the end of the connection, whichever; what was on its way is forgotten.
    pub(crate) fn ends(&mut self) {
        while self.receive() {}
        self.unread.clear();
    }

    /// Whether nothing has come that was not asked for yet.
    pub(crate) fn is_drained(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("an open socket");
        let more = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).expect("an open socket");
        self.unread.is_empty() && !more
    }

    /// The next frame: its first byte and payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(frame) = self.take() {
                return frame;
            }
            assert!(self.receive(), "the server has closed");
        }
    }

    /// Receives once. False at the end of the connection.
    fn receive(&mut self) -> bool {
        let mut buffer = vec![0; 1 << 16];
        let count = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break 0,
                read => break read.expect("more comes"),
            }
        };
        self.unread.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Whether a message comes within `time`. It stays to be read.
    pub(crate) fn arrives(&mut self, time: Duration) -> bool {
        if !self.unread.is_empty() {
            return true;
        }
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..count]);
        let timeout = Some(Duration::from_secs(20));
        self.stream.set_read_timeout(timeout).expect("a timeout");
        count > 0
    }

    fn take(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, &second) = (self.unread.first()?, self.unread.get(1)?);
        let (header, length) = match second {
            126 => (
                4,
                u64::from(u16::from_be_bytes(self.unread.get(2..4)?.try_into().ok()?)),
            ),
            127 => (
                10,
                u64::from_be_bytes(self.unread.get(2..10)?.try_into().ok()?),
            ),
            short => (2, u64::from(short)),
        };
        let end = header + usize::try_from(length).expect("it fits");
        let payload = self.unread.get(header..end)?.to_vec();
        self.unread.drain(..end);
        Some((first, payload))
    }
}
