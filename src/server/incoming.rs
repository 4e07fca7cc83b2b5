//! A body on its way in, as a handler that takes it in pieces sees it.

use super::Wake;
use super::reply::Desk;
use crate::http::Status;

/// What the handler has decided about the rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Receive,
    Pause,
    Refuse(Status),
}

/// The body that a piece belongs to, during one call of [`Handler::body`](super::Handler::body).
#[derive(Debug)]
pub struct Incoming<'a> {
    pub(super) decision: Decision,
    desk: Desk<'a>,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(desk: Desk<'a>) -> Self {
        Self {
            decision: Decision::Receive,
            desk,
        }
    }

    /// Takes no more for now: the rest stays with the peer, whose TCP window closes. [`Wake::wake`], from any thread, lets
    /// it go on. Meanwhile no time limit runs against the peer.
    pub fn pause(&mut self) -> Wake {
        if self.decision == Decision::Receive {
            self.decision = Decision::Pause;
        }
        self.desk.wake()
    }

    /// Takes no more at all: the peer is answered with this status, then the connection closes.
    pub fn refuse(&mut self, status: Status) {
        self.decision = Decision::Refuse(status);
    }
}
