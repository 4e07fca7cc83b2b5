//! Static files: from a request to a plan of its reply. The plan names bytes and parts of files; sending is not its
//! business.
//!
//! ```text
//!   head ──▶ method ──▶ path, decoded once ──▶ open beneath the root ──▶ which form: plain, .br, .gz
//!                                                 │ directory                      │
//!                                                 ▼                                ▼
//!                                  index, redirect, listing, 404     preconditions ──▶ ranges ──▶ Plan
//! ```
//!
//! What keeps a peer inside the root is the kernel (`openat2(2)` with `RESOLVE_BENEATH`), not a comparison of strings.
//! It does not know connections, drivers, or how a file reaches a socket. Opening and asking wait for the disk, as
//! everything about files does on Linux; what is read often is in memory.
#![forbid(unsafe_code)]

mod content_type;
mod fault;
mod listing;
mod offer;
mod plan;
mod representation;
mod root;
#[cfg(test)]
mod tests;

pub use plan::{Piece, Plan, PlanBody};

use crate::http::Head;
use crate::sys::{Probe, ThreadProbe};
use root::Root;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory whose files are served.
///
/// A clone is cheap and shares the open directory: give one to each worker. By default directories answer with their
/// `index.html` or 404, siblings that were compressed beforehand are used, and names that start with a dot are 404.
///
/// ```
/// use longshore::http::{Head, Status};
/// use longshore::{Files, PlanBody};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = std::env::temp_dir().join(format!("longshore-doc-files-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # std::fs::write(dir.join("page.txt"), "hello")?;
/// let files = Files::open(&dir)?.cache_control(Some("max-age=60".into()));
/// let head = Head::parse(b"GET /page.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=1-3\r\n\r\n")?;
/// let now = 1_800_000_000; // seconds since 1970
/// let plan = files.plan(&head, head.target.path(), now);
/// assert_eq!((plan.status, plan.content_length()), (Status::PARTIAL_CONTENT, 3));
/// assert_eq!(plan.field("Content-Range"), Some(&b"bytes 1-3/5"[..]));
/// assert!(matches!(plan.body, PlanBody::File { range, .. } if range == (1..4)));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Files {
    root: Arc<Root>,
    boundaries: Arc<Boundaries>,
    listing: bool,
    index: String,
    precompressed: bool,
    cache_control: Option<String>,
    hidden: bool,
}

