//! Lesson 10: short connections, long ones, and pipelines.
//!
//! ```text
//!   short        connect, ask, answer, close    connect, ask, answer, close    …     HTTP/1.0
//!   keep-alive   connect, ask, answer,  ask, answer,  ask, answer, …  close          HTTP/1.1
//!   pipelined    connect, ask ask ask …, answer answer answer …, …    close
//! ```
//!
//! The same requests five times, each time to a server of their own, so that its calls are those of these requests. Short
//! and long are not two kinds of TCP: they are two ways to use it. It does not know what a server with many clients at once
//! does; there one wait serves several of them, and the server's calls per request are fewer.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use longshore::sys::{self, Count, How, Silent, TcpState};
use longshore::{Backend, Handler, Replied, Reply, Request, Server};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::Lesson;
use super::beside::{Beside, HttpClient};
use super::frame::Frame;
use super::kernel;
use super::loopback::{median, settled};
use super::report::{Table, Value};

pub(super) const LESSON: Lesson = Lesson {
    number: 10,
    name: "short-and-long",
    about: "Short connections, keep-alive, pipelining: what a request costs in each",
    run,
};

/// Requests that are on their way together when they are pipelined.
const DEPTH: usize = 16;

/// Answers every request with the same few bytes.
#[derive(Clone)]
struct Hello;

impl Handler for Hello {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("Hello, World!")
    }
}

