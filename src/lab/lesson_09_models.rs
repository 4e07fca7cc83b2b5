//! Lesson 9: a blocking thread for each connection, epoll, io_uring.
//!
//! ```text
//!   threads    N threads, each asleep in recv of its own connection
//!   epoll      1 thread, asleep in epoll_wait for all of them; then recv and send for each that is ready
//!   io_uring   1 thread, asleep in io_uring_enter; receives and sends are entries in memory that it shares with the kernel
//! ```
//!
//! Each model serves in a process of its own, so that its memory, its context switches and its processor time are seen
//! apart from the clients'. All clients ask at once and again when they are answered. It says how models differ, not how
//! fast a server can be: clients and server share this machine's processors, and the program may be a debug build.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Instant;

use super::Lesson;
use super::beside::HttpClient;
use super::child::{Serving, machine};
use super::crowd::{self, Crowd};
use super::frame::Frame;
use super::kernel;
use super::loopback;
use super::model_server::{self, Model};
use super::report::{Table, Value};
use super::served::{self, Served};
use super::threads;
use longshore::sys::{self, Mode, Silent};

pub(super) const LESSON: Lesson = Lesson {
    number: 9,
    name: "models",
    about: "Thread per connection, epoll, io_uring: memory, context switches, calls, throughput",
    run,
};

/// A model and the names of its findings, of the largest crowd.
struct Way {
    model: Model,
    /// Threads; resident and reserved bytes, switches, calls, each per connection or request.
    findings: [&'static str; 5],
}

const WAYS: [Way; 3] = [
    Way {
        model: Model::Threads,
        findings: [
            "threads_threads",
            "threads_resident_bytes_each",
            "threads_reserved_bytes_each",
            "threads_switches_each",
            "threads_calls_each",
        ],
    },
    Way {
        model: Model::Epoll,
        findings: [
            "epoll_threads",
            "epoll_resident_bytes_each",
            "epoll_reserved_bytes_each",
            "epoll_switches_each",
            "epoll_calls_each",
        ],
    },
    Way {
        model: Model::IoUring,
        findings: [
            "uring_threads",
            "uring_resident_bytes_each",
            "uring_reserved_bytes_each",
            "uring_switches_each",
            "uring_calls_each",
        ],
    },
];

/// What a model used for a crowd.
struct Cost {
    threads: u64,
    resident_each: f64,
    reserved_each: f64,
    /// Of the whole machine: stacks that the kernel keeps for threads.
    kernel_stack_each: Option<f64>,
    switches_each: f64,
    calls_each: f64,
    operations_each: f64,
    per_second: f64,
    per_cpu_second: f64,
}

fn run(frame: &Frame) -> io::Result<()> {
    let limit = sys::raise_nofile(&mut Silent)?;
    let Some(most) = crowd::most(frame, limit) else {
        return Ok(());
    };
    let wanted = frame.scale().pick(
        vec![10, 200],
        vec![10, 1_000, 10_000],
        vec![10, 1_000, 10_000],
    );
    let mut crowds: Vec<usize> = wanted.iter().map(|&size| size.min(most)).collect();
    crowds.dedup();
    let rounds = frame.scale().pick(4, 4, 40);
    frame.say(format!(
        "Three servers answer the same request with the same bytes, each in a process of its own. Crowds of {crowds:?} clients \
         ask all at once, each {rounds} times or more. (`ulimit -n` is {limit}.)"
    ));
    if frame.shows_calls() {
        show_calls(frame)?;
        frame.say("Now the crowds, without a look at single calls:");
    }
    let progress = frame.progress("crowds", (crowds.len() * WAYS.len()) as u64);
    let mut costs: Vec<(usize, usize, Cost)> = Vec::new();
    for &clients in &crowds {
        for (at, way) in WAYS.iter().enumerate() {
            match measure(way.model, clients, rounds) {
                Ok(cost) => costs.push((clients, at, cost)),
                Err(error) => frame.refused(
                    &format!("{} with {clients} clients", way.model.name()),
                    error,
                ),
            }
            progress.step(1);
        }
    }
    drop(progress);
    show(frame, &costs);
    conclude(frame, crowds.last().copied().unwrap_or(0), &costs);
    Ok(())
}

/// The server's calls for one client that connects, asks once, and goes.
fn show_calls(frame: &Frame) -> io::Result<()> {
    frame.say("What a server does for one client that asks once and goes. A thread for it, which blocks in each call:");
    let (listener, address) = loopback::listener(&mut Silent, 1)?;
    let server = frame.clone();
    let thread = threads::start(move || {
        let calls = &mut server.calls("server");
        let connection = sys::accept4(calls, listener.as_fd(), Mode::Blocking)?;
        model_server::serve(calls, &connection)?;
        sys::close(calls, connection)
    })?;
    ask_once(loopback::v4(&address)?.into(), "/")?;
    let ended = thread.join();
    ended.unwrap_or_else(|_| Err(io::Error::other("the server panicked")))?;

    for (model, sentence) in [
        (
            Model::Epoll,
            "One thread for all, on epoll. It asks who is ready, and then does what that one waits for. (getpeername is there \
             because it is watched: the trace wants the client's name. A server that needs no names, for a trace or a log, does not ask.)",
        ),
        (
            Model::IoUring,
            "One thread for all, on a ring. What it wants is written into memory ([sqe]), and so are the answers ([cqe]); only \
             io_uring_enter is a call:",
        ),
    ] {
        frame.say(sentence);
        let arguments = [
            "--backend",
            model.name(),
            "--trace",
            "--json",
            "--bytes",
            "16",
        ];
        match Served::start(&arguments) {
            Ok(server) => {
                ask_once(server.address, "/plaintext")?;
                let (_, trace) = server.end()?;
                served::show(frame, &trace);
            }
            Err(error) => frame.refused(model.name(), error),
        }
    }
    Ok(())
}

fn ask_once(to: SocketAddr, path: &str) -> io::Result<()> {
    let silent = &mut Silent;
    let mut client = HttpClient::connect(silent, to)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send(silent, request.as_bytes())?;
    client.reply(silent)?;
    let ours = loopback::v4(&sys::getsockname(silent, client.stream.as_fd())?)?;
    drop(client);
    let SocketAddr::V4(to) = to else {
        return Ok(());
    };
    // The server's end is gone when it has seen ours close: then all that it does for this client is done.
    let gone = || Ok(kernel::tcp_state(to, ours)?.is_none());
    loopback::settled(&true, gone).map(drop)
}

/// Serves a crowd with this model.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn measure(model: Model, clients: usize, rounds: usize) -> io::Result<Cost> {
    let mut server = Serving::start(model)?;
    let mut crowd = Crowd::new(server.address)?;
    let resident = server.number("smaps_rollup", "Rss:")?;
    let reserved = server.number("status", "VmSize:")?;
    let stacks = machine("/proc/meminfo", "KernelStack:");
    crowd.open(clients, |_| ())?;
    let each = |before: u64, after: u64, unit: f64| {
        after.saturating_sub(before) as f64 * unit / clients as f64
    };
    let kib = 1024.0;
    let resident_each = each(resident, server.number("smaps_rollup", "Rss:")?, kib);
    let reserved_each = each(reserved, server.number("status", "VmSize:")?, kib);
    let kernel_stack_each = stacks
        .zip(machine("/proc/meminfo", "KernelStack:"))
        .map(|(before, after)| each(before, after, kib));
    let threads = server.number("status", "Threads:")?;

