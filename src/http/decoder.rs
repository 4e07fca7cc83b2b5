//! Requests out of a stream of bytes, one whole unit at a time (RFC 9112 §2.2, §6, §7.1).
//!
//! ```text
//!          ┌──────────────────────────── End ◄───────────────────────────────┐
//!          ▼                              ▲                                  │
//!   Empty lines, Head ──► none / 0 ───────┤                                  │
//!          │                              │                                  │
//!          ├──► Length ── body pieces ────┘                                  │
//!          │                                                                 │
//!          └──► ChunkSize ──► ChunkData ──► ChunkEnd ──┐                     │
//!                  ▲  │ 0                              │                     │
//!                  │  └──► Trailer lines ── empty line ┼─────────────────────┘
//!                  └───────────────────────────────────┘
//! ```
//!
//! The decoder owns no byte. What it cannot finish it leaves unread; the caller keeps those bytes and offers them again
//! in front of later ones. It does not know sockets, time, other protocols, or whether a reply is due: the caller does
//! not ask for the next head before it may have it.
#![forbid(unsafe_code)]

use super::body::{self, Counts};
use super::framing::Framing;
use super::head::{Head, Place, Reading};
use super::{Error, HeadLimits, ReplyTo, line, missing, plain_simd, scan};
use crate::buf::Input;

/// Empty lines before a request line that are ignored (RFC 9112 §2.2).
const EMPTY_LINES_MAX: u8 = 4;

/// The server's side of an HTTP/1.1 connection, as far as reading goes.
///
/// Feed it with [`next`](Self::next) until that returns `None`. If bytes are left then, keep them; when more arrive, ask
/// [`missing`](Self::missing) how many of them complete the kept ones, append only those, read the kept bytes, and go on
/// in the new ones. When the peer closes its side, ask [`ended`](Self::ended) what that means.
///
/// ```
/// use longshore::buf::Input;
/// use longshore::http::{Decoder, Event, HeadLimits};
///
/// let mut bytes = *b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET";
/// let (mut decoder, limits) = (Decoder::new(), HeadLimits::default());
/// let mut input = Input::new(&mut bytes);
///
/// let Some(Event::Head(head)) = decoder.next(&mut input, &limits)? else { panic!() };
/// assert_eq!(head.target.path(), b"/x");
/// let Some(Event::Body(piece)) = decoder.next(&mut input, &limits)? else { panic!() };
/// assert_eq!(piece, b"hi");
/// assert!(matches!(decoder.next(&mut input, &limits)?, Some(Event::End)));
/// assert!(decoder.next(&mut input, &limits)?.is_none());
/// assert_eq!(input.unread(), b"GET");
/// # Ok::<(), longshore::http::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
}

const _: () = assert!(
    size_of::<Decoder>() <= 32,
    "every connection that is read holds a decoder"
);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Before or inside a head.
    Head(Progress),
    /// `left` bytes of a body whose length was declared.
    Length { left: u64 },
    /// The line before a chunk, `seen` bytes of which were searched for its end.
    ChunkSize { counts: Counts, seen: u32 },
    /// `left` bytes of a chunk's data, which `counts` includes already.
    ChunkData { counts: Counts, left: u64 },
    /// The CRLF behind a chunk's data.
    ChunkEnd { counts: Counts },
    /// The lines behind the last chunk, `spent` bytes of them read.
    Trailer { spent: u32, seen: u32 },
    /// The message is complete and this was not said yet.
    End,
    /// Refused. Nothing behind a fault is read, because it may be anything.
    Failed { error: Error, head_only: bool },
}

/// How far an unfinished head was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Empty lines before it, which are gone.
    empty_lines: u8,
    /// Bytes that were searched for line ends.
    pub(super) seen: u32,
    /// The lines before this place were checked.
    pub(super) place: Place,
}

pub(super) const BEFORE_HEAD: State = State::Head(Progress {
    empty_lines: 0,
    seen: 0,
    place: Place::START,
});

/// A unit of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A complete, valid head.
    Head(Head<'b>),
    /// A piece of the body, never empty, as it lay in the input.
    Body(&'b mut [u8]),
    /// The message is complete; the next call reads a new head. Also follows a head without a body.
    End,
}

/// Where in the framing of a chunked body a reader is (RFC 9112 §7.1).
#[cfg(feature = "trace")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// In the line before a chunk.
    Header,
    /// In its data, of which so many bytes are still to come.
    Data(u64),
    /// In the line end behind it.
    End,
    /// In the lines behind the last chunk.
    Trailers,
}

