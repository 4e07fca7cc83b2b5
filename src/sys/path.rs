//! Names in a file system: what a name stands for, whose it is, and its removal.
//!
//! ```text
//!   newfstatat  name ──► inode: kind, device and number        (lstat: a link is not followed)
//!   chmod       name ──► inode: permission bits
//!   unlink      name ──✂  the inode stays while anybody has it open
//! ```
//!
//! A Unix socket is bound to such a name (`unix(7)`), which outlives the socket. It does not know why a name is looked at.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::file::FileStat;
use super::hook::{answered, ask, outcome, retry, told};
use super::{Call, Probe};
use std::ffi::CString;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Says what a name stands for, without following a symbolic link at its end (`lstat(2)`, which the C library makes
/// `newfstatat(2)`).
///
/// # Errors
///
/// ENOENT, ENOTDIR: no such name; EACCES: a directory on the way may not be searched; ENAMETOOLONG; `InvalidInput`: the
/// path holds a NUL.
///
/// ```
/// use longshore::sys::{self, FileKind, Silent};
///
/// let null = sys::lstat(&mut Silent, "/dev/null".as_ref())?;
/// assert_eq!(null.kind, FileKind::Other);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn lstat(probe: &mut impl Probe, path: &Path) -> io::Result<FileStat> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let (dir, flags) = (libc::AT_FDCWD, libc::AT_SYMLINK_NOFOLLOW);
    let call = |mode, size| Call::Newfstatat {
        dir,
        path,
        mode,
        size,
        flags,
    };
    // SAFETY: all zeros is a stat, kept true by the C library: it is integers and nothing else.
    let mut stat: libc::stat64 = unsafe { mem::zeroed() };
    retry(|| {
        ask(probe, &call(0, 0))?;
        // SAFETY: `name` ends in NUL, and the kernel writes one stat to `stat`, which is one and ours alone.
        let answer = unsafe { libc::fstatat64(dir, name.as_ptr(), &raw mut stat, flags) };
        let result = outcome(answer as isize);
        told(probe, &call(stat.st_mode, stat.st_size as u64), result)
    })?;
    Ok(FileStat::from(&stat))
}

/// Sets the permission bits of what a name stands for (`chmod(2)`); of the link's target, if it is one.
///
/// # Errors
///
/// ENOENT, ENOTDIR, EACCES, as [`lstat`]; EPERM: it is another user's; EROFS: a file system that is only read;
/// `InvalidInput`: the path holds a NUL.
pub fn chmod(probe: &mut impl Probe, path: &Path, mode: u32) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let call = Call::Chmod { path, mode };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: `name` ends in NUL and lives through the call.
        let answer = unsafe { libc::chmod(name.as_ptr(), mode) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}

/// Removes a name that is no directory (`unlink(2)`). Whoever has the file open keeps it.
///
/// # Errors
///
/// ENOENT, ENOTDIR: no such name; EACCES, EPERM: the directory is not ours to change; EISDIR: a directory; EROFS;
/// `InvalidInput`: the path holds a NUL.
pub fn unlink(probe: &mut impl Probe, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let call = Call::Unlink { path };
    retry(|| {
        ask(probe, &call)?;
        // SAFETY: `name` ends in NUL and lives through the call.
        let answer = unsafe { libc::unlink(name.as_ptr()) };
        answered(probe, &call, answer as isize)
    })?;
    Ok(())
}
