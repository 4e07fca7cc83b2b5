//! # 07: a chat room
//!
//! In 06 each client talked with the server. Here they talk with each other: whoever is in the room subscribes to a
//! *topic*, and what is published to it goes to all subscribers, on every worker thread.
//!
//! ```text
//!   Ada ── frame ──▶ worker 0 ── publish("room", …) ──▶ the topic's home: one order, the last 20 kept
//!                                                            │
//!   Ada, Bob ◀── frames ── worker 0 ◀────────────────────────┤
//!   Carol    ◀── frames ── worker 1 ◀────────────────────────┘
//! ```
//!
//! **Run it**, and open `http://127.0.0.1:8080/` in two windows:
//!
//! ```text
//! cargo run --release --example 07_chat -- 127.0.0.1:8080
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: there is no list of clients and no lock in this file; a message is encoded once, however many hear it; who
//! comes late hears the last 20 lines first (`subscribe`, with history); `closed` has no socket any more, so it speaks
//! through a `Publisher`, which any thread may hold; a message above 2000 bytes is refused by a limit, with close code 1009,
//! before this code sees it; a window that is closed without a word is found out by pings (`curl` does not answer them).
//!
//! **What it leaves out**: who somebody really is (two may have one name), how often one may speak, and what was missed
//! while a connection was broken. The chat of `longshore serve` (`/chat`: `src/cli/chat`) gives each name to one guest,
//! bounds how often one may speak, and tells what was missed. Who somebody really is, it does not know either.

use std::env;
use std::error::Error;

use longshore::http::Status;
use longshore::trace::Trace;
use longshore::ws::CloseCode;
use longshore::{
    Handler, Limits, Message, Publisher, Replied, Reply, Request, Server, Socket, sys,
};

const ROOM: &str = "room";
const HISTORY: u32 = 20;
const NAME_CHARS_MAX: usize = 32;

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<form id="form"><label>Your name, then what you want to say: <input id="text" autofocus autocomplete="off"></label></form>
<ul id="log" aria-live="polite"></ul>
<script>
const socket = new WebSocket(location.href.replace(/^http/, "ws") + "room");
const log = line => {
  const item = document.createElement("li");
  item.textContent = line; // text, never markup
  document.getElementById("log").prepend(item);
};
socket.onmessage = event => log(event.data);
socket.onclose = event => log("closed: " + event.code + " " + event.reason);
document.getElementById("form").onsubmit = event => {
  event.preventDefault();
  const text = document.getElementById("text");
  if (text.value) socket.send(text.value);
  text.value = "";
};
</script>
</html>
"#;

struct Chat {
    publisher: Publisher,
}

impl Handler for Chat {
    /// The name that each client gave with its first message.
    type Connection = Option<String>;

    fn request(
        &mut self,
        request: Request<'_>,
        reply: Reply<'_>,
        _: &mut Self::Connection,
    ) -> Replied {
        match request.path() {
            b"/" => reply.ok("text/html; charset=utf-8", PAGE.as_bytes()),
            // Only pages of this server may open it: another one would speak in its visitor's name.
            b"/room" => reply.websocket(&request),
            _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
        }
    }

    fn message(
        &mut self,
        message: Message<'_>,
        socket: &mut Socket<'_, '_>,
        name: &mut Self::Connection,
    ) {
        let Ok(text) = std::str::from_utf8(message.bytes) else {
            return socket.close(CloseCode::UNSUPPORTED, "text only");
        };
        if let Some(name) = name {
            self.say(&format!("{name}: {text}"));
            return;
        }
        let given = text.trim();
        if given.is_empty() || given.chars().count() > NAME_CHARS_MAX {
            return socket.close(CloseCode::POLICY, "a name has 1 to 32 characters");
        }
        if socket.subscribe(ROOM, HISTORY as usize).is_err() {
            return socket.close(CloseCode::TRY_LATER, "the room is full");
        }
        self.say(&format!("{given} has come in"));
        *name = Some(given.to_owned());
    }

    fn closed(&mut self, name: Self::Connection) {
        // Called for every connection, those that only fetched the page too.
        if let Some(name) = name {
            self.say(&format!("{name} has left"));
        }
    }
}

impl Chat {
    /// Tells everybody. While the server stops, or if one worker cannot keep up with all that is published, it is not said.
    fn say(&self, line: &str) {
        let _ = self.publisher.publish_text(ROOM, line);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let limits = Limits {
        message_bytes_max: 2000,
        topic_history_max: HISTORY,
        ..Limits::default()
    };
    let bound = Server::new()
        .trace(Trace::from_env()?)
        .listen(address.parse()?)
        .limits(limits)
        .bind()?;
    for address in bound.addresses() {
        println!("listening on http://{address}");
    }

    let stopper = bound.stopper();
    std::thread::spawn(move || sys::wait(&signals).map(|_| stopper.stop()));
    let publisher = bound.publisher();
    let report = bound.run(|_worker| Chat {
        publisher: publisher.clone(),
    })?;
    println!("{} messages heard", report.messages);
    Ok(())
}
