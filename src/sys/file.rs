//! Files that leave through sockets: openat2, fstat, pread, sendfile.
//!
//! ```text
//!   openat2   a path from a peer, kept beneath one directory by the kernel itself
//!   fstat     what was opened, how long it is, and when it was changed
//!   sendfile  page cache ──► socket, never through this process
//!   pread     page cache ──► a buffer, for transports that must see the bytes (TLS, rings)
//! ```
//!
//! It does not know content types, ranges or caches.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{answered, ask, outcome, retry, told};
use super::{Call, Probe};
use std::ffi::CString;
use std::io;
use std::mem::{self, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How [`openat2`] opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beneath {
    /// Do not wait for a FIFO's writer or a device (`O_NONBLOCK`). On by default: without it a FIFO among the files
    /// stops the thread. It has no effect on regular files.
    pub nonblock: bool,
}

impl Default for Beneath {
    fn default() -> Self {
        Beneath { nonblock: true }
    }
}

/// Opens a file for reading that is beneath a directory and cannot be anywhere else (`openat2(2)`, 5.6+).
///
/// The kernel walks the path and refuses to leave `dir`, be it through `..`, an absolute path, or a symbolic link that
/// points outside (`RESOLVE_BENEATH`, `RESOLVE_NO_MAGICLINKS`): no check of the text can promise that. What opens may
/// still be a directory, FIFO or device: ask [`fstat`] before serving it. Waits for the disk.
///
/// # Errors
///
/// ENOENT, ENOTDIR, EACCES: no such file for us; EXDEV: the path leads outside; ELOOP: a magic link or too many links;
/// EAGAIN: a rename was racing with a `..`, ask again; ENXIO: a socket; EMFILE, ENFILE: out of descriptors; ENOSYS: an
/// older kernel; EPERM: a filter that forbids what it does not know; `InvalidInput`: the path holds a NUL.
///
/// ```
/// use longshore::sys::{self, Beneath, Silent};
/// use std::os::fd::AsFd;
/// use std::path::Path;
///
/// # fn main() -> std::io::Result<()> {
/// let root = std::fs::File::open("/proc/self")?;
/// let beneath = Beneath::default();
/// sys::openat2(&mut Silent, root.as_fd(), Path::new("status"), &beneath)?;
/// let outside = sys::openat2(&mut Silent, root.as_fd(), Path::new("../version"), &beneath);
/// assert_eq!(outside.unwrap_err().raw_os_error(), Some(libc::EXDEV));
/// # Ok(())
/// # }
/// ```
pub fn openat2(
    probe: &mut impl Probe,
    dir: BorrowedFd<'_>,
    path: &Path,
    options: &Beneath,
) -> io::Result<OwnedFd> {
    let dir = dir.as_raw_fd();
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all zeros is an open_how, kept true by the kernel, which reads zero as "not given".
    let mut how: libc::open_how = unsafe { mem::zeroed() };
    // O_NOCTTY: a terminal among the files must not become that of this process.
    how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY) as u64;
    if options.nonblock {
        how.flags |= libc::O_NONBLOCK as u64;
    }
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    let call = Call::Openat2 {
        dir,
        path,
        flags: how.flags,
        resolve: how.resolve,
    };
    let fd = retry(|| {
        ask(probe, &call)?;
        // SAFETY: `name` ends in NUL, `how` is as long as said, and both live through the call. The C library has no
        // function for it.
        let answer = unsafe {
            let (number, size) = (libc::SYS_openat2, size_of::<libc::open_how>());
            libc::syscall(number, dir, name.as_ptr(), &raw const how, size)
        };
        answered(probe, &call, answer as isize)
    })?;
    // SAFETY: `fd` is open and nobody else's, kept true by the kernel, which has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// What a name in a file system stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file: the only kind with a length and offsets that mean something.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link. What was opened is never one, unless `O_PATH` and `O_NOFOLLOW` asked for it.
    Link,
    /// The name of a Unix socket (`unix(7)`).
    Socket,
    /// A FIFO or device, or what the kernel does not say.
    Other,
}

/// The part of `struct stat` that a server of files asks for (`inode(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes; of meaning for regular files only.
    pub bytes: u64,
    /// When the content was last changed: whole seconds since 1970, negative before.
    pub modified_seconds: i64,
    /// The rest of that time, in nanoseconds below one second.
    pub modified_nanos: u32,
    /// The file system it is on; with `inode` it tells whether two names stand for the same thing.
    pub device: u64,
    /// Its number there. May be given to another once it is gone.
    pub inode: u64,
}

