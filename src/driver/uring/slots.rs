//! The record of each socket of a ring: 24 bytes.
//!
//! The index of a direct descriptor in the ring's table is also the index of its slot, since the kernel chooses it.
//! Sockets that came from outside (`connect`, `adopt`) keep their descriptors, and their slots lie behind the table.

use std::os::fd::AsRawFd;

use super::op::Target;
use super::send::Sending;
use crate::buf::Slab;
use crate::driver::Token;
use crate::sys::ToldFd;

/// Where a socket stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody.
    #[default]
    Vacant,
    /// connect(2) is in flight.
    Connecting,
    /// In use.
    Open,
    /// The reactor closed it; operations are in flight, and their memory must stay.
    Draining,
    /// close(2) is in flight.
    Closing,
}

/// What is known of a socket, as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u16);

impl Flags {
    /// The reactor wants to receive.
    pub(super) const READING: Self = Self(1);
    /// A receive is in flight.
    pub(super) const ARMED: Self = Self(1 << 1);
    /// The receive in flight is being cancelled.
    pub(super) const CANCELLING: Self = Self(1 << 2);
    /// The peer's FIN, or a receive error, was taken.
    pub(super) const ENDED: Self = Self(1 << 3);
    /// The first receive has completed: the peer stays, so multishot pays from now on.
    pub(super) const STAYS: Self = Self(1 << 4);
    /// In the list of sockets to receive on again.
    pub(super) const QUEUED: Self = Self(1 << 5);
    /// Receives datagrams.
    pub(super) const DATAGRAM: Self = Self(1 << 6);
    /// FIN is to follow the send in flight.
    pub(super) const ENDING: Self = Self(1 << 7);
    /// A poll for a reset is in flight.
    pub(super) const WATCHED: Self = Self(1 << 8);
    /// The poll in flight is being cancelled.
    pub(super) const UNWATCHING: Self = Self(1 << 9);
    /// A poll has nothing to tell that was not told, and would repeat it for ever.
    pub(super) const UNWATCHABLE: Self = Self(1 << 10);

    /// Its first request is behind it: whether it goes with the answer was waited for, one turn long.
    pub(super) const KNOWN: Self = Self(1 << 11);

    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn set(&mut self, flag: Self) {
        self.0 |= flag.0;
    }

    pub(super) fn clear(&mut self, flag: Self) {
        self.0 &= !flag.0;
    }
}

/// One socket, or the place of one.
#[derive(Default)]
pub(super) struct Slot {
    generation: u32,
    pub(super) fd: Option<ToldFd>,
    /// The buffer of the send in flight.
    pub(super) send: Option<Box<Sending>>,
    /// How many operations the kernel has not finished.
    pub(super) in_flight: u16,
    pub(super) state: State,
    pub(super) flags: Flags,
}

const _: () = assert!(
    size_of::<Slot>() <= 24,
    "the record of an idle socket stays small"
);

/// All sockets of a ring by index.
pub(super) struct Slots {
    slab: Slab<Slot>,
    /// Indexes below this are direct descriptors.
    pub(super) table: u32,
    free_plain: Vec<u32>,
    fresh_plain: u32,
    /// The newest generation of all slots that were given back: those in their place begin with it, so that no stale token
    /// matches.
    oldest: u32,
    /// How many direct descriptors are in use, closing ones included.
    pub(super) direct_live: u32,
}

impl Slots {
    pub(super) fn new(table: u32) -> Self {
        Self {
            slab: Slab::default(),
            table,
            free_plain: Vec::new(),
            fresh_plain: table,
            oldest: 0,
            direct_live: 0,
        }
    }

    /// How many sockets there are, closing ones included.
    pub(super) fn live(&self) -> u32 {
        let plain = self.fresh_plain - self.table - self.free_plain.len() as u32;
        self.direct_live + plain
    }

    /// Takes the slot of a direct descriptor that the kernel has just filled.
    pub(super) fn occupy_direct(&mut self, index: u32) -> Token {
        self.direct_live += 1;
        self.occupy(index, None, State::Open)
    }

    /// Takes a slot for a descriptor of the process.
    pub(super) fn occupy_plain(&mut self, fd: ToldFd, state: State) -> Token {
        let index = self.free_plain.pop().unwrap_or_else(|| {
            self.fresh_plain += 1;
            self.fresh_plain - 1
        });
        self.occupy(index, Some(fd), state)
    }

    fn occupy(&mut self, index: u32, fd: Option<ToldFd>, state: State) -> Token {
        let mut generation = self.oldest;
        self.slab.reach_with(index, || Slot {
            generation,
            ..Slot::default()
        });
        if let Some(slot) = self.slab.at_mut(index) {
            debug_assert_eq!(
                slot.state,
                State::Vacant,
                "an index is not used again before its Closed was taken"
            );
            generation = slot.generation;
            let mut flags = Flags::default();
            flags.set(Flags::READING);
            *slot = Slot {
                generation,
                fd,
                send: None,
                in_flight: 0,
                state,
                flags,
            };
        }
        Token { index, generation }
    }

    /// The slot of a token that is not stale, in whatever state.
    pub(super) fn known(&mut self, token: Token) -> Option<&mut Slot> {
        self.slab
            .at_mut(token.index)
            .filter(|slot| slot.generation == token.generation && slot.state != State::Vacant)
    }

    /// The slot of a socket that the reactor may use.
    pub(super) fn open(&mut self, token: Token) -> Option<&mut Slot> {
        self.known(token)
            .filter(|slot| matches!(slot.state, State::Open | State::Connecting))
    }

    /// As [`open`](Self::open), to look only.
    pub(super) fn peek(&self, token: Token) -> Option<&Slot> {
        self.slab
            .at(token.index)
            .filter(|slot| slot.generation == token.generation && slot.state != State::Vacant)
    }

    /// The ring's name for a socket.
    pub(super) fn target(&self, token: Token) -> Target {
        match self.slab.at(token.index).and_then(|slot| slot.fd.as_ref()) {
            Some(fd) => Target::Plain(fd.as_raw_fd()),
            None => Target::Fixed(token.index),
        }
    }

    /// Gives back the memory of slots that nobody uses, a thousand at a time.
    pub(super) fn give_back(&mut self) {
        let oldest = &mut self.oldest;
        self.slab.give_back(|slots| {
            let newest = slots.iter().map(|slot| slot.generation).max().unwrap_or(0);
            let vacant = |slot: &Slot| slot.state == State::Vacant;
            let idle = Token::may_forget(newest) && slots.iter().all(vacant);
            if idle {
                *oldest = newest.max(*oldest);
            }
            idle
        });
    }

    /// Makes an index usable again, under the next generation.
    pub(super) fn free(&mut self, token: Token) {
        if let Some(slot) = self.known(token) {
            let generation = Token::next_generation(slot.generation);
            *slot = Slot {
                generation,
                ..Slot::default()
            };
            if token.index >= self.table {
                self.free_plain.push(token.index);
            } else {
                self.direct_live -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
