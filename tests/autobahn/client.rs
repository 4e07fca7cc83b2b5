//! The client under test by `tests/autobahn/client`: an echo, driven by the suite's fuzzing server.
//!
//! ```text
//!   /getCaseCount                    ──▶ how many cases, as text
//!   /runCase?case=1&agent=NAME       ──▶ echo until the end, for each case
//!   /updateReports?agent=NAME        ──▶ the server writes its judgement
//! ```
//!
//! It does not know the cases: whatever comes as a message goes back, and the library does the rest.

use std::error::Error;
use std::time::Duration;

use longshore::client::{self, Event, Options, WebSocket};
use longshore::ws::Kind;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: autobahn_client ws://HOST:PORT AGENT";
    let server = arguments.next().ok_or(usage)?;
    let agent = arguments.next().ok_or(usage)?;
    let options = Options {
        // Some cases say nothing for a while, and wait for the server's own timeout.
        read_timeout: Some(Duration::from_secs(120)),
        message_bytes_max: 32 << 20,
        #[cfg(feature = "deflate")]
        deflate: Some(longshore::client::Deflate::default()),
        ..Options::default()
    };

    let mut count = WebSocket::connect(&format!("{server}/getCaseCount"), &options)?;
    let Event::Text(number) = count.next()? else {
        return Err("the server does not say how many cases there are".into());
    };
    let cases: u32 = number.parse()?;
    drop(count);

    println!("{cases} cases");
    for case in 1..=cases {
        let uri = format!("{server}/runCase?case={case}&agent={agent}");
        match echo(&uri, &options) {
            Ok(()) | Err(client::Error::Protocol(_) | client::Error::Ended) => {}
            Err(error) => println!("case {case}: {error}"),
        }
    }

    let uri = format!("{server}/updateReports?agent={agent}");
    let mut reports = WebSocket::connect(&uri, &options)?;
    while reports.next().is_ok() {}
    Ok(())
}

fn echo(uri: &str, options: &Options<'_>) -> Result<(), client::Error> {
    let mut socket = WebSocket::connect(uri, options)?;
    // What came is borrowed from the socket that sends it back, so it is kept for a moment.
    let mut message = Vec::new();
    loop {
        let kind = match socket.next()? {
            Event::Text(text) => keep(&mut message, Kind::Text, text.as_bytes()),
            Event::Binary(bytes) => keep(&mut message, Kind::Binary, bytes),
            Event::Ping(_) | Event::Pong(_) => continue,
            Event::Closed(..) => return Ok(()),
        };
        socket.send(kind, &message)?;
    }
}

fn keep(message: &mut Vec<u8>, kind: Kind, bytes: &[u8]) -> Kind {
    message.clear();
    message.extend_from_slice(bytes);
    kind
}
