//! The way of events from the threads that are watched to the one that prints: bounded, and nothing is lost.
//!
//! Each thread's events stand in their order; whose come first among threads is the collector's to find out. When it is
//! full the watched thread waits: a trace that cannot be written as fast as things happen slows the program down, as strace
//! does.
//!
//! It does not know what is in an event.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Event;

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// There is room.
    room: Condvar,
    /// There is something, or no more will come.
    filled: Condvar,
    events_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(events_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            room: Condvar::new(),
            filled: Condvar::new(),
            events_max: events_max.max(1),
        }
    }

    /// A thread that panicked in here has left the queue usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the events of one moment in, behind all others; waits for room. After [`close`](Self::close) they are dropped.
    pub(super) fn push(&self, events: &mut Vec<Event>) {
        let mut inner = self.lock();
        while inner.events.len() >= self.events_max && !inner.closed {
            inner = self
                .room
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            events.clear();
            return;
        }
        inner.events.extend(events.drain(..));
        self.filled.notify_one();
    }

    /// Puts an event in that happened at a time of its own, as packets do: the collector finds its place. It never waits,
    /// since nobody stops the wire: false if there is no room, which is twice that of the threads that wait.
    pub(super) fn insert(&self, event: Event) -> bool {
        let mut inner = self.lock();
        let has_room = inner.events.len() < 2 * self.events_max;
        if !inner.closed && has_room {
            inner.events.push_back(event);
            self.filled.notify_one();
        }
        has_room
    }

    /// Takes everything, after waiting for something at most `patience`. `None` when it is closed and empty.
    pub(super) fn take(&self, patience: Option<Duration>) -> Option<VecDeque<Event>> {
        let inner = self.lock();
        let waits = |inner: &mut Inner| inner.events.is_empty() && !inner.closed;
        let inner = match patience {
            None => self.filled.wait_while(inner, waits),
            Some(patience) => {
                let waited = self.filled.wait_timeout_while(inner, patience, waits);
                Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
            }
        };
        let inner = inner.unwrap_or_else(PoisonError::into_inner);
        if inner.events.is_empty() && inner.closed {
            return None;
        }
        Some(self.emptied(inner))
    }

    /// Takes everything that is there.
    pub(super) fn take_now(&self) -> VecDeque<Event> {
        self.emptied(self.lock())
    }

    fn emptied(&self, mut inner: MutexGuard<'_, Inner>) -> VecDeque<Event> {
        self.room.notify_all();
        std::mem::take(&mut inner.events)
    }

    /// Lets nothing more in, and nobody wait.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
        self.filled.notify_all();
    }
}
