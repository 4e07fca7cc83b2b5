//! What all workers share: where each is reached, and who is at home where.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use super::postman::To;
use super::{Counters, Entry, RECORD_BYTES, TOPIC_NAME_BYTES_MAX, TopicFigures, WAITING_BYTES_MAX};
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
    /// To the home: a connection subscribes, and wants the last `history` messages.
    Subscribe {
        topic: Arc<str>,
        ask: Ask,
        history: usize,
    },
    /// To the home: one of worker `worker`'s connections has left.
    Leave { topic: Arc<str>, worker: usize },
    /// To a worker: the answer to an ask.
    Welcome(Welcome),
    /// To a worker: a message for its subscribers.
    Entry(Arc<Entry>),
    /// To a worker that had found a full box: there is room again.
    Room,
}

/// Who asks to subscribe.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Ask {
    pub(in crate::server) worker: usize,
    pub(in crate::server) token: Token,
    /// Which one of its worker's asks it is: a connection that left and came back has asked twice.
    pub(in crate::server) number: u32,
}

/// What a home answers to an [`Ask`].
#[derive(Debug)]
pub(in crate::server) struct Welcome {
    pub(in crate::server) topic: Arc<str>,
    /// The number of the ask.
    pub(in crate::server) ask: u32,
    /// The number of the topic's last message: the subscription counts from behind it on.
    pub(in crate::server) number: u64,
    /// What was asked for of the messages up to that one.
    pub(in crate::server) history: Vec<Arc<Entry>>,
}

impl News {
    /// The memory that its message costs, if it holds one.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Publish { topic, payload, .. } => topic.len() + payload.len() + RECORD_BYTES,
            Self::Entry(entry) => entry.bytes(),
            _ => 0,
        }
    }
}

/// Why news could not be left at a worker.
#[derive(Debug)]
pub(in crate::server) enum Refused {
    /// Its box is full: 65,536 letters, or 64 MiB of messages. Here they are again.
    Full(News),
    /// It does not run yet, or not any more.
    Gone,
}

/// How a worker is reached.
#[derive(Debug, Default)]
struct Place {
    post: OnceLock<Post<Mail>>,
    /// Bytes of messages in its box. For moments below zero: a letter may be taken before it is counted.
    bytes: AtomicI64,
    /// Somebody has found its box full, and waits for it to be emptied.
    awaited: AtomicBool,
}

/// What all workers share.
#[derive(Debug)]
pub(in crate::server) struct Hub {
    workers: Vec<Place>,
    /// One hash for all, that no peer can foretell.
    hash: RandomState,
    pub(in crate::server) counters: Counters,
}

impl Hub {
    pub(in crate::server) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            workers: (0..workers).map(|_| Place::default()).collect(),
            hash: RandomState::new(),
            counters: Counters::default(),
        })
    }

    /// How many workers there are.
    pub(in crate::server) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Says where a worker is reached.
    pub(in crate::server) fn register(&self, worker: usize, post: Post<Mail>) {
        let first = self.workers[worker].post.set(post);
        debug_assert!(first.is_ok(), "a worker registers once");
    }

    /// The worker at which a topic is at home.
    pub(in crate::server) fn home(&self, topic: &str) -> usize {
        (self.hash.hash_one(topic) % self.workers.len() as u64) as usize
    }

    /// Leaves news at a worker. Never waits.
    pub(super) fn leave(&self, worker: usize, to: To, news: News) -> Result<(), Refused> {
        let place = &self.workers[worker];
        let Some(post) = place.post.get().filter(|post| !post.is_closed()) else {
            return Err(Refused::Gone);
        };
        let fresh = news.bytes() as i64;
        let held = place.bytes.load(Ordering::SeqCst);
        // One message of any size finds room in an empty box.
        if fresh > 0 && held > 0 && held + fresh > WAITING_BYTES_MAX as i64 {
            return Err(Refused::Full(news));
        }
        let mail = Mail::News(news);
        let letter = match to {
            To::Worker => Letter::All(mail),
            To::Connection(token) => Letter::To(token, mail),
        };
        match post.send(letter) {
            Ok(()) => {
                place.bytes.fetch_add(fresh, Ordering::SeqCst);
                Ok(())
            }
            Err(_) if post.is_closed() => Err(Refused::Gone),
            Err(Letter::All(Mail::News(news)) | Letter::To(_, Mail::News(news))) => {
                Err(Refused::Full(news))
            }
            Err(_) => unreachable!("the box gives the same letter back"),
        }
    }

    /// A worker has taken news out of its box.
    pub(in crate::server) fn taken(&self, worker: usize, news: &News) {
        let bytes = news.bytes() as i64;
        if bytes > 0 {
            self.workers[worker]
                .bytes
                .fetch_sub(bytes, Ordering::SeqCst);
        }
    }

    /// Somebody waits for a worker to empty its box.
    pub(super) fn announce(&self, worker: usize) {
        self.workers[worker].awaited.store(true, Ordering::SeqCst);
    }

    /// A worker has emptied its box: tells the others, if somebody waits for that. Who cannot be told has mail, and finds
    /// out by itself.
    pub(in crate::server) fn emptied(&self, worker: usize) {
        let awaited = &self.workers[worker].awaited;
        if awaited.load(Ordering::SeqCst) && awaited.swap(false, Ordering::SeqCst) {
            for other in (0..self.workers.len()).filter(|other| *other != worker) {
                let _ = self.leave(other, To::Worker, News::Room);
            }
        }
    }
}

#[cfg(test)]
impl Hub {
    /// Whether somebody waits for a worker to empty its box.
    pub(super) fn is_awaited(&self, worker: usize) -> bool {
        self.workers[worker].awaited.load(Ordering::SeqCst)
    }
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The topic's name is empty or longer than 255 bytes.
    InvalidTopic,
    /// The server has stopped, or does not run yet.
    NotRunning,
    /// 65,536 letters or 64 MiB of messages wait at the topic's home: it does not keep up.
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
    /// Never waits, on no thread.
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
        let news = News::Publish {
            topic: topic.into(),
            kind,
            payload: payload.to_vec(),
            key,
        };
        match self.hub.leave(self.hub.home(topic), To::Worker, news) {
            Ok(()) => Ok(()),
            Err(Refused::Full(_)) => Err(PublishError::Full),
            Err(Refused::Gone) => Err(PublishError::NotRunning),
        }
    }

    /// What was published so far, and what became of it.
    pub fn figures(&self) -> TopicFigures {
        self.hub.counters.read()
    }
}

/// Whether a topic may have this name.
pub(in crate::server) fn is_topic(name: &str) -> bool {
    (1..=TOPIC_NAME_BYTES_MAX).contains(&name.len())
}
