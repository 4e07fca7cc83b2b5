//! A WebSocket: a line of input is a message, and each that comes is printed as a line.
//!
//! ```text
//!   poll(0, socket) ─┬─ input ──▶ lines ──▶ send, masked frames
//!                    ├─ socket ─▶ next … until it has nothing more, or a round is full ──▶ lines on standard output
//!                    └─ neither for --ping-interval ─▶ ping; then nothing at all: the server is gone
//!
//!   end of input ─▶ Close 1000 ─▶ what was under way … ◀─ Close ─▶ exit
//! ```
//!
//! The client of the crate blocks. Here it is told to wait for nothing, so that `next` gives what has come and says
//! "nothing more" instead of waiting, and the waiting is done by poll(2) for both sides together.

use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use longshore::client::{Error, Event, Options, WebSocket};
use longshore::sys::{self, Kind as SocketKind, POLLIN, PollFd, Probe};
use longshore::ws::{CloseCode, Kind, Uri};

use super::lines::Lines;
use super::open;
use super::output::{Output, Shared, Source, told};
use super::tap::{Headers, Tap};
use super::target::Place;
use super::wire::Wire;

/// So many messages, or bytes of them, are printed before the input has its turn: a server that never stops sending must
/// not keep its user from stopping it.
const ROUND_MESSAGES_MAX: usize = 64;
const ROUND_BYTES_MAX: usize = 64 << 10;

/// A write may take aside so much besides a whole message.
const ASIDE_BYTES: usize = 1 << 20;

pub(super) struct Terms<'t> {
    pub(super) url: &'t str,
    /// Instead of the URL's own host.
    pub(super) over: Option<Place>,
    pub(super) options: Options<'t>,
    pub(super) kind: Kind,
    /// Lines that begin with a slash are commands.
    pub(super) commands: bool,
    /// The input to its end is one message.
    pub(super) whole: bool,
    pub(super) ping_interval: Option<Duration>,
    /// Silence at any time.
    pub(super) timeout: Option<Duration>,
}

pub(super) fn run<P: Probe>(
    probe: &Shared<P>,
    mut source: Source,
    output: &mut Output<P>,
    terms: &Terms<'_>,
) -> Result<(), String> {
    let mut session = Session::open(probe, output, terms)?;
    loop {
        let round = session.print_round(output)?;
        if round == Round::Over {
            return Ok(());
        }
        if !session.wait(&source, round)? {
            continue;
        }
        let more = source.read(probe)?;
        let is_last = more.is_none();
        let fits = session.lines.push(more.unwrap_or_default());
        session.send_lines(is_last)?;
        fits?;
        if is_last {
            session.close(Some(CloseCode::NORMAL), "")?;
        }
    }
}

/// How printing what has come ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing more is there.
    Empty,
    /// More may be there, and perhaps not in the socket any more but in the client.
    Full,
    /// That was the end of the connection.
    Over,
}

struct Session<'s, 't, P: Probe> {
    terms: &'s Terms<'t>,
    socket: WebSocket<Wire<P>>,
    lines: Lines,
    /// Our Close has left, and what is typed is lost.
    closing: bool,
    /// The code that we have closed with.
    asked: Option<u16>,
    headers: Headers,
    heard: Instant,
    /// A ping has left since anything was heard.
    pinged: bool,
}

