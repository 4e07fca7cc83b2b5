//! What is written: lines, JSON, the summary, the file for Perfetto, and what filters leave of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::ended::ended;
use crate::session::{Folder, PROGRAM, Server, ask, events, has_ring, program};

/// Serves the scripted session with the trace written to a file; what is in it.
fn traced(name: &str, before: &[&str], backend: &str) -> (Folder, String) {
    let folder = Folder::new(name);
    let path = folder.path("trace");
    let mut words = vec!["trace", "--output", &path];
    words.extend(before);
    let backend = ["--backend", backend];
    let server = Server::start(&[], &words, &backend, Stdio::inherit(), &folder);
    server.session();
    server.stop();
    let text = fs::read_to_string(&path).unwrap();
    (folder, text)
}

/// What stands behind time, thread and connection.
fn said(line: &str) -> &str {
    &line[41..]
}

#[test]
fn text_tells_calls_and_what_they_mean() {
    let (_folder, text) = traced("text", &[], "epoll");
    for line in text.lines() {
        let time: Vec<&str> = line[..15].split([':', '.']).collect();
        assert!(
            time.iter().all(|part| part.parse::<u32>().is_ok()),
            "{line}"
        );
    }
    let has = |wanted: &str| {
        assert!(
            text.lines().any(|line| line.contains(wanted)),
            "{wanted}\n{text}"
        );
    };
    has("── turn 1: epoll_wait gave 1 event ──");
    has("#1    recv(");
    has(r#""GET /plaintext HTTP/1.1\r\nHost: a"..., 65536, 0) = 36  <0."#);
    has("<< GET /plaintext");
    has(">> GET /plaintext → 200, 13 bytes");
    has(">> GET /nowhere → 404, ");
    has(">> GET /static/large.bin → 200, 100000 bytes");
    has("<< GET /ws, asks to upgrade");
    has(">> GET /ws → upgrade to WebSocket");
    has("<< text 5 bytes, masked, fin");
    has(">> text 5 bytes, fin");
    has("<< close 1000, masked, fin");
    has(">> close 1000, fin");
    has("<< breaks the rules: ");
    has(">> → 400, ");
    has(" = -1 EAGAIN (Resource temporarily unavailable)");
    has(" = -1 ECONNRESET (Connection reset by peer)");
    has("SHUT_WR");
    assert!(!text.contains('\x1b'), "a file gets no colours");
}

#[test]
fn text_of_a_ring_ties_submissions_to_completions() {
    if !has_ring() {
        return;
    }
    let (_folder, text) = traced("ring", &[], "io-uring");
    let has = |wanted: &str| {
        assert!(
            text.lines().any(|line| line.contains(wanted)),
            "{wanted}\n{text}"
        );
    };
    has("[sqe] accept(");
    has("into any free slot, multishot)");
    has("[cqe] accept = 0, more");
    has("[sqe] recv(slot 0, group 0, multishot)");
    has("[sqe] send(slot 0, \"HTTP/1.1 200 OK");
    has("[cqe] recv = 36, buffer 0");
    has("[lend] \"GET /plaintext HTTP/1.1");
    has("[sqe] getpeername(slot 0, getsockopt, SOL_SOCKET, SO_PEERNAME, 16)");
    has("[sqe] close(slot 0)");
    has("[sqe] read("); // the waker's, and a file's
    has(", answers only a failure)");
    has(">> GET /static/large.bin → 200, 100000 bytes");
    has(">> GET /ws → upgrade to WebSocket");
    has("<< text 5 bytes, masked, fin");
    has(">> close 1000, fin");
    has("io_uring_enter gave 1 completion ──");
    has("IORING_SETUP_DEFER_TASKRUN");
    let of_first: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(" #1 "))
        .map(said)
        .collect();
    let place = |start: &str| {
        of_first
            .iter()
            .position(|said| said.contains(start))
            .unwrap()
    };
    assert!(place("[cqe] accept") < place("[sqe] recv"));
    assert!(place("[sqe] recv") < place("[cqe] recv"));
    assert!(place("[cqe] recv") < place("[lend]"));
    assert!(place("[sqe] close") < place("[cqe] close"));
    assert_eq!(*of_first.last().unwrap(), "closed");
}

#[test]
fn json_lines_know_both_ends_of_every_connection() {
    for backend in ["epoll", "mio", "io-uring"] {
        if backend == "io-uring" && !has_ring() {
            continue;
        }
        let (folder, text) = traced(&format!("json-{backend}"), &["--json"], backend);
        let events = events(folder.path("trace"));
        let of = |kind: &'static str| events.iter().filter(move |event| event["event"] == kind);
        assert_eq!(
            of("opened").count(),
            6,
            "{backend}: connections of the session"
        );
        assert_eq!(of("closed").count(), 6, "{backend}: each is closed once");
        let numbers: Vec<_> = of("opened")
            .map(|event| event["connection"].as_u64())
            .collect();
        assert_eq!(numbers, (1..=6).map(Some).collect::<Vec<_>>());
        for closed in of("closed") {
            // Who resets may be gone before it is asked for its name.
            let known = closed["peer"].is_string() || closed["connection"] == 5;
            assert!(known && closed["local"].is_string(), "{backend}: {closed}");
        }
        let mut at = 0.0;
        for event in &events {
            let next = event["at"].as_f64().unwrap();
            assert!(next >= at, "{backend}: in the order of time: {event}");
            at = next;
        }
        // The main thread has turns too, of the ring that it tries.
        let turns: Vec<_> = of("turn")
            .filter(|event| event["thread_name"] == "worker-0")
            .map(|event| event["turn"].as_u64().unwrap())
            .collect();
        assert!(turns.is_sorted() && turns[0] == 1, "{backend}: {turns:?}");
        let replies: Vec<_> = of("protocol")
            .filter(|event| event["what"] == "reply")
            .map(|event| event["status"].as_u64().unwrap())
            .collect();
        assert!(
            replies.contains(&200) && replies.contains(&404) && replies.contains(&400),
            "{text}"
        );
    }
}

