//! Mail to an exchange, from any thread.

use std::fmt;

use super::ticket::Response;
use super::topics::News;
use crate::conn::outgoing::Source;
use crate::driver::Token;
use crate::reactor::{Letter, Post};

/// What travels between threads.
pub(crate) enum Mail {
    /// To one of a connection's exchanges.
    Exchange {
        /// Which of its requests it concerns.
        number: u32,
        what: What,
    },
    /// About topics: to a worker, or to one of its WebSockets.
    News(News),
}

/// What the mail says.
pub(crate) enum What {
    /// Answer with this; with the body that the source produces, if there is one.
    Answer {
        response: Response,
        body: Option<Box<dyn Source + Send>>,
        accepts_gzip: bool,
    },
    /// Ask the source again, or go on receiving.
    Wake,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { number, .. } => write!(f, "mail to exchange {number}"),
            Self::News(news) => news.fmt(f),
        }
    }
}

/// Names one exchange for other threads: lets a [`Source`] be asked again, or a paused body be received further.
///
/// When the exchange is over, nothing happens.
#[derive(Clone, Debug)]
pub struct Wake {
    pub(super) post: Post<Mail>,
    pub(super) token: Token,
    pub(super) number: u32,
}

impl Wake {
    /// Wakes the exchange. From any thread.
    pub fn wake(&self) {
        let _ = self.send(What::Wake, || false);
    }

    /// Sends mail. A full mailbox holds 65,536 letters that the reactor takes in its next turn; it may be waited for
    /// here, on a thread that is not the reactor's. False if nobody takes it any more.
    pub(super) fn send(&self, what: What, given_up: impl Fn() -> bool) -> bool {
        let mail = Mail::Exchange {
            number: self.number,
            what,
        };
        let mut letter = Letter::To(self.token, mail);
        while let Err(refused) = self.post.send(letter) {
            if given_up() || self.post.is_closed() {
                return false;
            }
            letter = refused;
            std::thread::yield_now();
        }
        true
    }
}
