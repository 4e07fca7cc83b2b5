//! The four that are compared. Each reads the same wire and yields whole messages, unmasked, all its checks on.
#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io::Read;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use fastwebsockets::FragmentCollector;
use futures_core::Stream;
use longshore::{buf, ws};
use tokio_websockets::WebSocketStream;

use crate::wire::{LEND_BYTES, Wire};

/// Their names, in the order of the tables.
pub(crate) const NAMES: [&str; 5] = [
    "longshore",
    "tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    COPY,
];

/// Decodes nothing: what the copy out of the wire costs everybody, and so a bound.
pub(crate) const COPY: &str = "copy alone";

/// Reads messages from its own wire.
pub(crate) trait Reader {
    /// Reads at least `messages` messages, each of `payload_bytes` bytes; returns how many it read.
    fn read(&mut self, messages: usize, payload_bytes: usize) -> usize;
}

/// The reader of that name.
pub(crate) fn reader(name: &str, frames: Vec<u8>) -> Option<Box<dyn Reader>> {
    let wire = Wire::new(frames);
    Some(match name {
        COPY => Box::new(Copy {
            wire,
            lend: vec![0; LEND_BYTES],
            spare: 0,
        }),
        "longshore" => Box::new(Longshore::new(wire)),
        "tungstenite" => Box::new(Tungstenite::from_raw_socket(
            wire,
            tungstenite::protocol::Role::Server,
            None, // the read buffer is 128 KiB then, which its documentation advises for high loads
        )),
        "fastwebsockets" => Box::new(FragmentCollector::new(
            fastwebsockets::WebSocket::after_handshake(wire, fastwebsockets::Role::Server),
        )),
        "tokio-websockets" => Box::new(tokio_websockets::ServerBuilder::new().serve(wire)),
        _ => return None,
    })
}

/// A message was read: its length is right, and the compiler must not know that nobody looks at its bytes.
fn look_at(message: &[u8], payload_bytes: usize) {
    assert_eq!(message.len(), payload_bytes);
    black_box(message);
}

/// Reads as many bytes as the frames have.
struct Copy {
    wire: Wire,
    lend: Vec<u8>,
    /// Bytes that were read and not yet counted as messages.
    spare: usize,
}

impl Reader for Copy {
    fn read(&mut self, messages: usize, payload_bytes: usize) -> usize {
        let header_bytes = if payload_bytes < 126 { 6 } else { 8 };
        let mut read = 0;
        while read < messages {
            self.spare += self.wire.read(&mut self.lend).expect("memory");
            black_box(&self.lend);
            read += self.spare / (header_bytes + payload_bytes);
            self.spare %= header_bytes + payload_bytes;
        }
        read
    }
}

/// The decoder, and what an embedder writes around it: one receive buffer, filled behind what is unfinished.
///
/// ```text
///   buffer  ┌ decoded ┬ begun message, or begun header ┬─ next read ─▶ ┬ room ┐
///                     └ moved to the front when the room ends ─────────┘
/// ```
///
/// A message that two reads share so lies in one piece, as it does in the buffers of the others. A fragmented message
/// would not, and does not occur here.
struct Longshore {
    wire: Wire,
    decoder: ws::Decoder,
    buffer: Vec<u8>,
    /// Where the unfinished message or header begins.
    begun: usize,
    /// Where the decoder goes on; behind `begun` inside a message.
    decoded: usize,
    /// How far the buffer is filled.
    filled: usize,
}

/// What a read asks for: all that the wire offers at a time.
const READ_BYTES: usize = LEND_BYTES;

impl Longshore {
    fn new(wire: Wire) -> Self {
        Self {
            wire,
            decoder: ws::Decoder::new(ws::Role::Server),
            buffer: vec![0; 3 * READ_BYTES],
            begun: 0,
            decoded: 0,
            filled: 0,
        }
    }

    fn fill(&mut self) {
        if self.begun == self.filled || self.filled + READ_BYTES > self.buffer.len() {
            self.buffer.copy_within(self.begun..self.filled, 0);
            self.decoded -= self.begun;
            self.filled -= self.begun;
            self.begun = 0;
        }
        let room = &mut self.buffer[self.filled..][..READ_BYTES];
        self.filled += self.wire.read(room).expect("memory");
    }

    /// Decodes up to the end of what is there, or of a message that two reads shared. `None` for the first.
    fn drain(&mut self, read: &mut usize, payload_bytes: usize) -> Option<()> {
        let limits = ws::Limits::default();
        let mut input = buf::Input::new(&mut self.buffer[self.decoded..self.filled]);
        let mut whole = 0;
        while let Some(event) = self.decoder.next(&mut input, &limits).expect("good frames") {
            let ws::Event::Data(piece) = event else {
                panic!("{event:?}");
            };
            match (piece.first, piece.last) {
                (true, true) => {
                    look_at(piece.bytes, payload_bytes);
                    whole += 1;
                }
                (true, false) => self.begun = self.filled - piece.bytes.len(),
                (false, false) => {}
                (false, true) => {
                    self.decoded = self.filled - input.len();
                    look_at(&self.buffer[self.begun..self.decoded], payload_bytes);
                    self.begun = self.decoded;
                    *read += whole + 1;
                    return Some(());
                }
            }
        }
        self.decoded = self.filled - input.len();
        if !self.decoder.is_inside_message() {
            self.begun = self.decoded;
        }
        *read += whole;
        None
    }
}

impl Reader for Longshore {
    fn read(&mut self, messages: usize, payload_bytes: usize) -> usize {
        let mut read = 0;
        while read < messages {
            self.fill();
            while self.drain(&mut read, payload_bytes).is_some() {}
        }
        read
    }
}

type Tungstenite = tungstenite::WebSocket<Wire>;

impl Reader for Tungstenite {
    fn read(&mut self, messages: usize, payload_bytes: usize) -> usize {
        for _ in 0..messages {
            match Tungstenite::read(self).expect("good frames") {
                tungstenite::Message::Text(text) => look_at(text.as_bytes(), payload_bytes),
                tungstenite::Message::Binary(bytes) => look_at(&bytes, payload_bytes),
                other => panic!("{other:?}"),
            }
        }
        messages
    }
}

impl Reader for FragmentCollector<Wire> {
    fn read(&mut self, messages: usize, payload_bytes: usize) -> usize {
        at_once(async {
            for _ in 0..messages {
                let frame = self.read_frame().await.expect("good frames");
                look_at(&frame.payload, payload_bytes);
            }
        });
        messages
    }
}

impl Reader for WebSocketStream<Wire> {
    fn read(&mut self, messages: usize, payload_bytes: usize) -> usize {
        at_once(async {
            for _ in 0..messages {
                let message = poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await;
                let message = message.expect("no end").expect("good frames");
                look_at(message.as_payload(), payload_bytes);
            }
        });
        messages
    }
}

/// The smallest executor: the wire is always ready, so one poll runs to the end. tokio-websockets gives up its turn
/// now and then nevertheless, and is polled again.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
