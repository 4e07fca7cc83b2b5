//! Every limit in one table: what it bounds, its default, and what happens at it.
//!
//! All of them are on by default. Each exists because of an attack or a fault that it stops; `docs/LIMITS.md` says which.
#![forbid(unsafe_code)]

use std::time::Duration;

/// The limits of a server. Start from [`Limits::default`] and change what has to be different.
///
/// ```
/// use longshore::Limits;
///
/// let limits = Limits { head_bytes_max: 4096, ..Limits::default() };
/// assert_eq!(limits.fields_max, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request head, blank line included. Default 16 KiB. Above it: 431.
    pub head_bytes_max: u32,
    /// Fields of a request head. Default 100. Above it: 431.
    pub fields_max: u16,
    /// Bytes of a request target. Default 8 KiB. Above it: 414.
    pub target_bytes_max: u32,
    /// Bytes of all chunk extensions of one body. Default 4 KiB. Above it: 400.
    pub chunk_extension_bytes_max: u32,
    /// Bytes of a trailer section. Default 4 KiB. Above it: 431.
    pub trailer_bytes_max: u32,
    /// Bytes of a body that is collected for the handler. Default 1 MiB. Above it: 413, before reading if the length says so.
    pub collected_body_bytes_max: u64,
    /// Bytes of a body that the handler takes in pieces. Default 1 GiB. Above it: 413.
    pub streamed_body_bytes_max: u64,
    /// Requests of one connection. Default 0: no limit. The reply to the last one says `Connection: close`, and the
    /// connection ends (RFC 9112 §9.6).
    pub requests_per_connection_max: u32,
    /// Bytes of a WebSocket message, all fragments together. Default 16 MiB. Above it: close code 1009, from the header alone.
    pub message_bytes_max: u64,
    /// Bytes of a WebSocket message that the handler takes in pieces ([`Upgrade::pieces`](crate::Upgrade::pieces)), all
    /// fragments together, and inflated if it was compressed. Default 1 GiB. Above it: close code 1009.
    pub streamed_message_bytes_max: u64,
    /// Bytes waiting for one peer above which no more of its requests are read. Default 64 KiB.
    pub outbox_high_bytes: usize,
    /// Bytes waiting for one peer at or below which its requests are read again. Default 16 KiB. More than
    /// `outbox_high_bytes` counts as that.
    pub outbox_low_bytes: usize,
    /// Bytes waiting for one peer at which it is disconnected (or one message, if that is larger). Default 1 MiB.
    pub outbox_bytes_max: usize,
    /// Bytes that all peers together make the server keep: unfinished input, messages under assembly, unsent output.
    /// Default 1 GiB. At it: 503 or close code 1013 for new work.
    pub memory_bytes_max: usize,
    /// From the first byte of a head to its end. Default 10 s. After it: 408. Empty lines before a head are no part of it
    /// (RFC 9112 §2.2).
    pub head_timeout: Duration,
    /// From the connection to its first byte. Default 60 s. After it: closed silently.
    pub first_byte_timeout: Duration,
    /// From a reply to the first byte of the next request. Default 75 s. After it: closed silently.
    pub idle_timeout: Duration,
    /// How long a body is given before its rate is judged, and again from each judgement to the next. Default 10 s; less
    /// than 1 s counts as 1 s.
    pub body_grace: Duration,
    /// Bytes that a body brings in each second, on average over each [`body_grace`](Self::body_grace). Default 1024; 0: as
    /// slow as it likes. Below it: 408.
    pub body_bytes_per_second_min: u32,
    /// Without the peer taking a single byte of what waits for it. Default 30 s. After it: disconnected.
    pub write_stall_timeout: Duration,
    /// Without anything from a WebSocket peer until it is sent a ping. Default 30 s.
    pub ping_interval: Duration,
    /// From a ping until anything comes back. Default 20 s. After it: disconnected.
    pub ping_timeout: Duration,
    /// From our Close frame to the peer's, and before that for queued messages to leave. Default 5 s. After it:
    /// disconnected.
    pub close_timeout: Duration,
    /// Without a message from a WebSocket peer. Default 0: for ever; pings find out who has gone. After it: close code 1001.
    pub websocket_idle_timeout: Duration,
    /// From a WebSocket's handshake on. Default 0: no limit. After it: close code 1001.
    pub websocket_lifetime_max: Duration,
    /// Bytes of the contexts that compress and inflate WebSocket messages, of all connections together. Default 64 MiB. At
    /// it: an offer that would keep contexts is declined; a compressed message gets close code 1013.
    pub deflate_memory_bytes_max: usize,
    /// Messages that a topic keeps for later subscribers. Default 0: none. A topic that keeps any is never forgotten: do not
    /// let peers invent names. Beyond 65,536 such topics of a worker, further ones keep none.
    pub topic_history_max: u32,
    /// Bytes of a topic's history. Default 1 MiB. Above it the oldest go.
    pub topic_history_bytes_max: usize,
    /// From our FIN to the peer's, so that a last reply is not lost to a reset. Default 2 s. After it: closed.
    pub linger_timeout: Duration,
    /// Bytes that are read and forgotten meanwhile. Default 16 MiB, more than two kernels hold between them, so that
    /// whoever was writing when it was refused is not reset before it reads why. Above it: closed.
    pub linger_bytes_max: u32,
    /// For connections to finish after a stop was asked for. Default 10 s. After it: closed.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            head_bytes_max: 16 * 1024,
            fields_max: 100,
            target_bytes_max: 8 * 1024,
            chunk_extension_bytes_max: 4 * 1024,
            trailer_bytes_max: 4 * 1024,
            collected_body_bytes_max: MIB as u64,
            streamed_body_bytes_max: 1024 * MIB as u64,
            requests_per_connection_max: 0,
            message_bytes_max: 16 * MIB as u64,
            streamed_message_bytes_max: 1024 * MIB as u64,
            outbox_high_bytes: 64 * KIB,
            outbox_low_bytes: 16 * KIB,
            outbox_bytes_max: MIB,
            memory_bytes_max: 1024 * MIB,
            head_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            body_grace: Duration::from_secs(10),
            body_bytes_per_second_min: 1024,
            write_stall_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            websocket_idle_timeout: Duration::ZERO,
            websocket_lifetime_max: Duration::ZERO,
            deflate_memory_bytes_max: 64 * MIB,
            topic_history_max: 0,
            topic_history_bytes_max: MIB,
            linger_timeout: Duration::from_secs(2),
            linger_bytes_max: 16 * 1024 * 1024,
            stop_timeout: Duration::from_secs(10),
        }
    }
}
