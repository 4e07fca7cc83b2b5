//! A send in flight: its buffer, and the message header that describes it to the kernel.
//!
//! ```text
//!   bytes ── send / sendmsg, MSG_MORE if a file follows ──▶ socket
//!   file ─── read ──▶ stage, 64 KiB from the driver's few ── send ──▶ socket ──┐
//!             ▲                                                                │
//!             └──────────────────── until the slice has ended ─────────────────┘
//! ```
//!
//! One operation is in flight at a time. When the socket is closed, a send is cancelled, while a read comes to its end:
//! the slot drains until then, and the stage stays with it.
//!
//! Splice would save the copy, but the ring runs it on worker threads, and 23 peers that read slowly were enough to leave
//! none for a healthy one.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use io_uring::squeue;

use super::op::{self, Target};
use super::stage::{Stage, Stages};
use crate::buf::{FILE_STAGE_BYTES, PARTS_MAX, SendBuf};
use crate::sys::Probe;

/// The most bytes that a single submission carries, so that a slow peer's progress can be seen.
const SUBMISSION_BYTES_MAX: usize = 64 * 1024;

/// Memory that the kernel reads until the send completes. Boxed, so that it stays where it is.
pub(super) struct Sending {
    pub(super) buf: SendBuf,
    parts: [libc::iovec; PARTS_MAX],
    message: libc::msghdr,
    /// The receiver of a datagram.
    address: Option<socket2::SockAddr>,
    /// What was read of the file. Taken when the file's turn has come, and kept until the send is over.
    stage: Option<Stage>,
}

impl Sending {
    pub(super) fn new(buf: SendBuf) -> Box<Self> {
        Self::to(buf, None)
    }

    /// Whether a buffer leaves with one submission.
    pub(super) fn fits_one(buf: &SendBuf) -> bool {
        buf.file_left().is_none() && buf.bytes_left() <= SUBMISSION_BYTES_MAX
    }

    /// A datagram to `address`.
    pub(super) fn to(buf: SendBuf, address: Option<socket2::SockAddr>) -> Box<Self> {
        let empty = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: all zeros is a valid msghdr: null pointers with zero lengths.
        let message = unsafe { std::mem::zeroed() };
        Box::new(Self {
            buf,
            parts: [empty; PARTS_MAX],
            message,
            address,
            stage: None,
        })
    }

    /// The next operation and its name. It points into this value, into the buffer's parts and into the stage.
    pub(super) fn next<P: Probe>(
        &mut self,
        probe: &mut P,
        stages: &mut Stages,
        target: Target,
    ) -> (u8, squeue::Entry) {
        let Some(slice) = self.buf.file_left().filter(|_| self.buf.bytes_left() == 0) else {
            return (op::SEND, self.entry(probe, target));
        };
        let stage = self.stage.get_or_insert_with(|| stages.take());
        if let Some(bytes) = stage.unsent() {
            let len = probe.shorten(bytes.len());
            return (
                op::SEND,
                op::send(target, bytes.as_ptr(), len as u32, false),
            );
        }
        let len = probe.shorten(slice.wanted(FILE_STAGE_BYTES));
        // What is staged is sent before more is read, so what the kernel has taken is also how far the file was read.
        let (fd, offset) = (slice.file.as_raw_fd(), slice.range.start);
        let entry = op::read(fd, stage.room(len), len as u32, offset);
        (op::STAGE, entry)
    }

    /// Notes what came of the last operation. `Ok`: go on if anything remains.
    ///
    /// # Errors
    /// The kernel's, or `UnexpectedEof` if the file ends before its slice does: somebody was promised those bytes.
    pub(super) fn completed(
        &mut self,
        operation: u8,
        outcome: io::Result<usize>,
    ) -> io::Result<()> {
        let reading = operation == op::STAGE;
        match outcome {
            Ok(0) if reading => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) if reading => {
                if let Some(stage) = self.stage.as_mut() {
                    stage.filled(count);
                }
            }
            Ok(count) => self.took(count),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) if !reading => {}
                _ => return Err(error),
            },
        }
        Ok(())
    }

    /// Notes that the socket took `count` bytes.
    pub(super) fn took(&mut self, count: usize) {
        let staged = self.buf.bytes_left() == 0;
        self.buf.advance(count);
        if let Some(stage) = self.stage.as_mut().filter(|_| staged) {
            stage.sent(count);
        }
    }

    /// Ends the send, when nothing of it is in flight.
    pub(super) fn finish(self, stages: &mut Stages) -> SendBuf {
        if let Some(stage) = self.stage {
            stages.put(stage);
        }
        self.buf
    }

    /// The submission that sends what remains of the byte parts. It points into this value and into the parts.
    pub(super) fn entry<P: Probe>(&mut self, probe: &mut P, target: Target) -> squeue::Entry {
        let more = self.buf.file_left().is_some();
        if self.address.is_none()
            && let Some(bytes) = self.buf.single()
        {
            let len = probe.shorten(bytes.len().min(SUBMISSION_BYTES_MAX));
            return op::send(target, bytes.as_ptr(), len as u32, more);
        }
        // A datagram leaves whole or not at all.
        let mut left = match self.address {
            Some(_) => usize::MAX,
            None => probe.shorten(self.buf.bytes_left().min(SUBMISSION_BYTES_MAX)),
        };
        let mut count = 0;
        for (part, piece) in self.parts.iter_mut().zip(self.buf.pieces()) {
            let len = piece.len().min(left);
            if len == 0 {
                break;
            }
            *part = libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: len,
            };
            left -= len;
            count += 1;
        }
        self.message.msg_iov = self.parts.as_mut_ptr();
        self.message.msg_iovlen = count;
        if let Some(address) = &self.address {
            self.message.msg_name = address.as_ptr().cast_mut().cast();
            self.message.msg_namelen = address.len();
            return op::send_datagram(target, &raw const self.message);
        }
        op::sendmsg(target, &raw const self.message, more)
    }
}
