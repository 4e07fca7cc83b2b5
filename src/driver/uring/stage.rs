//! Stages: memory in which a piece of a file stands between its read and its send.
//!
//! A file's send has one of them from its first read to its end, so a peer that does not read costs 64 KiB and no more.
//! Free ones are kept, because the next file soon wants one; so few that they cost nothing worth saving.
//!
//! It does not know files or sockets.
#![forbid(unsafe_code)]

use std::ops::Range;

use crate::buf::FILE_STAGE_BYTES;

/// How many free stages are kept: 1 MiB.
const KEPT_MAX: usize = 16;

/// A piece of a file, at most [`FILE_STAGE_BYTES`].
pub(super) struct Stage {
    memory: Vec<u8>,
    /// Which of it was read and is not sent.
    unsent: Range<usize>,
}

impl Stage {
    /// What is to be sent, if anything is.
    pub(super) fn unsent(&self) -> Option<&[u8]> {
        let bytes = &self.memory[self.unsent.clone()];
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Where the next `len` bytes are read to, when everything was sent.
    pub(super) fn room(&mut self, len: usize) -> *mut u8 {
        debug_assert!(self.unsent.is_empty(), "what was read would be lost");
        self.unsent = 0..0;
        self.memory[..len].as_mut_ptr()
    }

    /// Notes that `count` bytes were read.
    pub(super) fn filled(&mut self, count: usize) {
        debug_assert!(count <= self.memory.len(), "no more was asked for");
        self.unsent = 0..count;
    }

    /// Notes that `count` bytes were sent.
    pub(super) fn sent(&mut self, count: usize) {
        debug_assert!(count <= self.unsent.len(), "no more was there");
        self.unsent.start += count;
    }
}

/// The stages of one driver.
#[derive(Default)]
pub(super) struct Stages {
    free: Vec<Stage>,
    /// How many are lent.
    #[cfg(test)]
    pub(super) lent: usize,
}

impl Stages {
    /// An empty stage.
    pub(super) fn take(&mut self) -> Stage {
        #[cfg(test)]
        {
            self.lent += 1;
        }
        self.free.pop().unwrap_or_else(|| Stage {
            memory: vec![0; FILE_STAGE_BYTES],
            unsent: 0..0,
        })
    }

    /// Takes one back that the kernel has nothing to do with any more.
    pub(super) fn put(&mut self, mut stage: Stage) {
        #[cfg(test)]
        {
            self.lent -= 1;
        }
        if self.free.len() < KEPT_MAX {
            stage.unsent = 0..0;
            self.free.push(stage);
        }
    }
}
