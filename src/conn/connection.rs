//! Brings bytes to the service: straight from the lend where possible, through the inbox where not.

use super::Service;
use super::io::{Io, Shared};
use super::stream::{Flags, Life, Stream};
use crate::buf::{Input, Part, SendBuf};
use crate::driver::Token;
use crate::events;

/// A stream and what its service keeps of it.
pub(crate) struct Connection<T> {
    pub(crate) stream: Stream,
    pub(crate) state: T,
}

/// What the dispatches of one turn share.
pub(crate) struct Dispatch<'a> {
    pub(crate) cork: &'a mut Vec<u8>,
    pub(crate) shared: &'a mut Shared,
    pub(crate) token: Token,
}

impl<T> Connection<T> {
    /// Calls the service with everything but the stream's own state.
    fn dispatch<R>(
        &mut self,
        turn: &mut Dispatch<'_>,
        call: impl FnOnce(&mut T, &mut Io<'_>) -> R,
    ) -> R {
        let mut io = Io::new(&mut self.stream, turn.cork, turn.shared, turn.token);
        call(&mut self.state, &mut io)
    }

    /// Bytes have come from the peer.
    #[inline]
    pub(crate) fn received<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        bytes: &mut [u8],
        turn: &mut Dispatch<'_>,
    ) {
        if self.stream.life != Life::Open {
            self.forget(bytes.len(), turn);
            return;
        }
        let bytes = self.stream.transport.received(bytes);
        if self.stream.flags.has(Flags::WAITING) {
            // It was on its way when receiving was paused.
            turn.shared.busy(&mut self.stream).inbox.append(bytes);
            return;
        }
        let mut rest = bytes;
        if self.stream.inbox_len() > 0 {
            rest = self.complete_stored(service, rest, turn);
            if rest.is_empty() || self.stream.life != Life::Open {
                self.forget(rest.len(), turn);
                return;
            }
        }
        let mut input = Input::new(rest);
        self.dispatch(turn, |state, io| service.received(state, &mut input, io));
        self.keep(input.take_all(), turn);
    }

