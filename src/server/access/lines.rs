//! One worker's lines: formatted where the request was answered, handed over once per turn.
//!
//! ```text
//!   record ─▶ batch ─▶ record ─▶ batch ─▶ end of the turn: hand_over ─▶ queue
//! ```
//!
//! It does not know who writes the lines, nor whether anyone does.

use std::time::{Duration, SystemTime};

use super::AccessLog;
use super::stamp::Stamp;
use crate::sys::Address;

/// A batch is handed over when it has grown to this, even inside a turn: 64 KiB. So a turn with very many requests
/// neither holds much memory nor loses all its lines at a queue that is nearly full.
const BATCH_BYTES: usize = 64 * 1024;

/// What is said of one request. Borrowed for the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// When it was answered.
    pub(crate) time: SystemTime,
    /// Who asked, if that is known.
    pub(crate) peer: Option<&'a Address>,
    /// The request line as it came, without its line end; `None` if it could not be read.
    pub(crate) request_line: Option<&'a [u8]>,
    /// The status of the reply.
    pub(crate) status: u16,
    /// The bytes of the reply's content. Not its head, and nothing for HEAD.
    pub(crate) body_bytes: u64,
    /// The value of `Referer`.
    pub(crate) referer: Option<&'a [u8]>,
    /// The value of `User-Agent`.
    pub(crate) user_agent: Option<&'a [u8]>,
    /// From the request to its reply, if it was measured.
    pub(crate) duration: Option<Duration>,
}

/// The lines of one worker. Owned by its thread; dropping it hands over what is left.
#[derive(Debug)]
pub(crate) struct AccessLines {
    log: AccessLog,
    batch: Vec<u8>,
    lines: u64,
    stamp: Stamp,
}

impl AccessLines {
    pub(super) fn new(log: AccessLog) -> Self {
        Self {
            log,
            batch: Vec::new(),
            lines: 0,
            stamp: Stamp::new(),
        }
    }

    /// Adds a line to the batch. The batch's growth is the only allocation, and ends when it has grown to its size.
    pub(crate) fn record(&mut self, entry: &Entry<'_>) {
        self.stamp.update(entry.time);
        self.log.format().write(&mut self.batch, &self.stamp, entry);
        self.lines += 1;
        if self.batch.len() >= BATCH_BYTES {
            self.hand_over();
        }
    }

    /// Gives the batch to the writer. Call it at the end of each turn.
    ///
    /// Never waits for a disk or a reader: a queue without room drops the batch, and counts its lines.
    pub(crate) fn hand_over(&mut self) {
        if self.lines > 0 {
            self.log.put(&self.batch, self.lines);
            self.batch.clear();
            self.lines = 0;
        }
    }
}

impl Drop for AccessLines {
    fn drop(&mut self) {
        self.hand_over();
    }
}
