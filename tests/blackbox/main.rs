//! Black-box tests: `longshore serve` as a process of its own, spoken to over raw sockets, on every backend.
//!
//! ```text
//!   http         what is answered                           connections  in which order, and until when
//!   refusals     what is refused, and how it ends           websocket    frames, pings, large messages
//!   hostile      peers that reset, drip, or never read      memory       what such peers can make it keep
//!   slow         peers that take their time                 identical    the same bytes on every backend
//!   exhaustion   no descriptors left                        stop         signals
//!   listen       addresses                                  cli          mistakes, doctor, output
//!   rfc          RFC 9110 and 9112, case by case            access_log   the access log
//!   pieces       messages that are never held whole         sessions     pongs, deadlines, how WebSockets end
//!   deflate      bombs, and what ten thousand compressed connections cost
//!   held_up      signals while something holds the program up
//!   static_files files: their bytes, their paths, and what becomes of them meanwhile
//! ```
//!
//! The tests know the documented behaviour and nothing of the inside. They assert outcomes; a time appears only as a
//! bound on waiting. Run one topic with `cargo test --test blackbox http::`.
#![forbid(unsafe_code)]

mod access_log;
mod cli;
mod connections;
#[cfg(feature = "deflate")]
mod deflate;
mod exhaustion;
mod frames;
mod held_up;
mod hostile;
mod http;
mod identical;
mod listen;
mod memory;
mod peer;
mod pieces;
mod refusals;
mod rfc;
mod server;
mod sessions;
mod slow;
mod static_files;
mod stop;
mod websocket;
