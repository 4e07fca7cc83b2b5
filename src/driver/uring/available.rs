//! Whether this machine lets us use io_uring, found out by using it.
//!
//! Kernel versions and configuration files do not answer that: containers filter the calls (seccomp), administrators
//! switch them off (`kernel.io_uring_disabled`), limits refuse the memory. So a small ring is set up and receives a byte. A
//! trace of the thread shows it.
//! Only a known fault of a kernel is told by its version.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use super::{Config, Driver, Event, Uring};
use crate::sys::{self, Kind, Mode, ThreadProbe, ToldFd};

/// Sets up a ring, receives one byte on it, and takes it down.
///
/// # Errors
/// The first refusal; [`explain`] says what it means.
pub(crate) fn available() -> io::Result<()> {
    let config = Config {
        connections_max: 4,
        ring_entries: 8,
        ring_completions: 16,
        ring_buffers: 4,
        ..Config::default()
    };
    let mut driver = Uring::open(&config, ThreadProbe)?;
    let (ours, theirs) = sys::socketpair(&mut ThreadProbe, Kind::Stream, Mode::Blocking)?;
    let theirs = ToldFd::from(theirs);
    driver.adopt(ours)?;
    // Not send(2): a trace would take it for a client's connection.
    sys::write(&mut ThreadProbe, theirs.as_fd(), b"!")?;
    for _ in 0..8 {
        driver.wait(Some(Duration::from_millis(250)))?;
        while let Some(event) = driver.next_event() {
            match event {
                Event::Received { bytes, .. } if bytes == b"!" => return Ok(()),
                Event::Failed { error, .. } => return Err(error),
                _ => {}
            }
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        "a receive on a test ring did not complete",
    ))
}

/// What a refusal of io_uring means, and what to change.
pub(crate) fn explain(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            "the kernel has no io_uring, or a seccomp filter hides it; Linux 6.1 is needed"
        }
        Some(libc::EPERM) => {
            "not permitted: sysctl kernel.io_uring_disabled is 1 or 2, or a seccomp filter (as in many containers) refuses it"
        }
        Some(libc::EACCES) => "refused by a security module or a seccomp filter",
        Some(libc::EINVAL) => "the kernel is too old for what is needed; Linux 6.1 is needed",
        Some(libc::ENOMEM) => "not enough locked memory: raise `ulimit -l`",
        Some(libc::EMFILE | libc::ENFILE) => "no descriptor left: raise `ulimit -n`",
        Some(libc::EOPNOTSUPP) => {
            "an operation is not supported by this kernel; Linux 6.1 is needed"
        }
        _ => "it failed a test receive",
    }
}

/// Whether completions come in the order in which their receives took bytes out of the buffers (6.16+). Before that a
/// multishot receive could overtake a single one of the same call, and who shares a buffer would be shown the other's bytes.
///
/// Here the version (`uname(2)`) does answer: nobody can filter a fault away, and it shows too seldom to be tried.
pub(super) fn in_order() -> bool {
    let system = nix::sys::utsname::uname().ok();
    let release = system.as_ref().and_then(|system| system.release().to_str());
    version(release.unwrap_or_default()) >= (6, 16)
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|other: char| !other.is_ascii_digit())
        .map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests;
