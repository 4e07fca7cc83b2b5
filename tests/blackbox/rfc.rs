//! RFC 9110 and RFC 9112 as a table, over real sockets: every case on every backend, whole and in pieces.
//!
//! ```text
//!   tests/rfc/http/*.cases ──▶ case ──┬─ whole ─────────────┬──▶ epoll ────┐
//!                                     ├─ byte by byte ──────┼──▶ io_uring ─┼──▶ judge: statuses, fields, fate
//!                                     └─ at sampled places ─┴──▶ mio ──────┘
//! ```
//!
//! Every cut at every byte is tried in memory (`src/server/tests/rfc.rs`); here the kernel cuts too. Many connections
//! run side by side, because some cases have to wait for a while to see that nothing comes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::server::with_servers;

#[path = "../rfc/cases.rs"]
mod cases;
#[path = "../rfc/judge.rs"]
mod judge;
#[path = "../rfc/tests.rs"]
mod tests;

use self::cases::{Case, Fate, Step};

/// Connections at a time, for each server.
const SIDE_BY_SIDE: usize = 12;
/// How long a connection must be silent to count as waiting.
const SILENCE: Duration = Duration::from_millis(150);
/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(40);
/// Longer requests are cut into pieces instead of bytes.
const BYTES_MAX: usize = 1500;

/// How a case is sent.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    Whole,
    Bytes,
    /// In three, at places that a seed chooses.
    Three(usize),
}

impl Pieces {
    fn of(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![bytes],
            Self::Bytes if bytes.len() > BYTES_MAX => bytes.chunks(1 + bytes.len() / 50).collect(),
            Self::Bytes => bytes.chunks(1).collect(),
            Self::Three(seed) => {
                let first = seed % (bytes.len() + 1);
                let (front, back) = bytes.split_at(first);
                let (middle, back) = back.split_at(seed / 7 % (back.len() + 1));
                vec![front, middle, back]
            }
        }
    }
}

/// One connection.
struct Talk<'c> {
    case: &'c Case,
    stream: TcpStream,
    received: Vec<u8>,
    ended: bool,
}

impl<'c> Talk<'c> {
    fn begin(case: &'c Case, address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_nodelay(true).expect("an open socket");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("an open socket");
        Self {
            case,
            stream,
            received: Vec::new(),
            ended: false,
        }
    }

    /// Sends, as far as the server wants to hear it.
    fn send(&mut self, bytes: &[u8], pieces: Pieces) {
        for (index, piece) in pieces.of(bytes).into_iter().enumerate() {
            if self.stream.write_all(piece).is_err() {
                return;
            }
            match pieces {
                Pieces::Whole => {}
                Pieces::Bytes if index % 8 > 0 => thread::yield_now(),
                Pieces::Bytes | Pieces::Three(_) => thread::sleep(Duration::from_micros(300)),
            }
        }
    }

    /// Receives once. True if nothing came in time.
    fn receive(&mut self, patience: Duration) -> Result<bool, String> {
        self.stream
            .set_read_timeout(Some(patience))
            .expect("an open socket");
        let mut buffer = vec![0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error.to_string()),
        }
        Ok(false)
    }

    /// Receives until `count` replies are complete or the connection ends.
    fn replies(&mut self, count: usize) -> Result<(), String> {
        while !self.ended {
            let (replies, _) = judge::replies(self.case, &self.received, false)?;
            if replies.len() >= count {
                return Ok(());
            }
            if self.receive(PATIENCE)? {
                return Err(format!("{} replies, and then nothing", replies.len()));
            }
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), String> {
        while !self.ended {
            if self.receive(PATIENCE)? {
                return Err("still open, and silent".to_owned());
            }
        }
        Ok(())
    }

    /// Plays the case and looks at what becomes of the connection.
    fn play(&mut self, pieces: Pieces) -> Result<(), String> {
        let mut awaited = 0;
        for step in &self.case.steps {
            match step {
                Step::Send(bytes) => self.send(bytes, pieces),
                Step::HalfClose => {
                    // Fails when the server has closed already.
                    let _ = self.stream.shutdown(Shutdown::Write);
                }
                Step::Pause => thread::sleep(Duration::from_millis(100)),
                Step::Wait(statuses) => {
                    awaited += 1;
                    self.replies(awaited)?;
                    let (replies, _) = judge::replies(self.case, &self.received, self.ended)?;
                    let last = replies.get(awaited - 1).map(|reply| reply.status);
                    if !last.is_some_and(|status| statuses.contains(status)) {
                        return Err(format!("{last:?} instead of {statuses:?}"));
                    }
                }
            }
        }
        let expected = self.case.here.replies.len();
        match self.case.here.fate {
            Fate::Open => {
                self.replies(expected)?;
                self.send(judge::LAST.as_bytes(), Pieces::Whole);
                self.rest()?;
            }
            Fate::Waiting => {
                self.replies(expected)?;
                while !self.ended && !self.receive(SILENCE)? {}
            }
            Fate::Upgraded => self.replies(expected)?,
            Fate::Closed | Fate::Either => self.rest()?,
        }
        judge::judge(self.case, &self.received, self.ended)
    }
}

/// Every case, in every way to send it.
fn ways(cases: &[Case]) -> Vec<(&Case, Pieces)> {
    let mut ways = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        ways.push((case, Pieces::Whole));
        if !case.uncut {
            ways.push((case, Pieces::Bytes));
            ways.push((case, Pieces::Three(1 + index * 31)));
            ways.push((case, Pieces::Three(60 + index * 17)));
        }
    }
    ways
}

#[test]
fn every_case_gives_what_it_says() {
    // Byte by byte takes its time on a busy machine.
    with_servers(&["--head-timeout", "300"], |server| {
        let cases = cases::all(&server.address().to_string());
        let ways = ways(&cases);
        let next = AtomicUsize::new(0);
        let failures = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(|| {
                    while let Some((case, pieces)) = ways.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        let mut talk = Talk::begin(case, server.address());
                        if let Err(error) = talk.play(*pieces) {
                            let how = format!("{}, {pieces:?}", server.backend);
                            let report = judge::report(case, &how, &error, &talk.received);
                            failures.lock().expect("no panic").push(report);
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().expect("no panic");
        assert!(
            failures.is_empty(),
            "{} of {} fail:\n{}",
            failures.len(),
            ways.len(),
            failures.join("\n")
        );
    });
}
