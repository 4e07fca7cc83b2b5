//! # 05: HTTP hello, with the crate
//!
//! What 02 to 04 did by hand, and what they left out: the crate brings the loop, the backends, HTTP/1.1 by the book, and
//! limits against hostile peers. A program brings a [`Handler`].
//!
//! ```text
//!   request ──▶ Handler::request(request, reply) ──▶ Replied
//!   lent for the call                                proof that it was answered exactly once
//! ```
//!
//! **Run it**, talk to it, load it:
//!
//! ```text
//! cargo run --release --example 05_http_hello -- 127.0.0.1:8080
//! curl -i http://127.0.0.1:8080/
//! curl -i http://127.0.0.1:8080/nowhere
//! printf 'GET / HTTP/1.1\r\n\r\n' | nc -q1 127.0.0.1 8080
//! wrk -c 64 -t 1 -d 3 http://127.0.0.1:8080/
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error, and what the bytes mean (docs/TRACE.md).
//!
//! **Look at**: the third of these is answered with 400, because HTTP/1.1 demands a Host (RFC 9112 §3.2), and the handler
//! never saw it; delete `reply.text(…)` and the program does not compile; there is one handler for each worker thread, so
//! `self` needs no lock; Ctrl-C lets connections finish what they have begun.
//!
//! **What it leaves out**: bodies (`Handler::head` chooses whether they are collected, streamed or refused), the options
//! of `Server`, limits. docs/LIMITS.md lists them.

use std::env;
use std::error::Error;

use longshore::http::Status;
use longshore::trace::Trace;
use longshore::{Handler, Replied, Reply, Request, Server, sys};

struct Hello;

impl Handler for Hello {
    /// What it keeps of each connection: nothing.
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/" => reply.text("Hello, World!"),
            _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let bound = Server::new()
        .listen(address.parse()?)
        .trace(Trace::from_env()?)
        .bind()?;
    for address in bound.addresses() {
        println!("listening on http://{address}");
    }

    let stopper = bound.stopper();
    std::thread::spawn(move || sys::wait(&signals).map(|_| stopper.stop()));
    let report = bound.run(|_worker| Hello)?;
    println!("{} requests answered", report.requests);
    Ok(())
}
