//! What one connection speaks: bytes in, bytes out, no socket.

use crate::{http, ws};

/// As much as one receive takes, of any of the loops.
pub(crate) const RECV_BYTES: usize = 64 * 1024;

pub(crate) enum Protocol {
    Http(http::Heads),
    Ws(Box<ws::Echo>),
}

/// What goes back for what was received.
pub(crate) enum Answer {
    /// So many bytes of the ready-made replies.
    Replies(usize),
    /// The ready-made last reply, then the end.
    LastReply,
    /// It was appended to `out`; then the end, if `true`.
    Appended { closing: bool },
    /// Nothing: the connection is over.
    Over,
}

impl Protocol {
    pub(crate) fn new(ws: bool) -> Self {
        if ws {
            Self::Ws(Box::default())
        } else {
            Self::Http(http::Heads::default())
        }
    }

    pub(crate) fn answer(&mut self, received: &[u8], out: &mut Vec<u8>) -> Answer {
        match self {
            Self::Http(_) if http::is_last(received) => Answer::LastReply,
            Self::Http(heads) => Answer::Replies(heads.count(received) * http::REPLY.len()),
            Self::Ws(echo) => {
                if echo.take(received, out) {
                    // A server is the first to close (RFC 6455 §7.1.1).
                    let closing = echo.closing;
                    Answer::Appended { closing }
                } else {
                    Answer::Over
                }
            }
        }
    }
}
