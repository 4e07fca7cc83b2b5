//! Compressed payloads in, messages out, piece by piece and bounded (RFC 7692 §7.2.2).
//!
//! ```text
//!   pieces    F2 48 CD │ C9 C9 07 00 │last      put back: 00 00 FF FF
//!   out       H  e  l  │ l  o                   ─▶ the message is whole, or it was cut off
//!                 └─ counted while it is written: one byte beyond the limit, and it is over
//! ```
//!
//! A kilobyte can inflate to a megabyte. So the caller says how much it takes, the inflater never writes more than one
//! byte beyond that, and the room it writes to grows with what was written, not with what might come.
//!
//! It always reads with a window of 15 bits: `zlib-rs` allocates that much in any case, and it reads what was written
//! with less. It does not know frames, nor text, nor who comes next.
#![forbid(unsafe_code)]

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{Context, TAIL};
use crate::ws::CloseCode;

const WINDOW_BITS: u8 = 15;

/// The tail, and a byte that is left lying if the tail is the end of a block.
const TAIL_AND_MORE: [u8; 5] = [TAIL[0], TAIL[1], TAIL[2], TAIL[3], 0];

/// A stored block of no bytes, whole: if bits of the byte before were left, they would be read as another header.
const EMPTY_BLOCK: [u8; 5] = [0, TAIL[0], TAIL[1], TAIL[2], TAIL[3]];

/// The least room that is offered at a time: with less than some 260 bytes zlib takes its slow path.
const STEP_BYTES_MIN: usize = 512;

/// The most room at a time.
const STEP_BYTES_MAX: usize = 16 * 1024;

/// Why a message is not taken. The connection must be failed (RFC 7692 §7.2.2): what follows may refer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InflateError {
    /// The message inflates to more than the limit.
    TooBig,
    /// The payload is not deflate, refers to what was never sent, or ends inside a block.
    Corrupt,
}

impl InflateError {
    /// 1009 for a message too big. 1007 for a corrupt one: the data is not what its message says it is (RFC 6455
    /// §7.4.1); the frames were in order, so it is no protocol error.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::TooBig => CloseCode::TOO_BIG,
            Self::Corrupt => CloseCode::INVALID_PAYLOAD,
        }
    }

    /// A few words for the Close frame and the log, at most 123 bytes of ASCII.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooBig => "message is too big when inflated",
            Self::Corrupt => "compressed data is corrupt",
        }
    }
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for InflateError {}

/// Inflates messages, one after the other.
///
/// With [`Context::Kept`] it belongs to one connection and sees every compressed message of it. With
/// [`Context::Dropped`] it belongs to one connection only from a message's first piece to its last, and then to whoever
/// comes next; [`is_inside_message`](Self::is_inside_message) tells, [`reset`](Self::reset) takes it back from a
/// connection that died inside.
///
/// After an error every call gives the same error, until `reset`.
///
/// ```
/// use longshore::ws::deflate::{Context, InflateError, Inflater};
/// let mut inflater = Inflater::new(Context::Kept);
/// let mut out = Vec::new();
/// inflater.inflate(b"\xF2\x48\xCD", false, 100, &mut out)?; // RFC 7692 §7.2.3.1, in two frames
/// inflater.inflate(b"\xC9\xC9\x07\x00", true, 100, &mut out)?;
/// assert_eq!(out, b"Hello");
/// inflater.inflate(b"\xF2\x00\x11\x00\x00", true, 100, &mut out)?; // §7.2.3.2: the same again
/// assert_eq!(out, b"HelloHello");
/// assert_eq!(inflater.inflate(b"\xF2\x00\x11\x00\x00", true, 4, &mut out), Err(InflateError::TooBig));
/// # Ok::<(), InflateError>(())
/// ```
pub struct Inflater {
    inflate: Inflate,
    context: Context,
    /// Bytes of the current message that were written.
    produced: u64,
    inside: bool,
    /// What came so far ends with a whole block, on a byte: nothing at all, a whole message, a final block.
    at_border: bool,
    failed: Option<InflateError>,
}

impl Inflater {
    /// What an inflater holds, in bytes, for a budget: a window of 32 KiB and tables, 47,552 bytes as counted, whatever the
    /// peer's window; and no buffer of its own.
    pub const BYTES: usize = 48 * 1024;

    /// Allocates an inflater, [`BYTES`](Self::BYTES) of memory.
    pub fn new(context: Context) -> Self {
        Self {
            inflate: Inflate::new(false, WINDOW_BITS),
            context,
            produced: 0,
            inside: false,
            at_border: true,
            failed: None,
        }
    }

    /// Whether a message has begun and not ended.
    pub const fn is_inside_message(&self) -> bool {
        self.inside
    }

    /// Whether messages may refer to those before.
    pub const fn context(&self) -> Context {
        self.context
    }

    /// Forgets everything: what was inflated, an unfinished message, an error. For another connection.
    pub fn reset(&mut self) {
        self.restart();
        self.produced = 0;
        self.inside = false;
        self.failed = None;
    }

