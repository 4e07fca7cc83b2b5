//! Bytes in, WebSocket events out (RFC 6455 §5): the decoder.
//!
//! ```text
//!   lent bytes    82 85 mask ▒▒▒▒▒ 89 80 mask 02 FE 10 00 mask ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│ end of the lend
//!                            └─┬─┘ └────┬───┘                  └───────┬────────┘
//!   events                Data(whole) Ping        (header taken)  Data(first piece), the rest comes in the next lend
//! ```
//!
//! Payload is unmasked where it lies and handed out as a slice of the input. A data frame need not fit in one lend: its
//! payload comes in pieces. A header and a control frame are whole or nothing: an unfinished one stays unread, the
//! caller keeps it and offers it again with more behind it. [`Decoder::missing`] says how much more, so that the copy
//! stays a few bytes and the rest is decoded in place again.
//!
//! It does not know sockets, clocks, memory for messages, or what closes a connection. It owns no bytes: 24 bytes of
//! state, so that an idle connection costs next to nothing.
#![forbid(unsafe_code)]

use super::frame::{self, CONTROL_BYTES_MAX, Header, MASK, Opcode, Rules};
use super::unmask::{turned, unmask, unmask_turned};
use super::utf8::is_ascii;
use super::{CloseCode, Error, Kind, Role, Utf8Checker, close};
use crate::buf::Input;

/// What the decoder refuses by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, summed over its fragments, in bytes; 16 MiB by default. A message that would pass it is
    /// refused with 1009 when the header says so, before its payload is taken.
    ///
    /// An attack this stops besides the long message: one that never ends. Every fragment must bring at least one
    /// byte of the limit with it; an empty fragment, which is neither the first nor the last of its message and so
    /// carries nothing at all, is charged as one byte. There is thus no separate limit on fragments.
    ///
    /// The payload of a compressed message may have an eighth and 64 bytes more: what cannot shrink grows. Whoever
    /// inflates it counts what it becomes.
    pub message_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 16 << 20,
        }
    }
}

/// How many bytes a message of at most `message_bytes_max` can have when it is compressed. The fixed codes of RFC 1951
/// §3.2.6 need at most nine bits for eight; the rest is for the borders of blocks.
const fn compressed_bytes_max(message_bytes_max: u64) -> u64 {
    message_bytes_max.saturating_add(message_bytes_max / 8 + 64)
}

/// Part of a message's payload, unmasked, borrowed from the input.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'b> {
    /// What the whole message is.
    pub kind: Kind,
    /// This piece starts a message.
    pub first: bool,
    /// This piece ends a message. `first && last` is a whole message that never was copied.
    pub last: bool,
    /// RSV1 was set: the message is compressed (RFC 7692 §6). Then its text was *not* checked to be UTF-8, which only
    /// the inflated bytes can be, and `Limits` counted the compressed bytes. Always false unless
    /// [`Decoder::allow_rsv1`] was called.
    pub compressed: bool,
    /// The payload. Empty only if `first` or `last` is set: for an empty frame. A piece of text may end inside a
    /// character, the last piece never does.
    pub bytes: &'b mut [u8],
}

