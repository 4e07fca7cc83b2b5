//! WebSocket sessions on the in-memory driver: pings, pongs, deadlines, how they end, and messages in pieces.

mod deadlines;
mod pieces;
mod pings;

use std::thread;
use std::time::{Duration, Instant};

use super::application::{Client, Simulated};
use crate::buf::Input;
use crate::ws::{CloseCode, Decoder, Event, Limits, Role};

const TEXT: u8 = 0x81;
const BEGIN: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// A frame of a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len @ ..65_536 => {
            bytes.push(0xFE);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0xFF);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

fn close(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

/// A client that has become a WebSocket, and what it has received since.
struct Talk {
    peer: Client,
    bytes: Vec<u8>,
}

impl Talk {
    fn open(server: &mut Simulated, path: &str) -> Self {
        let peer = server.connect();
        peer.write(handshake(path).as_bytes());
        server.settle();
        let reply = peer.read();
        assert!(reply.starts_with(b"HTTP/1.1 101 "));
        assert!(reply.ends_with(b"\r\n\r\n"));
        let bytes = Vec::new();
        Self { peer, bytes }
    }

    fn say(&self, frames: &[u8]) {
        self.peer.write(frames);
    }

    /// The frames that have come and were not asked for yet: first byte and payload.
    fn heard(&mut self) -> Vec<(u8, Vec<u8>)> {
        self.bytes.extend(self.peer.read());
        let mut frames = Vec::new();
        while let Some(size) = frame_bytes(&self.bytes) {
            let frame: Vec<u8> = self.bytes.drain(..size).collect();
            let header = match frame[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            frames.push((frame[0], frame[header..].to_vec()));
        }
        frames
    }
}

fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// How long the first frame is, if it is here whole.
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let size = match *bytes.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
        127 => 10 + u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize,
        short => 2 + usize::from(short),
    };
    (bytes.len() >= size).then_some(size)
}

/// What a client makes of frames: messages put together, pings and pongs, the Close.
fn understood(frames: &[(u8, Vec<u8>)]) -> Vec<String> {
    let mut decoder = Decoder::new(Role::Client);
    let (mut said, mut message) = (Vec::new(), Vec::new());
    for (first, payload) in frames {
        let mut bytes = vec![*first];
        match payload.len() {
            len @ 0..=125 => bytes.push(len as u8),
            len @ ..65_536 => {
                bytes.push(126);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            len => {
                bytes.push(127);
                bytes.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        let mut input = Input::new(&mut bytes);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        while let Some(event) = decoder
            .next(&mut input, &Limits::default())
            .expect("the server keeps the rules")
        {
            match event {
                Event::Data(piece) => {
                    message.extend_from_slice(piece.bytes);
                    if piece.last {
                        said.push(text(&std::mem::take(&mut message)));
                    }
                }
                Event::Ping(payload) => said.push(format!("ping {}", text(payload))),
                Event::Pong(payload) => said.push(format!("pong {}", text(payload))),
                Event::Close(code, _) => {
                    let code = code.map_or(1005, CloseCode::number);
                    said.push(format!("close {code}"));
                }
            }
        }
    }
    said
}

/// Makes turns until `done`, for ten seconds at most.
fn turn_until(server: &mut Simulated, mut done: impl FnMut(&mut Simulated) -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        server.settle();
        if done(server) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
