//! The classic model: one thread accepts, and each connection has a thread of its own.
//!
//! ```text
//!   accept4 ─▶ accept4 ─▶ accept4 …
//!      │          └──────▶ recv ─▶ send ─▶ … ─▶ close        each waits in its own system call, on its own stack
//!      └──▶ recv ─▶ send ─▶ … ─▶ close
//! ```
//!
//! The code of a connection is that of the blocking model, and stays as easy to read. What it costs is a stack and a
//! context switch for each connection. At the limit nothing is accepted: clients wait in the backlog. Where the machine
//! gives no further thread, the one that was accepted waits as well, until there is one.
//!
//! Datagrams have no connections, so there a thread for each processor waits for the same socket.

use std::sync::{Arc, Mutex};
use std::thread::{self, Scope};

use longshore::sys::{self, Address, How, Kind, Mode, Probe};

use super::listen::Place;
use super::live::{Live, Seat};
use super::tally::Tally;
use super::{Terms, datagrams, stream};

/// Enough for what is called here, with a probe that prints; the usual 2 MiB would be reserved a thousand times.
const STACK_BYTES: usize = 256 << 10;

pub(super) fn run<P: Probe>(
    probes: &(impl Fn() -> P + Sync),
    terms: &Terms,
    place: Place,
    live: &Live,
    tally: &Tally,
) -> Result<(), String> {
    let probe = &mut probes();
    let _path = place.path;
    let listener = live.enter(place.fd, How::Both);
    let result = thread::scope(|scope| match terms.transport.kind() {
        Kind::Datagram => {
            let work =
                || datagrams::echo(&mut probes(), listener.fd(), &place.address, live, tally);
            // This thread is one of them.
            for number in 1..thread::available_parallelism().map_or(1, usize::from) {
                let thread = named(format!("datagrams {number}"));
                // With fewer threads it goes on as well.
                let _ = thread.spawn_scoped(scope, work);
            }
            datagrams::echo(probe, listener.fd(), &place.address, live, tally)
        }
        Kind::Stream => accept(scope, probes, probe, terms, &listener, live, tally),
    });
    live.leave(listener, probe);
    result
}

fn accept<'scope, P: Probe>(
    scope: &'scope Scope<'scope, '_>,
    probes: &'scope (impl Fn() -> P + Sync),
    probe: &mut P,
    terms: &'scope Terms,
    listener: &Seat,
    live: &'scope Live,
    tally: &'scope Tally,
) -> Result<(), String> {
    while !live.is_stopping() {
        // One seat is the listener's.
        live.await_room(terms.connections_max + 1);
        match sys::accept4_from(probe, listener.fd(), Mode::Blocking) {
            Ok((fd, theirs)) => {
                let seat = live.enter(fd, How::Read);
                start(scope, probes, probe, (seat, theirs), terms, live, tally);
            }
            Err(error) => live.not_accepted(&error)?,
        }
    }
    Ok(())
}

/// Starts the connection's thread. While there is none to be had (`RLIMIT_NPROC`, a cgroup's `pids.max`, memory) the
/// connection waits here, and who comes meanwhile in the backlog.
fn start<'scope, P: Probe>(
    scope: &'scope Scope<'scope, '_>,
    probes: &'scope (impl Fn() -> P + Sync),
    probe: &mut P,
    (seat, theirs): (Seat, Address),
    terms: &'scope Terms,
    live: &'scope Live,
    tally: &'scope Tally,
) {
    let number = seat.number;
    // A thread that cannot be started drops its closure, so the connection is handed over in a place that both can reach.
    let place = Arc::new(Mutex::new(Some((seat, theirs))));
    let take = |place: &Mutex<Option<(Seat, Address)>>| place.lock().ok()?.take();
    let mut is_told = false;
    while !live.is_stopping() {
        let theirs = Arc::clone(&place);
        let thread = named(format!("connection {number}"));
        let started = thread.spawn_scoped(scope, move || {
            if let Some((seat, address)) = take(&theirs) {
                stream::serve(&mut probes(), seat, address, terms, live, tally);
            }
        });
        let Err(error) = started else { return };
        if !is_told {
            tally.waits(number, &error);
            is_told = true;
        }
        // A connection leaves before its thread has ended, so there is nothing to wait for but time.
        live.pause();
    }
    // It ends as the others do: a server that stops waits for nobody's bytes.
    if let Some((seat, address)) = take(&place) {
        stream::serve(probe, seat, address, terms, live, tally);
    }
}

fn named(name: String) -> thread::Builder {
    thread::Builder::new().name(name).stack_size(STACK_BYTES)
}
