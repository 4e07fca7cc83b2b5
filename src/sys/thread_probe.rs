//! The probe of the calling thread, for calls made where none can be handed down.
//!
//! A waker rings from any thread, a file is closed where its last owner lets go, a plan for a file is made inside a
//! handler: no driver's probe reaches there. A thread that is to be watched says so once with [`watch_thread`]; on every
//! other one [`ThreadProbe`] does nothing. It costs a look at a variable of the thread beside each of these calls, and so
//! it is never used on the path of a driver's own calls.
#![forbid(unsafe_code)]

use super::dynamic::Watch;
use super::{Aside, Call, Probe, Verdict};
use std::cell::RefCell;
use std::io;

thread_local! {
    static WATCH: RefCell<Option<Box<dyn Watch>>> = const { RefCell::new(None) };
}

/// Watches the calling thread's calls that are made with [`ThreadProbe`], until the answer is given back to this function.
///
/// `None` watches no longer. Answers who watched before.
///
/// ```
/// use longshore::sys::{self, Count, ThreadProbe};
/// use std::sync::{Arc, Mutex};
///
/// let count = Arc::new(Mutex::new(Count::new()));
/// let before = sys::watch_thread(Some(Box::new(count.clone())));
/// let _epoll = sys::epoll_create1(&mut ThreadProbe)?;
/// sys::watch_thread(before);
///
/// let _unseen = sys::epoll_create1(&mut ThreadProbe)?;
/// assert_eq!(count.lock().expect("no panic").counts().calls_total(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn watch_thread(watch: Option<Box<dyn Watch>>) -> Option<Box<dyn Watch>> {
    WATCH
        .try_with(|place| std::mem::replace(&mut *place.borrow_mut(), watch))
        .ok()
        .flatten()
}

/// Asks the thread's probe, if it has one. None is there while a thread ends, nor inside the probe's own calls.
fn watched<T>(ask: impl FnOnce(&mut dyn Watch) -> T) -> Option<T> {
    WATCH
        .try_with(|place| {
            let mut place = place.try_borrow_mut().ok()?;
            place.as_mut().map(|watch| ask(&mut **watch))
        })
        .ok()
        .flatten()
}

/// Tells whoever watches the calling thread; see [`watch_thread`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadProbe;

impl Probe for ThreadProbe {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        watched(|watch| watch.before(call)).unwrap_or(Verdict::Go)
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        watched(|watch| watch.after(call, result));
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        watched(|watch| watch.submitted(call, user_data));
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        watched(|watch| watch.completed(name, user_data, result, flags));
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        watched(|watch| watch.aside(aside));
    }

    fn shorten(&mut self, len: usize) -> usize {
        watched(|watch| watch.shorten(len)).unwrap_or(len)
    }
}
