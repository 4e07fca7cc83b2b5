//! The line before each chunk of a chunked body (RFC 9112 §7.1).
//!
//! ```text
//!   1a ; name = "quoted ; value" ; flag CRLF
//!   └┘ └──────── extensions ──────────┘
//!   size
//! ```
//!
//! Extensions are checked against their grammar and then ignored, as RFC 9112 §7.1.1 wants it. This file does not know
//! where a chunk's data is.
#![forbid(unsafe_code)]

use super::class::{self, QUOTED, TOKEN};
use super::{Error, scan};

/// Hexadecimal digits of the largest size, leading zeros aside.
pub(super) const SIZE_DIGITS_MAX: usize = 16;

/// A checked chunk line.
pub(super) struct ChunkLine {
    /// Bytes of data that follow. 0 for the last chunk.
    pub(super) size: u64,
    /// Bytes of the line that are not needed to say the size: extensions and leading zeros.
    pub(super) surplus: u32,
}

impl ChunkLine {
    /// Reads a line without its CRLF.
    ///
    /// # Errors
    /// [`Error::InvalidChunkSize`], [`Error::ChunkSizeOverflow`], [`Error::InvalidChunkExtension`].
    pub(super) fn parse(line: &[u8]) -> Result<Self, Error> {
        let zeros = line.iter().take_while(|&&byte| byte == b'0').count();
        let mut size = 0_u64;
        let mut at = zeros;
        while let Some(value) = line.get(at).and_then(|&byte| class::hex_value(byte)) {
            if at - zeros == SIZE_DIGITS_MAX {
                return Err(Error::ChunkSizeOverflow);
            }
            size = size << 4 | u64::from(value);
            at += 1;
        }
        if at == 0 {
            return Err(Error::InvalidChunkSize);
        }
        let digits = (at - zeros).max(1);
        if at < line.len() {
            // Whitespace may stand before a semicolon; anything else belongs to a size that is no number.
            let next = after_whitespace(line, at);
            if line.get(next) != Some(&b';') {
                return Err(Error::InvalidChunkSize);
            }
            extensions(&line[at..])?;
        }
        scan::tally(line.len());
        Ok(Self {
            size,
            surplus: (line.len() - digits) as u32,
        })
    }
}

/// `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`
fn extensions(bytes: &[u8]) -> Result<(), Error> {
    let mut at = 0;
    while at < bytes.len() {
        at = after_whitespace(bytes, at);
        if bytes.get(at) != Some(&b';') {
            return Err(Error::InvalidChunkExtension);
        }
        at = after_token(bytes, after_whitespace(bytes, at + 1))?;
        let equals = after_whitespace(bytes, at);
        if bytes.get(equals) == Some(&b'=') {
            let value = after_whitespace(bytes, equals + 1);
            at = match bytes.get(value) {
                Some(b'"') => after_quoted(bytes, value + 1)?,
                _ => after_token(bytes, value)?,
            };
        }
    }
    Ok(())
}

fn after_whitespace(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

fn after_token(bytes: &[u8], from: usize) -> Result<usize, Error> {
    match scan::run_end(bytes, from, TOKEN) {
        end if end > from => Ok(end),
        _ => Err(Error::InvalidChunkExtension),
    }
}

/// Behind the closing quote of the string whose opening quote is just before `from` (RFC 9110 §5.6.4).
fn after_quoted(bytes: &[u8], from: usize) -> Result<usize, Error> {
    let mut at = from;
    loop {
        at += match bytes.get(at..) {
            Some([b'"', ..]) => return Ok(at + 1),
            Some([b'\\', escaped, ..]) if class::is(*escaped, class::VALUE) => 2,
            Some([byte, ..]) if class::is(*byte, QUOTED) => 1,
            _ => return Err(Error::InvalidChunkExtension),
        };
    }
}
