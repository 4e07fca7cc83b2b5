//! `longshore trace`: another subcommand, with every system call shown, and the packets beside the calls.

mod packets;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use longshore::sys::{Aside, Call, Probe, ThreadProbe, Verdict};
use longshore::trace::packets::Beside;
use longshore::trace::{
    Filter, JsonLines, Options, Perfetto, Sink, Summary, Text, Trace, WatchedThread,
};

pub(crate) use self::packets::Tracing;
use self::packets::Wanted;
use super::connect::Connect;
use super::echo::Echo;
use super::say::{self, To};
use super::serve::Serve;
use super::signals;

/// Run a subcommand and show every system call as it happens: time, thread, connection, call, answer, duration.
///
/// On io_uring each submission ([sqe]) and completion ([cqe]) is shown as well. Lines that begin with << or >> say what the
/// bytes meant. docs/TRACE.md explains how to read it.
#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    after_help = EXAMPLES
)]
pub(crate) struct TraceCommand {
    #[command(flatten)]
    options: TraceOptions,
    #[command(subcommand)]
    what: Traced,
}

const EXAMPLES: &str = "\
Examples:
  A server, and a client:
    longshore trace serve --backend io-uring --workers 1
    longshore trace connect http://127.0.0.1:8080/json
  An echo; beside it `longshore connect 127.0.0.1:7007`:
    longshore trace echo --model blocking
  The packets too, and for Wireshark (needs CAP_NET_RAW):
    longshore trace --packets --pcapng session.pcapng serve
  What wraps what, byte by byte (needs CAP_NET_RAW):
    longshore trace --layers connect ws://127.0.0.1:8080/ws
  Only some calls, only counts, or for programs:
    longshore trace serve --backend epoll --calls accept4,recv,send
    longshore trace serve --summary --perfetto trace.json
    longshore trace serve --json --output calls.jsonl

The options stand before or behind the subcommand.";

/// What can be traced.
#[derive(Debug, Subcommand)]
enum Traced {
    Serve(Box<Serve>),
    Echo(Echo),
    Connect(Box<Connect>),
}

impl TraceCommand {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let tracing = self.options.start()?;
        let trace = &tracing.trace;
        let mut ends_by_signal = false;
        let ran = match self.what {
            Traced::Serve(serve) => serve.run(Some(&tracing)),
            Traced::Echo(echo) => {
                let _watched = trace.watch_thread();
                let probe = trace.clone();
                echo.run(move || Watching::new(&probe), |at| tracing.listens(&[at]))
            }
            Traced::Connect(connect) => {
                end_by_signal(trace.clone())?;
                ends_by_signal = true;
                let _watched = trace.watch_thread();
                tracing.connects(connect.port());
                connect.run(|| Watching::new(trace))
            }
        };
        // Also after a failure: what led to it is in there.
        let ended = written(trace.finish());
        while ends_by_signal && signals::stop_asked() {
            // The end, and its code, is the signal's.
            thread::park();
        }
        let code = ran?;
        ended.map(|()| code)
    }
}

/// At SIGINT or SIGTERM, which end a client, the trace is written to its end first. A second one ends at once.
fn end_by_signal(trace: Trace) -> Result<(), String> {
    signals::take(signals::STOPS.to_vec(), |_signal| true)?;
    signals::stoppable(move |signal| {
        // It may wait for whoever reads the trace.
        if let Err(error) = written(trace.finish()) {
            say::last_line(To::Error, &format!("longshore: {error}"));
        }
        std::process::exit(128 + signal);
    });
    Ok(())
}

/// What came of writing the trace, as one line. A reader that has gone has seen what it wanted.
pub(crate) fn written(ended: io::Result<()>) -> Result<(), String> {
    match ended {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!(
            "the trace is cut, for it could not be written: {error}"
        )),
        _ => Ok(()),
    }
}

