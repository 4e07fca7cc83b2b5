//! A WebSocket client for tests: text, and no more.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use longshore::ws::{Kind, encode_masked_message};

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            )
            .expect("sent");
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

    /// The next text message.
    pub(crate) fn text(&mut self) -> String {
        loop {
            if let Some(text) = self.take() {
                return text;
            }
            let mut buffer = vec![0; 1 << 16];
            let count = match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.expect("more comes"),
            };
            assert!(count > 0, "the server has closed");
            self.unread.extend_from_slice(&buffer[..count]);
        }
    }

    /// Whether a message comes within `time`. It stays to be read.
    pub(crate) fn arrives(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..count]);
        let timeout = Some(Duration::from_secs(20));
        self.stream.set_read_timeout(timeout).expect("a timeout");
        count > 0
    }

    fn take(&mut self) -> Option<String> {
        let (&first, &second) = (self.unread.first()?, self.unread.get(1)?);
        assert_eq!(first, 0x81, "a whole text message");
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
        Some(String::from_utf8(payload).expect("text"))
    }
}
