//! Lesson 12: polling, long polling, event stream, WebSocket: four ways to get news.
//!
//! ```text
//!   polling       ask, "nothing", ask, "nothing", ask, an event …     the client decides when
//!   long polling  ask ………………………… an event, ask ………………………… an event      a request for each event
//!   event stream  ask, an event, an event, an event …                 one request; the server decides when
//!   WebSocket     ask (upgrade), an event, an event …                 one request, frames, both directions
//! ```
//!
//! `longshore serve` has all four on the same numbered events. Each way gets a server of its own, in another process, so
//! that its system calls are those of this way alone, and must deliver as many events, without a gap. Bytes are those of
//! HTTP and WebSocket; what TCP and IP add comes with every segment, forty bytes and more.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use longshore::client::{Event, Options, WebSocket};
use longshore::sys::{Count, Silent};
use serde::Deserialize;

use super::Lesson;
use super::beside::{HttpClient, connect};
use super::frame::Frame;
use super::loopback::{self, median};
use super::report::Table;
use super::served::{self, Served};

pub(super) const LESSON: Lesson = Lesson {
    number: 12,
    name: "feeds",
    about: "Polling, long polling, event stream, WebSocket: requests, bytes, calls and delay for the same news",
    run,
};

/// From one event to the next.
const INTERVAL_MS: u64 = 50;
/// How long a polling client waits between two questions: more often than there is news, or news would be old.
const POLL_EVERY: Duration = Duration::from_millis(17);

/// Events of each way whose calls are shown.
const SHOWN: usize = 2;

/// An event, as all four ways deliver it.
#[derive(Deserialize)]
struct Told {
    id: u64,
    /// The server's clock, which is ours: it is the same machine.
    at_us: u64,
}

/// The reply of both kinds of polling.
#[derive(Deserialize)]
struct List {
    events: Vec<Told>,
}

/// What one way needed.
#[derive(Default)]
struct Cost {
    requests: u64,
    sent: u64,
    received: u64,
    ids: Vec<u64>,
    delays_us: Vec<f64>,
    server_calls: u64,
}

impl Cost {
    fn hear(&mut self, event: &Told) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |time| time.as_micros() as u64);
        self.ids.push(event.id);
        #[expect(clippy::cast_precision_loss, reason = "a delay is far below 2^52")]
        self.delays_us.push(now.saturating_sub(event.at_us) as f64);
    }

    /// The number that the next question names.
    fn last(&self) -> u64 {
        self.ids.last().copied().unwrap_or(0)
    }

    /// Each event is the one behind the last: none is missing, none came twice.
    fn without_gap(&self) -> bool {
        self.ids.windows(2).all(|pair| pair[1] == pair[0] + 1)
    }
}

/// Gets so many events from a server.
type Listen = fn(SocketAddr, usize, &mut Cost) -> io::Result<()>;

