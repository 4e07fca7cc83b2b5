//! The one probe of servers that are counted or traced.
//!
//! A server is compiled twice for each backend: with `Silent`, which is nothing, and with this. It does not know what is
//! done with the calls.

use std::io;

use super::Server;
use crate::sys::{Aside, Call, Count, Counts, Probe, Silent, ThreadProbe, Verdict};

/// A probe that a server can be watched by.
pub(super) trait Watcher: Probe {
    /// For one worker, on its thread.
    fn of(server: &Server) -> Self;

    /// What was counted, if that was asked for.
    fn counts(&self) -> Option<Counts>;
}

impl Watcher for Silent {
    fn of(_: &Server) -> Self {
        Silent
    }

    fn counts(&self) -> Option<Counts> {
        None
    }
}

/// Counts if that was asked for, and tells whoever watches the thread.
pub(super) struct Watched {
    count: Option<Count>,
}

impl Watcher for Watched {
    fn of(server: &Server) -> Self {
        Self {
            count: server.count_calls.then(Count::new),
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.count.as_ref().map(|count| count.counts().clone())
    }
}

impl Probe for Watched {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        ThreadProbe.before(call)
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        ThreadProbe.after(call, result);
        if let Some(count) = &mut self.count {
            count.after(call, result);
        }
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        ThreadProbe.submitted(call, user_data);
        if let Some(count) = &mut self.count {
            count.submitted(call, user_data);
        }
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        ThreadProbe.completed(name, user_data, result, flags);
        if let Some(count) = &mut self.count {
            count.completed(name, user_data, result, flags);
        }
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        ThreadProbe.aside(aside);
    }
}
