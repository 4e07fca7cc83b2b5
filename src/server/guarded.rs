//! Calls into the application: a panic there costs one connection, and not the worker.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::events;

/// Calls the application's function `name` for a connection. A panic is reported by the panic hook, as usual, and told as
/// an event; `None` then.
pub(super) fn guarded<R>(
    connection: u32,
    name: &'static str,
    call: impl FnOnce() -> R,
) -> Option<R> {
    // It may be left half-changed: that is the application's own state, and it chose to go on.
    let returned = catch_unwind(AssertUnwindSafe(call)).ok();
    if returned.is_none() {
        events::handler_panicked(connection, name);
    }
    returned
}
