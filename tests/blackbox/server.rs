//! Starts a server, learns its port, watches what it costs, and stops it.
//!
//! Whatever a test does to it, a server must end with exit code 0 and an empty standard error: a panic of a worker or a
//! failed assertion of the program shows there. It does not know what is said on the connections.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use longshore::sys::{self, Silent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peer::Peer;

/// How long anything may take before a test gives up. Never a measure of speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");

/// The backends that this machine has. `io_uring` may be forbidden by a container or a sysctl.
pub(crate) fn backends() -> &'static [&'static str] {
    static BACKENDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    BACKENDS.get_or_init(|| {
        let doctor = Command::new(PROGRAM).args(["doctor", "--json"]).output();
        let text = String::from_utf8(doctor.expect("doctor runs").stdout).expect("text");
        if text.contains("\"name\":\"io-uring\",\"ok\":true") {
            return vec!["epoll", "io-uring", "mio"];
        }
        eprintln!("SKIPPED on io-uring, which is refused here: {text}");
        vec!["epoll", "mio"]
    })
}

/// Runs `test` on every backend, side by side, and names the ones on which it fails.
pub(crate) fn on_each_backend(test: impl Fn(&'static str) + Sync) {
    let run = |backend: &'static str| catch_unwind(AssertUnwindSafe(|| test(backend)));
    let failed: Vec<&str> = thread::scope(|scope| {
        let tests: Vec<_> = backends()
            .iter()
            .map(|&backend| (backend, scope.spawn(move || run(backend))))
            .collect();
        tests
            .into_iter()
            .filter_map(|(backend, test)| {
                let failed = test.join().map_or(true, |result| result.is_err());
                failed.then_some(backend)
            })
            .collect()
    });
    assert!(failed.is_empty(), "failed on {}", failed.join(", "));
}

/// Starts a server with `args` on every backend, runs `test` against it, and stops it.
pub(crate) fn with_servers(args: &[&str], test: impl Fn(&Server) + Sync) {
    on_each_backend(|backend| {
        let server = Server::start(backend, args);
        test(&server);
        server.stop();
    });
}

/// A running server, killed if a test fails before it was stopped.
pub(crate) struct Server {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// The addresses as it printed them.
    pub(crate) listening: Vec<String>,
    pub(crate) backend: String,
}

/// What a server says about itself at its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) connections: u64,
    pub(crate) requests: u64,
    pub(crate) messages: u64,
}

impl Server {
    /// One worker on a free port of 127.0.0.1.
    pub(crate) fn start(backend: &str, args: &[&str]) -> Self {
        let mut command = Self::command(backend, "127.0.0.1:0");
        command.args(["--workers", "1"]).args(args);
        if !args.contains(&"--ping-interval") {
            // Half a minute is not long on a busy machine: a ping would come among the frames that a test waits for.
            command.args(["--ping-interval", "600"]);
        }
        Self::spawn(command, backend, 1)
    }

    /// `longshore serve` on one address, with everything else by default.
    pub(crate) fn command(backend: &str, address: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args([
            "serve",
            "--count-calls",
            "--backend",
            backend,
            "--listen",
            address,
        ]);
        command
    }

    /// Starts `command` and waits until it listens on `addresses` addresses.
    pub(crate) fn spawn(mut command: Command, backend: &str, addresses: usize) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut listening = Vec::new();
        while listening.len() < addresses {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("text");
            let address = line
                .strip_prefix("listening on ")
                .and_then(|rest| rest.split_once(" ("));
            let Some((address, _)) = address else {
                let error = rest_of(process.stderr.take().expect("piped"));
                let status = process.wait();
                panic!("{backend} does not listen: {line:?} {error:?} {status:?}");
            };
            listening.push(address.to_owned());
        }
        Self {
            process,
            stdout,
            listening,
            backend: backend.to_owned(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.listening[0]
            .strip_prefix("http://")
            .expect("a TCP address");
        address.parse().expect("an address")
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"));
        kill(pid, signal).expect("it runs");
    }

    /// Waits until the process ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        ended(&mut self.process)
    }

    /// SIGTERM; the server must end in order and have nothing to complain about.
    pub(crate) fn stop(self) -> Counts {
        self.signal(Signal::SIGTERM);
        self.ended_well().0
    }

    /// The server ends with exit code 0, without complaints. Gives its counts and everything else that it printed.
    pub(crate) fn ended_well(mut self) -> (Counts, String) {
        let status = self.wait();
        let complaints = rest_of(self.process.stderr.take().expect("piped"));
        let printed = rest_of(&mut self.stdout);
        assert!(status.success(), "{}: {status}, {complaints}", self.backend);
        assert_eq!(complaints, "", "{}: standard error", self.backend);
        let counts = printed.lines().next().and_then(Counts::parse);
        (
            counts.unwrap_or_else(|| panic!("no counts in {printed:?}")),
            printed,
        )
    }

    /// Bytes of memory that the process has now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most bytes of memory that it ever had.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// How many descriptors the process has open. The sockets of a ring are not among them.
    pub(crate) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        open.expect("it runs").count()
    }

    /// A line of `proc_pid_status(5)` that is given in kB.
    fn status_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.expect("a figure in kB") * 1024
    }

    /// Processor time that the process has used: fields 14 and 15 of `proc_pid_stat(5)`, in ticks of 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.expect("it runs");
        // The name of the program stands in parentheses and may hold anything.
        let (_, behind_name) = stat.rsplit_once(") ").expect("the name ends");
        let ticks = behind_name.split(' ').skip(11).take(2);
        let ticks: u64 = ticks
            .map(|field| field.parse::<u64>().expect("a number"))
            .sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when the process has ended already, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Counts {
    /// `3 connections, 7 requests, 0 messages`
    fn parse(line: &str) -> Option<Self> {
        let mut figures = line.split(", ").map(|part| part.split_once(' '));
        let mut figure = |of: &str| match figures.next()? {
            Some((count, name)) if name == of => count.parse().ok(),
            _ => None,
        };
        Some(Self {
            connections: figure("connections")?,
            requests: figure("requests")?,
            messages: figure("messages")?,
        })
    }
}

/// Whether this process may open `count` files, its clients' sockets for example. Raises its limit as far as it may.
pub(crate) fn may_open(count: u64) -> bool {
    let limit = sys::raise_nofile(&mut Silent).expect("allowed");
    if limit < count {
        eprintln!("SKIPPED: {limit} descriptors (ulimit -Hn) are too few");
    }
    limit >= count
}

/// Waits until a program ends by itself. What it still prints fits into its pipes.
pub(crate) fn ended(process: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually("the program ends", || {
        status = process.try_wait().expect("our child");
        status.is_some()
    });
    status.expect("it has ended")
}

/// Waits until `holds`.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never happens that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn rest_of(mut source: impl Read) -> String {
    let mut text = String::new();
    source.read_to_string(&mut text).expect("text");
    text
}
