//! Taking turns: the driver on one side, the peers on the other, in one thread.

use std::time::{Duration, Instant};

use super::rig::{Heard, Peer, Rig};
use super::seen::{Hands, Ledger, Seen};
use crate::buf::{Part, SendBuf};
use crate::driver::{Config, Driver, ListenerId, Submit, Token};
use crate::sys::{Address, Family};

/// How long one wait may last while a case has something else to do in between.
const TURN: Duration = Duration::from_millis(4);
/// How long a case waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// More events in one turn than any case can cause: the driver spins.
const EVENTS_MAX: usize = 200_000;

/// Small figures, so that their limits are reached.
pub(super) fn config() -> Config {
    Config {
        connections_max: 256,
        accepts_per_turn: 64,
        receive_bytes: 16 * 1024,
        ring_buffers: 64,
        ring_shares_buffers: true,
        ring_entries: 64,
        ring_completions: 256,
    }
}

/// A rig, a listener, and what was seen so far.
pub(super) struct Run<R: Rig> {
    pub(super) rig: R,
    pub(super) seen: Vec<Seen>,
    pub(super) ledger: Ledger,
    pub(super) listener: ListenerId,
    pub(super) address: Address,
}

impl<R: Rig> Run<R> {
    pub(super) fn new() -> Self {
        Self::with(&config())
    }

    pub(super) fn with(config: &Config) -> Self {
        Self::on(config, Family::Inet, 64)
    }

    /// A run with a listener.
    pub(super) fn on(config: &Config, family: Family, backlog: u32) -> Self {
        let mut rig = R::open(config);
        let listener = rig.listener(family, backlog);
        let address = listener.address.clone();
        let listener = rig.driver().listen(listener).expect("listen");
        Self {
            rig,
            seen: Vec::new(),
            ledger: Ledger::default(),
            listener,
            address,
        }
    }

    pub(super) fn driver(&mut self) -> &mut R::Driver {
        self.rig.driver()
    }

