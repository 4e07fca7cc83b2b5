//! Directories: opened once, walked step by step, and read.
//!
//! ```text
//!   open_directory("/srv/www")           the root of a tree, kept open
//!      openat(root, "docs", Directory)   one step
//!         openat(docs, "page", File)     the last step; a symbolic link is refused at each
//!      getdents64(docs)                  ──► Entries: kind and name, kind and name, …
//! ```
//!
//! [`openat2`](super::openat2) takes all steps in one call and follows links that stay inside; the steps are for kernels
//! and filters that have no such call. It does not know whose paths these are.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, retry};
use super::{Call, FileKind, Probe};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Opens a directory to look names up from (`open(2)`, which the C library makes `openat(2)`). Links are followed.
///
/// With `O_PATH`: the descriptor is a place, from which others are opened, and cannot be read itself. It stays that
/// directory when its path is renamed, or another is mounted over it.
///
/// # Errors
///
/// ENOENT, ENOTDIR: there is no such directory; EACCES: one on the way may not be searched; EMFILE, ENFILE: out of
/// descriptors; `InvalidInput`: the path holds a NUL.
pub fn open_directory(probe: &mut impl Probe, path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    open(probe, libc::AT_FDCWD, path, flags, 0)
}

/// Opens a file to append to, and creates it with the permission bits `mode` if there is none (`open(2)`, which the C
/// library makes `openat(2)`).
///
/// Each [`write`](super::write()) goes to the end, wherever that is by then. Not waited for (`O_NONBLOCK`): a FIFO that
/// nobody reads is refused; a file is always ready.
///
/// # Errors
///
/// ENOENT: no such directory; EACCES, EROFS: not for us; EISDIR: a directory; ENXIO: a FIFO without a reader, or a socket;
/// EMFILE, ENFILE: out of descriptors; ENOSPC, EDQUOT: no room for a new name; `InvalidInput`: the path holds a NUL.
pub fn open_append(probe: &mut impl Probe, path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND;
    let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    open(probe, libc::AT_FDCWD, path, flags, mode)
}

/// What a step of [`openat`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A directory on the way (`O_PATH | O_DIRECTORY`): it need not be readable, only searchable.
    Directory,
    /// Whatever stands at the end, for reading; a FIFO or device is not waited for (`O_NONBLOCK`).
    File,
}

/// Opens one name in a directory, and no symbolic link (`openat(2)` with `O_NOFOLLOW`).
///
/// Only the last segment of a path is protected from links: give it one segment, which is not `..`. What opens for
/// [`Step::File`] may be a directory, FIFO or device: ask [`fstat`](super::fstat). Waits for the disk.
///
/// # Errors
///
/// ENOENT: no such name; ELOOP: a link, for [`Step::File`]; ENOTDIR: a link or no directory, for [`Step::Directory`];
/// EACCES: not for us; ENAMETOOLONG: more than 255 bytes; ENXIO: a socket; EMFILE, ENFILE: out of descriptors;
/// `InvalidInput`: the name holds a NUL.
pub fn openat(
    probe: &mut impl Probe,
    dir: BorrowedFd<'_>,
    name: &Path,
    step: Step,
) -> io::Result<OwnedFd> {
    let flags = match step {
        Step::Directory => libc::O_PATH | libc::O_DIRECTORY,
        Step::File => libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY,
    };
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    open(probe, dir.as_raw_fd(), name, flags, 0)
}

fn open(
    probe: &mut impl Probe,
    dir: i32,
    path: &Path,
    flags: i32,
    mode: u32,
) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let call = Call::Openat {
        dir,
        path,
        flags,
        mode,
    };
    let fd = retry(|| {
        ask(probe, &call)?;
        // SAFETY: `name` ends in NUL and lives through the call. A mode that no flag asks for is not looked at.
        let answer = unsafe { libc::openat(dir, name.as_ptr(), flags, mode) };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Reads the next entries of a directory (`getdents64(2)`), which was opened for reading.
///
/// It moves the directory's position. None is left when [`Entries`] is empty. 32 KiB hold a thousand names. Waits for
/// the disk.
///
/// # Errors
///
/// ENOTDIR: it is none; EINVAL: the buffer is too small for the next entry; ENOENT: the directory was removed.
///
/// ```
/// use longshore::sys::{self, Beneath, Silent};
/// use std::os::fd::AsFd;
///
/// let root = sys::open_directory(&mut Silent, "/proc/self".as_ref())?;
/// let readable = sys::openat2(&mut Silent, root.as_fd(), ".".as_ref(), &Beneath::default())?;
/// let mut buf = [0; 4096];
/// let entries = sys::getdents64(&mut Silent, readable.as_fd(), &mut buf)?;
/// assert!(entries.into_iter().any(|entry| entry.name == b"."));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn getdents64<'b>(
    probe: &mut impl Probe,
    dir: BorrowedFd<'_>,
    buf: &'b mut [u8],
) -> io::Result<Entries<'b>> {
    let fd = dir.as_raw_fd();
    let len = retry(|| {
        ask(probe, &Call::Getdents64 { fd, bytes: buf })?;
        // SAFETY: the kernel writes at most `buf.len()` bytes to `buf`, which is ours alone. The C library's own function
        // is newer than some C libraries.
        let answer =
            unsafe { libc::syscall(libc::SYS_getdents64, fd, buf.as_mut_ptr(), buf.len()) };
        answered(probe, &Call::Getdents64 { fd, bytes: buf }, answer as isize)
    })?;
    let buf: &'b [u8] = buf;
    Ok(Entries { rest: &buf[..len] })
}

/// One entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'b> {
    /// What it is; `None` where the file system does not say without being asked for each.
    pub kind: Option<FileKind>,
    /// Its name: one segment, not necessarily UTF-8. `.` and `..` are among the entries.
    pub name: &'b [u8],
}

/// The entries that one [`getdents64`] has read.
#[derive(Clone, Debug)]
pub struct Entries<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Entries<'b> {
    type Item = Entry<'b>;

    /// Reads a `struct linux_dirent64`: inode 8 bytes, offset 8, length of the record 2, kind 1, name, NUL, padding.
    fn next(&mut self) -> Option<Entry<'b>> {
        let &[low, high] = self.rest.get(16..18)? else {
            return None;
        };
        let (record, rest) = self
            .rest
            .split_at_checked(u16::from_ne_bytes([low, high]).into())?;
        self.rest = rest;
        let (&kind, name) = record.get(18..)?.split_first()?;
        let end = memchr::memchr(0, name).unwrap_or(name.len());
        let kind = match kind {
            libc::DT_UNKNOWN => None,
            libc::DT_REG => Some(FileKind::Regular),
            libc::DT_DIR => Some(FileKind::Directory),
            libc::DT_LNK => Some(FileKind::Link),
            libc::DT_SOCK => Some(FileKind::Socket),
            _ => Some(FileKind::Other),
        };
        let name = &name[..end];
        Some(Entry { kind, name })
    }
}
