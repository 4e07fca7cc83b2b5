//! What is moved into a driver to be sent: a few parts that leave together.
//!
//! Output changes owner. From `Driver::send` until the kernel is done with it, the driver owns the bytes, so nobody can
//! change or free what the kernel still reads. The same value comes back afterwards, and its pooled buffers go home.

use std::ops::Range;
use std::sync::Arc;

/// The most parts that one send may carry. One `sendmsg(2)` takes them all; the kernel allows 1024 (`UIO_MAXIOV`).
pub(crate) const PARTS_MAX: usize = 16;

/// Bytes with an owner.
#[derive(Debug)]
pub(crate) enum Part {
    /// A private buffer from the [`Pool`](super::Pool): a reply, some frames.
    Pooled(Vec<u8>),
    /// A range of bytes that several connections send: a broadcast, a cached file.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "broadcasts come later; drivers carry them already"
        )
    )]
    Shared {
        /// The whole allocation.
        bytes: Arc<[u8]>,
        /// The part of it that leaves here.
        range: Range<u32>,
    },
    /// Bytes that live as long as the program.
    #[cfg_attr(not(test), expect(dead_code, reason = "as above"))]
    Static(&'static [u8]),
}

impl Part {
    /// The bytes to be sent.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Part::Pooled(bytes) => bytes,
            Part::Shared { bytes, range } => &bytes[range.start as usize..range.end as usize],
            Part::Static(bytes) => bytes,
        }
    }

    /// How many bytes are to be sent.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.as_bytes().len()
    }
}

/// At most [`PARTS_MAX`] parts, sent in order by one call where the kernel takes them all.
#[derive(Debug)]
pub(crate) struct SendBuf {
    /// Nearly every send has one part, so the first one needs no allocation.
    first: Part,
    rest: Vec<Part>,
    /// How many bytes the kernel has taken so far.
    sent: usize,
    /// How many bytes there are in all.
    total: usize,
}

impl SendBuf {
    /// A send of one part.
    #[inline]
    pub(crate) fn new(first: Part) -> Self {
        let total = first.len();
        Self {
            first,
            rest: Vec::new(),
            sent: 0,
            total,
        }
    }

    /// Adds a part behind the others.
    ///
    /// # Panics
    /// If there are already [`PARTS_MAX`] parts, or the kernel has taken some of them.
    pub(crate) fn push(&mut self, part: Part) {
        assert!(
            self.parts() < PARTS_MAX,
            "a send carries at most {PARTS_MAX} parts"
        );
        assert_eq!(self.sent, 0, "a send that has begun takes no more parts");
        self.total += part.len();
        self.rest.push(part);
    }

    /// How many parts there are.
    pub(crate) fn parts(&self) -> usize {
        1 + self.rest.len()
    }

    /// How many bytes the kernel has not taken yet.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.total - self.sent
    }

    /// Notes that the kernel took `count` more bytes.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        debug_assert!(
            count <= self.remaining(),
            "the kernel cannot take more than it was given"
        );
        self.sent += count;
    }

    /// The bytes still to be sent if they lie in one piece, as they nearly always do.
    #[inline]
    pub(crate) fn single(&self) -> Option<&[u8]> {
        if self.rest.is_empty() {
            Some(&self.first.as_bytes()[self.sent..])
        } else {
            None
        }
    }

    /// The bytes still to be sent, piece by piece; no piece is empty.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        std::iter::once(&self.first)
            .chain(&self.rest)
            .filter_map(move |part| {
                let bytes = part.as_bytes();
                let skipped = skip.min(bytes.len());
                skip -= skipped;
                (skipped < bytes.len()).then(|| &bytes[skipped..])
            })
    }

    /// Takes the parts out again, so that pooled buffers can go home.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = Part> {
        std::iter::once(self.first).chain(self.rest)
    }
}
