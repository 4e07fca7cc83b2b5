//! Plain HTTP: requests one after the other on a connection, or all at once, and their replies.
//!
//! ```text
//!   keep-alive   GET ─▶ ◀─ 200      GET ─▶ ◀─ 200            a round trip for each
//!   --pipeline   GET GET GET ─▶     ◀─ 200 200 200           one for all
//!   --http1.0    GET ─▶ ◀─ 200 FIN  connect, GET ─▶ …        a connection for each
//! ```
//!
//! Bodies go to standard output, heads too with `-i`, and with `-v` both sides' heads to standard error. It follows no
//! redirect, and sends no cookie.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use longshore::buf::Input;
use longshore::client::{ReplyDecoder, ReplyEvent, ReplyFault};
use longshore::http::HeadLimits;
use longshore::sys::{Kind, Probe};
use longshore::ws::Uri;

use super::field::Field;
use super::open;
use super::output::{Output, Shared};
use super::target::Place;
use super::wire::Wire;

/// How much is received with one call.
const READ_BYTES: usize = 64 << 10;
/// What may come while a request is sent: some replies to requests before it.
const ASIDE_BYTES_MAX: usize = 16 << 20;

/// What is asked, and how.
pub(super) struct Terms<'t> {
    pub(super) uri: Uri<'t>,
    /// Instead of the URL's own host.
    pub(super) over: Option<Place>,
    pub(super) method: &'t str,
    pub(super) fields: &'t [Field],
    pub(super) body: Option<Vec<u8>>,
    /// Further paths on the same host.
    pub(super) paths: &'t [String],
    pub(super) pipeline: bool,
    pub(super) version: Version,
    /// Print the reply's head too.
    pub(super) include: bool,
    /// A status from 400 on is a failure.
    pub(super) fail: bool,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) body_bytes_max: u64,
}

/// The version that requests have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

pub(super) fn run<P: Probe>(
    probe: &Shared<P>,
    output: &mut Output<P>,
    terms: &Terms<'_>,
) -> Result<(), String> {
    let first = terms.uri.resource_name().to_string();
    let targets: Vec<&str> = std::iter::once(first.as_str())
        .chain(terms.paths.iter().map(String::as_str))
        .collect();
    let mut left = &targets[..];
    let mut refused = None;
    while !left.is_empty() {
        let mut connection = Connection::open(probe, output, terms)?;
        let answered = connection.exchange(left, output, &mut refused)?;
        drop(connection);
        left = &left[answered..];
        if !left.is_empty() {
            output.note(|| "* the server closes the connection; opening another".to_owned());
        }
    }
    output.end()?;
    match refused {
        Some(status) if terms.fail => Err(format!("the server answered {status}")),
        _ => Ok(()),
    }
}

struct Connection<'c, 't, P: Probe> {
    terms: &'c Terms<'t>,
    wire: Wire<P>,
    name: String,
    decoder: ReplyDecoder,
    /// Received, and not decoded yet.
    bytes: Vec<u8>,
}

impl<'c, 't, P: Probe> Connection<'c, 't, P> {
    fn open(probe: &Shared<P>, output: &Output<P>, terms: &'c Terms<'t>) -> Result<Self, String> {
        let place = terms.over.clone().unwrap_or_else(|| Place::of(&terms.uri));
        let opened = open::connect(probe, &place, Kind::Stream, terms.connect_timeout, output)?;
        let wire = Wire::new(
            opened.fd,
            probe.clone(),
            Some(terms.timeout),
            ASIDE_BYTES_MAX,
        );
        let limits = HeadLimits {
            body_bytes_max: terms.body_bytes_max,
            ..HeadLimits::default()
        };
        Ok(Self {
            terms,
            wire,
            name: opened.name,
            decoder: ReplyDecoder::new(limits),
            bytes: Vec::new(),
        })
    }

    /// Asks for as many targets as the server answers on this connection, at least one, and says how many.
    fn exchange(
        &mut self,
        targets: &[&str],
        output: &mut Output<P>,
        refused: &mut Option<u16>,
    ) -> Result<usize, String> {
        if self.terms.pipeline {
            self.send(targets, output)?;
        }
        for (index, target) in targets.iter().enumerate() {
            if !self.terms.pipeline {
                self.send(&[target], output)?;
            }
            let status = self.reply(output)?;
            if status >= 400 {
                *refused = Some(status);
            }
            if !self.decoder.keeps_alive() {
                // Whether those behind it were seen is unknown (RFC 9112 §9.3.2); they are asked for again.
                return Ok(index + 1);
            }
        }
        Ok(targets.len())
    }