    /// Adds to the inbox what completes its first unit, and offers that. Gives back the bytes that can be read where
    /// they lie.
    fn complete_stored<'b, S: Service<State = T>>(
        &mut self,
        service: &mut S,
        fresh: &'b mut [u8],
        turn: &mut Dispatch<'_>,
    ) -> &'b mut [u8] {
        let mut rest = fresh;
        while !rest.is_empty() && self.stream.inbox_len() > 0 && self.stream.life == Life::Open {
            let busy = turn.shared.busy(&mut self.stream);
            let count = service
                .missing(&mut self.state, busy.inbox.as_slice(), rest)
                .clamp(1, rest.len());
            let (completing, behind) = rest.split_at_mut(count);
            busy.inbox.append(completing);
            rest = behind;
            self.offer_inbox(service, !rest.is_empty(), turn);
            if self.stream.flags.has(Flags::WAITING) {
                turn.shared.busy(&mut self.stream).inbox.append(rest);
                return &mut [];
            }
        }
        rest
    }

    /// Offers everything that is kept.
    fn offer_inbox<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        more_follows: bool,
        turn: &mut Dispatch<'_>,
    ) {
        let Some(busy) = self.stream.busy.as_mut() else {
            return;
        };
        // Taken out for the call: the service may queue output in the same box.
        let mut inbox = std::mem::take(&mut busy.inbox);
        let mut input = Input::new(inbox.as_mut_slice());
        self.dispatch(turn, |state, io| {
            io.more_follows = more_follows;
            service.received(state, &mut input, io);
        });
        // What stands behind the end of our interest is never read.
        let unread = if self.stream.life == Life::Open {
            input.len()
        } else {
            0
        };
        inbox.keep_last(unread);
        self.stream.flags.clear(Flags::WAITING);
        if unread > 0 {
            self.note_unread(turn);
        }
        turn.shared.busy(&mut self.stream).inbox = inbox;
    }

    /// Keeps what the service left unread.
    fn keep(&mut self, unread: &[u8], turn: &mut Dispatch<'_>) {
        if !unread.is_empty() && self.stream.life == Life::Open {
            turn.shared.busy(&mut self.stream).inbox.append(unread);
            self.note_unread(turn);
        }
    }

    /// Tells unread input that waits for the peer or the service from input that waits for its own rest.
    fn note_unread(&mut self, turn: &mut Dispatch<'_>) {
        if self.dispatch(turn, |_, io| io.wants_no_input()) {
            self.stream.flags.set(Flags::WAITING);
        }
    }

    /// Goes on when nothing is in the way any more: with what the service has to say, then with input that waited. True
    /// if the service was called.
    pub(crate) fn resume<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        turn: &mut Dispatch<'_>,
    ) -> bool {
        let stream = &self.stream;
        let limits = &turn.shared.limits;
        // The lower of the two, or reading would go on where the service has just stopped it.
        let low = limits.outbox_low_bytes.min(limits.outbox_high_bytes);
        if stream.life != Life::Open || stream.unsent() + turn.cork.len() > low {
            return false;
        }
        // Not while anything is queued behind the send in flight: one piece of any size may wait, but not two.
        if stream.flags.has(Flags::PRODUCES) && stream.outbox_len() > 0 {
            return false;
        }
        if stream.flags.has(Flags::PRODUCES) {
            self.dispatch(turn, |state, io| service.writable(state, io));
            return true;
        }
        if self.stream.flags.has(Flags::HELD) {
            return false;
        }
        if self.stream.flags.has(Flags::WAITING) {
            self.offer_inbox(service, false, turn);
            return true;
        }
        self.tell_end(service, turn)
    }

    /// The peer has sent its FIN.
    pub(crate) fn ended<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        turn: &mut Dispatch<'_>,
    ) {
        self.stream.flags.set(Flags::ENDED);
        match self.stream.life {
            Life::Open => {
                self.tell_end(service, turn);
            }
            // The peer has read our reply, or will not: nothing is left to wait for.
            Life::Lingering => self.stream.life = Life::Over,
            _ => {}
        }
    }

    /// Tells the service of the end, once, behind all input.
    fn tell_end<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        turn: &mut Dispatch<'_>,
    ) -> bool {
        let flags = self.stream.flags;
        if !flags.has(Flags::ENDED)
            || flags.has(Flags::END_TOLD)
            || flags.has(Flags::WAITING)
            || flags.has(Flags::HELD)
        {
            return false;
        }
        self.stream.flags.set(Flags::END_TOLD);
        let unfinished = self.stream.inbox_len() > 0;
        self.dispatch(turn, |state, io| service.ended(state, unfinished, io));
        true
    }

    /// Input after the end of our interest: counted, so that a peer cannot make us read for ever.
    fn forget(&mut self, count: usize, turn: &mut Dispatch<'_>) {
        if count > 0 {
            // It had said that nothing would come.
            self.stream.flags.clear(Flags::PEER_DONE);
        }
        if self.stream.life == Life::Lingering {
            self.stream.count = self.stream.count.saturating_add(count as u32);
            if self.stream.count > turn.shared.limits.linger_bytes_max {
                self.stream.life = Life::Over;
            }
        }
    }

    /// The service's deadline has passed.
    pub(crate) fn expired<S: Service<State = T>>(
        &mut self,
        service: &mut S,
        turn: &mut Dispatch<'_>,
    ) {
        self.stream.due = super::Tick::NEVER;
        match self.stream.life {
            Life::Open => self.dispatch(turn, |state, io| service.expired(state, io)),
            Life::Lingering => {
                events::timed_out(turn.token.index, "linger_timeout");
                self.stream.life = Life::Over;
            }
            _ => {}
        }
    }

    /// Calls the service for something that did not come from the peer.
    pub(crate) fn call<R>(
        &mut self,
        turn: &mut Dispatch<'_>,
        call: impl FnOnce(&mut T, &mut Io<'_>) -> R,
    ) -> R {
        self.dispatch(turn, call)
    }

    /// What was said in this dispatch is made ready to be sent.
    #[inline]
    pub(crate) fn seal(&mut self, turn: &mut Dispatch<'_>) {
        if !turn.cork.is_empty() {
            self.stream.transport.said(turn.cork);
        }
    }

    /// The same. True if there is something, and nothing waits in front of it: then it may leave from where it lies.
    #[inline]
    pub(crate) fn may_leave(&mut self, turn: &mut Dispatch<'_>) -> bool {
        self.seal(turn);
        !turn.cork.is_empty()
            && !self.stream.flags.has(Flags::IN_FLIGHT)
            && self.stream.outbox_len() == 0
            && !matches!(self.stream.life, Life::Over | Life::Closing)
    }

    /// What is to be sent now, if no send is in flight. What is left of what was said in this dispatch goes behind what
    /// waits.
    #[inline]
    pub(crate) fn next_send(&mut self, turn: &mut Dispatch<'_>) -> Option<SendBuf> {
        let in_flight = self.stream.flags.has(Flags::IN_FLIGHT);
        if !turn.cork.is_empty() {
            let said = std::mem::replace(turn.cork, turn.shared.pool.take());
            let fresh = Part::Pooled(said);
            if !in_flight && self.stream.outbox_len() == 0 {
                return Some(SendBuf::new(fresh));
            }
            turn.shared
                .busy(&mut self.stream)
                .outbox
                .push(fresh, &mut turn.shared.pool);
        }
        if in_flight {
            return None;
        }
        self.stream.busy.as_mut()?.outbox.take_send()
    }
}
