//! The server that a crowd gathers on: every WebSocket subscribes to one topic, and whoever asks for `/publish` makes the
//! server say 64 bytes to all of them.
//!
//! ```text
//!   square [--backend io-uring] [--workers 60] [--listen 127.0.0.1:8091] [--alone] [--ping-interval SECONDS]
//!          [--ping-timeout SECONDS] [--busy-poll µs]
//!          [--own-tables]
//! ```
//!
//! `--alone`: nobody subscribes, so that a connection's memory is that of the connection. Messages are echoed, which is
//! how crowd looks whether live connections are served while others come.
//!
//! It ends when its standard input does, or at a signal.
#![forbid(unsafe_code)]

use std::io::Read;
use std::thread;
use std::time::Duration;

use longshore::sys::{self, Silent};
use longshore::ws::Kind;
use longshore::{
    Handler, Limits, Message, Publisher, Replied, Reply, Request, Server, Socket, SubscribeError,
    Workers,
};

/// The topic that everybody subscribes to.
const TOPIC: &str = "all";
/// What is said.
const NEWS: [u8; 64] = *b"all hands: this is said to everybody, once, in sixty-four bytes!";

struct Square {
    publisher: Publisher,
    /// Nobody subscribes.
    alone: bool,
}

impl Square {
    fn join(&self, socket: &mut Socket<'_, '_>) {
        if self.alone {
            return;
        }
        if let Err(SubscribeError::Busy) = socket.subscribe(TOPIC, 0) {
            // The client opens too fast for the topic's worker; crowd tells how many were turned away.
            socket.close(longshore::ws::CloseCode::TRY_LATER, "busy");
        }
    }
}

impl Handler for Square {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/publish" => match self.publisher.publish(TOPIC, Kind::Binary, &NEWS) {
                Ok(()) => reply.text("said"),
                Err(error) => reply.error(
                    longshore::http::Status::SERVICE_UNAVAILABLE,
                    &error.to_string(),
                ),
            },
            b"/figures" => {
                let figures = self.publisher.figures();
                let (encoded, delivered, lost) = (figures.encoded, figures.delivered, figures.lost);
                reply.text(&format!(
                    "{encoded} encoded, {delivered} delivered, {lost} lost"
                ))
            }
            _ => reply.websocket(&request),
        }
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, (): &mut ()) {
        self.join(socket);
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.send(message.kind, message.bytes);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Server::new();
    let (mut listen, mut alone) = ("127.0.0.1:8091".to_owned(), false);
    let mut limits = Limits::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--backend" => server = server.backend(value()?.parse()?),
            "--workers" => server = server.workers(Workers::Count(value()?.parse()?)),
            "--listen" => listen = value()?,
            "--ping-interval" => limits.ping_interval = Duration::from_secs(value()?.parse()?),
            "--ping-timeout" => limits.ping_timeout = Duration::from_secs(value()?.parse()?),
            "--busy-poll" => server = server.busy_poll(Duration::from_micros(value()?.parse()?)),
            "--own-tables" => server = server.own_tables(true),
            "--alone" => alone = true,
            _ => return Err(format!("unknown option {word}").into()),
        }
    }
    sys::raise_nofile(&mut Silent)?;
    let bound = server.limits(limits).listen(listen.parse()?).bind()?;
    for address in bound.addresses() {
        println!(
            "{}: {} on {address}, {} workers",
            std::process::id(),
            bound.backend().backend,
            bound.workers()
        );
    }
    let ledger = bound.ledger();
    let (publisher, stopper) = (bound.publisher(), bound.stopper());
    let figures = publisher.clone();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopper.stop();
        stopper.stop();
    });
    let report = bound.run(|_worker| Square {
        publisher: publisher.clone(),
        alone,
    })?;
    println!("{report:?}");
    println!("{:?}", ledger.figures());
    println!("{:?}", figures.figures());
    let each: Vec<u64> = ledger.workers().map(|worker| worker.accepted).collect();
    println!("accepted by worker: {each:?}");
    Ok(())
}
