//! The limits, as options of the command line: one flag for each field of [`Limits`], with its default.
//!
//! ```text
//!   --head-timeout 2 …  ──▶ Flags, every value checked by itself ──▶ Limits, checked together
//! ```
//!
//! It does not know what happens at a limit.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Error, FromArgMatches};
use longshore::Limits;

use super::seconds::Seconds;

/// The limits that the command line asks for. A value that makes no sense is a usage error, exit code 2.
#[derive(Debug)]
pub(crate) struct LimitOptions(Limits);

impl LimitOptions {
    /// The defaults with what was asked for on top.
    pub(crate) fn limits(&self) -> Limits {
        self.0.clone()
    }
}

/// A default, as the library has it.
macro_rules! default {
    ($field:ident) => {
        Limits::default().$field
    };
}

/// Takes numbers that are not 0, at which nothing would be served.
macro_rules! not_zero {
    ($integer:ty) => {
        clap::value_parser!($integer).range(1..)
    };
}

/// The flags, in the order in which a connection meets the limits.
#[derive(Args, Debug)]
struct Flags {
    #[command(flatten)]
    requests: RequestFlags,
    #[command(flatten)]
    memory: MemoryFlags,
    #[command(flatten)]
    times: TimeFlags,
    #[command(flatten)]
    websocket: WebSocketFlags,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of requests")]
struct RequestFlags {
    /// Bytes of a request head, at least 1; above: 431
    #[arg(long, value_name = "BYTES", default_value_t = default!(head_bytes_max), value_parser = not_zero!(u32))]
    head_bytes_max: u32,
    /// Fields of a request head, 1 to 65535; above: 431
    #[arg(long, value_name = "COUNT", default_value_t = default!(fields_max), value_parser = not_zero!(u16))]
    fields_max: u16,
    /// Bytes of a request target, at least 1; above: 414
    #[arg(long, value_name = "BYTES", default_value_t = default!(target_bytes_max), value_parser = not_zero!(u32))]
    target_bytes_max: u32,
    /// Bytes of all chunk extensions of a body; above: 400
    #[arg(long, value_name = "BYTES", default_value_t = default!(chunk_extension_bytes_max))]
    chunk_extension_bytes_max: u32,
    /// Bytes of a trailer section; above: 431
    #[arg(long, value_name = "BYTES", default_value_t = default!(trailer_bytes_max))]
    trailer_bytes_max: u32,
    /// Bytes of a collected body; above: 413
    #[arg(long, value_name = "BYTES", default_value_t = default!(collected_body_bytes_max))]
    body_bytes_max: u64,
    /// Bytes of a streamed body, as of POST /upload; above: 413
    #[arg(long, value_name = "BYTES", default_value_t = default!(streamed_body_bytes_max))]
    streamed_body_bytes_max: u64,
    /// Until a body's rate is judged, and between judgements; at least 1
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(body_grace)))]
    body_grace: Seconds,
    /// What a body must bring on average in each --body-grace, 0: no minimum; below: 408
    #[arg(long, value_name = "BYTES/S", default_value_t = default!(body_bytes_per_second_min))]
    body_rate_min: u32,
    /// Requests of a connection, 0: no limit; the last reply says `Connection: close`
    #[arg(long, value_name = "COUNT", default_value_t = default!(requests_per_connection_max))]
    requests_per_connection_max: u32,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of memory")]
struct MemoryFlags {
    /// Bytes waiting for a peer above which no more of its requests are read
    #[arg(long, value_name = "BYTES", default_value_t = default!(outbox_high_bytes))]
    outbox_high_bytes: usize,
    /// Bytes waiting for a peer at which its requests are read again [default: 16384, or the high mark if that is lower]
    #[arg(long, value_name = "BYTES")]
    outbox_low_bytes: Option<usize>,
    /// Bytes that may wait for a peer, or one message, at least 1; above: disconnected
    #[arg(long, value_name = "BYTES", default_value_t = default!(outbox_bytes_max), value_parser = bytes_not_zero)]
    outbox_bytes_max: usize,
    /// Bytes that all peers together make the server keep, at least 1; above: 503, close code 1013
    #[arg(long, value_name = "BYTES", default_value_t = default!(memory_bytes_max), value_parser = bytes_not_zero)]
    memory_bytes_max: usize,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of time")]
struct TimeFlags {
    /// From the first byte of a request head to its end; after: 408
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(head_timeout)))]
    head_timeout: Seconds,
    /// From the connection to its first byte; after: closed
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(first_byte_timeout)))]
    first_byte_timeout: Seconds,
    /// From a reply to the next request; after: closed
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(idle_timeout)))]
    idle_timeout: Seconds,
    /// Without the peer taking a byte of what waits for it; after: disconnected
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(write_stall_timeout)))]
    write_stall_timeout: Seconds,
    /// From our FIN to the peer's; after: closed
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(linger_timeout)))]
    linger_timeout: Seconds,
    /// Bytes that are read and forgotten meanwhile; above: closed
    #[arg(long, value_name = "BYTES", default_value_t = default!(linger_bytes_max))]
    linger_bytes_max: u32,
    /// To finish what is begun when the server stops; after: closed
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(stop_timeout)))]
    stop_timeout: Seconds,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of WebSocket")]
