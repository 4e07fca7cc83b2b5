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
use std::time::{Duration, Instant};

use longshore::sys::Count;
use longshore::{Backend, Handler, Replied, Reply, Request, Server};

use super::Lesson;
use super::beside::{Beside, HttpClient};
use super::frame::Frame;
use super::kernel;
use super::report::Table;

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
        name: "HTTP/1.1, Connection: close",
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
        name: "HTTP/1.0, Connection: keep-alive",
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
    /// Of the whole machine meanwhile, where it can be read.
    segments: Option<f64>,
    time_wait: usize,
    time: Duration,
}

fn run(frame: &Frame) -> io::Result<()> {
    let requests = frame.scale().pick(160, 1_600, 8_000);
    once_each(frame)?;
    frame.say(format!(
        "Now {requests} requests in each of five ways, one client, one server on epoll. Calls and segments are counted, per \
         request; segments are those of the whole machine meanwhile."
    ));
    let mut costs = Vec::new();
    let progress = frame.progress("ways to ask", WAYS.len() as u64);
    for way in &WAYS {
        costs.push(measure(way, requests)?);
        progress.step(1);
    }
    drop(progress);
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

/// Asks `requests` times in this way.
fn measure(way: &Way, requests: usize) -> io::Result<Cost> {
    let server = Beside::start(
        Server::new().backend(Backend::Epoll).count_calls(true),
        Hello,
    )?;
    let address = server.address();
    let count = &mut Count::new();
    let together = way.request.repeat(way.depth);
    let (segments, begin) = (kernel::counter("OutSegs"), Instant::now());
    let mut kept: Option<HttpClient> = None;
    for _ in 0..requests / way.depth {
        let mut client = match kept.take() {
            Some(client) => client,
            None => HttpClient::connect(count, address)?,
        };
        client.send(count, &together)?;
        for _ in 0..way.depth {
            match client.reply(count)?.status {
                200 => {}
                status => return Err(io::Error::other(format!("the server answered {status}"))),
            }
        }
        if way.closes {
            // Until its FIN has come the server has not closed, and it would not be the first who does.
            client.ended(count)?;
        } else {
            kept = Some(client);
        }
    }
    let time = begin.elapsed();
    drop(kept);
    let segments = kernel::counter("OutSegs").zip(segments);
    let report = server.stop()?;
    let time_wait = kernel::tcp_sockets(address.port())?
        .iter()
        .filter(|socket| socket.state == "TIME-WAIT")
        .count();
    let calls = report.counts.map_or(0, |counts| counts.calls_total());
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = |number: u64| number as f64 / requests as f64;
    Ok(Cost {
        connections: report.connections,
        server_calls: each(calls),
        client_calls: each(count.counts().calls_total()),
        segments: segments.map(|(after, before)| each(after.saturating_sub(before))),
        time_wait,
        time,
    })
}

fn show(frame: &Frame, costs: &[Cost]) {
    let mut table = Table::new(
        "What a request costs",
        &[
            "way",
            "connections",
            "server's calls",
            "client's calls",
            "segments, at most",
            "left in TIME_WAIT",
            "time (keep-alive = 1)",
        ],
    );
    let unit = costs[3].time.as_secs_f64().max(f64::MIN_POSITIVE);
    for (way, cost) in WAYS.iter().zip(costs) {
        table.row([
            way.name.into(),
            cost.connections.into(),
            cost.server_calls.into(),
            cost.client_calls.into(),
            cost.segments.map_or("–".into(), Into::into),
            cost.time_wait.into(),
            (cost.time.as_secs_f64() / unit).into(),
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
