//! The client's side of WebSocket, written from RFC 6455 §5.2 alone, so that nothing is judged by its own author.

use std::net::SocketAddr;

use crate::peer::Peer;

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// The handshake of RFC 6455 §1.3; the answer to its key is known from there.
pub(crate) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A masked frame. `first` holds FIN, the reserved bits and the opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = header(first, payload.len() as u64);
    frame.extend_from_slice(&MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// The header of a masked frame, without its mask.
pub(crate) fn header(first: u8, payload_bytes: u64) -> Vec<u8> {
    let mut header = vec![first];
    match payload_bytes {
        0..126 => header.push(0x80 | payload_bytes as u8),
        126..65_536 => {
            header.push(0x80 | 0x7E);
            header.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            header.push(0x80 | 0x7F);
            header.extend_from_slice(&payload_bytes.to_be_bytes());
        }
    }
    header
}

/// A Close frame with a code and a reason.
pub(crate) fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

impl Peer {
    /// Connects and becomes a WebSocket of `/ws`.
    pub(crate) fn websocket(address: SocketAddr) -> Self {
        Self::websocket_at(address, "/ws", "")
    }

    /// Connects and becomes a WebSocket of `path`, by a handshake with further lines.
    pub(crate) fn websocket_at(address: SocketAddr, path: &str, lines: &str) -> Self {
        let mut peer = Self::connect(address);
        let handshake = HANDSHAKE.replacen("/ws", path, 1);
        let end = handshake.len() - 2;
        let reply = peer.ask(format!("{}{lines}\r\n", &handshake[..end]));
        assert_eq!(reply.status, 101, "{}", reply.head);
        assert_eq!(reply.field("Sec-WebSocket-Accept"), Some(ACCEPT));
        peer
    }

    /// The next frame of the server: its first byte and its payload. It must not be masked (RFC 6455 §5.1).
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2);
        assert_eq!(head[1] & 0x80, 0, "a server's frame is not masked");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(
                self.take(2).try_into().expect("two bytes"),
            )),
            127 => u64::from_be_bytes(self.take(8).try_into().expect("eight bytes")),
            short => u64::from(short),
        };
        (head[0], self.take(length as usize))
    }

    /// The next frame is a Close with this code; nothing follows but the FIN.
    pub(crate) fn is_closed_with(&mut self, code: u16) {
        let (first, payload) = self.frame();
        assert_eq!(first, CLOSE, "no Close but {first:#x}, {payload:?}");
        let said = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
        assert_eq!(said, Some(code), "{reason}");
        self.ends();
    }
}