#[test]
fn filters_leave_what_was_asked_for() {
    let names = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.contains("── turn "));
        lines
            .map(|line| said(line).split('(').next().unwrap().to_owned())
            .collect()
    };
    let (_folder, text) = traced("calls", &["--calls", "accept4,send"], "epoll");
    assert_eq!(names(&text), ["accept4", "send"].map(str::to_owned).into());
    // A turn of which nothing is shown is not shown either.
    let turns = text.lines().filter(|line| line.contains("── turn "));
    let followed = text.lines().zip(text.lines().skip(1));
    let empty =
        followed.filter(|(line, next)| line.contains("── turn ") && next.contains("── turn "));
    assert!(turns.count() > 3);
    assert_eq!(empty.count(), 0, "{text}");

    let (_folder, text) = traced("errors", &["--errors"], "epoll");
    let lines = text.lines().filter(|line| !line.contains("── turn "));
    assert!(lines.clone().count() > 3);
    for line in lines {
        assert!(line.contains(" = -1 E"), "{line}");
    }

    let (_folder, text) = traced("connection", &["--connection", "2"], "epoll");
    let mut lines = text.lines().filter(|line| !line.contains("── turn "));
    assert!(lines.clone().count() > 8);
    assert!(lines.all(|line| line.contains(" #2 ")), "{text}");
    assert!(
        text.contains("upgrade to WebSocket"),
        "the second one is the WebSocket"
    );

    let (_folder, text) = traced("bytes", &["--bytes", "3", "--calls", "send"], "epoll");
    assert!(text.contains(r#""HTT"..., "#), "{text}");
}

#[test]
fn the_summary_counts_what_the_lines_show() {
    let folder = Folder::new("summary");
    let (summary, lines) = (folder.path("summary"), folder.path("perfetto"));
    let trace = [
        "trace",
        "--summary",
        "--json",
        "--output",
        &summary,
        "--perfetto",
        &lines,
    ];
    let server = Server::start(
        &[],
        &trace,
        &["--backend", "epoll"],
        Stdio::inherit(),
        &folder,
    );
    server.session();
    server.stop();
    let summary: Value = serde_json::from_str(&fs::read_to_string(&summary).unwrap()).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&fs::read_to_string(&lines).unwrap()).unwrap();
    let mut counted: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry["cat"] == "call") {
        let (calls, errors) = counted.entry(entry["name"].as_str().unwrap()).or_default();
        *calls += 1;
        *errors += u64::from(entry["args"]["error"].is_string());
    }
    let calls = summary["calls"].as_object().unwrap();
    assert_eq!(calls.len(), counted.len());
    for (name, (count, errors)) in counted {
        assert_eq!(calls[name]["calls"], count, "{name}");
        assert_eq!(calls[name]["errors"], errors, "{name}");
    }
    let accepts = &calls["accept4"];
    let good = accepts["calls"].as_u64().unwrap() - accepts["errors"].as_u64().unwrap();
    assert_eq!(good, 6, "connections of the session");
    assert!(calls["sendfile"]["bytes"] == 100_000, "{calls:?}");
    assert!(calls["epoll_wait"]["bytes"] == 0);
    assert!(calls["epoll_wait"]["seconds"].as_f64().unwrap() > 0.0);

    let (_folder, table) = traced("table", &["--summary"], "epoll");
    assert!(
        table.starts_with(
            "% time     seconds  usecs/call     calls    errors         bytes syscall\n"
        )
    );
    assert!(table.lines().last().unwrap().ends_with(" total"), "{table}");
}

