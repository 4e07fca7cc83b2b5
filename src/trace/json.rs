//! Events as JSON, one object to a line, for programs.

mod wire;

use std::io::{self, Write};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use self::wire::{PacketLine, TcpLine};
use super::protocol::{Direction, What, opcode_name};
use super::{BodyLength, Event, Failure, Kind, Protocol, Sink, Transport};

/// Writes each event as one line of JSON.
///
/// Every object has `at` (seconds since the trace began), `time` (seconds since 1970), `thread`, `turn` and `event`; what
/// else it has depends on `event`. `docs/TRACE.md` lists them.
#[derive(Debug)]
pub struct JsonLines<W> {
    output: W,
    waiting: Vec<u8>,
}

/// What waits is written at this length, even while more is there to be shown.
const WRITTEN_BYTES: usize = 64 * 1024;

/// A line. Fields that an event does not have are left out.
#[derive(Serialize, Default)]
struct Line<'a> {
    at: f64,
    time: f64,
    #[serde(skip_serializing_if = "is_zero")]
    thread: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    thread_name: &'a str,
    turn: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multishot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skips_success: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fin: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compressed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<PacketLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpLine>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

impl<W: Write> JsonLines<W> {
    /// Writes to `output`.
    pub fn new(output: W) -> Self {
        Self {
            output,
            waiting: Vec::new(),
        }
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.waiting, &line(event))?;
        self.waiting.push(b'\n');
        if self.waiting.len() >= WRITTEN_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.output.write_all(&self.waiting);
        self.waiting.clear();
        written?;
        self.output.flush()
    }
}

fn line(event: &Event) -> Line<'_> {
    let time = event.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let connection = event.connection.as_ref();
    let address = |address: &Option<crate::sys::Address>| address.as_ref().map(ToString::to_string);
    let common = Line {
        at: event.at.as_secs_f64(),
        time: time.as_secs_f64(),
        thread: event.thread.id,
        thread_name: &event.thread.name,
        turn: event.turn,
        connection: connection.map(|connection| connection.number),
        transport: connection
            .and_then(|connection| connection.ends.transport)
            .map(Transport::name),
        local: connection.and_then(|connection| address(&connection.ends.local)),
        peer: connection.and_then(|connection| address(&connection.ends.peer)),
        took: event.took.map(|took| took.as_secs_f64()),
        name: event.name(),
        ..Line::default()
    };
    match &event.kind {
        Kind::Call(call) => Line {
            event: "call",
            arguments: Some(&call.arguments),
            result: Some(call.result),
            meaning: call.meaning.as_deref(),
            bytes: (call.bytes > 0).then_some(call.bytes),
            ..failed(common, call.error.as_ref())
        },
        Kind::Submitted(submitted) => Line {
            event: "submitted",
            arguments: Some(&submitted.arguments),
            operation: Some(submitted.operation),
            multishot: Some(submitted.multishot),
            skips_success: Some(submitted.skips_success),
            ..common
        },
        Kind::Completed(completed) => Line {
            event: "completed",
            result: Some(completed.result.into()),
            flags: Some(&completed.flags),
            operation: completed.operation,
            more: Some(completed.more),
            bytes: (completed.bytes > 0).then_some(completed.bytes),
            ..failed(common, completed.error.as_ref())
        },
        Kind::Lent { bytes, text } => Line {
            event: "lent",
            bytes: Some(*bytes as u64),
            text: Some(text.clone()),
            ..common
        },
        Kind::Opened { by } => Line {
            event: "opened",
            name: Some(by),
            ..common
        },
        Kind::Named => Line {
            event: "named",
            ..common
        },
        Kind::Closed => Line {
            event: "closed",
            ..common
        },
        Kind::Turn { source, events } => Line {
            event: "turn",
            name: Some(source),
            events: Some(*events),
            ..common
        },
        Kind::Protocol(protocol) => of_protocol(common, protocol),
        Kind::Packet(packet, layers) => Line {
            event: "packet",
            text: Some(packet.to_string()),
            packet: Some(PacketLine::of(packet, layers)),
            ..common
        },
        Kind::Tcp(end) => Line {
            event: "tcp",
            text: Some(end.to_string()),
            tcp: Some(TcpLine::of(end)),
            ..common
        },
        Kind::Note(text) => Line {
            event: "note",
            text: Some(text.clone()),
            ..common
        },
    }
}

fn failed<'a>(line: Line<'a>, error: Option<&'a Failure>) -> Line<'a> {
    Line {
        error: error.map(|error| error.name.as_str()),
        error_text: error.map(|error| error.text.as_str()),
        ..line
    }
}

fn of_protocol<'a>(common: Line<'a>, protocol: &'a Protocol) -> Line<'a> {
    let common = Line {
        event: "protocol",
        direction: Some(match protocol.direction {
            Direction::Received => "received",
            Direction::Sent => "sent",
        }),
        text: Some(protocol.to_string()),
        ..common
    };
    match &protocol.what {
        What::Request { line, .. } => Line {
            what: Some("request"),
            request: Some(line),
            ..common
        },
        What::Reply {
            request,
            status,
            body,
        } => Line {
            what: Some("reply"),
            request: Some(request),
            status: Some(*status),
            bytes: match body {
                BodyLength::Bytes(bytes) => Some(*bytes),
                BodyLength::Chunked | BodyLength::UntilClose => None,
            },
            ..common
        },
        What::ReplyEnded { bytes } => Line {
            what: Some("reply_ended"),
            bytes: Some(*bytes),
            ..common
        },
        What::Upgraded { request } => Line {
            what: Some("upgraded"),
            request: Some(request),
            ..common
        },
        What::Frame {
            opcode,
            bytes,
            masked,
            fin,
            compressed,
            close_code,
        } => Line {
            what: Some("frame"),
            name: Some(opcode_name(*opcode)),
            bytes: Some(*bytes),
            masked: Some(*masked),
            fin: Some(*fin),
            compressed: Some(*compressed),
            close_code: *close_code,
            ..common
        },
        What::Broken { .. } => Line {
            what: Some("broken"),
            ..common
        },
    }
}
