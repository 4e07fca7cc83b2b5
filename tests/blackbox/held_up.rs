//! Signals to a program that something holds up: outputs that nobody reads, a start that waits, no thread left.
//!
//! A signal that asks for a stop is heard all the same, and one is enough.

use std::fs;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::server::{PROGRAM, eventually};

const ECHO_MODELS: [&str; 4] = ["blocking", "threads", "epoll", "mio"];
/// An address that no machine has (RFC 5737).
const NOWHERE: &str = "192.0.2.1:0";

/// A pipe that nobody reads, full to the last byte.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let room = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).expect("its size");
    let rubbish = vec![b'x'; usize::try_from(room).expect("a size")];
    writer.write_all(&rubbish).expect("it fits");
    (reader, writer)
}

/// A name in the file system that no other test has, gone with this.
struct Name(PathBuf);

impl Name {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("longshore-held-up-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn text(&self) -> &str {
        self.0.to_str().expect("a plain name")
    }

    fn address(&self) -> String {
        format!("unix:{}", self.text())
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The program, killed if a test fails before it has ended.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Self {
        Self::run(Command::new(PROGRAM).args(arguments), stdout, stderr)
    }

    fn run(command: &mut Command, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Self {
        let command = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Self(command.spawn().expect("the program starts"))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Signals, and waits until that is heard.
    fn signal_heard(&self, signal: Signal) {
        self.signal(signal);
        eventually("the signal is heard", || {
            !self.has_in("ShdPnd", signal) && !self.has_in("SigPnd", signal)
        });
    }

    /// Whether the process has a signal in one of its masks, as proc_pid_status(5) names them.
    fn has_in(&self, mask: &str, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let found = status
            .lines()
            .find_map(|line| line.strip_prefix(mask)?.strip_prefix(":\t"));
        let bits = found.and_then(|bits| u64::from_str_radix(bits, 16).ok());
        bits.unwrap_or(0) & (1 << (signal as i32 - 1)) != 0
    }

    fn has_thread(&self, name: &str) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid()));
        tasks.is_ok_and(|mut tasks| {
            tasks.any(|task| {
                let comm = task.map(|task| fs::read_to_string(task.path().join("comm")));
                comm.is_ok_and(|comm| comm.is_ok_and(|comm| comm.trim() == name))
            })
        })
    }

    /// Waits until somebody waits for signals.
    fn hears_signals(&self) {
        eventually("it hears signals", || self.has_thread("signals"));
    }

    /// Waits until it listens at a path, and serves there.
    fn listens(&self, at: &Name) {
        eventually("it listens", || UnixStream::connect(&at.0).is_ok());
        if !self.is_echo() {
            eventually("it serves", || self.has_thread("worker-0"));
        }
    }

    fn is_echo(&self) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid())).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"echo")
    }

    fn ends(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", || {
            status = self.0.try_wait().expect("our child");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended already, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `serve` and `echo` in each model, listening at a path.
fn servers(at: &Name) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let address = at.address();
    let mut servers: Vec<Vec<String>> = ECHO_MODELS
        .iter()
        .map(|model| words(&["echo", "-l", &address, "-m", model]))
        .collect();
    servers.push(words(&[
        "serve",
        "-w",
        "1",
        "--count-calls",
        "-l",
        &address,
    ]));
    servers
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// A program that may have so many threads and no more: not root's, for whom there is no such limit.
fn as_nobody(program: &str) -> Command {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    command.args(nobody).arg(program);
    command
}

#[test]
fn an_output_that_nobody_reads_holds_up_no_stop() {
    let at = Name::new();
    for arguments in servers(&at) {
        let (_reader, writer) = full_pipe();
        let mut program = Program::start(&words(&arguments), writer, Stdio::null());
        program.listens(&at);
        program.signal(Signal::SIGTERM);
        assert_eq!(program.ends().code(), Some(0), "{arguments:?}");
        assert!(!Path::new(at.text()).exists(), "{arguments:?}");
    }
}

#[test]
fn a_line_that_nobody_reads_costs_no_signal() {
    let (at, log) = (Name::new(), Name::new());
    fs::create_dir(&log.0).expect("a new name");
    let path = log.0.join("log");
    let mut arguments = servers(&at).pop().expect("serve");
    arguments.extend(["--access-log".to_owned(), path.display().to_string()]);
    let (_reader, writer) = full_pipe();
    let mut program = Program::start(&words(&arguments), Stdio::null(), writer);
    program.listens(&at);
    // It cannot be opened anew, which is said where nobody hears it.
    fs::remove_dir_all(&log.0).expect("it is there");
    for signal in [Signal::SIGUSR1, Signal::SIGHUP, Signal::SIGUSR1] {
        program.signal_heard(signal);
    }
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends().code(), Some(0));
}