/// One way to ask.
struct Way {
    name: &'static str,
    request: &'static [u8],
    /// Requests that are sent before the first answer is read.
    depth: usize,
    /// The server ends the connection behind its answer.
    closes: bool,
    /// Names of the findings: connections, calls of the server, segments, connections in TIME_WAIT.
    findings: [&'static str; 4],
}

const WAYS: [Way; 5] = [
    Way {
        name: "HTTP/1.0, short",
        request: b"GET / HTTP/1.0\r\n\r\n",
        depth: 1,
        closes: true,
        findings: [
            "short_1_0_connections",
            "short_1_0_calls",
            "short_1_0_segments",
            "short_1_0_time_wait",
        ],
    },
    Way {
        name: "HTTP/1.1, close",
        request: b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        depth: 1,
        closes: true,
        findings: [
            "short_1_1_connections",
            "short_1_1_calls",
            "short_1_1_segments",
            "short_1_1_time_wait",
        ],
    },
    Way {
        name: "HTTP/1.0, keep-alive",
        request: b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        depth: 1,
        closes: false,
        findings: [
            "long_1_0_connections",
            "long_1_0_calls",
            "long_1_0_segments",
            "long_1_0_time_wait",
        ],
    },
    Way {
        name: "HTTP/1.1, keep-alive",
        request: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        depth: 1,
        closes: false,
        findings: [
            "long_1_1_connections",
            "long_1_1_calls",
            "long_1_1_segments",
            "long_1_1_time_wait",
        ],
    },
    Way {
        name: "HTTP/1.1, pipelined by 16",
        request: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        depth: DEPTH,
        closes: false,
        findings: [
            "pipelined_connections",
            "pipelined_calls",
            "pipelined_segments",
            "pipelined_time_wait",
        ],
    },
];

/// What `requests` requests cost.
struct Cost {
    connections: u64,
    server_calls: f64,
    client_calls: f64,
    /// Of its connections, in both directions, where the kernel counts them (4.2+).
    segments: Option<f64>,
    time_wait: usize,
    /// Of the processor, in the middle round, in seconds.
    time: f64,
}

fn run(frame: &Frame) -> io::Result<()> {
    let (round, rounds) = frame.scale().pick((16, 10), (160, 21), (160, 101));
    let requests = round * rounds;
    once_each(frame)?;
    frame.say(format!(
        "Now {requests} requests in each of five ways, one client, one server on epoll. Calls are counted, and the segments of \
         these connections in both directions (TCP_INFO), per request. The ways take turns, {rounds} rounds; time is what the \
         middle round took of the processor, on both sides."
    ));
    let mut askings = Vec::new();
    for way in &WAYS {
        askings.push(Asking::new(way)?);
    }
    let progress = frame.progress("rounds", rounds as u64);
    for number in 0..rounds {
        // To and fro, so that nobody always follows the same one.
        for at in 0..askings.len() {
            let at = if number % 2 == 0 {
                at
            } else {
                askings.len() - 1 - at
            };
            askings[at].round(round)?;
        }
        progress.step(1);
    }
    drop(progress);
    let mut costs = Vec::new();
    for asking in askings {
        costs.push(asking.end(requests)?);
    }
    show(frame, &costs);

    let [short, _, long_1_0, long, pipelined] = &costs[..] else {
        return Err(io::Error::other("a cost for each way"));
    };
    let saved = short.server_calls / long.server_calls;
    frame.conclude(
        long.connections < short.connections && saved > 1.0,
        format!(
            "A short connection costs the server {saved:.1} times the calls of a request on a long one: accept, register, \
             shut down, close, and a handshake and a farewell on the wire around a single answer."
        ),
        "Long connections did not save calls in this run.",
    );
    frame.conclude(
        long_1_0.connections == long.connections,
        "HTTP/1.0 can keep a connection too, if both say so. HTTP/1.1 only made that the rule: long and short are ways to \
         use TCP, not kinds of it.",
        "The server did not keep the connection of the HTTP/1.0 client that asked for it.",
    );
    frame.conclude(
        pipelined.server_calls * 2.0 < long.server_calls,
        "Pipelined requests share receives and sends: what a request costs is then its bytes and hardly any call. The answers \
         still come in order, so a slow one holds up those behind it.",
        "Pipelining did not halve the calls in this run: the requests arrived one by one.",
    );
    frame.conclude(
        short.time_wait as u64 > long.time_wait as u64,
        format!(
            "Whoever closes first keeps the connection in TIME_WAIT for a minute: {} of them after the short ones, {} after \
             the long one.",
            short.time_wait, long.time_wait
        ),
        "The short connections left no more in TIME_WAIT than the long one.",
    );
    Ok(())
}

/// A short exchange and a long one, with their calls.
fn once_each(frame: &Frame) -> io::Result<()> {
    let server = Beside::start(Server::new().backend(Backend::Epoll), Hello)?;
    let calls = &mut frame.calls("client");
    frame.say("A short connection, as HTTP/1.0 has it. The server closes behind its answer, which the client sees as 0 bytes:");
    let mut client = HttpClient::connect(calls, server.address())?;
    client.send(calls, WAYS[0].request)?;
    client.reply(calls)?;
    let ended = client.ended(calls).is_ok();
    frame.finding("server_closed_short", ended);
    frame.say("A long one: two requests, one behind the other, on one connection.");
    let mut client = HttpClient::connect(calls, server.address())?;
    for _ in 0..2 {
        client.send(calls, WAYS[3].request)?;
        client.reply(calls)?;
    }
    frame.say("A pipeline: three requests in one send, and the answers in the same order.");
    client.send(calls, &WAYS[4].request.repeat(3))?;
    for _ in 0..3 {
        client.reply(calls)?;
    }
    drop(client);
    server.stop().map(drop)
}

/// One way to ask, while it is measured.
struct Asking {
    way: &'static Way,
    server: Beside,
    count: Count,
    kept: Option<HttpClient>,
    /// What each round took of the processor, in seconds.
    rounds: Vec<f64>,
    segments: Option<u64>,
}

impl Asking {
    fn new(way: &'static Way) -> io::Result<Self> {
        let server = Server::new().backend(Backend::Epoll).count_calls(true);
        Ok(Asking {
            way,
            server: Beside::start(server, Hello)?,
            count: Count::new(),
            kept: None,
            rounds: Vec::new(),
            segments: Some(0),
        })
    }

