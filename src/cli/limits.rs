//! The limits, as options of the command line.

use std::time::Duration;

use clap::Args;
use longshore::Limits;

/// Every option overrides one default; `--help` shows them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Bytes of a request head [16384]; above: 431
    #[arg(long, value_name = "BYTES")]
    head_bytes_max: Option<u32>,
    /// Fields of a request head [100]; above: 431
    #[arg(long, value_name = "N")]
    fields_max: Option<u16>,
    /// Bytes of a request target [8192]; above: 414
    #[arg(long, value_name = "BYTES")]
    target_bytes_max: Option<u32>,
    /// Bytes of a collected body [1048576]; above: 413
    #[arg(long, value_name = "BYTES")]
    body_bytes_max: Option<u64>,
    /// Bytes of a streamed body, as of POST /upload [1073741824]; above: 413
    #[arg(long, value_name = "BYTES")]
    streamed_body_bytes_max: Option<u64>,
    /// Bytes of a WebSocket message [16777216]; above: close code 1009
    #[arg(long, value_name = "BYTES")]
    message_bytes_max: Option<u64>,
    /// Bytes that may wait for one peer [1048576]; above: disconnected
    #[arg(long, value_name = "BYTES")]
    outbox_bytes_max: Option<usize>,
    /// Bytes that all peers together make the server keep [1073741824]; above: 503, close code 1013
    #[arg(long, value_name = "BYTES")]
    memory_bytes_max: Option<usize>,
    /// Seconds for a request head from its first byte [10]; after: 408
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    head_timeout: Option<Duration>,
    /// Seconds for the first byte of a connection [60]; after: closed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    first_byte_timeout: Option<Duration>,
    /// Seconds between two requests [75]; after: closed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    idle_timeout: Option<Duration>,
    /// Bytes of a body per second, on average after --body-grace [1024]; below: 408
    #[arg(long, value_name = "BYTES")]
    body_rate_min: Option<u32>,
    /// Seconds without the peer taking a byte of what waits for it [30]; after: disconnected
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    write_stall_timeout: Option<Duration>,
    /// Seconds without anything from a WebSocket peer until it is sent a ping [30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    ping_interval: Option<Duration>,
    /// Seconds for the answer to a ping [20]; after: disconnected
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    ping_timeout: Option<Duration>,
    /// Seconds before a body's rate is measured [10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    body_grace: Option<Duration>,
    /// Seconds from our Close frame to the peer's [5]; after: disconnected
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    close_timeout: Option<Duration>,
    /// Seconds from our FIN to the peer's [2]; after: closed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    linger_timeout: Option<Duration>,
    /// Seconds to finish what is begun when the server stops [10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    stop_timeout: Option<Duration>,
}

/// Seconds, with a fraction if need be. Three years at most, so that no deadline overflows.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds, like 10 or 0.5".to_owned())?;
    if !(0.05..=1e8).contains(&seconds) {
        return Err("must be from 0.05 to 100000000 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

impl LimitOptions {
    /// The defaults with what was asked for on top.
    pub(crate) fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            head_bytes_max: self.head_bytes_max.unwrap_or(default.head_bytes_max),
            fields_max: self.fields_max.unwrap_or(default.fields_max),
            target_bytes_max: self.target_bytes_max.unwrap_or(default.target_bytes_max),
            collected_body_bytes_max: self
                .body_bytes_max
                .unwrap_or(default.collected_body_bytes_max),
            streamed_body_bytes_max: self
                .streamed_body_bytes_max
                .unwrap_or(default.streamed_body_bytes_max),
            message_bytes_max: self.message_bytes_max.unwrap_or(default.message_bytes_max),
            outbox_bytes_max: self.outbox_bytes_max.unwrap_or(default.outbox_bytes_max),
            memory_bytes_max: self.memory_bytes_max.unwrap_or(default.memory_bytes_max),
            head_timeout: self.head_timeout.unwrap_or(default.head_timeout),
            first_byte_timeout: self
                .first_byte_timeout
                .unwrap_or(default.first_byte_timeout),
            idle_timeout: self.idle_timeout.unwrap_or(default.idle_timeout),
            body_bytes_per_second_min: self
                .body_rate_min
                .unwrap_or(default.body_bytes_per_second_min),
            write_stall_timeout: self
                .write_stall_timeout
                .unwrap_or(default.write_stall_timeout),
            ping_interval: self.ping_interval.unwrap_or(default.ping_interval),
            ping_timeout: self.ping_timeout.unwrap_or(default.ping_timeout),
            body_grace: self.body_grace.unwrap_or(default.body_grace),
            close_timeout: self.close_timeout.unwrap_or(default.close_timeout),
            linger_timeout: self.linger_timeout.unwrap_or(default.linger_timeout),
            stop_timeout: self.stop_timeout.unwrap_or(default.stop_timeout),
            ..default
        }
    }
}
