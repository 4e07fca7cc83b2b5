//! # 13: replies from other threads
//!
//! A handler runs on its worker's loop, and while it runs, nobody else of that worker is served. Work that takes long
//! belongs elsewhere: `reply.defer()` gives a [`Ticket`], which any thread may answer, now or later.
//!
//! ```text
//!   request ──▶ handler ── defer ──▶ queue (bounded) ──▶ a thread of the pool: counts primes
//!                  │                      │ full: 503                  │
//!               goes on                   ▼                            ▼
//!                            the connection ◀── mailbox ◀── ticket.answer(…)
//! ```
//!
//! **Run it**, and ask for something long and something short at the same time:
//!
//! ```text
//! cargo run --release --example 13_other_threads -- 127.0.0.1:8080
//! curl 'http://127.0.0.1:8080/primes?below=30000000' & curl http://127.0.0.1:8080/
//! for i in $(seq 40); do curl -s -o /dev/null -w '%{http_code} ' 'http://127.0.0.1:8080/primes?below=9000000' & done; wait
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: there is one worker, and it answers `/` while the pool counts; the queue has an end, and behind it stands
//! 503 rather than memory (the last line shows both); a connection whose ticket is out reads no further request, so
//! pipelined replies keep their order; a client that was reset meanwhile shows in `is_cancelled`, and nobody counts
//! for it; a ticket that is dropped answers 500, so no client waits for ever, even if a thread of the pool dies.
//!
//! **What it leaves out**: bodies that come piece by piece from another thread (`Ticket::stream`, `ReplyFields::channel`).

use std::env;
use std::error::Error;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use longshore::http::Status;
use longshore::trace::Trace;
use longshore::{Handler, Replied, Reply, Request, Response, Server, Ticket, Workers, sys};

const POOL_THREADS: usize = 2;
/// Jobs that wait for a thread; above: 503.
const QUEUE_MAX: usize = 8;
/// Bounds the time of a job.
const BELOW_MAX: u32 = 100_000_000;

/// What a thread of the pool is to do, and who waits for it.
struct Job {
    below: u32,
    ticket: Ticket,
}

struct Primes {
    pool: SyncSender<Job>,
}

impl Handler for Primes {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/" => reply.text("Ask for /primes?below=1000\n"),
            b"/primes" => match below(request.query().unwrap_or_default()) {
                Some(below) => self.count(below, reply),
                None => reply.error(
                    Status::BAD_REQUEST,
                    "below must be a number up to 100000000.",
                ),
            },
            _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
        }
    }
}

impl Primes {
    fn count(&self, below: u32, reply: Reply<'_>) -> Replied {
        let (replied, ticket) = reply.defer();
        match self.pool.try_send(Job { below, ticket }) {
            Ok(()) => {}
            // Not `send`, which would wait: the loop must not.
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                let response = Response::new(Status::SERVICE_UNAVAILABLE);
                job.ticket.answer(response.content("Too much to do.\n"));
            }
        }
        replied
    }
}

fn below(query: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(query.strip_prefix(b"below=")?).ok()?;
    digits.parse().ok().filter(|below| *below <= BELOW_MAX)
}

/// A thread of the pool: takes jobs until nobody can send one any more.
fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while this thread waits, and given back before it works.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { below, ticket }) = job else {
            return;
        };
        if ticket.is_cancelled() {
            continue;
        }
        let content = format!("{} primes below {below}\n", primes(below));
        ticket.answer(Response::new(Status::OK).content(content));
    }
}

/// How many primes there are below a number: the sieve of Eratosthenes, a byte for each odd number.
fn primes(below: u32) -> usize {
    if below < 3 {
        return 0;
    }
    let odds = below as usize / 2; // the numbers 1, 3, 5 …, and in the place of 1 the prime 2
    let mut is_composite = vec![false; odds];
    for index in 1..odds {
        let number = 2 * index + 1;
        if number * number >= below as usize {
            break;
        }
        if !is_composite[index] {
            for multiple in (number * number / 2..odds).step_by(number) {
                is_composite[multiple] = true;
            }
        }
    }
    is_composite.iter().filter(|composite| !**composite).count()
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let bound = Server::new()
        .trace(Trace::from_env()?)
        .listen(address.parse()?)
        .workers(Workers::Count(1))
        .bind()?;
    for address in bound.addresses() {
        println!("listening on http://{address}");
    }

    let (pool, jobs) = sync_channel(QUEUE_MAX);
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..POOL_THREADS {
        let jobs = jobs.clone();
        thread::spawn(move || work(&jobs));
    }

    let stopper = bound.stopper();
    thread::spawn(move || sys::wait(&signals).map(|_| stopper.stop()));
    let report = bound.run(|_worker| Primes { pool: pool.clone() })?;
    println!("{} requests answered", report.requests);
    Ok(())
}
