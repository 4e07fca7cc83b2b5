//! **longshore** is a low-level socket server for Linux: a hand-built loop over raw sockets, on epoll, io_uring or mio,
//! with HTTP/1.1 and zero-copy WebSocket on top.
//!
//! This file is the map. The modules stand in the order of the network stack, and a layer uses only those below it:
//!
//! ```text
//!                your Handler                                           refuses to know
//!   ┌───────────────────────────────────────────────────┐
//!   │ 7 server   Server, Handler, Request, Reply, Ticket │  descriptors, backends, frames
//!   │            EventLoop, Protocol: bytes of your own  │
//!   │   client   a WebSocket that blocks, for any stream │  backends, HTTP beyond the handshake
//!   ├───────────────────────────────────────────────────┤
//!   │   trace    what the layers below do, as events     │  drivers, servers; how it is shown is a sink
//!   │ 6 reactor  wait ▶ dispatch ▶ settle ▶ mail ▶ time  │  what the bytes mean; system calls
//!   ├───────────────────────────────────────────────────┤
//!   │ 5 conn     one connection: life, timers, wishes    │  system calls, the clock, threads
//!   ├─────────────────────────┬─────────────────────────┤
//!   │ 4 http     heads, bodies │ ws   frames, messages   │  sockets, time, memory to keep, each other
//!   ├─────────────────────────┴─────────────────────────┤
//!   │ 3 driver   lend in, move out: epoll, mio, io_uring │  protocols, deadlines, limits on what waits
//!   ├───────────────────────────────────────────────────┤
//!   │ 2 buf      bytes: lent, kept, leaving              │  sockets, protocols
//!   ├───────────────────────────────────────────────────┤
//!   │ 1 sys      one function for each system call       │  state, policy, what the bytes mean
//!   └───────────────────────────────────────────────────┘
//!                the kernel                              limits: every bound, for all layers
//! ```
//!
//! Three sentences carry most of it. *Protocols never touch sockets*: bytes and the time go in, events and bytes come out.
//! *Input is lent, output is moved*: received bytes are borrowed for one dispatch, bytes to be sent change owner. *One
//! place turns wishes into I/O*: the reactor's settle.
//!
//! # A server
//!
#![cfg_attr(feature = "server", doc = "```")]
#![cfg_attr(not(feature = "server"), doc = "```ignore")]
//! use longshore::{Handler, Replied, Reply, Request, Server, http::Status};
//!
//! struct Hello;
//!
//! impl Handler for Hello {
//!     type Connection = ();
//!
//!     fn request(&mut self, request: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
//!         match request.path() {
//!             b"/" => reply.text("Hello, World!"),
//!             _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bound = Server::new().listen("127.0.0.1:0".parse()?).bind()?;
//! for address in bound.addresses() {
//!     println!("listening on http://{address}");
//! }
//! let stopper = bound.stopper(); // for another thread
//! # stopper.stop();
//! let report = bound.run(|_worker| Hello)?;
//! println!("{} requests", report.requests);
//! # Ok(())
//! # }
//! ```
//!
//! # A protocol of your own
//!
//! [`EventLoop`] runs a [`Protocol`] over TCP, UDP and Unix sockets, on the same loop and backends: until it is stopped, or
//! turn by turn inside a loop of yours. HTTP can be such a guest too: [`Server::into_loop`].
//!
//! # The parsers alone
//!
//! [`http::Decoder`] and [`ws::Decoder`] turn bytes into events, over any sockets or none. They allocate nothing, and go
//! on at whatever byte the input was cut. The system calls of [`sys`] can be used alone too, and watched.
//!
//! ```
//! use longshore::buf::Input;
//! use longshore::http::{Decoder, Event, HeadLimits};
//!
//! let mut bytes = *b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
//! let mut input = Input::new(&mut bytes);
//! let Some(Event::Head(head)) = Decoder::new().next(&mut input, &HeadLimits::default())? else {
//!     panic!("the head is complete")
//! };
//! assert_eq!(head.target.path(), b"/hello");
//! # Ok::<(), longshore::http::Error>(())
//! ```
//!
//! # Where to start reading
//!
//! - To learn system calls: `docs/book`, chapter by chapter, with `longshore lab` beside it; `examples/01` to `16`, in order;
//!   then [`sys`], from `socket.rs` on.
//! - To follow one request: `reactor/turn.rs` (a turn), `conn/connection.rs` (bytes reach the protocol),
//!   `server/web/http.rs` (the handler is called), `reactor/settle.rs` (the reply leaves).
//! - To compare backends: `driver/mod.rs` holds the contract; `driver/epoll.rs` with `driver/readiness`, and
//!   `driver/uring`, keep it in two ways; `driver/conformance` proves it.
//! - To learn the protocols: `http/head.rs` and `ws/frame.rs`, beside RFC 9112 and RFC 6455.
//!
//! `docs/DESIGN.md` gives the reasons, `docs/LIMITS.md` every limit and the attack that it stops.
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `epoll` | the epoll backend, and with it the server |
//! | `io-uring` | the io_uring backend (Linux 6.1), and with it the server |
//! | `mio` | the mio backend, and with it the server |
//! | `server` | the loop and the server; comes with each backend and is of no use without one |
//! | `cli` | the `longshore` program, with `trace` |
//! | `trace` | every system call as an event, `Server::trace`, and the packets beside them |
//! | `gzip` | compressed replies |
//! | `deflate` | compressed WebSocket messages |
//! | `tracing` | events for a subscriber of the `tracing` crate; off by default |
//!
//! All but the last are on by default. Without any there are [`sys`], [`http`], [`ws`], [`client`] and [`buf::Input`].
#![deny(unsafe_code)]

pub mod sys;

pub mod buf;

// The seam is whole from the start: clients, datagrams, files and shared parts are carried by all drivers and tested by
// their conformance suite, before the layers that use them exist.
#[cfg_attr(not(test), expect(dead_code))]
#[cfg(feature = "server")]
pub(crate) mod driver;

pub mod http;

pub mod ws;

#[cfg(feature = "server")]
pub(crate) mod conn;

#[cfg(feature = "trace")]
pub mod trace;

#[cfg(feature = "server")]
pub(crate) mod reactor;

#[cfg(feature = "server")]
mod server;

pub mod client;

// What an operator can listen to, told from all layers.
#[cfg(feature = "server")]
pub(crate) mod events;

#[cfg(feature = "server")]
mod limits;

#[cfg(feature = "server")]
pub use limits::Limits;
#[cfg(feature = "server")]
pub use server::*;
