//! A crowd: opens very many WebSocket connections, holds them, answers pings, counts messages, and tells what that cost
//! the server.
//!
//! ```text
//!   thread 0   a descriptor table of its own, 19,900 sockets from 127.1.0.1, 127.1.0.2   ─┐
//!   thread 1   the next 19,900                                                            ├─▶ the server
//!     …                                                                                   │
//!   prober     8 connections, one echo after the other: how live ones fare meanwhile     ─┘
//! ```
//!
//! A process may have `ulimit -n` descriptors, but the limit counts for each descriptor *table*, and a thread may have
//! its own: unshare(2) with CLONE_FILES. A pair of addresses has some 28,000 client ports, so each 10,000 connections
//! come from another source address, and connect(2) chooses the port (IP_BIND_ADDRESS_NO_PORT, ip(7)).
//!
//! Nothing of the kernel's is changed, and everything is closed, by resets, before the program ends: killing a process
//! with a million sockets keeps the kernel busy for minutes.

mod args;
mod client;
mod frames;
mod prober;
mod socket;
mod storm;
mod watch;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use args::Args;
use client::Shared;
use watch::Watch;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("crowd: {problem}\n{}", args::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::from(2)
        }
    }
}

/// All phases, one after the other. True if everybody was served.
fn run(args: &Args) -> std::io::Result<bool> {
    let per_thread = socket::raise_nofile()?.saturating_sub(100).max(1);
    let threads = args.connections.div_ceil(per_thread);
    let shared = Arc::new(Shared::new(args.to));
    let gate = Arc::new(Barrier::new(threads + 1));
    let watch = Watch::new(args.pid);
    watch.line("empty", &shared, None);
    if let Some(time) = args.storm {
        storm::storm(args.to, time, &shared, &watch, args.probe)?;
        thread::sleep(Duration::from_secs(args.after));
        watch.line("after", &shared, None);
        return Ok(true);
    }
    let cpu = watch.cpu_seconds();
    let began = Instant::now();
    let clients: Vec<_> = (0..threads)
        .map(|number| {
            let mine = share(args, threads, number);
            let (shared, gate) = (shared.clone(), gate.clone());
            thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || client::live(number, mine, &shared, &gate))
        })
        .collect::<Result<_, _>>()?;
    let prober = args.probe.then(|| {
        thread::spawn({
            let shared = shared.clone();
            move || prober::probe(&shared)
        })
    });
    gate.wait();
    let opened = open(args, &shared, &watch, began);
    watch.cost(
        "opened",
        shared.open.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64(),
        watch.cpu_seconds() - cpu,
    );
    if args.hold > Duration::ZERO {
        hold(args, &shared, &watch);
    }
    let mut heard = true;
    for number in 1..=args.broadcasts {
        heard &= broadcast(args, &shared, &watch, number)?;
    }
    if args.broadcasts > 0 {
        let figures = socket::ask(args.to, "/figures")?;
        println!("figures: {}", figures.lines().last().unwrap_or_default());
    }
    shared.closing.store(true, Ordering::Relaxed);
    let began = Instant::now();
    for client in clients {
        let _ = client.join();
    }
    println!("closed by resets in {:.1} s", began.elapsed().as_secs_f64());
    if let Some(prober) = prober {
        let _ = prober.join();
    }
    thread::sleep(Duration::from_secs(args.after));
    watch.line("after", &shared, None);
    Ok(opened && heard && shared.lost.load(Ordering::Relaxed) == 0)
}

/// What one thread opens: how many, how fast, to what path.
fn share(args: &Args, threads: usize, number: usize) -> client::Share {
    let first = args.connections * number / threads;
    let end = args.connections * (number + 1) / threads;
    client::Share {
        count: end - first,
        per_second: (args.rate / threads).max(1),
        path: args.path.clone(),
    }
}

/// Waits until everybody is in, or nobody comes any more.
fn open(args: &Args, shared: &Shared, watch: &Watch, began: Instant) -> bool {
    let (mut seen, mut moved, mut told) = (0, Instant::now(), Instant::now());
    loop {
        thread::sleep(Duration::from_millis(20));
        let open = shared.open.load(Ordering::Relaxed);
        if open + shared.failed.load(Ordering::Relaxed) >= args.connections {
            break;
        }
        if open != seen {
            (seen, moved) = (open, Instant::now());
        }
        if told.elapsed() >= Duration::from_secs(10) {
            told = Instant::now();
            watch.line("opening", shared, Some(began.elapsed()));
        }
        if moved.elapsed() > Duration::from_secs(60) {
            println!("nobody came for 60 s");
            break;
        }
    }
    let open = shared.open.load(Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{open} of {} open in {seconds:.1} s, {:.0} a second; {} refused ({})",
        args.connections,
        open as f64 / seconds,
        shared.failed.load(Ordering::Relaxed),
        shared.problem()
    );
    watch.line("open", shared, Some(began.elapsed()));
    open == args.connections
}

/// Holds everybody for a while, and counts pings.
fn hold(args: &Args, shared: &Shared, watch: &Watch) {
    let began = Instant::now();
    let mut told = Instant::now();
    while began.elapsed() < args.hold {
        thread::sleep(Duration::from_millis(50).min(args.hold));
        if told.elapsed() >= Duration::from_secs(10) {
            told = Instant::now();
            watch.line("holding", shared, Some(began.elapsed()));
        }
    }
    watch.line("held", shared, Some(began.elapsed()));
    println!(
        "{} connections were pinged, {} pings in all",
        shared.pinged.load(Ordering::Relaxed),
        shared.pings.load(Ordering::Relaxed)
    );
}

/// Has one message said to everybody, and waits until everybody has it.
fn broadcast(args: &Args, shared: &Shared, watch: &Watch, number: usize) -> std::io::Result<bool> {
    let before = shared.messages.load(Ordering::Relaxed);
    let all = shared.open.load(Ordering::Relaxed) - shared.lost.load(Ordering::Relaxed);
    let cpu = watch.cpu_seconds();
    let began = Instant::now();
    let answer = socket::ask(args.to, &args.publish)?;
    let answered = began.elapsed();
    let marks = [1, all / 100, all / 2, all - all / 100, all];
    let mut times = Vec::new();
    while times.len() < marks.len() && began.elapsed() < Duration::from_secs(120) {
        let heard = shared.messages.load(Ordering::Relaxed) - before;
        while times.len() < marks.len() && heard >= marks[times.len()] {
            times.push(began.elapsed());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let heard = shared.messages.load(Ordering::Relaxed) - before;
    println!(
        "broadcast {number}: {:?}, answered in {:.1} ms; {heard} of {all} heard it; first, 1 %, half, 99 %, all after {times:.3?}; \
         server CPU {:.2} s; peak RSS so far {} KiB",
        answer.lines().last().unwrap_or_default(),
        answered.as_secs_f64() * 1e3,
        watch.cpu_seconds() - cpu,
        watch.peak_kib()
    );
    watch.line("said", shared, None);
    Ok(heard == all)
}