/// The format is "Trace Event Format", as ui.perfetto.dev imports it.
#[test]
fn perfetto_gets_slices_that_nest_and_tracks_that_end() {
    let backend = if has_ring() { "io-uring" } else { "epoll" };
    let folder = Folder::new("perfetto");
    let path = folder.path("trace.json");
    let trace = [
        "trace",
        "--summary",
        "--output",
        "/dev/null",
        "--perfetto",
        &path,
    ];
    let server = Server::start(
        &[],
        &trace,
        &["--backend", backend],
        Stdio::inherit(),
        &folder,
    );
    server.session();
    server.stop();
    let entries: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut open: BTreeSet<(String, u64)> = BTreeSet::new();
    let mut slices: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
    for entry in &entries {
        let (ph, ts) = (entry["ph"].as_str().unwrap(), entry["ts"].as_f64().unwrap());
        assert!(
            entry["pid"].is_u64() && entry["name"].is_string() && ts >= 0.0,
            "{entry}"
        );
        let track = || {
            let kind = entry["cat"].as_str().unwrap().to_owned();
            (kind, entry["id"].as_u64().unwrap())
        };
        match ph {
            "M" => assert_eq!(entry["name"], "thread_name"),
            "X" => {
                let dur = entry["dur"].as_f64().unwrap();
                let thread = slices.entry(entry["tid"].as_i64().unwrap()).or_default();
                thread.push((ts, ts + dur));
            }
            "i" => assert_eq!(entry["s"], "t"),
            "b" => assert!(open.insert(track()), "{entry}"),
            "n" => assert!(open.contains(&track()), "{entry}"),
            "e" => assert!(open.remove(&track()), "{entry}"),
            _ => panic!("an unknown phase: {entry}"),
        }
    }
    assert!(open.is_empty(), "everything that begins ends: {open:?}");
    for kind in ["call", "turn", "connection", "protocol"] {
        assert!(entries.iter().any(|entry| entry["cat"] == kind), "{kind}");
    }
    for (thread, mut slices) in slices {
        slices.sort_by(|one, other| one.0.total_cmp(&other.0).then(other.1.total_cmp(&one.1)));
        let mut around: Vec<f64> = Vec::new();
        for (begin, end) in slices {
            // A nanosecond of rounding.
            while around.last().is_some_and(|end| *end <= begin + 0.001) {
                around.pop();
            }
            let inside = around.last().is_none_or(|outer| end <= outer + 0.001);
            assert!(
                inside,
                "slices of {thread} overlap: {begin}..{end} in ..{around:?}"
            );
            around.push(end);
        }
    }
}

#[test]
fn nobody_reads_the_trace_any_more_and_the_server_goes_on() {
    let folder = Folder::new("pipe");
    let mut server = Server::start(
        &[],
        &[],
        &["--backend", "epoll", "--trace"],
        Stdio::piped(),
        &folder,
    );
    let mut lines = BufReader::new(server.take_stderr());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.contains('('), "{line}");
    drop(lines);
    let mut stream = server.connect();
    for _ in 0..100 {
        assert!(ask(&mut stream, "GET", "/plaintext").starts_with("HTTP/1.1 200 "));
    }
    drop(stream);
    server.stop();
}

#[test]
fn options_stand_before_or_behind_the_subcommand() {
    // A port that cannot be bound ends it at once; what was done by then is in the trace.
    for words in [
        [
            "trace",
            "--json",
            "--calls",
            "bind",
            "serve",
            "--listen",
            "203.0.113.1:80",
        ],
        [
            "trace",
            "serve",
            "--json",
            "--listen",
            "203.0.113.1:80",
            "--calls",
            "bind",
        ],
        [
            "trace",
            "echo",
            "--listen",
            "203.0.113.1:80",
            "--json",
            "--calls",
            "bind",
        ],
        [
            "serve",
            "--trace",
            "--json",
            "--listen",
            "203.0.113.1:80",
            "--calls",
            "bind",
        ],
    ] {
        let output = program().args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).expect(&text);
        assert_eq!(
            (&first["name"], &first["error"]),
            (&"bind".into(), &"EADDRNOTAVAIL".into())
        );
    }
}

#[test]
fn a_client_that_is_interrupted_leaves_a_whole_trace() {
    let folder = Folder::new("interrupted");
    let perfetto = folder.path("trace.json");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let mut client = Command::new(PROGRAM)
        .args(["trace", "--summary", "--perfetto", &perfetto, "connect"])
        .arg(target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"ahoy\n").unwrap();
    let mut heard = [0; 5];
    client
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut heard)
        .unwrap();
    kill(Pid::from_raw(client.id() as i32), Signal::SIGINT).unwrap();
    ended(&mut client);
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(128 + libc::SIGINT));
    let table = String::from_utf8(output.stderr).unwrap();
    assert!(
        table.contains(" connect") && table.contains(" recv"),
        "{table}"
    );
    let text = fs::read_to_string(perfetto).unwrap();
    let _: Value = serde_json::from_str(&text).expect("a whole document");
}

#[test]
fn outputs_that_would_spoil_each_other_are_a_mistake() {
    let folder = Folder::new("spoilt");
    let file = folder.path("one");
    for words in [
        &["--output", &file, "--pcapng", &file][..],
        &["--perfetto", &file, "--output", &file],
        &["--pcapng", "-"],
        &["--perfetto", "-"],
    ] {
        let output = program()
            .arg("trace")
            .args(words)
            .args(["serve"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(!fs::exists(&file).unwrap(), "nothing was written");
    }
}

#[test]
fn without_the_flag_its_options_are_a_mistake() {
    let output = program()
        .args(["serve", "--errors"])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let mut text = String::new();
    output.stderr.as_slice().read_to_string(&mut text).unwrap();
    assert!(text.contains("--trace"), "{text}");
}
