//! The time of a line, as text: formatted once a second, not once a request.
//!
//! It does not read the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::DateCache;

/// The names of months in an IMF-fixdate (RFC 9110 §5.6.7), in order.
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The second of the last line, in the two notations of the formats. Always UTC.
#[derive(Debug)]
pub(super) struct Stamp {
    unix_seconds: u64,
    date: DateCache,
    /// `10/Oct/2026:13:55:36 +0000`
    common: [u8; 26],
    /// `2026-10-10T13:55:36`, to which milliseconds and `Z` are added.
    rfc3339: [u8; 19],
    milliseconds: u32,
}

impl Stamp {
    pub(super) fn new() -> Self {
        let mut stamp = Self {
            unix_seconds: 0,
            date: DateCache::new(),
            common: *b"../...../.... ..:..: +0000",
            rfc3339: *b"....-..-..T..:..:..",
            milliseconds: 0,
        };
        stamp.rebuild();
        stamp
    }

    /// Takes over a time. One before 1970 counts as its beginning, one after the year 9999 as its end.
    pub(super) fn update(&mut self, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.milliseconds = since.subsec_millis();
        if since.as_secs() != self.unix_seconds {
            self.unix_seconds = since.as_secs();
            self.date.update(self.unix_seconds);
            self.rebuild();
        }
    }

    /// `10/Oct/2026:13:55:36 +0000`
    pub(super) fn common(&self) -> &[u8] {
        &self.common
    }

    /// Writes `2026-10-10T13:55:36.042Z` (RFC 3339 §5.6).
    pub(super) fn write_rfc3339(&self, out: &mut Vec<u8>) {
        let digit = |of: u32| b'0' + (self.milliseconds / of % 10) as u8;
        out.extend_from_slice(&self.rfc3339);
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1), b'Z']);
    }

    /// Puts the parts of `Sat, 10 Oct 2026 13:55:36 GMT` into the orders of the other two notations.
    fn rebuild(&mut self) {
        let date = self.date.as_bytes();
        let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
        self.common[..2].copy_from_slice(day);
        self.common[2] = b'/';
        self.common[3..6].copy_from_slice(month);
        self.common[6] = b'/';
        self.common[7..11].copy_from_slice(year);
        self.common[11] = b':';
        self.common[12..20].copy_from_slice(time);
        let number = 1 + MONTHS
            .iter()
            .position(|name| name[..] == *month)
            .unwrap_or(0) as u8;
        self.rfc3339[..4].copy_from_slice(year);
        self.rfc3339[5..7].copy_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
        self.rfc3339[8..10].copy_from_slice(day);
        self.rfc3339[11..].copy_from_slice(time);
    }
}
