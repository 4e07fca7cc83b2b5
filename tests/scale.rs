//! Many workers, tables of their own, busy polling, the ledger that tells of them, and memory that is given back.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use longshore::sys::Address;
use longshore::{Backend, Handler, Ledger, Replied, Reply, Request, Server, Workers};

struct Hello;

impl Handler for Hello {
    type Connection = ();
    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("Hello, World!")
    }
}

/// A worker's own table begins as a copy of the process's: it would keep another test's listener open.
static ALONE: Mutex<()> = Mutex::new(());

/// Serves with `server` on every backend while `test` runs; afterwards nobody listens.
fn on_every_backend(server: &Server, test: impl Fn(SocketAddr, &Ledger)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for backend in [Backend::Epoll, Backend::IoUring, Backend::Mio] {
        if backend.choose().is_err() {
            continue;
        }
        let server = server.clone().backend(backend).workers(Workers::Count(5));
        let any = "127.0.0.1:0".parse().expect("an address");
        let bound = server.listen(any).bind().expect("a free port");
        let Some(Address::Inet(address)) = bound.addresses().next().cloned() else {
            panic!("an internet address")
        };
        let (stopper, ledger) = (bound.stopper(), bound.ledger());
        let server = thread::spawn(move || bound.run(|_worker| Hello));
        test(address, &ledger);
        stopper.stop();
        let report = server.join().expect("no panic").expect("it ran");
        let figures = ledger.figures();
        assert_eq!((figures.accepted, figures.requests), (40, 40), "{backend}");
        assert_eq!((report.connections, figures.connections), (40, 0));
        assert!(figures.turns > 0 && figures.longest_turn > Duration::ZERO);
        assert!(
            TcpStream::connect(address).is_err(),
            "{backend}: a copy of a listener was left open"
        );
    }
}

/// As many connections as reach every worker, nearly surely.
fn forty_answers(address: SocketAddr) {
    let mut streams: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(address).expect("it listens"))
        .collect();
    for stream in &mut streams {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it reads");
    }
    for mut stream in streams {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a whole reply");
        assert!(reply.ends_with("Hello, World!"), "{reply}");
    }
}

#[test]
fn workers_with_tables_of_their_own_serve_and_leave_no_listener_behind() {
    on_every_backend(&Server::new().own_tables(true), |address, _| {
        forty_answers(address);
    });
}

#[test]
fn busy_polling_serves_as_sleeping_does() {
    let server = Server::new().busy_poll(Duration::from_millis(2));
    on_every_backend(&server, |address, ledger| {
        forty_answers(address);
        assert!(ledger.workers().count() == 5);
    });
}

/// Keeps much for each connection, so that a crowd shows.
struct Hoard;

struct Hoarded([u64; 64]);

impl Default for Hoarded {
    fn default() -> Self {
        Self([u64::MAX; 64])
    }
}

impl Handler for Hoard {
    type Connection = Hoarded;
    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, kept: &mut Hoarded) -> Replied {
        reply.text(&kept.0[0].to_string())
    }
}

/// The process's resident memory, in bytes (proc_pid_smaps(5); the counters of `status` lag behind).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let rss = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = rss.and_then(|rest| rest.trim().strip_suffix(" kB"));
    1024 * kib
        .and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
}

/// Waits up to 30 s until `done`.
fn within_half_a_minute(done: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > Duration::from_secs(30) {
            return false;
        }
        thread::sleep(Duration::from_millis(100));
    }
    true
}

/// How many connections a crowd has that this process can open; `None` if they are no crowd for `workers`.
///
/// A worker takes fewer than 2048 for no crowd (`reactor/ebb.rs`). Twice as many each, because the kernel does not share
/// them out evenly.
fn crowd_for(workers: usize) -> Option<usize> {
    const CROWD: usize = 19_000;
    /// Descriptors for all else: backends, listeners, what the test runner has open.
    const SPARE: usize = 1000;
    let limit = longshore::sys::raise_nofile(&mut longshore::sys::Silent).expect("the hard limit");
    let crowd = CROWD.min((limit as usize).saturating_sub(SPARE));
    if crowd >= 2 * 2048 * workers {
        return Some(crowd);
    }
    // Written past the test runner, which keeps what a passing test prints to itself.
    let why = format!("SKIPPED: {limit} descriptors (ulimit -Hn) are too few for a crowd\n");
    io::stderr()
        .write_all(why.as_bytes())
        .expect("standard error");
    None
}

#[test]
fn when_a_crowd_has_gone_its_memory_goes_too() {
    const WORKERS: usize = 2;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(size) = crowd_for(WORKERS) else {
        return;
    };
    for backend in [Backend::Epoll, Backend::IoUring, Backend::Mio] {
        if backend.choose().is_err() {
            continue;
        }
        // The clients' sockets fill the process's table: the workers need others.
        let server = Server::new()
            .backend(backend)
            .workers(Workers::Count(WORKERS));
        let server = server.own_tables(backend != Backend::IoUring);
        let any = "0.0.0.0:0".parse().expect("an address");
        let bound = server.listen(any).bind().expect("a free port");
        let Some(Address::Inet(address)) = bound.addresses().next().cloned() else {
            panic!("an internet address")
        };
        let (stopper, ledger) = (bound.stopper(), bound.ledger());
        let server = thread::spawn(move || bound.run(|_worker| Hoard));
        // One who was there before, and stays.
        let mut first = TcpStream::connect(("127.0.0.1", address.port())).expect("it listens");
        let mut crowd = Vec::with_capacity(size);
        assert!(within_half_a_minute(|| ledger.figures().connections == 1));
        let empty = resident();
        for number in 0..size {
            // A pair of addresses has 28,000 ports, and those of the backend before wait for a minute.
            let host = Ipv4Addr::new(127, 0, 0, 1 + (number / 5000) as u8);
            crowd.push(TcpStream::connect((host, address.port())).expect("it listens"));
        }
        let all = size as u64 + 1;
        assert!(within_half_a_minute(|| ledger.figures().connections == all));
        let full = resident() - empty;
        assert!(full > size * 512, "{backend}: {full} bytes");
        drop(crowd);
        assert!(within_half_a_minute(|| ledger.figures().connections == 1));
        let given_back = || resident().saturating_sub(empty) < full / 4;
        assert!(
            within_half_a_minute(given_back),
            "{backend}: {full} bytes, and still {} when all had gone",
            resident().saturating_sub(empty)
        );
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        first.write_all(request.as_bytes()).expect("it reads");
        let mut reply = String::new();
        first.read_to_string(&mut reply).expect("a whole reply");
        assert!(reply.ends_with(&u64::MAX.to_string()), "{backend}: {reply}");
        stopper.stop();
        server.join().expect("no panic").expect("it ran");
    }
}
