//! A probe that is chosen when the program runs.
//!
//! [`Probe`] is a type parameter, so that [`Silent`](super::Silent) costs nothing; a program compiles its drivers twice,
//! once with `Silent` and once with [`Dynamic`], which holds any other.
#![forbid(unsafe_code)]

use super::{Aside, Call, Probe, Verdict};
use std::fmt::{self, Debug, Formatter};
use std::io;

/// [`Probe`] without its constant, so that it can stand behind a pointer. Every probe is one.
pub trait Watch {
    /// As [`Probe::before`].
    fn before(&mut self, call: &Call<'_>) -> Verdict;

    /// As [`Probe::after`].
    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>);

    /// As [`Probe::submitted`].
    fn submitted(&mut self, call: &Call<'_>, user_data: u64);

    /// As [`Probe::completed`].
    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32);

    /// As [`Probe::aside`].
    fn aside(&mut self, aside: &Aside<'_>);

    /// As [`Probe::shorten`].
    fn shorten(&mut self, len: usize) -> usize;
}

impl<P: Probe> Watch for P {
    fn before(&mut self, call: &Call<'_>) -> Verdict {
        Probe::before(self, call)
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        Probe::after(self, call, result);
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        Probe::submitted(self, call, user_data);
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        Probe::completed(self, name, user_data, result, flags);
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        Probe::aside(self, aside);
    }

    fn shorten(&mut self, len: usize) -> usize {
        Probe::shorten(self, len)
    }
}

/// A probe chosen when the program runs, or several, or none.
///
/// Each costs two indirect calls per system call. Of several, all hear of every call and of every answer, in the order in
/// which they were added; the first verdict that is not [`Verdict::Go`] holds.
///
/// ```
/// use longshore::sys::{self, Count, Dynamic};
/// use std::sync::{Arc, Mutex};
///
/// # fn main() -> std::io::Result<()> {
/// let count = Arc::new(Mutex::new(Count::new()));
/// let mut probe = Dynamic::new(Arc::clone(&count));
/// let _epoll = sys::epoll_create1(&mut probe)?;
/// assert_eq!(count.lock().expect("no panic").counts().calls_total(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Dynamic {
    watches: Vec<Box<dyn Watch + Send>>,
}

impl Dynamic {
    /// Watches with `probe`.
    pub fn new(probe: impl Watch + Send + 'static) -> Self {
        Dynamic::silent().and(probe)
    }

    /// Watches with nothing; the same as [`Default`].
    pub fn silent() -> Self {
        Dynamic::default()
    }

    /// Whether nothing watches.
    pub fn is_silent(&self) -> bool {
        self.watches.is_empty()
    }

    /// Watches with `probe` as well.
    #[must_use]
    pub fn and(mut self, probe: impl Watch + Send + 'static) -> Self {
        self.watches.push(Box::new(probe));
        self
    }
}

impl Probe for Dynamic {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        let mut verdict = Verdict::Go;
        for watch in &mut self.watches {
            let theirs = watch.before(call);
            if verdict == Verdict::Go {
                verdict = theirs;
            }
        }
        verdict
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        for watch in &mut self.watches {
            watch.after(call, result);
        }
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        for watch in &mut self.watches {
            watch.submitted(call, user_data);
        }
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        for watch in &mut self.watches {
            watch.completed(name, user_data, result, flags);
        }
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        for watch in &mut self.watches {
            watch.aside(aside);
        }
    }

    fn shorten(&mut self, len: usize) -> usize {
        self.watches
            .iter_mut()
            .fold(len, |len, watch| watch.shorten(len))
    }
}

impl Debug for Dynamic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Dynamic({} watching)", self.watches.len())
    }
}
