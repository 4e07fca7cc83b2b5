//! A WebSocket and the topics that it subscribes to.

use std::sync::Arc;

use super::Web;
use crate::conn::Io;
use crate::conn::websocket::WebSocket;
use crate::driver::Token;
use crate::server::topics::{Entry, Homes, Hub, Locals, News, Publisher, is_topic};
use crate::server::{Handler, SUBSCRIPTIONS_MAX};

/// A WebSocket connection, as the service keeps it.
pub(crate) struct Member {
    pub(in crate::server) websocket: WebSocket,
    /// The topics that it subscribes to; most connections have none.
    pub(in crate::server) topics: Option<Box<Subscriptions>>,
}

/// The topics that a connection subscribes to.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Arc<str>>);

/// Why a subscription was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The topic's name is empty or longer than 255 bytes.
    InvalidTopic,
    /// The connection subscribes to 64 topics already.
    TooMany,
}

impl Member {
    pub(super) fn new(websocket: WebSocket) -> Self {
        Self {
            websocket,
            topics: None,
        }
    }

    fn subscribes_to(&self, topic: &str) -> bool {
        self.topics
            .as_ref()
            .is_some_and(|topics| topics.0.iter().any(|own| **own == *topic))
    }
}

/// One worker's part in all topics.
#[derive(Debug)]
pub(in crate::server) struct Topics {
    worker: usize,
    pub(super) hub: Arc<Hub>,
    pub(super) homes: Homes,
    pub(super) locals: Locals,
    /// What the connection that is called next has missed.
    missed: Vec<Arc<Entry>>,
}

impl Topics {
    pub(in crate::server) fn new(worker: usize, hub: Arc<Hub>, homes: Homes) -> Self {
        Self {
            worker,
            hub,
            homes,
            locals: Locals::default(),
            missed: Vec::new(),
        }
    }

    /// Those of a worker that is alone.
    #[cfg(test)]
    pub(in crate::server) fn alone() -> Self {
        let hub = Hub::new(1);
        let homes = Homes::new(hub.clone(), 1, &crate::limits::Limits::default());
        Self::new(0, hub, homes)
    }

    /// Publishes.
    pub(in crate::server) fn publisher(&self) -> Publisher {
        Publisher {
            hub: self.hub.clone(),
        }
    }

    /// A connection wants to subscribe; its topic's home welcomes it.
    pub(in crate::server) fn subscribe(
        &self,
        topics: &mut Option<Box<Subscriptions>>,
        topic: &str,
        history: usize,
        token: Token,
    ) -> Result<(), SubscribeError> {
        if !is_topic(topic) {
            return Err(SubscribeError::InvalidTopic);
        }
        let own = &mut topics.get_or_insert_default().0;
        if own.iter().any(|own| **own == *topic) {
            return Ok(());
        }
        if own.len() >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany);
        }
        let topic: Arc<str> = topic.into();
        own.push(topic.clone());
        let news = News::Subscribe {
            worker: self.worker,
            token,
            history,
            topic: topic.clone(),
        };
        self.hub.tell(self.hub.home(&topic), news);
        Ok(())
    }

    /// A connection leaves a topic.
    pub(in crate::server) fn leave(
        &mut self,
        topics: &mut Option<Box<Subscriptions>>,
        topic: &str,
        token: Token,
    ) {
        let Some(Subscriptions(own)) = topics.as_deref_mut() else {
            return;
        };
        let Some(place) = own.iter().position(|own| **own == *topic) else {
            return;
        };
        let topic = own.swap_remove(place);
        self.left(topic, token);
    }

    /// A subscription is over. One that was not welcomed yet is given back when the welcome comes.
    pub(super) fn left(&mut self, topic: Arc<str>, token: Token) {
        if self.locals.leave(&topic, token) {
            self.give_back(topic);
        }
    }

    fn give_back(&self, topic: Arc<str>) {
        let home = self.hub.home(&topic);
        let worker = self.worker;
        self.hub.tell(home, News::Leave { topic, worker });
    }

    /// News for this worker: as a topic's home, or for its subscribers.
    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Publish {
                topic,
                kind,
                payload,
                key,
            } => self.homes.publish(topic, kind, &payload, key),
            News::Subscribe {
                topic,
                worker,
                token,
                history,
            } => self.homes.subscribe(topic, worker, token, history),
            News::Leave { topic, worker } => self.homes.leave(&topic, worker),
            News::Entry(entry) => self.locals.add(entry),
            // Its connection has gone meanwhile.
            News::Welcome { topic, .. } => self.give_back(topic),
        }
    }

    /// A topic's home welcomes a connection: it gets the history, and from now on what comes.
    pub(super) fn welcome(
        &mut self,
        member: &mut Member,
        topic: Arc<str>,
        number: u64,
        history: &[Arc<Entry>],
        io: &mut Io<'_>,
    ) {
        if member.subscribes_to(&topic) && self.locals.welcome(&topic, io.token, number) {
            self.send(member, history, io);
        } else {
            self.give_back(topic);
        }
    }

    fn send(&self, member: &mut Member, entries: &[Arc<Entry>], io: &mut Io<'_>) {
        for entry in entries {
            let websocket = &mut member.websocket;
            websocket.send_shared(entry.kind, &entry.frame, entry.header, entry.key, io);
        }
        self.hub.count_delivered(entries.len() as u64);
    }

    /// Whom to call next, because it has missed something.
    pub(super) fn next_call(&mut self) -> Option<Token> {
        self.missed.clear();
        self.locals.next(&mut self.missed)
    }

    /// Gives the connection that was to be called what it has missed.
    pub(super) fn deliver(&mut self, member: &mut Member, io: &mut Io<'_>) {
        let missed = std::mem::take(&mut self.missed);
        self.send(member, &missed, io);
        self.missed = missed;
    }
}

impl<H: Handler> Web<H> {
    /// The WebSocket is over: so are its subscriptions.
    pub(super) fn leave_all(&mut self, member: &mut Member, token: Token) {
        for topic in member.topics.take().into_iter().flat_map(|topics| topics.0) {
            self.topics.left(topic, token);
        }
    }
}
