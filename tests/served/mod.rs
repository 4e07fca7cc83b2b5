//! Starts `longshore serve` with two workers, and stops it. For test programs whose clients are raw sockets.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

/// A running server, killed if a test fails before it was stopped.
pub(crate) struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Server {
    /// On any port (0), or on the one that a server before it had; with further options.
    pub(crate) fn start(backend: &str, port: u16, options: &[&str]) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["serve", "--workers", "2", "--backend", backend])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("text");
        let address = line
            .strip_prefix("listening on http://127.0.0.1:")
            .and_then(|rest| rest.split(' ').next()?.parse().ok());
        Self {
            process,
            stdout,
            port: address.unwrap_or_else(|| panic!("{backend} does not listen: {line:?}")),
        }
    }

    /// SIGTERM: it must end in order and have nothing to complain about.
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"));
        kill(pid, Signal::SIGTERM).expect("it runs");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("our child") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        };
        let mut complaints = String::new();
        let mut stderr = self.process.stderr.take().expect("piped");
        stderr.read_to_string(&mut complaints).expect("text");
        self.stdout.read_to_string(&mut complaints).expect("text");
        assert!(status.success() && complaints.is_empty(), "{complaints}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The backends that this machine has.
fn backends() -> Vec<&'static str> {
    let doctor = Command::new(PROGRAM).args(["doctor", "--json"]).output();
    let text = String::from_utf8(doctor.expect("doctor runs").stdout).expect("text");
    if text.contains("\"name\":\"io-uring\",\"ok\":true") {
        return vec!["epoll", "io-uring", "mio"];
    }
    eprintln!("SKIPPED on io-uring, which is refused here: {text}");
    vec!["epoll", "mio"]
}

/// Runs `test` against a server on every backend, side by side: most of the time is spent waiting.
pub(crate) fn on_every_backend(options: &[&str], test: impl Fn(&Server) + Sync) {
    with_every_backend(|backend| {
        let server = Server::start(backend, 0, options);
        test(&server);
        server.stop();
    });
}

/// Runs `test` with the name of every backend, side by side.
pub(crate) fn with_every_backend(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for backend in backends() {
            let test = &test;
            let thread = thread::Builder::new().name(backend.to_owned());
            let started = thread.spawn_scoped(scope, move || test(backend));
            started.expect("a thread");
        }
    });
}
