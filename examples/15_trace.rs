//! # 15: trace, every system call of a request
//!
//! A server that shows what it asks of the kernel. `longshore trace serve` and `LONGSHORE_TRACE=1` do the same without a
//! line of code; here the events come to a sink of our own as well, which counts what one request costs.
//!
//! ```text
//!   worker ── calls ──▶ recorder ──▶ queue ──▶ collector ─┬─▶ Text: lines for people
//!                                                         └─▶ PerRequest: ours
//! ```
//!
//! **Run it**, on each backend that there is:
//!
//! ```text
//! cargo run --example 15_trace -- epoll
//! cargo run --example 15_trace -- mio
//! cargo run --example 15_trace -- io-uring
//! ```
//!
//! **Look at**: the line `<< GET /` stands right behind the `recv` that brought the request, and `>> GET / → 200` behind the
//! `send` that answered it; on io-uring there is no `recv` at all, but an `[sqe]` that asks and a `[cqe]` that answers,
//! with one `io_uring_enter` for several of them; the time in `<…>` of the wait is sleep, that of the others is the
//! kernel's work.
//!
//! `getpeername` is the trace's own: a traced server asks who the peer is, an untraced one does not.
//!
//! **Do not compare the lists at the end**: they have what was asked for this one connection. On epoll and mio `accept4` is
//! among it. On io-uring one `accept` was submitted for the listener, before anybody came, and answers for each client; so
//! it belongs to none of them. Waits (`epoll_wait`, `io_uring_enter`) belong to no connection either. `longshore lab 9`
//! compares what requests cost.
//!
//! **What it leaves out**: filters (`trace::Filter`), JSON lines, Perfetto, the summary. docs/TRACE.md shows them.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use longshore::trace::{Event, Kind, Options, Sink, Text, Trace};
use longshore::{Backend, Handler, Replied, Reply, Request, Server, Workers};

struct Hello;

impl Handler for Hello {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("Hello, World!")
    }
}

/// Counts the calls and ring operations of connections by name.
#[derive(Clone, Default)]
struct PerRequest(Arc<Mutex<BTreeMap<&'static str, u32>>>);

impl Sink for PerRequest {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let asks = matches!(event.kind, Kind::Call(_) | Kind::Submitted(_));
        if let (true, Some(name), Some(_)) = (asks, event.name(), &event.connection) {
            *self
                .0
                .lock()
                .expect("nobody panics")
                .entry(name)
                .or_default() += 1;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let backend: Backend = std::env::args()
        .nth(1)
        .as_deref()
        .unwrap_or("epoll")
        .parse()?;
    let per_request = PerRequest::default();
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(Text::new(io::stdout())),
        Box::new(per_request.clone()),
    ];
    let trace = Trace::start(sinks, Options::default())?;

    let server = Server::new()
        .listen("127.0.0.1:0".parse()?)
        .backend(backend)
        .workers(Workers::Count(1))
        .trace(trace.clone());
    let bound = server.bind()?;
    let address = bound.addresses().next().expect("one was given").to_string();
    let stopper = bound.stopper();

    let client = std::thread::spawn(move || -> io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut reply = String::new();
        let read = stream.read_to_string(&mut reply);
        stopper.stop();
        read.map(|_| reply)
    });
    bound.run(|_worker| Hello)?;
    let reply = client.join().expect("it does not panic")?;
    // Everything that was told is written, before anything else is printed.
    trace.finish()?;

    println!(
        "\nthe client got: {}",
        reply.lines().next().unwrap_or_default()
    );
    for (name, count) in per_request.0.lock().expect("nobody panics").iter() {
        println!("{count:>4} {name}");
    }
    Ok(())
}