/// The probe of a thread that is traced, and of what it does where no probe reaches, as long as this lives.
struct Watching(#[expect(dead_code, reason = "held for its end")] WatchedThread);

impl Watching {
    fn new(trace: &Trace) -> Self {
        Self(trace.watch_thread())
    }
}

impl Probe for Watching {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        ThreadProbe.before(call)
    }

    fn after(&mut self, call: &Call<'_>, result: Result<usize, &io::Error>) {
        ThreadProbe.after(call, result);
    }

    fn submitted(&mut self, call: &Call<'_>, user_data: u64) {
        ThreadProbe.submitted(call, user_data);
    }

    fn completed(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        ThreadProbe.completed(name, user_data, result, flags);
    }

    fn aside(&mut self, aside: &Aside<'_>) {
        ThreadProbe.aside(aside);
    }
}

/// What is shown of a trace, and where. Global: `trace --json serve` and `trace serve --json` are the same.
#[derive(Args, Debug)]
#[command(next_help_heading = "Trace")]
pub(crate) struct TraceOptions {
    /// Show only this connection, by its number in the trace, from 1; may be repeated
    #[arg(long = "connection", global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    connection_numbers: Vec<u64>,
    /// Show only these calls and ring operations, by name, separated by commas
    #[arg(long = "calls", global = true, value_name = "NAMES", value_delimiter = ',', value_parser = call_name)]
    calls: Vec<String>,
    /// Show only calls and ring operations that failed; "not ready" (EAGAIN) is among them
    #[arg(long = "errors", global = true)]
    errors: bool,
    /// How many bytes of each buffer, and of each layer, are shown; 65536 at most
    #[arg(long = "bytes", global = true, value_name = "N", default_value_t = 32, value_parser = bytes)]
    text_bytes: usize,
    /// Write one JSON object to a line, for programs; with --summary one object in all
    #[arg(long = "json", global = true)]
    json: bool,
    /// At the end, write calls, errors, time and bytes of each call in place of the lines, as strace -cw does
    #[arg(long = "summary", global = true)]
    summary: bool,
    /// Also write FILE, which ui.perfetto.dev opens
    #[arg(long = "perfetto", global = true, value_name = "FILE")]
    perfetto: Option<PathBuf>,
    /// Show the packets too, between the calls that caused them, with TCP states; needs CAP_NET_RAW
    #[arg(long = "packets", global = true)]
    packets: bool,
    /// Take each packet apart, too: a line for each of its layers, link, IP, TCP or UDP, HTTP or WebSocket, data, with its bytes;
    /// implies --packets
    #[arg(long = "layers", global = true)]
    layers: bool,
    /// Write the packets to FILE, which Wireshark opens; needs CAP_NET_RAW
    #[arg(long = "pcapng", global = true, value_name = "FILE")]
    pcapng: Option<PathBuf>,
    /// The network interface of --packets and --pcapng: lo, or one like eth0
    #[arg(
        long = "interface",
        global = true,
        value_name = "NAME",
        default_value = "lo"
    )]
    interface: String,
    /// Write to FILE, or with - to standard output [standard error]
    #[arg(long = "output", global = true, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A name as the trace spells it. Those of strace are taken where it has another.
fn call_name(text: &str) -> Result<String, String> {
    let name = match text {
        "recvfrom" => "recv",
        "pread" => "pread64",
        "eventfd" => "eventfd2",
        "accept" | "accept4" | "mio::Poll::poll()" => return Ok(text.to_owned()),
        other => other,
    };
    if Call::NAMES.contains(&name) {
        return Ok(name.to_owned());
    }
    let first: String = name.chars().take(2).collect();
    let like: Vec<&str> = Call::NAMES
        .iter()
        .copied()
        .filter(|known| known.starts_with(&first))
        .collect();
    Err(match &like[..] {
        [] => "no call or ring operation has this name; the trace shows them all without --calls"
            .to_owned(),
        like => format!(
            "no call or ring operation has this name; there are {}",
            like.join(", ")
        ),
    })
}

fn bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 0..=65_536) => Ok(count),
        _ => Err("must be a number from 0 to 65536".to_owned()),
    }
}