    /// Asks so many times.
    fn round(&mut self, requests: usize) -> io::Result<()> {
        let (way, count) = (self.way, &mut self.count);
        let together = way.request.repeat(way.depth);
        let mut ended = Vec::new();
        let begin = processor_seconds()?;
        for _ in 0..requests / way.depth {
            let mut client = match self.kept.take() {
                Some(client) => client,
                None => HttpClient::connect(count, self.server.address())?,
            };
            client.send(count, &together)?;
            for _ in 0..way.depth {
                match client.reply(count)?.status {
                    200 => {}
                    status => {
                        return Err(io::Error::other(format!("the server answered {status}")));
                    }
                }
            }
            if way.closes {
                // Until its FIN has come the server has not closed, and it would not be the first who does.
                client.ended(count)?;
                sys::shutdown(&mut Silent, client.stream.as_fd(), How::Write)?;
                ended.push(client);
            } else {
                self.kept = Some(client);
            }
        }
        self.rounds.push(processor_seconds()? - begin);
        ended.into_iter().try_for_each(|client| self.close(client))
    }

    /// Closes a connection that has said its FIN, when all its segments have been.
    fn close(&mut self, client: HttpClient) -> io::Result<()> {
        let info = || sys::tcp_info(&mut Silent, client.stream.as_fd());
        settled(&TcpState::Close, || Ok(info()?.state))?;
        let info = info()?;
        let both = info.segments_in.zip(info.segments_out);
        let both = both.map(|(came, left)| u64::from(came) + u64::from(left));
        self.segments = self.segments.zip(both).map(|(all, these)| all + these);
        sys::close(&mut self.count, OwnedFd::from(client.stream))
    }

    /// What all that cost.
    fn end(mut self, requests: usize) -> io::Result<Cost> {
        if let Some(client) = self.kept.take() {
            sys::shutdown(&mut Silent, client.stream.as_fd(), How::Write)?;
            self.close(client)?;
        }
        let port = self.server.address().port();
        let report = self.server.stop()?;
        let time_wait = kernel::tcp_sockets(port)?
            .iter()
            .filter(|socket| socket.state == "TIME-WAIT")
            .count();
        let calls = report.counts.map_or(0, |counts| counts.calls_total());
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let each = |number: u64| number as f64 / requests as f64;
        Ok(Cost {
            connections: report.connections,
            server_calls: each(calls),
            client_calls: each(self.count.counts().calls_total()),
            segments: self.segments.map(each),
            time_wait,
            // The first round is for warming up.
            time: median(self.rounds.split_off(1)),
        })
    }
}

/// What this process has used of the processor, client and servers (`getrusage(2)`). How long it took beside that tells of
/// whatever else runs on the machine.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn processor_seconds() -> io::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time() + usage.system_time();
    Ok(micros.num_microseconds() as f64 / 1e6)
}

fn show(frame: &Frame, costs: &[Cost]) {
    let mut table = Table::new(
        "What a request costs (time: of the processor, HTTP/1.1 keep-alive = 1)",
        &[
            "way",
            "connections",
            "server calls",
            "client calls",
            "segments",
            "TIME_WAIT",
            "time",
        ],
    );
    let unit = costs[3].time.max(f64::MIN_POSITIVE);
    for (way, cost) in WAYS.iter().zip(costs) {
        table.row([
            way.name.into(),
            cost.connections.into(),
            cost.server_calls.into(),
            cost.client_calls.into(),
            cost.segments.map_or("–".into(), Into::into),
            cost.time_wait.into(),
            Value::Tenths((cost.time / unit * 10.0).round() / 10.0),
        ]);
        let [connections, calls, segments, time_wait] = way.findings;
        frame.finding(connections, cost.connections);
        frame.finding(calls, cost.server_calls);
        if let Some(each) = cost.segments {
            frame.finding(segments, each);
        }
        frame.finding(time_wait, cost.time_wait);
    }
    frame.table(table);
}