impl<'s, 't, P: Probe> Session<'s, 't, P> {
    fn open(probe: &Shared<P>, output: &Output<P>, terms: &'s Terms<'t>) -> Result<Self, String> {
        let uri = Uri::parse(terms.url).map_err(|error| error.to_string())?;
        let place = terms.over.clone().unwrap_or_else(|| Place::of(&uri));
        let limit = terms.options.connect_timeout;
        let opened = open::connect(probe, &place, SocketKind::Stream, limit, output)?;
        let message_bytes_max =
            usize::try_from(terms.options.message_bytes_max).unwrap_or(usize::MAX - ASIDE_BYTES);
        let aside = message_bytes_max.saturating_add(ASIDE_BYTES);
        let write_limit = terms.options.write_timeout;
        let mut wire = Wire::new(opened.fd, probe.clone(), write_limit, aside);
        let headers = Headers::default();
        if output.is_verbose() {
            wire = wire.tapped(Tap::new(headers.clone()));
        }
        let patience = Wire::set_patience;
        let socket = WebSocket::handshake_timed(wire, patience, terms.url, &terms.options)
            .map_err(|error| said(&error))?;
        if let Some(protocol) = socket.protocol() {
            output.note(|| format!("* subprotocol {protocol}"));
        }
        // From now on poll(2) waits, and `next` takes what is there. Behind our Close it waits again, for --linger.
        let patience = socket.stream().set_patience(Some(Duration::ZERO));
        patience.map_err(|error| error.to_string())?;
        Ok(Self {
            terms,
            socket,
            lines: Lines::new(message_bytes_max, terms.whole),
            closing: false,
            asked: None,
            headers,
            heard: Instant::now(),
            pinged: false,
        })
    }

    /// Prints what has come, or a round's share of it.
    fn print_round(&mut self, output: &mut Output<P>) -> Result<Round, String> {
        let mut printed = 0;
        for _ in 0..ROUND_MESSAGES_MAX {
            let next = self.socket.next();
            match &next {
                Ok(Event::Text(_) | Event::Binary(_) | Event::Ping(_) | Event::Pong(_)) => {
                    self.headers.tell_next();
                }
                _ => self.headers.tell_all(),
            }
            match next {
                Ok(Event::Text(text)) => {
                    output.line(text.as_bytes())?;
                    printed += text.len();
                }
                Ok(Event::Binary(bytes)) => {
                    output.line(bytes)?;
                    printed += bytes.len();
                }
                // With -v the tap has told of their frames.
                Ok(Event::Ping(_) | Event::Pong(_)) => {}
                Ok(Event::Closed(code, reason)) => {
                    let ours = self.asked.is_some() && self.asked == code.map(CloseCode::number);
                    return closed(code, reason, ours, output);
                }
                Err(Error::Timeout) => return Ok(Round::Empty),
                Err(error) => return Err(said(&error)),
            }
            self.heard = Instant::now();
            self.pinged = false;
            if printed >= ROUND_BYTES_MAX {
                break;
            }
        }
        Ok(Round::Full)
    }

    /// Waits for the socket, or the user; true if there is input. Sends a ping when it is time for one. Behind a full round
    /// it only looks.
    fn wait(&mut self, source: &Source, round: Round) -> Result<bool, String> {
        let limit = match (self.terms.ping_interval, self.terms.timeout) {
            (Some(ping), Some(timeout)) => Some(ping.min(timeout)),
            (one, other) => one.or(other),
        };
        let left = match round {
            Round::Full => Some(Duration::ZERO),
            _ => limit.map(|limit| limit.saturating_sub(self.heard.elapsed())),
        };
        let stdin = io::stdin();
        let wire = self.socket.stream();
        let mut fds = [
            PollFd::new(wire.fd(), POLLIN),
            PollFd::new(stdin.as_fd(), POLLIN),
        ];
        let reads = source.is_open() && !self.closing;
        let fds = if reads { &mut fds[..] } else { &mut fds[..1] };
        let ready = wire.probe().call(|probe| sys::poll(probe, fds, left));
        let ready = ready.map_err(|error| format!("poll: {error}"))?;
        let input = fds.get(1).is_some_and(|fd| fd.revents() != 0);
        let silent = ready == 0 && round == Round::Empty;
        if silent && limit.is_some_and(|limit| self.heard.elapsed() >= limit) {
            self.silence()?;
        }
        Ok(input)
    }

