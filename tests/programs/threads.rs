//! Runs the program where threads are few.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Not that of the module beside it, which not everybody needs who needs this.
const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

/// The program as a user of its own, who may have `threads` threads in all (`RLIMIT_NPROC`, which does not bind root).
/// `None`, said loudly, where a test may not choose its user.
pub(crate) fn with_threads(threads: usize, arguments: &[&str]) -> Option<Command> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // All processes of a user count, so nobody else may be this one: neither another test nor another run of this.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let user = 1_000_000 + std::process::id() * 64 + number;
    let command = || {
        let mut command = Command::new("prlimit");
        command.uid(user).gid(user);
        command.arg(format!("--nproc={threads}")).arg(PROGRAM);
        command
    };
    match command().arg("--version").output() {
        Ok(output) if output.status.success() => {
            let mut command = command();
            command.args(arguments);
            Some(command)
        }
        why => {
            eprintln!("SKIPPED: the program cannot be run by another user: {why:?}");
            None
        }
    }
}
