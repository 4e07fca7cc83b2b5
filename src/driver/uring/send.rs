//! A send in flight: its buffer, and the message header that describes it to the kernel.

use std::ptr;

use io_uring::squeue;

use super::op::{self, Target};
use crate::buf::{PARTS_MAX, SendBuf};
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
}

impl Sending {
    pub(super) fn new(buf: SendBuf) -> Box<Self> {
        Self::to(buf, None)
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
        })
    }

    /// The submission that sends what remains. It points into this value and into the buffer's parts.
    pub(super) fn entry<P: Probe>(&mut self, probe: &mut P, target: Target) -> squeue::Entry {
        if self.address.is_none()
            && let Some(bytes) = self.buf.single()
        {
            let len = probe.shorten(bytes.len().min(SUBMISSION_BYTES_MAX));
            return op::send(target, bytes.as_ptr(), len as u32);
        }
        // A datagram leaves whole or not at all.
        let mut left = match self.address {
            Some(_) => usize::MAX,
            None => probe.shorten(self.buf.remaining().min(SUBMISSION_BYTES_MAX)),
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
        }
        op::sendmsg(target, &raw const self.message)
    }
}