impl Files {
    /// Opens the directory whose files are to be served. A link to a directory is followed.
    ///
    /// It is opened once and stays open: whoever renames it, or changes the working directory, changes nothing. Files
    /// in it may come, change and go at any time. Only regular files are sent, but what something is shows when it is
    /// open: devices to which being opened already means something have no place beneath the root.
    ///
    /// Where the kernel has no `openat2(2)` (before 5.6, or a filter forbids it) names are opened step by step, and every
    /// symbolic link beneath the root is refused, also one that would stay inside. This is found out here, once.
    ///
    /// # Errors
    /// [`FilesError`], which says what to do.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, FilesError> {
        Self::open_watched(&mut ThreadProbe, root)
    }

    /// [`open`](Self::open), with its system calls told to a probe. One that refuses openat2 with ENOSYS shows what an
    /// older kernel does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_watched(
        probe: &mut impl Probe,
        root: impl AsRef<Path>,
    ) -> Result<Self, FilesError> {
        let root = root.as_ref();
        let opened = Root::open(probe, root).map_err(|error| FilesError {
            root: root.to_owned(),
            error,
        })?;
        Ok(Self {
            root: Arc::new(opened),
            boundaries: Arc::default(),
            listing: false,
            index: "index.html".to_owned(),
            precompressed: true,
            cache_control: None,
            hidden: false,
        })
    }

    /// Whether a directory without an index answers with the names in it. Off by default.
    pub fn listing(mut self, listing: bool) -> Self {
        self.listing = listing;
        self
    }

    /// The file that a directory answers with, `index.html` by default; empty for none.
    ///
    /// # Panics
    /// If the name is a path: it holds a slash or NUL, or is `.` or `..`.
    pub fn index(mut self, name: impl Into<String>) -> Self {
        self.index = name.into();
        assert!(
            !self.index.contains(['/', '\0']) && self.index != "." && self.index != "..",
            "the index is one name in its directory: {:?}",
            self.index
        );
        self
    }

    /// Whether `page.html.br` or `page.html.gz` is sent in place of `page.html` to a peer that takes it. On by default.
    ///
    /// The sibling has to be a regular file and not older than the plain file, which must exist: an old one holds what
    /// the plain file said before. Types that are compressed anyway, such as images, have no siblings.
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.precompressed = precompressed;
        self
    }

    /// The value of Cache-Control in replies with a file and in 304. None by default.
    ///
    /// # Panics
    /// If the value holds a control character.
    pub fn cache_control(mut self, value: Option<String>) -> Self {
        let plain = |value: &String| !value.contains(|character: char| character.is_control());
        assert!(
            value.as_ref().is_none_or(plain),
            "a field's value holds no control character"
        );
        self.cache_control = value;
        self
    }

    /// Whether files and directories are served whose names start with a dot. Off by default: they hold passwords
    /// (`.htpasswd`, `.env`) and histories (`.git`) more often than pages. They are 404 then, as if they did not exist.
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// Plans the reply to a request.
    ///
    /// `path` is the part of the target's path that counts from the root, percent-encoded and with a slash in front: the
    /// whole path, or what is left behind a prefix. `now` is in seconds since 1970.
    ///
    /// The plan for HEAD is that for GET, except that ranges are ignored (RFC 9110 §14.2): send its head with the length
    /// of its body, and not the body. Nothing of the machine's paths or errors stands in a plan. Costs two system calls
    /// for a file, two or three more for each compressed form that the peer takes, and waits for the disk.
    ///
    /// | found | answer |
    /// |---|---|
    /// | a regular file | 200, 206, 304, 412 or 416 |
    /// | a directory, asked for without a slash behind | 301 to the path with one |
    /// | a directory with an index | as that file |
    /// | a directory without | its listing, or 404 |
    /// | nothing, a FIFO, socket or device, a hidden name, a link that leaves the root | 404 |
    /// | what this process may not read | 403 |
    /// | out of descriptors or memory | 503 |
    /// | any other failure of the disk | 500 |
    /// | a path that is malformed or has dot segments | 400 |
    /// | OPTIONS; other methods than GET and HEAD | 204; 405 |
    pub fn plan(&self, head: &Head<'_>, path: &[u8], now: u64) -> Plan {
        self.plan_watched(&mut ThreadProbe, head, path, now)
    }

    /// [`plan`](Self::plan), with its system calls told to a probe.
    pub fn plan_watched(
        &self,
        probe: &mut impl Probe,
        head: &Head<'_>,
        path: &[u8],
        now: u64,
    ) -> Plan {
        offer::answer(self, probe, head, path, now)
    }

    /// A number that separates parts in one reply and that nobody can foretell.
    fn boundary(&self) -> u128 {
        self.boundaries.next()
    }
}

/// Numbers for the boundaries of multipart replies: SipHash, under keys that were random when the files were opened and
/// that never leave the process, of a counter. Two halves make 128 bits. Who writes a file that is served cannot put the
/// next boundary into it.
#[derive(Debug, Default)]
struct Boundaries {
    keys: [RandomState; 2],
    count: AtomicU64,
}

impl Boundaries {
    fn next(&self) -> u128 {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = &self.keys;
        u128::from(high.hash_one(count)) << 64 | u128::from(low.hash_one(count))
    }
}

/// Why a directory cannot be served.
#[derive(Debug)]
pub struct FilesError {
    root: PathBuf,
    error: io::Error,
}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, error } = self;
        write!(f, "cannot serve files from {}: {error}", root.display())?;
        f.write_str(match error.raw_os_error() {
            Some(libc::ENOENT) => "; create the directory, or name another",
            Some(libc::ENOTDIR) => "; name a directory, not a file",
            Some(libc::EACCES) => {
                "; allow this user to search the directory and all above it (chmod +x)"
            }
            Some(libc::ELOOP) => "; its symbolic links lead in a circle",
            Some(libc::EMFILE | libc::ENFILE) => "; raise the limit of open files (ulimit -n)",
            _ => "",
        })
    }
}

impl std::error::Error for FilesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
