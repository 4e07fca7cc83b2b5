//! `longshore connect`: a client for tcp, udp, unix, http and ws; typed by hand or by a script.
//!
//! ```text
//!   target.rs ─▶ open.rs ─┬─ relay.rs       a byte stream: bytes as they come
//!   what       a socket   ├─ datagrams.rs   a line, a datagram
//!                         ├─ http.rs ─┐     requests and replies
//!                         └─ ws.rs ───┴─ wire.rs ─ tap.rs      a line, a message; -v shows what passes
//!
//!   output.rs, escape.rs, lines.rs: this side
//! ```
//!
//! Standard output is the peer's alone, so that it can be piped on; everything else is on standard error. It does not
//! know what servers do.

mod datagrams;
mod escape;
mod field;
mod http;
mod lines;
mod open;
mod output;
mod relay;
mod tap;
mod target;
mod wire;
mod ws;

use std::io::Read as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _};
use longshore::client;
use longshore::sys::{self, Kind as SocketKind, Probe};
use longshore::ws::{Kind, Uri};

use self::field::Field;
use self::output::{Escape, Output, Shared, Source};
use self::target::{Place, Target};
use super::seconds::Seconds;

/// Connect to a server: tcp, udp, unix, http or ws; what is typed is sent, what comes is printed.
///
/// A byte stream takes the input as it is. A datagram or WebSocket message is a line of input, without its end, and one
/// that comes is printed as a line. The end of input shuts our half of a stream, or closes the WebSocket; then the rest of
/// what the peer says is printed.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    /// tcp://HOST:PORT (or just HOST:PORT), udp://HOST:PORT, unix:PATH, unix:@NAME, unix-datagram:PATH,
    /// http://HOST[:PORT][/PATH] or ws://HOST[:PORT][/PATH]
    #[arg(value_name = "TARGET")]
    target: Target,
    /// http: ask for these paths too, on the same connection
    #[arg(value_name = "PATH", value_parser = field::path)]
    paths: Vec<String>,
    /// Show what happens on standard error: addresses and ports, heads as they are sent and received, headers of frames
    #[arg(long, short)]
    verbose: bool,
    /// Give up on connecting after SECONDS, over all addresses of a name
    #[arg(long = "connect-timeout", value_name = "SECONDS", default_value = "10")]
    patience: Seconds,
    /// Give up when nothing happens for SECONDS [http: 60; otherwise never]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<Seconds>,
    /// Behind the end of input, wait for the peer's end for SECONDS of silence [10; for datagrams 1]
    #[arg(long, value_name = "SECONDS")]
    linger: Option<Seconds>,
    /// Do not read standard input, only listen
    #[arg(long)]
    no_input: bool,
    /// Make control characters of the peer harmless
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    escape: Escape,
    #[command(flatten)]
    stream: StreamOptions,
    #[command(flatten)]
    messages: MessageOptions,
    #[command(flatten)]
    shared: SharedOptions,
    #[command(flatten)]
    http: HttpOptions,
    #[command(flatten)]
    ws: WsOptions,
}

const EXAMPLES: &str = "\
Examples:
  What nc does:
    longshore connect localhost:7007
  One datagram, and what comes back within a second:
    echo ahoy | longshore connect udp://127.0.0.1:7007
  HTTP by hand, and by itself:
    printf 'GET / HTTP/1.0\\n\\n' | longshore connect --crlf localhost:8080
    longshore connect -v http://localhost:8080/json /plaintext --pipeline
    longshore connect http://localhost:8080/echo -d @file.bin > copy.bin
  WebSocket: lines out, messages in, headers of frames beside them:
    longshore connect -v ws://localhost:8080/ws
    longshore connect ws://localhost/chat/ws --over unix:/run/longshore.sock

Exit codes: 0 when it ended in order, 1 for a failure (refused, reset, too late, closed with an error), 2 for a mistake \
on the command line.";

/// Options of byte streams.
#[derive(Args, Debug)]
#[command(next_help_heading = "tcp and unix")]
struct StreamOptions {
    /// Send CR LF for each LF
    #[arg(long)]
    crlf: bool,
    /// Go on sending when the peer has ended its half
    #[arg(long)]
    keep_sending: bool,
}

/// Options of whatever has messages.
#[derive(Args, Debug)]
#[command(next_help_heading = "udp, unix-datagram and ws")]
struct MessageOptions {
    /// Send the input to its end as one message
    #[arg(long)]
    whole: bool,
}

/// Options of whatever begins as HTTP.
#[derive(Args, Debug)]
#[command(next_help_heading = "http and ws")]
struct SharedOptions {
    /// A further field of the request; may be repeated
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    fields: Vec<Field>,
    /// Connect to this address, whatever host the URL names: HOST:PORT, unix:PATH or unix:@NAME
    #[arg(long, value_name = "ADDR")]
    over: Option<Place>,
    /// Longest message, or body of a reply, that is taken [ws: 16777216; http: 1073741824]
    #[arg(long, value_name = "BYTES")]
    bytes_max: Option<u64>,
}

