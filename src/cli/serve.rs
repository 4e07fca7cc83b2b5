//! `longshore serve`: the demo and benchmark server.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use longshore::sys::{self, Address, SocketOption};
use longshore::trace::Trace;
use longshore::{AccessLog, Backend, Bound, Ledger, Report, Server, Stopper, Workers};

use super::access_log::{self, AccessLogOptions, Terminal};
use super::chat;
use super::content::ContentOptions;
#[cfg(feature = "deflate")]
use super::deflate::DeflateOptions;
use super::demo::Demo;
use super::feed::{Feed, FeedOptions};
use super::limits::LimitOptions;
use super::say::{self, To};
use super::signals;
use super::tally;
use super::trace::{TraceOptions, Tracing};

/// Serve the demo and benchmark routes over HTTP/1.1 and WebSocket.
///
/// Routes: / /plaintext /json /pipeline /baseline11 /echo /upload /ws /ws/pieces /chat /feed, and /static/ with --root
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Where to listen: HOST:PORT, [V6]:PORT, unix:PATH or unix:@NAME; may be repeated. Port 0: any
    #[arg(long, short, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = Address::resolve)]
    listen: Vec<Address>,
    /// How to do input and output: auto, epoll, io-uring or mio
    #[arg(long, short, value_name = "NAME", default_value = "auto")]
    backend: Backend,
    /// How many threads serve: 1 to 1024, or auto for one per processor
    #[arg(long, short, value_name = "N", default_value = "auto", value_parser = workers)]
    workers: Workers,
    /// Keep each worker on a processor of its own
    #[arg(long)]
    pin: bool,
    /// How many clients may wait to be accepted; 1 to 1048576, and the kernel caps it at net.core.somaxconn
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    backlog: u32,
    /// Share the port with other programs that do so too (SO_REUSEPORT)
    #[arg(long)]
    reuse_port: bool,
    /// The most connections of each worker, at least 1; more clients wait [what `ulimit -n` allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    connections_max: Option<u32>,
    /// Give each worker a descriptor table of its own, so that `ulimit -n` counts for each; io-uring needs it not
    #[arg(long)]
    own_tables: bool,
    /// Permission bits of Unix sockets, in octal, 0 to 777 [what the umask leaves]
    #[arg(long, value_name = "MODE", value_parser = mode)]
    unix_mode: Option<u32>,
    /// What WebSocket clients hear at SIGTERM or SIGINT: 1001, or 1012 if the program is started again at once
    #[arg(long, value_name = "CODE", default_value = "1001", value_parser = ["1001", "1012"])]
    stop_close_code: String,
    /// After each event, look for the next one for so many microseconds, 1000000 at most, before sleeping. Faster answers for few clients;
    /// costs each worker its processor meanwhile
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    busy_poll: u64,
    /// At the end, print system calls and ring operations, in all and per request
    #[arg(long)]
    count_calls: bool,
    /// Stop in order when standard input ends too: for a program that starts this one, and may be killed
    #[arg(long, hide = true)]
    end_with_input: bool,
    /// Show every system call as it happens; the options under Trace say which and how
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    tracing: TraceOptions,
    #[command(flatten)]
    access: AccessLogOptions,
    #[command(flatten)]
    content: ContentOptions,
    #[cfg(feature = "deflate")]
    #[command(flatten)]
    deflate: DeflateOptions,
    #[command(flatten)]
    feed: FeedOptions,
    #[command(flatten)]
    sockets: SocketOptions,
    #[command(flatten)]
    limits: LimitOptions,
}

const EXAMPLES: &str = "\
Examples:
  On 127.0.0.1:8080, with io_uring if it can be used here:
    longshore serve
  Files below a folder, on every interface and on a Unix socket:
    longshore serve --root site -l 0.0.0.0:80 -l unix:/run/longshore.sock
  One worker on epoll, each system call shown:
    longshore serve -b epoll -w 1 --trace

SIGINT, SIGTERM and SIGHUP stop in order, a second SIGINT or SIGTERM ends at once; with --access-log PATH, SIGHUP \
opens PATH anew instead. SIGUSR1 prints what the server does and what connections cost.

Seconds of a limit may have a fraction: 0.05 to 100000000.";

