//! Lesson 11: heartbeats, presence, and the idle cut-off.
//!
//! ```text
//!   who is silent?      who notices                          what it proves
//!   the application     a heartbeat of its own, at the app   the application lives and gets through
//!   the WebSocket       Ping and Pong, by the protocol       the peer's WebSocket code runs
//!   the host            keepalive, by the two kernels        the other kernel is there: no more
//!   a request           idle limit, by the server            nothing: it is only cut
//! ```
//!
//! TCP itself never says that a peer is gone: a connection without bytes has no packets either. The times here are short so
//! that one can wait for them; real ones are tens of seconds. It does not cut a cable: a peer whose host vanished cannot be
//! had on loopback.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use longshore::client::{Error, Event, Options, WebSocket};
use longshore::http::Status;
use longshore::sys::{self, Mode, POLLIN, Silent, SocketOption};
use longshore::{Handler, Limits, Replied, Reply, Request, Server};

use super::Lesson;
use super::beside::{Beside, HttpClient};
use super::frame::Frame;
use super::kernel;
use super::loopback::{self, PATIENCE, pause, ready, v4};
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 11,
    name: "heartbeats",
    about: "Heartbeats, presence, ping and pong, keepalive, idle cut-off: who notices that a peer is silent",
    run,
};

/// Who has been silent for so long counts as offline.
const OFFLINE_AFTER: Duration = Duration::from_millis(500);
const BEAT: Duration = Duration::from_millis(50);
const PING_INTERVAL: Duration = Duration::from_millis(200);
/// Long enough for a lively client on a busy machine.
const PING_TIMEOUT: Duration = Duration::from_millis(800);
const IDLE: Duration = Duration::from_millis(300);

/// Notes who beats, and what becomes of WebSockets.
#[derive(Clone, Default)]
struct Watch {
    seen: Arc<Mutex<HashMap<Vec<u8>, Instant>>>,
    closed: Arc<AtomicUsize>,
    pongs: Arc<AtomicUsize>,
}

/// Whether a connection is a WebSocket: only those are counted.
type IsWebSocket = bool;

impl Handler for Watch {
    type Connection = IsWebSocket;

    fn request(
        &mut self,
        request: Request<'_>,
        reply: Reply<'_>,
        is_websocket: &mut IsWebSocket,
    ) -> Replied {
        match request.path() {
            b"/ws" => {
                *is_websocket = true;
                reply.websocket(&request)
            }
            b"/beat" => {
                let name = request.query().unwrap_or_default().to_vec();
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(name, Instant::now());
                reply.text("noted")
            }
            _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
        }
    }

    fn pong(&mut self, _: &mut IsWebSocket) {
        self.pongs.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&mut self, is_websocket: IsWebSocket) {
        self.closed
            .fetch_add(usize::from(is_websocket), Ordering::Relaxed);
    }
}

impl Watch {
    /// How long nobody has heard of this one; `None`: never heard of.
    fn silent_for(&self, name: &[u8]) -> Option<Duration> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(name).map(Instant::elapsed)
    }

    fn is_online(&self, name: &[u8]) -> bool {
        self.silent_for(name)
            .is_some_and(|silent| silent < OFFLINE_AFTER)
    }
}

fn run(frame: &Frame) -> io::Result<()> {
    let watch = Watch::default();
    let limits = Limits {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        ..Limits::default()
    };
    let server = Beside::start(Server::new().limits(limits), watch.clone())?;
    let mut table = Table::new(
        "Who noticed what",
        &["means", "who was silent", "what happened"],
    );
    table.row(application(frame, &watch, server.address())?);
    table.row(websocket(frame, &watch, server.address())?);
    server.stop()?;
    table.row(idle(frame)?);
    table.row(keepalive(frame)?);
    frame.table(table);
    Ok(())
}

type Row = [super::report::Value; 3];

