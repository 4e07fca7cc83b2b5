//! A WebSocket, as the handler sees it.

use super::topics::PublishError;
use super::web::{Member, SubscribeError, Topics};
use crate::conn::Io;
use crate::conn::backlog::SlowPeer;
use crate::conn::websocket::Sent;
use crate::ws::{CloseCode, Kind};

/// A complete message, borrowed for one call.
#[derive(Debug)]
pub struct Message<'b> {
    /// Text or binary.
    pub kind: Kind,
    /// The payload. Text is valid UTF-8: the decoder has checked it.
    pub bytes: &'b mut [u8],
}

/// A WebSocket during one call.
pub struct Socket<'s, 'i> {
    member: &'s mut Member,
    topics: &'s mut Topics,
    io: &'s mut Io<'i>,
}

impl<'s, 'i> Socket<'s, 'i> {
    pub(super) fn new(member: &'s mut Member, topics: &'s mut Topics, io: &'s mut Io<'i>) -> Self {
        Self { member, topics, io }
    }

    /// Sends a message, and says what became of it. Everything that is sent in one call leaves in one send.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Sent {
        self.member.websocket.send(kind, payload, None, self.io)
    }

    /// Sends text.
    pub fn send_text(&mut self, text: &str) -> Sent {
        self.send(Kind::Text, text.as_bytes())
    }

    /// Sends a message that replaces an earlier one with the same key, if that still waits and the policy is
    /// [`SlowPeer::Conflate`].
    pub fn send_keyed(&mut self, key: u64, kind: Kind, payload: &[u8]) -> Sent {
        self.member
            .websocket
            .send(kind, payload, Some(key), self.io)
    }

    /// How many bytes wait to be sent to this peer.
    pub fn buffered(&self) -> usize {
        self.io.waiting_bytes() + self.member.websocket.backlog_bytes()
    }

    /// Wants [`Handler::drained`](super::Handler::drained) to be called, once, when less than `outbox_low_bytes` wait.
    pub fn await_room(&mut self) {
        self.member.websocket.await_room(self.io);
    }

    /// Says what becomes of messages when this peer does not read. Default [`SlowPeer::Disconnect`].
    pub fn on_slow_peer(&mut self, policy: SlowPeer) {
        self.member.websocket.set_policy(policy);
    }

    /// Subscribes to a topic: what is published from now on comes, and before it the last `history` messages, as far as
    /// they are kept ([`Limits::topic_history_max`](crate::Limits::topic_history_max)). A topic that this connection
    /// subscribes to already stays as it is.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&mut self, topic: &str, history: usize) -> Result<(), SubscribeError> {
        let token = self.io.token;
        self.topics
            .subscribe(&mut self.member.topics, topic, history, token)
    }

    /// Leaves a topic. What was on its way still comes.
    pub fn unsubscribe(&mut self, topic: &str) {
        let token = self.io.token;
        self.topics.leave(&mut self.member.topics, topic, token);
    }

    /// Publishes a message to everybody who subscribes to `topic`, this connection included if it does.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&mut self, topic: &str, kind: Kind, payload: &[u8]) -> Result<(), PublishError> {
        self.topics.publisher().publish(topic, kind, payload)
    }

    /// Begins the closing handshake. Messages that the peer sent before it sees the Close still come.
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.member.websocket.close(code, reason, self.io);
    }
}