/// Options of the sockets, tcp(7) and socket(7).
#[derive(Args, Debug)]
#[command(next_help_heading = "Sockets")]
struct SocketOptions {
    /// Wake for a client only when its first bytes are there, or after SECONDS, 1 to 3600 (TCP_DEFER_ACCEPT) [at once]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    defer_accept: Option<u64>,
    /// Accept data in the SYN, for at most N clients, at least 1, that are not confirmed yet (TCP_FASTOPEN) [off]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    fast_open: Option<i32>,
    /// Probe connections that were silent for SECONDS, 1 to 32767, 3 times 10 s apart (SO_KEEPALIVE) [never]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=32767))]
    keepalive: Option<u64>,
    /// Drop a connection whose data is unacknowledged for SECONDS, 1 to 86400 (TCP_USER_TIMEOUT) [the kernel's, some 15 min]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    user_timeout: Option<u64>,
    /// Report room to send only below BYTES that have not left yet (TCP_NOTSENT_LOWAT) [always]
    #[arg(long, value_name = "BYTES")]
    not_sent_lowat: Option<u32>,
    /// Bytes of each receive buffer in the kernel (SO_RCVBUF) [tuned by the kernel]
    #[arg(long, value_name = "BYTES")]
    receive_buffer: Option<usize>,
    /// Bytes of each send buffer in the kernel (SO_SNDBUF) [tuned by the kernel]
    #[arg(long, value_name = "BYTES")]
    send_buffer: Option<usize>,
    /// IPv6 listeners take no IPv4 clients (IPV6_V6ONLY)
    #[arg(long)]
    only_v6: bool,
}

fn workers(text: &str) -> Result<Workers, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(Workers::Count(count)),
        _ if text == "auto" => Ok(Workers::Auto),
        _ => Err("must be auto or a number from 1 to 1024".to_owned()),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("must be octal permission bits, like 660".to_owned()),
    }
}

impl SocketOptions {
    fn options(&self) -> impl Iterator<Item = SocketOption> {
        let seconds = Duration::from_secs;
        let keepalive = |idle| SocketOption::Keepalive {
            idle: seconds(idle),
            interval: seconds(10),
            count: 3,
        };
        [
            self.defer_accept
                .map(|wait| SocketOption::DeferAccept(seconds(wait))),
            self.fast_open.map(SocketOption::FastOpen),
            self.keepalive.map(keepalive),
            self.user_timeout
                .map(|limit| SocketOption::UserTimeout(seconds(limit))),
            self.not_sent_lowat.map(SocketOption::NotSentLowat),
            self.receive_buffer.map(SocketOption::ReceiveBuffer),
            self.send_buffer.map(SocketOption::SendBuffer),
            self.only_v6.then_some(SocketOption::OnlyV6(true)),
        ]
        .into_iter()
        .flatten()
    }
}

impl Serve {
    /// SIGINT and SIGTERM stop in order; a second of them ends at once, and the log lines of the last moment are lost with it.
    /// SIGUSR1 prints the ledger. With a log to open anew, SIGHUP does that, unless it came because the terminal has gone:
    /// then, and without such a log, it stops.
    fn take_signals(&self) -> Result<(), String> {
        let rotates = self.access.takes_hangups();
        let hangup = if rotates {
            Some(libc::SIGHUP)
        } else {
            signals::hangup()
        };
        let mut taken = signals::STOPS.to_vec();
        taken.push(libc::SIGUSR1);
        taken.extend(hangup);
        let terminal = Terminal::look();
        signals::take(taken, move |signal| match signal {
            libc::SIGUSR1 => false,
            libc::SIGHUP => !rotates || terminal.has_gone(),
            _ => true,
        })
    }