/// Options of requests.
#[derive(Args, Debug)]
#[command(next_help_heading = "http")]
struct HttpOptions {
    /// The method [GET, or POST with a body]
    #[arg(long = "request", short = 'X', value_name = "METHOD", value_parser = field::method)]
    method: Option<String>,
    /// The body: text, @FILE, or @- for standard input
    #[arg(long, short, value_name = "BODY")]
    data: Option<String>,
    /// Print heads of replies too
    #[arg(long, short)]
    include: bool,
    /// Send all requests at once, before the first reply
    #[arg(long)]
    pipeline: bool,
    /// Speak HTTP/1.0: a connection for each request
    #[arg(long = "http1.0", conflicts_with = "pipeline")]
    http10: bool,
    /// A status from 400 on is a failure, with exit code 1
    #[arg(long, short)]
    fail: bool,
}

/// Options of WebSockets.
#[derive(Args, Debug)]
#[command(next_help_heading = "ws")]
struct WsOptions {
    /// A subprotocol on offer; may be repeated, the most preferred first
    #[arg(long = "protocol", value_name = "NAME")]
    protocols: Vec<String>,
    /// The page that opens the connection, for servers that look at it
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Send binary messages instead of text
    #[arg(long)]
    binary: bool,
    /// Lines that begin with a slash are commands: /ping [TEXT], /close [CODE [REASON]]; // sends a slash
    #[arg(long)]
    commands: bool,
    /// Ping when nothing came for SECONDS; nothing for as long again: failed [never]
    #[arg(long, value_name = "SECONDS")]
    ping_interval: Option<Seconds>,
    /// Offer compression (permessage-deflate)
    #[cfg(feature = "deflate")]
    #[arg(long)]
    deflate: bool,
}

/// Whether options fit the target, to which they belong, and which of them were given.
type Group<'g> = (bool, &'g str, &'g [(bool, &'g str)]);

