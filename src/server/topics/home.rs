//! Topics at home here: who numbers their messages and keeps their history.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::postman::To;
use super::{Ask, Entry, News, Postman, TopicFigures, Welcome, give_back};
use crate::limits::Limits;
use crate::ws::Kind;

/// The most topics of one worker that have a history. Whoever publishes may invent names, and a topic with history is
/// never forgotten.
const HISTORIES_MAX: usize = 65_536;

/// A topic at home.
#[derive(Debug, Default)]
struct Home {
    /// The number of its last message.
    number: u64,
    history: VecDeque<Arc<Entry>>,
    history_bytes: usize,
    /// How many subscribers each worker has.
    subscribers: Vec<u32>,
}

/// The topics that are at home on one worker.
#[derive(Debug)]
pub(in crate::server) struct Homes {
    workers: usize,
    topics: HashMap<Arc<str>, Home>,
    /// How many of them have a history.
    histories: usize,
    /// How many messages of a topic are kept, and how many bytes of them at most.
    history_max: usize,
    history_bytes_max: usize,
}

impl Homes {
    pub(in crate::server) fn new(workers: usize, limits: &Limits) -> Self {
        Self {
            workers,
            topics: HashMap::new(),
            histories: 0,
            history_max: limits.topic_history_max as usize,
            history_bytes_max: limits.topic_history_bytes_max,
        }
    }

    /// Numbers a message, keeps it, and sends it to each worker with subscribers. When as many topics as may have a
    /// history, the others get none.
    pub(in crate::server) fn publish(
        &mut self,
        topic: &Arc<str>,
        kind: Kind,
        payload: &[u8],
        key: Option<u64>,
        postman: &mut Postman,
    ) {
        let home = self.topics.get(topic);
        let kept = home.is_some_and(|home| !home.history.is_empty());
        let keeps = self.history_max > 0 && (kept || self.histories < HISTORIES_MAX);
        if !keeps && !self.topics.contains_key(topic) {
            // Nobody listens, and nothing is kept.
            return;
        }
        let home = self.topics.entry(topic.clone()).or_default();
        home.number += 1;
        let entry = Arc::new(Entry::new(topic.clone(), home.number, kind, payload, key));
        postman.hub().counters.add(TopicFigures {
            encoded: 1,
            ..TopicFigures::default()
        });
        for (worker, _) in home
            .subscribers
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            postman.send(worker, To::Worker, News::Entry(entry.clone()));
        }
        if keeps {
            home.keep(entry, self.history_max, self.history_bytes_max);
            let keeps = !home.history.is_empty();
            self.histories = self.histories + usize::from(keeps) - usize::from(kept);
            // The message alone may have been longer than a history.
            if home.is_over() {
                self.topics.remove(topic);
            }
        }
    }

    /// Takes a subscriber in, and sends it what it wants of the history.
    pub(in crate::server) fn subscribe(
        &mut self,
        topic: Arc<str>,
        ask: Ask,
        history: usize,
        postman: &mut Postman,
    ) {
        let home = self.topics.entry(topic.clone()).or_default();
        home.subscribers.resize(self.workers, 0);
        home.subscribers[ask.worker] += 1;
        let skipped = home.history.len().saturating_sub(history);
        let welcome = Welcome {
            topic,
            ask: ask.number,
            number: home.number,
            history: home.history.iter().skip(skipped).cloned().collect(),
        };
        let to = To::Connection(ask.token);
        postman.send(ask.worker, to, News::Welcome(welcome));
    }

    /// Lets a subscriber go. A topic without subscribers and history is forgotten.
    pub(in crate::server) fn leave(&mut self, topic: &Arc<str>, worker: usize) {
        let Some(home) = self.topics.get_mut(topic) else {
            return;
        };
        if let Some(count) = home.subscribers.get_mut(worker) {
            *count = count.saturating_sub(1);
        }
        if home.is_over() {
            self.topics.remove(topic);
            give_back(&mut self.topics);
        }
    }
}

#[cfg(test)]
impl Homes {
    /// Whether nothing is at home here.
    pub(in crate::server) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// How many topics are at home here.
    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }
}

impl Home {
    /// Whether nobody subscribes and nothing is kept.
    fn is_over(&self) -> bool {
        self.history.is_empty() && self.subscribers.iter().all(|count| *count == 0)
    }

    fn keep(&mut self, entry: Arc<Entry>, most: usize, bytes_max: usize) {
        self.history_bytes += entry.bytes();
        self.history.push_back(entry);
        while self.history.len() > most || self.history_bytes > bytes_max {
            let Some(oldest) = self.history.pop_front() else {
                return;
            };
            self.history_bytes -= oldest.bytes();
        }
    }
}
