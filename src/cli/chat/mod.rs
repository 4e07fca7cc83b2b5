//! `/chat`: one room in which everybody talks with everybody, in real time.
//!
//! ```text
//!   browser ── GET /chat, /chat/chat.css, /chat/chat.js ──▶ pages       three constants and their security fields
//!      │
//!      └────── WebSocket /chat/ws ──▶ guest ──▶ room ──▶ topic "chat" ──▶ every guest, on every worker
//!                                       │         │
//!                                    buckets   log: numbers, the last 50      herald: who is there, on change
//! ```
//!
//! # The protocol, `longshore.chat.v1`
//!
//! Each message is one JSON object in one text message. A member that is not listed here is refused, and so is a type.
//!
//! | from the browser | means |
//! |---|---|
//! | `{"type":"hello","name":"Ada","key":"…"}` | lets me in. `key`: 32 hexadecimal digits that only this tab knows; with it the tab gets its name back after a broken connection |
//! | the same with `"room":"…","since":17` | I was here and have everything up to number 17 |
//! | `{"type":"say","id":"…","text":"Hi!"}` | says this. `id`: 1–32 letters, digits or `-`, new for each message; a message that is sent again with its `id` is said once |
//! | `{"type":"alive"}` | are you? |
//!
//! | from the server | means |
//! |---|---|
//! | `{"type":"welcome","room":"…","name":"Ada","seat":4}` | you are in. A new `room` means that the server was restarted and counts from 1 again |
//! | `{"type":"history","messages":[…]}` | what you have missed, as far as it is kept: behind `welcome` |
//! | `{"type":"said","number":18,"time":…,"from":"Ada","id":"…","text":"Hi!"}` | somebody has said this. Numbers have no gap. `time` is in milliseconds since 1970 |
//! | `{"type":"who","members":[{"name":"Ada","online":true,"seen":…}]}` | who is there, and who was: the whole list, on change |
//! | `{"type":"replaced","seat":4}` | if that is yours: your tab has come back on another connection, so leave this one |
//! | `{"type":"alive"}` | yes |
//! | `{"type":"error","code":"rate","text":"…","id":"…","retry_ms":700}` | this was refused, and why, in words for the user. `id` and `retry_ms` where they apply |
//!
//! The codes: `name` `taken` `full` `text` `rate` `busy` are for users; `message` `hello` `again` `key` are a client's
//! faults.
//!
//! # Nothing is missed, nothing comes twice
//!
//! One lock orders the room. Who speaks numbers, keeps and publishes under it; who comes in subscribes and copies the
//! history under it. The topic's home takes letters in their order, so what is published later comes through the
//! subscription, and what was published before is in the copy. A client that comes back says how far it has come.
//!
//! That is also why a peer that does not read is disconnected (above 1 MiB) rather than served in part: it comes back and
//! gets exactly what it missed, by the same way as after any other break. To drop messages would need a second way.
//!
//! # What it does not know
//!
//! Who somebody really is. A name is nobody's after it was given up, and names that only look alike are different names.
//! It keeps nothing on disk: a restart forgets.

mod bucket;
mod guest;
mod herald;
mod log;
mod pages;
mod protocol;
mod room;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use guest::Guest;
pub(crate) use pages::{page, script, style};
pub(crate) use room::Room;

use longshore::{Replied, Reply, Request, Upgrade};

/// Opens the WebSocket, for the page's own origin only: another page that the user visits must not speak in its name.
pub(crate) fn upgrade(request: &Request<'_>, reply: Reply<'_>) -> Replied {
    let terms = Upgrade::new().protocols(&["longshore.chat.v1"]);
    reply
        .upgrade(request, &terms)
        .expect("no field is no wrong field")
}
