//! The cases of `tests/rfc` on the in-memory driver: whole, byte by byte, and cut in two at every byte.
//!
//! ```text
//!   case ──┬─ whole ───────────┐            every piece is lent by itself, so that a cut
//!          ├─ byte by byte ────┼──▶ Sim ──▶ stands where it was made
//!          └─ front │ back ────┘
//! ```
//!
//! All ways to send a case run side by side on one reactor. Replies must be what the case says, and the same bytes for
//! every cut. The routes are those of the cases; the program's own are tested from outside.

#[path = "../../../tests/rfc/cases.rs"]
mod cases;
#[path = "../../../tests/rfc/judge.rs"]
mod judge;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::cases::{Case, Fate, Step};
use super::application::masked;
use crate::buf::{Budget, Ceiling};
use crate::driver::sim::{Plan, Shape, Sim, SimNet, SimPeer, SimRead};
use crate::driver::{Config, Driver};
use crate::http::{Head, Method, Status};
use crate::limits::Limits;
use crate::reactor::Reactor;
use crate::server::web::{Journal, Topics, Web};
use crate::server::{
    Body, Handler, Incoming, Message, Origins, Replied, Reply, Request, Socket, Upgrade,
};
use crate::sys::{Address, Family};

/// Requests up to this size are cut at every byte, longer ones here and there.
const EVERY_CUT_BYTES: usize = 600;

/// So many turns without a reply mean that none is on its way.
const QUIET_TURNS: usize = 3;

/// The paths that the cases name.
struct Routes;

/// What a path answers to.
fn allow(path: &[u8]) -> Option<&'static str> {
    Some(match path {
        b"/" | b"/plaintext" | b"/ws" => "GET, HEAD, OPTIONS",
        b"/baseline11" => "GET, HEAD, POST, OPTIONS",
        b"/echo" => "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS",
        b"/upload" => "POST, OPTIONS",
        _ => return None,
    })
}

fn allows(allow: &str, method: Method<'_>) -> bool {
    let method = method.to_string();
    allow.split(", ").any(|one| one == method)
}

impl Handler for Routes {
    type Connection = usize;

    fn head(&mut self, head: &Head<'_>, uploaded: &mut usize) -> Body {
        *uploaded = 0;
        match (head.target.path(), allow(head.target.path())) {
            (b"/upload", _) if head.method == Method::Post => Body::Stream,
            (_, Some(list)) if allows(list, head.method) => Body::Collect,
            _ => Body::Ignore,
        }
    }

    fn body(&mut self, piece: &mut [u8], _: &mut Incoming<'_>, uploaded: &mut usize) {
        *uploaded += piece.len();
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, uploaded: &mut usize) -> Replied {
        let (method, path) = (request.method(), request.path());
        let everything = method == Method::Options && path == b"*";
        let list = if everything || matches!(method, Method::Trace | Method::Connect) {
            Some("GET, HEAD, OPTIONS")
        } else {
            allow(path)
        };
        match (method, list) {
            (Method::Unknown(_), _) => reply.error(Status::NOT_IMPLEMENTED, "Unknown."),
            (_, None) => reply.error(Status::NOT_FOUND, "Nothing."),
            (Method::Put, _) if request.head().fields.find("content-range").is_some() => {
                reply.error(Status::BAD_REQUEST, "No parts.")
            }
            (Method::Options, Some(list)) if path == b"/echo" => {
                with_allow(reply, Status::OK, list)
            }
            (Method::Options, Some(list)) => with_allow(reply, Status::NO_CONTENT, list),
            (_, Some(list)) if !allows(list, method) => {
                with_allow(reply, Status::METHOD_NOT_ALLOWED, list)
            }
            _ => match (path, request.failed_precondition()) {
                (b"/ws", _) => reply
                    .upgrade(&request, &Upgrade::new().origins(Origins::Any))
                    .expect("no field is no wrong field"),
                (_, Some(status)) => reply.status(status).empty(),
                (b"/echo", _) => reply.ok("application/octet-stream", request.body()),
                (b"/upload", _) => reply.text(&std::mem::take(uploaded).to_string()),
                (b"/baseline11", _) => reply.text(&sum(&request).to_string()),
                _ => reply.text("Hello, World!"),
            },
        }
    }

    fn message(&mut self, _: Message<'_>, _: &mut Socket<'_, '_>, _: &mut usize) {}
}

fn with_allow(reply: Reply<'_>, status: Status, allow: &str) -> Replied {
    let reply = reply.status(status).field("Allow", allow);
    reply.expect("a constant").empty()
}

/// The numbers of the query and of the content.
fn sum(request: &Request<'_>) -> u64 {
    let query = String::from_utf8_lossy(request.query().unwrap_or_default()).into_owned();
    let content = String::from_utf8_lossy(request.body()).into_owned();
    let terms = query.split('&').filter_map(|pair| pair.split_once('='));
    let terms = terms.map(|(_, number)| number).chain([&content[..]]);
    terms.filter_map(|number| number.parse::<u64>().ok()).sum()
}

/// One reactor on the in-memory driver, and those who talk to it.
struct Stage {
    reactor: Reactor<Sim, Web<Routes>>,
    net: SimNet,
    address: Address,
}

/// One way to send a case.
struct Talk<'c> {
    how: String,
    peer: SimPeer,
    /// What is still to be done, the next one last.
    actions: Vec<Action<'c>>,
    received: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Action<'c> {
    Write(&'c [u8]),
    End,
    Nothing,
}

impl Stage {
    fn new() -> Self {
        let driver = Sim::open(&Config::default(), Plan::calm(Shape::Readiness)).expect("memory");
        let net = driver.net();
        let listener = net.listener(Family::Inet, 16);
        let address = listener.address.clone();
        let limits = Limits::default();
        let budget = Budget::new(Ceiling::new(limits.memory_bytes_max));
        let mut reactor = Reactor::new(driver, Arc::new(limits), budget, |post| {
            Web::new(
                Routes,
                post,
                Journal::default(),
                None,
                Topics::alone(),
                Ceiling::new(0),
            )
        });
        reactor.listen(listener).expect("listens");
        Self {
            reactor,
            net,
            address,
        }
    }

