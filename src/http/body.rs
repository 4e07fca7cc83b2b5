//! The body behind a head: as many bytes as were declared, or chunks and a trailer section (RFC 9112 §6 and §7.1).
//!
//! Data goes out in pieces, as it lies in the input; the lines around it are read whole or not at all. This file does
//! not know heads, and it forgets every byte that it has counted.
#![forbid(unsafe_code)]

use super::chunk::{self, ChunkLine};
use super::decoder::{BEFORE_HEAD, Event, State};
use super::{Error, HeadLimits, class, line};
use crate::buf::Input;

/// What the chunks of one body have cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Bytes of data.
    data: u64,
    /// Bytes of extensions and padding.
    surplus: u32,
}

/// Goes from state to state until there is something to say, or bytes are missing.
pub(super) fn read<'b>(
    state: &mut State,
    input: &mut Input<'b>,
    limits: &HeadLimits,
) -> Result<Option<Event<'b>>, Error> {
    loop {
        let next = match state {
            State::Length { left } => {
                let Some(piece) = take_up_to(input, left) else {
                    return Ok(None);
                };
                if *left == 0 {
                    *state = State::End;
                }
                return Ok(Some(Event::Body(piece)));
            }
            State::ChunkData { counts, left } => {
                let Some(piece) = take_up_to(input, left) else {
                    return Ok(None);
                };
                if *left == 0 {
                    *state = State::ChunkEnd { counts: *counts };
                }
                return Ok(Some(Event::Body(piece)));
            }
            State::ChunkEnd { counts } => chunk_end(input, *counts)?,
            State::ChunkSize { counts, seen } => chunk_size(input, limits, *counts, seen)?,
            State::Trailer { spent, seen } => trailer(input, limits, *spent, seen)?,
            State::End => {
                *state = BEFORE_HEAD;
                return Ok(Some(Event::End));
            }
            State::Failed { error, .. } => return Err(*error),
            State::Head(_) => None,
        };
        match next {
            Some(next) => *state = next,
            None => return Ok(None),
        }
    }
}

/// Takes as much of the `left` bytes as there is and counts it; `None` if there is nothing.
fn take_up_to<'b>(input: &mut Input<'b>, left: &mut u64) -> Option<&'b mut [u8]> {
    let count = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(input.len());
    *left -= count as u64;
    (count > 0).then(|| input.take(count))
}

/// The state behind the CRLF of a chunk.
fn chunk_end(input: &mut Input<'_>, counts: Counts) -> Result<Option<State>, Error> {
    match input.unread() {
        [b'\r', b'\n', ..] => {
            input.take(2);
            Ok(Some(State::ChunkSize { counts, seen: 0 }))
        }
        [] | [b'\r'] => Ok(None),
        _ => Err(Error::InvalidChunkEnd),
    }
}

/// The state behind a chunk line, or `None` if the line is unfinished; `seen` then says how far it was searched.
fn chunk_size(
    input: &mut Input<'_>,
    limits: &HeadLimits,
    counts: Counts,
    seen: &mut u32,
) -> Result<Option<State>, Error> {
    let bytes = input.unread();
    if bytes
        .first()
        .is_some_and(|&first| !class::is(first, class::HEX))
    {
        return Err(Error::InvalidChunkSize);
    }
    let surplus_max = limits
        .chunk_extension_bytes_max
        .saturating_sub(counts.surplus);
    let line_max = chunk::SIZE_DIGITS_MAX + surplus_max as usize;
    let Some(len) = line::finished(bytes, *seen, line_max, Error::ChunkExtensionsTooLarge)? else {
        *seen = bytes.len() as u32;
        return Ok(None);
    };
    let line = ChunkLine::parse(&bytes[..len])?;
    if line.surplus > surplus_max {
        return Err(Error::ChunkExtensionsTooLarge);
    }
    input.take(len + 2);
    if line.size == 0 {
        return Ok(Some(State::Trailer { spent: 0, seen: 0 }));
    }
    let data = counts.data.saturating_add(line.size);
    if data > limits.body_bytes_max {
        return Err(Error::BodyTooLarge);
    }
    let counts = Counts {
        data,
        surplus: counts.surplus + line.surplus,
    };
    Ok(Some(State::ChunkData {
        counts,
        left: line.size,
    }))
}

/// The state behind a line of the trailer section, or `None` if the line is unfinished; `seen` as above.
///
/// Trailer fields are checked like any field and then dropped: RFC 9110 §6.5.1 forbids to merge those that matter, and
/// RFC 9112 §7.1.2 permits to drop the others.
fn trailer(
    input: &mut Input<'_>,
    limits: &HeadLimits,
    spent: u32,
    seen: &mut u32,
) -> Result<Option<State>, Error> {
    let bytes = input.unread();
    let left = limits.trailer_bytes_max.saturating_sub(spent) as usize;
    let Some(len) = line::finished(bytes, *seen, left, Error::TrailersTooLarge)? else {
        *seen = bytes.len() as u32;
        return Ok(None);
    };
    let whole = len + 2;
    let next = if len == 0 {
        State::End
    } else {
        line::field(&bytes[..whole], 0)?;
        if whole > left {
            return Err(Error::TrailersTooLarge);
        }
        State::Trailer {
            spent: spent + whole as u32,
            seen: 0,
        }
    };
    input.take(whole);
    Ok(Some(next))
}
