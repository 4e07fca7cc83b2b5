//! The record of each simulated socket.

use std::collections::VecDeque;

use super::link::Shared;
use crate::buf::SendBuf;
use crate::driver::Token;
use crate::sys::Address;

/// Where a socket stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody.
    #[default]
    Vacant,
    /// `Connected` has not been taken.
    Connecting,
    /// In use.
    Open,
    /// Closed; `Closed` has not been taken.
    Closing,
}

/// What a socket is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Stream(Shared),
    Datagram(Address),
}

/// One socket, or the place of one.
#[derive(Debug, Default)]
pub(super) struct Slot {
    generation: u32,
    pub(super) state: State,
    pub(super) kind: Option<Kind>,
    /// The reactor wants to receive.
    pub(super) reading: bool,
    /// FIN or a failure was told.
    pub(super) ended: bool,
    /// FIN is to follow the send in flight.
    pub(super) ending: bool,
    pub(super) send: Option<SendBuf>,
    /// How many turns the send in flight does nothing.
    pub(super) delay: usize,
    /// Lends that have left the kernel.
    pub(super) taken: VecDeque<Vec<u8>>,
}

impl Slot {
    /// The connection, if it is one.
    pub(super) fn link(&self) -> Option<&Shared> {
        match &self.kind {
            Some(Kind::Stream(link)) => Some(link),
            _ => None,
        }
    }
}

/// All sockets by index.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    pub(super) fn occupy(&mut self, kind: Kind, state: State) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        let generation = slot.generation;
        *slot = Slot {
            generation,
            state,
            kind: Some(kind),
            reading: true,
            ..Slot::default()
        };
        Token { index, generation }
    }

    /// Makes an index usable again; answers the buffer that was in flight.
    pub(super) fn free(&mut self, token: Token) -> Option<SendBuf> {
        let slot = self.slots.get_mut(token.index as usize)?;
        debug_assert_eq!(slot.state, State::Closing, "freed once, after close");
        let generation = Token::next_generation(slot.generation);
        let last = std::mem::replace(
            slot,
            Slot {
                generation,
                ..Slot::default()
            },
        );
        self.free.push(token.index);
        last.send
    }

    /// The slot of a socket that the reactor may use.
    pub(super) fn open(&mut self, token: Token) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(token.index as usize)?;
        let usable = matches!(slot.state, State::Open | State::Connecting);
        (usable && slot.generation == token.generation).then_some(slot)
    }

    /// As [`open`](Self::open), to look only.
    pub(super) fn peek(&self, token: Token) -> Option<&Slot> {
        let slot = self.slots.get(token.index as usize)?;
        let usable = matches!(slot.state, State::Open | State::Connecting);
        (usable && slot.generation == token.generation).then_some(slot)
    }

    /// How many slots are in use.
    pub(super) fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Every socket that is connected or bound.
    pub(super) fn connected(&self) -> impl Iterator<Item = (Token, &Slot)> {
        let slots = self.slots.iter().enumerate();
        let open = slots.filter(|(_, slot)| slot.state == State::Open);
        open.map(|(index, slot)| {
            let generation = slot.generation;
            let index = index as u32;
            (Token { index, generation }, slot)
        })
    }
}
