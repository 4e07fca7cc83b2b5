//! Mail to a loop, from any thread.

use std::fmt;

use super::ConnectionId;
use crate::reactor::{Letter, Post};

/// Sends mail to a loop from any thread. Clones send to the same loop.
///
/// A letter wakes the loop, also one that waits inside somebody else's poll(2). 65,536 letters may wait; the loop takes all
/// of them in each turn, so a full box means that it is stuck, or that nobody makes turns.
pub struct Letterbox<M> {
    post: Post<M>,
}

impl<M> Clone for Letterbox<M> {
    fn clone(&self) -> Self {
        Self {
            post: self.post.clone(),
        }
    }
}

impl<M> fmt::Debug for Letterbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letterbox")
            .field("closed", &self.post.is_closed())
            .finish()
    }
}

/// Why mail was not taken. It comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailError<M> {
    /// 65,536 letters wait already.
    Full(M),
    /// The loop has ended.
    Closed(M),
}

impl<M> fmt::Display for MailError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the loop's letterbox is full",
            Self::Closed(_) => "the loop has ended",
        })
    }
}

impl<M: fmt::Debug> std::error::Error for MailError<M> {}

impl<M> Letterbox<M> {
    pub(super) fn new(post: Post<M>) -> Self {
        Self { post }
    }

    /// Sends mail to the protocol: [`Protocol::letter`](super::Protocol::letter).
    ///
    /// # Errors
    /// The box is full, or the loop has ended.
    pub fn send(&self, mail: M) -> Result<(), MailError<M>> {
        self.leave(Letter::All(mail))
    }

    /// Sends mail to a connection: [`Protocol::mail`](super::Protocol::mail). If that is gone by then, the protocol gets
    /// it as a letter.
    ///
    /// # Errors
    /// The box is full, or the loop has ended.
    pub fn send_to(&self, connection: ConnectionId, mail: M) -> Result<(), MailError<M>> {
        self.leave(Letter::To(connection.0, mail))
    }

    /// Stops the loop, as [`EventLoop::stop`](super::EventLoop::stop). It is never refused.
    pub fn stop(&self) {
        // A loop that has ended is stopped.
        let _ = self.post.send(Letter::Stop);
    }

    fn leave(&self, letter: Letter<M>) -> Result<(), MailError<M>> {
        let refused = match self.post.send(letter) {
            Ok(()) | Err(Letter::Stop) => return Ok(()),
            Err(Letter::All(mail) | Letter::To(_, mail)) => mail,
        };
        Err(if self.post.is_closed() {
            MailError::Closed(refused)
        } else {
            MailError::Full(refused)
        })
    }
}
