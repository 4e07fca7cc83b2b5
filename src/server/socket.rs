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

/// Part of a message, borrowed for one call. What a peer sends comes in pieces as the kernel delivers it; where they are
/// cut means nothing. One has mostly up to 64 KiB, and up to 512 KiB on io_uring when the server has paused.
#[derive(Debug)]
pub struct MessagePiece<'b> {
    /// What the whole message is.
    pub kind: Kind,
    /// It begins a message.
    pub first: bool,
    /// It ends a message. `first && last` is a whole one.
    pub last: bool,
    /// The payload. Empty only if `first` or `last` is set. A piece of text may end inside a character, the last piece
    /// never does: all of them together are valid UTF-8, checked as far as they have come.
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

    /// Sends a message as it is, also if compression was agreed on. For secrets that stand beside what a peer can choose: how
    /// much such a message shrinks tells of them (RFC 7692 §8). And for what is compressed already.
    ///
    /// ```
    /// # use longshore::{Message, Sent, Socket};
    /// fn reply(message: &Message<'_>, socket: &mut Socket<'_, '_>, token: &str) -> Sent {
    ///     let echo = String::from_utf8_lossy(message.bytes);
    ///     socket.send_uncompressed(message.kind, format!("{token} {echo}").as_bytes())
    /// }
    /// ```
    pub fn send_uncompressed(&mut self, kind: Kind, payload: &[u8]) -> Sent {
        let websocket = &mut self.member.websocket;
        websocket.send_uncompressed(kind, payload, self.io)
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

    /// Sends a message piece by piece: the first call begins it, the one with `last` ends it. Each piece is a frame, and
    /// leaves uncompressed. Text must be UTF-8 when all pieces are joined; `kind` counts in the first.
    ///
    /// Pieces of a message that was begun are never dropped. So under a policy that drops, none is begun while earlier
    /// messages wait, or the peer does not read: the first piece is [`Sent::Dropped`] then, and so is all that follows up
    /// to the `last`. A message of one piece is [sent](Self::send) as any other.
    ///
    /// No other message can begin before the last piece (RFC 6455 §5.4): what is [sent](Self::send) or published
    /// meanwhile waits behind it. Under [`SlowPeer::Disconnect`] the connection ends with close code 1013 if more than
    /// `outbox_bytes_max` waits so. Who sends much asks [`buffered`](Self::buffered), and goes on when
    /// [`Handler::drained`](super::Handler::drained) is called. A [`close`](Self::close) cuts the message off: the peer
    /// never has it whole.
    pub fn send_piece(&mut self, kind: Kind, bytes: &[u8], last: bool) -> Sent {
        let websocket = &mut self.member.websocket;
        websocket.send_piece(kind, bytes, last, self.io)
    }

    /// Takes messages in pieces, by [`Handler::piece`](super::Handler::piece), or whole, from the next one on. What it was
    /// in the beginning was said by [`Upgrade::pieces`](super::Upgrade::pieces).
    pub fn take_pieces(&mut self, pieces: bool) {
        self.member.websocket.set_pieces(pieces);
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
        self.topics.leave(&mut self.member.topics, topic);
    }

    /// Publishes a message to everybody who subscribes to `topic`, this connection included if it does.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&mut self, topic: &str, kind: Kind, payload: &[u8]) -> Result<(), PublishError> {
        self.topics.publisher().publish(topic, kind, payload)
    }

    /// Begins the closing handshake. Messages that the peer sent before it sees the Close still come. The Close goes behind
    /// messages that were [queued](Sent::Queued), for at most `close_timeout`, and cuts off one of ours that was begun
    /// and is not finished. Nothing can be sent any more, and a second call changes nothing.
    ///
    /// [`CloseCode`] holds nothing that must not travel: 1004, 1005, 1006 and 1015 are refused there (RFC 6455 §7.4.1).
    pub fn close(&mut self, code: CloseCode, reason: &str) {
        self.member.websocket.close(code, reason, self.io);
    }
}