/// Ada and Bob beat over HTTP; then Ada falls silent, and her connection stays as it is.
fn application(frame: &Frame, watch: &Watch, to: SocketAddr) -> io::Result<Row> {
    frame.say(format!(
        "Heartbeats of the application. Ada and Bob ask /beat every {} ms; who is not heard for {} ms counts as offline:",
        BEAT.as_millis(),
        OFFLINE_AFTER.as_millis()
    ));
    let mut ada = HttpClient::connect(&mut Silent, to)?;
    let mut bob = HttpClient::connect(&mut Silent, to)?;
    let beat = |client: &mut HttpClient, name: &str| {
        let request = format!("GET /beat?{name} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send(&mut frame.calls("client"), request.as_bytes())?;
        client.reply(&mut frame.calls("client")).map(drop)
    };
    for _ in 0..3 {
        pause(BEAT)?;
        beat(&mut ada, "ada")?;
        beat(&mut bob, "bob")?;
    }
    let (before, bob_before) = (watch.is_online(b"ada"), watch.is_online(b"bob"));
    frame.say("Now Ada is silent. Her program hangs, say: her socket stays open, and no packet tells of it. Bob goes on:");
    let begin = Instant::now();
    while watch.is_online(b"ada") && begin.elapsed() < PATIENCE {
        pause(BEAT)?;
        beat(&mut bob, "bob")?;
    }
    let last_seen = watch.silent_for(b"ada").unwrap_or_default();
    let (online, bob_online) = (watch.is_online(b"ada"), watch.is_online(b"bob"));
    let (local, remote) = (ada.stream.local_addr()?, ada.stream.peer_addr()?);
    let state = match (local, remote) {
        (SocketAddr::V4(local), SocketAddr::V4(remote)) => kernel::tcp_state(local, remote)?,
        _ => None,
    };
    frame.finding("ada_online_while_beating", before && bob_before);
    frame.finding("ada_online_when_silent", online);
    frame.finding("bob_online", bob_online);
    frame.finding("ada_tcp_state", state.unwrap_or("none"));
    frame.finding("ada_last_seen_ms", last_seen.as_millis() as u64);
    frame.finding("offline_after_ms", OFFLINE_AFTER.as_millis() as u64);
    frame.conclude(
        before && !online && state == Some("ESTABLISHED"),
        format!(
            "Ada counts as offline, last seen {} ms ago, and her connection is ESTABLISHED all the same: presence is a matter \
             of the application, not of TCP.",
            last_seen.as_millis()
        ),
        "Ada's silence did not show as expected; see the findings.",
    );
    Ok([
        "heartbeat of the application".into(),
        "Ada's program".into(),
        format!("offline, TCP {}", state.unwrap_or("gone")).into(),
    ])
}

/// One client answers pings, the other reads nothing.
fn websocket(frame: &Frame, watch: &Watch, to: SocketAddr) -> io::Result<Row> {
    frame.say(format!(
        "Ping and Pong. The server pings a WebSocket after {} ms of silence, and drops it if nothing comes back within {} ms. \
         One client answers, as RFC 6455 §5.5.2 asks; the other is stuck and reads nothing:",
        PING_INTERVAL.as_millis(),
        PING_TIMEOUT.as_millis()
    ));
    let uri = format!("ws://{to}/ws");
    let mut lively = WebSocket::connect(&uri, &Options::default()).map_err(io::Error::other)?;
    let stuck = WebSocket::connect(&uri, &Options::default()).map_err(io::Error::other)?;
    let (begin, mut pings) = (Instant::now(), 0);
    // `next` answers a Ping before it tells of it.
    while (watch.closed.load(Ordering::Relaxed) == 0 || pings < 3) && begin.elapsed() < PATIENCE {
        match lively.next().map_err(io::Error::other)? {
            Event::Ping(_) => pings += 1,
            other => return Err(io::Error::other(format!("a Ping, not {other:?}"))),
        }
    }
    let dropped = watch.closed.load(Ordering::Relaxed);
    let found = end_of(stuck);
    frame.say(format!(
        "The stuck one finds this when it wakes: {found}. The lively one has answered {pings} pings and is still there."
    ));
    frame.finding("websockets_dropped", dropped);
    frame.finding("pings_answered", pings);
    frame.finding("pongs_received", watch.pongs.load(Ordering::Relaxed));
    let alive = lively.send_text("still here").is_ok();
    frame.finding("lively_stays", alive);
    frame.conclude(
        dropped == 1 && alive && pings >= 3,
        "A Pong proves that the peer's WebSocket code runs. The stuck client was dropped, the other not; and a Ping each so \
         often keeps firewalls and NATs from forgetting the connection.",
        "The server did not tell the stuck client from the lively one.",
    );
    Ok([
        "Ping and Pong".into(),
        "a stuck WebSocket".into(),
        format!("dropped; who answers stays, {pings} pings").into(),
    ])
}

/// What a client that was dropped reads at last.
fn end_of(mut socket: WebSocket<std::net::TcpStream>) -> String {
    loop {
        match socket.next() {
            Ok(Event::Closed(code, _)) => return format!("a Close, {code:?}"),
            Ok(_) => {}
            Err(Error::Read(error) | Error::Write(error)) => return error.kind().to_string(),
            Err(error) => return error.to_string(),
        }
    }
}

/// A keep-alive connection without a next request.
fn idle(frame: &Frame) -> io::Result<Row> {
    frame.say(format!(
        "Idle cut-off. A client asks once, keeps its connection, and asks nothing more. The server's limit is {} ms:",
        IDLE.as_millis()
    ));
    let calls = &mut frame.calls("client");
    let limits = Limits {
        idle_timeout: IDLE,
        ..Limits::default()
    };
    let server = Beside::start(Server::new().limits(limits), Watch::default())?;
    let mut client = HttpClient::connect(calls, server.address())?;
    client.send(calls, b"GET /beat?idle HTTP/1.1\r\nHost: a\r\n\r\n")?;
    client.reply(calls)?;
    let begin = Instant::now();
    let cut = client.ended(calls).is_ok();
    let waited = begin.elapsed().as_millis() as u64;
    server.stop()?;
    frame.finding("idle_was_cut", cut);
    frame.finding("idle_cut_after_ms", waited);
    frame.finding("idle_limit_ms", IDLE.as_millis() as u64);
    frame.conclude(
        cut,
        format!(
            "The server closed after {waited} ms, without a word: nobody had asked. A client must expect that of any \
             connection that it has not used for a while, and simply connect again."
        ),
        "The server kept the idle connection.",
    );
    Ok([
        "idle limit".into(),
        "a client without requests".into(),
        format!("cut after {waited} ms").into(),
    ])
}

/// The kernels talk: an application that never runs again still counts as alive.
fn keepalive(frame: &Frame) -> io::Result<Row> {
    frame.say("TCP keepalive. The server's kernel asks the client's after a second of silence, the shortest there is. The client's program does nothing at all:");
    let (client, server) = loopback::pair(&mut Silent)?;
    let calls = &mut frame.calls("server");
    let option = SocketOption::Keepalive {
        idle: Duration::from_secs(1),
        interval: Duration::from_secs(1),
        count: 3,
    };
    let before = kernel::counter("TCPKeepAlive");
    sys::setsockopt(calls, server.as_fd(), &option)?;
    let Some(before) = before else {
        frame.refused("keepalive probes", "this kernel does not show TCPKeepAlive");
        return Ok([
            "TCP keepalive".into(),
            "a program".into(),
            "cannot be seen here".into(),
        ]);
    };
    let begin = Instant::now();
    let mut probes = 0;
    while probes == 0 && begin.elapsed() < PATIENCE {
        pause(BEAT)?;
        probes = kernel::counter("TCPKeepAlive").map_or(0, |now| now.saturating_sub(before));
    }
    sys::set_mode(&mut Silent, server.as_fd(), Mode::Nonblocking)?;
    let woken = ready(calls, server.as_fd(), POLLIN, Duration::ZERO)?;
    let local = v4(&sys::getsockname(&mut Silent, server.as_fd())?)?;
    let remote = v4(&sys::getsockname(&mut Silent, client.as_fd())?)?;
    let state = kernel::tcp_state(local, remote)?;
    let alive = state == Some("ESTABLISHED") && !woken;
    frame.finding("keepalive_probes", probes);
    frame.finding("keepalive_connection_stays", alive);
    frame.conclude(
        probes > 0 && alive,
        "The client's kernel answered, so the connection stays, though nobody reads there. Keepalive finds hosts that are \
         gone, and keeps NATs awake; it does not find programs that hang.",
        "No keepalive probe was seen within the time of this lesson.",
    );
    Ok([
        "TCP keepalive".into(),
        "a program, not its host".into(),
        format!("not noticed: {}", state.unwrap_or("gone")).into(),
    ])
}
