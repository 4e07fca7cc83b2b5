//! A WebSocket and the topics that it subscribes to.

use std::sync::Arc;

use super::Web;
use crate::conn::Io;
use crate::conn::websocket::{Sent, WebSocket};
use crate::driver::Token;
use crate::server::topics::{
    Ask, Entry, Homes, Hub, Lists, Locals, News, Postman, Publisher, Standing, Subscription,
    Subscriptions, To, TopicFigures, Welcome, is_topic,
};
use crate::server::{Handler, SUBSCRIPTIONS_MAX};

/// The most subscriptions of one worker that wait for their welcome: as many letters as its box holds.
const UNWELCOMED_MAX: u32 = 65_536;

/// A WebSocket connection, as the service keeps it.
pub(crate) struct Member {
    pub(in crate::server) websocket: WebSocket,
    /// The topics that it subscribes to.
    pub(in crate::server) topics: Subscriptions,
}

/// Why a subscription was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The topic's name is empty or longer than 255 bytes.
    InvalidTopic,
    /// The connection subscribes to 64 topics already.
    TooMany,
    /// The topic's worker does not keep up: 65,536 letters wait for it, or as many subscriptions for their welcome. Try
    /// again later, or close with code 1013.
    Busy,
}

impl std::fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InvalidTopic => "a topic's name has 1 to 255 bytes",
            Self::TooMany => "the connection subscribes to 64 topics already",
            Self::Busy => "the topic's worker does not keep up",
        })
    }
}

impl std::error::Error for SubscribeError {}

impl Member {
    pub(super) fn new(websocket: WebSocket) -> Self {
        Self {
            websocket,
            topics: Subscriptions::default(),
        }
    }
}

/// One worker's part in all topics.
#[derive(Debug)]
pub(in crate::server) struct Topics {
    worker: usize,
    postman: Postman,
    homes: Homes,
    pub(super) locals: Locals,
    lists: Lists,
    /// How many subscriptions were asked for.
    asked: u32,
    /// How many subscriptions wait for their welcome.
    unwelcomed: u32,
    /// What the connection that is called next has missed.
    missed: Vec<Arc<Entry>>,
}

impl Topics {
    pub(in crate::server) fn new(worker: usize, hub: Arc<Hub>, homes: Homes) -> Self {
        Self {
            worker,
            postman: Postman::new(hub),
            homes,
            locals: Locals::default(),
            lists: Lists::default(),
            asked: 0,
            unwelcomed: 0,
            missed: Vec::new(),
        }
    }

    /// Those of a worker that is alone.
    #[cfg(test)]
    pub(in crate::server) fn alone() -> Self {
        let hub = Hub::new(1);
        let homes = Homes::new(1, &crate::limits::Limits::default());
        Self::new(0, hub, homes)
    }

    /// Publishes.
    pub(in crate::server) fn publisher(&self) -> Publisher {
        Publisher {
            hub: self.postman.hub().clone(),
        }
    }