/// What the peer's FIN means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It came between requests.
    Clean,
    /// It cut a request short (RFC 9112 §8).
    Truncated,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Starts before the first head of a connection.
    pub const fn new() -> Self {
        Self { state: BEFORE_HEAD }
    }

    /// Where in a chunked body the next byte is; `None` outside of one. A trace asks: who serves need not know.
    #[cfg(feature = "trace")]
    pub(crate) fn chunk(&self) -> Option<Chunk> {
        match self.state {
            State::ChunkSize { .. } => Some(Chunk::Header),
            State::ChunkData { left, .. } => Some(Chunk::Data(left)),
            State::ChunkEnd { .. } => Some(Chunk::End),
            State::Trailer { .. } => Some(Chunk::Trailers),
            _ => None,
        }
    }

    /// Reads the next unit. `None` needs more bytes than `input` holds; what is unread must be offered again.
    ///
    /// A head, a chunk line or a trailer line is read whole or not at all; body bytes come in pieces. `limits` must not
    /// change within a message.
    ///
    /// # Errors
    /// The peer's fault, with the reply that it deserves. Every later call returns it again and reads nothing.
    #[inline]
    pub fn next<'b>(
        &mut self,
        input: &mut Input<'b>,
        limits: &HeadLimits,
    ) -> Result<Option<Event<'b>>, Error> {
        let event = match self.state {
            State::Head(_) => return self.head(input, limits),
            State::End => {
                self.state = BEFORE_HEAD;
                return Ok(Some(Event::End));
            }
            _ => body::read(&mut self.state, input, limits),
        };
        if let Err(error) = event {
            self.fail(error, input);
        }
        event
    }

    /// Apart from the rest, which is small and called for every piece of a body.
    #[inline(never)]
    fn head<'b>(
        &mut self,
        input: &mut Input<'b>,
        limits: &HeadLimits,
    ) -> Result<Option<Event<'b>>, Error> {
        let mut reading = Reading::START;
        match self.usual(input, limits, &mut reading) {
            Some(raw) if reading.is_plain() => {
                self.state = State::End;
                Ok(Some(Event::Head(reading.plain(raw))))
            }
            Some(raw) => self.judge(&reading, raw, limits),
            None => self.unusual(input, limits),
        }
    }

    /// Takes a whole head of the usual form, if the next unit is one, and leaves what was found in `reading`. Either
    /// [`Reading::plain`] knows what it says, and no [`End`](Event::End) follows, or it is to be [judged](Self::judge). If
    /// `None`, [`unusual`](Self::unusual) goes on.
    #[inline(always)]
    pub(crate) fn usual<'b>(
        &self,
        input: &mut Input<'b>,
        limits: &HeadLimits,
        reading: &mut Reading,
    ) -> Option<&'b [u8]> {
        // A caller that asks until there is nothing more asks once too often for every head.
        if self.state != BEFORE_HEAD || input.is_empty() {
            return None;
        }
        let end = plain_simd::read(window(input.unread(), limits), limits, reading)?;
        Some(input.take(end))
    }

    /// Whatever is not a whole and usual head.
    #[inline(never)]
    pub(crate) fn unusual<'b>(
        &mut self,
        input: &mut Input<'b>,
        limits: &HeadLimits,
    ) -> Result<Option<Event<'b>>, Error> {
        let event = match self.state {
            State::Head(_) if input.is_empty() => return Ok(None),
            State::Head(progress) => self.unusual_head(progress, input, limits),
            _ => return self.next(input, limits),
        };
        if let Err(error) = event {
            self.fail(error, input);
        }
        event
    }

    /// How many of `fresh` to append to `stored` so that [`next`](Self::next) on `stored` gets one whole unit: all of
    /// them if that is not enough, none if `stored` has one already.
    ///
    /// `stored` is what `next` left unread. So only bytes that complete a unit are ever copied.
    ///
    /// ```
    /// use longshore::http::Decoder;
    /// let stored = b"GET / HTTP/1.1\r\nHost: a\r\n";
    /// assert_eq!(Decoder::new().missing(stored, b"\r\nGET /next HTTP/1.1\r\n"), 2);
    /// ```
    #[must_use]
    pub fn missing(&mut self, stored: &[u8], fresh: &[u8]) -> usize {
        missing::count(self.state, stored, fresh)
    }

    /// Whether the next unit is a head: the decoder is between requests, or inside an unfinished head.
    #[inline]
    pub const fn at_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// What the peer's FIN means now, with `stored_bytes` left unread.
    pub const fn ended(&self, stored_bytes: usize) -> Ending {
        match self.state {
            State::Head(_) if stored_bytes == 0 => Ending::Clean,
            State::End => Ending::Clean,
            _ => Ending::Truncated,
        }
    }

    /// What an encoder must know to answer a refused head: it closes, and a HEAD gets no body.
    ///
    /// For a fault inside a body use [`Head::reply_to`] of that request: the decoder has forgotten its method.
    pub const fn refused(&self) -> ReplyTo {
        match self.state {
            State::Failed { head_only, .. } => ReplyTo {
                head_only,
                ..ReplyTo::CLOSING
            },
            _ => ReplyTo::CLOSING,
        }
    }

    #[cold]
    fn fail(&mut self, error: Error, input: &Input<'_>) {
        let head_only = match self.state {
            State::Failed { .. } => return,
            State::Head(_) => input.unread().starts_with(HEAD),
            _ => false,
        };
        self.state = State::Failed { error, head_only };
    }

    /// Any head: with empty lines before it, unfinished, or wrong.
    fn unusual_head<'b>(
        &mut self,
        mut progress: Progress,
        input: &mut Input<'b>,
        limits: &HeadLimits,
    ) -> Result<Option<Event<'b>>, Error> {
        // Only the first byte of a request line is judged before its line is complete: a TLS client speaks at once,
        // sends no line end, and would wait for an answer until a timeout.
        while progress.place.lines == 0 && !starts_request(input.unread()) {
            if !skip_empty_line(input, &mut progress)? {
                self.state = State::Head(progress);
                return Ok(None);
            }
        }
        let window = window(input.unread(), limits);
        let mut reading = Reading::at(progress.place);
        let Some(end) = find_end(&mut reading, progress.seen, window, limits)? else {
            if input.len() >= limits.head_bytes_max as usize {
                return Err(exhausted(window, reading.place(), limits));
            }
            let (seen, place) = (window.len() as u32, reading.place());
            self.state = State::Head(Progress {
                seen,
                place,
                ..progress
            });
            return Ok(None);
        };
        if progress.place.lines > 0 {
            // An earlier call checked the first lines and could keep no notes of what they said.
            reading = Reading::START;
            reading.read(&window[..end], limits)?;
        }
        self.judge(&reading, input.take(end), limits)
    }

    /// Says what a head means, and what follows it.
    #[inline(never)]
    pub(crate) fn judge<'b>(
        &mut self,
        reading: &Reading,
        raw: &'b [u8],
        limits: &HeadLimits,
    ) -> Result<Option<Event<'b>>, Error> {
        let fault = match reading.finish(raw) {
            Ok(head) => match after_head(head.framing, limits) {
                Ok(state) => {
                    self.state = state;
                    return Ok(Some(Event::Head(head)));
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        self.state = State::Failed {
            error: fault,
            head_only: raw.starts_with(HEAD),
        };
        Err(fault)
    }
}

const HEAD: &[u8] = b"HEAD ";

/// What of the bytes may belong to one head.
#[inline]
fn window<'u>(unread: &'u [u8], limits: &HeadLimits) -> &'u [u8] {
    &unread[..unread.len().min(limits.head_bytes_max as usize)]
}

