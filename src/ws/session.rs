//! The closing handshake as a state machine (RFC 6455 §1.4, §5.5.1, §7.1).
//!
//! ```text
//!                    close()                          peer_closed()
//!            ┌──────────────────────▶ CloseSent ──────────────────────┐
//!          Open                                                       ▼
//!            └──────────────────────▶ CloseReceived ────────────────▶ Done
//!                  peer_closed()                        close()       ▲
//!            any ─────────────────────────────────────────────────────┘
//!                              fail(), peer_gone()
//! ```
//!
//! It says which Close is owed and what may still be sent; one byte, no I/O. It does not know time (the connection
//! limits how long it waits in `CloseSent`), nor bytes: the caller encodes what the answers name. In `Done` the server
//! closes the TCP connection and a client waits a moment for that (§7.1.1).
#![forbid(unsafe_code)]

use super::{CloseCode, Error};

/// How far the closing handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// Nobody has closed.
    #[default]
    Open,
    /// We sent a Close and wait for the peer's.
    CloseSent,
    /// The peer's Close came; ours is owed, at the latest when the message in hand is sent.
    CloseReceived,
    /// Both sent a Close, or the connection failed: the TCP connection is to be closed once the output is flushed.
    Done,
}

/// A Close frame to encode now: `None` is the frame without a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the Close must be sent"]
pub struct SendClose(pub Option<CloseCode>);

/// The closing handshake of one connection.
///
/// ```
/// use longshore::ws::{CloseCode, SendClose, Session, State};
/// let mut session = Session::new();
/// session.peer_closed(); // Event::Close(Some(CloseCode::NORMAL), "") came
/// assert_eq!(session.state(), State::CloseReceived);
/// let answer = session.close(Some(CloseCode::NORMAL)); // echo the code
/// assert_eq!(answer, Some(SendClose(Some(CloseCode::NORMAL))));
/// assert_eq!(session.state(), State::Done);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Session {
    state: State,
}

impl Session {
    /// Starts open, right behind the handshake.
    pub const fn new() -> Self {
        Self { state: State::Open }
    }

    /// How far the closing handshake is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Closes from our side, or answers the peer's Close: after [`peer_closed`](Self::peer_closed) it is usual to
    /// pass the peer's own code (§5.5.1). `None` if a Close was sent already; then nothing changes.
    pub const fn close(&mut self, code: Option<CloseCode>) -> Option<SendClose> {
        self.state = match self.state {
            State::Open => State::CloseSent,
            State::CloseReceived => State::Done,
            State::CloseSent | State::Done => return None,
        };
        Some(SendClose(code))
    }

    /// Takes note of the peer's Close. Whether an answer is owed shows in [`owes_close`](Self::owes_close).
    pub const fn peer_closed(&mut self) {
        self.state = match self.state {
            State::Open | State::CloseReceived => State::CloseReceived,
            State::CloseSent | State::Done => State::Done,
        };
    }

    /// Fails the connection for the peer's fault (§7.1.7): one Close with the error's code, unless one was sent, and no
    /// waiting for an answer, because nothing that the peer sends is read any more.
    pub const fn fail(&mut self, error: Error) -> Option<SendClose> {
        self.abandon(error.close_code())
    }

    /// Ends the connection without waiting for an answer, for a cause of our own: 1011 after a panic, 1008, 1013.
    pub const fn abandon(&mut self, code: CloseCode) -> Option<SendClose> {
        let sent = matches!(self.state, State::CloseSent | State::Done);
        self.state = State::Done;
        if sent {
            None
        } else {
            Some(SendClose(Some(code)))
        }
    }

    /// The transport ended, or the peer did not close in time. If the state was not `Done` before, that is what the
    /// WebSocket API calls 1006 (§7.1.5).
    pub const fn peer_gone(&mut self) {
        self.state = State::Done;
    }

    /// Whether the peer closed and waits for our Close.
    pub const fn owes_close(&self) -> bool {
        matches!(self.state, State::CloseReceived)
    }

    /// Whether a new message or a Ping may be sent: nobody has closed yet.
    pub const fn may_begin_message(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether the rest of a message that was begun may be sent: until our Close, also after the peer's (§5.5.1).
    pub const fn may_finish_message(&self) -> bool {
        matches!(self.state, State::Open | State::CloseReceived)
    }

    /// Whether a Ping is to be answered: until the peer's Close, also after ours (§5.5.2 makes this a MUST).
    pub const fn answers_ping(&self) -> bool {
        matches!(self.state, State::Open | State::CloseSent)
    }

    /// Whether messages of the peer still count: what it sent before it saw our Close is not lost (§7.1.6).
    pub const fn delivers_messages(&self) -> bool {
        matches!(self.state, State::Open | State::CloseSent)
    }
}

#[cfg(test)]
mod tests;