    /// Nothing came for as long as was agreed.
    fn silence(&mut self) -> Result<(), String> {
        if self.terms.ping_interval.is_some() && !self.pinged {
            self.pinged = true;
            self.heard = Instant::now();
            return self.socket.ping(b"").map_err(|error| said(&error));
        }
        let said = if self.pinged {
            "the server did not answer a ping; it is gone, or the way to it"
        } else {
            "nothing came from the server; raise --timeout to wait longer"
        };
        Err(said.to_owned())
    }

    fn send_lines(&mut self, is_last: bool) -> Result<(), String> {
        let mut lines = std::mem::replace(&mut self.lines, Lines::new(0, false));
        let mut sent = Ok(());
        while sent.is_ok() && !self.closing {
            let Some(line) = lines.next_line() else { break };
            sent = self.send_line(line);
        }
        if is_last
            && sent.is_ok()
            && !self.closing
            && let Some(line) = lines.last()
        {
            sent = self.send_line(line);
        }
        self.lines = lines;
        sent
    }

    fn send_line(&mut self, line: &[u8]) -> Result<(), String> {
        match line {
            [b'/', b'/', ..] if self.terms.commands => self.send(&line[1..]),
            [b'/', command @ ..] if self.terms.commands => self.command(command),
            _ => self.send(line),
        }
    }

    fn send(&mut self, message: &[u8]) -> Result<(), String> {
        match self.socket.send(self.terms.kind, message) {
            // The server's Close is under way to us, or its reset; `next` tells which.
            Err(Error::Closed | Error::Write(_)) => {
                self.closing = true;
                Ok(())
            }
            Err(error @ Error::NotUtf8) => Err(format!("{error}: use --binary")),
            other => other.map_err(|error| said(&error)),
        }
    }

    /// `/ping [TEXT]`, `/close [CODE [REASON]]`.
    fn command(&mut self, command: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(command);
        let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match name {
            "ping" => self
                .socket
                .ping(rest.as_bytes())
                .map_err(|error| said(&error)),
            "close" => {
                let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                let number = code.parse().ok().and_then(CloseCode::new);
                if number.is_none() && !code.is_empty() {
                    told("a close code is 1000 to 4999, and not one that is reserved");
                    return Ok(());
                }
                self.close(number, reason)
            }
            _ => {
                told(
                    "commands are /ping [TEXT] and /close [CODE [REASON]]; // sends a line that begins with /",
                );
                Ok(())
            }
        }
    }

    fn close(&mut self, code: Option<CloseCode>, reason: &str) -> Result<(), String> {
        self.closing = true;
        self.asked = code.map(CloseCode::number);
        match self.socket.close(code, reason) {
            Err(Error::Write(_)) => Ok(()),
            other => other.map_err(|error| said(&error)),
        }
    }
}

/// A server that says why it closes has had enough of us, or is in trouble, unless the code says otherwise
/// (RFC 6455 §7.4.1).
fn closed<P: Probe>(
    code: Option<CloseCode>,
    reason: &str,
    ours: bool,
    output: &mut Output<P>,
) -> Result<Round, String> {
    let number = code.map_or(1005, CloseCode::number);
    let said = match reason {
        "" => String::new(),
        reason => format!(" {}", super::escape::escaped_line(reason.as_bytes())),
    };
    output.note(|| format!("* closed with {number}{said}"));
    match number {
        1000 | 1001 | 1005 => Ok(Round::Over),
        // It gave our own code back, as it should (RFC 6455 §5.5.1).
        _ if ours => Ok(Round::Over),
        _ => Err(format!("the server closed with {number}{said}")),
    }
}

fn said(error: &Error) -> String {
    let advice = lower(error.advice());
    // The library's names, as the command line has them.
    let advice = advice.replace("message_bytes_max", "--bytes-max");
    format!("{error}; {advice}")
}

/// Advice is a sentence; here it stands behind a semicolon.
fn lower(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_lowercase(), characters.as_str())
    })
}
