//! How long a read may wait.
//!
//! A stream is any `Read + Write`, and those traits know no time. What bounds a read of TCP is SO_RCVTIMEO (`socket(7)`);
//! for other streams the caller says which function does it, or none. Between reads the clock is looked at in any case, so
//! that a server which drips bytes does not gain more than one wait.

use std::io;
use std::time::{Duration, Instant};

use super::connect::at_least_a_moment;

/// Sets the longest wait of the reads that follow, as `TcpStream::set_read_timeout` does.
pub(super) type SetReadTimeout<S> = fn(&S, Option<Duration>) -> io::Result<()>;

/// So far ahead that nobody waits for it, and still a time that the clock can show.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// When `time` from now is. `Duration::MAX`, which callers write for "no limit", is beyond the clock.
pub(super) fn deadline(time: Duration) -> Instant {
    Instant::now() + time.min(NEVER)
}

pub(super) struct Patience<S> {
    set: SetReadTimeout<S>,
    read_timeout: Option<Duration>,
}

impl<S> Patience<S> {
    pub(super) fn new(set: SetReadTimeout<S>, read_timeout: Option<Duration>) -> Self {
        Self { set, read_timeout }
    }

    /// The usual wait, while nothing is due at a certain time.
    pub(super) fn usual(&self, stream: &S) -> io::Result<()> {
        (self.set)(stream, self.read_timeout.map(at_least_a_moment))
    }

    /// Another usual wait from now on.
    pub(super) fn change(&mut self, stream: &S, read_timeout: Option<Duration>) -> io::Result<()> {
        self.read_timeout = read_timeout;
        self.usual(stream)
    }

    /// Lets the next read wait to `until` and no longer; false if that moment has passed.
    pub(super) fn until(&self, stream: &S, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        (self.set)(stream, Some(at_least_a_moment(left)))?;
        Ok(true)
    }
}
