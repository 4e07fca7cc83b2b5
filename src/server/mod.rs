//! Layer 7, the door: what an application sees.
//!
//! ```text
//!   Server ── one thread per worker ──▶ Reactor ──▶ Web (HTTP, then WebSocket) ──▶ your Handler
//! ```
//!
//! Below it lies a lower door: an [`EventLoop`] for protocols that are not HTTP, and for turns inside another loop.
//!
//! A [`Handler`] answers requests and WebSocket messages; [`Server`] binds the addresses, chooses the backend and runs
//! the workers. Nothing here is reached by bytes that were not checked below.
#![forbid(unsafe_code)]

mod access;
mod answer;
mod backend;
mod bind;
mod body_sender;
#[cfg(feature = "gzip")]
mod compression;
#[cfg(not(feature = "gzip"))]
#[path = "uncompressed.rs"]
mod compression;
mod config;
mod event_loop;
mod files;
mod gate;
mod guarded;
mod handler;
mod incoming;
mod ledger;
mod planned;
mod presence;
mod reply;
mod report;
mod request;
mod run;
mod socket;
mod stop;
mod tables;
#[cfg(test)]
mod tests;
mod ticket;
mod topics;
#[cfg(feature = "bench")]
mod turns;
mod upgrade;
mod wake;
mod watched;
mod web;

pub use access::{ACCESS_QUEUE_BYTES, AccessFormat, AccessLog, AccessTarget};
pub use backend::{Backend, BackendError, Chosen};
pub use bind::ServerError;
pub use body_sender::{BodySender, SendError};
#[cfg(feature = "gzip")]
pub use compression::Compression;
pub use config::{Server, Workers};
pub use event_loop::{
    Connect, ConnectionId, DATAGRAM_BYTES_WAITING_MAX, DATAGRAMS_WAITING_MAX, Datagram,
    DatagramDropped, DatagramSocket, Errands, EventLoop, Letterbox, Listen, Listening, LoopOptions,
    MailError, Origin, Protocol, ServerLoop, SocketId, Wire,
};
pub use files::{Files, FilesError, Piece, Plan, PlanBody};
pub use handler::{Body, Handler};
pub use incoming::Incoming;
pub use ledger::{Ledger, LedgerFigures};
pub use presence::{EnterError, MEMBER_NAME_BYTES_MAX, Member, Presence, Seat};
pub use reply::{Replied, Reply, ReplyFields};
pub use report::Report;
pub use request::Request;
pub use run::Bound;
pub use socket::{Message, MessagePiece, Socket};
pub use stop::Stopper;
pub use ticket::{Response, Ticket};
pub use topics::{PublishError, Publisher, SUBSCRIPTIONS_MAX, TOPIC_NAME_BYTES_MAX, TopicFigures};
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use turns::Turns;
pub use upgrade::{Origins, Upgrade};
pub use wake::Wake;
pub use web::SubscribeError;

pub use crate::conn::backlog::SlowPeer;
#[cfg(feature = "deflate")]
pub use crate::conn::deflated::Deflate;
pub use crate::conn::outgoing::{Produced, Source};
pub use crate::conn::websocket::Sent;
