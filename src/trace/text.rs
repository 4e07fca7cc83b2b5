//! Events as lines for people.
//!
//! ```text
//!   time            thread                conn  what
//!   12:34:56.789012 4312 worker-0         #3    recv(9, "GET / HTTP/1.1\r\n"..., 65536, 0) = 78  <0.000004>
//! ```
//!
//! Written in one piece whenever the collector has nothing more to show, so that lines are whole.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::packets::{Layer, LayerKind};
use super::protocol::Direction;
use super::{Call, Completed, Event, Failure, Kind, Sink, Submitted, TcpEnd};

/// What waits is written at this length, even while more is there to be shown.
const WRITTEN_BYTES: usize = 64 * 1024;

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const BLUE: &str = "\x1b[34m";
const YELLOW: &str = "\x1b[33m";
const MAGENTA: &str = "\x1b[35m";
const PLAIN: &str = "\x1b[0m";

/// Writes events as lines of text.
///
/// The time is that of the answer, in UTC; `<0.000004>` are the seconds that the call took, waiting included.
#[derive(Debug)]
pub struct Text<W> {
    output: W,
    colours: bool,
    waiting: String,
}

impl<W: Write> Text<W> {
    /// Writes to `output`, without colours.
    pub fn new(output: W) -> Self {
        Self {
            output,
            colours: false,
            waiting: String::new(),
        }
    }

    /// Uses a terminal's colours, or not.
    pub fn colours(mut self, colours: bool) -> Self {
        self.colours = colours;
        self
    }