    // A small crowd asks more often, so that there is something to measure.
    let requests = (clients * rounds).max(2_000);
    let (before, begin) = (server.figures()?, Instant::now());
    crowd.round(requests)?;
    let (time, after) = (begin.elapsed(), server.figures()?);
    let answered = requests + crowd.len() + 1;
    drop(crowd);
    let totals = server.end()?;
    // Not the involuntary ones: those tell of other programs on this machine.
    let switches = after.voluntary_switches - before.voluntary_switches;
    let cpu = (after.cpu_micros - before.cpu_micros).max(1) as f64 / 1e6;
    Ok(Cost {
        threads,
        resident_each,
        reserved_each,
        kernel_stack_each,
        switches_each: switches as f64 / requests as f64,
        calls_each: totals.calls as f64 / answered as f64,
        operations_each: totals.operations as f64 / answered as f64,
        per_second: requests as f64 / time.as_secs_f64(),
        per_cpu_second: requests as f64 / cpu,
    })
}

/// As every table and sentence here shows it.
fn whole(number: f64) -> Value {
    Value::from(number.round() as u64)
}

fn show(frame: &Frame, costs: &[(usize, usize, Cost)]) {
    let mut memory = Table::new(
        "Memory for each connection, in bytes",
        &[
            "connections",
            "model",
            "threads",
            "resident",
            "address space",
            "kernel stacks (whole machine)",
        ],
    );
    let mut work = Table::new(
        "Work for each request: voluntary context switches, system calls (those of connecting included)",
        &[
            "connections",
            "model",
            "switches",
            "calls",
            "ring operations",
            "requests/s",
            "per processor second",
        ],
    );
    for (clients, at, cost) in costs {
        let name = WAYS[*at].model.name();
        memory.row([
            (*clients).into(),
            name.into(),
            cost.threads.into(),
            whole(cost.resident_each),
            whole(cost.reserved_each),
            cost.kernel_stack_each.map_or("–".into(), whole),
        ]);
        work.row([
            (*clients).into(),
            name.into(),
            cost.switches_each.into(),
            cost.calls_each.into(),
            cost.operations_each.into(),
            whole(cost.per_second),
            whole(cost.per_cpu_second),
        ]);
    }
    frame.table(memory);
    frame.table(work);
}

