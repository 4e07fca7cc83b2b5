//! `/feed`: the same numbered events, told in the four ways in which a server can get news to a client.
//!
//! ```text
//!   ticker ──▶ desk: number, keep the last 256 ─┬─▶ log ◀──── poll            "what is new?", again and again
//!   a thread, while somebody listens            ├─▶ tickets ─▶ long poll      "tell me when there is something"
//!                                               ├─▶ wakes ──▶ event stream    one reply that does not end (SSE)
//!                                               └─▶ topic ──▶ WebSocket       frames, when there is something
//! ```
//!
//! | path | asked with | answers |
//! |---|---|---|
//! | `/feed` | | the page that runs all four beside each other |
//! | `/feed/poll` | `?after=17` | at once: the list of what came behind 17, which may be empty |
//! | `/feed/long-poll` | `?after=17` | the same, but an empty list waits for the next event, for `--feed-wait` at most |
//! | `/feed/events` | `Last-Event-ID: 17`, or `?after=17` | an event stream (WHATWG HTML §9.2), until the client or the server ends it |
//! | `/feed/ws` | `?after=17` | a WebSocket that only the server speaks on |
//!
//! # What is told
//!
//! An event is the same JSON object everywhere, byte for byte: `{"id":18,"at_us":1763732249123456,"text":"…"}`. Its `id` counts from
//! 1 without a gap, `at_us` is the server's time in microseconds since 1970. Before the first event, and again before one
//! that does not follow the last, comes the state of the feed:
//!
//! ```json
//! {"feed":"90cf4b1e22d39a57","last":17,"missed":0,"request_bytes":78}
//! ```
//!
//! `feed` is new when the server was restarted: numbers begin at 1 again. `last` is the number of the last event of all.
//! So many events were `missed` because they are not kept any more. `request_bytes` is what the request's head had, which a
//! browser does not tell its page. Lists are the state with `"events":[…]` in it; the event stream has it as an event of
//! type `feed`, the WebSocket as a message.
//!
//! Without `after` everything that is kept is new. An `after` above `last` is a number of another life of the server, and
//! counts as none. `after`, and `Last-Event-ID`, may be there once, and what need not be percent-encoded in a query may be.
//!
//! # Nothing is lost, nothing comes twice
//!
//! One lock orders the feed, as it does the chat's room: an event is numbered, kept and published under it, and a WebSocket
//! subscribes and copies what it has missed under it. The event stream asks the log whenever its peer has room, so one that
//! reads slowly costs no memory; fallen behind by more than is kept, it is told how many it missed. A WebSocket that does
//! not read is disconnected above 1 MiB, and comes back with `after`.
//!
//! # What it does not know
//!
//! What the events mean, and which of the four is best: that is what the page shows.

mod answers;
mod asked;
mod desk;
mod log;
mod options;
mod pages;
mod route;
mod stream;
#[cfg(test)]
mod tests;
mod ticker;
mod told;

pub(crate) use answers::{answer, opened, spoken_to};
pub(crate) use options::FeedOptions;
pub(crate) use route::Route;
pub(crate) use ticker::{Feed, Listening};
