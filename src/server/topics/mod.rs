//! Publish and subscribe across all workers.
//!
//! ```text
//!   publish("news", …)                    home of "news": numbers, keeps history, encodes once
//!     any thread ───────letter──────────▶ worker 1
//!                                           │ one entry for each worker with subscribers
//!                              ┌────────────┼────────────┐
//!                              ▼            ▼            ▼
//!                           worker 0     worker 1     worker 2      a log and the subscribers' cursors
//!                            │ │ │        │ │ │        │ │ │        some hundred of them a turn
//!                            ▼ ▼ ▼        ▼ ▼ ▼        ▼ ▼ ▼
//! ```
//!
//! A topic exists as long as somebody subscribes to it or it has history. It has a home worker, by the hash of its name:
//! so its messages have one order for everybody. The encoded frame is shared by reference. A worker advances its
//! subscribers' cursors a few hundred a turn, and up to 64 messages that a subscriber has missed leave in one send:
//! publishing to 100,000 does not hold the loop, nor does a burst. Membership ends with the connection.
//!
//! Nothing is lost without being counted. News for a worker whose box is full waits at its sender, in order; what is given
//! up beyond the bound leaves a gap in the numbers, which each cursor sees.
//!
//! It knows no sockets; [`Socket`](super::Socket) subscribes, and the worker's service delivers.

mod cursors;
mod entry;
mod figures;
mod home;
mod hub;
mod local;
mod own;
mod postman;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use entry::Entry;
pub(super) use figures::Counters;
pub use figures::TopicFigures;
pub(super) use home::Homes;
pub(super) use hub::{Ask, Hub, News, Welcome, is_topic};
pub use hub::{PublishError, Publisher};
pub(super) use local::Locals;
pub(super) use own::{Lists, Standing, Subscription, Subscriptions};
pub(super) use postman::{Postman, To};

/// The most bytes of a topic's name.
pub const TOPIC_NAME_BYTES_MAX: usize = 255;

/// The most topics that one connection may subscribe to.
pub const SUBSCRIPTIONS_MAX: usize = 64;

/// The most bytes of messages that wait in one place: in a worker's box, at a worker for another one's box, or in a
/// worker's logs. One message may be larger by itself. Beyond it somebody publishes faster than a worker can deliver.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a message costs beside its bytes, wherever it waits: its records, what the allocator adds, and its place. Measured
/// as resident memory of 200,000 empty messages: 176 bytes each in a log, and a place before a box is 72 bytes larger.
/// Without it, 64 MiB of empty messages would be nearly 6 GiB of memory.
const RECORD_BYTES: usize = 256;

/// Gives back the memory of names that are forgotten, when seven of eight are: so rarely that each removal pays for one
/// move of a name at most.
fn give_back<T>(names: &mut HashMap<Arc<str>, T>) {
    const KEPT: usize = 1024;
    if names.capacity() > 2 * KEPT && names.len() < names.capacity() / 8 {
        names.shrink_to(KEPT.max(2 * names.len()));
    }
}
