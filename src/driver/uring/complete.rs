//! Working off completions.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use super::ring::Completion;
use super::send::Sending;
use super::slots::{Flags, State};
use super::{Address, Aside, Event, Lend, Op, Probe, Token, Uring, op};
use crate::buf::{FileSlice, SendBuf};
use crate::sys::ToldFile;

/// An event shows at most this many bytes, as it does on a poller. The kernel may bring a whole buffer at once, which is
/// longer, and what is joined to it comes on top.
const LEND_BYTES_MAX: usize = 64 * 1024;

/// What came of a completion.
pub(super) enum Outcome {
    Nothing,
    Event(Event<'static>),
    /// Bytes lie in the lend.
    Received,
    Datagram {
        socket: Token,
        from: Address,
        truncated: bool,
        range: Range<usize>,
    },
}

/// A file read in flight.
pub(super) struct Reading {
    buf: Vec<u8>,
    /// Keeps the descriptor open.
    _file: ToldFile,
}

impl<P: Probe> Uring<P> {
    /// Turns one completion into what it means for its connection.
    pub(super) fn complete(&mut self, completion: Completion) -> Outcome {
        let (operation, token) = Token::unpack(completion.user_data);
        if operation == op::NOBODY {
            return Outcome::Nothing;
        }
        if !completion.more() {
            self.in_flight -= 1;
        }
        match operation {
            op::WAKE => {
                self.arm_waker();
                return Outcome::Event(Event::Woken);
            }
            op::ACCEPT => return self.accepted(token, completion),
            op::SEND_TO => return self.sent_datagram(token, completion),
            op::DATAGRAM => return self.received_datagram(token, completion),
            _ => {}
        }
        let Some(slot) = self.slots.known(token) else {
            // Cannot happen while slots outlive their operations; the buffer must not be lost even so.
            debug_assert!(false, "a completion for a slot that is gone");
            self.discard(completion);
            return Outcome::Nothing;
        };
        if !completion.more() {
            slot.in_flight -= 1;
        }
        match slot.state {
            State::Draining => self.drained(token, operation, completion),
            State::Closing => {
                let unsent = self.take_unsent(token);
                Outcome::Event(Event::Closed { token, unsent })
            }
            _ => match operation {
                op::RECEIVE => self.received(token, completion),
                op::SEND | op::STAGE => self.sent(token, operation, completion),
                op::CONNECT => self.connected(token, completion),
                op::WATCH => self.watched(token, completion),
                op::PEER => self.peer_name(token, completion),
                op::READ_FILE => self.file_read(token, completion),
                op::SHUTDOWN => match completion.outcome() {
                    Ok(_) => Outcome::Nothing,
                    Err(error) => Outcome::Event(Event::Failed {
                        token,
                        op: Op::Shutdown,
                        error,
                    }),
                },
                _ => Outcome::Nothing,
            },
        }
    }

    /// Gives back the buffer of a completion that nobody wants.
    pub(super) fn discard(&mut self, completion: Completion) {
        if let Some(buffer) = completion.buffer() {
            let more = completion.buffer_more();
            let len = completion.outcome().unwrap_or(0);
            self.buffers.received(buffer, len, more);
            if !more {
                self.buffers.give_back(buffer);
            }
        }
    }

    fn received(&mut self, token: Token, completion: Completion) -> Outcome {
        let Some(slot) = self.slots.open(token) else {
            return Outcome::Nothing;
        };
        if !completion.more() {
            slot.flags.clear(Flags::ARMED);
            slot.flags.clear(Flags::CANCELLING);
        }
        if slot.flags.has(Flags::ENDED) {
            // The pause's watch was faster and has told of the reset.
            self.discard(completion);
            return Outcome::Nothing;
        }
        match completion.outcome() {
            Ok(0) => {
                slot.flags.set(Flags::ENDED);
                self.discard(completion);
                Outcome::Event(Event::Ended { token })
            }
            Ok(count) => {
                slot.flags.set(Flags::STAYS);
                if !completion.more() {
                    self.receive_again(token);
                }
                let Some(buffer) = completion.buffer() else {
                    return Outcome::Nothing;
                };
                let more = completion.buffer_more();
                let rest = self.buffers.received(buffer, count, more);
                self.tell_lent(completion.user_data, rest.clone());
                self.lend = Some(Lend {
                    token,
                    rest,
                    buffers: buffer..buffer + u16::from(!more),
                });
                self.gather(completion.user_data);
                Outcome::Received
            }
            Err(error) => {
                self.discard(completion);
                self.receive_failed(token, error)
            }
        }
    }