    /// Serves until it is stopped. `tracing` is that of `longshore trace`.
    pub(crate) fn run(self, tracing: Option<&Tracing>) -> Result<ExitCode, String> {
        self.take_signals()?;
        let tracing = match tracing {
            Some(tracing) => Some(tracing.clone()),
            None if self.trace => Some(self.tracing.start()?),
            None => None,
        };
        let trace = tracing.as_ref().map(|tracing| tracing.trace.clone());
        let captures = |addresses: &[&Address]| {
            if let Some(tracing) = &tracing {
                tracing.listens(addresses);
            }
        };
        let _watched = trace.as_ref().map(Trace::watch_thread);
        let log = self.access.open()?;
        let files = self.content.files()?;
        // The soft limit is a default for old programs that use select(2).
        let _ = sys::raise_nofile(&mut sys::ThreadProbe);
        let mut server = Server::new()
            .backend(self.backend)
            .workers(self.workers)
            .pin(self.pin)
            .backlog(self.backlog)
            .reuse_port(self.reuse_port)
            .count_calls(self.count_calls)
            .own_tables(self.own_tables)
            .trace(trace.clone())
            .busy_poll(Duration::from_micros(self.busy_poll))
            .limits(self.limits.limits());
        server = self.listen.iter().cloned().fold(server, Server::listen);
        server = self.sockets.options().fold(server, Server::socket_option);
        if let Some(mode) = self.unix_mode {
            server = server.unix_mode(mode);
        }
        if let Some(connections) = self.connections_max {
            server = server.connections_max(connections);
        }
        #[cfg(feature = "gzip")]
        {
            server = self.content.apply(server);
        }
        if let Some(log) = &log {
            server = server.access_log(log.clone());
        }
        captures(&self.listen.iter().collect::<Vec<_>>());
        let bound = server.bind().map_err(|error| error.to_string())?;
        captures(&bound.addresses().collect::<Vec<_>>());
        let lines = announcement(&bound);
        let stop = match self.stop_close_code.as_str() {
            "1012" => Stopper::restart,
            _ => Stopper::stop,
        };
        let no_thread = |error| format!("cannot start a thread: {error}");
        let feed = Feed::open(self.feed.settings(), bound.publisher(), trace.clone());
        let feed = feed.map_err(no_thread)?;
        let room = chat::Room::open(bound.publisher(), trace.clone()).map_err(no_thread)?;
        hear_signals(bound.ledger(), log.clone());
        let (stopper, ends) = (bound.stopper(), feed.clone());
        // Its own calls are not traced: where nobody reads the trace, it would wait with everybody else, and nothing would
        // be stopped.
        signals::stoppable(move |_signal| {
            // Told first, what waits for events ends as it should before the server stops waiting for it.
            ends.close();
            stop(&stopper);
        });
        if self.end_with_input {
            std::thread::Builder::new()
                .name("input".to_owned())
                .spawn(end_with_input)
                .map_err(no_thread)?;
        }
        let result = bound
            .on_ready(move || say::line(To::Output, &lines))
            .run(|_worker| {
                let demo = Demo::new(files.clone(), room.clone(), feed.clone());
                #[cfg(feature = "deflate")]
                let demo = demo.deflate(self.deflate.deflate());
                demo
            });
        // The thread that waits for signals still holds the log, so it does not close by itself.
        if let Some(log) = log {
            access_log::close(log);
        }
        // Before the trace is finished: the last close is the directory's.
        drop(files);
        if let Some(trace) = trace {
            super::trace::written(trace.finish())?;
        }
        let report = result.map_err(|error| error.to_string())?;
        if self.count_calls {
            print_counts(&report);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One line for each listener.
fn announcement(bound: &Bound) -> String {
    let chosen = bound.backend();
    let workers = match bound.workers() {
        1 => "1 worker".to_owned(),
        count => format!("{count} workers"),
    };
    let line = |address: &Address| {
        let scheme = match address {
            Address::Inet(_) => "http://",
            Address::Unix(_) => "",
        };
        let fell_back = match &chosen.fell_back {
            Some(cause) => format!("; not io-uring: {cause}"),
            None => String::new(),
        };
        let backend = chosen.backend;
        format!("listening on {scheme}{address} ({backend}, {workers}){fell_back}")
    };
    let lines: Vec<String> = bound.addresses().map(line).collect();
    lines.join("\n")
}

/// What the signals mean that do not stop.
fn hear_signals(ledger: Ledger, log: Option<AccessLog>) {
    signals::hear(move |signal| match &log {
        Some(log) if signal == libc::SIGHUP => access_log::reopen(log),
        _ => tally::print(&ledger.figures()),
    });
}

/// Asks this process to stop when whoever holds the other end of standard input has gone, however it went.
fn end_with_input() {
    // What comes is not asked for; an input that cannot be read is at its end as well.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGTERM);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio is printed with three digits"
)]
fn print_counts(report: &Report) {
    let Report {
        connections,
        requests,
        messages,
        ..
    } = report;
    let mut text = format!("{connections} connections, {requests} requests, {messages} messages");
    let answered = requests + messages;
    if let Some(counts) = &report.counts {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{counts}");
        text.truncate(text.trim_end().len());
        if answered > 0 {
            let calls = counts.calls_total() as f64 / answered as f64;
            let operations = counts.submitted_total() as f64 / answered as f64;
            let _ = write!(
                text,
                "\nper request or message: {calls:.3} system calls, {operations:.3} ring operations"
            );
        }
    }
    say::last_line(To::Output, &text);
}
