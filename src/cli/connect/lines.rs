//! Lines out of bytes as they come, each a message.
//!
//! The memory of an unfinished line is bounded: a message that no peer would take need not be collected.

/// Collects lines.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// What lies before was given out.
    start: usize,
    /// No line end is before.
    seen: usize,
    /// How long the line in hand is.
    unfinished: usize,
    line_bytes_max: usize,
    /// The input to its end is one message: line ends are part of it.
    whole: bool,
}

impl Lines {
    /// With `whole` the limit holds for all of the input, which [`last`](Self::last) gives.
    pub(super) const fn new(line_bytes_max: usize, whole: bool) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            seen: 0,
            unfinished: 0,
            line_bytes_max,
            whole,
        }
    }

    /// Adds what was read.
    ///
    /// # Errors
    /// The line in hand is too long. Those before it can still be taken.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bytes.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
        let limit = self.line_bytes_max;
        self.unfinished = match memchr::memrchr(b'\n', bytes) {
            Some(end) if !self.whole => bytes.len() - end - 1,
            _ => self.unfinished + bytes.len(),
        };
        if self.unfinished > limit {
            let what = if self.whole { "the" } else { "a line of the" };
            return Err(format!("{what} input has more than {limit} bytes"));
        }
        Ok(())
    }

    /// The next whole line, without its LF or CRLF.
    pub(super) fn next_line(&mut self) -> Option<&[u8]> {
        if self.whole {
            return None;
        }
        let found = memchr::memchr(b'\n', &self.bytes[self.seen..]);
        let Some(length) = found else {
            self.seen = self.bytes.len();
            return None;
        };
        let (start, end) = (self.start, self.seen + length);
        self.start = end + 1;
        self.seen = self.start;
        let line = &self.bytes[start..end];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// What came behind the last line end, when nothing more comes.
    pub(super) fn last(&mut self) -> Option<&[u8]> {
        let rest = &self.bytes[self.start..];
        self.start = self.bytes.len();
        self.seen = self.start;
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests;
