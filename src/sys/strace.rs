//! A probe that prints every call, one line each, in the manner of `strace(1)`.
//!
//! It shows what a program asks of the kernel without a second process, a debugger's rights or a stop at each call. It
//! does not see the calls of other libraries or of the standard library.
#![forbid(unsafe_code)]

use super::flags::{Bits, COMPLETION_FLAGS};
use super::show::Shown;
use super::{Call, Probe, Verdict};
use std::fmt::{Display, Write as _};
use std::io::{self, Write};

/// The default of [`Strace::text_max`], as that of strace.
const TEXT_BYTES: usize = 32;

/// Prints every call to `W`, when the kernel has answered it.
///
/// A line is written with one `write_all`, so that lines of several threads do not mix. Errors of `W` are dropped: a
/// trace that cannot be written must not stop the server.
///
/// ```
/// use longshore::sys::{self, How, Strace};
/// use std::os::fd::{AsFd, AsRawFd};
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, _theirs) = UnixStream::pair()?;
/// let mut strace = Strace::new(Vec::new());
/// sys::send(&mut strace, ours.as_fd(), b"GET / HTTP/1.1\r\n")?;
///
/// let expected =
///     format!("send({}, \"GET / HTTP/1.1\\r\\n\", 16, MSG_NOSIGNAL) = 16\n", ours.as_raw_fd());
/// assert_eq!(String::from_utf8_lossy(strace.output()), expected);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Strace<W> {
    output: W,
    text_max: usize,
    line: String,
}

impl<W: Write> Strace<W> {
    /// Prints to `output`, and of data the first 32 bytes.
    pub fn new(output: W) -> Self {
        Strace {
            output,
            text_max: TEXT_BYTES,
            line: String::new(),
        }
    }

    /// Prints the first `bytes` bytes of data instead.
    #[must_use]
    pub fn text_max(self, bytes: usize) -> Self {
        Strace {
            text_max: bytes,
            ..self
        }
    }

    /// Where the lines went.
    pub fn output(&self) -> &W {
        &self.output
    }

    /// Ends the trace and gives the output back.
    pub fn into_output(self) -> W {
        self.output
    }

    fn print(&mut self, what: impl Display) {
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = writeln!(self.line, "{what}");
        let _ = self.output.write_all(self.line.as_bytes());
    }
}

impl<W: Write> Probe for Strace<W> {
    const ACTIVE: bool = true;

    fn before(&mut self, _call: &Call<'_>) -> Verdict {
        Verdict::Go
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        let text_max = self.text_max;
        self.print(Shown {
            call,
            result: Some(result),
            text_max,
        });
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        let shown = Shown {
            call,
            result: None,
            text_max: self.text_max,
        };
        self.print(format_args!("ring {user_data:#x}: {shown}"));
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        let (low, buffer) = (flags & 0xffff, flags >> 16);
        let bits = Bits(low.into(), COMPLETION_FLAGS);
        let buffer = if low & 1 == 1 {
            format!(", buffer {buffer}")
        } else {
            String::new()
        };
        if result < 0 {
            let errno = super::errno_name(result.saturating_neg());
            self.print(format_args!(
                "ring {user_data:#x}: {name} = {result} {errno}, {bits}{buffer}"
            ));
        } else {
            self.print(format_args!(
                "ring {user_data:#x}: {name} = {result}, {bits}{buffer}"
            ));
        }
    }
}
