//! Layer 2, memory: bytes that are lent, bytes that are kept, bytes that leave.
//!
//! ```text
//!   kernel ──recv──▶ Input (lent, one dispatch) ──▶ decoder
//!                        │ unfinished unit, or the peer is not reading
//!                        ▼
//!                      Inbox (kept)
//!
//!   encoder ──▶ Part (a buffer from the Pool) ──┬─moved─▶ SendBuf ──▶ driver ──send──▶ kernel
//!   file ─────▶ FileSlice (a range, no bytes) ──┤            ▲  └─ comes back when it is over: buffers to the Pool
//!                   a send is already in flight │            │
//!                                               └─▶ Outbox (waits)
//! ```
//!
//! An idle connection owns none of them. This layer knows sizes and owners; it does not know sockets or protocols.
#![forbid(unsafe_code)]

// A build without any backend has the parsers, which need `Input` alone.
#[cfg(feature = "server")]
mod budget;
#[cfg(feature = "server")]
mod inbox;
mod input;
#[cfg(feature = "server")]
mod outbox;
#[cfg(feature = "server")]
mod part;
#[cfg(feature = "server")]
mod places;
#[cfg(feature = "server")]
mod pool;
#[cfg(feature = "server")]
mod slab;

#[cfg(all(feature = "server", feature = "deflate"))]
pub(crate) use budget::Charge;
#[cfg(feature = "server")]
pub(crate) use budget::{Budget, Ceiling};
#[cfg(feature = "server")]
pub(crate) use inbox::Inbox;
pub use input::Input;
#[cfg(feature = "server")]
pub(crate) use outbox::Outbox;
#[cfg(feature = "server")]
pub(crate) use part::{FILE_STAGE_BYTES, FileSlice, PARTS_MAX, Part, SendBuf};
#[cfg(feature = "server")]
pub(crate) use places::Places;
#[cfg(feature = "server")]
pub(crate) use pool::Pool;
#[cfg(feature = "server")]
pub(crate) use slab::Slab;

#[cfg(all(test, feature = "server"))]
mod tests;