    /// Inflates the next piece of a message's payload, and appends what it yields to `out`; gives how many bytes. `last`
    /// says that the message ends with this piece, which may be empty.
    ///
    /// `limit` is the most that the whole message may inflate to, in bytes, `message_bytes_max` of
    /// [`Limits`](crate::ws::Limits). `out` may be emptied between calls. A text is checked by giving the last so many
    /// bytes of `out` to a [`Utf8Checker`](crate::ws::Utf8Checker).
    ///
    /// # Errors
    /// [`InflateError`]. What was appended before is good, and never more than the limit.
    pub fn inflate(
        &mut self,
        mut piece: &[u8],
        last: bool,
        limit: u64,
        out: &mut Vec<u8>,
    ) -> Result<usize, InflateError> {
        let begin = out.len();
        let step = piece
            .len()
            .saturating_mul(4)
            .clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
        loop {
            let count = out.len();
            out.resize(count + step, 0);
            let before = self.produced;
            match self.inflate_some(&mut piece, last, limit, &mut out[count..]) {
                Ok(written) => {
                    out.truncate(count + written);
                    if written < step {
                        return Ok(out.len() - begin);
                    }
                }
                Err(error) => {
                    let good = self.produced.min(limit).saturating_sub(before);
                    out.truncate(count + good as usize);
                    return Err(error);
                }
            }
        }
    }

    /// The same into a buffer of fixed size, for who hands out a message while it is inflated: writes to `room`, takes
    /// from the front of `piece`, and gives how many bytes were written.
    ///
    /// Fewer than `room` has say that the piece was taken whole, and that the message is complete if it was the `last`.
    /// A full `room` says nothing: call again, with the same `last` and what is left of `piece`, even if that is empty.
    ///
    /// # Errors
    /// [`InflateError`].
    ///
    /// # Panics
    /// If `room` is empty.
    ///
    /// ```
    /// use longshore::ws::deflate::{Context, InflateError, Inflater};
    /// let (mut inflater, mut room) = (Inflater::new(Context::Dropped), [0; 4]);
    /// let mut piece: &[u8] = b"\xF2\x48\xCD\xC9\xC9\x07\x00";
    /// assert_eq!(inflater.inflate_some(&mut piece, true, 100, &mut room)?, 4);
    /// assert_eq!(&room, b"Hell");
    /// assert_eq!(inflater.inflate_some(&mut piece, true, 100, &mut room)?, 1); // fewer than 4: complete
    /// assert_eq!(&room[..1], b"o");
    /// # Ok::<(), InflateError>(())
    /// ```
    pub fn inflate_some(
        &mut self,
        piece: &mut &[u8],
        last: bool,
        limit: u64,
        room: &mut [u8],
    ) -> Result<usize, InflateError> {
        assert!(!room.is_empty(), "without room nothing can be said");
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.advance(piece, last, limit, room);
        self.failed = result.err();
        result
    }

    fn advance(
        &mut self,
        piece: &mut &[u8],
        last: bool,
        limit: u64,
        room: &mut [u8],
    ) -> Result<usize, InflateError> {
        self.inside = true;
        // One byte more than may come: if it is written, the message is too big.
        let left = limit.saturating_sub(self.produced).saturating_add(1);
        let end = room.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut written = 0;
        while written < end {
            let (taken, wrote, status) =
                self.step(piece, &mut room[written..end], InflateFlush::NoFlush)?;
            *piece = &piece[taken..];
            written += wrote;
            self.produced += wrote as u64;
            self.at_border &= taken == 0;
            if status == Status::StreamEnd {
                self.restart();
            } else if piece.is_empty() {
                break;
            } else if taken == 0 && wrote == 0 {
                return Err(InflateError::Corrupt); // never seen; it would not end
            }
        }
        if self.produced > limit {
            return Err(InflateError::TooBig);
        }
        if last && written < room.len() {
            self.finish()?;
        }
        Ok(written)
    }

    /// Begins a new deflate stream: for another message, and behind a final block (RFC 7692 §7.2.3.4), which is the last
    /// of its stream (RFC 1951 §3.2.3). What refers to bytes before it is corrupt: compressors that write one forget too.
    /// It takes some 60 ns a byte to do nothing but this; a bomb takes 115 for each of its bytes.
    fn restart(&mut self) {
        self.inflate.reset(false);
        self.at_border = true;
    }

    /// Ends the message: puts the tail back, and sees whether the payload was whole.
    ///
    /// A payload may end behind a final block without anything that the tail would complete; one of no bytes ends so
    /// too. The tail must be the end of a block then, and an empty block of our own behind it must be one. Otherwise the
    /// payload was cut off somewhere, and what follows would be read from the middle of a block.
    fn finish(&mut self) -> Result<(), InflateError> {
        if !self.at_border {
            self.block(&TAIL_AND_MORE, TAIL.len())?;
            self.block(&EMPTY_BLOCK, EMPTY_BLOCK.len())?;
            self.at_border = true;
            if self.context == Context::Dropped {
                self.restart();
            }
        }
        self.produced = 0;
        self.inside = false;
        Ok(())
    }

    /// Takes bytes up to the end of a block, which must come after so many and yield nothing.
    fn block(&mut self, bytes: &[u8], count: usize) -> Result<(), InflateError> {
        match self.step(bytes, &mut [0], InflateFlush::Block)? {
            (taken, 0, Status::Ok) if taken == count => Ok(()),
            _ => Err(InflateError::Corrupt),
        }
    }

    /// One call of the decompressor: how much it took, how much it wrote.
    fn step(
        &mut self,
        from: &[u8],
        to: &mut [u8],
        flush: InflateFlush,
    ) -> Result<(usize, usize, Status), InflateError> {
        let (taken, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(from, to, flush)
            .map_err(|_| InflateError::Corrupt)?;
        Ok((
            (self.inflate.total_in() - taken) as usize,
            (self.inflate.total_out() - written) as usize,
            status,
        ))
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("context", &self.context)
            .field("produced", &self.produced)
            .field("inside", &self.inside)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
