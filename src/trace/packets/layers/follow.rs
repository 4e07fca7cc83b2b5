//! What the payload of packets means: heads of HTTP, frames of WebSocket, or data.
//!
//! ```text
//!   payload ─▶ where the next byte stands (Dissector) ─┬─ HTTP ──▶ as far as the next blank line, then look again
//!                                                      ├─ frame ─▶ its header, byte by byte; its payload in one
//!                                                      └─ else ──▶ data
//! ```
//!
//! What stands behind a request for WebSocket are frames if the server agrees, which it says later than the packet is told. So
//! frames are read from it as if it had, by a second dissector, and said to be so.
//!
//! Bytes that were sent again are not read twice, and those that were not seen are passed over. It does not know what is
//! around the payload.

use super::LayerKind;
use super::pieces::{Piece, Pieces};
use crate::http::Chunk;
use crate::sys::Escaped;
use crate::trace::dissect::{Dissector, Next, Within};
use crate::trace::packets::{FiveTuple, Flags, Packet, Step, Transport};
use crate::trace::protocol::{Direction, Protocol, What};
use std::collections::HashMap;
use std::fmt::Write as _;

/// How many connections are followed.
const FOLLOWED_MAX: usize = 256;
/// How many layers a payload is cut into: a packet may hold thousands of requests or frames.
const PIECES_MAX: usize = 32;
/// Where a head ends.
const BLANK_LINE: &[u8] = b"\r\n\r\n";
/// More bytes than a frame's header and the code of a Close have, of which a dissector must have told.
const HEADER_BYTES_MAX: usize = 16;
/// The code at the front of a Close.
const CODE_BYTES: usize = 2;
/// How much of a first line is shown.
const LINE_BYTES_MAX: usize = 96;

/// All connections that are followed.
#[derive(Debug)]
pub(super) struct Follower {
    bytes_max: usize,
    flows: HashMap<FiveTuple, Flow>,
    read: u64,
}

/// Both directions of a connection.
#[derive(Debug, Default)]
struct Flow {
    last: u64,
    dissector: Dissector,
    sent: Way,
    received: Way,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// The number of the next byte; `None` before the first.
    next: Option<u32>,
    /// The last bytes, for a blank line that two packets share.
    tail: [u8; 3],
    /// What comes behind a request for WebSocket, read as frames before anybody has agreed.
    early: Option<Box<Dissector>>,
}

impl Follower {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            flows: HashMap::new(),
            read: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn followed(&self) -> usize {
        self.flows.len()
    }

    /// The parts of a packet's payload, in order; their counts add up to its length.
    pub(super) fn read(&mut self, packet: &Packet, payload: &[u8]) -> Vec<Piece> {
        let mut pieces = Pieces::new(self.bytes_max);
        let Transport::Tcp(segment) = packet.transport else {
            pieces.data("", payload);
            return pieces.finish();
        };
        match packet.step {
            // A new connection of the same five facts, or none any more.
            Step::Handshake(1) | Step::Reset | Step::Refused => {
                self.flows.remove(&packet.tuple);
            }
            _ => {}
        }
        if payload.is_empty() {
            return pieces.finish();
        }
        let direction = if packet.from == packet.tuple.local {
            Direction::Sent
        } else {
            Direction::Received
        };
        let flow = self.flow(packet.tuple);
        let way = flow.way(direction);
        // A SYN has a number of its own before that of its first byte (RFC 9293 §3.4; with bytes: RFC 7413).
        let syn = u32::from(segment.flags.has(Flags::SYN));
        let begin = segment.seq.raw.wrapping_add(syn);
        let next = *way.next.get_or_insert(begin);
        // The numbers wrap: less than half of them ahead is ahead (RFC 9293 §3.4).
        let ahead = begin.wrapping_sub(next).cast_signed();
        let seen = ahead.min(0).unsigned_abs() as usize;
        let (again, new) = payload.split_at(seen.min(payload.len()));
        if !new.is_empty() {
            // The capture drops whole packets, and then some bytes are not seen.
            way.next = Some(begin.wrapping_add(payload.len() as u32));
        }
        if ahead > 0 {
            let unseen = u64::from(ahead.unsigned_abs());
            flow.dissector.skip(direction, unseen, &mut Vec::new());
        }
        if !again.is_empty() {
            pieces.data("sent again ", again);
        }
        flow.cut(direction, new, &mut pieces);
        // Of a frame that was cut by the capture the rest counts as not seen.
        let uncaptured = packet.payload_bytes.saturating_sub(payload.len());
        if uncaptured > 0 && !new.is_empty() {
            let way = flow.way(direction);
            way.next = way.next.map(|next| next.wrapping_add(uncaptured as u32));
            let unseen = uncaptured as u64;
            flow.dissector.skip(direction, unseen, &mut Vec::new());
        }
        pieces.finish()
    }

