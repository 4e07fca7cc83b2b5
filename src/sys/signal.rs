//! Signals as something to wait for, not something that interrupts.
//!
//! ```text
//!   main thread:  block(SIGINT, SIGTERM)   before any thread starts, so that all inherit it
//!                 start the workers
//!                 wait(SIGINT, SIGTERM) ── a signal ──► tell the workers to stop
//! ```
//!
//! No signal handler is installed, so no code ever runs at an unexpected place. The library calls none of these; the
//! program does.
#![allow(unsafe_code, reason = "system calls of the C library")]

use super::hook::{outcome, retry};
use std::io;
use std::mem::MaybeUninit;

/// Lets SIGPIPE end the process again, as shells expect of a program that prints (`signal(2)`).
///
/// Rust programs start with SIGPIPE ignored, and `program | head` then fails with an error message instead of ending.
/// Sockets are safe with it: [`send`](super::send) and [`sendmsg`](super::sendmsg) never raise it. `write` and `sendfile`
/// to a socket do: a program that uses those leaves SIGPIPE ignored.
///
/// # Errors
///
/// None that is known.
pub fn restore_sigpipe() -> io::Result<()> {
    // SAFETY: SIG_DFL runs no code of ours.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Makes a write beyond the limit of a file's size (`RLIMIT_FSIZE`) an error, EFBIG, in place of the end of the process
/// by SIGXFSZ (`setrlimit(2)`).
///
/// It holds for the whole process, and for programs that it starts, across exec. A server that writes logs calls it once
/// at its start: one line too many would end it, requests and all. Never blocks.
///
/// # Errors
///
/// None that is known.
///
/// ```
/// // `ulimit -f`, or LimitFSIZE of a systemd unit, costs lines of a log from now on.
/// longshore::sys::ignore_sigxfsz()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn ignore_sigxfsz() -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    if unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Keeps these signals from the calling thread and from threads that it starts: they stay pending until [`wait`]
/// takes them (`pthread_sigmask(3)`).
///
/// # Errors
///
/// EINVAL: a number that is no signal.
pub fn block(signals: &[i32]) -> io::Result<()> {
    mask(libc::SIG_BLOCK, signals)
}

/// Lets these signals through to the calling thread again (`pthread_sigmask(3)`). One that is pending acts at once.
///
/// # Errors
///
/// EINVAL: a number that is no signal.
pub fn unblock(signals: &[i32]) -> io::Result<()> {
    mask(libc::SIG_UNBLOCK, signals)
}

/// Waits for one of these signals, takes it and answers its number (`sigwaitinfo(2)`). [`block`] them first.
///
/// Blocks until one comes; other signals that run a handler do not end it.
///
/// # Errors
///
/// EINVAL: a number that is no signal.
///
/// ```
/// use longshore::sys::signal;
///
/// # fn main() -> std::io::Result<()> {
/// signal::block(&[libc::SIGUSR1])?;
/// nix::sys::signal::raise(nix::sys::signal::SIGUSR1)?;
/// assert_eq!(signal::wait(&[libc::SIGUSR1, libc::SIGTERM])?, libc::SIGUSR1);
/// # Ok(())
/// # }
/// ```
pub fn wait(signals: &[i32]) -> io::Result<i32> {
    let set = set_of(signals)?;
    let signal = retry(|| {
        // SAFETY: `set` is initialised by `set_of`; a null pointer says that details are not wanted.
        let answer = unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) };
        outcome(answer as isize)
    })?;
    Ok(signal as i32)
}

/// Whether whoever started this process had it ignore the signal, as nohup(1) does with SIGHUP (`sigaction(2)`).
///
/// [`wait`] takes an ignored signal too, if it is blocked.
///
/// # Errors
///
/// EINVAL: a number that is no signal.
///
/// ```
/// use longshore::sys::signal;
///
/// assert!(signal::is_ignored(libc::SIGPIPE)?, "Rust programs start so");
/// assert!(!signal::is_ignored(libc::SIGTERM)?);
/// # std::io::Result::Ok(())
/// ```
pub fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null pointer says that nothing changes; the kernel writes the old action to `action`, which is ours alone.
    let answer = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    outcome(answer as isize)?;
    // SAFETY: initialised by the call above, which did not fail.
    let action = unsafe { action.assume_init() };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

/// Ends the process at once, from any thread (`_exit(2)`): nothing is flushed and nobody is waited for.
///
/// [`std::process::exit`] waits for another thread that is ending the process already, and that one may wait for whoever
/// reads our output.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: an integer; the call does not return, and runs no code of ours.
    unsafe { libc::_exit(code) }
}

fn mask(how: i32, signals: &[i32]) -> io::Result<()> {
    let set = set_of(signals)?;
    // SAFETY: `set` is initialised by `set_of`; a null pointer says that the old mask is not wanted.
    let errno = unsafe { libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()) };
    // Unlike system calls, it answers the errno itself (pthread_sigmask(3)).
    if errno == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(errno))
    }
}

fn set_of(signals: &[i32]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset writes the whole set and cannot fail (sigsetops(3)).
    let mut set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    };
    for &signal in signals {
        // SAFETY: `set` is initialised above and ours alone.
        outcome(unsafe { libc::sigaddset(&raw mut set, signal) } as isize)?;
    }
    Ok(set)
}
