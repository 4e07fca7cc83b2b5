//! Runs the `longshore` program: to its end, or as a server that is stopped at the end of the test.
//!
//! Whatever a test does to a server, it must end with exit code 0 and an empty standard error.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take before a test gives up. Never a measure of speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

/// A path for a socket that nobody else has; removed by whoever makes it.
pub(crate) fn path(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = format!("longshore-{name}-{}-{number}", std::process::id());
    std::env::temp_dir().join(file)
}

/// Waits until nobody is at a socket that was closed: a program that another test starts in that moment has it too, until
/// its execve(2).
pub(crate) fn until_refused<T>(connect: impl Fn() -> io::Result<T>) {
    let deadline = Instant::now() + PATIENCE;
    while connect().is_ok() {
        assert!(Instant::now() < deadline, "somebody is at it");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A running server, killed if a test fails before it was stopped.
pub(crate) struct Running {
    pub(crate) process: Child,
    stdout: BufReader<ChildStdout>,
    /// Where it listens, as it printed it: `tcp 127.0.0.1:7007`, `unix:/tmp/x`, `http://127.0.0.1:8080`.
    pub(crate) at: String,
}

impl Running {
    /// Starts the program and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        Self::spawn(command)
    }

    /// The same with a command that becomes the program.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let at = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split_once(" ("));
        let Some((at, _)) = at else {
            let mut error = String::new();
            let stderr = process.stderr.as_mut().expect("piped");
            stderr.read_to_string(&mut error).expect("text");
            panic!("{command:?} does not listen: {line:?} {error:?}");
        };
        let at = at.to_owned();
        Self {
            process,
            stdout,
            at,
        }
    }

    /// The address and port of TCP, UDP or HTTP.
    pub(crate) fn inet(&self) -> &str {
        let at = self.at.split_once(' ').map_or(&*self.at, |(_, at)| at);
        at.strip_prefix("http://").unwrap_or(at)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"));
        kill(pid, signal).expect("it runs");
    }

    /// SIGTERM; the server must end in order. Gives what it printed behind its first line.
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        self.ended_well()
    }

    /// The server ends by itself, in order.
    pub(crate) fn ended_well(mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.process.try_wait().expect("our child") {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            thread::sleep(Duration::from_millis(2));
        };
        let (mut printed, mut complaints) = (String::new(), String::new());
        self.stdout.read_to_string(&mut printed).expect("text");
        let stderr = self.process.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut complaints).expect("text");
        assert!(status.success(), "{status}: {complaints}");
        assert_eq!(complaints, "", "standard error");
        printed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when the process has ended already, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the program with pipes. It is killed if it does not end in time.
pub(crate) fn spawn(arguments: &[&str]) -> Child {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", "30", PROGRAM])
        .args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Runs the program to its end, with this input.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut process = spawn(arguments);
    let mut stdin = process.stdin.take().expect("piped");
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program that ends early leaves some of its input.
            let _ = stdin.write_all(input);
        });
        process.wait_with_output().expect("it ends")
    })
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("text")
}

/// Runs the program, which must end with `code`, and gives its complaint. With 1 that is one line.
pub(crate) fn fails(code: i32, arguments: &[&str], input: &[u8]) -> String {
    let output = run(arguments, input);
    let said = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    if code == 1 {
        let complaints = said
            .lines()
            .filter(|line| !line.starts_with(['*', '>', '<', '→', '←']));
        let complaints: Vec<&str> = complaints.collect();
        assert!(
            complaints.len() == 1 && complaints[0].starts_with("longshore: "),
            "{said:?}"
        );
    }
    said
}

/// Bytes that repeat with a period that no buffer size shares, so that a mixed-up order shows.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index % 251) as u8).collect()
}