    fn colour(&self, colour: &'static str) -> &'static str {
        if self.colours { colour } else { "" }
    }

    /// The front of each line.
    fn front(&mut self, event: &Event) -> fmt::Result {
        let (dim, plain) = (self.colour(DIM), self.colour(PLAIN));
        let thread = match (event.thread.id, &*event.thread.name) {
            (0, _) => String::new(),
            (id, "") => id.to_string(),
            (id, name) => format!("{id} {name}"),
        };
        let connection = match &event.connection {
            Some(connection) => format!("#{}", connection.number),
            None => "-".to_owned(),
        };
        let time = time_of_day(event.wall);
        write!(
            self.waiting,
            "{dim}{time}{plain} {thread:<18} {connection:<5} "
        )
    }

    fn line(&mut self, event: &Event) -> fmt::Result {
        self.front(event)?;
        let (bold, green, plain) = (self.colour(BOLD), self.colour(GREEN), self.colour(PLAIN));
        match &event.kind {
            Kind::Call(call) => self.call(call)?,
            Kind::Submitted(submitted) => self.submitted(submitted)?,
            Kind::Completed(completed) => self.completed(completed)?,
            Kind::Lent { bytes: 1, text } => write!(self.waiting, "[lend] {text}, 1 byte")?,
            Kind::Lent { bytes, text } => write!(self.waiting, "[lend] {text}, {bytes} bytes")?,
            Kind::Opened { by } => {
                write!(self.waiting, "{green}opened by {by}{plain}")?;
                self.ends(event)?;
            }
            Kind::Named => {
                write!(self.waiting, "{green}named{plain}")?;
                self.ends(event)?;
            }
            Kind::Closed => write!(self.waiting, "{green}closed{plain}")?,
            Kind::Turn { source, events } => {
                let what = match *source {
                    "io_uring_enter" => "completion",
                    _ => "event",
                };
                let s = if *events == 1 { "" } else { "s" };
                let turn = event.turn;
                write!(
                    self.waiting,
                    "{bold}── turn {turn}: {source} gave {events} {what}{s} ──{plain}"
                )?;
            }
            Kind::Protocol(protocol) => {
                let arrow = match protocol.direction {
                    Direction::Received => "<<",
                    Direction::Sent => ">>",
                };
                let cyan = self.colour(CYAN);
                write!(self.waiting, "{cyan}{arrow} {protocol}{plain}")?;
            }
            Kind::Packet(packet, layers) => {
                let magenta = self.colour(MAGENTA);
                write!(self.waiting, "{magenta}[packet] {packet}{plain}")?;
                layers.iter().try_for_each(|layer| self.layer(layer))?;
            }
            Kind::Tcp(end) => {
                let magenta = self.colour(MAGENTA);
                write!(self.waiting, "{magenta}[tcp] {end}{plain}")?;
            }
            Kind::Note(text) => write!(self.waiting, "note: {text}")?,
        }
        if let (Kind::Call(_), Some(took)) = (&event.kind, event.took) {
            let dim = self.colour(DIM);
            write!(self.waiting, "  {dim}<{}>{plain}", Seconds(took))?;
        }
        self.waiting.write_char('\n')
    }

    /// A line of its own, of which the name and the bytes have the layer's colour.
    fn layer(&mut self, layer: &Layer) -> fmt::Result {
        let (colour, plain) = (self.colour(colour_of(layer.kind)), self.colour(PLAIN));
        let (name, hex) = (layer.name_and_count(), layer.hex());
        write!(self.waiting, "\n    {colour}{name}  {hex}{plain}")?;
        match &*layer.text {
            "" => Ok(()),
            text => write!(self.waiting, "  {text}"),
        }
    }

    fn ends(&mut self, event: &Event) -> fmt::Result {
        match &event.connection {
            Some(connection) => write!(self.waiting, ": {}", connection.ends),
            None => Ok(()),
        }
    }

    fn call(&mut self, call: &Call) -> fmt::Result {
        let (bold, plain) = (self.colour(BOLD), self.colour(PLAIN));
        let Call {
            name,
            arguments,
            result,
            ..
        } = call;
        let answer = crate::sys::answer(name, *result, call.meaning.as_deref());
        write!(self.waiting, "{bold}{name}{plain}({arguments}) = {answer}")?;
        self.failure(call.error.as_ref())
    }

    fn submitted(&mut self, submitted: &Submitted) -> fmt::Result {
        let (bold, plain) = (self.colour(BOLD), self.colour(PLAIN));
        let Submitted {
            name, arguments, ..
        } = submitted;
        write!(self.waiting, "[sqe] {bold}{name}{plain}({arguments})")
    }

    fn completed(&mut self, completed: &Completed) -> fmt::Result {
        let (bold, plain) = (self.colour(BOLD), self.colour(PLAIN));
        let Completed { name, result, .. } = completed;
        write!(self.waiting, "[cqe] {bold}{name}{plain} = {result}")?;
        self.failure(completed.error.as_ref())?;
        if completed.flags.is_empty() {
            return Ok(());
        }
        write!(self.waiting, ", {}", completed.flags)
    }

    fn failure(&mut self, error: Option<&Failure>) -> fmt::Result {
        let Some(Failure { name, text }) = error else {
            return Ok(());
        };
        let (red, plain) = (self.colour(RED), self.colour(PLAIN));
        let space = if name.is_empty() { "" } else { " " };
        write!(self.waiting, "{space}{red}{name} ({text}){plain}")
    }
}

impl<W: Write + Send> Sink for Text<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        // Writing to a String cannot fail.
        let _ = self.line(event);
        if self.waiting.len() >= WRITTEN_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.output.write_all(self.waiting.as_bytes());
        self.waiting.clear();
        written?;
        self.output.flush()
    }
}

/// No two layers that touch have the same.
fn colour_of(layer: LayerKind) -> &'static str {
    match layer {
        LayerKind::Link | LayerKind::Padding => DIM,
        LayerKind::Ipv4 | LayerKind::Ipv6 => BLUE,
        LayerKind::Tcp | LayerKind::Udp => YELLOW,
        LayerKind::Http => GREEN,
        LayerKind::WebSocket => CYAN,
        LayerKind::Data => BOLD,
    }
}

/// `12:34:56.789012`, of UTC.
fn time_of_day(wall: SystemTime) -> String {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs() % 86_400, since.subsec_micros());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{micros:06}")
}

impl fmt::Display for TcpEnd {
    /// `ESTABLISHED rtt 35 µs cwnd 10 retransmits 0, 60 µs later`; the state alone where the kernel keeps no account.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.state.fmt(f)?;
        if let Some(info) = &self.state.info {
            let (rtt, window) = (info.rtt.as_micros(), info.congestion_window);
            let again = info.total_retransmits;
            write!(f, " rtt {rtt} µs cwnd {window} retransmits {again}")?;
        }
        write!(f, ", {} µs later", self.later.as_micros())
    }
}

/// Seconds with six digits, as strace prints them.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}
