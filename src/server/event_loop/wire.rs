//! A connection, as its protocol sees it during one call.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::{ConnectionId, Errands};
use crate::buf::FileSlice;
use crate::conn::{Io, ticks};

/// What the deadline of a connection is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Deadline {
    /// Silence of both sides.
    #[default]
    Idle,
    /// The protocol's own.
    Own,
    /// None.
    Off,
}

/// What the loop has to remember of a connection's wishes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reins {
    pub(super) deadline: Deadline,
    /// The protocol wants no input.
    pub(super) held: bool,
    /// The protocol panicked in a call that could not reset the connection.
    pub(super) broken: bool,
}

/// A connection during one call of its [`Protocol`](super::Protocol).
pub struct Wire<'w, 'i> {
    io: &'w mut Io<'i>,
    errands: &'w mut Errands,
    reins: &'w mut Reins,
    /// How much had been said in this dispatch when nothing more was to be.
    ended_at: Option<usize>,
}

impl<'w, 'i> Wire<'w, 'i> {
    pub(super) fn new(io: &'w mut Io<'i>, errands: &'w mut Errands, reins: &'w mut Reins) -> Self {
        let ended_at = io.is_half_closed().then(|| io.said());
        Self {
            io,
            errands,
            reins,
            ended_at,
        }
    }

    /// Behind how much of what was said in this dispatch nothing may be said.
    pub(super) fn ended_at(&self) -> Option<usize> {
        self.ended_at
    }

    /// Names the connection, for other calls and other threads. Never used again for another one.
    pub fn id(&self) -> ConnectionId {
        ConnectionId(self.io.token)
    }

    /// Sends bytes. All that is said in one call leaves in one send, when the call returns.
    ///
    /// What the peer does not take is kept, up to [`Limits::outbox_bytes_max`](crate::Limits::outbox_bytes_max) (1 MiB; one
    /// call's bytes may be more). Beyond it, the peer is disconnected: who says much looks at
    /// [`is_blocked`](Self::is_blocked) and asks for [room](Self::await_room). After [`end_output`](Self::end_output)
    /// nothing is sent.
    #[inline]
    pub fn say(&mut self, bytes: &[u8]) {
        self.io.out().extend_from_slice(bytes);
    }

    /// Where to write what shall be sent, for encoders that append to a vector: as [`say`](Self::say). It may hold what
    /// was said before; that must stay.
    #[inline]
    pub fn out(&mut self) -> &mut Vec<u8> {
        self.io.out()
    }

    /// Sends bytes that many connections send, without a copy for each. Up to 4 KiB are copied even so, which costs less.
    pub fn say_shared(&mut self, bytes: &Arc<[u8]>) {
        if !self.io.is_half_closed() {
            self.io.send_shared(bytes);
        }
    }

    /// Sends a part of a file behind what was said: with sendfile(2) on epoll and mio, through 64 KiB of memory on
    /// io_uring. A file that ends before the part does ends the connection.
    pub fn say_file(&mut self, file: &Arc<File>, part: Range<u64>) {
        if !self.io.is_half_closed() {
            self.io.send_file(FileSlice::new(file.clone(), part));
        }
    }

    /// How many bytes wait to be sent, those of this call included.
    pub fn waiting_bytes(&self) -> usize {
        self.io.waiting_bytes()
    }

    /// Whether more than [`Limits::outbox_high_bytes`](crate::Limits::outbox_high_bytes) (64 KiB) wait, so that no more work
    /// should be begun. Input that is left unread then is offered again when `outbox_low_bytes` (16 KiB) or fewer wait.
    pub fn is_blocked(&self) -> bool {
        self.io.is_blocked()
    }

    /// Whether it makes sense to read another unit: input is not [held](Self::hold_input), the peer is not
    /// [blocked](Self::is_blocked), the connection is [open](Self::is_open). To be asked between the units of one call; what
    /// is left unread is offered again when that has changed, or forgotten behind the end.
    #[inline]
    pub fn wants_input(&self) -> bool {
        !self.io.wants_no_input()
    }

    /// Wants [`Protocol::writable`](super::Protocol::writable) to be called, once, when `outbox_low_bytes` (16 KiB) or fewer
    /// wait: at the end of this call, if that is so by then.
    pub fn await_room(&mut self) {
        self.io.produce();
    }

    /// Wants no input until [`release_input`](Self::release_input). What comes meanwhile stays with the peer, but for what
    /// has left the kernel already. The peer's end is told behind it.
    pub fn hold_input(&mut self) {
        self.reins.held = true;
        self.io.hold_input();
    }

    /// Wants input again.
    pub fn release_input(&mut self) {
        self.reins.held = false;
        self.io.release_input();
    }

    /// Ends the connection in good order: sends what waits, then FIN, then forgets what the peer still sends for at most
    /// [`Limits::linger_timeout`](crate::Limits::linger_timeout), then closes. No input is offered any more.
    pub fn finish(&mut self) {
        self.io.finish();
    }

    /// Says nothing more, and goes on listening: sends what waits, then FIN (shutdown(2), `SHUT_WR`). The connection stays
    /// until [`finish`](Self::finish), which the default of [`Protocol::ended`](super::Protocol::ended) calls.
    pub fn end_output(&mut self) {
        self.io.half_close();
        self.ended_at.get_or_insert(self.io.said());
    }

    /// Ends the connection at once, with an RST: what waits is lost, and the peer learns that it did not hear everything.
    pub fn reset(&mut self) {
        self.io.reset();
    }

    /// Whether the connection still takes part: neither finished nor reset.
    pub fn is_open(&self) -> bool {
        self.io.is_open()
    }

    /// Whether the loop is stopping.
    pub fn is_stopping(&self) -> bool {
        self.io.shared.stopping
    }

    /// Wants [`Protocol::expired`](super::Protocol::expired) to be called after `time`, unless another time is set before. It
    /// takes the place of the idle timeout, until it has passed. Never early, up to 100 ms late.
    pub fn expire_in(&mut self, time: Duration) {
        self.reins.deadline = Deadline::Own;
        self.io.expire_in(ticks(time));
    }

    /// Wants no deadline at all, not even the idle timeout. A peer that has gone without a FIN is then noticed only by what
    /// is said to it.
    pub fn never_expire(&mut self) {
        self.reins.deadline = Deadline::Off;
        self.io.never_expire();
    }

    /// Wants the idle timeout again, from now on: silence of both sides for
    /// [`Limits::idle_timeout`](crate::Limits::idle_timeout) (75 s). It is what every connection begins with.
    pub fn expire_when_idle(&mut self) {
        self.reins.deadline = Deadline::Idle;
        self.io.expire_in(self.io.shared.timeouts.idle);
    }

    /// Asks who the peer is: one system call or ring operation. Answered by [`Protocol::peer`](super::Protocol::peer). To
    /// know it before the first byte, hold the input until then.
    pub fn ask_peer(&mut self) {
        self.errands.ask_peer(self.io.token);
    }

    /// What is to be done elsewhere.
    pub fn errands(&mut self) -> &mut Errands {
        self.errands
    }
}