/// A way, and its findings: requests, bytes, calls, events, without gap, median delay.
struct Way {
    name: &'static str,
    listen: Listen,
    findings: [&'static str; 6],
}

const WAYS: [Way; 4] = [
    Way {
        name: "polling",
        listen: |to, events, cost| ask(to, "/feed/poll", POLL_EVERY, events, cost),
        findings: [
            "poll_requests",
            "poll_bytes",
            "poll_calls",
            "poll_events",
            "poll_without_gap",
            "poll_delay_us",
        ],
    },
    Way {
        name: "long polling",
        listen: |to, events, cost| ask(to, "/feed/long-poll", Duration::ZERO, events, cost),
        findings: [
            "long_poll_requests",
            "long_poll_bytes",
            "long_poll_calls",
            "long_poll_events",
            "long_poll_without_gap",
            "long_poll_delay_us",
        ],
    },
    Way {
        name: "event stream",
        listen: event_stream,
        findings: [
            "stream_requests",
            "stream_bytes",
            "stream_calls",
            "stream_events",
            "stream_without_gap",
            "stream_delay_us",
        ],
    },
    Way {
        name: "WebSocket",
        listen: websocket,
        findings: [
            "websocket_requests",
            "websocket_bytes",
            "websocket_calls",
            "websocket_events",
            "websocket_without_gap",
            "websocket_delay_us",
        ],
    },
];

fn run(frame: &Frame) -> io::Result<()> {
    let events = frame.scale().pick(12, 60, 400);
    frame.say(format!(
        "A server tells an event each {INTERVAL_MS} ms. One client after the other listens to {events} of them, each in its \
         own way; the polling one asks each {} ms.",
        POLL_EVERY.as_millis()
    ));
    if frame.shows_calls() {
        show_calls(frame)?;
        frame.say(format!(
            "Now {events} events by each way, and calls only counted:"
        ));
    }
    let progress = frame.progress("ways to get news", WAYS.len() as u64);
    let mut costs = Vec::new();
    for way in &WAYS {
        let server = feeds(&["--count-calls"])?;
        let mut cost = Cost::default();
        (way.listen)(server.address, events, &mut cost)?;
        cost.server_calls = calls_total(server)?;
        costs.push(cost);
        progress.step(1);
    }
    drop(progress);
    show(frame, events, &costs);
    conclude(frame, events, &costs);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn show(frame: &Frame, events: usize, costs: &[Cost]) {
    let mut table = Table::new(
        "The same news in four ways, for each event",
        &[
            "way",
            "requests",
            "bytes to server",
            "bytes to client",
            "server's calls",
            "delay us (median)",
        ],
    );
    for (way, cost) in WAYS.iter().zip(costs) {
        let each = |number: u64| number as f64 / events as f64;
        let delay = median(cost.delays_us.clone());
        table.row([
            way.name.into(),
            each(cost.requests).into(),
            each(cost.sent).into(),
            each(cost.received).into(),
            each(cost.server_calls).into(),
            (delay as u64).into(),
        ]);
        let [requests, bytes, calls, heard, without_gap, median] = way.findings;
        frame.finding(requests, cost.requests);
        frame.finding(bytes, cost.sent + cost.received);
        frame.finding(calls, cost.server_calls);
        frame.finding(heard, cost.ids.len());
        frame.finding(without_gap, cost.without_gap());
        frame.finding(median, delay);
    }
    frame.table(table);
}

fn conclude(frame: &Frame, events: usize, costs: &[Cost]) {
    let [poll, long, stream, socket] = costs else {
        return;
    };
    let bytes = |cost: &Cost| cost.sent + cost.received;
    frame.conclude(
        costs.iter().all(|cost| cost.ids.len() >= events && cost.without_gap()),
        "All four delivered every event once and in order: they differ in price, not in what arrives.",
        "Not every way delivered every event; see the findings.",
    );
    frame.conclude(
        poll.requests > long.requests && bytes(poll) > bytes(socket),
        format!(
            "Polling needed {} requests and {} bytes, the WebSocket one request and {} bytes. Each question carries a head \
             that says nothing new, also when the answer is \u{201c}nothing\u{201d}.",
            poll.requests,
            bytes(poll),
            bytes(socket)
        ),
        "Polling was not dearer than the WebSocket in this run.",
    );
    frame.conclude(
        long.requests > stream.requests && bytes(long) > bytes(stream),
        "Long polling has news at once, but asks anew for each event. An event stream is the same request, answered without \
         end: its price is that of the news.",
        "Long polling was not dearer than an event stream in this run.",
    );
    let delay = |cost: &Cost| median(cost.delays_us.clone());
    frame.conclude(
        delay(poll) > delay(socket),
        format!(
            "Whoever polls hears later: {:.0} us against {:.0} us, about half of the time between two questions. Asking more \
             often makes it sooner and dearer.",
            delay(poll),
            delay(socket)
        ),
        "Polling happened to ask at the right moments in this run.",
    );
}

/// `longshore serve` on epoll, which tells of all its calls, with these arguments more.
fn feeds(arguments: &[&str]) -> io::Result<Served> {
    let interval = INTERVAL_MS.to_string();
    let all = ["--backend", "epoll", "--feed-interval", &interval];
    Served::start(&[&all, arguments].concat())
}

/// How many system calls a server made that counted them.
fn calls_total(server: Served) -> io::Result<u64> {
    let (text, _) = server.end()?;
    // `total    1234`, below the calls by name.
    let total = text.lines().find_map(|line| line.strip_prefix("total "));
    let total = total.and_then(|rest| rest.trim().parse().ok());
    total.ok_or_else(|| io::Error::other("the server did not say what it did"))
}

/// The server's calls for the first events of each way, from a server that is traced: the figures come from others.
fn show_calls(frame: &Frame) -> io::Result<()> {
    for way in &WAYS {
        frame.say(format!(
            "What the server does for {SHOWN} events by {}:",
            way.name
        ));
        let server = feeds(&["--trace", "--json"])?;
        (way.listen)(server.address, SHOWN, &mut Cost::default())?;
        let (_, trace) = server.end()?;
        served::show(frame, &trace);
    }
    Ok(())
}

/// Both kinds of polling: the same question again and again, one connection.
fn ask(
    to: SocketAddr,
    path: &str,
    pause: Duration,
    events: usize,
    cost: &mut Cost,
) -> io::Result<()> {
    let count = &mut Count::new();
    let mut client = HttpClient::connect(count, to)?;
    while cost.ids.len() < events {
        let after = cost.last();
        let request = format!("GET {path}?after={after} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        client.send(count, request.as_bytes())?;
        let reply = client.reply(count)?;
        cost.requests += 1;
        let list: List = serde_json::from_slice(&reply.body).map_err(io::Error::other)?;
        for event in &list.events {
            cost.hear(event);
        }
        loopback::pause(pause)?;
    }
    cost.sent = count.counts().call("send").bytes;
    cost.received = count.counts().call("recv").bytes;
    Ok(())
}

/// An event stream (WHATWG HTML §9.2): `data: {…}` is an event of ours. The chunks of the reply end between lines, and so
/// their sizes stand on lines that are no data.
fn event_stream(to: SocketAddr, events: usize, cost: &mut Cost) -> io::Result<()> {
    let stream = Metered::new(connect(&mut Silent, to)?);
    let mut stream = BufReader::new(stream);
    let request =
        format!("GET /feed/events HTTP/1.1\r\nHost: {to}\r\nAccept: text/event-stream\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    cost.requests = 1;
    let mut line = String::new();
    while cost.ids.len() < events {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The state of the feed is JSON too, but no event.
        let event = line.strip_prefix("data: ").map(serde_json::from_str);
        if let Some(Ok(event)) = event {
            cost.hear(&event);
        }
    }
    (cost.sent, cost.received) = stream.get_ref().figures();
    Ok(())
}

/// A WebSocket on which only the server speaks.
fn websocket(to: SocketAddr, events: usize, cost: &mut Cost) -> io::Result<()> {
    let stream = Metered::new(connect(&mut Silent, to)?);
    let uri = format!("ws://{to}/feed/ws");
    let mut socket =
        WebSocket::handshake(stream, &uri, &Options::default()).map_err(io::Error::other)?;
    cost.requests = 1;
    while cost.ids.len() < events {
        match socket.next().map_err(io::Error::other)? {
            // The state of the feed is JSON too, but no event.
            Event::Text(text) => {
                if let Ok(event) = serde_json::from_str(text) {
                    cost.hear(&event);
                }
            }
            Event::Ping(_) => {}
            other => return Err(io::Error::other(format!("an event, not {other:?}"))),
        }
    }
    (cost.sent, cost.received) = socket.stream().figures();
    Ok(())
}

/// A stream that counts what passes.
struct Metered {
    stream: TcpStream,
    sent: u64,
    received: u64,
}

impl Metered {
    fn new(stream: TcpStream) -> Self {
        Metered {
            stream,
            sent: 0,
            received: 0,
        }
    }

    fn figures(&self) -> (u64, u64) {
        (self.sent, self.received)
    }
}

impl Read for Metered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(into)?;
        self.received += count as u64;
        Ok(count)
    }
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.sent += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
