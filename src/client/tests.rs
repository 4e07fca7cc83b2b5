//! The client against a server of memory, which says what the test wrote down, in pieces of any size.

#[cfg(feature = "deflate")]
mod deflate;
mod ends;
mod head;
mod messages;
mod opening;
mod reply;

use std::io::{self, Read, Write};
use std::mem;
use std::time::Duration;

use super::{Error, Options, WebSocket};
use crate::buf::Input;
use crate::http::Head;
use crate::ws::{self, CloseCode, Kind, Opcode, Role, encode_close, encode_frame};

/// The reply of a good server; `ACCEPT` is replaced by what answers the key.
const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";

/// A server that waits for the request, then says `reply`, and then its frames.
struct Script {
    /// Until the request has come.
    reply: Option<String>,
    frames: Vec<u8>,
    /// What it still says.
    says: Vec<u8>,
    /// The most bytes of one read.
    piece: usize,
    /// What the end of the script is: the end of the stream, or a read that times out.
    end: Option<io::ErrorKind>,
    /// How many more bytes it takes.
    takes: usize,
    request: Vec<u8>,
    /// Behind the request.
    heard: Vec<u8>,
}

impl Script {
    fn new(reply: &str, frames: &[u8]) -> Self {
        Self {
            reply: Some(reply.to_owned()),
            frames: frames.to_vec(),
            says: Vec::new(),
            piece: usize::MAX,
            end: None,
            takes: usize::MAX,
            request: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn in_pieces_of(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    fn silent_at_its_end(self) -> Self {
        let end = Some(io::ErrorKind::WouldBlock);
        Self { end, ..self }
    }

    fn open(self, options: &Options<'_>) -> Result<WebSocket<Self>, Error> {
        WebSocket::handshake(self, "ws://server.example/chat", options)
    }

    /// The answer to the request that was heard, which our own server's parser must take.
    fn answer(&mut self, reply: &str) {
        let head = Head::parse(&self.heard).expect("a request by RFC 9112");
        let accept = ws::accept(true, true, head.fields.clone()).expect("a handshake by RFC 6455");
        let key_accept = str::from_utf8(&accept.key_accept).expect("base64");
        self.says = reply.replace("ACCEPT", key_accept).into_bytes();
        self.says.append(&mut self.frames);
        self.request = mem::take(&mut self.heard);
    }
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(reply) = self.reply.take() {
            self.answer(&reply);
        }
        let count = self.says.len().min(self.piece).min(buffer.len());
        if count == 0 {
            return self.end.map_or(Ok(0), |kind| Err(kind.into()));
        }
        buffer[..count].copy_from_slice(&self.says[..count]);
        self.says.drain(..count);
        Ok(count)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.takes == 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        // Short writes, as a kernel makes them.
        let count = bytes.len().min(1000).min(self.takes);
        self.takes -= count;
        self.heard.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An open WebSocket, to whose client the server says `frames`.
fn opened(frames: &[u8]) -> WebSocket<Script> {
    let script = Script::new(GOOD, frames);
    script.open(&Options::default()).expect("a good handshake")
}

/// One frame of a server.
fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_frame(&mut out, opcode, fin, None, payload);
    out
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode_close(&mut out, CloseCode::new(code), reason);
    out
}

/// What the server has heard since the handshake, one line for each event of its decoder: a judge of masks and frames.
fn heard(socket: &WebSocket<Script>) -> Vec<String> {
    let mut bytes = socket.stream().heard.clone();
    let mut input = Input::new(&mut bytes);
    let mut decoder = ws::Decoder::new(Role::Server);
    let mut lines = Vec::new();
    while let Some(event) = decoder
        .next(&mut input, &ws::Limits::default())
        .expect("frames by RFC 6455")
    {
        lines.push(match event {
            ws::Event::Data(piece) => {
                let kind = if piece.kind == Kind::Text {
                    "text"
                } else {
                    "binary"
                };
                let begin = if piece.first { "" } else { "…" };
                let end = if piece.last { "" } else { "…" };
                format!("{kind} {begin}{}{end}", piece.bytes.escape_ascii())
            }
            ws::Event::Ping(payload) => format!("ping {}", payload.escape_ascii()),
            ws::Event::Pong(payload) => format!("pong {}", payload.escape_ascii()),
            ws::Event::Close(code, reason) => {
                let code = code.map_or("none".to_owned(), |code| code.to_string());
                format!("close {code} {reason}")
            }
        });
    }
    assert!(input.is_empty(), "only whole frames are sent");
    lines
}

/// Every event to the last, which is an error or the close.
fn said(socket: &mut WebSocket<Script>) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        match socket.next() {
            Ok(event) => lines.push(format!("{event:?}")),
            Err(Error::Closed) => return lines,
            Err(error) => {
                lines.push(error.to_string());
                assert!(!error.advice().is_empty());
                if matches!(error, Error::Timeout) {
                    return lines;
                }
            }
        }
    }
}