impl From<&libc::stat64> for FileStat {
    fn from(stat: &libc::stat64) -> Self {
        FileStat {
            kind: match stat.st_mode & libc::S_IFMT {
                libc::S_IFREG => FileKind::Regular,
                libc::S_IFDIR => FileKind::Directory,
                libc::S_IFLNK => FileKind::Link,
                libc::S_IFSOCK => FileKind::Socket,
                _ => FileKind::Other,
            },
            bytes: stat.st_size as u64,
            modified_seconds: stat.st_mtime,
            modified_nanos: stat.st_mtime_nsec as u32,
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// Says what a descriptor stands for (`fstat(2)`). Never waits on a local file system.
///
/// # Errors
///
/// None that is known on a local file system; EIO, ESTALE on others.
///
/// ```
/// use longshore::sys::{self, FileKind, Silent};
/// use std::os::fd::AsFd;
///
/// let directory = sys::open_directory(&mut Silent, "/".as_ref())?;
/// assert_eq!(sys::fstat(&mut Silent, directory.as_fd())?.kind, FileKind::Directory);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fstat(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<FileStat> {
    let fd = fd.as_raw_fd();
    let blank = Call::Fstat {
        fd,
        mode: 0,
        size: 0,
    };
    // SAFETY: all zeros is a stat, kept true by the C library: it is integers and nothing else.
    let mut stat: libc::stat64 = unsafe { mem::zeroed() };
    retry(|| {
        ask(probe, &blank)?;
        // SAFETY: the kernel writes one stat to `stat`, which is one and ours alone.
        let answer = unsafe { libc::fstat64(fd, &raw mut stat) };
        let result = outcome(answer as isize);
        let call = Call::Fstat {
            fd,
            mode: stat.st_mode,
            size: stat.st_size as u64,
        };
        told(probe, &call, result)
    })?;
    Ok(FileStat::from(&stat))
}

/// Reads a file at an offset, in bytes, and moves no file position (`pread(2)`).
///
/// 0 is the end of the file. Waits for the disk, non-blocking or not.
///
/// # Errors
///
/// EIO: the disk failed; EISDIR: it is a directory; ESPIPE: it has no offsets; EINVAL: an offset beyond `i64::MAX`.
#[inline]
pub fn pread(
    probe: &mut impl Probe,
    file: BorrowedFd<'_>,
    buf: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let (fd, at) = (file.as_raw_fd(), file_offset(offset)?);
    retry(|| {
        let most = ask(
            probe,
            &Call::Pread {
                fd,
                bytes: buf,
                offset,
            },
        )?;
        let len = buf.len().min(most);
        // SAFETY: the kernel writes at most `len` bytes to `buf`, which is at least as long and ours alone.
        let answer = unsafe { libc::pread64(fd, buf.as_mut_ptr().cast(), len, at) };
        answered(
            probe,
            &Call::Pread {
                fd,
                bytes: buf,
                offset,
            },
            answer,
        )
    })
}

/// Sends up to `count` bytes of a file, from an offset in bytes, to a socket, and moves no file position
/// (`sendfile(2)`).
///
/// The answer may be fewer: the socket is full, the file ended (0), or the kernel's limit of 2 GiB less a page was
/// reached. It waits for the disk, and for the socket if that blocks. It has no `MSG_NOSIGNAL`: a peer that left raises
/// SIGPIPE, which Rust programs ignore unless [`restore_sigpipe`](super::restore_sigpipe) was called.
///
/// # Errors
///
/// EAGAIN: the socket is full; EPIPE, ECONNRESET: the peer left; EINVAL: the file is none that can be mapped (a pipe,
/// most of `/proc`), or an offset beyond `i64::MAX`.
#[inline]
pub fn sendfile(
    probe: &mut impl Probe,
    out: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    count: usize,
) -> io::Result<usize> {
    let (out, file, at) = (out.as_raw_fd(), file.as_raw_fd(), file_offset(offset)?);
    let call = Call::Sendfile {
        out,
        file,
        offset,
        count,
    };
    retry(|| {
        let most = ask(probe, &call)?;
        let mut at = at;
        // SAFETY: `at` lives through the call; no other memory is shared with the kernel.
        let answer = unsafe { libc::sendfile64(out, file, &raw mut at, count.min(most)) };
        answered(probe, &call, answer)
    })
}

/// The kernel's offsets are signed: one beyond its range is refused as the kernel refuses a negative one.
fn file_offset(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}
