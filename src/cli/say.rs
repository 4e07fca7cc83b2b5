//! Lines for people, on standard output or standard error, which hold up no stop.
//!
//! ```text
//!                        room?   no room: …
//!   line            ──▶  write   wait for it, unless a signal asks for a stop
//!   last_line       ──▶  write   wait for it for a second
//!   line_if_room    ──▶  write   the line is lost
//! ```
//!
//! A pipe that nobody reads is full after 64 KiB, and write(2) then waits for ever. So poll(2) is asked first: a pipe that
//! is ready takes PIPE_BUF bytes whole (pipe(7)), and no more are written at a time. The locks of the standard library are not
//! taken, since whoever holds one may wait. That nobody can be told is no error here.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore::sys::{self, POLLOUT, PollFd, Silent};

use super::signals;

/// How often somebody who waits for room looks whether a stop was asked for.
const TICK: Duration = Duration::from_millis(100);
/// How long the last words wait for room.
const LAST: Duration = Duration::from_secs(1);

/// Whose turn it is to look for room and to take it.
static TURN: Mutex<()> = Mutex::new(());

/// Where a line goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    Output,
    Error,
}

/// Waits for room until a signal asks for a stop.
pub(crate) fn line(to: To, line: &str) {
    say(to, line, || (!signals::stop_asked()).then_some(TICK));
}

/// Waits for room for a second.
pub(crate) fn last_line(to: To, line: &str) {
    let until = Instant::now() + LAST;
    say(to, line, || {
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    });
}

/// Waits for nothing.
pub(crate) fn line_if_room(to: To, line: &str) {
    say(to, line, || None);
}

/// Writes a line while `patience` says how long to wait for room next; with `None` it takes the room that is there.
fn say(to: To, line: &str, patience: impl Fn() -> Option<Duration>) {
    let (output, error) = (io::stdout(), io::stderr());
    let fd = match to {
        To::Output => output.as_fd(),
        To::Error => error.as_fd(),
    };
    let line = format!("{line}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        if !finds_room(fd, &patience) {
            return;
        }
        // Nobody of this program takes the room between the two calls; the lock is not held while anybody waits.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if !finds_room(fd, || None) {
            continue;
        }
        let piece = &rest[..rest.len().min(libc::PIPE_BUF)];
        let written = sys::write(&mut Silent, fd, piece);
        drop(turn);
        match written {
            Ok(written @ 1..) => rest = &rest[written..],
            // Non-blocking, and another program that has it was faster.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

fn finds_room(fd: BorrowedFd<'_>, patience: impl Fn() -> Option<Duration>) -> bool {
    loop {
        let wait = patience();
        let mut fds = [PollFd::new(fd, POLLOUT)];
        match sys::poll(&mut Silent, &mut fds, Some(wait.unwrap_or_default())) {
            Ok(0) if wait.is_some() => {}
            Ok(0) => return false,
            // Of an error the write hears too.
            _ => return true,
        }
    }
}
