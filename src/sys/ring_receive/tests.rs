//! What ends a receive on a ring, and what does not.

use super::RingReceive;
use crate::sys::{self, Count, How, Silent};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// A receive on one end, or `None` where io_uring is refused.
fn receive() -> Option<(RingReceive, UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    match RingReceive::submit(&mut Silent, ours.as_fd(), 8) {
        Ok(receive) => Some((receive, ours, theirs)),
        Err(error) => {
            eprintln!("SKIPPED, no io_uring: {error}");
            None
        }
    }
}

fn end(receive: &mut RingReceive) -> io::Result<Vec<u8>> {
    let ended = receive.wait(&mut Silent, LONG).expect("the ring works");
    ended.expect("the receive has ended")
}

#[test]
fn a_closed_descriptor_ends_nothing() {
    let Some((mut receive, ours, theirs)) = receive() else {
        return;
    };
    drop(ours);
    let soon = Duration::from_millis(20);
    assert!(receive.wait(&mut Silent, soon).expect("it works").is_none());
    // The peer has seen no end either, and what it says arrives.
    sys::send(&mut Silent, theirs.as_fd(), b"ahoy").expect("the other end is still open");
    assert_eq!(end(&mut receive).expect("bytes"), b"ahoy");
}

#[test]
fn a_shutdown_ends_it_and_the_peer_sees_the_end() {
    let Some((mut receive, ours, mut theirs)) = receive() else {
        return;
    };
    sys::shutdown(&mut Silent, ours.as_fd(), How::Both).expect("open");
    assert_eq!(end(&mut receive).expect("no error"), b"");
    assert_eq!(theirs.read(&mut [0; 8]).expect("no error"), 0);
}

#[test]
fn a_cancelled_receive_says_so() {
    let Some((mut receive, _ours, _theirs)) = receive() else {
        return;
    };
    receive.cancel(&mut Silent).expect("it works");
    let error = end(&mut receive).expect_err("cancelled");
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
}

#[test]
fn dropping_one_in_flight_ends_it() {
    let Some((receive, ours, mut theirs)) = receive() else {
        return;
    };
    drop(ours);
    drop(receive);
    assert_eq!(
        theirs.read(&mut [0; 8]).expect("no error"),
        0,
        "the file is free"
    );
}

#[test]
fn the_probe_is_told_of_setup_and_enters() {
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    let mut count = Count::new();
    let Ok(mut receive) = RingReceive::submit(&mut count, ours.as_fd(), 8) else {
        return;
    };
    receive.wait(&mut count, Duration::ZERO).expect("it works");
    assert_eq!(count.counts().call("io_uring_setup").calls, 1);
    assert_eq!(count.counts().call("io_uring_enter").calls, 2);
}
