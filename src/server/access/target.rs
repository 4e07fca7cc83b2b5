//! Where the log goes: a path, which can be opened anew, or standard output.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::writer::Sink;
use crate::sys::{self, POLLOUT, PollFd, ThreadProbe, ToldFd};

/// Who may read a log that is created: its owner and its group, because it says who asked for what.
const MODE: u32 = 0o640;

/// Where an access log goes.
///
/// ```
/// use longshore::AccessTarget;
/// use std::path::Path;
///
/// let target = AccessTarget::from(Path::new("/var/log/longshore.log"));
/// assert_eq!(target.to_string(), "/var/log/longshore.log");
/// assert_eq!(AccessTarget::StandardOutput.to_string(), "standard output");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTarget {
    /// A file, which is appended to and, if need be, created with mode 0640; or a FIFO that somebody reads.
    Path(PathBuf),
    /// The process's standard output.
    StandardOutput,
}

impl AccessTarget {
    /// Opens it for appending. Does not wait: a FIFO without a reader is refused with ENXIO (fifo(7)).
    ///
    /// The descriptor of a path stays non-blocking, which files ignore, so that a FIFO that nobody reads cannot hold
    /// the writer for ever.
    pub(super) fn open(&self) -> io::Result<LogFile> {
        let probe = &mut ThreadProbe;
        let fd = match self {
            Self::Path(path) => sys::open_append(probe, path, MODE)?,
            Self::StandardOutput => sys::duplicate(probe, io::stdout().as_fd())?,
        };
        Ok(LogFile(fd.into()))
    }
}

/// An open target.
#[derive(Debug)]
pub(super) struct LogFile(ToldFd);

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::write(&mut ThreadProbe, self.0.as_fd(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is held back.
        Ok(())
    }
}

impl Sink for LogFile {
    fn wait_for_room(&mut self, at_most: Duration) {
        let mut fds = [PollFd::new(self.0.as_fd(), POLLOUT)];
        // Whatever it answers, the write says what is wrong.
        let _ = sys::poll(&mut ThreadProbe, &mut fds, Some(at_most));
    }
}

impl From<&Path> for AccessTarget {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for AccessTarget {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl fmt::Display for AccessTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::StandardOutput => f.write_str("standard output"),
        }
    }
}
