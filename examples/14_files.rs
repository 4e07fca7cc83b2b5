//! # 14: a file without copies
//!
//! A program that answers with a file could read it into memory and send that: every byte goes from the kernel to the
//! program and back. sendfile(2) leaves it in the kernel: two descriptors go in, and the pages of the file leave through the
//! socket.
//!
//! ```text
//!   read and send      page cache ──copy──▶ program ──copy──▶ socket
//!   sendfile(2)        page cache ────────────────▶ socket                a call for each 256 KiB, and no memory
//!   io_uring           page cache ──copy──▶ buffer ──copy──▶ socket       two ring operations for each 64 KiB
//! ```
//!
//! **Run it** on epoll, ask for a large file and a part of it, then press Ctrl-C and read the table; then with io-uring:
//!
//! ```text
//! mkdir /tmp/files; head -c 50000000 /dev/urandom > /tmp/files/big.bin
//! cargo run --release --example 14_files -- 127.0.0.1:8080 /tmp/files epoll
//! curl -s http://127.0.0.1:8080/big.bin | wc -c
//! curl -s -r 0-9 http://127.0.0.1:8080/big.bin | xxd
//! ln -s /etc/passwd /tmp/files/way-out; curl -i http://127.0.0.1:8080/way-out
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: the lines before the server starts are the system calls with which the directory was opened; in the table,
//! the bytes stand beside `sendfile` and not beside `send`, which carried the heads; on io_uring they stand beside `read` and
//! `send`, because a ring's splice runs on threads of the kernel that slow readers occupy (docs/DESIGN.md says more); the
//! link cannot lead out of the directory, and it is the kernel that says so (openat2(2), RESOLVE_BENEATH); ranges,
//! `If-None-Match` and `.gz` siblings work without a line here.
//!
//! **What it leaves out**: names in a directory (`Files::listing`), and how long they may be cached (`cache_control`).

use std::env;
use std::error::Error;
use std::io;

use longshore::http::Status;
use longshore::sys::Strace;
use longshore::trace::Trace;
use longshore::{Backend, Files, Handler, Replied, Reply, Request, Server, Workers, sys};

struct Site(Files);

impl Handler for Site {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            // As for `OPTIONS *`, which names no file.
            path if !path.starts_with(b"/") => reply.error(Status::NOT_FOUND, "No such file."),
            path => self.0.reply(&request, path, reply),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let mut words = env::args().skip(1);
    let address = words.next().unwrap_or("127.0.0.1:8080".to_owned());
    let directory = words.next().unwrap_or(".".to_owned());
    let backend: Backend = words.next().unwrap_or("auto".to_owned()).parse()?;

    let files = Files::open_watched(&mut Strace::new(io::stdout()), &directory)?;
    let bound = Server::new()
        .trace(Trace::from_env()?)
        .listen(address.parse()?)
        .backend(backend)
        .workers(Workers::Count(1))
        .count_calls(true)
        .bind()?;
    for address in bound.addresses() {
        println!("listening on http://{address}");
    }

    let stopper = bound.stopper();
    std::thread::spawn(move || sys::wait(&signals).map(|_| stopper.stop()));
    let report = bound.run(|_worker| Site(files.clone()))?;
    println!("{} requests answered", report.requests);
    if let Some(counts) = report.counts {
        print!("{counts}");
    }
    Ok(())
}
