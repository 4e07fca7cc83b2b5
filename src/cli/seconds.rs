//! Seconds on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Seconds, with a fraction if need be. Three years at most, so that no deadline overflows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    pub(crate) const fn whole(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds: f64 = text
            .parse()
            .map_err(|_| "not a number of seconds, like 10 or 0.5")?;
        if !(0.05..=1e8).contains(&seconds) {
            return Err("must be from 0.05 to 100000000 seconds");
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}
