//! The head that most requests have, read 32 bytes a step.
//!
//! ```text
//!   Host: www.example.org␍␊User-Agent:      one block, three questions, an answer of one bit a byte
//!   0000100000000000000001100000000001      no token:      the first is the name's colon
//!   0000000000000000000001100000000000      a control:     the first is the value's CR
//!   0000110000000000000001100000000001      no host name:  the first behind the value's start is its end
//! ```
//!
//! It reads what the loops of [`line`] read, and says the same about it, or says nothing: a head with anything unusual
//! in it (another method or version, a line that is malformed or not here yet) is left to them, so that every fault
//! is found and named in one place. What costs time there is that each byte is looked up by itself: this takes about half
//! of their instructions, for a head with one field as for a browser's with fourteen (the decoder's whole work: `cargo
//! bench -- --instructions head`; benches/instructions.txt has the counts).
//!
//! It does not know whether the machine can do this; see [`plain_simd`](super::plain_simd), which asks.
#![forbid(unsafe_code)]

use super::class::{self, DIGIT, REG_NAME, TARGET, TOKEN};
use super::framing::Notes;
use super::head::Reading;
use super::line::{self, RequestLine};
use super::plain_simd::{BLOCK_BYTES, Block, Class};
use super::target::{self, Run, Shape};
use super::{HeadLimits, Version};

const TOKENS: Class = Class::of(TOKEN);
const TARGETS: Class = Class::of(TARGET);
const HOSTS: Class = Class::of(REG_NAME);
const DIGITS: Class = Class::of(DIGIT);
/// Every number of so many digits is a port.
const PORT_DIGITS: usize = 4;

/// Reads the head at the start of `bytes` if it is whole and usual. Returns where it ends.
#[target_feature(enable = "avx2,bmi1")]
#[inline]
pub(super) fn read(bytes: &[u8], limits: &HeadLimits, reading: &mut Reading) -> Option<usize> {
    let request = request_line(bytes, limits.target_bytes_max)?;
    let mut start = request.next as usize;
    reading.request = request;
    let mut lines = 1;
    let fields_max = u32::from(limits.fields_max);
    loop {
        let block = Block::at(bytes, start)?;
        let name_len = block.first_outside(&TOKENS);
        if name_len == 0 {
            // The blank line, or a fault.
            return (bytes.get(start..start + 2) == Some(b"\r\n")).then_some(start + 2);
        }
        if lines > fields_max {
            return None;
        }
        lines += 1;
        start = match field(bytes, start, name_len, &block, &mut reading.notes) {
            Some(next) => next,
            None => other_field(bytes, start, &mut reading.notes)?,
        };
    }
}

/// `GET /path?query HTTP/1.1` and the like: a method that most requests have, a target in origin form.
#[target_feature(enable = "avx2,bmi1")]
#[inline]
fn request_line(bytes: &[u8], target_bytes_max: u32) -> Option<RequestLine> {
    let method_len = method_len(u64::from_le_bytes(*bytes.first_chunk()?))?;
    let target_start = method_len + 1;
    if bytes[target_start] != b'/' {
        return None;
    }
    let run = target(bytes, target_start)?;
    if bytes.get(run.end) != Some(&b' ') || run.end - target_start > target_bytes_max as usize {
        return None;
    }
    let version_start = run.end + 1;
    let version = bytes.get(version_start..version_start + 10)?;
    if version != b"HTTP/1.1\r\n" {
        return None;
    }
    Some(RequestLine {
        method_len: method_len as u32,
        target_end: run.end as u32,
        shape: Shape::origin((run.path_end - target_start) as u32),
        version: Version::Http11,
        next: (version_start + 10) as u32,
    })
}

/// The length of the method in front of the first space, for the methods that come often.
#[inline]
fn method_len(front: u64) -> Option<usize> {
    const fn word(bytes: [u8; 8]) -> u64 {
        u64::from_le_bytes(bytes)
    }
    const THREE: u64 = word(*b"\xff\xff\xff\xff\0\0\0\0");
    const FOUR: u64 = word(*b"\xff\xff\xff\xff\xff\0\0\0");
    match front & THREE {
        method if method == word(*b"GET \0\0\0\0") || method == word(*b"PUT \0\0\0\0") => {
            return Some(3);
        }
        _ => {}
    }
    let method = front & FOUR;
    (method == word(*b"POST \0\0\0") || method == word(*b"HEAD \0\0\0")).then_some(4)
}

