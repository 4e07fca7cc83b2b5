//! Brings one worker's news to the others, in order, also to one whose box is full.
//!
//! ```text
//!   send ──▶ box of worker 2: room? ──yes──▶ there
//!                 │ no: "I wait for you"
//!                 ▼
//!              waiting   17  18  welcome  19         what comes later goes behind
//!                 ▲
//!                 └── Room, from worker 2, when it has taken its mail ──▶ flush
//! ```
//!
//! Nobody blocks, and nobody asks again and again: who finds a full box announces that, then looks once more. The box's
//! owner looks for the announcement when it has emptied the box. One of them always sees the other. The owner's answer may
//! find a full box itself: then that worker has mail, so it makes a turn, and it flushes in every turn.
//!
//! What waits is bounded. Entries: 64 MiB for each worker; beyond it the oldest are given up, and the cursors of that
//! worker's subscribers see the gap. Welcomes: each worker asks for a bounded number. Leaves: one for each subscription.
//! It does not know what the news mean.

use std::collections::VecDeque;
use std::sync::Arc;

use super::hub::Refused;
use super::{Hub, News, WAITING_BYTES_MAX};
use crate::driver::Token;

/// Where a piece of news goes at its worker.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) enum To {
    /// To the worker itself.
    Worker,
    /// To one of its connections.
    Connection(Token),
}

/// What waits for one worker.
#[derive(Debug, Default)]
struct Waiting {
    /// Oldest first. An entry that was given up leaves its place empty.
    news: VecDeque<Option<(To, News)>>,
    /// How many places are empty: none at the front, and at most half of all.
    empty: usize,
    /// Bytes of the entries among it.
    bytes: usize,
    /// No entry stands in front of this place.
    first_entry: usize,
}

/// One worker's way to all of them, itself included.
#[derive(Debug)]
pub(in crate::server) struct Postman {
    hub: Arc<Hub>,
    waiting: Vec<Waiting>,
}

impl Postman {
    pub(in crate::server) fn new(hub: Arc<Hub>) -> Self {
        let workers = hub.workers();
        Self {
            hub,
            waiting: (0..workers).map(|_| Waiting::default()).collect(),
        }
    }

    /// What all workers share.
    pub(in crate::server) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Sends news, behind what waits for the same worker.
    pub(in crate::server) fn send(&mut self, worker: usize, to: To, news: News) {
        if !self.waiting[worker].news.is_empty() {
            self.waiting[worker].push(to, news);
        } else if let Err(news) = self.leave(worker, to, news) {
            self.waiting[worker].push(to, news);
        }
    }

    /// Sends news, unless it would have to wait. False then.
    pub(in crate::server) fn send_now(&mut self, worker: usize, news: News) -> bool {
        self.waiting[worker].news.is_empty() && self.hub.leave(worker, To::Worker, news).is_ok()
    }

    /// Brings what waits to where there is room again.
    pub(in crate::server) fn flush(&mut self) {
        for worker in 0..self.waiting.len() {
            while let Some((to, news)) = self.waiting[worker].pop() {
                if let Err(news) = self.leave(worker, to, news) {
                    self.waiting[worker].put_back(to, news);
                    break;
                }
            }
        }
    }

    /// Leaves news, or announces that somebody waits for room. News for a worker that has ended is forgotten.
    fn leave(&self, worker: usize, to: To, news: News) -> Result<(), News> {
        let mut refused = self.hub.leave(worker, to, news);
        if let Err(Refused::Full(news)) = refused {
            self.hub.announce(worker);
            refused = self.hub.leave(worker, to, news);
        }
        match refused {
            Err(Refused::Full(news)) => Err(news),
            Ok(()) | Err(Refused::Gone) => Ok(()),
        }
    }
}

impl Waiting {
    fn push(&mut self, to: To, news: News) {
        self.bytes += news.bytes();
        self.news.push_back(Some((to, news)));
        while self.bytes > WAITING_BYTES_MAX && self.first_entry + 1 < self.news.len() {
            let place = &mut self.news[self.first_entry];
            if let Some((_, News::Entry(entry))) = place {
                self.bytes -= entry.bytes();
                *place = None;
                self.empty += 1;
            }
            self.first_entry += 1;
        }
        self.close_gaps();
    }

    /// Forgets empty places: those at the front at once, those behind news that stay when they are more than half.
    fn close_gaps(&mut self) {
        while let Some(None) = self.news.front() {
            self.news.pop_front();
            self.first_entry = self.first_entry.saturating_sub(1);
            self.empty -= 1;
        }
        if self.empty > self.news.len() / 2 {
            self.news.retain(Option::is_some);
            self.first_entry = 0;
            self.empty = 0;
        }
    }

    fn pop(&mut self) -> Option<(To, News)> {
        let (to, news) = self.news.pop_front()??;
        self.first_entry = self.first_entry.saturating_sub(1);
        self.bytes -= news.bytes();
        self.close_gaps();
        Some((to, news))
    }

    fn put_back(&mut self, to: To, news: News) {
        self.bytes += news.bytes();
        self.news.push_front(Some((to, news)));
        self.first_entry = 0;
    }
}

#[cfg(test)]
mod tests;
