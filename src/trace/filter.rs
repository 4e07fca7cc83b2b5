//! Which events are shown.

use std::collections::BTreeSet;

use super::{Event, Kind};

/// Shows what passes all of its tests. The default shows everything.
///
/// With any test set, the line of a turn comes only before something of that turn that is shown.
///
/// ```
/// use longshore::trace::Filter;
///
/// let filter = Filter::default().calls(["accept4", "recv"]).errors_only(true);
/// assert!(!filter.is_everything());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    connections: BTreeSet<u64>,
    calls: BTreeSet<String>,
    errors_only: bool,
}

impl Filter {
    /// Shows only what concerns one of these connections, by number; may be asked repeatedly.
    pub fn connections(mut self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.connections.extend(numbers);
        self
    }

    /// Shows only calls, submissions and completions of these names, as the trace spells them (`recv`, not `recvfrom`); and
    /// packets, which have no name and are there only if they were asked for.
    pub fn calls<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.calls.extend(names.into_iter().map(Into::into));
        self
    }

    /// Shows only calls and completions that failed, "not ready" (EAGAIN) among them, and packets that reset, refuse, or
    /// were sent again.
    pub fn errors_only(mut self, only: bool) -> Self {
        self.errors_only = only;
        self
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event is shown. What the trace says about itself always is.
    pub fn shows(&self, event: &Event) -> bool {
        if matches!(event.kind, Kind::Note(_)) {
            return true;
        }
        let connection = event
            .connection
            .as_ref()
            .map(|connection| connection.number);
        let is_wanted = |wanted: &BTreeSet<u64>| {
            wanted.is_empty() || connection.is_some_and(|number| wanted.contains(&number))
        };
        let is_of_wire = matches!(event.kind, Kind::Packet(..) | Kind::Tcp(_));
        let is_named = is_of_wire
            || self.calls.is_empty()
            || event.name().is_some_and(|name| self.calls.contains(name));
        is_wanted(&self.connections) && is_named && (!self.errors_only || event.is_error())
    }
}