/// The target that starts at `start`.
#[target_feature(enable = "avx2,bmi1")]
#[inline]
fn target(bytes: &[u8], start: usize) -> Option<Run> {
    let mut at = start;
    let mut question = None;
    loop {
        let block = Block::at(bytes, at)?;
        let len = block.first_outside(&TARGETS);
        at += len;
        if len == BLOCK_BYTES {
            continue;
        }
        match bytes.get(at) {
            Some(b'?') => {
                question.get_or_insert(at);
                at += 1;
            }
            Some(b' ') => break,
            // Something percent-encoded, or a fault.
            _ => return target::run(bytes, start).ok()?,
        }
    }
    Some(Run {
        end: at,
        path_end: question.unwrap_or(at),
    })
}

/// The field line that starts at `start`, whose name lies in `block`. Returns where the next line starts.
#[target_feature(enable = "avx2,bmi1")]
#[inline]
fn field(
    bytes: &[u8],
    start: usize,
    name_len: usize,
    block: &Block,
    notes: &mut Notes,
) -> Option<usize> {
    if name_len >= BLOCK_BYTES - 2 || bytes.get(start + name_len) != Some(&b':') {
        return None;
    }
    // Nearly always one space. What else there may be is for the general loop.
    let offset = name_len + 2;
    let value_start = start + offset;
    let (&[space, first], _) = bytes.get(value_start - 1..)?.split_first_chunk()?;
    if space != b' ' || first <= b' ' {
        return None;
    }
    let mut end = start + block.first_control(offset);
    if end == start + BLOCK_BYTES {
        end = long_value(bytes, end)?;
    }
    if bytes.get(end..end + 2) != Some(b"\r\n") || bytes[end - 1] == b' ' {
        return None;
    }
    let (name, value) = (&bytes[start..start + name_len], &bytes[value_start..end]);
    if name_len == 4 && class::spells(name, b"host") {
        let plain = is_plain_host(block, offset, end - start, value);
        notes.host(value_start, value.len(), plain);
    } else {
        notes.take(name, value, value_start);
    }
    Some(end + 2)
}

/// Whether the bytes of `block` from `start` to `end`, which are `host`, are a registered name, and a port if any.
#[target_feature(enable = "avx2,bmi1")]
#[inline]
fn is_plain_host(block: &Block, start: usize, end: usize, host: &[u8]) -> bool {
    if end >= BLOCK_BYTES {
        return false;
    }
    let name_end = block.first_outside_from(&HOSTS, start);
    if name_end == start {
        return false;
    }
    // What ends the name is a colon, if digits up to the value's end follow and it is no other byte.
    if name_end == end {
        return true;
    }
    let digits = end - name_end - 1;
    let is_port = match digits {
        1..=PORT_DIGITS => true,
        // Of one length, digits are compared as the numbers are.
        5 => host.last_chunk::<5>().is_some_and(|port| port <= b"65535"),
        _ => false,
    };
    is_port && block.is(name_end, b':') && block.first_outside_from(&DIGITS, name_end + 1) == end
}

/// The end of a value that goes on at `from`.
#[target_feature(enable = "avx2,bmi1")]
#[inline]
fn long_value(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let len = Block::at(bytes, at)?.first_control(0);
        at += len;
        if len < BLOCK_BYTES {
            return Some(at);
        }
    }
}

/// A field line that is not plain, and may still be right.
#[cold]
fn other_field(bytes: &[u8], start: usize, notes: &mut Notes) -> Option<usize> {
    let field = line::field(bytes, start).ok()??;
    let value = &bytes[field.value_start..field.value_end];
    notes.take(&bytes[start..field.name_end], value, field.value_start);
    Some(field.next)
}
