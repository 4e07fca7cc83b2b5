//! Signals that end a program in order, whatever it is busy with.
//!
//! ```text
//!   take ─────────── stoppable ──────────────── ending ──▶ the process ends
//!     │ it starts        │ it serves               │ an error is said
//!     │                  │                         │
//!   first signal:     first signal:             first signal:
//!   a second to       `stop` is called          a second to
//!   become stoppable                            end by itself         … else it ends with 128 + signal
//!
//!   second SIGINT or SIGTERM, always: it ends at once, with 128 + signal
//! ```
//!
//! Two threads are there from the start, since there may be none left to be had when a signal comes. `signals` only waits,
//! so it hears the second one whatever the first has led to; `stop` does what the first one asks for. A SIGHUP behind another
//! signal counts for nothing: the shell and the kernel may both tell of one hangup. Signals belong to the
//! process, and so does the state here.
//!
//! It does not know what is stopped.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use longshore::sys;

/// What ends every program that is to end.
pub(crate) const STOPS: [i32; 2] = [libc::SIGINT, libc::SIGTERM];

/// How long a program that cannot be stopped yet, or any more, may go on behind a signal.
const GRACE: Duration = Duration::from_secs(1);

type Stop = Box<dyn FnOnce(i32) + Send>;
type Hear = Box<dyn FnMut(i32) + Send>;

static STATE: Mutex<State> = Mutex::new(State {
    asked: None,
    phase: Phase::Starts,
});
static CHANGED: Condvar = Condvar::new();
/// Who is told of signals that do not stop.
static HEARS: Mutex<Hears> = Mutex::new(Hears {
    hear: None,
    unheard: Vec::new(),
});

struct State {
    /// The first signal that asked for a stop.
    asked: Option<i32>,
    phase: Phase,
}

struct Hears {
    hear: Option<Hear>,
    /// What came before anybody was named, each once, as the kernel keeps what is blocked.
    unheard: Vec<i32>,
}

impl Hears {
    fn tell(&mut self, signal: i32) {
        if let Some(hear) = &mut self.hear {
            hear(signal);
        } else if !self.unheard.contains(&signal) {
            self.unheard.push(signal);
        }
    }

    fn name(&mut self, mut hear: Hear) {
        for signal in mem::take(&mut self.unheard) {
            hear(signal);
        }
        self.hear = Some(hear);
    }
}

enum Phase {
    Starts,
    Stoppable(Stop),
    /// The stop is under way, or done.
    Stops,
    Ends,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the state whole: every change is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes these signals over, before any other thread is made, so that all of them leave the signals to this one. `stops`
/// says which of them ask for a stop; the others are told to whom [`hear`] names.
///
/// # Errors
/// One sentence: a thread cannot be started. The signals act as before then.
pub(crate) fn take(
    signals: Vec<i32>,
    stops: impl Fn(i32) -> bool + Send + 'static,
) -> Result<(), String> {
    sys::block(&signals).map_err(|error| format!("cannot block signals: {error}"))?;
    let named = |name: &str| thread::Builder::new().name(name.to_owned());
    let taken = signals.clone();
    let started = named("stop")
        .spawn(stop)
        .and_then(|_| named("signals").spawn(move || wait(&signals, stops)));
    started.map(drop).map_err(|error| {
        // Nobody waits for them, and the error may have to be waited for.
        let _ = sys::unblock(&taken);
        format!("cannot start a thread: {error}")
    })
}

/// From here on the first signal calls `stop`, with its number, on a thread of its own.
pub(crate) fn stoppable(stop: impl FnOnce(i32) + Send + 'static) {
    let before = mem::replace(&mut lock(&STATE).phase, Phase::Stoppable(Box::new(stop)));
    CHANGED.notify_all();
    drop(before);
}

/// Tells `hears` of each signal that does not stop. It must not wait for anybody: no signal is heard meanwhile.
/// What has come already is told now.
pub(crate) fn hear(hears: impl FnMut(i32) + Send + 'static) {
    lock(&HEARS).name(Box::new(hears));
}

/// Only the last words are left: with a signal, there is a second for them.
pub(crate) fn ending() {
    let before = mem::replace(&mut lock(&STATE).phase, Phase::Ends);
    CHANGED.notify_all();
    // What a stop holds may take a lock when it goes.
    drop(before);
}

/// Whether a signal has asked for a stop.
pub(crate) fn stop_asked() -> bool {
    lock(&STATE).asked.is_some()
}

/// SIGHUP, unless whoever started the program had it ignored, as nohup(1) does: so it stays then.
pub(crate) fn hangup() -> Option<i32> {
    let ignored = sys::is_ignored(libc::SIGHUP).unwrap_or(false);
    (!ignored).then_some(libc::SIGHUP)
}

/// The thread `signals`.
fn wait(signals: &[i32], stops: impl Fn(i32) -> bool) {
    while let Ok(signal) = sys::wait(signals) {
        if !stops(signal) {
            lock(&HEARS).tell(signal);
            continue;
        }
        let mut state = lock(&STATE);
        match state.asked {
            None => state.asked = Some(signal),
            // The shell and the kernel may both tell of a hangup: it is one, not a second request to stop.
            Some(_) if signal == libc::SIGHUP => {}
            Some(_) => sys::exit_now(128 + signal),
        }
        drop(state);
        CHANGED.notify_all();
    }
}

/// The thread `stop`.
fn stop() {
    let waited = CHANGED.wait_while(lock(&STATE), |state| state.asked.is_none());
    let state = waited.unwrap_or_else(PoisonError::into_inner);
    let signal = state.asked.unwrap_or(libc::SIGTERM);
    let starts = |state: &mut State| matches!(state.phase, Phase::Starts);
    let waited = CHANGED.wait_timeout_while(state, GRACE, starts);
    let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    match mem::replace(&mut state.phase, Phase::Stops) {
        Phase::Starts => sys::exit_now(128 + signal),
        Phase::Stoppable(stop) => {
            drop(state);
            stop(signal);
        }
        other => {
            state.phase = other;
            drop(state);
        }
    }
    let ends = |state: &mut State| !matches!(state.phase, Phase::Ends);
    drop(CHANGED.wait_while(lock(&STATE), ends));
    thread::sleep(GRACE);
    sys::exit_now(128 + signal);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::Hears;

    #[test]
    fn what_came_before_anybody_heard_is_told_once() {
        let mut hears = Hears {
            hear: None,
            unheard: Vec::new(),
        };
        for signal in [libc::SIGUSR1, libc::SIGHUP, libc::SIGUSR1] {
            hears.tell(signal);
        }
        let (told, telling) = mpsc::channel();
        hears.name(Box::new(move |signal| {
            told.send(signal).expect("it is heard");
        }));
        hears.tell(libc::SIGHUP);
        let heard: Vec<i32> = telling.try_iter().collect();
        assert_eq!(heard, [libc::SIGUSR1, libc::SIGHUP, libc::SIGHUP]);
    }
}
