//! A WebSocket, as the handler sees it.

use crate::conn::Io;
use crate::conn::websocket::WebSocket;
use crate::ws::{CloseCode, Kind, encode_message};

/// A complete message, borrowed for one call.
#[derive(Debug)]
pub struct Message<'b> {
    /// Text or binary.
    pub kind: Kind,
    /// The payload. Text is valid UTF-8: the decoder has checked it.
    pub bytes: &'b mut [u8],
}

/// A WebSocket during one call.
pub struct Socket<'s, 'i> {
    websocket: &'s mut WebSocket,
    io: &'s mut Io<'i>,
}

impl<'s, 'i> Socket<'s, 'i> {
    pub(super) fn new(websocket: &'s mut WebSocket, io: &'s mut Io<'i>) -> Self {
        Self { websocket, io }
    }

    /// Sends a message. Everything that is sent in one call leaves in one send. False if the closing handshake has
    /// begun: then nothing is sent.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> bool {
        let open = self.websocket.may_send() && self.io.is_open();
        if open {
            encode_message(self.io.out(), kind, payload);
        }
        open
    }

    /// Sends text.
    pub fn send_text(&mut self, text: &str) -> bool {
        self.send(Kind::Text, text.as_bytes())
    }

    /// How many bytes wait to be sent to this peer.
    pub fn buffered(&self) -> usize {
        self.io.waiting_bytes()
    }

    /// Begins the closing handshake. Messages that the peer sent before it sees the Close still come.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.websocket.close(code, reason, self.io);
    }
}