    /// Begins to send `case`, with its bytes cut behind each of `cuts`, which count over all that is sent.
    fn begin<'c>(&self, case: &'c Case, how: String, cuts: &[usize]) -> Talk<'c> {
        let mut actions = Vec::new();
        let mut before = 0;
        for step in &case.steps {
            match step {
                Step::Send(bytes) => {
                    let mut from = 0;
                    for cut in cuts.iter().filter_map(|cut| cut.checked_sub(before)) {
                        if cut > from && cut < bytes.len() {
                            actions.push(Action::Write(&bytes[from..cut]));
                            from = cut;
                        }
                    }
                    actions.push(Action::Write(&bytes[from..]));
                    before += bytes.len();
                }
                Step::HalfClose => actions.push(Action::End),
                Step::Wait(_) | Step::Pause => actions.push(Action::Nothing),
            }
        }
        if case.here.fate == Fate::Open {
            actions.push(Action::Write(judge::LAST.as_bytes()));
        }
        actions.reverse();
        let peer = self.net.connect(&self.address).expect("it listens");
        Talk {
            how,
            peer,
            actions,
            received: Vec::new(),
        }
    }

    /// Does what is to be done, one action of each talk after the other.
    fn play(&mut self, talks: &mut [Talk<'_>]) {
        self.settle(talks);
        while talks.iter().any(|talk| !talk.actions.is_empty()) {
            for talk in talks.iter_mut() {
                match talk.actions.pop() {
                    Some(Action::Write(bytes)) => talk.peer.write(bytes),
                    Some(Action::End) => talk.peer.end(),
                    Some(Action::Nothing) | None => {}
                }
            }
            self.settle(talks);
        }
    }

    /// Turns until nothing comes any more.
    fn settle(&mut self, talks: &mut [Talk<'_>]) {
        let mut quiet = 0;
        while quiet < QUIET_TURNS {
            self.reactor
                .poll_once(Some(Duration::ZERO))
                .expect("a turn");
            quiet += 1;
            for talk in talks.iter_mut() {
                let more = talk.peer.read_all();
                if !more.is_empty() {
                    quiet = 0;
                    talk.received.extend(more);
                }
            }
        }
    }
}

/// Where a case is cut in two.
fn cuts(case: &Case) -> Vec<usize> {
    let len = case.steps.iter().map(|step| match step {
        Step::Send(bytes) => bytes.len(),
        _ => 0,
    });
    let len: usize = len.sum();
    let all = 1..len;
    let sampled = |at: &usize| {
        let in_head = *at < 160 && at.is_multiple_of(7);
        in_head || len - at < 10 || at.is_multiple_of(1 + len / 20)
    };
    if case.uncut {
        Vec::new()
    } else if len <= EVERY_CUT_BYTES {
        all.collect()
    } else {
        all.filter(sampled).collect()
    }
}

/// Plays a case in every way, and says what was wrong first.
fn failure(case: &Case) -> Option<String> {
    let mut stage = Stage::new();
    let cuts = cuts(case);
    let mut talks = vec![stage.begin(case, "whole".to_owned(), &[])];
    if !case.uncut && cuts.len() < EVERY_CUT_BYTES {
        talks.push(stage.begin(case, "in many pieces".to_owned(), &cuts));
    }
    for cut in &cuts {
        talks.push(stage.begin(case, format!("cut at {cut}"), &[*cut]));
    }
    stage.play(&mut talks);
    let whole = masked(&talks[0].received);
    talks.iter().find_map(|talk| {
        let ended = talk.peer.read(1) == SimRead::End;
        let mut verdict = judge::judge(case, &talk.received, ended);
        if verdict.is_ok() && masked(&talk.received) != whole {
            verdict = Err("not the bytes that the whole gets".to_owned());
        }
        let how = format!("in memory, {}", talk.how);
        let error = verdict.err()?;
        Some(judge::report(case, &how, &error, &talk.received))
    })
}

#[test]
fn every_cut_of_every_case_gives_what_the_case_says() {
    let cases = cases::all("localhost");
    let half = cases.len().div_ceil(2);
    let failures: Vec<String> = thread::scope(|scope| {
        let halves: Vec<_> = cases
            .chunks(half)
            .map(|part| scope.spawn(|| part.iter().filter_map(failure).collect::<Vec<_>>()))
            .collect();
        let joined = halves
            .into_iter()
            .map(|part| part.join().expect("no panic"));
        joined.flatten().collect()
    });
    assert!(
        failures.is_empty(),
        "{} of {} cases fail:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}
