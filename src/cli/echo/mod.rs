//! `longshore echo`: sends back what comes, over a socket of any kind, by the model of one's choice.
//!
//! ```text
//!                    ┌─ blocking   one connection after the other         blocking.rs ┐ the system calls
//!   listen.rs ──▶ ───┼─ threads    a thread for each connection           threads.rs  ┘ alone
//!   a bound socket   └─ epoll, io-uring, mio   the crate's own loop       reactor.rs
//!                                      │
//!                    live.rs: what is open, so that a signal can end it in order
//! ```
//!
//! It is for studying the layer below HTTP: the same service in the models that servers have, so that their calls can be
//! compared. It does not know what the bytes mean.

mod blocking;
mod datagrams;
mod listen;
mod live;
mod reactor;
mod stream;
mod tally;
mod threads;
mod transport;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, ValueEnum};
use longshore::Backend;
use longshore::sys::{self, Address, Probe};

use self::listen::Place;
use self::live::Live;
use self::tally::Tally;
use self::transport::Transport;
use super::say::{self, To};
use super::seconds::Seconds;
use super::signals;

/// Send back what comes: a TCP, UDP or Unix echo server, for studying the layer below HTTP.
///
/// It prints where it listens, and at SIGINT, SIGTERM or SIGHUP what it has done; a second SIGINT or SIGTERM ends it at
/// once. A connection whose peer ends its half gets the rest of its bytes and is closed.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Echo {
    /// What to listen with [what the address says: tcp, or unix]
    #[arg(value_enum, value_name = "KIND")]
    transport: Option<Transport>,
    /// Where to listen: HOST:PORT, [V6]:PORT, unix:PATH or unix:@NAME. Port 0: any, and it is printed [127.0.0.1:7007, or
    /// unix:@longshore-echo]
    #[arg(long, short, value_name = "ADDR", value_parser = Address::resolve)]
    listen: Option<Address>,
    /// How to serve several connections
    #[arg(
        long,
        short,
        value_enum,
        value_name = "MODEL",
        default_value = "blocking"
    )]
    model: Model,
    /// The most connections at a time; more clients wait. With `blocking` it is always 1
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    connections_max: u32,
    /// How many clients may wait to be accepted; the kernel caps it at net.core.somaxconn
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    backlog: u32,
    /// Bytes of a connection that are kept until its peer takes them; at it, no more are received
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 10, value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    buffer_bytes: u32,
    /// Without a byte from a peer, or without its taking one; after: closed
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    idle_timeout: Seconds,
    /// Print connections as they come and go, with protocol, both addresses and both ports
    #[arg(long, short)]
    verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  TCP on 127.0.0.1:7007, one connection after the other:
    longshore echo
  A thread for each connection, on any free port:
    longshore echo -m threads -l '[::1]:0' -v
  Datagrams, by epoll:
    longshore echo udp -m epoll
  A Unix stream socket, and Unix datagrams on an abstract name:
    longshore echo -l unix:/tmp/echo.sock
    longshore echo unix-datagram -l unix:@parrot

Try it with `longshore connect tcp://127.0.0.1:7007`.

Limits of datagrams: 64 KiB each (the rest of a longer one is lost, and said so with --verbose). One from a port below \
1024, or from the server's own port number, is not answered, so that two echoing services cannot be made to talk to each \
other for ever.";

/// Who waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Model {
    /// One thread; accept, serve to the end, accept again
    Blocking,
    /// One thread that accepts, and one for each connection
    Threads,
    /// One thread that waits for all of them by epoll
    Epoll,
    /// One thread whose operations the kernel completes by io_uring
    #[value(alias = "io_uring")]
    IoUring,
    /// One thread, by the poller of most Rust servers
    Mio,
}

impl Model {
    const fn name(self) -> &'static str {
        match self {
            Model::Blocking => "blocking",
            Model::Threads => "threads",
            Model::Epoll => "epoll",
            Model::IoUring => "io-uring",
            Model::Mio => "mio",
        }
    }
}

