//! Bodies that stream, in both directions, on the in-memory driver: every seed and cut gives the bytes of the calm run,
//! and nothing is left of what ended early.
//!
//! ```text
//!   seed ──▶ cuts, order, delays, who pauses ──▶ Stage ──▶ bytes, as in the calm run
//!                                                  └─────▶ sources dropped once, account empty, nobody left
//! ```

mod ends;
mod same;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::buf::{Budget, Ceiling};
use crate::driver::sim::{Plan, Shape, Sim, SimNet, SimPeer, SimRead};
use crate::driver::{Config, Driver};
use crate::http::{Head, Status};
use crate::limits::Limits;
use crate::reactor::Reactor;
use crate::server::web::{Journal, Topics, Web};
use crate::server::{
    Body, Files, Handler, Incoming, Produced, Replied, Reply, Request, Source, Wake,
};
use crate::sys::{Address, Family};

/// More turns in a row without any bytes than anything here takes.
const TURNS_MAX: usize = 5000;
/// Behind so many it may be a clock that is waited for.
const TURNS_QUICK: usize = 1000;

/// A few files, gone when the last test ends that holds them.
struct Site {
    path: PathBuf,
    files: Files,
}

impl Site {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("longshore-streams-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        for bytes in [0, 1, 8192, 8193, 300_000] {
            fs::write(path.join(bytes.to_string()), patterned(0, bytes)).unwrap();
        }
        let files = Files::open(&path).unwrap();
        Self { path, files }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Bytes whose period no buffer shares.
fn patterned(from: usize, to: usize) -> Vec<u8> {
    (from..to).map(|at| b'a' + (at % 23) as u8).collect()
}

/// What the test knows of the handler's doings.
#[derive(Default)]
struct Ledger {
    made: Cell<u32>,
    dropped: Cell<u32>,
    pauses: Cell<u32>,
    /// Whom to wake, later.
    wakes: RefCell<Vec<Wake>>,
    chance: Cell<u64>,
}

impl Ledger {
    /// Whether something happens that happens half of the time.
    fn flip(&self) -> bool {
        let state = self.chance.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.chance.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed >> 63 == 0
    }
}

/// `end` bytes of the pattern, up to 997 at a time.
struct Numbers {
    at: usize,
    end: usize,
    /// Has nothing at every so manieth call.
    rests: usize,
    calls: usize,
    ending: Produced,
    trailers: Vec<(String, Vec<u8>)>,
    wake: Wake,
    ledger: Rc<Ledger>,
}

impl Source for Numbers {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        assert!(self.calls < usize::MAX, "nobody asks behind the end");
        self.calls += 1;
        if self.calls.is_multiple_of(self.rests) {
            self.ledger.wakes.borrow_mut().push(self.wake.clone());
            return Produced::Later;
        }
        let next = (self.at + 997).min(self.end);
        out.extend(patterned(self.at, next));
        self.at = next;
        if next < self.end {
            return Produced::More;
        }
        self.calls = usize::MAX;
        self.ending
    }

    fn trailers(&mut self) -> Vec<(String, Vec<u8>)> {
        assert_eq!(self.calls, usize::MAX, "asked for behind the end");
        std::mem::take(&mut self.trailers)
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.ledger.dropped.set(self.ledger.dropped.get() + 1);
    }
}

struct Streams {
    ledger: Rc<Ledger>,
    files: Files,
}

/// What came of a body.
#[derive(Default)]
struct Taken {
    bytes: usize,
    sum: u64,
}

impl Streams {
    fn numbers(&self, request: &Request<'_>, reply: &Reply<'_>) -> Numbers {
        self.ledger.made.set(self.ledger.made.get() + 1);
        let query = std::str::from_utf8(request.query().unwrap_or(b"0")).unwrap();
        Numbers {
            at: 0,
            end: query.parse().unwrap(),
            rests: usize::MAX,
            calls: 0,
            ending: Produced::End,
            trailers: Vec::new(),
            wake: reply.wake(),
            ledger: self.ledger.clone(),
        }
    }
}

impl Handler for Streams {
    type Connection = Taken;

    fn head(&mut self, _: &Head<'_>, _: &mut Taken) -> Body {
        Body::Stream
    }