    pub(super) fn hands(&mut self) -> Hands<'_, R::Driver> {
        Hands {
            driver: self.rig.driver(),
            ledger: &mut self.ledger,
        }
    }

    pub(super) fn close(&mut self, token: Token) {
        self.hands().close(token);
    }

    pub(super) fn reset(&mut self, token: Token) {
        self.hands().reset(token);
    }

    pub(super) fn send(&mut self, token: Token, buf: SendBuf) -> Submit {
        self.hands().send(token, buf)
    }

    /// One turn.
    pub(super) fn turn(&mut self) -> usize {
        self.turn_with(TURN, |_, _| {})
    }

    /// One turn that waits at most `timeout`, with something to do after each event.
    pub(super) fn turn_with(
        &mut self,
        timeout: Duration,
        mut act: impl FnMut(&mut Hands<'_, R::Driver>, &Seen),
    ) -> usize {
        let driver = self.rig.driver();
        driver.wait(Some(timeout)).expect("wait");
        let mut count = 0;
        while let Some(event) = driver.next_event() {
            let seen = Seen::of(event);
            self.ledger.note(&seen);
            let mut hands = Hands {
                driver,
                ledger: &mut self.ledger,
            };
            act(&mut hands, &seen);
            self.seen.push(seen);
            count += 1;
            assert!(count < EVENTS_MAX, "one turn without an end");
        }
        count
    }

    /// Takes turns until `done` holds.
    pub(super) fn until(&mut self, what: &str, mut done: impl FnMut(&[Seen]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.seen) {
            assert!(
                Instant::now() < deadline,
                "{what} did not come; seen: {:?}",
                self.tail()
            );
            self.turn();
        }
    }

    /// Repeats a step, which takes the turns that it needs, until it is done.
    pub(super) fn play<T>(
        &mut self,
        what: &str,
        mut step: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(done) = step(self) {
                return done;
            }
            assert!(
                Instant::now() < deadline,
                "{what} did not come; seen: {:?}",
                self.tail()
            );
        }
    }

    /// A turn that hardly waits: the other side has something to do.
    pub(super) fn pass<T>(&mut self) -> Option<T> {
        self.turn_with(Duration::from_millis(1), |_, _| {});
        None
    }

    fn tail(&self) -> &[Seen] {
        &self.seen[self.seen.len().saturating_sub(8)..]
    }

    /// Takes turns until several in a row had nothing to say. A turn that ends early has done something.
    pub(super) fn settle(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut empty = 0;
        while empty < 4 {
            let begun = Instant::now();
            let count = self.turn();
            let slept = !R::SLEEPS || begun.elapsed() >= TURN;
            empty = if count == 0 && slept { empty + 1 } else { 0 };
            assert!(begun < deadline, "it never rests; seen: {:?}", self.tail());
        }
    }

    /// Asserts that nothing happens any more, and that waiting for it costs no turns.
    pub(super) fn assert_silence(&mut self) {
        self.settle();
        let (waits, timeout) = (4, Duration::from_millis(10));
        let begun = Instant::now();
        for _ in 0..waits {
            let count = self.turn_with(timeout, |_, _| {});
            assert_eq!(count, 0, "nothing was to come, but: {:?}", self.tail());
        }
        if R::SLEEPS {
            let slept = begun.elapsed();
            assert!(
                slept >= timeout * (waits - 1),
                "{waits} waits of {timeout:?} took only {slept:?}: the driver spins"
            );
        }
    }

    /// Connects a client and accepts it.
    pub(super) fn client(&mut self) -> (Token, R::Peer) {
        let peer = self.rig.connect(&self.address.clone()).expect("connect");
        let before = self.accepted().len();
        self.until("Accepted", |seen| accepted(seen).len() > before);
        let token = *self.accepted().last().expect("accepted right above");
        (token, peer)
    }

    /// The connections accepted so far.
    pub(super) fn accepted(&self) -> Vec<Token> {
        accepted(&self.seen)
    }

    /// Everything received on a connection so far.
    pub(super) fn received(&self, token: Token) -> Vec<u8> {
        received(&self.seen, token)
    }

    /// Takes turns until `count` bytes were received.
    pub(super) fn until_received(&mut self, token: Token, count: usize) -> Vec<u8> {
        self.until("Received", |seen| received(seen, token).len() >= count);
        self.received(token)
    }

    /// Takes turns until the socket is closed; answers the buffer that came back.
    pub(super) fn until_closed(&mut self, token: Token) -> Option<SendBuf> {
        self.until("Closed", |seen| closed(seen, token));
        let place = self
            .seen
            .iter()
            .position(|seen| matches!(seen, Seen::Closed(of, _) if *of == token));
        match self.seen.remove(place.expect("it was seen")) {
            Seen::Closed(_, unsent) => unsent,
            _ => None,
        }
    }

    /// Sends `buf` and takes turns until it is gone; answers the buffer.
    pub(super) fn send_all(&mut self, token: Token, buf: SendBuf) -> SendBuf {
        match self.send(token, buf) {
            Submit::Done(buf) => buf,
            Submit::InFlight => self.until_sent(token).expect("sent"),
            Submit::Failed(_, error) => panic!("send: {error}"),
        }
    }

    /// Takes turns until the send in flight is over.
    pub(super) fn until_sent(&mut self, token: Token) -> std::io::Result<SendBuf> {
        let is_sent = |seen: &Seen| matches!(seen, Seen::Sent(of, ..) if *of == token);
        self.until("Sent", |seen| seen.iter().any(is_sent));
        let place = self.seen.iter().position(is_sent);
        match self.seen.remove(place.expect("it was seen")) {
            Seen::Sent(_, buf, result) => result.map(|()| buf),
            _ => unreachable!("it was a Sent"),
        }
    }

    /// Lets a peer write everything while the driver turns.
    pub(super) fn peer_writes(&mut self, peer: &mut R::Peer, mut bytes: &[u8]) {
        self.play("room to write", |run| {
            let count = peer.write(bytes);
            bytes = &bytes[count..];
            if bytes.is_empty() {
                return Some(());
            }
            run.pass()
        });
    }

    /// Lets a peer read `count` bytes while the driver turns.
    pub(super) fn hear(&mut self, peer: &mut R::Peer, count: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        self.play("bytes for the peer", |run| {
            while heard.len() < count {
                match peer.read(count - heard.len()) {
                    Heard::Bytes(bytes) => heard.extend_from_slice(&bytes),
                    Heard::Nothing => return run.pass(),
                    other => panic!("{other:?} after {} of {count} bytes", heard.len()),
                }
            }
            Some(())
        });
        heard
    }

    /// Lets a peer read until the end.
    pub(super) fn hear_all(&mut self, peer: &mut R::Peer) -> (Vec<u8>, Heard) {
        let mut heard = Vec::new();
        let end = self.play("the end", |run| {
            loop {
                match peer.read(64 * 1024) {
                    Heard::Bytes(bytes) => heard.extend_from_slice(&bytes),
                    Heard::Nothing => return run.pass(),
                    other => return Some(other),
                }
            }
        });
        (heard, end)
    }
}

pub(super) fn accepted(seen: &[Seen]) -> Vec<Token> {
    let tokens = seen.iter().filter_map(|seen| match seen {
        Seen::Accepted(token, _) => Some(*token),
        _ => None,
    });
    tokens.collect()
}

pub(super) fn received(seen: &[Seen], token: Token) -> Vec<u8> {
    let mut all = Vec::new();
    for seen in seen {
        if let Seen::Received(of, bytes) = seen
            && *of == token
        {
            all.extend_from_slice(bytes);
        }
    }
    all
}

pub(super) fn ended(seen: &[Seen], token: Token) -> bool {
    seen.iter()
        .any(|seen| matches!(seen, Seen::Ended(of) if *of == token))
}

pub(super) fn closed(seen: &[Seen], token: Token) -> bool {
    seen.iter()
        .any(|seen| matches!(seen, Seen::Closed(of, _) if *of == token))
}

pub(super) fn failed(seen: &[Seen], token: Token) -> usize {
    let failures = seen.iter();
    failures
        .filter(|seen| matches!(seen, Seen::Failed(of, ..) if *of == token))
        .count()
}

/// A private buffer to send.
pub(super) fn pooled(bytes: &[u8]) -> SendBuf {
    SendBuf::new(Part::Pooled(bytes.to_vec()))
}

/// Bytes in which every place looks different from its surroundings.
pub(super) fn pattern(count: usize) -> Vec<u8> {
    (0..count)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}
