//! Stopping beside the thread that waits for signals, so that a second signal is heard meanwhile.
//!
//! ```text
//!   SIGTERM ──▶ beside ──┬─ a thread, which stops       the second signal comes to whoever waits for signals
//!                        └─ none to be had: stops here  the second signal is let through, and ends the program
//! ```
//!
//! It does not know what is stopped, nor how long that takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use longshore::sys;

/// Runs `stop` on a thread of its own. A program that has used up its threads stops in order too: on the calling thread,
/// to which `signals` then do what they do by default.
pub(super) fn beside(signals: &[i32], stop: impl FnOnce() + Send + 'static) {
    // A thread that cannot be started drops its closure, so `stop` is where both can reach it.
    let place = Arc::new(Mutex::new(Some(stop)));
    let theirs = Arc::clone(&place);
    let thread = thread::Builder::new().name("stop".to_owned());
    if thread.spawn(move || run(theirs.as_ref())).is_err() {
        // Refused only for numbers that are no signals.
        let _ = sys::unblock(signals);
        run(place.as_ref());
    }
}

fn run(place: &Mutex<Option<impl FnOnce()>>) {
    let stop = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(stop) = stop {
        stop();
    }
}