    fn body(&mut self, piece: &mut [u8], incoming: &mut Incoming<'_>, taken: &mut Taken) {
        for byte in piece.iter() {
            taken.bytes += 1;
            taken.sum = taken.sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
        if self.ledger.flip() {
            self.ledger.pauses.set(self.ledger.pauses.get() + 1);
            let wake = incoming.pause();
            self.ledger.wakes.borrow_mut().push(wake);
        }
        if piece.contains(&b'!') {
            incoming.refuse(Status::FORBIDDEN);
        }
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, taken: &mut Taken) -> Replied {
        let taken = std::mem::take(taken);
        let mut source = match request.path() {
            b"/in" => return reply.text(&format!("{} {:x}", taken.bytes, taken.sum)),
            b"/channel" => {
                let (replied, body) = reply.status(Status::OK).channel();
                for piece in ["one, ", "two, ", "three"] {
                    body.send(piece).unwrap();
                }
                body.finish_with(vec![("Digest".to_owned(), b"x".to_vec())]);
                return replied;
            }
            path if path.starts_with(b"/files/") => {
                return self.files.reply(&request, &path[6..], reply);
            }
            _ => self.numbers(&request, &reply),
        };
        match request.path() {
            b"/rests" => source.rests = 3,
            b"/fails" => source.ending = Produced::Failed,
            b"/trailers" => source.trailers = vec![("Digest".to_owned(), b"abc".to_vec())],
            _ => {}
        }
        let length = source.end as u64;
        let fields = reply.status(Status::OK);
        match request.path() {
            b"/sized" => fields.length(length).stream(source),
            b"/too-few" => fields.length(length + 1).stream(source),
            _ => fields.stream(source),
        }
    }
}

/// A reactor that a test turns by hand, with everything that has to be in order at the end.
struct Stage {
    reactor: Reactor<Sim, Web<Streams>>,
    net: SimNet,
    address: Address,
    ledger: Rc<Ledger>,
    /// A second account under the same ceiling.
    witness: Budget,
    bytes_max: usize,
    /// Wakes come every so many turns.
    lazy: usize,
    turns: usize,
}

impl Stage {
    /// Seed 0 is a calm kernel.
    fn new(seed: u64, site: &Site, limits: Limits) -> Self {
        let shape = if seed.is_multiple_of(2) {
            Shape::Readiness
        } else {
            Shape::Completion
        };
        let plan = if seed == 0 {
            Plan::calm(shape)
        } else {
            Plan::seeded(seed, shape)
        };
        let driver = Sim::open(&Config::default(), plan).unwrap();
        let net = driver.net();
        let listener = net.listener(Family::Inet, 16);
        let address = listener.address.clone();
        let ledger = Rc::new(Ledger::default());
        ledger.chance.set(seed);
        let handler = Streams {
            ledger: ledger.clone(),
            files: site.files.clone(),
        };
        let bytes_max = limits.memory_bytes_max;
        let ceiling = Ceiling::new(bytes_max);
        let budget = Budget::new(ceiling.clone());
        let mut reactor = Reactor::new(driver, Arc::new(limits), budget, |post| {
            Web::new(
                handler,
                post,
                Journal::default(),
                None,
                Topics::alone(),
                Ceiling::new(0),
            )
        });
        reactor.listen(listener).unwrap();
        Self {
            reactor,
            net,
            address,
            ledger,
            witness: Budget::new(ceiling),
            bytes_max,
            lazy: 1 + (seed % 5) as usize,
            turns: 0,
        }
    }

    fn connect(&self) -> SimPeer {
        self.net.connect(&self.address).unwrap()
    }

    fn turn(&mut self) {
        self.reactor.poll_once(Some(Duration::ZERO)).unwrap();
        self.turns += 1;
        if self.turns.is_multiple_of(self.lazy) {
            for wake in self.ledger.wakes.take() {
                wake.wake();
            }
        }
    }

    /// A turn behind `idle` others that brought nothing.
    fn patient_turn(&mut self, idle: usize) {
        if idle > TURNS_QUICK {
            thread::sleep(Duration::from_millis(1));
        }
        self.turn();
    }

    /// Turns until the server has said everything. Gives what it said; a reset counts as the end.
    fn rest(&mut self, peer: &SimPeer) -> Vec<u8> {
        let (mut received, mut idle) = (Vec::new(), 0);
        while idle < TURNS_MAX {
            match peer.read(usize::MAX) {
                SimRead::Bytes(bytes) => {
                    received.extend(bytes);
                    idle = 0;
                }
                SimRead::Nothing => {
                    self.patient_turn(idle);
                    idle += 1;
                }
                SimRead::End | SimRead::Reset => return received,
            }
        }
        panic!("no end behind {} bytes", received.len());
    }

    /// Nobody is left, nothing is held, and each source was dropped once.
    fn is_empty(&mut self, what: &str) {
        for idle in 0..TURNS_MAX {
            if self.reactor.live() == 0 {
                break;
            }
            self.patient_turn(idle);
        }
        assert_eq!(self.reactor.live(), 0, "{what}: nobody is left");
        let ledger = &self.ledger;
        assert_eq!(ledger.made.get(), ledger.dropped.get(), "{what}: sources");
        assert!(self.witness.has_room(self.bytes_max), "{what}: the account");
    }
}

/// Dates and boundaries differ between two runs of the same.
fn masked(reply: &[u8]) -> String {
    let mut text = super::application::masked(reply);
    while let Some(at) = text.find("boundary=") {
        let boundary = text[at + 9..at + 41].to_owned();
        text = text.replacen("boundary=", "b=", 1).replace(&boundary, "-");
    }
    text
}