impl Connect {
    /// Speaks until one side ends. `probes` makes the probe, for the one thread that there is.
    pub(crate) fn run<P: Probe>(self, probes: impl Fn() -> P) -> Result<ExitCode, String> {
        self.check();
        // A reader that has enough, as in `longshore connect … | head`, ends this program as it ends others.
        sys::restore_sigpipe().map_err(|error| format!("cannot restore SIGPIPE: {error}"))?;
        let probe = Shared::new(probes());
        let output = &mut Output::new(probe.clone(), self.escape, self.verbose);
        let spoken = match &self.target {
            Target::Stream(place) => self.stream(&probe, place, output),
            Target::Datagrams(place) => self.datagrams(&probe, place, output),
            Target::Http(url) => self.http(&probe, url, output),
            Target::WebSocket(url) => self.websocket(&probe, url, output),
        };
        // An error may quote the peer, and is one line.
        spoken.map_err(|error| escape::escaped_line(error.as_bytes()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The port of the other end; `None` for a Unix socket.
    pub(crate) fn port(&self) -> Option<u16> {
        let over = self.shared.over.as_ref();
        match &self.target {
            Target::Stream(place) | Target::Datagrams(place) => place.port(),
            Target::Http(url) | Target::WebSocket(url) => match over {
                Some(place) => place.port(),
                None => Uri::parse(url).ok().map(|uri| uri.port()),
            },
        }
    }

    /// Options that make no sense with the target end the program with code 2: to ignore them would be to lie.
    fn check(&self) {
        let (http, ws, shared) = (&self.http, &self.ws, &self.shared);
        let is_http = matches!(self.target, Target::Http(_));
        let is_ws = matches!(self.target, Target::WebSocket(_));
        let is_stream = matches!(self.target, Target::Stream(_));
        let of_http = [
            (!self.paths.is_empty(), "a further PATH"),
            (http.method.is_some(), "--request"),
            (http.data.is_some(), "--data"),
            (http.include, "--include"),
            (http.pipeline, "--pipeline"),
            (http.http10, "--http1.0"),
            (http.fail, "--fail"),
        ];
        let of_ws = [
            (!ws.protocols.is_empty(), "--protocol"),
            (ws.origin.is_some(), "--origin"),
            (ws.binary, "--binary"),
            (ws.commands, "--commands"),
            (ws.ping_interval.is_some(), "--ping-interval"),
            #[cfg(feature = "deflate")]
            (ws.deflate, "--deflate"),
        ];
        let of_both = [
            (!shared.fields.is_empty(), "--header"),
            (shared.over.is_some(), "--over"),
            (shared.bytes_max.is_some(), "--bytes-max"),
        ];
        let of_streams = [
            (self.stream.crlf, "--crlf"),
            (self.stream.keep_sending, "--keep-sending"),
        ];
        let of_messages = [(self.messages.whole, "--whole")];
        let groups: [Group<'_>; 5] = [
            (is_http, "http://", &of_http),
            (is_ws, "ws://", &of_ws),
            (is_http || is_ws, "http:// and ws://", &of_both),
            (is_stream, "tcp:// and unix:", &of_streams),
            (
                !is_stream && !is_http,
                "udp://, unix-datagram: and ws://",
                &of_messages,
            ),
        ];
        for (fits, whose, options) in groups {
            let given = options.iter().find(|(given, _)| *given && !fits);
            if let Some((_, name)) = given {
                let message = format!("{name} is only for {whose}");
                super::Cli::command()
                    .find_subcommand_mut("connect")
                    .expect("this is it")
                    .error(ErrorKind::ArgumentConflict, message)
                    .exit();
            }
        }
    }

    fn stream<P: Probe>(
        &self,
        probe: &Shared<P>,
        place: &Place,
        output: &mut Output<P>,
    ) -> Result<(), String> {
        let limit = self.patience.0;
        let opened = open::connect(probe, place, SocketKind::Stream, limit, output)?;
        let terms = relay::Terms {
            crlf: self.stream.crlf,
            linger: self.linger.unwrap_or(Seconds::whole(10)).0,
            timeout: self.timeout.map(|time| time.0),
            keep_sending: self.stream.keep_sending,
        };
        relay::run(probe, opened, Source::new(self.no_input), output, terms)
    }

    fn datagrams<P: Probe>(
        &self,
        probe: &Shared<P>,
        place: &Place,
        output: &mut Output<P>,
    ) -> Result<(), String> {
        let limit = self.patience.0;
        let opened = open::connect(probe, place, SocketKind::Datagram, limit, output)?;
        let terms = datagrams::Terms {
            linger: self.linger.unwrap_or(Seconds::whole(1)).0,
            timeout: self.timeout.map(|time| time.0),
            whole: self.messages.whole,
        };
        datagrams::run(probe, &opened, Source::new(self.no_input), output, &terms)
    }

    fn http<P: Probe>(
        &self,
        probe: &Shared<P>,
        url: &str,
        output: &mut Output<P>,
    ) -> Result<(), String> {
        let body = self.http.data.as_deref().map(body).transpose()?;
        let usual = if body.is_some() { "POST" } else { "GET" };
        let terms = http::Terms {
            uri: Uri::parse(url).map_err(|error| error.to_string())?,
            over: self.shared.over.clone(),
            method: self.http.method.as_deref().unwrap_or(usual),
            fields: &self.shared.fields,
            body,
            paths: &self.paths,
            pipeline: self.http.pipeline,
            version: if self.http.http10 {
                http::Version::Http10
            } else {
                http::Version::Http11
            },
            include: self.http.include,
            fail: self.http.fail,
            connect_timeout: self.patience.0,
            timeout: self.timeout.unwrap_or(Seconds::whole(60)).0,
            body_bytes_max: self.shared.bytes_max.unwrap_or(1 << 30),
        };
        http::run(probe, output, &terms)
    }

    fn websocket<P: Probe>(
        &self,
        probe: &Shared<P>,
        url: &str,
        output: &mut Output<P>,
    ) -> Result<(), String> {
        let protocols: Vec<&str> = self.ws.protocols.iter().map(String::as_str).collect();
        let fields: Vec<(&str, &[u8])> = (self.shared.fields.iter())
            .map(|field| (field.name.as_str(), field.value.as_bytes()))
            .collect();
        let usual = client::Options::default();
        let options = client::Options {
            protocols: &protocols,
            origin: self.ws.origin.as_deref(),
            fields: &fields,
            connect_timeout: self.patience.0,
            handshake_timeout: self.patience.0,
            close_timeout: self.linger.unwrap_or(Seconds::whole(10)).0,
            message_bytes_max: self.shared.bytes_max.unwrap_or(usual.message_bytes_max),
            #[cfg(feature = "deflate")]
            deflate: self.ws.deflate.then(client::Deflate::default),
            ..usual
        };
        let terms = ws::Terms {
            url,
            over: self.shared.over.clone(),
            options,
            kind: if self.ws.binary {
                Kind::Binary
            } else {
                Kind::Text
            },
            commands: self.ws.commands,
            whole: self.messages.whole,
            ping_interval: self.ws.ping_interval.map(|time| time.0),
            timeout: self.timeout.map(|time| time.0),
        };
        ws::run(probe, Source::new(self.no_input), output, &terms)
    }
}

/// The body that `-d` names.
fn body(data: &str) -> Result<Vec<u8>, String> {
    let Some(file) = data.strip_prefix('@') else {
        return Ok(data.as_bytes().to_vec());
    };
    let read = match file {
        "-" => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body).map(|_| body)
        }
        path => std::fs::read(path),
    };
    read.map_err(|error| format!("cannot read the body from {file}: {error}"))
}