    /// Joins to the lend what the same receive brought next, if it lies right behind in the memory: so a message that took
    /// several buffers is seen whole, and answered at once. Stops when the next event is full.
    fn gather(&mut self, receive: u64) {
        while let Some(lend) = self.lend.as_mut() {
            if lend.rest.len() >= LEND_BYTES_MAX {
                return;
            }
            let buffers = &self.buffers;
            let next = self.ring.next_if(&mut self.probe, |next| {
                // The last one of a receive has more to say than its bytes.
                let comes = next.user_data == receive && next.more() && next.result > 0;
                comes
                    && next
                        .buffer()
                        .is_some_and(|buffer| buffers.end(buffer) == lend.rest.end)
            });
            let Some((next, buffer)) = next.and_then(|next| Some((next, next.buffer()?))) else {
                return;
            };
            let more = next.buffer_more();
            let range = self.buffers.received(buffer, next.result as usize, more);
            lend.rest.end = range.end;
            lend.buffers.end = buffer + u16::from(!more);
            self.tell_lent(receive, range);
        }
    }

    /// Shows a probe what a receive has brought.
    fn tell_lent(&mut self, user_data: u64, range: Range<usize>) {
        if P::ACTIVE {
            let bytes = self.buffers.lend(range);
            self.probe.aside(&Aside::Lent { user_data, bytes });
        }
    }

    fn receive_failed(&mut self, token: Token, error: io::Error) -> Outcome {
        match error.raw_os_error() {
            // No buffer was left: nothing is lost, the bytes wait in the kernel. By the next wait buffers are back.
            Some(libc::ENOBUFS) => {
                self.receive_first(token);
                Outcome::Nothing
            }
            // Cancelled: by our own pause, which may have been taken back since.
            Some(libc::ECANCELED | libc::EINTR | libc::EAGAIN) => {
                self.receive_again(token);
                Outcome::Nothing
            }
            _ => {
                if let Some(slot) = self.slots.open(token) {
                    slot.flags.set(Flags::ENDED);
                }
                Outcome::Event(Event::Failed {
                    token,
                    op: Op::Receive,
                    error,
                })
            }
        }
    }

    fn sent(&mut self, token: Token, operation: u8, completion: Completion) -> Outcome {
        let Some(slot) = self.slots.open(token) else {
            return Outcome::Nothing;
        };
        let Some(mut sending) = slot.send.take() else {
            return Outcome::Nothing;
        };
        let result = sending.completed(operation, completion.outcome());
        if result.is_ok() && sending.buf.remaining() > 0 {
            self.go_on_sending(token, sending);
            return Outcome::Nothing;
        }
        if slot.flags.has(Flags::ENDING) && result.is_ok() {
            self.end_now(token);
        }
        Outcome::Event(Event::Sent {
            token,
            buf: sending.finish(&mut self.stages),
            result,
        })
    }

    /// Submits a send of `bytes` now, behind whatever waits, and gives its buffer back if the socket took all of it.
    pub(super) fn sent_at_once(&mut self, token: Token, bytes: usize) -> Option<SendBuf> {
        self.ring.submit(&mut self.probe);
        let send = token.pack(op::SEND);
        self.ring.take_last(&mut self.probe, |last| {
            last.user_data == send && last.outcome().is_ok_and(|count| count == bytes)
        })?;
        self.in_flight -= 1;
        let slot = self.slots.open(token)?;
        slot.in_flight -= 1;
        let mut sending = slot.send.take()?;
        sending.took(bytes);
        Some(sending.finish(&mut self.stages))
    }

