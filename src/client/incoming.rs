//! Bytes of the server, and the messages that they make.
//!
//! ```text
//!   bytes    [ taken │ unread, at most an unfinished header or control frame │ room for the next read ]
//!                         │ Decoder, and if agreed Unpacking
//!                         ▼
//!   message  [ the pieces so far ]        control  [ the payload of one Ping, Pong or Close ]
//! ```
//!
//! A message is copied or inflated once, into memory that grows with what has come and not with what a header announces. It does not
//! know the stream, nor what is answered.

use std::ops::Range;

use super::deflated::{Terms, Unpacking};
use super::fault::Fault;
use crate::buf::Input;
use crate::ws::{self, CloseCode, Kind, Role};

/// How much one read may bring.
const BUFFER_BYTES: usize = 64 << 10;
/// A longer message's memory is given back when the next one begins.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What has come; its bytes are in [`Incoming::message`] or [`Incoming::control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Message(Kind),
    Ping,
    Pong,
    /// The reason is in `control`.
    Close(Option<CloseCode>),
}

pub(super) struct Incoming {
    decoder: ws::Decoder,
    limits: ws::Limits,
    /// If the server agreed to compression.
    unpacking: Option<Unpacking>,
    bytes: Box<[u8]>,
    unread: Range<usize>,
    message: Vec<u8>,
    control: Vec<u8>,
}

impl Incoming {
    /// Starts behind the handshake, with the `frames` that came with it.
    pub(super) fn new(frames: &[u8], message_bytes_max: u64, terms: Option<Terms>) -> Self {
        let mut bytes = vec![0; BUFFER_BYTES].into_boxed_slice();
        bytes[..frames.len()].copy_from_slice(frames);
        let mut decoder = ws::Decoder::new(Role::Client);
        if terms.is_some() {
            decoder.allow_rsv1();
        }
        Self {
            decoder,
            limits: ws::Limits { message_bytes_max },
            unpacking: terms.map(Unpacking::new),
            bytes,
            unread: 0..frames.len(),
            message: Vec::new(),
            control: Vec::new(),
        }
    }

    /// The next thing that is whole; `None` means that more must be read.
    pub(super) fn step(&mut self) -> Result<Option<Step>, Fault> {
        let mut input = Input::new(&mut self.bytes[self.unread.clone()]);
        let mut control = |payload: &[u8], step| {
            self.control.clear();
            self.control.extend_from_slice(payload);
            Some(step)
        };
        let step = loop {
            break match self.decoder.next(&mut input, &self.limits)? {
                None => None,
                Some(ws::Event::Ping(payload)) => control(payload, Step::Ping),
                Some(ws::Event::Pong(payload)) => control(payload, Step::Pong),
                Some(ws::Event::Close(code, reason)) => {
                    control(reason.as_bytes(), Step::Close(code))
                }
                Some(ws::Event::Data(piece)) => {
                    if piece.first {
                        begin(&mut self.message);
                    }
                    match &mut self.unpacking {
                        Some(unpacking) if piece.compressed => {
                            let limit = self.limits.message_bytes_max;
                            unpacking.inflate(&piece, limit, &mut self.message)?;
                        }
                        _ => self.message.extend_from_slice(piece.bytes),
                    }
                    if !piece.last {
                        continue;
                    }
                    Some(Step::Message(piece.kind))
                }
            };
        };
        self.unread.start = self.unread.end - input.len();
        Ok(step)
    }

    /// Where the next read puts its bytes. Never empty: what is unread is at most an unfinished control frame.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        &mut self.bytes[self.unread.end..]
    }

    /// Takes note of `count` bytes at the start of the room.
    pub(super) fn received(&mut self, count: usize) {
        self.unread.end += count;
        debug_assert!(self.unread.end <= self.bytes.len());
    }

    /// The last message.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The payload of the last Ping or Pong, or the reason of the Close.
    pub(super) fn control(&self) -> &[u8] {
        &self.control
    }
}

fn begin(message: &mut Vec<u8>) {
    if message.capacity() > KEPT_BYTES_MAX {
        *message = Vec::new();
    }
    message.clear();
}
