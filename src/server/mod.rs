//! Layer 7, the door: what an application sees.
//!
//! ```text
//!   Server ── one thread per worker ──▶ Reactor ──▶ Web (HTTP, then WebSocket) ──▶ your Handler
//! ```
//!
//! A [`Handler`] answers requests and WebSocket messages; [`Server`] binds the addresses, chooses the backend and runs
//! the workers. Nothing here is reached by bytes that were not checked below.
#![forbid(unsafe_code)]

// Whole and tested, and waiting for the workers' calls.
#[cfg_attr(not(test), expect(dead_code))]
mod access;
mod backend;
mod bind;
mod config;
mod files;
mod handler;
mod reply;
mod report;
mod request;
mod run;
mod socket;
mod stop;
#[cfg(test)]
mod tests;
mod ticket;
mod web;

pub use access::{ACCESS_QUEUE_BYTES, AccessFormat, AccessLog, AccessTarget};
pub use backend::{Backend, BackendError, Chosen};
pub use bind::ServerError;
pub use config::{Server, Workers};
pub use files::{Files, FilesError, Piece, Plan, PlanBody};
pub use handler::{Body, Handler};
pub use reply::{Replied, Reply, ReplyFields};
pub use report::Report;
pub use request::Request;
pub use run::Bound;
pub use socket::{Message, Socket};
pub use stop::Stopper;
pub use ticket::{Response, Ticket};
