//! The Date field, formatted once a second (RFC 9110 §6.6.1).
//!
//! It does not know the time: whoever reads the clock once per turn tells it.
#![forbid(unsafe_code)]

use std::time::{Duration, UNIX_EPOCH};

/// The last second that an IMF-fixdate can say: the end of the year 9999.
const UNIX_SECONDS_MAX: u64 = 253_402_300_799;

/// The current date as the 29 bytes of an IMF-fixdate (RFC 9110 §5.6.7).
///
/// ```
/// let mut date = longshore::http::DateCache::new();
/// date.update(784_111_777);
/// assert_eq!(date.as_bytes(), b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
#[derive(Clone, Debug)]
pub struct DateCache {
    unix_seconds: u64,
    /// The whole field line, so that a reply copies it at once.
    line: [u8; 37],
}

/// Where the date stands in its line.
const DATE_START: usize = 6;

impl Default for DateCache {
    fn default() -> Self {
        Self::new()
    }
}

impl DateCache {
    /// Starts at the beginning of 1970; call [`update`](Self::update) before the first reply.
    pub const fn new() -> Self {
        Self {
            unix_seconds: 0,
            line: *b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        }
    }

    /// Formats anew if the second has changed. Seconds since 1970; those after the year 9999 count as its last.
    pub fn update(&mut self, unix_seconds: u64) {
        let unix_seconds = unix_seconds.min(UNIX_SECONDS_MAX);
        if unix_seconds != self.unix_seconds {
            self.unix_seconds = unix_seconds;
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_seconds));
            self.line[DATE_START..DATE_START + 29].copy_from_slice(text.as_bytes());
        }
    }

    /// The value of the field.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; 29] {
        let (_, date) = self.line.split_at(DATE_START);
        match date.first_chunk() {
            Some(date) => date,
            None => unreachable!(),
        }
    }

    /// The field with its line end.
    #[inline]
    pub(super) const fn line(&self) -> &[u8; 37] {
        &self.line
    }
}
