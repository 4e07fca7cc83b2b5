//! What an operator can listen to: one function for each thing that happens, told to a subscriber of the `tracing` crate.
//!
//! ```text
//!   server, reactor, conn ── events::… ──▶ tracing ──▶ the subscriber that the program has chosen, or nobody
//! ```
//!
//! All events have the target `longshore`. A connection is named by its index in its worker's table, which is used again
//! after it has closed.
//!
//! | level | events | why |
//! |---|---|---|
//! | ERROR | `worker failed`, `handler panicked` | a fault of ours or of the application |
//! | WARN | `accept failed`, `memory ceiling reached` | the machine or a limit is too small for the load |
//! | INFO | `worker started`, `listening`, `stop begun`, `stop ended` | the life of the server |
//! | DEBUG | `request answered`, `request refused`, `upgraded`, `timed out` | each exchange |
//! | TRACE | `connection accepted`, `connection closed` | each connection |
//!
//! What a peer can cause at will is DEBUG at most, so that no peer can flood a log that is read for warnings; the two
//! warnings tell of exhaustion, and a subscriber may want to limit their rate. Bytes of a peer are shown escaped.
//!
//! Without the feature `tracing` every function is empty and its arguments are not looked at. With it and without a
//! subscriber, a call costs one load of an atomic. It formats nothing itself, keeps nothing, and decides nothing.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::io;
use std::time::Duration;

/// Tells an event with `plain` fields, which are numbers, truths and text, and `shown` ones, which are anything that
/// can be displayed. Without the feature the fields are only type-checked.
macro_rules! tell {
    ($level:ident, $message:literal, plain($($plain:ident = $number:expr),*), shown($($shown:ident = $text:expr),*)) => {
        #[cfg(feature = "tracing")]
        tracing::event!(
            target: "longshore",
            tracing::Level::$level,
            $($plain = $number,)*
            $($shown = %$text,)*
            $message
        );
        #[cfg(not(feature = "tracing"))]
        if false {
            $(let _ = $number;)*
            $(let _ = $text;)*
        }
    };
}

/// A worker serves from now on. INFO: `worker`, `backend`, and `cpu` if it is kept on one.
pub(crate) fn worker_started(worker: usize, backend: &str, cpu: Option<usize>) {
    tell!(
        INFO,
        "worker started",
        plain(worker = worker, backend = backend, cpu = cpu),
        shown()
    );
}

/// A worker could not be set up, or its driver failed. ERROR: `worker`, `error`.
pub(crate) fn worker_failed(worker: usize, error: &io::Error) {
    tell!(
        ERROR,
        "worker failed",
        plain(worker = worker),
        shown(error = error)
    );
}

/// Clients can connect to an address. INFO: `address`.
pub(crate) fn listening(address: &impl Display) {
    tell!(INFO, "listening", plain(), shown(address = address));
}

/// A connection has come. TRACE: `connection`, `listener`.
pub(crate) fn accepted(connection: u32, listener: u32) {
    tell!(
        TRACE,
        "connection accepted",
        plain(connection = connection, listener = listener),
        shown()
    );
}

/// A connection has gone. TRACE: `connection`, and `ended`: whether the peer had sent its FIN before.
pub(crate) fn closed(connection: u32, ended: bool) {
    tell!(
        TRACE,
        "connection closed",
        plain(connection = connection, ended = ended),
        shown()
    );
}

/// A request was answered. DEBUG: `connection`, `method`, `target` (escaped), `status`, `bytes` of the reply's content,
/// and `duration_us` if it was measured.
pub(crate) fn answered(
    connection: u32,
    method: &[u8],
    target: &[u8],
    status: u16,
    bytes: u64,
    duration: Option<Duration>,
) {
    tell!(
        DEBUG,
        "request answered",
        plain(
            connection = connection,
            status = status,
            bytes = bytes,
            duration_us = duration.map(|duration| duration.as_micros() as u64)
        ),
        shown(
            method = method.escape_ascii(),
            target = target.escape_ascii()
        )
    );
}

/// A request was refused before a handler saw it. DEBUG: `connection`, `status`, `reason`.
pub(crate) fn refused(connection: u32, status: u16, reason: &str) {
    tell!(
        DEBUG,
        "request refused",
        plain(connection = connection, status = status, reason = reason),
        shown()
    );
}

/// A connection became a WebSocket. DEBUG: `connection`, `target` (escaped).
pub(crate) fn upgraded(connection: u32, target: &[u8]) {
    tell!(
        DEBUG,
        "upgraded",
        plain(connection = connection),
        shown(target = target.escape_ascii())
    );
}

/// A deadline has passed, and the connection ends for it. DEBUG: `connection`, and `limit`: the name of the field of
/// [`Limits`](crate::Limits), as `head_timeout`.
pub(crate) fn timed_out(connection: u32, limit: &'static str) {
    tell!(
        DEBUG,
        "timed out",
        plain(connection = connection, limit = limit),
        shown()
    );
}

/// Accepting rests, for lack of descriptors or memory. WARN: `error`.
pub(crate) fn accept_failed(error: &io::Error) {
    tell!(WARN, "accept failed", plain(), shown(error = error));
}

/// Work was refused at the server's memory ceiling. WARN: `connection`, `limit_bytes`.
pub(crate) fn memory_full(connection: u32, limit_bytes: usize) {
    tell!(
        WARN,
        "memory ceiling reached",
        plain(connection = connection, limit_bytes = limit_bytes),
        shown()
    );
}

/// A handler panicked; the panic hook has said where. ERROR: `connection`, and `call`: which of its functions, as
/// `request`. `connection` is `u32::MAX` where the call concerned none.
pub(crate) fn handler_panicked(connection: u32, call: &'static str) {
    tell!(
        ERROR,
        "handler panicked",
        plain(connection = connection, call = call),
        shown()
    );
}

/// A stop was asked for. INFO: `connections` that were open, `again`: whether it was asked for before.
pub(crate) fn stop_begun(connections: usize, again: bool) {
    tell!(
        INFO,
        "stop begun",
        plain(connections = connections, again = again),
        shown()
    );
}

/// The last connection has closed. INFO: `cut`: whether the time for it had passed.
pub(crate) fn stop_ended(cut: bool) {
    tell!(INFO, "stop ended", plain(cut = cut), shown());
}
