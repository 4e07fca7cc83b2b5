//! The record of each socket: 24 bytes, in segments that never move.

use super::poller::Interest;
use crate::buf::{SendBuf, Slab};
use crate::driver::Token;
use crate::sys::ToldFd;

/// What is known of a socket, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    /// The reactor wants to receive.
    pub(super) const READING: Self = Self(1);
    /// The poller said that a receive would not block.
    pub(super) const READABLE: Self = Self(1 << 1);
    /// The poller said that a send would not block.
    pub(super) const WRITABLE: Self = Self(1 << 2);
    /// The poller said that the connection is reset, or finished both ways.
    pub(super) const HUNG_UP: Self = Self(1 << 3);
    /// In the queue of ready sockets.
    pub(super) const QUEUED: Self = Self(1 << 4);
    /// connect(2) has not answered yet.
    pub(super) const CONNECTING: Self = Self(1 << 5);
    /// The peer's FIN was taken.
    pub(super) const ENDED: Self = Self(1 << 6);
    /// FIN is to follow the send in flight.
    pub(super) const ENDING: Self = Self(1 << 7);
    /// Closed; `Closed` has not been taken.
    pub(super) const CLOSING: Self = Self(1 << 8);
    /// Receives datagrams.
    pub(super) const DATAGRAM: Self = Self(1 << 9);
    /// Taken from the poller, which had only one thing left to say and would have repeated it for ever.
    pub(super) const DETACHED: Self = Self(1 << 10);
    /// Came from outside: somebody may hold the same socket under another descriptor.
    pub(super) const FOREIGN: Self = Self(1 << 11);

    /// The poller has not been told of it yet.
    pub(super) const LATE: Self = Self(1 << 12);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// Whether it receives, and nothing else is known of it.
    #[inline]
    pub(super) fn only_reads(self) -> bool {
        self == Self::READING
    }

    #[inline]
    pub(super) fn set(&mut self, flag: Self) {
        self.0 |= flag.0;
    }

    #[inline]
    pub(super) fn set_if(&mut self, flag: Self, condition: bool) {
        if condition {
            self.set(flag);
        }
    }

    #[inline]
    pub(super) fn clear(&mut self, flag: Self) {
        self.0 &= !flag.0;
    }
}

/// One socket, or the place of one.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) fd: Option<ToldFd>,
    generation: u32,
    /// Boxed, because it exists only while a peer does not read as fast as we write.
    pub(super) send: Option<Box<SendBuf>>,
    pub(super) flags: Flags,
    /// What the poller was last told.
    pub(super) registered: Interest,
}

const _: () = assert!(
    size_of::<Slot>() <= 24,
    "the record of an idle socket stays small"
);

impl Default for Slot {
    fn default() -> Self {
        Self {
            fd: None,
            generation: 0,
            send: None,
            flags: Flags::default(),
            registered: Interest::NONE,
        }
    }
}

impl Slot {
    /// Whether it is nobody's.
    fn is_vacant(&self) -> bool {
        self.fd.is_none() && self.flags == Flags::default()
    }

    /// What the poller has to watch.
    pub(super) fn interest(&self) -> Interest {
        Interest {
            read: self.flags.has(Flags::READING) && !self.flags.has(Flags::ENDED),
            write: self.send.is_some() || self.flags.has(Flags::CONNECTING),
        }
    }
}

/// All sockets of a driver by index.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slab: Slab<Slot>,
    free: Vec<u32>,
    /// The first index that was never used, or was forgotten.
    fresh: u32,
    /// The newest generation of all slots that were given back: those in their place begin with it, so that no stale token
    /// matches.
    oldest: u32,
    /// How many slots are in use, closing ones included.
    live: u32,
}

impl Slots {
    /// The name that the next socket will have. It is taken by [`occupy`](Self::occupy).
    pub(super) fn vacant(&mut self) -> Token {
        let index = self.free.last().copied().unwrap_or(self.fresh);
        let generation = self.oldest;
        self.slab.reach_with(index, || Slot {
            generation,
            ..Slot::default()
        });
        Token {
            index,
            generation: self.slab.at(index).map_or(0, |slot| slot.generation),
        }
    }

    /// Puts a socket where [`vacant`](Self::vacant) said.
    pub(super) fn occupy(&mut self, token: Token, fd: ToldFd, flags: Flags, registered: Interest) {
        if self.free.last() == Some(&token.index) {
            self.free.pop();
        } else {
            debug_assert_eq!(
                self.fresh, token.index,
                "a token is used right after it was made"
            );
            self.fresh += 1;
        }
        self.live += 1;
        if let Some(slot) = self.slab.at_mut(token.index) {
            *slot = Slot {
                fd: Some(fd),
                generation: token.generation,
                send: None,
                flags,
                registered,
            };
        }
    }

    /// The slot of an open socket; `None` for a stale token or one that was closed.
    #[inline]
    pub(super) fn open(&self, token: Token) -> Option<&Slot> {
        self.slab
            .at(token.index)
            .filter(|slot| slot.generation == token.generation && slot.fd.is_some())
    }

    /// The slot of an open socket; `None` for a stale token or one that was closed.
    #[inline]
    pub(super) fn open_mut(&mut self, token: Token) -> Option<&mut Slot> {
        self.slab
            .at_mut(token.index)
            .filter(|slot| slot.generation == token.generation && slot.fd.is_some())
    }

    /// Makes the index of a closed socket usable again, under the next generation.
    pub(super) fn free(&mut self, token: Token) {
        let Some(slot) = self.slab.at_mut(token.index) else {
            return;
        };
        debug_assert!(
            slot.flags.has(Flags::CLOSING) && slot.generation == token.generation,
            "freed once, after close"
        );
        slot.flags = Flags::default();
        slot.generation = Token::next_generation(slot.generation);
        self.free.push(token.index);
        self.live -= 1;
    }

    /// Gives back the memory of slots that nobody uses, a thousand at a time. From then on the lowest indices are used
    /// first, so that more of it falls free.
    pub(super) fn give_back(&mut self) {
        let oldest = &mut self.oldest;
        self.slab.give_back(|slots| {
            let newest = slots.iter().map(|slot| slot.generation).max().unwrap_or(0);
            let idle = Token::may_forget(newest) && slots.iter().all(Slot::is_vacant);
            if idle {
                *oldest = newest.max(*oldest);
            }
            idle
        });
        let end = u32::try_from(self.slab.len()).unwrap_or(u32::MAX);
        self.fresh = self.fresh.min(end);
        self.free.retain(|index| *index < end);
        self.free.sort_unstable_by(|one, other| other.cmp(one));
        self.free.shrink_to_fit();
    }

    /// How many slots are in use.
    pub(super) fn live(&self) -> u32 {
        self.live
    }
}

#[cfg(test)]
mod tests;
