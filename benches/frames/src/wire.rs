//! The stream that everybody reads from: the same frames again and again, at most 64 KiB a read, always ready.
//!
//! ```text
//!   frames ┌───────────── 256 KiB ─────────────┐ and from the start again
//!          │ 64 KiB │ 64 KiB │ 64 KiB │ … │rest│
//!          └───┬────┴────────┴────────┴───┴────┘
//!              └──copied──▶ the reader's own buffer      as recv(2) would: decoding overwrites what it reads
//! ```
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one read brings at most: a server's receive buffer.
pub(crate) const LEND_BYTES: usize = 64 << 10;

/// Frames without end.
pub(crate) struct Wire {
    frames: Vec<u8>,
    /// Where the chunk being read goes on.
    at: usize,
    /// Where the chunk being read ends.
    end: usize,
}

impl Wire {
    /// Starts with the first frame.
    pub(crate) fn new(frames: Vec<u8>) -> Self {
        Self {
            frames,
            at: 0,
            end: 0,
        }
    }

    /// What the next read of at most `room` bytes brings.
    fn next(&mut self, room: usize) -> &[u8] {
        if self.at == self.end {
            self.at %= self.frames.len();
            self.end = self.frames.len().min(self.at + LEND_BYTES);
        }
        let from = self.at;
        self.at = self.end.min(from + room);
        &self.frames[from..self.at]
    }
}

/// How memcpy(3) copies depends on the length: from 4 KiB on it may use `rep movsb`, half as fast on some machines. A
/// byte shall cost everybody the same, however much a read asks for.
const COPIED_BYTES: usize = 2 << 10;

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next(into.len());
        for (into, bytes) in into
            .chunks_mut(COPIED_BYTES)
            .zip(bytes.chunks(COPIED_BYTES))
        {
            into[..bytes.len()].copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = into.remaining();
        let bytes = self.next(room);
        bytes
            .chunks(COPIED_BYTES)
            .for_each(|bytes| into.put_slice(bytes));
        Poll::Ready(Ok(()))
    }
}

/// Nobody writes here: a stream of data messages owes no answer.
impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        panic!("{} bytes were written", bytes.len());
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        panic!("{} bytes were written", bytes.len());
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