#[test]
fn a_start_that_waits_can_be_ended() {
    let fifo = Name::new();
    let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
    nix::unistd::mkfifo(&fifo.0, mode).expect("a new name");
    for option in ["--output", "--perfetto", "--pcapng"] {
        let arguments = ["serve", "--trace", option, fifo.text(), "-l", "127.0.0.1:0"];
        let mut program = Program::start(&arguments, Stdio::null(), Stdio::null());
        program.hears_signals();
        program.signal(Signal::SIGTERM);
        let status = program.ends();
        assert_eq!(status.code(), Some(128 + libc::SIGTERM), "{option}");
    }
}

#[test]
fn an_error_that_nobody_reads_can_be_ended() {
    for command in ["serve", "echo"] {
        let (_reader, writer) = full_pipe();
        let mut program = Program::start(&[command, "-l", NOWHERE], Stdio::null(), writer);
        program.hears_signals();
        program.signal(Signal::SIGINT);
        let status = program.ends();
        assert_eq!(status.code(), Some(128 + libc::SIGINT), "{command}");
    }
}

#[test]
fn a_second_signal_ends_at_once_whatever_waits() {
    // Nobody reads the trace, so the stop in order waits for ever.
    let at = Name::new();
    for arguments in servers(&at) {
        let (_reader, writer) = full_pipe();
        let traced = [&["trace"][..], &words(&arguments)].concat();
        let mut program = Program::start(&traced, Stdio::null(), writer);
        program.listens(&at);
        program.signal_heard(Signal::SIGINT);
        program.signal(Signal::SIGTERM);
        let status = program.ends();
        assert_eq!(status.code(), Some(128 + libc::SIGTERM), "{arguments:?}");
    }
}

#[test]
fn a_stop_needs_no_new_thread() {
    let at = Name::new();
    for arguments in servers(&at) {
        let mut command = as_nobody(PROGRAM);
        command.args(&arguments);
        let mut program = Program::run(&mut command, Stdio::null(), Stdio::piped());
        let mut refused = false;
        eventually("it listens", || {
            let status = program.0.try_wait().expect("our child");
            // 126, 127: nobody may not reach the program, or there is none to change the user with.
            refused = status.is_some_and(|status| matches!(status.code(), Some(126 | 127)));
            refused || UnixStream::connect(&at.0).is_ok()
        });
        if refused {
            eprintln!("SKIPPED: the program cannot be run as another user");
            return;
        }
        program.listens(&at);
        let pid = program.pid().to_string();
        let limited = as_nobody("prlimit")
            .args(["--pid", &pid, "--nproc=1"])
            .status();
        if !limited.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: there is no prlimit(1) to take the threads away with");
            return;
        }
        program.signal(Signal::SIGTERM);
        assert_eq!(program.ends().code(), Some(0), "{arguments:?}");
        assert!(!Path::new(at.text()).exists(), "{arguments:?}");
    }
}

#[test]
fn a_hangup_stops_in_order() {
    let at = Name::new();
    for arguments in servers(&at) {
        // Under nohup(1) the tests ignore the signal, and so would it.
        let mut command = Command::new("env");
        let command = command.args(["--default-signal=HUP", PROGRAM]);
        let mut program = Program::run(command.args(&arguments), Stdio::null(), Stdio::null());
        program.listens(&at);
        program.signal(Signal::SIGHUP);
        let status = program.ends();
        assert_eq!(status.code(), Some(0), "{arguments:?}: {status}");
        assert!(!Path::new(at.text()).exists(), "{arguments:?}");
    }
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let at = Name::new();
    for arguments in servers(&at) {
        let mut command = Command::new("env");
        let command = command.args(["--ignore-signal=HUP", PROGRAM]);
        let mut program = Program::run(command.args(&arguments), Stdio::null(), Stdio::null());
        program.listens(&at);
        assert!(program.has_in("SigIgn", Signal::SIGHUP));
        // While it starts a thread, the C library blocks everything.
        eventually("nobody waits for the signal", || {
            !program.has_in("SigBlk", Signal::SIGHUP)
        });
        program.signal(Signal::SIGHUP);
        program.listens(&at);
        program.signal(Signal::SIGTERM);
        let status = program.ends();
        assert_eq!((status.code(), status.signal()), (Some(0), None));
    }
}
