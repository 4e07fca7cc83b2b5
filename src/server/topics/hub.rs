//! What all workers share: where each is reached, and who is at home where.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Entry, TOPIC_NAME_BYTES_MAX};
use crate::driver::Token;
use crate::reactor::{Letter, Post};
use crate::server::wake::Mail;
use crate::ws::Kind;

/// What workers tell each other about topics.
#[derive(Debug)]
pub(in crate::server) enum News {
    /// To the home: number this, keep it, send it round.
    Publish {
        topic: Arc<str>,
        kind: Kind,
        payload: Vec<u8>,
        key: Option<u64>,
    },
    /// To the home: one of worker `worker`'s connections subscribes, and wants the last `history` messages.
    Subscribe {
        topic: Arc<str>,
        worker: usize,
        token: Token,
        history: usize,
    },
    /// To the home: one of worker `worker`'s connections has left.
    Leave { topic: Arc<str>, worker: usize },
    /// To a worker: the subscription counts from behind `number` on; before that, it gets `history`.
    Welcome {
        topic: Arc<str>,
        number: u64,
        history: Vec<Arc<Entry>>,
    },
    /// To a worker: a message for its subscribers.
    Entry(Arc<Entry>),
}

/// What all workers share.
#[derive(Debug)]
pub(in crate::server) struct Hub {
    workers: Vec<OnceLock<Post<Mail>>>,
    /// One hash for all, that no peer can foretell.
    hash: RandomState,
    /// How many messages were encoded, and how many times one was given to a subscriber.
    encoded: AtomicU64,
    delivered: AtomicU64,
}

impl Hub {
    pub(in crate::server) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            workers: (0..workers).map(|_| OnceLock::new()).collect(),
            hash: RandomState::new(),
            encoded: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        })
    }

    /// How many workers there are.
    pub(in crate::server) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Says where a worker is reached.
    pub(in crate::server) fn register(&self, worker: usize, post: Post<Mail>) {
        let first = self.workers[worker].set(post);
        debug_assert!(first.is_ok(), "a worker registers once");
    }

    /// The worker at which a topic is at home.
    pub(in crate::server) fn home(&self, topic: &str) -> usize {
        (self.hash.hash_one(topic) % self.workers.len() as u64) as usize
    }

    /// Leaves a letter at a worker. False if that is not there (any more), or its box is full.
    pub(in crate::server) fn tell(&self, worker: usize, news: News) -> bool {
        let post = self.workers[worker].get();
        post.is_some_and(|post| {
            !post.is_closed() && post.send(Letter::All(Mail::News(news))).is_ok()
        })
    }

    /// Leaves a letter for one of a worker's connections.
    pub(in crate::server) fn tell_connection(&self, worker: usize, token: Token, news: News) {
        if let Some(post) = self.workers[worker].get() {
            // A box that is full loses a welcome: the connection then gets nothing, as if it had not subscribed.
            let _ = post.send(Letter::To(token, Mail::News(news)));
        }
    }

    pub(in crate::server) fn count_encoded(&self) {
        self.encoded.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::server) fn count_delivered(&self, messages: u64) {
        self.delivered.fetch_add(messages, Ordering::Relaxed);
    }
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The topic's name is empty or longer than 255 bytes.
    InvalidTopic,
    /// The server has stopped, or does not run yet.
    NotRunning,
    /// 65,536 letters wait at the topic's home: it does not keep up.
    Full,
}

impl std::fmt::Display for PublishError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InvalidTopic => "a topic's name has 1 to 255 bytes",
            Self::NotRunning => "the server does not run",
            Self::Full => "the topic's worker does not keep up",
        })
    }
}

impl std::error::Error for PublishError {}

/// Publishes messages to topics, from any thread. Got from [`Bound::publisher`](crate::Bound::publisher).
///
/// ```no_run
/// use longshore::{Handler, Replied, Reply, Request, Server};
/// # struct Site;
/// # impl Handler for Site {
/// #     type Connection = ();
/// #     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied { reply.text("") }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bound = Server::new().listen("127.0.0.1:8080".parse()?).bind()?;
/// let publisher = bound.publisher();
/// std::thread::spawn(move || {
///     while publisher.publish_text("clock", "tick").is_ok() {
///         std::thread::sleep(std::time::Duration::from_secs(1));
///     }
/// });
/// bound.run(|_worker| Site)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Publisher {
    pub(in crate::server) hub: Arc<Hub>,
}

impl Publisher {
    /// Publishes a message: everybody who subscribes to `topic` gets it, in the order in which the topic's home took it.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&self, topic: &str, kind: Kind, payload: &[u8]) -> Result<(), PublishError> {
        self.publish_keyed(topic, kind, payload, None)
    }

    /// As [`publish`](Self::publish), with text.
    ///
    /// # Errors
    /// As there.
    pub fn publish_text(&self, topic: &str, text: &str) -> Result<(), PublishError> {
        self.publish(topic, Kind::Text, text.as_bytes())
    }

    /// As [`publish`](Self::publish); `key` names what the message replaces for peers whose policy is
    /// [`SlowPeer::Conflate`](crate::SlowPeer::Conflate).
    ///
    /// # Errors
    /// As there.
    pub fn publish_keyed(
        &self,
        topic: &str,
        kind: Kind,
        payload: &[u8],
        key: Option<u64>,
    ) -> Result<(), PublishError> {
        if !is_topic(topic) {
            return Err(PublishError::InvalidTopic);
        }
        let home = self.hub.home(topic);
        let running = self.hub.workers[home]
            .get()
            .is_some_and(|post| !post.is_closed());
        if !running {
            return Err(PublishError::NotRunning);
        }
        let news = News::Publish {
            topic: topic.into(),
            kind,
            payload: payload.to_vec(),
            key,
        };
        if self.hub.tell(home, news) {
            Ok(())
        } else {
            Err(PublishError::Full)
        }
    }

    /// How many messages were encoded, each once, and how often one was given to a subscriber.
    pub fn figures(&self) -> (u64, u64) {
        (
            self.hub.encoded.load(Ordering::Relaxed),
            self.hub.delivered.load(Ordering::Relaxed),
        )
    }
}

/// Whether a topic may have this name.
pub(in crate::server) fn is_topic(name: &str) -> bool {
    (1..=TOPIC_NAME_BYTES_MAX).contains(&name.len())
}