    /// The connection. A new one takes the place of the one that was silent for longest, if there is no other.
    fn flow(&mut self, tuple: FiveTuple) -> &mut Flow {
        self.read += 1;
        if self.flows.len() >= FOLLOWED_MAX && !self.flows.contains_key(&tuple) {
            let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.last);
            if let Some(oldest) = oldest.map(|(tuple, _)| *tuple) {
                self.flows.remove(&oldest);
            }
        }
        let flow = self.flows.entry(tuple).or_default();
        flow.last = self.read;
        flow
    }
}

impl Flow {
    fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }

    /// Cuts bytes that were not seen before.
    fn cut(&mut self, direction: Direction, mut rest: &[u8], pieces: &mut Pieces) {
        while !rest.is_empty() {
            let next = self.dissector.next(direction);
            let full = pieces.all.len() >= PIECES_MAX;
            if next != Next::Waits {
                self.way(direction).early = None;
            }
            let taken = match next {
                Next::Waits => self.early(direction, rest, full, pieces),
                _ if full => self.rest(next, direction, rest, pieces),
                Next::Payload(left) => {
                    self.known(direction, left, rest, "of the frame before: ", pieces)
                }
                Next::Body(left) => self.known(direction, left, rest, "body ", pieces),
                Next::Framing(chunk) => self.framing(direction, chunk, rest, pieces),
                Next::Header => self.frame(direction, rest, pieces),
                Next::Http => self.http(direction, rest, pieces),
                Next::Unknown => {
                    pieces.data("", rest);
                    rest.len()
                }
            };
            self.way(direction).keep(&rest[..taken]);
            rest = &rest[taken..];
        }
    }

    /// Reads bytes; what they tell of this direction.
    fn told(&mut self, direction: Direction, bytes: &[u8]) -> Vec<Protocol> {
        let mut told = Vec::new();
        self.dissector.read(direction, bytes, &mut told);
        told.retain(|told| told.direction == direction);
        told
    }

    /// A body or payload of which so many bytes are still to come.
    fn known(
        &mut self,
        direction: Direction,
        left: u64,
        rest: &[u8],
        note: &'static str,
        pieces: &mut Pieces,
    ) -> usize {
        let piece = &rest[..left.min(rest.len() as u64) as usize];
        self.told(direction, piece);
        pieces.data(note, piece);
        piece.len()
    }

    /// All that is left, in one.
    fn rest(
        &mut self,
        next: Next,
        direction: Direction,
        rest: &[u8],
        pieces: &mut Pieces,
    ) -> usize {
        let kind = match next {
            Next::Header | Next::Payload(_) => LayerKind::WebSocket,
            Next::Http | Next::Body(_) | Next::Framing(_) => LayerKind::Http,
            Next::Unknown | Next::Waits => LayerKind::Data,
        };
        let told = self.told(direction, rest);
        let mut text = format!("and so on: {} more", told.len());
        if let Some(broken) = broken(&told) {
            // Writing to a String cannot fail.
            let _ = write!(text, ", the last {broken}");
        }
        pieces.push(kind, rest.len(), text);
        rest.len()
    }

    /// As far as the next blank line: a head, or a part of a body.
    fn http(&mut self, direction: Direction, rest: &[u8], pieces: &mut Pieces) -> usize {
        let end = self.way(direction).blank_line(rest);
        let piece = &rest[..end.unwrap_or(rest.len())];
        let told = self.told(direction, piece);
        let head = told.iter().find(|told| {
            let what = &told.what;
            matches!(
                what,
                What::Request { .. } | What::Reply { .. } | What::Upgraded { .. }
            )
        });
        let within = self.dissector.within(direction);
        match (head, broken(&told)) {
            (_, Some(broken)) => pieces.noted(broken, piece),
            (Some(head), _) => {
                let text = first_line(piece).unwrap_or_else(|| format!("end of a head: {head}"));
                pieces.push(LayerKind::Http, piece.len(), text);
            }
            (None, None) if within == Some(Within::Head) => {
                let line = first_line(piece).unwrap_or_else(|| "a head".to_owned());
                let text = format!("{line}, which goes on");
                pieces.push(LayerKind::Http, piece.len(), text);
            }
            (None, None) if within == Some(Within::Body) => pieces.data("body ", piece),
            (None, None) => pieces.data("", piece),
        }
        piece.len()
    }

    /// What stands around a chunk: as far as its line goes, or to the end of the message.
    fn framing(
        &mut self,
        direction: Direction,
        chunk: Chunk,
        rest: &[u8],
        pieces: &mut Pieces,
    ) -> usize {
        let mut taken = 0;
        let mut told = Vec::new();
        while taken < rest.len() && self.dissector.next(direction) == Next::Framing(chunk) {
            let line = memchr::memchr(b'\n', &rest[taken..]).map(|at| taken + at + 1);
            let end = line.unwrap_or(rest.len());
            told.extend(self.told(direction, &rest[taken..end]));
            taken = end;
            if chunk == Chunk::Header {
                break;
            }
        }
        let name = match chunk {
            Chunk::Header => "chunk header",
            Chunk::Data(_) | Chunk::End => "end of the chunk",
            Chunk::Trailers => "trailer section",
        };
        match broken(&told) {
            Some(broken) => pieces.noted(broken, &rest[..taken]),
            None => pieces.framing(name, &rest[..taken]),
        }
        taken
    }

    /// What stands behind a request for WebSocket: a frame, if the server agrees and it may be the beginning of one.
    fn early(
        &mut self,
        direction: Direction,
        rest: &[u8],
        full: bool,
        pieces: &mut Pieces,
    ) -> usize {
        let early = self.way(direction).early.take();
        // A request begins with a letter; a frame with the bit that it is the last one, or with a text or binary opcode.
        let begins = rest[0] & 0x80 != 0 || matches!(rest[0], 1 | 2);
        let Some(early) =
            early.or_else(|| begins.then(|| Box::new(Dissector::as_if_upgraded(direction))))
        else {
            self.told(direction, rest);
            pieces.data("", rest);
            return rest.len();
        };
        let before = pieces.all.len();
        let real = std::mem::replace(&mut self.dissector, *early);
        let taken = match self.dissector.next(direction) {
            next if full => self.rest(next, direction, rest, pieces),
            Next::Payload(left) => {
                self.known(direction, left, rest, "of the frame before: ", pieces)
            }
            Next::Header => self.frame(direction, rest, pieces),
            _ => {
                pieces.data("", rest);
                rest.len()
            }
        };
        let early = std::mem::replace(&mut self.dissector, real);
        self.way(direction).early = Some(Box::new(early));
        self.told(direction, &rest[..taken]);
        for piece in &mut pieces.all[before..] {
            if piece.kind == LayerKind::WebSocket {
                piece.text.push_str(", if the server agrees");
            }
        }
        taken
    }

    /// A frame: its header, and as much of its payload as is there.
    fn frame(&mut self, direction: Direction, rest: &[u8], pieces: &mut Pieces) -> usize {
        let mut told = Vec::new();
        let mut taken = 0;
        while told.is_empty() && taken < rest.len().min(HEADER_BYTES_MAX) {
            told = self.told(direction, &rest[taken..=taken]);
            taken += 1;
        }
        let Some(told) = told.first() else {
            let text = "the beginning of a header".to_owned();
            pieces.push(LayerKind::WebSocket, taken, text);
            return taken;
        };
        let &What::Frame {
            bytes,
            masked,
            compressed,
            close_code,
            ..
        } = &told.what
        else {
            pieces.noted(told, &rest[..taken]);
            return taken;
        };
        // A Close is told with its code, which is payload, and of which the packet before may have had the first byte.
        let code_bytes = close_code.map_or(0, |_| CODE_BYTES).min(taken);
        let header = &rest[..taken - code_bytes];
        pieces.push(LayerKind::WebSocket, header.len(), told.to_string());
        let left = match self.dissector.next(direction) {
            Next::Payload(left) => left,
            _ => 0,
        };
        let here = left.min((rest.len() - taken) as u64) as usize;
        self.told(direction, &rest[taken..taken + here]);
        let payload = &rest[header.len()..taken + here];
        let mask = header.last_chunk::<4>().filter(|_| masked);
        let whole = header.len() == header_bytes(bytes, masked);
        match mask {
            _ if header.is_empty() => pieces.noted(told, payload),
            _ if !whole => pieces.data("", payload),
            _ if compressed => pieces.compressed(payload),
            Some(mask) => pieces.masked(*mask, payload),
            None => pieces.data("", payload),
        }
        taken + here
    }
}