    /// Sends requests, all in one write.
    fn send(&mut self, targets: &[&str], output: &Output<P>) -> Result<(), String> {
        let mut bytes = Vec::new();
        for target in targets {
            let start = bytes.len();
            encode(&mut bytes, target, self.terms);
            output.head('>', &bytes[start..]);
            bytes.extend_from_slice(self.terms.body.as_deref().unwrap_or_default());
        }
        self.wire
            .write_all(&bytes)
            .map_err(|error| self.failed("while the request was sent", &error))
    }

    /// Reads and prints one reply, and gives its status.
    fn reply(&mut self, output: &mut Output<P>) -> Result<u16, String> {
        self.decoder.expect(self.terms.method);
        let mut status = 0;
        loop {
            let mut input = Input::new(&mut self.bytes);
            loop {
                let event = self.decoder.next(&mut input).map_err(|fault| {
                    let advice = match fault {
                        ReplyFault::Body(longshore::http::Error::BodyTooLarge) => {
                            "; raise --bytes-max to take it"
                        }
                        _ => "",
                    };
                    format!("the reply of {} cannot be read: {fault}{advice}", self.name)
                })?;
                match event {
                    None => break,
                    Some(ReplyEvent::Interim(head)) => output.head('<', head.bytes()),
                    Some(ReplyEvent::Head(head)) => {
                        status = head.status();
                        output.head('<', head.bytes());
                        if self.terms.include {
                            output.bytes(head.bytes())?;
                        }
                    }
                    Some(ReplyEvent::Body(piece)) => output.bytes(piece)?,
                    Some(ReplyEvent::End) => {
                        let rest = input.len();
                        self.bytes.drain(..self.bytes.len() - rest);
                        return Ok(status);
                    }
                }
            }
            let rest = input.len();
            self.bytes.drain(..self.bytes.len() - rest);
            if !self.receive()? {
                self.decoder.ended().map_err(|fault| {
                    format!("the reply of {} is not complete: {fault}", self.name)
                })?;
                return Ok(status);
            }
        }
    }

    /// False at the server's end.
    fn receive(&mut self) -> Result<bool, String> {
        let start = self.bytes.len();
        self.bytes.resize(start + READ_BYTES, 0);
        let read = self.wire.read(&mut self.bytes[start..]);
        self.bytes
            .truncate(start + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(count) => Ok(count > 0),
            Err(error) => Err(self.failed("before the reply was complete", &error)),
        }
    }

    fn failed(&self, when: &str, error: &std::io::Error) -> String {
        let name = &self.name;
        match error.kind() {
            ErrorKind::TimedOut => {
                let seconds = self.terms.timeout.as_secs_f64();
                format!("{name} did nothing for {seconds} s {when}; raise --timeout to wait longer")
            }
            _ => format!("{name} has cut the connection {when}: {error}"),
        }
    }
}

/// A request's head. What the user says stands instead of what is usual.
fn encode(out: &mut Vec<u8>, target: &str, terms: &Terms<'_>) {
    let version = match terms.version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    let mut head = format!("{} {target} HTTP/{version}\r\n", terms.method);
    let mut usual = |name: &str, value: &str| {
        let own = |field: &Field| field.name.eq_ignore_ascii_case(name);
        if !terms.fields.iter().any(own) {
            head += &[name, ": ", value, "\r\n"].concat();
        }
    };
    usual("Host", &terms.uri.host_field().to_string());
    usual(
        "User-Agent",
        concat!("longshore/", env!("CARGO_PKG_VERSION")),
    );
    usual("Accept", "*/*");
    if let Some(body) = &terms.body {
        usual("Content-Length", &body.len().to_string());
    }
    for field in terms.fields {
        head += &[&field.name, ": ", &field.value, "\r\n"].concat();
    }
    head += "\r\n";
    out.extend_from_slice(head.as_bytes());
}
