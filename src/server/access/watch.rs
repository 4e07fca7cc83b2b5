//! The trace that shows the writer's calls, if there is one.
//!
//! ```text
//!   a server that is traced ── give ──▶ [ trace ] ── renew, by the writer ──▶ its thread is watched
//! ```
//!
//! It knows no lines and no files.

#[cfg(feature = "trace")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "trace")]
use crate::trace::{Trace, WatchedThread};

/// Where a server leaves its trace for the writer. Only the writer holds it then.
#[derive(Default)]
pub(super) struct Watch {
    #[cfg(feature = "trace")]
    given: Mutex<Option<Trace>>,
}

/// The writer's thread is watched as long as this lives, if it was given a trace.
#[derive(Default)]
pub(super) struct Watched {
    #[cfg(feature = "trace")]
    thread: Option<WatchedThread>,
}

#[cfg(feature = "trace")]
impl Watch {
    /// The writer's calls are shown in `trace` from its next lines on.
    pub(super) fn give(&self, trace: &Trace) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        *given = Some(trace.clone());
    }

    /// Lets a trace that was given take the place of the one before. Called on the writer's thread.
    pub(super) fn renew(&self, watched: &mut Watched) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trace) = given.take() {
            // One after the other: what goes puts back who watched before it.
            watched.thread = None;
            watched.thread = Some(trace.watch_thread());
        }
    }
}

#[cfg(not(feature = "trace"))]
impl Watch {
    /// There are no traces.
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn renew(&self, _: &mut Watched) {}
}
