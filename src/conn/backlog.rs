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

use std::collections::VecDeque;
use std::sync::Arc;

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
    /// The tail of a frame that many connections send.
    Shared { frame: Arc<[u8]>, header: u8 },
}

impl Payload {
    /// The message's bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared { frame, header } => &frame[usize::from(*header)..],
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

impl Waiting {
    fn bytes(&self) -> usize {
        // Its own record counts too, or empty messages would cost nothing.
        self.payload.as_bytes().len() + size_of::<Self>()
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
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    messages: VecDeque<Waiting>,
    bytes: usize,
}

impl Backlog {
    /// How much memory waits.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes();
        Some(message)
    }

    /// Adds a message as `policy` says, so that at most `bytes_max` wait, or one message if that is larger.
    pub(crate) fn push(&mut self, message: Waiting, policy: SlowPeer, bytes_max: usize) -> Pushed {
        if policy == SlowPeer::Conflate && message.key.is_some() {
            let mut others = self.messages.iter_mut();
            if let Some(other) = others.find(|other| other.key == message.key) {
                self.bytes = self.bytes - other.bytes() + message.bytes();
                *other = message;
                return Pushed::Queued { dropped: 1 };
            }
        }
        let fits = self.bytes + message.bytes() <= bytes_max || self.is_empty();
        if !fits && policy == SlowPeer::DropNewest {
            return Pushed::Dropped;
        }
        let mut dropped = 0;
        if policy != SlowPeer::Disconnect {
            while self.bytes + message.bytes() > bytes_max && self.pop().is_some() {
                dropped += 1;
            }
        }
        self.bytes += message.bytes();
        self.messages.push_back(message);
        Pushed::Queued { dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: Option<u64>, text: &str) -> Waiting {
        Waiting {
            kind: Kind::Text,
            key,
            payload: Payload::Own(text.as_bytes().to_vec()),
        }
    }

    fn texts(mut backlog: Backlog) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(message) = backlog.pop() {
            texts.push(String::from_utf8(message.payload.as_bytes().to_vec()).expect("text"));
        }
        assert_eq!(backlog.bytes(), 0);
        texts
    }

    /// Room for three messages of one byte.
    const THREE: usize = 3 * (size_of::<Waiting>() + 1);

    fn filled(policy: SlowPeer) -> (Backlog, Vec<Pushed>) {
        let mut backlog = Backlog::default();
        let pushed = ["a", "b", "c", "d", "e"]
            .map(|text| backlog.push(message(None, text), policy, THREE))
            .to_vec();
        (backlog, pushed)
    }

    #[test]
    fn the_newest_or_the_oldest_are_dropped() {
        let (backlog, pushed) = filled(SlowPeer::DropNewest);
        assert_eq!(
            pushed[2..],
            [
                Pushed::Queued { dropped: 0 },
                Pushed::Dropped,
                Pushed::Dropped
            ]
        );
        assert_eq!(texts(backlog), ["a", "b", "c"]);
        let (backlog, pushed) = filled(SlowPeer::DropOldest);
        assert_eq!(pushed[3..], [Pushed::Queued { dropped: 1 }; 2]);
        assert_eq!(texts(backlog), ["c", "d", "e"]);
    }

    #[test]
    fn a_key_is_replaced_in_its_place() {
        let mut backlog = Backlog::default();
        for (key, text) in [(Some(1), "a"), (Some(2), "b"), (None, "c"), (Some(1), "A")] {
            backlog.push(message(key, text), SlowPeer::Conflate, THREE);
        }
        assert_eq!(texts(backlog), ["A", "b", "c"]);
        let (backlog, _) = filled(SlowPeer::Conflate);
        assert_eq!(
            texts(backlog),
            ["c", "d", "e"],
            "without keys as the oldest"
        );
    }

    #[test]
    fn one_large_message_waits_alone() {
        for policy in [
            SlowPeer::DropNewest,
            SlowPeer::DropOldest,
            SlowPeer::Conflate,
        ] {
            let mut backlog = Backlog::default();
            let large = "x".repeat(THREE * 2);
            backlog.push(message(None, &large), policy, THREE);
            assert_eq!(texts(backlog), [large]);
        }
    }
}