/// Which rule was broken.
fn broken(told: &[Protocol]) -> Option<&Protocol> {
    { told.iter() }.find(|told| matches!(told.what, What::Broken { .. }))
}

/// How long the header of a frame is (RFC 6455 §5.2).
fn header_bytes(payload: u64, masked: bool) -> usize {
    let length = match payload {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    length + if masked { 4 } else { 0 }
}

/// The first line of a head, if the bytes begin with one.
fn first_line(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let line = bytes[..end.unwrap_or(bytes.len())].trim_ascii_end();
    let is_first = line.starts_with(b"HTTP/1.")
        || memchr::memmem::find(line, b" HTTP/1.").is_some_and(|at| at > 0);
    is_first.then(|| Escaped(line, LINE_BYTES_MAX).to_string())
}

impl Way {
    fn keep(&mut self, bytes: &[u8]) {
        let mut all = self.tail.to_vec();
        all.extend_from_slice(&bytes[bytes.len().saturating_sub(3)..]);
        if let Some(tail) = all.last_chunk() {
            self.tail = *tail;
        }
    }

    /// Where the next blank line ends, which may have begun in the packet before.
    fn blank_line(&self, bytes: &[u8]) -> Option<usize> {
        let mut seam = self.tail.to_vec();
        seam.extend_from_slice(&bytes[..bytes.len().min(3)]);
        // It begins with one of the last three bytes of before, or behind them.
        let shared = memchr::memmem::find(&seam, BLANK_LINE);
        let here = || memchr::memmem::find(bytes, BLANK_LINE).map(|at| at + BLANK_LINE.len());
        shared.map(|at| at + 1).or_else(here)
    }
}
