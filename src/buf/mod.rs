//! Layer 2, memory: bytes that are lent, bytes that are kept, bytes that leave.
//!
//! ```text
//!   kernel ──recv──▶ Input (lent, one dispatch) ──▶ decoder
//!                        │ unfinished unit, or the peer is not reading
//!                        ▼
//!                      Inbox (kept)
//!
//!   encoder ──▶ OutBuf (from the Pool) ──moved──▶ SendBuf ──▶ driver ──send──▶ kernel
//!                        │ a send is already in flight
//!                        ▼
//!                      Outbox (waits)
//! ```
//!
//! An idle connection owns none of them. This layer knows sizes and owners; it does not know sockets or protocols.
#![forbid(unsafe_code)]

mod budget;
mod inbox;
mod input;
mod outbox;
mod part;
mod pool;
mod slab;

pub(crate) use budget::{Budget, Ceiling};
pub(crate) use inbox::Inbox;
pub use input::Input;
pub(crate) use outbox::Outbox;
pub(crate) use part::{PARTS_MAX, Part, SendBuf};
pub(crate) use pool::Pool;
pub(crate) use slab::Slab;

#[cfg(test)]
mod tests;
