//! The access log, as options of the command line, and what is said of it.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;
use longshore::{AccessFormat, AccessLog, AccessTarget};

use super::say::{self, To};

/// Where each request is written down.
#[derive(Args, Debug)]
#[command(next_help_heading = "Access log")]
pub(crate) struct AccessLogOptions {
    /// Write a line for each request to PATH, or to standard output (-); SIGHUP opens PATH anew [no log]
    #[arg(long, value_name = "PATH")]
    access_log: Option<PathBuf>,
    /// How a line looks: common, combined or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "combined",
        requires = "access_log"
    )]
    access_log_format: AccessFormat,
}

impl AccessLogOptions {
    /// Whether there is a file to open anew at SIGHUP. Without one the signal stops the program.
    pub(crate) fn takes_hangups(&self) -> bool {
        self.access_log
            .as_deref()
            .is_some_and(|path| !is_dash(path))
    }

    /// Opens the log, if one is wanted.
    pub(crate) fn open(&self) -> Result<Option<AccessLog>, String> {
        let Some(path) = &self.access_log else {
            return Ok(None);
        };
        let target = if is_dash(path) {
            AccessTarget::StandardOutput
        } else {
            AccessTarget::from(path.as_path())
        };
        let name = target.to_string();
        match AccessLog::open(target, self.access_log_format) {
            Ok(log) => Ok(Some(log)),
            Err(error) => Err(format!(
                "cannot open the access log {name}: {error}; {}",
                advice(&error)
            )),
        }
    }
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What to do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT) => "create its directory first",
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
            "choose a path that this user may write to"
        }
        Some(libc::EISDIR) => "name a file in that directory",
        Some(libc::ENXIO) => "start the reader of the FIFO first",
        _ => "choose another path with --access-log",
    }
}

/// SIGHUP: the log was rotated.
pub(crate) fn reopen(log: &AccessLog) {
    if let Err(error) = log.reopen() {
        let line = format!(
            "longshore: cannot open the access log {} anew: {error}; {}; the old file stays in use",
            log.target(),
            advice(&error)
        );
        // On the thread that hears the signals.
        say::line_if_room(To::Error, &line);
    }
}

/// Writes what is left, and says how many lines were dropped, if any.
pub(crate) fn close(log: AccessLog) {
    let why = log.clone();
    let dropped = log.close();
    if dropped == 0 {
        return;
    }
    let why = match why.last_error() {
        Some(error) => error.to_string(),
        None => "it was slower than the requests".to_owned(),
    };
    let lines = if dropped == 1 { "line" } else { "lines" };
    let line = format!("longshore: the access log lost {dropped} {lines}: {why}");
    say::last_line(To::Error, &line);
}

/// Tells a hangup of the terminal from a SIGHUP that somebody sent.
///
/// When a terminal goes, the kernel first cuts it off and then sends SIGHUP, so standard input is no terminal any more.
/// `nohup` and service managers give another standard input from the start: there SIGHUP only ever means a rotation.
pub(crate) struct Terminal {
    was_there: bool,
}

impl Terminal {
    pub(crate) fn look() -> Self {
        Self {
            was_there: io::stdin().is_terminal(),
        }
    }

    pub(crate) fn has_gone(&self) -> bool {
        self.was_there && !io::stdin().is_terminal()
    }
}