/// What is echoed, and within which bounds.
#[derive(Clone, Debug)]
struct Terms {
    transport: Transport,
    model: Model,
    connections_max: usize,
    backlog: u32,
    buffer_bytes: usize,
    idle: Duration,
    verbose: bool,
}

impl Echo {
    /// Serves until a signal. `probes` makes the probe of each thread, on that thread. `listens` is told the address, before
    /// it is bound and behind that, when port 0 is resolved; nobody is accepted before it returns.
    pub(crate) fn run<P: Probe>(
        self,
        probes: impl Fn() -> P + Send + Sync + 'static,
        listens: impl Fn(&Address),
    ) -> Result<ExitCode, String> {
        let (transport, address) = self.place();
        let terms = Terms {
            transport,
            model: self.model,
            connections_max: self.connections_max as usize,
            backlog: self.backlog,
            buffer_bytes: self.buffer_bytes as usize,
            idle: self.idle_timeout.0,
            verbose: self.verbose,
        };
        let taken = signals::STOPS.into_iter().chain(signals::hangup());
        signals::take(taken.collect(), |_signal| true)?;
        // The soft limit is a default for old programs that use select(2).
        let _ = sys::raise_nofile(&mut probes());
        let tally = Tally::new(terms.verbose);
        listens(&address);
        let bound = |address: &Address| {
            listens(address);
            announce(address, &terms);
        };
        match self.model {
            Model::Blocking | Model::Threads => by_hand(probes, &terms, &address, bound, &tally),
            Model::Epoll => reactor::run(probes, &terms, (&address, bound), Backend::Epoll, &tally),
            Model::IoUring => {
                reactor::run(probes, &terms, (&address, bound), Backend::IoUring, &tally)
            }
            Model::Mio => reactor::run(probes, &terms, (&address, bound), Backend::Mio, &tally),
        }?;
        say::last_line(To::Output, &tally.report());
        Ok(ExitCode::SUCCESS)
    }

    /// Kind and address, each said by the other where it was left out. A contradiction ends the program with code 2.
    fn place(&self) -> (Transport, Address) {
        let transport = self.transport.unwrap_or(match &self.listen {
            Some(Address::Unix(_)) => Transport::Unix,
            _ => Transport::Tcp,
        });
        let address = self
            .listen
            .clone()
            .unwrap_or_else(|| transport.usual_address());
        if address.is_unix() != transport.is_unix() {
            let like = transport.usual_address();
            let name = transport.name();
            let message =
                format!("{name} does not go with {address}: write an address like {like}");
            super::Cli::command()
                .error(ErrorKind::ArgumentConflict, message)
                .exit();
        }
        (transport, address)
    }
}

/// The models that block, whose threads are woken one by one when the program stops.
fn by_hand<P: Probe>(
    probes: impl Fn() -> P + Send + Sync + 'static,
    terms: &Terms,
    address: &Address,
    bound: impl Fn(&Address),
    tally: &Tally,
) -> Result<(), String> {
    let probes = Arc::new(probes);
    let live = Arc::new(Live::default());
    let place = Place::open(&mut probes(), terms, address)?;
    let stop = {
        let (live, probes) = (Arc::clone(&live), Arc::clone(&probes));
        move |_signal| live.stop(&mut probes())
    };
    signals::stoppable(stop);
    bound(&place.address);
    match terms.model {
        Model::Threads => threads::run(&*probes, terms, place, &live, tally),
        _ => blocking::run(&*probes, terms, place, &live, tally),
    }
}

fn announce(address: &Address, terms: &Terms) {
    let at = terms.transport.at(address);
    print(&format!("listening on {at} ({})", terms.model.name()));
}

/// One line on standard output. Whoever reads it may have gone: that is no error.
fn print(line: &str) {
    say::line(To::Output, line);
}
