//! Messages that wait because their peer does not read: whole, uncompressed, not yet begun.
//!
//! ```text
//!   send ──▶ room? ──yes──▶ frame ──▶ cork, outbox                    (bytes: nothing is dropped any more)
//!              │ no
//!              ▼
//!           Backlog ──▶ full? the policy: this one, the oldest, the one with the same key, or the peer goes
//!              └──────── room again, oldest first ──▶ frame ──▶ …
//! ```
//!
//! What is dropped is always a whole message that was never compressed, so that a shared compression context stays in
//! step. Control frames never come here. It does not know sockets, nor who publishes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::websocket::Broadcast;
use crate::ws::Kind;

/// What becomes of messages to a peer that does not read, when more than `outbox_high_bytes` wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SlowPeer {
    /// All are kept, up to `outbox_bytes_max`; a peer that lets more wait is disconnected. The default.
    #[default]
    Disconnect,
    /// Those that come while `outbox_bytes_max` wait are dropped: the peer gets what was said first.
    DropNewest,
    /// The oldest are dropped to make room: the peer gets what was said last.
    DropOldest,
    /// Of messages with the same key only the last is kept, in the place of the first; beyond that as `DropOldest`.
    /// For values that replace each other: positions, prices.
    Conflate,
}

/// The bytes of a message.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Of this connection alone.
    Own(Vec<u8>),
    /// The same, never to be compressed.
    Plain(Vec<u8>),
    /// That many connections send.
    Shared(Arc<Broadcast>),
}

impl Payload {
    /// The message's bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) | Self::Plain(bytes) => bytes,
            Self::Shared(message) => message.payload(),
        }
    }
}

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) kind: Kind,
    pub(crate) key: Option<u64>,
    pub(crate) payload: Payload,
}

/// What the index of keys costs for one of them, at most: an entry of a table that is half full.
const KEY_BYTES: usize = 2 * (size_of::<(u64, u64)>() + 1);

impl Waiting {
    /// The memory that it costs while it waits.
    pub(crate) fn bytes(&self) -> usize {
        // Its own record counts too, or empty messages would cost nothing.
        let record = size_of::<Self>() + self.key.map_or(0, |_| KEY_BYTES);
        self.payload.as_bytes().len() + record
    }
}

/// What became of a message that had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits. So many others were dropped for it.
    Queued { dropped: u32 },
    /// It was dropped itself.
    Dropped,
}

/// The messages that wait for one peer, oldest first.
///
/// ```text
///   popped: 40      messages   40  41  42  43        numbered from the first that ever waited
///                   keys       a ▶ 41   b ▶ 43       so a key finds its message in one step, however many wait
/// ```
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    messages: VecDeque<Waiting>,
    bytes: usize,
    /// How many messages have left at the front: the number of the one that stands there.
    popped: u64,
    /// The number of the last message with each key.
    keys: HashMap<u64, u64>,
}

impl Backlog {
    /// How much memory waits.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes();
        if let Some(key) = message.key
            && self.keys.get(&key) == Some(&self.popped)
        {
            self.keys.remove(&key);
        }
        self.popped += 1;
        Some(message)
    }

    /// Adds a message as `policy` says, so that at most `bytes_max` wait, or one message if that is larger. With
    /// [`SlowPeer::Disconnect`] more may wait: the caller ends the connection then.
    pub(crate) fn push(&mut self, message: Waiting, policy: SlowPeer, bytes_max: usize) -> Pushed {
        let mut dropped = 0;
        while policy == SlowPeer::Conflate
            && let Some(place) = message.key.and_then(|key| self.place_of(key))
        {
            let others = self.bytes - self.messages[place].bytes();
            if others == 0 || others + message.bytes() <= bytes_max {
                self.bytes = others + message.bytes();
                self.messages[place] = message;
                return Pushed::Queued {
                    dropped: dropped + 1,
                };
            }
            // It is longer than what it replaces: the oldest make room, and that may be among them.
            self.pop();
            dropped += 1;
        }
        let fits = self.bytes + message.bytes() <= bytes_max || self.messages.is_empty();
        if !fits && policy == SlowPeer::DropNewest {
            return Pushed::Dropped;
        }
        if policy != SlowPeer::Disconnect {
            while self.bytes + message.bytes() > bytes_max && self.pop().is_some() {
                dropped += 1;
            }
        }
        self.bytes += message.bytes();
        if let Some(key) = message.key {
            let number = self.popped + self.messages.len() as u64;
            self.keys.insert(key, number);
        }
        self.messages.push_back(message);
        Pushed::Queued { dropped }
    }

    /// Where the message with this key stands that came last.
    fn place_of(&self, key: u64) -> Option<usize> {
        let number = *self.keys.get(&key)?;
        Some((number - self.popped) as usize)
    }
}

#[cfg(test)]
mod tests;