#[inline]
fn starts_request(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|&first| line::may_start_request(first))
}

/// Takes an empty line before the request line, or says that the bytes end before it.
#[cold]
fn skip_empty_line(input: &mut Input<'_>, progress: &mut Progress) -> Result<bool, Error> {
    match input.unread() {
        [] | [b'\r'] => Ok(false),
        [b'\r', b'\n', ..] if progress.empty_lines == EMPTY_LINES_MAX => {
            Err(Error::TooManyEmptyLines)
        }
        [b'\r', b'\n', ..] => {
            progress.empty_lines += 1;
            input.take(2);
            Ok(true)
        }
        [b'\r', ..] => Err(Error::BareCr),
        [b'\n', ..] => Err(Error::BareLf),
        _ => Err(Error::InvalidMethod),
    }
}

/// Where the head at the start of `window` ends, if `seen` bytes of it were searched before.
#[inline]
fn find_end(
    reading: &mut Reading,
    seen: u32,
    window: &[u8],
    limits: &HeadLimits,
) -> Result<Option<usize>, Error> {
    if seen > 0 {
        // Without a new line end a dripped head is not looked at again. One step back: a CR that was the last byte
        // could not be judged without its successor.
        let searched = (seen as usize - 1).min(window.len());
        if scan::line_end(window, searched).is_none() {
            return Ok(None);
        }
    }
    match reading.read(window, limits) {
        // A fault in a line that has not ended is reported when it has: the same answer for every cut.
        Err(_) if !is_closed(window, reading.place()) => Ok(None),
        end => end,
    }
}

/// Whether the line at `place` has reached a line end, well-formed or not.
#[cold]
fn is_closed(window: &[u8], place: Place) -> bool {
    scan::line_end(window, place.line as usize).is_some()
}

/// The fault of a head that fills its limit and has not ended.
#[cold]
fn exhausted(window: &[u8], place: Place, limits: &HeadLimits) -> Error {
    match place.lines {
        0 => line::endless(window, limits.target_bytes_max),
        _ => Error::HeadTooLarge,
    }
}

#[inline]
fn after_head(framing: Framing, limits: &HeadLimits) -> Result<State, Error> {
    match framing {
        Framing::None | Framing::Length(0) => Ok(State::End),
        Framing::Length(left) if left > limits.body_bytes_max => Err(Error::BodyTooLarge),
        Framing::Length(left) => Ok(State::Length { left }),
        Framing::Chunked => Ok(State::ChunkSize {
            counts: Counts::default(),
            seen: 0,
        }),
    }
}
