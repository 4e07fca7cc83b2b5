//! How many fresh bytes complete a unit whose start was kept.
//!
//! ```text
//!   stored: an unfinished head ─┐┌─ fresh: its last bytes, then whole requests
//!   G E T   / …  CR LF  CR      ││ LF  G E T   / …
//!                               │└─┬─┘
//!                               │  └ 1 byte is missing; the rest is read where it lies
//! ```
//!
//! Only ends are searched here. Whether the unit is valid is found when it is read.
#![forbid(unsafe_code)]

use super::decoder::{Progress, State};
use super::scan;

/// See [`Decoder::missing`](super::Decoder::missing).
pub(super) fn count(state: State, stored: &[u8], fresh: &[u8]) -> usize {
    let missing = match state {
        State::End | State::Failed { .. } => 0,
        State::Length { .. } | State::ChunkData { .. } if !stored.is_empty() => 0,
        State::Length { left } | State::ChunkData { left, .. } => {
            usize::try_from(left).unwrap_or(usize::MAX)
        }
        State::ChunkEnd { .. } => 2_usize.saturating_sub(stored.len()),
        State::ChunkSize { seen, .. } | State::Trailer { seen, .. } => {
            to_line_end(stored, seen as usize, fresh)
        }
        State::Head(Progress { seen, place, .. }) => match stored.first().or(fresh.first()) {
            // An empty line before the request line is a unit of its own.
            Some(b'\r') if place.lines == 0 => 2_usize.saturating_sub(stored.len()),
            _ => to_blank_line(stored, seen as usize, fresh),
        },
    };
    missing.min(fresh.len())
}

fn to_line_end(stored: &[u8], seen: usize, fresh: &[u8]) -> usize {
    let searched = seen.min(stored.len());
    if line_feed(stored, searched).is_some() {
        return 0;
    }
    line_feed(fresh, 0).map_or(fresh.len(), |at| at + 1)
}

/// Behind the first CRLF CRLF that is not entirely in the `seen` bytes, which were searched before.
fn to_blank_line(stored: &[u8], seen: usize, fresh: &[u8]) -> usize {
    let mut from = seen.saturating_sub(3).min(stored.len());
    while let Some(at) = line_feed(stored, from) {
        if stored[..=at].ends_with(b"\r\n\r\n") {
            return 0;
        }
        from = at + 1;
    }
    from = 0;
    while let Some(at) = line_feed(fresh, from) {
        if joined_ends_with(stored, &fresh[..=at], *b"\r\n\r\n") {
            return at + 1;
        }
        from = at + 1;
    }
    fresh.len()
}

/// Whether `front` followed by `back` ends with `end`.
fn joined_ends_with(front: &[u8], back: &[u8], end: [u8; 4]) -> bool {
    let from_back = back.len().min(end.len());
    let (in_front, in_back) = end.split_at(end.len() - from_back);
    back.ends_with(in_back) && front.ends_with(in_front)
}

fn line_feed(bytes: &[u8], from: usize) -> Option<usize> {
    let found = memchr::memchr(b'\n', &bytes[from..]).map(|offset| from + offset);
    scan::tally(found.map_or(bytes.len(), |at| at + 1) - from);
    found
}
