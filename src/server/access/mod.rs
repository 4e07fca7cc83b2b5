//! The access log: one line for each request, written by a thread of its own.
//!
//! ```text
//!   worker 0   AccessLines ──┐                      ┌──────────── writer thread ────────────┐
//!   worker 1   AccessLines ──┼──▶ Queue (4 MiB) ──▶ │ one write(2) for all that has gathered │ ──▶ file, FIFO, stdout
//!   worker 2   AccessLines ──┘    full: dropped,    └────────────────────────────────────────┘
//!              one batch a turn   and counted
//! ```
//!
//! A worker formats a line into its own batch and hands the batch over once per turn. Handing over never waits for the
//! disk: a log that cannot be written costs lines, never requests. How many it cost is told by [`AccessLog::dropped`].
//!
//! [`format`] lays out a line, [`escape`] keeps a peer's bytes from forging one, [`queue`] holds what waits, [`writer`]
//! writes it. None of them knows a connection, a reactor, or what a request means.

mod escape;
mod format;
mod lines;
mod log;
mod queue;
mod stamp;
mod target;
#[cfg(test)]
mod tests;
mod watch;
mod writer;

pub use format::AccessFormat;
pub(crate) use lines::{AccessLines, Entry};
pub use log::{ACCESS_QUEUE_BYTES, AccessLog};
pub use target::AccessTarget;