    /// Submits the next operation of a send.
    pub(super) fn go_on_sending(&mut self, token: Token, mut sending: Box<Sending>) {
        let target = self.slots.target(token);
        let Some(slot) = self.slots.open(token) else {
            debug_assert!(false, "whoever sends has asked whether the socket is open");
            return;
        };
        let (operation, entry) = sending.next(&mut self.probe, &mut self.stages, target);
        slot.send = Some(sending);
        // SAFETY: the buffer, its header, the stage and the file that is read belong to the slot, on the heap, until the
        // completion was taken; kept true by `sent` and, for a closed socket, by `drained`.
        unsafe { self.submit(token, operation, entry) };
    }

    /// What comes back of a send whose socket was closed, when nothing of it is in flight any more.
    pub(super) fn take_unsent(&mut self, token: Token) -> Option<SendBuf> {
        let sending = self.slots.known(token)?.send.take()?;
        Some(sending.finish(&mut self.stages))
    }

    fn connected(&mut self, token: Token, completion: Completion) -> Outcome {
        self.connecting.remove(&token.index);
        match completion.outcome() {
            Ok(_) => {
                if let Some(slot) = self.slots.open(token) {
                    slot.state = State::Open;
                }
                self.receive_again(token);
                Outcome::Event(Event::Connected { token })
            }
            Err(error) => Outcome::Event(Event::Failed {
                token,
                op: Op::Connect,
                error,
            }),
        }
    }

    pub(super) fn start_read(&mut self, token: Token, file: FileSlice, mut buf: Vec<u8>) {
        if self.slots.open(token).is_none() {
            return;
        }
        let wanted = self.probe.shorten(file.wanted(buf.capacity()));
        buf.resize(wanted, 0);
        let entry = op::read(
            file.file.as_raw_fd(),
            buf.as_mut_ptr(),
            wanted as u32,
            file.range.start,
        );
        let before = self.reads.insert(
            token.index,
            Reading {
                buf,
                _file: file.file,
            },
        );
        assert!(
            before.is_none(),
            "at most one file read is in flight per connection"
        );
        // SAFETY: the buffer's heap memory and the file stay in `reads` until the completion was taken.
        unsafe { self.submit(token, op::READ_FILE, entry) };
    }

    fn file_read(&mut self, token: Token, completion: Completion) -> Outcome {
        let Some(Reading { mut buf, .. }) = self.reads.remove(&token.index) else {
            return Outcome::Nothing;
        };
        let result = completion.outcome();
        buf.truncate(*result.as_ref().unwrap_or(&0));
        Outcome::Event(Event::FileRead {
            token,
            buf,
            result: result.map(drop),
        })
    }

    /// The next bytes of the last receive: as many as an event may show, or fewer if a probe splits lends.
    pub(super) fn next_of_lend(&mut self) -> Option<(Token, Range<usize>)> {
        let token = self.lend.as_ref()?.token;
        let open = self.slots.open(token).is_some();
        let lend = self.lend.as_mut()?;
        if lend.rest.is_empty() || !open {
            self.return_lend();
            return None;
        }
        let most = lend.rest.len().min(LEND_BYTES_MAX);
        let len = self.probe.shorten(most).clamp(1, most);
        let range = lend.rest.start..lend.rest.start + len;
        lend.rest.start += len;
        Some((token, range))
    }

    /// Lets the kernel have the buffers back that ended in what the last event showed.
    pub(super) fn return_lend(&mut self) {
        if let Some(lend) = self.lend.take() {
            for buffer in lend.buffers {
                self.buffers.give_back(buffer);
            }
        }
        if let Some(datagrams) = self.datagrams.as_mut() {
            datagrams.return_lend();
        }
    }
}
