//! Layer 7, the client: a WebSocket that blocks, over any stream, on the state machines that the server uses.
//!
//! ```text
//!   uri ──▶ connect ──▶ handshake ──▶ WebSocket
//!           TCP         GET, 101        │  send ──▶ mask ──▶ frames ──▶ write     masks: getrandom(2)
//!                                       │  next ◀── Decoder ◀── bytes ◀── read    pings are answered here
//!                                       └─ close ─▶ Session: who has closed, who waits for whom
//! ```
//!
//! For tests, scripts and tools: one thread, one connection, calls that return when they are done. No thread is started
//! and nothing happens between calls, so that a Ping is answered when [`WebSocket::next`] is called, and not before. While
//! a send waits for the peer to read, nothing is received.
//!
//! Messages are compressed if [`Options`] offers that and the server agrees (feature `deflate`); a send may decline.
//!
//! The server is not trusted: what it says is bounded in size and time, and every rule of RFC 6455 that it breaks ends the
//! connection with the rule's close code. It does not know TLS ([`WebSocket::handshake`] takes a stream that does),
//! proxies or cookies, and it follows no redirect: [`Refused`] says where one points.
//!
//! Replies of plain HTTP are read by [`ReplyDecoder`], on whatever sockets; requests are so few bytes that a program can
//! write them itself.
//!
#![cfg_attr(feature = "server", doc = "```")]
#![cfg_attr(not(feature = "server"), doc = "```ignore")]
//! use longshore::client::{Event, Options, WebSocket};
//! use longshore::ws::{CloseCode, Kind};
//! # use longshore::{Handler, Message, Replied, Reply, Request, Server, Socket};
//! # struct Echo;
//! # impl Handler for Echo {
//! #     type Connection = ();
//! #     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
//! #         reply.websocket(&request)
//! #     }
//! #     fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
//! #         socket.send(message.kind, message.bytes);
//! #     }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bound = Server::new().listen("127.0.0.1:0".parse()?).bind()?;
//! # let uri = format!("ws://{}/echo", bound.addresses().next().expect("one"));
//! # let stopper = bound.stopper();
//! # let server = std::thread::spawn(move || bound.run(|_| Echo));
//!
//! let mut socket = WebSocket::connect(&uri, &Options::default())?; // an echo server
//! socket.send(Kind::Text, b"ahoy")?;
//! assert_eq!(socket.next()?, Event::Text("ahoy"));
//! socket.close(Some(CloseCode::NORMAL), "done")?;
//! assert_eq!(socket.next()?, Event::Closed(Some(CloseCode::NORMAL), ""));
//! # stopper.stop();
//! # server.join().expect("no panic")?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod connect;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "deflate")]
mod deflated;
#[cfg(not(feature = "deflate"))]
#[path = "undeflated.rs"]
mod deflated;
mod error;
mod fault;
mod handshake;
mod head;
mod incoming;
mod options;
mod outgoing;
mod patience;
mod random;
mod refused;
mod reply;
#[cfg(test)]
mod tests;
mod websocket;

#[cfg(feature = "deflate")]
pub use deflate::Deflate;
pub use error::Error;
pub use head::{HeadError, ReplyHead};
pub use options::Options;
pub use refused::Refused;
pub use reply::{ReplyDecoder, ReplyEvent, ReplyFault};
pub use websocket::{Event, WebSocket};