/// What the peer said.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// The next part of a message. Control frames may come between the parts.
    Data(Piece<'b>),
    /// Answer with a Pong of the same at most 125 bytes (§5.5.2, §5.5.3).
    Ping(&'b mut [u8]),
    /// The answer to a Ping, or one that nobody asked for; at most 125 bytes.
    Pong(&'b mut [u8]),
    /// The peer closes; nothing it sends after this means anything (§1.4). No code means that the frame was empty,
    /// which the WebSocket API calls 1005. The reason has at most 123 bytes.
    Close(Option<CloseCode>, &'b str),
}

/// Takes frames apart, for one direction of one connection.
///
/// ```
/// use longshore::buf::Input;
/// use longshore::ws::{Decoder, Event, Limits, Role};
///
/// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7
/// let mut decoder = Decoder::new(Role::Server);
/// let mut input = Input::new(&mut bytes);
/// while let Some(event) = decoder.next(&mut input, &Limits::default())? {
///     let Event::Data(piece) = event else { continue };
///     assert!(piece.first && piece.last);
///     assert_eq!(piece.bytes, b"Hello");
/// }
/// # Ok::<(), longshore::ws::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    /// Payload bytes of the current data frame that did not come yet.
    remaining: u64,
    /// Payload bytes that the headers of the current message announced so far.
    message_bytes: u64,
    /// Little-endian: the lowest byte meets the next payload byte.
    mask: u32,
    text: Utf8Checker,
    marks: u8,
}

const _: () = assert!(size_of::<Decoder>() <= 24);

/// What [`Decoder::whole_message`] found. Not nested as `Option<Result<…>>`: each answer is returned where it is found
/// out, and is not packed and unpacked again.
enum Whole<'b> {
    Message(Piece<'b>),
    BadText,
    /// Something else, or nothing; not one byte was taken.
    Other,
}

/// The bits of [`Decoder::marks`]. The first three last as long as the connection, the others as long as a message.
mod mark {
    pub(super) const CLIENT: u8 = 1;
    pub(super) const RSV1_ALLOWED: u8 = 1 << 1;
    /// A Close or an error: nothing more is decoded.
    pub(super) const OVER: u8 = 1 << 2;
    pub(super) const LASTING: u8 = CLIENT | RSV1_ALLOWED | OVER;
    /// A message has begun and not ended.
    pub(super) const INSIDE: u8 = 1 << 3;
    pub(super) const TEXT: u8 = 1 << 4;
    pub(super) const COMPRESSED: u8 = 1 << 5;
    /// No piece of the message was handed out yet.
    pub(super) const FIRST: u8 = 1 << 6;
    /// The current frame ends the message.
    pub(super) const FIN: u8 = 1 << 7;
}

impl Decoder {
    /// Starts behind the handshake. `role` is the side that decodes: a server expects masked frames, a client bare ones.
    pub const fn new(role: Role) -> Self {
        Self {
            remaining: 0,
            message_bytes: 0,
            mask: 0,
            text: Utf8Checker::new(),
            marks: match role {
                Role::Server => 0,
                Role::Client => mark::CLIENT,
            },
        }
    }

    /// Lets messages carry RSV1 from now on, because permessage-deflate was negotiated (RFC 7692 §6).
    pub const fn allow_rsv1(&mut self) {
        self.marks |= mark::RSV1_ALLOWED;
    }

    /// Whether a Close or an error ended the stream; what comes now is taken and ignored.
    pub const fn is_over(&self) -> bool {
        self.marks & mark::OVER != 0
    }

    /// Whether a message has begun and not ended.
    pub const fn is_inside_message(&self) -> bool {
        self.marks & mark::INSIDE != 0
    }

    /// Decodes the next event, or returns `None` when the input holds no whole one.
    ///
    /// Then what is left unread, at most 130 bytes, is an unfinished header or control frame: keep it, and offer it
    /// again with more behind it. After [`Event::Close`] or an error the answer is always `None`, and everything is
    /// taken.
    ///
    /// # Errors
    /// Any [`Error`], once. Text is refused in the piece that holds the first bad byte, a header at the byte that
    /// breaks a rule.
    #[inline]
    pub fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        limits: &Limits,
    ) -> Result<Option<Event<'b>>, Error> {
        self.next_slice(input, limits, usize::MAX)
    }

    /// As [`next`](Self::next), but of a frame that is compressed, part of a message, or not here whole, one piece has at
    /// most `piece_bytes_max` bytes; more of it stays unread. For who has to stop between pieces: a few compressed bytes
    /// may inflate to a thousand times as many.
    ///
    /// Payload that was left unread is offered again in front of what comes later;
    /// [`missing`](Self::missing) does not take it.
    ///
    /// ```
    /// use longshore::buf::Input;
    /// use longshore::ws::{Decoder, Event, Limits, Role};
    ///
    /// let mut bytes = *b"\x02\x03abc"; // the first fragment of a server's message
    /// let (mut input, limits) = (Input::new(&mut bytes), Limits::default());
    /// let mut decoder = Decoder::new(Role::Client);
    /// for expected in [&b"ab"[..], b"c"] {
    ///     let Some(Event::Data(piece)) = decoder.next_slice(&mut input, &limits, 2)? else { panic!() };
    ///     assert_eq!(piece.bytes, expected);
    /// }
    /// # Ok::<(), longshore::ws::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn next_slice<'b>(
        &mut self,
        input: &mut Input<'b>,
        limits: &Limits,
        piece_bytes_max: usize,
    ) -> Result<Option<Event<'b>>, Error> {
        match self.whole_message(input, limits.message_bytes_max) {
            Whole::Message(piece) => Ok(Some(Event::Data(piece))),
            Whole::BadText => Err(self.end(input, Error::InvalidUtf8)),
            // Taken apart and put together, field by field: a copied block would keep the event of *every* path in
            // memory, written in small pieces and read in large ones, which stalls. Without this and with `Whole` as
            // nested `Option` and `Result`, 20-byte frames take 26 ns instead of 11 (2.5 GHz Xeon, AVX-512, rustc 1.95).
            Whole::Other => Ok(
                match self.other(input, limits.message_bytes_max, piece_bytes_max)? {
                    Some(Event::Data(Piece {
                        kind,
                        first,
                        last,
                        compressed,
                        bytes,
                    })) => Some(Event::Data(Piece {
                        kind,
                        first,
                        last,
                        compressed,
                        bytes,
                    })),
                    Some(Event::Ping(payload)) => Some(Event::Ping(payload)),
                    Some(Event::Pong(payload)) => Some(Event::Pong(payload)),
                    Some(Event::Close(code, reason)) => Some(Event::Close(code, reason)),
                    None => None,
                },
            ),
        }
    }

    /// Everything but the short cut.
    #[inline(never)]
    fn other<'b>(
        &mut self,
        input: &mut Input<'b>,
        message_bytes_max: u64,
        piece_bytes_max: usize,
    ) -> Result<Option<Event<'b>>, Error> {
        let event = self.step(input, message_bytes_max, piece_bytes_max);
        event.map_err(|error| self.end(input, error))
    }

    /// Decodes nothing more.
    fn end(&mut self, input: &mut Input<'_>, error: Error) -> Error {
        self.marks |= mark::OVER;
        self.remaining = 0;
        input.take_all();
        error
    }

    /// How many of the `fresh` bytes to append to the `stored` ones, left over from the last lend, so that
    /// [`next`](Self::next) on them sees one whole header or control frame (or its error), and nothing behind it. All
    /// of them if that is still not enough, none if nothing is stored: then offer `fresh` where it lies.
    ///
    /// ```
    /// use longshore::ws::{Decoder, Role};
    /// let decoder = Decoder::new(Role::Server);
    /// assert_eq!(decoder.missing(b"\x82", b"\xfe\x10"), 2); // length and mask are still to come
    /// assert_eq!(decoder.missing(b"\x82\xfe\x10", b"\x00mask and payload"), 5); // up to the payload
    /// ```
    pub fn missing(&self, stored: &[u8], fresh: &[u8]) -> usize {
        debug_assert!(
            stored.is_empty() || self.remaining == 0,
            "payload is never left unread"
        );
        let (first, second) = match (stored, fresh) {
            ([first, second, ..], _) | ([first], [second, ..]) => (*first, *second),
            ([], _) | ([_], []) => return 0,
        };
        let unit = frame::unit_bytes(first, second);
        unit.saturating_sub(stored.len()).min(fresh.len())
    }

    /// What most frames are: a whole message of a client, shorter than 64 KiB, all of it here. `None` for any other.
    ///
    /// Gives what [`step`](Self::step) gives, in 66 instead of 242 instructions for 20 bytes (callgrind 3.19, rustc 1.95,
    /// when it was added), because a message that begins and ends here leaves no state behind:
    /// 1. No state need be written, read back and cleared.
    /// 2. A few comparisons of bytes say at once that no rule is broken; which one is, `step` finds out.
    /// 3. It is small enough to be inlined into the caller's loop.
    #[inline(always)]
    fn whole_message<'b>(&self, input: &mut Input<'b>, message_bytes_max: u64) -> Whole<'b> {
        if self.remaining > 0 || self.marks & !mark::RSV1_ALLOWED != 0 {
            return Whole::Other; // a client's decoder, inside a message, or over
        }
        // Little-endian, as the mask is: the lowest byte is the first.
        let Some(front) = input.unread().first_chunk() else {
            return Whole::Other;
        };
        let front = u64::from_le_bytes(*front);
        let kind = match front as u8 {
            0x81 => Kind::Text, // FIN and nothing but the opcode
            0x82 => Kind::Binary,
            _ => return Whole::Other,
        };
        let (header_bytes, payload_bytes, mask) = match (front >> 8) as u8 {
            length @ 0x80..0xFE => (6, usize::from(length - MASK), front >> 16),
            0xFE => {
                let length = ((front >> 16) as u16).swap_bytes();
                if usize::from(length) <= CONTROL_BYTES_MAX {
                    return Whole::Other; // too short for two bytes
                }
                (8, usize::from(length), front >> 32)
            }
            _ => return Whole::Other,
        };
        if payload_bytes > input.len() - header_bytes || payload_bytes as u64 > message_bytes_max {
            return Whole::Other;
        }
        input.take(header_bytes);
        let bytes = input.take(payload_bytes);
        if kind == Kind::Binary {
            unmask_turned::<false>(bytes, mask as u32);
        } else if !unmask_turned::<true>(bytes, mask as u32)
            && Utf8Checker::check_beyond_ascii(bytes).is_err()
        {
            return Whole::BadText;
        }
        Whole::Message(Piece {
            kind,
            first: true,
            last: true,
            compressed: false,
            bytes,
        })
    }

    /// Any frame in any state: the rest of a payload first, then headers until one tells something.
    #[inline]
    fn step<'b>(
        &mut self,
        input: &mut Input<'b>,
        message_bytes_max: u64,
        piece_bytes_max: usize,
    ) -> Result<Option<Event<'b>>, Error> {
        loop {
            if self.remaining > 0 {
                return self.payload(input, piece_bytes_max);
            }
            if self.is_over() {
                input.take_all();
                return Ok(None);
            }
            let rules = self.rules(message_bytes_max);
            let Some(header) = Header::parse(input.unread(), &rules)? else {
                return Ok(None);
            };
            if header.opcode.is_control() {
                return self.control(&header, input);
            }
            input.take(header.size);
            self.begin(&header);
            // An empty frame is told only where a message starts or ends, with an empty piece.
            if header.payload_bytes == 0 && self.marks & (mark::FIRST | mark::FIN) != 0 {
                return self.piece(input.take(0), true).map(Some);
            }
        }
    }

    #[inline]
    fn rules(&self, message_bytes_max: u64) -> Rules {
        let inside_message = self.is_inside_message();
        let compressed_room = compressed_bytes_max(message_bytes_max);
        let room = match (inside_message, self.marks & mark::COMPRESSED) {
            (false, _) => message_bytes_max,
            (true, 0) => message_bytes_max.saturating_sub(self.message_bytes),
            (true, _) => compressed_room.saturating_sub(self.message_bytes),
        };
        Rules {
            role: if self.marks & mark::CLIENT == 0 {
                Role::Server
            } else {
                Role::Client
            },
            rsv1_allowed: self.marks & mark::RSV1_ALLOWED != 0,
            inside_message,
            room,
            compressed_room,
        }
    }

    /// Enters a data frame whose header was taken.
    #[inline]
    fn begin(&mut self, header: &Header) {
        let kept = match header.opcode {
            Opcode::Continuation => {
                self.message_bytes += header.charge();
                self.marks & !mark::FIN
            }
            opcode => {
                self.message_bytes = header.charge();
                let text = if opcode == Opcode::Text {
                    mark::TEXT
                } else {
                    0
                };
                let compressed = if header.rsv1 { mark::COMPRESSED } else { 0 };
                self.marks & mark::LASTING | mark::INSIDE | mark::FIRST | text | compressed
            }
        };
        self.marks = kept | if header.fin { mark::FIN } else { 0 };
        self.mask = u32::from_le_bytes(header.mask);
        self.remaining = header.payload_bytes;
    }

    /// Takes what the input has of the current frame's payload.
    #[inline]
    fn payload<'b>(
        &mut self,
        input: &mut Input<'b>,
        piece_bytes_max: usize,
    ) -> Result<Option<Event<'b>>, Error> {
        let here = input.len().min(piece_bytes_max);
        let count = self.remaining.min(here as u64);
        if count == 0 {
            return Ok(None);
        }
        let bytes = input.take(count as usize);
        self.remaining -= count;
        let (mask, text) = (self.mask, self.marks & mark::TEXT != 0);
        self.mask = turned(mask, bytes.len());
        let ascii = match (self.marks & mark::CLIENT, text) {
            (0, true) => unmask_turned::<true>(bytes, mask),
            (0, false) => unmask_turned::<false>(bytes, mask),
            (_, text) => text && is_ascii(bytes),
        };
        self.piece(bytes, ascii).map(Some)
    }

    /// Checks a piece's text, of which may be known that it is ASCII, and leaves the message behind if the piece ends it.
    #[inline]
    fn piece<'b>(&mut self, bytes: &'b mut [u8], ascii: bool) -> Result<Event<'b>, Error> {
        let marks = self.marks;
        let last = self.remaining == 0 && marks & mark::FIN != 0;
        if marks & (mark::TEXT | mark::COMPRESSED) == mark::TEXT {
            let checked = self.text.check_knowing(bytes, ascii);
            checked.map_err(|_| Error::InvalidUtf8)?;
            if last {
                self.text.finish().map_err(|_| Error::InvalidUtf8)?;
            }
        }
        self.marks &= if last { mark::LASTING } else { !mark::FIRST };
        Ok(Event::Data(Piece {
            kind: if marks & mark::TEXT == 0 {
                Kind::Binary
            } else {
                Kind::Text
            },
            first: marks & mark::FIRST != 0,
            last,
            compressed: marks & mark::COMPRESSED != 0,
            bytes,
        }))
    }

    /// Takes a whole control frame, or nothing.
    fn control<'b>(
        &mut self,
        header: &Header,
        input: &mut Input<'b>,
    ) -> Result<Option<Event<'b>>, Error> {
        let payload_bytes = header.payload_bytes as usize;
        if input.len() < header.size + payload_bytes {
            return Ok(None);
        }
        input.take(header.size);
        let payload = input.take(payload_bytes);
        unmask(payload, header.mask, 0); // with zeros, if the frame was not masked
        Ok(Some(match header.opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                let (code, reason) = close::parse(payload)?;
                self.marks |= mark::OVER;
                Event::Close(code, reason)
            }
        }))
    }
}

#[cfg(test)]
mod tests;
