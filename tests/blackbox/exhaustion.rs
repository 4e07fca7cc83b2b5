//! More clients than descriptors: those who are in are served, the others wait, nobody is turned away, and the server
//! does not spin.
//!
//! ```text
//!   200 clients ──▶ listener's queue ──▶ as many as there is room for ──▶ leave ──▶ the next ones
//! ```

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::peer::Peer;
use crate::server::{PROGRAM, Server, ended, eventually, may_open, on_each_backend, rest_of};

const CLIENTS: usize = 200;
/// Descriptors of this process, for the clients of three servers and what other tests need.
const NEEDED: u64 = 3 * CLIENTS as u64 + 2000;
const REQUEST: &str = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server that may open only `descriptors` files.
fn with_descriptors(backend: &str, descriptors: u32, args: &[&str]) -> Server {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors}; exec \"$@\"");
    command.args([
        "-c",
        &script,
        "sh",
        PROGRAM,
        "serve",
        "--count-calls",
        "--backend",
        backend,
    ]);
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    Server::spawn(command, backend, 1)
}

/// 200 clients, all of whom ask at once; the test then looks at who is served.
fn crowd(server: &Server) -> Vec<Peer> {
    let mut peers: Vec<Peer> = (0..CLIENTS).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.send(REQUEST);
    }
    peers
}

/// Takes out those who have their reply.
fn served(waiting: &mut Vec<Peer>) -> Vec<Peer> {
    let (mut served, rest): (Vec<Peer>, Vec<Peer>) = waiting.drain(..).partition(Peer::has_news);
    *waiting = rest;
    for peer in &mut served {
        // An end of the connection would fail here: nobody is closed for lack of room.
        assert_eq!(peer.reply().text(), "Hello, World!");
    }
    served
}

/// What every full server has to do. `room` is how many it serves at once.
fn is_fair(server: &Server, room: std::ops::RangeInclusive<usize>) {
    let backend = &server.backend;
    let mut waiting = crowd(server);
    let mut inside = Vec::new();
    eventually("it is full", || {
        inside.extend(served(&mut waiting));
        inside.len() >= *room.start()
    });

    let before = server.cpu();
    thread::sleep(Duration::from_secs(5));
    let used = server.cpu().saturating_sub(before);
    assert!(
        used < Duration::from_millis(250),
        "{backend}: {used:?} of 5 s, with nothing to do"
    );
    inside.extend(served(&mut waiting));
    assert!(
        room.contains(&inside.len()),
        "{backend}: {} of {room:?} inside",
        inside.len()
    );
    for _ in 0..3 {
        for peer in &mut inside {
            assert_eq!(
                peer.fetch("/pipeline").text(),
                "ok",
                "{backend}: who is in stays in"
            );
        }
    }
    // One goes, one comes.
    inside.pop();
    eventually("the next one is served", || {
        let next = served(&mut waiting);
        let came = !next.is_empty();
        inside.extend(next);
        came
    });
    // The others leave in different ways, and all who wait get their turn.
    let mut count = 0;
    eventually("everybody is served", || {
        for peer in inside.drain(..) {
            count += 1;
            if count % 3 == 0 {
                peer.reset();
            }
        }
        inside.extend(served(&mut waiting));
        waiting.is_empty()
    });
    drop(inside);
    assert_eq!(
        server.connect().fetch("/pipeline").text(),
        "ok",
        "{backend}: as good as new"
    );
}

#[test]
fn few_descriptors_make_clients_wait() {
    if !may_open(NEEDED) {
        return;
    }
    on_each_backend(|backend| {
        let server = with_descriptors(backend, 64, &["--workers", "1"]);
        is_fair(&server, 20..=64);
        assert_eq!(server.stop().connections, CLIENTS as u64 + 1, "{backend}");
    });
}

#[test]
fn workers_that_share_few_descriptors_make_clients_wait() {
    if !may_open(NEEDED) {
        return;
    }
    // Four tables of 32 places each, and 64 descriptors for all of them: accept4(2) itself fails with EMFILE. The
    // direct descriptors of a ring do not count, so there each table is full at its own limit.
    on_each_backend(|backend| {
        let server = with_descriptors(backend, 64, &["--workers", "4"]);
        is_fair(&server, 20..=128);
        assert_eq!(server.stop().connections, CLIENTS as u64 + 1, "{backend}");
    });
}

#[test]
fn a_limit_of_connections_makes_clients_wait() {
    if !may_open(NEEDED) {
        return;
    }
    on_each_backend(|backend| {
        let args = ["--workers", "1", "--connections-max", "8"];
        let server = Server::start(backend, &args[2..]);
        is_fair(&server, 8..=8);
        assert_eq!(server.stop().connections, CLIENTS as u64 + 1, "{backend}");
    });
}

#[test]
fn it_listens_when_every_worker_has_its_descriptors() {
    on_each_backend(|backend| {
        let workers = 16;
        let args = ["--workers", &workers.to_string()];
        let server = with_descriptors(backend, 1024, &args);
        // Three standard streams; a listener, a driver and a waker for each worker.
        let at_first = server.descriptors();
        assert!(at_first >= 3 + 3 * workers, "{backend}: {at_first}");
        for _ in 0..64 {
            assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        }
        let back = || server.descriptors() == at_first;
        eventually("all connections are closed", back);
        server.stop();
    });
}

#[test]
fn who_cannot_have_all_workers_ends_and_does_not_say_that_it_listens() {
    on_each_backend(|backend| {
        // Enough to bind, but not for what the workers open: those who come first take all descriptors, and have to stop
        // with none left.
        for descriptors in 21..30 {
            let script = format!("ulimit -n {descriptors}; exec \"$@\"");
            let mut command = Command::new("sh");
            command.args(["-c", &script, "sh", PROGRAM, "serve", "--backend", backend]);
            command.args(["--workers", "16", "--listen", "127.0.0.1:0"]);
            let streams = command.stdin(Stdio::null()).stdout(Stdio::piped());
            let mut process = streams.stderr(Stdio::piped()).spawn().expect("a shell");
            let code = ended(&mut process).code();
            let error = rest_of(process.stderr.take().expect("piped"));
            assert_eq!(code, Some(1), "{backend}: {error}");
            let printed = rest_of(process.stdout.take().expect("piped"));
            assert_eq!(printed, "", "{backend}");
            let advice = error.contains("Too many open files");
            assert!(advice && error.lines().count() == 1, "{backend}: {error}");
        }
    });
}
