//! The two ends on this side: standard input, and what is printed.
//!
//! ```text
//!   read(0) ──▶ Lines, or bytes as they are        peer's bytes ──▶ escaped, if a terminal shows them ──▶ write(1)
//!                                                  notes of -v  ──▶ always escaped                    ──▶ stderr
//! ```
//!
//! The calls go through the probe as those on the socket do, so that a trace shows where bytes come from and go to.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::rc::Rc;

use longshore::sys::{self, POLLOUT, PollFd, Probe};

use super::escape::{Escaper, escaped_line};

/// One probe for all who make calls on this thread.
pub(super) struct Shared<P>(Rc<RefCell<P>>);

impl<P: Probe> Shared<P> {
    pub(super) fn new(probe: P) -> Self {
        Self(Rc::new(RefCell::new(probe)))
    }

    /// Makes a call, or a few.
    pub(super) fn call<T>(&self, call: impl FnOnce(&mut P) -> T) -> T {
        call(&mut self.0.borrow_mut())
    }
}

impl<P> Clone for Shared<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// When the peer's bytes are made harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Escape {
    /// If a terminal shows them
    Auto,
    /// Also in a file or pipe
    Always,
    /// Never: a hostile peer may drive the terminal
    Never,
}

/// Standard output for the peer's bytes, standard error for notes.
pub(super) struct Output<P> {
    probe: Shared<P>,
    escaper: Option<Escaper>,
    scratch: Vec<u8>,
    verbose: bool,
}

impl<P: Probe> Output<P> {
    pub(super) fn new(probe: Shared<P>, escape: Escape, verbose: bool) -> Self {
        let escapes = match escape {
            Escape::Auto => io::stdout().is_terminal(),
            Escape::Always => true,
            Escape::Never => false,
        };
        Self {
            probe,
            escaper: escapes.then(Escaper::default),
            scratch: Vec::new(),
            verbose,
        }
    }

    /// Prints bytes of the peer.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.scratch.clear();
        match &mut self.escaper {
            Some(escaper) => escaper.push(bytes, &mut self.scratch),
            None => self.scratch.extend_from_slice(bytes),
        }
        self.write()
    }

    /// Prints a whole message of the peer on a line of its own.
    pub(super) fn line(&mut self, message: &[u8]) -> Result<(), String> {
        self.scratch.clear();
        match &mut self.escaper {
            Some(escaper) => {
                escaper.push(message, &mut self.scratch);
                escaper.finish(&mut self.scratch);
            }
            None => self.scratch.extend_from_slice(message),
        }
        self.scratch.push(b'\n');
        self.write()
    }

    /// Nothing more comes from the peer.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.scratch.clear();
        if let Some(escaper) = &mut self.escaper {
            escaper.finish(&mut self.scratch);
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), String> {
        let (stdout, mut rest) = (io::stdout(), &self.scratch[..]);
        while !rest.is_empty() {
            let written = self
                .probe
                .call(|probe| sys::write(probe, stdout.as_fd(), rest));
            match written {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(error) => return Err(format!("cannot write to standard output: {error}")),
            }
        }
        Ok(())
    }

    /// Whoever shares standard output with us may have made it non-blocking: a shell's job, a terminal that standard input
    /// is open on as well.
    fn wait_for_room(&self) -> Result<(), String> {
        let stdout = io::stdout();
        let mut fds = [PollFd::new(stdout.as_fd(), POLLOUT)];
        let ready = self.probe.call(|probe| sys::poll(probe, &mut fds, None));
        ready.map(drop).map_err(|error| format!("poll: {error}"))
    }

    /// With `-v`: what happens, as a line on standard error.
    pub(super) fn note(&self, note: impl FnOnce() -> String) {
        if self.verbose {
            told(&note());
        }
    }

    /// With `-v`: a head as it was sent or received, line by line.
    pub(super) fn head(&self, mark: char, head: &[u8]) {
        if self.verbose {
            told_head(mark, head);
        }
    }

    pub(super) const fn is_verbose(&self) -> bool {
        self.verbose
    }
}

/// One line on standard error, whose reader may have gone.
pub(super) fn told(line: &str) {
    let line = format!("{}\n", escaped_line(line.as_bytes()));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The lines of a head, each behind a mark for its direction.
pub(super) fn told_head(mark: char, head: &[u8]) {
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        told(format!("{mark} {}", escaped_line(line)).trim_end());
    }
}

/// Standard input, read as it comes.
pub(super) struct Source {
    buffer: Vec<u8>,
    open: bool,
    never_reads: bool,
}

/// How much is read with one call.
const READ_BYTES: usize = 64 << 10;

impl Source {
    /// With `never_reads` there is no input, and no end of it either.
    pub(super) fn new(never_reads: bool) -> Self {
        Self {
            buffer: vec![0; READ_BYTES],
            open: !never_reads,
            never_reads,
        }
    }

    pub(super) const fn never_reads(&self) -> bool {
        self.never_reads
    }

    /// Whether it is worth waiting for.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// One read. `None`: the input has ended; a descriptor that was never open counts as that.
    pub(super) fn read<P: Probe>(&mut self, probe: &Shared<P>) -> Result<Option<&[u8]>, String> {
        let stdin = io::stdin();
        let buffer = &mut self.buffer;
        match probe.call(|probe| sys::read(probe, stdin.as_fd(), buffer)) {
            Ok(0) => self.open = false,
            Ok(count) => return Ok(Some(&self.buffer[..count])),
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return Ok(Some(&[])),
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => self.open = false,
            Err(error) => return Err(format!("cannot read standard input: {error}")),
        }
        Ok(None)
    }
}
