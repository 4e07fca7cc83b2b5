//! A case: work that can be repeated, many units at a time and one alone.
//!
//! What the work needs is made when it is first wanted: a run under callgrind does one case of all, and would count the
//! preparation of the others for minutes.
#![forbid(unsafe_code)]

/// Does at least so many units, and returns how many.
pub(crate) type Work = Box<dyn FnMut(usize) -> usize>;

/// A row of the tables.
pub(crate) struct Case {
    /// What it is called in tables and arguments.
    pub(crate) name: String,
    /// Bytes of one unit: what is read, or what is written.
    pub(crate) bytes: usize,
    /// Many units, as fast as they come.
    pub(crate) work: Box<dyn FnOnce() -> Work>,
    /// One unit, where that is something else than `work` asked for one.
    pub(crate) alone: Option<Box<dyn FnOnce() -> Work>>,
    /// Not another library's work, which is here to be compared with: its instructions are not ours to answer for.
    pub(crate) is_ours: bool,
}

impl Case {
    /// Work in batches. A lend holds many units, say.
    pub(crate) fn new<W: FnMut(usize) -> usize + 'static>(
        name: impl Into<String>,
        bytes: usize,
        work: impl FnOnce() -> W + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            bytes,
            work: Box::new(|| Box::new(work())),
            alone: None,
            is_ours: true,
        }
    }

    /// Units as single calls.
    pub(crate) fn repeated<W: FnMut() + 'static>(
        name: impl Into<String>,
        bytes: usize,
        once: impl FnOnce() -> W + 'static,
    ) -> Self {
        Self::new(name, bytes, || {
            let mut once = once();
            move |units| {
                for _ in 0..units {
                    once();
                }
                units
            }
        })
    }

    /// A unit alone: work that does exactly one when asked for one.
    pub(crate) fn alone<W: FnMut(usize) -> usize + 'static>(
        mut self,
        work: impl FnOnce() -> W + 'static,
    ) -> Self {
        self.alone = Some(Box::new(|| Box::new(work())));
        self
    }

    /// For comparison.
    pub(crate) fn theirs(mut self) -> Self {
        self.is_ours = false;
        self
    }
}

/// Bytes that begin where a cache line does, so that counts do not depend on what was allocated before them.
pub(crate) struct Aligned {
    room: Vec<u8>,
    from: usize,
}

impl Aligned {
    const LINE_BYTES: usize = 64;

    /// A copy of `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut room = vec![0; bytes.len() + Self::LINE_BYTES];
        let from = room.as_ptr().align_offset(Self::LINE_BYTES);
        room.truncate(from + bytes.len());
        room[from..].copy_from_slice(bytes);
        Self { room, from }
    }

    /// The bytes.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.room[self.from..]
    }
}