    /// A connection wants to subscribe; its topic's home welcomes it.
    pub(in crate::server) fn subscribe(
        &mut self,
        own: &mut Subscriptions,
        topic: &str,
        history: usize,
        token: Token,
    ) -> Result<(), SubscribeError> {
        if !is_topic(topic) {
            return Err(SubscribeError::InvalidTopic);
        }
        let number = self.locals.number(topic);
        if number.is_some_and(|number| self.lists.find_mut(own, number).is_some()) {
            return Ok(());
        }
        if self.lists.of(own).len() >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany);
        }
        if self.unwelcomed == UNWELCOMED_MAX {
            return Err(SubscribeError::Busy);
        }
        // One name for all who subscribe here: a million of their own would be 32 MB.
        let name = number.and_then(|number| self.locals.name(number).cloned());
        let name = name.unwrap_or_else(|| topic.into());
        let ask = Ask {
            worker: self.worker,
            token,
            number: self.asked,
        };
        let news = News::Subscribe {
            topic: name.clone(),
            ask,
            history,
        };
        if !self.postman.send_now(self.postman.hub().home(&name), news) {
            return Err(SubscribeError::Busy);
        }
        self.asked = self.asked.wrapping_add(1);
        let subscription = Subscription {
            topic: self.locals.await_welcome(&name),
            standing: Standing::awaited(ask.number),
        };
        self.lists.add(own, subscription);
        // Each is answered by one welcome, whatever becomes of the connection.
        self.unwelcomed += 1;
        Ok(())
    }

    /// A connection leaves a topic.
    pub(in crate::server) fn leave(&mut self, own: &mut Subscriptions, topic: &str) {
        if let Some(number) = self.locals.number(topic)
            && let Some(subscription) = self.lists.remove(own, number)
        {
            self.left(subscription);
        }
    }

    /// A connection leaves all topics.
    fn leave_all(&mut self, own: &mut Subscriptions) {
        while let Some(subscription) = self.lists.pop(own) {
            self.left(subscription);
        }
    }

    /// A subscription is over. One that was not welcomed yet is given back when the welcome comes.
    fn left(&mut self, subscription: Subscription) {
        if subscription.standing.is_welcomed()
            && let Some(name) = self.locals.name(subscription.topic).cloned()
        {
            self.give_back(name);
        }
        self.locals.leave(subscription);
    }

    fn give_back(&mut self, topic: Arc<str>) {
        let home = self.postman.hub().home(&topic);
        let worker = self.worker;
        let news = News::Leave { topic, worker };
        self.postman.send(home, To::Worker, news);
    }

    /// News for this worker: as a topic's home, or for its subscribers.
    pub(super) fn take(&mut self, news: News) {
        self.postman.hub().taken(self.worker, &news);
        let postman = &mut self.postman;
        match news {
            News::Publish {
                topic,
                kind,
                payload,
                key,
            } => self.homes.publish(&topic, kind, &payload, key, postman),
            News::Subscribe {
                topic,
                ask,
                history,
            } => self.homes.subscribe(topic, ask, history, postman),
            News::Leave { topic, worker } => self.homes.leave(&topic, worker),
            News::Entry(entry) => self.locals.add(entry),
            // Its connection has gone meanwhile.
            News::Welcome(welcome) => {
                self.unwelcomed -= 1;
                self.give_back(welcome.topic);
            }
            // A turn ends with a flush.
            News::Room => {}
        }
    }

    /// A turn is over: this worker's box was emptied, and others may have emptied theirs.
    pub(super) fn turned(&mut self) {
        self.postman.hub().emptied(self.worker);
        self.postman.flush();
    }

    /// A topic's home welcomes a connection: it gets the history, and from now on what comes.
    pub(super) fn welcome(&mut self, member: &mut Member, welcome: Welcome, io: &mut Io<'_>) {
        self.unwelcomed -= 1;
        if self.take_in(&mut member.topics, &welcome, io.token) {
            self.send(member, &welcome.history, io);
        } else {
            self.give_back(welcome.topic);
        }
    }

    /// Takes a subscriber in, if this subscription, not merely one to the same topic, is still wanted: who left and came
    /// back before the first welcome gets two, and asked for the second one's history.
    fn take_in(&mut self, own: &mut Subscriptions, welcome: &Welcome, token: Token) -> bool {
        let Some(topic) = self.locals.number(&welcome.topic) else {
            return false;
        };
        let Some(subscription) = self.lists.find_mut(own, topic) else {
            return false;
        };
        if subscription.standing != Standing::awaited(welcome.ask) {
            return false;
        }
        let Some(standing) = self.locals.welcome(topic, token, welcome.number) else {
            return false;
        };
        subscription.standing = standing;
        true
    }

    fn send(&self, member: &mut Member, entries: &[Arc<Entry>], io: &mut Io<'_>) {
        let mut figures = TopicFigures::default();
        let bytes = entries.iter().map(|entry| entry.frame_bytes()).sum();
        if !member.websocket.may_send_shared(bytes, io) {
            return;
        }
        for entry in entries {
            let websocket = &mut member.websocket;
            let (sent, dropped) = websocket.send_shared(&entry.message, entry.key, io);
            match sent {
                Sent::Now | Sent::Queued => figures.delivered += 1,
                Sent::Dropped => figures.dropped += 1,
                Sent::Closed => {}
            }
            figures.dropped += u64::from(dropped);
        }
        figures.compressed = io.shared.shop.take_shared_made();
        self.postman.hub().counters.add(figures);
    }

    /// Whom to call next, because it has missed something.
    pub(super) fn next_call(&mut self) -> Option<Token> {
        self.missed.clear();
        let token = self.locals.next(&mut self.missed);
        let lost = self.locals.take_lost();
        if lost > 0 {
            self.postman.hub().counters.add(TopicFigures {
                lost,
                ..TopicFigures::default()
            });
        }
        token
    }

    /// Gives the connection that was to be called what it has missed.
    pub(super) fn deliver(&mut self, member: &mut Member, io: &mut Io<'_>) {
        let missed = std::mem::take(&mut self.missed);
        self.send(member, &missed, io);
        self.missed = missed;
    }
}

#[cfg(test)]
impl Topics {
    /// Whether nobody subscribes to anything, and nothing is kept.
    pub(in crate::server) fn is_empty(&self) -> bool {
        self.locals.is_empty()
            && self.lists.len() == 0
            && self.homes.is_empty()
            && self.unwelcomed == 0
    }
}

impl<H: Handler> Web<H> {
    /// The WebSocket is over: so are its subscriptions.
    pub(super) fn leave_all(&mut self, member: &mut Member) {
        self.topics.leave_all(&mut member.topics);
    }
}
