//! Sending: the bytes of a send, then the file behind them.
//!
//! ```text
//!   send / sendmsg ─ bytes, MSG_MORE if a file follows ─▶ socket
//!   sendfile ─────── page cache, one piece per turn ────▶ socket        short, or EAGAIN: when the poller says so
//! ```
//!
//! sendfile(2) has no `MSG_NOSIGNAL`: a peer that left raises SIGPIPE, so the process must ignore that signal, as Rust
//! programs do unless they ask otherwise. It waits for the disk where the file is not in the page cache, which no flag
//! prevents.
//!
//! It does not know what the bytes mean, nor why a connection sends.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use super::poller::Poller;
use super::slots::Flags;
use super::{Event, How, Op, Probe, Readiness, SendBuf, StreamError, Submit, Token, sys};
use crate::buf::{FileSlice, PARTS_MAX};

/// The most bytes of a file that one turn sends on one connection. The socket of a peer that reads as fast as we send
/// always has room, and the loop would serve nobody else until the file's end. As much as a send carries of bytes
/// (`buf::Outbox`): others wait no longer for a file than for any other reply.
const FILE_TURN_BYTES: usize = 256 * 1024;

/// How far a send came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The kernel took everything.
    Done,
    /// The socket is full, or was short a moment ago: the poller is asked.
    NoRoom,
    /// A piece of the file has left, and more may go in the next turn.
    NextTurn,
}

impl<L: Poller, P: Probe> Readiness<L, P> {
    /// Sends at once; what the kernel does not take waits for room.
    #[inline]
    pub(super) fn send_now(&mut self, token: Token, mut buf: SendBuf) -> Submit {
        let Some(slot) = self.slots.open_mut(token) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        debug_assert!(
            slot.send.is_none(),
            "at most one send is in flight per connection"
        );
        let Some(fd) = slot.fd.as_ref() else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        match send_some::<L, P>(&mut self.probe, fd.as_fd(), &mut buf) {
            Ok(Progress::Done) => Submit::Done(buf),
            Ok(progress) => {
                self.wait_for_room(token, Box::new(buf), progress);
                self.update_interest(token);
                Submit::InFlight
            }
            Err(error) => Submit::Failed(buf, error),
        }
    }

    /// Makes one call with bytes that stay the caller's.
    #[inline]
    pub(super) fn lend_out(&mut self, token: Token, bytes: &[u8]) -> usize {
        let Some(slot) = self.slots.open(token) else {
            return 0;
        };
        debug_assert!(
            slot.send.is_none(),
            "at most one send is in flight per connection"
        );
        let Some(fd) = slot.fd.as_ref() else {
            return 0;
        };
        sys::send(&mut self.probe, fd.as_fd(), bytes).unwrap_or(0)
    }

    pub(super) fn continue_send(
        &mut self,
        token: Token,
        mut buf: Box<SendBuf>,
    ) -> Option<Event<'static>> {
        let slot = self.slots.open_mut(token)?;
        let sent = send_some::<L, P>(&mut self.probe, slot.fd.as_ref()?.as_fd(), &mut buf);
        let result = match sent {
            Ok(Progress::Done) => Ok(()),
            Ok(progress) => {
                self.wait_for_room(token, buf, progress);
                return None;
            }
            Err(error) => Err(error),
        };
        if L::EDGE {
            slot.flags.set(Flags::WRITABLE);
        } else {
            slot.flags.clear(Flags::WRITABLE);
        }
        if slot.flags.has(Flags::ENDING) && result.is_ok() {
            self.end_now(token);
        }
        self.update_interest(token);
        Some(Event::Sent {
            token,
            buf: *buf,
            result,
        })
    }

    /// Keeps what the kernel has not taken. A level-triggered poller reports room again as long as there is some; an
    /// edge-triggered one is silent until EAGAIN, so there the bit stays and the socket queues for the next turn. So
    /// does one that was taken from its poller.
    fn wait_for_room(&mut self, token: Token, buf: Box<SendBuf>, progress: Progress) {
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        slot.send = Some(buf);
        let asks_nobody = L::EDGE || slot.flags.has(Flags::DETACHED);
        if progress == Progress::NextTurn && asks_nobody {
            slot.flags.set(Flags::WRITABLE);
            self.enqueue(token);
        } else {
            slot.flags.clear(Flags::WRITABLE);
        }
    }

    /// FIN behind what the kernel has taken so far.
    pub(super) fn end_now(&mut self, token: Token) {
        let fd = self.slots.open(token).and_then(|slot| slot.fd.as_ref());
        let Some(fd) = fd else { return };
        if let Err(error) = sys::shutdown(&mut self.probe, fd.as_fd(), How::Write) {
            self.queued.push_back(Event::Failed {
                token,
                op: Op::Shutdown,
                error,
            });
        }
    }
}

