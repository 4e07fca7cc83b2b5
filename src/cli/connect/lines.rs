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
}

impl Lines {
    pub(super) const fn new(line_bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            seen: 0,
            unfinished: 0,
            line_bytes_max,
        }
    }

    /// Adds what was read.
    ///
    /// # Errors
    /// The line in hand is too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.bytes.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
        let limit = self.line_bytes_max;
        self.unfinished = match memchr::memrchr(b'\n', bytes) {
            Some(end) => bytes.len() - end - 1,
            None => self.unfinished + bytes.len(),
        };
        if self.unfinished > limit {
            return Err(format!("a line of the input has more than {limit} bytes"));
        }
        Ok(())
    }

    /// The next whole line, without its LF or CRLF.
    pub(super) fn next_line(&mut self) -> Option<&[u8]> {
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
