//! The directory that is served, and opening names beneath it so that nothing outside is reached.
//!
//! ```text
//!   openat2(root, "a/b/c", RESOLVE_BENEATH)           one call; links that stay inside are followed
//!
//!   openat(root, "a", O_NOFOLLOW) ─▶ openat(…, "b") ─▶ openat(…, "c")       where that call is not to be had
//! ```
//!
//! It does not know what a name looked like in a request: it takes decoded segments, without dots.

use crate::sys::{self, Beneath, FileStat, Probe, Step, ToldFd};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How often a name is opened again while renames race with it (EAGAIN). The kernel says so only where `..` was in a
/// link that it followed.
const RACES_MAX: u32 = 4;

#[derive(Debug)]
pub(super) struct Root {
    directory: ToldFd,
    /// openat2 is refused: walk.
    stepwise: bool,
}

/// A file, directory or something else, open for reading.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its close is told even where no reply needs it.
    pub(super) file: ToldFd,
    pub(super) stat: FileStat,
}

impl Root {
    /// Opens a directory and finds out how names can be opened beneath it.
    pub(super) fn open(probe: &mut impl Probe, path: &Path) -> io::Result<Self> {
        let directory = ToldFd::from(sys::open_directory(probe, path)?);
        let itself = sys::openat2(
            probe,
            directory.as_fd(),
            Path::new("."),
            &Beneath::default(),
        );
        let itself = itself.map(ToldFd::from);
        // A directory that may be searched and not read is refused as well, with EACCES: that says nothing here.
        let stepwise = itself
            .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)));
        Ok(Self {
            directory,
            stepwise,
        })
    }

    #[cfg(test)]
    pub(super) fn stepwise(&self) -> bool {
        self.stepwise
    }

    /// Opens what has this name, and asks what it is. The empty name is the root itself.
    pub(super) fn find(&self, probe: &mut impl Probe, name: &[u8]) -> io::Result<Opened> {
        debug_assert!(
            name.split(|&byte| byte == b'/')
                .all(|segment| segment != b".."),
            "no segment leads upwards"
        );
        let name = if name.is_empty() { b"." } else { name };
        let file = if self.stepwise {
            self.walk(probe, name)?
        } else {
            self.beneath(probe, name)?
        };
        let stat = sys::fstat(probe, file.as_fd())?;
        Ok(Opened { file, stat })
    }

    fn beneath(&self, probe: &mut impl Probe, name: &[u8]) -> io::Result<ToldFd> {
        let (path, how) = (Path::new(OsStr::from_bytes(name)), Beneath::default());
        let mut races = 0;
        loop {
            let answer = sys::openat2(probe, self.directory.as_fd(), path, &how);
            races += 1;
            match answer {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && races < RACES_MAX => {}
                answer => return answer.map(ToldFd::from),
            }
        }
    }

    /// Stricter than the kernel: what stays inside is not found out, so no link is followed.
    fn walk(&self, probe: &mut impl Probe, name: &[u8]) -> io::Result<ToldFd> {
        let segments = name.split(|&byte| byte == b'/');
        let mut segments = segments
            .map(|segment| Path::new(OsStr::from_bytes(segment)))
            .peekable();
        let mut at: Option<ToldFd> = None;
        while let Some(segment) = segments.next() {
            let step = if segments.peek().is_some() {
                Step::Directory
            } else {
                Step::File
            };
            let from = at.as_ref().map_or(self.directory.as_fd(), ToldFd::as_fd);
            let next = sys::openat(probe, from, segment, step)?;
            // The place before is closed by being dropped here.
            at = Some(next.into());
        }
        at.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}