/// Sends the bytes until they are gone or the kernel takes no more, then one piece of the file.
#[inline]
fn send_some<L: Poller, P: Probe>(
    probe: &mut P,
    fd: BorrowedFd<'_>,
    buf: &mut SendBuf,
) -> io::Result<Progress> {
    if buf.bytes_left() > 0 || buf.file_left().is_none() {
        match send_bytes::<L, P>(probe, fd, buf)? {
            Progress::Done => {}
            progress => return Ok(progress),
        }
    }
    let Some(slice) = buf.file_left() else {
        return Ok(Progress::Done);
    };
    let Some(count) = send_file(probe, fd, slice)? else {
        return Ok(Progress::NoRoom);
    };
    buf.advance(count);
    Ok(match buf.remaining() {
        0 => Progress::Done,
        _ => Progress::NextTurn,
    })
}

/// Sends the byte parts. Answers `Done` or `NoRoom`.
///
/// After a short send a level-triggered poller is asked at once; an edge-triggered one reports room only after EAGAIN.
#[inline]
fn send_bytes<L: Poller, P: Probe>(
    probe: &mut P,
    fd: BorrowedFd<'_>,
    buf: &mut SendBuf,
) -> io::Result<Progress> {
    loop {
        let sent = match (buf.single(), buf.file_left()) {
            (Some(bytes), None) => sys::send(probe, fd, bytes),
            (Some(bytes), Some(_)) => sys::send_more(probe, fd, bytes),
            (None, _) => send_parts(probe, fd, buf),
        };
        match sent {
            Ok(count) => buf.advance(count),
            Err(error) if sys::stream_error(&error) == StreamError::NotReady => {
                return Ok(Progress::NoRoom);
            }
            Err(error) => return Err(error),
        }
        if buf.bytes_left() == 0 {
            return Ok(Progress::Done);
        }
        if !L::EDGE {
            return Ok(Progress::NoRoom);
        }
    }
}

fn send_parts<P: Probe>(probe: &mut P, fd: BorrowedFd<'_>, buf: &SendBuf) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); PARTS_MAX];
    let mut count = 0;
    for (slice, piece) in slices.iter_mut().zip(buf.pieces()) {
        *slice = IoSlice::new(piece);
        count += 1;
    }
    match buf.file_left() {
        None => sys::sendmsg(probe, fd, &slices[..count]),
        Some(_) => sys::sendmsg_more(probe, fd, &slices[..count]),
    }
}

/// Sends one piece of a file; `None` if the socket is full.
///
/// # Errors
/// `UnexpectedEof` if the file ends before the slice does: somebody was promised those bytes.
fn send_file<P: Probe>(
    probe: &mut P,
    fd: BorrowedFd<'_>,
    slice: &FileSlice,
) -> io::Result<Option<usize>> {
    let wanted = slice.wanted(FILE_TURN_BYTES);
    match sys::sendfile(probe, fd, slice.file.as_fd(), slice.range.start, wanted) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(Some(count)),
        Err(error) if sys::stream_error(&error) == StreamError::NotReady => Ok(None),
        Err(error) => Err(error),
    }
}
