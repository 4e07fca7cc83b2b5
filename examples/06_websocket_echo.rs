//! # 06: WebSocket echo, with a page to talk to it
//!
//! A WebSocket begins as an HTTP request. The client asks for an upgrade and sends a key; the server proves with the
//! key's hash that it understood, answers 101, and from then on the same connection carries frames, in both directions,
//! whenever either side likes (RFC 6455).
//!
//! ```text
//!   GET / ───────────────────────▶ Handler::request ──▶ the page
//!   GET /echo, Upgrade: websocket ▶ Handler::request ──▶ reply.websocket(&request): 101
//!   frames ──▶ message ──────────▶ Handler::message ──▶ socket.send(…)
//!   a peer that goes away ───────▶ Handler::closed
//! ```
//!
//! **Run it**, and open `http://127.0.0.1:8080/` in a browser (or use a client, like `node`):
//!
//! ```text
//! cargo run --release --example 06_websocket_echo -- 127.0.0.1:8080
//! node -e 'const s = new WebSocket("ws://127.0.0.1:8080/echo"); s.onopen = () => s.send("ahoy");
//!          s.onmessage = e => { console.log(e.data); s.close() }'
//! curl -i http://127.0.0.1:8080/echo
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error, and the frames in them (docs/TRACE.md).
//!
//! **Look at**: a plain GET of `/echo` gets 426, because it asks for no upgrade; the greeting is sent in `opened`, and
//! leaves in the same send as what follows the 101; pings, Close frames, masks and UTF-8 are dealt with before `message`
//! is called; `Connection` is this program's memory of each client; a browser that is closed shows in `closed`.
//!
//! **What it leaves out**: the origin of the request, which a server with logins must check (RFC 6455 §10.2); more than
//! one client talking to another; subprotocols and compression.

use std::env;
use std::error::Error;

use longshore::http::Status;
use longshore::trace::Trace;
use longshore::{Handler, Message, Replied, Reply, Request, Server, Socket, sys};

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>WebSocket echo</title>
<form id="form"><input id="text" autofocus autocomplete="off" placeholder="say something"></form>
<pre id="log"></pre>
<script>
const log = line => document.getElementById("log").prepend(line + "\n");
const socket = new WebSocket(location.href.replace(/^http/, "ws") + "echo");
socket.onopen = () => log("open");
socket.onmessage = event => log("← " + event.data);
socket.onclose = event => log("closed: " + event.code + " " + event.reason);
document.getElementById("form").onsubmit = event => {
  event.preventDefault();
  const text = document.getElementById("text");
  log("→ " + text.value);
  socket.send(text.value);
  text.value = "";
};
</script>
</html>
"#;

struct Echo;

impl Handler for Echo {
    /// How many messages each client has sent.
    type Connection = u64;

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, _: &mut u64) -> Replied {
        match request.path() {
            b"/" => reply.ok("text/html; charset=utf-8", PAGE.as_bytes()),
            b"/echo" => reply.websocket(&request),
            _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
        }
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, _: &mut u64) {
        socket.send_text("ahoy");
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, messages: &mut u64) {
        *messages += 1;
        socket.send(message.kind, message.bytes);
    }

    fn closed(&mut self, messages: u64) {
        // Called for every connection, those that only fetched the page too.
        if messages > 0 {
            println!("a client has left after {messages} messages");
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let bound = Server::new()
        .listen(address.parse()?)
        .trace(Trace::from_env()?)
        .bind()?;
    for address in bound.addresses() {
        println!("listening on http://{address}");
    }

    let stopper = bound.stopper();
    std::thread::spawn(move || sys::wait(&signals).map(|_| stopper.stop()));
    let report = bound.run(|_worker| Echo)?;
    println!("{} messages echoed", report.messages);
    Ok(())
}
