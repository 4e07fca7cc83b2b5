//! Line 7 of the contract: indexes and stale tokens.
//!
//! That no index is used again before its `Closed` was taken is checked by the ledger in every case.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::rig::{Peer, Rig};
use super::run::{Run, pattern, pooled};
use super::seen::Seen;
use crate::buf::FileSlice;
use crate::driver::{Driver, Submit, Token};

/// Calls every method with `stale`. None may act, none may answer.
fn poke<D: Driver>(driver: &mut D, stale: Token, to: &crate::sys::Address) {
    let file = File::open("/dev/null").expect("a file");
    let slice = FileSlice::new(Arc::new(file), 0..10);
    driver.pause_recv(stale);
    driver.shutdown_write(stale);
    driver.ask_peer(stale);
    driver.read_file(stale, slice, Vec::with_capacity(16));
    assert_eq!(driver.unsent(stale), 0);
    let submit = driver.send(stale, pooled(b"to whom?"));
    assert!(matches!(submit, Submit::Failed(..)), "{submit:?}");
    let submit = driver.send_to(stale, to, pooled(b"to whom?"));
    assert!(matches!(submit, Submit::Failed(..)), "{submit:?}");
    driver.resume_recv(stale);
    driver.reset(stale);
    driver.close(stale);
}

pub(super) fn a_stale_token_is_ignored_by_every_method<R: Rig>() {
    let mut run = Run::<R>::new();
    let (stale, old) = run.client();
    run.close(stale);
    // Closed, and its `Closed` not taken yet.
    let to = run.address.clone();
    poke(run.driver(), stale, &to);
    run.until_closed(stale);
    drop(old);
    // Nobody has the index.
    poke(run.driver(), stale, &to);
    run.assert_silence();
    // A successor has it.
    let (token, mut peer) = run.client();
    assert_eq!(token.index, stale.index, "indexes are used again");
    assert_ne!(token.generation, stale.generation);
    poke(run.driver(), stale, &to);
    run.assert_silence();
    peer.write(&pattern(5000));
    run.until_received(token, 5000);
    run.send_all(token, pooled(b"well"));
    assert_eq!(run.hear(&mut peer, 4), b"well");
    poke(run.driver(), stale, &to);
    run.close(token);
    poke(run.driver(), stale, &to);
    run.until_closed(token);
}

pub(super) fn a_token_from_nowhere_is_ignored<R: Rig>() {
    let mut run = Run::<R>::new();
    let to = run.address.clone();
    for index in [0, 7, 1_000_000, u32::MAX] {
        let token = Token {
            index,
            generation: 3,
        };
        poke(run.driver(), token, &to);
    }
    run.assert_silence();
}

/// The successor's bytes must not be told under the old name, nor the old one's to the successor.
pub(super) fn churn_under_load_mixes_nobody_up<R: Rig>() {
    let mut run = Run::<R>::new();
    for round in 0..40_u8 {
        let mut peers = Vec::new();
        for number in 0..8_u8 {
            let mut peer = run.rig.connect(&run.address.clone()).expect("connect");
            peer.write(&[round, number].repeat(50));
            peers.push(peer);
        }
        let mut closed = 0;
        run.play("Closed for all", |run| {
            run.turn_with(Duration::from_millis(5), |hands, seen| match seen {
                Seen::Received(token, bytes) => {
                    assert_eq!(bytes[0], round, "bytes of an earlier connection");
                    hands.close(*token);
                    hands.close(*token);
                }
                Seen::Closed(..) => closed += 1,
                _ => {}
            });
            (closed == 8).then_some(())
        });
        run.seen.clear();
    }
    run.assert_silence();
}
