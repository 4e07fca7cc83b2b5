//! The end of a driver, whatever is in flight.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::rig::{Heard, Host, Outside, Peer, Rig};
use super::run::{PATIENCE, Run, pattern, pooled};
use crate::buf::{FileSlice, Part, SendBuf};
use crate::driver::{Driver, Submit};
use crate::sys::Family;

/// A run with one of everything in flight, and what must be free afterwards.
pub(super) fn busy<R: Rig>() -> (Run<R>, Vec<R::Peer>, Arc<[u8]>) {
    let mut run = Run::<R>::new();
    let mut peers = Vec::new();
    let bytes: Arc<[u8]> = pattern(16 << 20).into();
    for number in 0..20 {
        let (token, mut peer) = run.client();
        match number % 5 {
            0 => {
                let mut buf = SendBuf::new(Part::Static(b"head"));
                buf.push(Part::Shared {
                    bytes: bytes.clone(),
                    range: 0..bytes.len() as u32,
                });
                assert!(matches!(run.send(token, buf), Submit::InFlight));
            }
            1 => {
                peer.write(&pattern(5000));
            }
            2 => run.close(token),
            3 => {
                let mut buf = pooled(b"head");
                let file = super::send_file::large();
                let range = 0..file.metadata().expect("a file").len();
                buf.push_file(FileSlice::new(file, range));
                assert!(matches!(run.send(token, buf), Submit::InFlight));
            }
            _ => {
                let path = std::env::current_exe().expect("this program");
                let slice = FileSlice::new(Arc::new(File::open(path).expect("a file")), 0..4096);
                run.driver()
                    .read_file(token, slice, Vec::with_capacity(4096));
                run.driver().ask_peer(token);
            }
        }
        peers.push(peer);
    }
    let (socket, address) = run.rig.datagram(Family::Inet);
    let socket = run.driver().bind_datagram(socket).expect("bind");
    run.ledger.opened(socket);
    let mut outside = run.rig.outside(Family::Inet);
    outside.send(&address, b"unread");
    let _ = run
        .hands()
        .send_to(socket, &outside.address(), pooled(b"unsent"));
    let host = run.rig.host(Family::Inet);
    let token = run
        .driver()
        .connect(&host.address(), None)
        .expect("connect");
    run.ledger.opened(token);
    run.driver().waker().wake();
    (run, peers, bytes)
}

fn assert_gone<R: Rig>(run: Run<R>, mut peers: Vec<R::Peer>, bytes: &Arc<[u8]>) {
    drop(run.rig);
    drop(run.seen);
    assert_eq!(Arc::strong_count(bytes), 1, "every buffer is free");
    let deadline = Instant::now() + PATIENCE;
    for peer in &mut peers {
        loop {
            match peer.read(1 << 20) {
                Heard::Bytes(_) => {}
                Heard::Nothing => {
                    assert!(Instant::now() < deadline, "a peer waits for ever");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Heard::End | Heard::Reset => break,
            }
        }
    }
}

pub(super) fn a_teardown_ends_everything_in_flight<R: Rig>() {
    let (mut run, peers, bytes) = busy::<R>();
    let begun = Instant::now();
    run.driver().teardown(2 * PATIENCE).expect("in time");
    assert!(begun.elapsed() < PATIENCE);
    run.driver().teardown(2 * PATIENCE).expect("twice");
    assert_gone(run, peers, &bytes);
}

pub(super) fn a_teardown_after_some_turns<R: Rig>() {
    let (mut run, peers, bytes) = busy::<R>();
    run.settle();
    run.driver().teardown(2 * PATIENCE).expect("in time");
    assert_gone(run, peers, &bytes);
}

pub(super) fn a_driver_that_is_dropped_ends_everything_in_flight<R: Rig>() {
    let (run, peers, bytes) = busy::<R>();
    assert_gone(run, peers, &bytes);
    let (mut run, peers, bytes) = busy::<R>();
    run.settle();
    assert_gone(run, peers, &bytes);
}

/// Work that is asked for after the teardown must not outlive the memory that it needs.
pub(super) fn a_driver_may_be_used_after_its_teardown<R: Rig>() {
    let (mut run, peers, bytes) = busy::<R>();
    run.driver().teardown(2 * PATIENCE).expect("in time");
    let (ours, _peer) = run.rig.pair();
    let token = run.driver().adopt(ours).expect("adopt");
    let _ = run.driver().send(token, pooled(b"late"));
    run.driver().wait(Some(Duration::ZERO)).expect("wait");
    assert_gone(run, peers, &bytes);
}