impl TraceOptions {
    /// Opens what is written to, and starts.
    pub(crate) fn start(&self) -> Result<Tracing, String> {
        self.check_files();
        let mut sinks: Vec<Box<dyn Sink>> = vec![self.sink()?];
        if let Some(path) = &self.perfetto {
            sinks.push(Box::new(Perfetto::new(create(path, "--perfetto")?)));
        }
        let packets = self.packets || self.layers;
        // Neither a summary nor Perfetto shows layers.
        let layers = (self.layers && !self.summary).then_some(self.text_bytes);
        let filter = Filter::default()
            .connections(self.connection_numbers.iter().copied())
            .calls(self.calls.iter().cloned())
            .errors_only(self.errors);
        let mut options = Options {
            filter,
            text_bytes: self.text_bytes,
            ..Options::default()
        };
        // The kernel tells of packets when it pleases; calls are in order without.
        options.hold = if packets {
            Beside::HOLD
        } else {
            Duration::ZERO
        };
        let beside = Wanted::of(packets, layers, self.pcapng.as_deref(), &self.interface)?;
        let trace = Trace::start(sinks, options)
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Tracing::new(trace, beside, self.output.is_some()))
    }

    /// Ends the program if two outputs would spoil each other.
    fn check_files(&self) {
        let named = [
            (OUTPUT, &self.output),
            ("--perfetto", &self.perfetto),
            ("--pcapng", &self.pcapng),
        ];
        let given: Vec<_> = named
            .into_iter()
            .filter_map(|(option, path)| Some((option, path.as_deref()?)))
            .collect();
        for (at, (option, path)) in given.iter().enumerate() {
            if *path == Path::new(STDOUT) && *option != OUTPUT {
                let why = "takes a file: standard output has lines of the program itself";
                mistake(&format!("{option} {why}"));
            }
            if let Some((other, _)) = given[..at].iter().find(|(_, before)| before == path) {
                mistake(&format!(
                    "{other} and {option} name the same file; each needs one of its own"
                ));
            }
        }
    }

    fn sink(&self) -> Result<Box<dyn Sink>, String> {
        let stderr_is_terminal = io::stderr().is_terminal();
        let (output, colours): (Box<dyn Write + Send>, bool) = match &self.output {
            Some(path) if path == Path::new(STDOUT) => {
                (Box::new(Named::new(io::stdout(), OUTPUT)), false)
            }
            Some(path) => (Box::new(create(path, OUTPUT)?), false),
            None => (
                Box::new(Named::new(io::stderr(), OUTPUT)),
                stderr_is_terminal,
            ),
        };
        Ok(match (self.summary, self.json) {
            (true, json) => Box::new(Summary::new(output).json(json)),
            (false, true) => Box::new(JsonLines::new(output)),
            (false, false) => Box::new(Text::new(output).colours(colours)),
        })
    }
}

/// The name of standard output in place of a file's.
const STDOUT: &str = "-";

const OUTPUT: &str = "--output";

/// Ends the program: the command line makes no sense.
fn mistake(text: &str) -> ! {
    clap::Error::raw(
        clap::error::ErrorKind::ArgumentConflict,
        format!("{text}\n"),
    )
    .exit()
}

fn create(path: &Path, option: &'static str) -> Result<BufWriter<Named<File>>, String> {
    create_file(path, option).map(BufWriter::new)
}

fn create_file(path: &Path, option: &'static str) -> Result<Named<File>, String> {
    let file = File::create(path).map(|file| Named::new(file, option));
    file.map_err(|error| {
        let path = path.display();
        format!("cannot write the trace to {path}: {error}; choose another path")
    })
}

/// Where something is written to, which says in its errors by what option that is chosen.
struct Named<W> {
    output: W,
    option: &'static str,
}

impl<W> Named<W> {
    fn new(output: W, option: &'static str) -> Self {
        Self { output, option }
    }

    fn advise<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let option = self.option;
        result.map_err(|error| {
            let text = format!("{error}; choose another place with {option}");
            io::Error::new(error.kind(), text)
        })
    }
}

impl<W: Write> Write for Named<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes);
        self.advise(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.output.flush();
        self.advise(flushed)
    }
}
