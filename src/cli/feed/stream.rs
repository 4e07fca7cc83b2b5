//! The event stream: a reply that goes on for as long as both sides like (WHATWG HTML §9.2).
//!
//! ```text
//!   room in the outbox ──▶ produce ──▶ the log behind the cursor ──▶ "id: 18\ndata: {…}\n\n"
//!                             │ nothing new: Later
//!   ticker ── an event ──▶ Wake ──▶ produce …
//! ```
//!
//! It owns a number, not a queue: what its peer has not read lies in the log, once for all of them.

use longshore::{Produced, Source, Wake};

use super::Feed;
use super::told::{self, Client};

/// Events at a time: some four KiB.
const STEP_EVENTS: usize = 32;

/// The body of one event stream.
#[derive(Debug)]
pub(super) struct EventStream {
    feed: Feed,
    number: u64,
    request_bytes: u64,
    /// The last event that it has told.
    cursor: u64,
    beats: u64,
    has_begun: bool,
}

impl EventStream {
    /// Goes on behind `after`. `wake` is its exchange's.
    pub(super) fn new(feed: &Feed, wake: Wake, after: u64, request_bytes: u64) -> Self {
        let mut desk = feed.lock();
        let (number, beats, last) = (desk.add_stream(wake), desk.beats, desk.log.last());
        drop(desk);
        Self {
            feed: feed.clone(),
            number,
            request_bytes,
            cursor: if after > last { 0 } else { after },
            beats,
            has_begun: false,
        }
    }
}

impl Source for EventStream {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        let desk = self.feed.lock();
        let since = desk.log.since(self.cursor, STEP_EVENTS);
        let (beats, is_closed) = (desk.beats, desk.closed);
        drop(desk);
        let client = Client {
            feed: self.feed.name(),
            request_bytes: self.request_bytes,
        };
        let begins = !std::mem::replace(&mut self.has_begun, true);
        if begins {
            told::stream_begins(out);
        }
        if begins || since.missed > 0 {
            told::stream_state(out, client, since.last, since.missed);
        } else if since.events.is_empty() && self.beats != beats {
            told::stream_alive(out);
        }
        self.beats = beats;
        for event in &since.events {
            told::stream_event(out, event);
            self.cursor = event.id;
        }
        match self.cursor < since.last {
            true => Produced::More,
            false if is_closed => Produced::End,
            false => Produced::Later,
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.feed.lock().remove_stream(self.number);
    }
}
