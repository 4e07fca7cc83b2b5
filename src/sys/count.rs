//! A probe that counts: calls, errors and bytes by name, and a ring's operations apart from system calls.
//!
//! An operation of a ring costs no entry to the kernel of its own, so adding both kinds up would hide what a ring saves.
#![forbid(unsafe_code)]

use super::call::name_moves_bytes;
use super::{Call, Probe, Verdict};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io;

/// Counts every call.
///
/// Not shared: each thread counts for itself and the [`Counts`] are merged. Share one as `Arc<Mutex<Count>>` where the
/// figures are read while it counts.
///
/// ```
/// use longshore::sys::{self, Count};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = UnixStream::pair()?;
/// let mut count = Count::new();
/// sys::send(&mut count, ours.as_fd(), b"ahoy")?;
/// sys::recv(&mut count, theirs.as_fd(), &mut [0; 16])?;
///
/// assert_eq!(count.counts().call("send").bytes, 4);
/// assert_eq!(count.counts().calls_total(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Count {
    counts: Counts,
}

impl Count {
    /// Starts at zero.
    pub fn new() -> Self {
        Count::default()
    }

    /// The figures so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes the figures and starts at zero again.
    pub fn take(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}

impl Probe for Count {
    const ACTIVE: bool = true;

    fn before(&mut self, _call: &Call<'_>) -> Verdict {
        Verdict::Go
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        let figures = self.counts.calls.entry(call.name()).or_default();
        figures.calls += 1;
        match result {
            Ok(bytes) if call.moves_bytes() => figures.bytes += bytes as u64,
            Ok(_) => {}
            Err(_) => figures.errors += 1,
        }
    }

    fn submitted(&mut self, call: &Call<'_>, _user_data: u64) {
        self.counts.ring.entry(call.name()).or_default().submitted += 1;
    }

    fn completed(&mut self, name: &'static str, _user_data: u64, result: i32, _flags: u32) {
        let figures = self.counts.ring.entry(name).or_default();
        figures.completed += 1;
        match u64::try_from(result) {
            Ok(bytes) if name_moves_bytes(name) => figures.bytes += bytes,
            Ok(_) => {}
            Err(_) => figures.errors += 1,
        }
    }
}

/// What was counted of one system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often it was made, repetitions after EINTR and refusals of another probe included.
    pub calls: u64,
    /// How often it failed; "not ready" (EAGAIN) counts as well.
    pub errors: u64,
    /// How many bytes of data it moved.
    pub bytes: u64,
}

/// What was counted of one operation of a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingFigures {
    /// Entries put into the submission queue.
    pub submitted: u64,
    /// Entries taken from the completion queue: more than submitted for multishot operations.
    pub completed: u64,
    /// Completions with an error, a cancelled operation's included.
    pub errors: u64,
    /// How many bytes of data it moved.
    pub bytes: u64,
}

/// The figures of a [`Count`] at one moment. Printing it gives a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    calls: BTreeMap<&'static str, Figures>,
    ring: BTreeMap<&'static str, RingFigures>,
}

impl Counts {
    /// The figures of one system call by its name (`"recv"`); zeros if it was never made.
    pub fn call(&self, name: &str) -> Figures {
        self.calls.get(name).copied().unwrap_or_default()
    }

    /// The figures of one ring operation by its name; zeros if it was never submitted.
    pub fn ring_operation(&self, name: &str) -> RingFigures {
        self.ring.get(name).copied().unwrap_or_default()
    }

    /// Every system call that was made, by name.
    pub fn calls(&self) -> impl Iterator<Item = (&'static str, Figures)> + '_ {
        self.calls.iter().map(|(name, figures)| (*name, *figures))
    }

    /// Every ring operation that was submitted or completed, by name.
    pub fn ring_operations(&self) -> impl Iterator<Item = (&'static str, RingFigures)> + '_ {
        self.ring.iter().map(|(name, figures)| (*name, *figures))
    }

    /// How many system calls were made: divide by requests to know what one costs.
    pub fn calls_total(&self) -> u64 {
        self.calls.values().map(|figures| figures.calls).sum()
    }

    /// How many ring operations were submitted.
    pub fn submitted_total(&self) -> u64 {
        self.ring.values().map(|figures| figures.submitted).sum()
    }

    /// Adds the figures of another thread.
    pub fn merge(&mut self, other: &Counts) {
        for (name, theirs) in &other.calls {
            let ours = self.calls.entry(name).or_default();
            ours.calls += theirs.calls;
            ours.errors += theirs.errors;
            ours.bytes += theirs.bytes;
        }
        for (name, theirs) in &other.ring {
            let ours = self.ring.entry(name).or_default();
            ours.submitted += theirs.submitted;
            ours.completed += theirs.completed;
            ours.errors += theirs.errors;
            ours.bytes += theirs.bytes;
        }
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>12} {:>10} {:>16}",
            "system call", "calls", "errors", "bytes"
        )?;
        for (
            name,
            Figures {
                calls,
                errors,
                bytes,
            },
        ) in &self.calls
        {
            writeln!(f, "{name:<20} {calls:>12} {errors:>10} {bytes:>16}")?;
        }
        writeln!(f, "{:<20} {:>12}", "total", self.calls_total())?;
        if self.ring.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "\n{:<20} {:>12} {:>12} ",
            "ring operation", "submitted", "completed"
        )?;
        writeln!(f, "{:>10} {:>16}", "errors", "bytes")?;
        for (
            name,
            RingFigures {
                submitted,
                completed,
                errors,
                bytes,
            },
        ) in &self.ring
        {
            writeln!(
                f,
                "{name:<20} {submitted:>12} {completed:>12} {errors:>10} {bytes:>16}"
            )?;
        }
        writeln!(f, "{:<20} {:>12}", "total", self.submitted_total())
    }
}
