//! The load: one thread, N connections, K requests or messages in flight on each, until a deadline; every byte checked.
//!
//! ```text
//! load http ADDR --connections N --depth K --seconds S           requests on open connections
//! load once ADDR --connections N --seconds S                     a connection for each request
//! load ws   ADDR --connections N --depth K --bytes M --seconds S binary messages, echoed
//! ```
//!
//! It connects, makes one exchange on every connection, and prints `ready`. A line on its standard input starts the
//! measured part, so that whoever measures can read the server's CPU time on both sides of it. At the deadline nothing
//! new is sent, what is in flight comes in, and one line of JSON says how many units (requests, messages) came back in
//! how many seconds, and how busy this thread was: at 1.0 the load could give no more, and the raw rate is its own.
//! Connections stay open until its input ends: closing them is not to be measured.
//!
//! It sends what is due after each receive in one send, as a browser or a broker would: a server that answers many in
//! one segment gets many in one segment. It knows nothing about any server but the bytes that it should say.

#![forbid(unsafe_code)]

mod connection;
mod once;
mod script;
mod steady;

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};

use script::Script;

/// What the command line says.
struct Arguments {
    kind: Kind,
    address: SocketAddr,
    path: Option<String>,
    connections: usize,
    depth: usize,
    bytes: usize,
    seconds: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Http,
    Once,
    Ws,
}

/// The measured part has ended: so much came back.
pub(crate) struct Tally {
    pub(crate) units: u64,
    /// Of this thread, without the waiting.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

fn main() -> ExitCode {
    let outcome = Arguments::parse().and_then(|arguments| run(&arguments));
    if let Err(error) = outcome {
        eprintln!("load: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let window = Duration::from_secs_f64(arguments.seconds);
    let path = arguments.path.as_deref();
    let once = arguments.kind == Kind::Once;
    let script = if arguments.kind == Kind::Ws {
        Script::ws(arguments.bytes, arguments.depth, path.unwrap_or("/ws"))
    } else {
        let path = path.unwrap_or("/plaintext");
        Script::http(arguments.address, path, arguments.depth, once)?
    };
    if once {
        wait_for_a_line("ready")?;
        let tally = once::run(&script, arguments.address, arguments.connections, window)?;
        return wait_for_a_line(&report(&script, &tally));
    }
    let mut load = steady::Load::open(&script, arguments.address, arguments.connections)?;
    wait_for_a_line("ready")?;
    let tally = load.run(arguments.depth, window)?;
    wait_for_a_line(&report(&script, &tally))
}

/// Says something, and waits for a line or the end of the input.
fn wait_for_a_line(said: &str) -> io::Result<()> {
    println!("{said}");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(())
}

fn report(script: &Script, tally: &Tally) -> String {
    format!(
        "{{\"units\": {}, \"seconds\": {:.6}, \"busy\": {:.3}, \"reply_bytes\": {}}}",
        tally.units,
        tally.wall.as_secs_f64(),
        tally.cpu.as_secs_f64() / tally.wall.as_secs_f64(),
        script.reply_bytes(),
    )
}

/// Wall and CPU time since its making.
pub(crate) struct Stopwatch {
    started: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self {
            started: Instant::now(),
            cpu: thread_cpu()?,
        })
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn stop(&self, units: u64) -> io::Result<Tally> {
        Ok(Tally {
            units,
            cpu: thread_cpu()? - self.cpu,
            wall: self.started.elapsed(),
        })
    }
}

fn thread_cpu() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

impl Arguments {
    fn parse() -> io::Result<Self> {
        let mut words = std::env::args().skip(1);
        let kind = match words.next().as_deref() {
            Some("http") => Kind::Http,
            Some("once") => Kind::Once,
            Some("ws") => Kind::Ws,
            _ => return Err(io::Error::other("the first word is http, once or ws")),
        };
        let mut arguments = Self {
            kind,
            address: value(&words.next().unwrap_or_default())?,
            path: None,
            connections: 64,
            depth: 1,
            bytes: 125,
            seconds: 1.0,
        };
        while let Some(word) = words.next() {
            let next = words.next().unwrap_or_default();
            match word.as_str() {
                "--path" => arguments.path = Some(next),
                "--connections" => arguments.connections = value(&next)?,
                "--depth" => arguments.depth = value(&next)?,
                "--bytes" => arguments.bytes = value(&next)?,
                "--seconds" => arguments.seconds = value(&next)?,
                _ => return Err(io::Error::other(format!("unknown option {word}"))),
            }
        }
        if arguments.connections == 0 || arguments.depth == 0 || arguments.seconds <= 0.0 {
            return Err(io::Error::other(
                "--connections, --depth and --seconds are above 0",
            ));
        }
        Ok(arguments)
    }
}

fn value<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse()
        .map_err(|_| io::Error::other(format!("`{word}` is no such value")))
}
