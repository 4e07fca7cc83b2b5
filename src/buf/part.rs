//! What is moved into a driver to be sent: a few parts that leave together, and perhaps a file behind them.
//!
//! ```text
//!   first │ rest … (at most 16 in all) │ file
//!   ──────┴── bytes in memory ─────────┴─ a range, read when its turn comes
//! ```
//!
//! Output changes owner. From `Driver::send` until the kernel is done with it, the driver owns the bytes, so nobody can
//! change or free what the kernel still reads. The same value comes back afterwards, and its pooled buffers go home.
//!
//! A file is named and not read here: how its bytes come to the socket is the driver's business.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use crate::sys::ToldFile;

/// The most parts that one send may carry. One `sendmsg(2)` takes them all; the kernel allows 1024 (`UIO_MAXIOV`).
pub(crate) const PARTS_MAX: usize = 16;
/// The most bytes of a file that one send may carry: 1 GiB, so that a `u32` can always say how much is unsent.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;
/// How much of a file a driver holds in memory at a time, where it has to hold any: 64 KiB.
pub(crate) const FILE_STAGE_BYTES: usize = 64 * 1024;

/// Bytes with an owner.
#[derive(Debug)]
pub(crate) enum Part {
    /// A private buffer from the [`Pool`](super::Pool): a reply, some frames.
    Pooled(Vec<u8>),
    /// A range of bytes that several connections send: a broadcast, a cached file.
    Shared {
        /// The whole allocation.
        bytes: Arc<[u8]>,
        /// The part of it that leaves here.
        range: Range<u32>,
    },
    /// Bytes that live as long as the program.
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

/// Part of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileSlice {
    /// A regular file.
    pub(crate) file: ToldFile,
    /// Which of its bytes. A range that ends before it begins holds none.
    pub(crate) range: Range<u64>,
}

impl FileSlice {
    /// A part of an open file.
    pub(crate) fn new(file: Arc<File>, range: Range<u64>) -> Self {
        let file = file.into();
        Self { file, range }
    }

    /// How many bytes the range has. The file may have ended before it.
    pub(crate) fn len(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// Whether the range has no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes one call asks for, when it may move at most `most`.
    pub(crate) fn wanted(&self, most: usize) -> usize {
        usize::try_from(self.len()).map_or(most, |len| len.min(most))
    }

    /// Takes the first bytes off, at most `most`, as a slice of their own.
    pub(crate) fn take_front(&mut self, most: u64) -> FileSlice {
        let border = self.range.start + self.len().min(most);
        let front = self.range.start..border;
        self.range.start = border;
        FileSlice {
            file: self.file.clone(),
            range: front,
        }
    }
}

/// At most [`PARTS_MAX`] parts, sent in order by one call where the kernel takes them all; then at most one slice of a
/// file.
#[derive(Debug)]
pub(crate) struct SendBuf {
    /// Nearly every send has one part, so the first one needs no allocation.
    first: Part,
    rest: Vec<Part>,
    /// How many bytes of the parts the kernel has taken so far.
    sent: usize,
    /// How many bytes the parts have in all.
    total: usize,
    /// What of the file the kernel has not taken yet.
    file: Option<FileSlice>,
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
            file: None,
        }
    }

    /// Adds a part behind the others.
    ///
    /// # Panics
    /// If there are already [`PARTS_MAX`] parts, or a file, or the kernel has taken some of them.
    pub(crate) fn push(&mut self, part: Part) {
        assert!(
            self.parts() < PARTS_MAX,
            "a send carries at most {PARTS_MAX} parts"
        );
        assert_eq!(self.sent, 0, "a send that has begun takes no more parts");
        assert!(self.file.is_none(), "a file is the end of a send");
        self.total += part.len();
        self.rest.push(part);
    }

    /// Ends the send with a slice of a file, of at most [`FILE_BYTES_MAX`] bytes. An empty slice adds nothing.
    ///
    /// # Panics
    /// If the slice is longer, or there is a file already.
    pub(crate) fn push_file(&mut self, slice: FileSlice) {
        assert!(
            slice.len() <= FILE_BYTES_MAX,
            "a send carries at most {FILE_BYTES_MAX} bytes of a file"
        );
        assert!(self.file.is_none(), "a send carries one file at most");
        if !slice.is_empty() {
            self.file = Some(slice);
        }
    }

    /// How many byte parts there are.
    pub(crate) fn parts(&self) -> usize {
        1 + self.rest.len()
    }

    /// How many bytes the kernel has not taken yet, those of the file included.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        let file = self.file.as_ref().map_or(0, FileSlice::len);
        self.bytes_left() + file as usize
    }

    /// How many bytes of the byte parts the kernel has not taken yet.
    #[inline]
    pub(crate) fn bytes_left(&self) -> usize {
        self.total - self.sent
    }

    /// What of the file the kernel has not taken yet; `None` if that is nothing.
    #[inline]
    pub(crate) fn file_left(&self) -> Option<&FileSlice> {
        self.file.as_ref().filter(|slice| !slice.is_empty())
    }

    /// How many bytes of memory this send costs: its parts, until it comes back, and for a file what a driver may
    /// [stage](FILE_STAGE_BYTES) of it.
    pub(crate) fn held_bytes(&self) -> usize {
        let staged = self.file_left().map_or(0, |_| FILE_STAGE_BYTES);
        self.total + staged
    }

    /// Notes that the kernel took `count` more bytes: of the parts first, then of the file.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        debug_assert!(
            count <= self.remaining(),
            "the kernel cannot take more than it was given"
        );
        let bytes = count.min(self.bytes_left());
        self.sent += bytes;
        if let Some(slice) = &mut self.file {
            slice.range.start += (count - bytes) as u64;
        }
    }

    /// The bytes of the parts still to be sent if they lie in one piece, as they nearly always do.
    #[inline]
    pub(crate) fn single(&self) -> Option<&[u8]> {
        if self.rest.is_empty() {
            Some(&self.first.as_bytes()[self.sent..])
        } else {
            None
        }
    }

    /// The bytes of the parts still to be sent, piece by piece; no piece is empty.
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

    /// Takes the parts out again, so that pooled buffers can go home. The file is let go.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = Part> {
        std::iter::once(self.first).chain(self.rest)
    }
}
