//! What was echoed, counted by all threads and told at the end; and with `--verbose` what happens, line by line.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use longshore::sys::{Address, UnixName};

use super::transport::Transport;

#[derive(Debug)]
pub(super) struct Tally {
    verbose: bool,
    connections: AtomicU64,
    datagrams: AtomicU64,
    bytes: AtomicU64,
    /// Connections that were closed because of a limit of time, or by a reset.
    cut: AtomicU64,
    /// Datagrams that were not answered.
    unanswered: AtomicU64,
}

/// The five facts of a connection: its protocol, and an address and a port at each end.
#[derive(Clone, Debug)]
pub(super) struct FiveTuple {
    pub(super) transport: Transport,
    pub(super) ours: Address,
    pub(super) theirs: Address,
}

impl fmt::Display for FiveTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = self.transport.at(&self.ours);
        match self.theirs {
            // A client of the Unix family mostly has no name.
            Address::Unix(UnixName::Unnamed) => write!(f, "{ours} <- (unnamed)"),
            ref theirs => write!(f, "{ours} <- {theirs}"),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The peer ended its half, and has all its bytes.
    InOrder,
    /// Nothing came, or nothing was taken, for too long.
    Idle,
    /// The connection broke.
    Broken,
    /// The program stops.
    Stopped,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::InOrder => "the peer has ended",
            Ended::Idle => "idle for too long",
            Ended::Broken => "reset",
            Ended::Stopped => "stopped",
        })
    }
}

impl Tally {
    pub(super) fn new(verbose: bool) -> Self {
        Self {
            verbose,
            connections: AtomicU64::new(0),
            datagrams: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
        }
    }

    /// Whether somebody wants to see connections come and go.
    pub(super) const fn is_verbose(&self) -> bool {
        self.verbose
    }

    pub(super) fn opened(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// Tells of a connection, once it is known whose it is.
    pub(super) fn came(number: u64, tuple: &FiveTuple) {
        super::print(&format!("#{number} opened  {tuple}"));
    }

    /// A connection was accepted, and there is no thread for it yet.
    pub(super) fn waits(&self, number: u64, error: &std::io::Error) {
        if self.verbose {
            super::print(&format!(
                "#{number} waits for a thread, and nobody is accepted meanwhile: {error}"
            ));
        }
    }

    pub(super) fn closed(&self, number: u64, tuple: Option<&FiveTuple>, bytes: u64, ended: Ended) {
        self.bytes.fetch_add(bytes, Relaxed);
        if matches!(ended, Ended::Idle | Ended::Broken) {
            self.cut.fetch_add(1, Relaxed);
        }
        if let Some(tuple) = tuple {
            super::print(&format!(
                "#{number} closed  {tuple}: {bytes} bytes, {ended}"
            ));
        }
    }

    /// A datagram came; `why_not`, if it was not answered.
    pub(super) fn datagram(&self, bytes: usize, from: &Address, why_not: Option<&str>) {
        self.datagrams.fetch_add(1, Relaxed);
        match why_not {
            None => self.bytes.fetch_add(bytes as u64, Relaxed),
            Some(_) => self.unanswered.fetch_add(1, Relaxed),
        };
        if self.verbose {
            let reason = why_not.map(|why| format!(", not answered: {why}"));
            let reason = reason.unwrap_or_default();
            super::print(&format!("datagram  {from}: {bytes} bytes{reason}"));
        }
    }

    /// An answer of ours did not arrive, or had to be dropped.
    pub(super) fn undelivered(&self, error: &std::io::Error) {
        self.unanswered.fetch_add(1, Relaxed);
        if self.verbose {
            super::print(&format!("an answer was not delivered: {error}"));
        }
    }

    /// One line for the end.
    pub(super) fn report(&self) -> String {
        let figure = |count: &AtomicU64| count.load(Relaxed);
        let mut line = format!(
            "{} connections, {} datagrams, {} bytes echoed",
            figure(&self.connections),
            figure(&self.datagrams),
            figure(&self.bytes),
        );
        for (count, what) in [
            (figure(&self.cut), "connections cut"),
            (figure(&self.unanswered), "datagrams not answered"),
        ] {
            if count > 0 {
                // Writing to a String cannot fail.
                let _ = write!(line, ", {count} {what}");
            }
        }
        line
    }
}