fn conclude(frame: &Frame, largest: usize, costs: &[(usize, usize, Cost)]) {
    let of = |model: usize| {
        let mut found = costs
            .iter()
            .filter(|(clients, at, _)| *clients == largest && *at == model);
        found.next().map(|(_, _, cost)| cost)
    };
    frame.finding("connections", largest);
    for (at, way) in WAYS.iter().enumerate() {
        let Some(cost) = of(at) else { continue };
        let [threads, resident, reserved, switches, calls] = way.findings;
        frame.finding(threads, cost.threads);
        frame.finding(resident, cost.resident_each);
        frame.finding(reserved, cost.reserved_each);
        frame.finding(switches, cost.switches_each);
        frame.finding(calls, cost.calls_each);
    }
    if let (Some(threads), Some(epoll)) = (of(0), of(1)) {
        frame.conclude(
            threads.resident_each > epoll.resident_each && threads.threads > epoll.threads,
            format!(
                "With {largest} connections a thread for each kept {} bytes resident and {} bytes of address space per \
                 connection; the loop on epoll kept {} bytes. An idle connection needs no stack.",
                whole(threads.resident_each),
                whole(threads.reserved_each),
                whole(epoll.resident_each)
            ),
            format!("With {largest} connections threads took no more memory than epoll in this run."),
        );
        frame.conclude(
            threads.switches_each > epoll.switches_each,
            format!(
                "A thread sleeps after every answer: {} context switches per request. The loop sleeps when nobody is left \
                 to serve: {}.",
                Value::from(threads.switches_each),
                Value::from(epoll.switches_each)
            ),
            "The loop switched as often as the threads did; there was too little to do at once.",
        );
    }
    if let (Some(epoll), Some(ring)) = (of(1), of(2)) {
        frame.conclude(
            ring.calls_each < epoll.calls_each,
            format!(
                "epoll says who is ready, and then it takes a call for each receive and send: {} calls per request. A ring \
                 is told of many operations in one call: {}.",
                Value::from(epoll.calls_each),
                Value::from(ring.calls_each)
            ),
            "The ring made as many calls as epoll; there was too little to do at once.",
        );
    }
    if let (Some(threads), Some(epoll)) = (of(0), of(1)) {
        throughput(frame, largest, [threads, epoll], of(2));
    }
}

/// What the columns of requests per second say, which depends on how this program was built, and on what else runs: they
/// are told, and nothing is concluded from them.
fn throughput(frame: &Frame, largest: usize, [threads, epoll]: [&Cost; 2], ring: Option<&Cost>) {
    if cfg!(debug_assertions) {
        frame.say(
            "The columns of requests per second say nothing in a debug build, where the crate's servers run unoptimised code \
             for each request and the threads hardly any: run this lesson with --release.",
        );
        return;
    }
    let ring = ring.map_or(String::new(), |ring| {
        format!(", the ring {}", whole(ring.per_cpu_second))
    });
    frame.say(format!(
        "By the clock threads answered {} requests per second and the loop on epoll {}: threads may use every processor, the \
         loop uses one, and the clients share them. For each second of its own processor time a thread for each of {largest} \
         connections answered {} requests, the loop on epoll {}{ring}. Which of these is larger changes from run to run: most \
         of that time is TCP's, the same for all. The calls per request do not change.",
        whole(threads.per_second),
        whole(epoll.per_second),
        whole(threads.per_cpu_second),
        whole(epoll.per_cpu_second)
    ));
}
