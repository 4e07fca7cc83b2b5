//! Looks on while a WebSocket is opened and used, and tells what it sees on the wire: heads, then frame headers.
//!
//! ```text
//!   > GET /ws HTTP/1.1          > sent          → fin text masked 5 bytes key 0x37fa213d
//!   < HTTP/1.1 101 …            < received      ← fin text 5 bytes
//! ```
//!
//! It sees the bytes as they pass and not what the client makes of them, so what it tells is true even where the client
//! is wrong. Payloads pass by, but for the code of a Close. It keeps a head of bounded length, or a header.
//!
//! One read may bring many frames. What it tells of received ones waits in [`Headers`] until the client comes to the
//! message, so that each stands before its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::output::{told, told_head};

/// A longer head is told as far as this; the client refuses it too.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// More lines do not wait: a message of ever more fragments would never come to its end.
const HEADERS_MAX: usize = 64;

/// Headers that were received, and belong before what the client has not come to yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers(Rc<RefCell<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// What is told, and whether the frame is the last of its message.
    lines: VecDeque<(String, bool)>,
    /// How many messages were told of before the client came to them, because too many waited.
    early: usize,
}

impl Headers {
    fn push(&self, line: &str, last: bool) {
        let waiting = &mut *self.0.borrow_mut();
        if waiting.lines.len() == HEADERS_MAX
            && let Some((first, last)) = waiting.lines.pop_front()
        {
            told(&first);
            waiting.early += usize::from(last);
        }
        waiting.lines.push_back((line.to_owned(), last));
    }

    /// Tells of the frames of the next message, or of the next control frame.
    pub(super) fn tell_next(&self) {
        let waiting = &mut *self.0.borrow_mut();
        if waiting.early > 0 {
            waiting.early -= 1;
            return;
        }
        while let Some((line, last)) = waiting.lines.pop_front() {
            told(&line);
            if last {
                return;
            }
        }
    }

    /// Tells of all: nothing more is complete.
    pub(super) fn tell_all(&self) {
        let waiting = &mut *self.0.borrow_mut();
        waiting.early = 0;
        for (line, _) in waiting.lines.drain(..) {
            told(&line);
        }
    }
}

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Tap {
    sent: Side,
    received: Side,
    headers: Headers,
}

impl Tap {
    pub(super) const fn new(headers: Headers) -> Self {
        Self {
            headers,
            sent: Side::new('>', '→'),
            received: Side::new('<', '←'),
        }
    }

    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.sent
            .pass(bytes, &mut told_head, &mut |line, _| told(line));
    }

    pub(super) fn received(&mut self, bytes: &[u8]) {
        let headers = &self.headers;
        self.received
            .pass(bytes, &mut told_head, &mut |line, last| {
                headers.push(line, last);
            });
    }
}

/// One direction.
#[derive(Debug)]
struct Side {
    head_mark: char,
    frame_mark: char,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before or inside a head.
    Head(Vec<u8>),
    /// Before or inside a frame's header, the first two bytes of a Close included.
    Header(Vec<u8>),
    /// Inside a payload.
    Payload { left: u64 },
    /// The handshake failed, so that these are no frames.
    Over,
}

impl Side {
    const fn new(head_mark: char, frame_mark: char) -> Self {
        Self {
            head_mark,
            frame_mark,
            state: State::Head(Vec::new()),
        }
    }

    fn pass(
        &mut self,
        mut bytes: &[u8],
        on_head: &mut dyn FnMut(char, &[u8]),
        on_frame: &mut dyn FnMut(&str, bool),
    ) {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Head(head) => {
                    bytes = rest;
                    head.push(first);
                    if head.ends_with(b"\r\n\r\n") || head.len() == HEAD_BYTES_MAX {
                        on_head(self.head_mark, head);
                        self.state = behind_head(head);
                    }
                }
                State::Header(header) => {
                    bytes = rest;
                    header.push(first);
                    if let Some(frame) = Frame::parse(header) {
                        let line = format!("{} {}", self.frame_mark, frame.told);
                        on_frame(&line, frame.last);
                        self.state = State::Payload { left: frame.left };
                    }
                }
                State::Payload { left: 0 } => self.state = State::Header(Vec::new()),
                State::Payload { left } => {
                    let count = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    *left -= count as u64;
                    bytes = &bytes[count..];
                }
                State::Over => return,
            }
        }
    }
}

fn behind_head(head: &[u8]) -> State {
    if !head.ends_with(b"\r\n\r\n") {
        return State::Over;
    }
    match head.get(..12) {
        // Interim replies come before the one that counts (RFC 9110 §15.2).
        Some(status) if status.starts_with(b"HTTP/1.1 1") && !status.ends_with(b"101") => {
            State::Head(Vec::new())
        }
        Some(status) if status.starts_with(b"HTTP/") && !status.ends_with(b" 101") => State::Over,
        _ => State::Header(Vec::new()),
    }
}

/// What a frame's header says (RFC 6455 §5.2).
struct Frame {
    told: String,
    /// FIN: the last one of its message.
    last: bool,
    /// Bytes of the payload that are still to come.
    left: u64,
}

impl Frame {
    /// `None`: the header is not complete, or the code of a Close is not.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (masked, short) = (second & 0x80 != 0, second & 0x7f);
        let (length, rest) = match short {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length), rest)
            }
            length => (u64::from(length), rest),
        };
        let (key, payload) = if masked {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        let opcode = first & 0x0f;
        let code = if opcode == 8 && length >= 2 {
            let (code, _) = payload.split_first_chunk::<2>()?;
            let [a, b, ..] = key.unwrap_or_default();
            Some(u16::from_be_bytes([code[0] ^ a, code[1] ^ b]))
        } else {
            None
        };
        Some(Self {
            told: told_frame(first, length, key, code),
            last: first & 0x80 != 0,
            left: length - payload.len() as u64,
        })
    }
}

fn told_frame(first: u8, length: u64, key: Option<[u8; 4]>, code: Option<u16>) -> String {
    let mut words = Vec::new();
    for (bit, name) in [
        (0x80, "fin"),
        (0x40, "rsv1"),
        (0x20, "rsv2"),
        (0x10, "rsv3"),
    ] {
        if first & bit != 0 {
            words.push(name.to_owned());
        }
    }
    words.push(match first & 0x0f {
        0 => "continuation".to_owned(),
        1 => "text".to_owned(),
        2 => "binary".to_owned(),
        8 => "close".to_owned(),
        9 => "ping".to_owned(),
        10 => "pong".to_owned(),
        other => format!("opcode {other:#x}"),
    });
    if key.is_some() {
        words.push("masked".to_owned());
    }
    let s = if length == 1 { "" } else { "s" };
    words.push(format!("{length} byte{s}"));
    if let Some(key) = key {
        words.push(format!("key {:#010x}", u32::from_be_bytes(key)));
    }
    if let Some(code) = code {
        words.push(format!("code {code}"));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests;
