//! The feed, as options of the command line.

use std::time::Duration;

use clap::Args;

use super::ticker::Settings;

/// How often events come, and how many may wait for them.
#[derive(Args, Debug)]
#[command(next_help_heading = "Feed")]
pub(crate) struct FeedOptions {
    /// From one event of /feed to the next, while somebody listens, in milliseconds; 10 to 60000
    #[arg(id = "feed_interval", long = "feed-interval", value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    interval: u64,
    /// How long a long poll waits for an event, in milliseconds, 10 to 60000; after: an empty list
    #[arg(id = "feed_wait", long = "feed-wait", value_name = "MS", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    wait: u64,
    /// Long polls that wait, event streams and WebSockets of /feed, all together; at most 1048576; above: 503
    #[arg(id = "feed_listeners_max", long = "feed-listeners-max", value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(..=1 << 20))]
    listeners_max: u32,
}

impl FeedOptions {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            interval: Duration::from_millis(self.interval),
            wait: Duration::from_millis(self.wait),
            listeners_max: self.listeners_max as usize,
        }
    }
}