struct WebSocketFlags {
    /// Bytes of a message, all fragments together; above: close code 1009
    #[arg(long, value_name = "BYTES", default_value_t = default!(message_bytes_max))]
    message_bytes_max: u64,
    /// Bytes of a message that is taken in pieces, as on /ws/pieces; above: close code 1009
    #[arg(long, value_name = "BYTES", default_value_t = default!(streamed_message_bytes_max))]
    streamed_message_bytes_max: u64,
    /// Without anything from the peer until it is sent a ping
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(ping_interval)))]
    ping_interval: Seconds,
    /// From a ping until anything comes back; after: disconnected
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(ping_timeout)))]
    ping_timeout: Seconds,
    /// From our Close frame to the peer's; after: disconnected
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(close_timeout)))]
    close_timeout: Seconds,
    /// Without a message from a WebSocket client; 0: for ever; after it: close code 1001
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(websocket_idle_timeout)), value_parser = seconds_or_none)]
    websocket_idle_timeout: Seconds,
    /// From the handshake on; 0: no limit; after it: close code 1001
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds(default!(websocket_lifetime_max)), value_parser = seconds_or_none)]
    websocket_lifetime_max: Seconds,
    /// Bytes of all contexts for compression; at it: offers that would keep some are declined
    #[arg(long, value_name = "BYTES", default_value_t = default!(deflate_memory_bytes_max))]
    deflate_memory_bytes_max: usize,
    /// Messages that a topic keeps for later subscribers
    #[arg(long, value_name = "N", default_value_t = default!(topic_history_max))]
    topic_history_max: u32,
    /// Bytes of a topic's history; above: the oldest go
    #[arg(long, value_name = "BYTES", default_value_t = default!(topic_history_bytes_max))]
    topic_history_bytes_max: usize,
}

/// Seconds, where 0 means none.
fn seconds_or_none(text: &str) -> Result<Seconds, String> {
    match text {
        "0" => Ok(Seconds(Duration::ZERO)),
        _ => text
            .parse()
            .map_err(|error| format!("{error}, or 0 for none")),
    }
}

fn bytes_not_zero(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(format!("{error}")),
    }
}

impl Flags {
    /// Every limit has a flag: this names all fields, so that one without does not compile.
    fn limits(self) -> Result<Limits, Error> {
        let outbox_low_bytes = self.memory.low_mark()?;
        let (requests, memory, times, websocket) =
            (self.requests, self.memory, self.times, self.websocket);
        Ok(Limits {
            head_bytes_max: requests.head_bytes_max,
            fields_max: requests.fields_max,
            target_bytes_max: requests.target_bytes_max,
            chunk_extension_bytes_max: requests.chunk_extension_bytes_max,
            trailer_bytes_max: requests.trailer_bytes_max,
            collected_body_bytes_max: requests.body_bytes_max,
            streamed_body_bytes_max: requests.streamed_body_bytes_max,
            requests_per_connection_max: requests.requests_per_connection_max,
            message_bytes_max: websocket.message_bytes_max,
            streamed_message_bytes_max: websocket.streamed_message_bytes_max,
            outbox_high_bytes: memory.outbox_high_bytes,
            outbox_low_bytes,
            outbox_bytes_max: memory.outbox_bytes_max,
            memory_bytes_max: memory.memory_bytes_max,
            head_timeout: times.head_timeout.0,
            first_byte_timeout: times.first_byte_timeout.0,
            idle_timeout: times.idle_timeout.0,
            body_grace: requests.body_grace.0,
            body_bytes_per_second_min: requests.body_rate_min,
            write_stall_timeout: times.write_stall_timeout.0,
            ping_interval: websocket.ping_interval.0,
            ping_timeout: websocket.ping_timeout.0,
            close_timeout: websocket.close_timeout.0,
            websocket_idle_timeout: websocket.websocket_idle_timeout.0,
            websocket_lifetime_max: websocket.websocket_lifetime_max.0,
            deflate_memory_bytes_max: websocket.deflate_memory_bytes_max,
            topic_history_max: websocket.topic_history_max,
            topic_history_bytes_max: websocket.topic_history_bytes_max,
            linger_timeout: times.linger_timeout.0,
            linger_bytes_max: times.linger_bytes_max,
            stop_timeout: times.stop_timeout.0,
        })
    }
}

impl MemoryFlags {
    /// Reading would begin again above the mark at which it stopped.
    fn low_mark(&self) -> Result<usize, Error> {
        let high = self.outbox_high_bytes;
        match self.outbox_low_bytes {
            None => Ok(default!(outbox_low_bytes).min(high)),
            Some(low) if low <= high => Ok(low),
            Some(low) => Err(Error::raw(
                ErrorKind::ValueValidation,
                format!("--outbox-low-bytes {low} is above --outbox-high-bytes {high}"),
            )),
        }
    }
}

/// So that the flags are checked together while the command line is read.
impl FromArgMatches for LimitOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Flags::from_arg_matches(matches)?.limits().map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for LimitOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Flags::augment_args_for_update(command)
    }
}
