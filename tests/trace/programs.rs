//! `echo` and `connect` beneath `longshore trace`: which calls each model makes, and what both sides of a conversation say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::agreement::{Seen, of_strace, of_trace};
use crate::session::{Folder, PROGRAM, Server, connect, events, has_ring, has_strace, program};

/// An echo by this model and a client of it, both traced: the events of the server and of the client.
fn echoed(model: &str) -> (Vec<Value>, Vec<Value>) {
    let folder = Folder::new(&format!("echo-{model}"));
    let (theirs, ours) = (folder.path("server"), folder.path("client"));
    let server = Server::echo(&[], &["trace", "--json", "--output", &theirs], model);
    let before = ["trace", "--json", "--output", &ours];
    let said = connect(&[], &before, &[&server.address.to_string()], "Hello\n");
    assert_eq!(said, "Hello\n");
    server.stop();
    (events(&theirs), events(&ours))
}

/// The names of the calls of a connection, or of none, in order.
fn calls(events: &[Value], connection: Option<u64>) -> Vec<&str> {
    let calls = events.iter().filter(|event| event["event"] == "call");
    calls
        .filter(|event| event["connection"].as_u64() == connection)
        .map(|event| event["name"].as_str().unwrap())
        .collect()
}

fn of<'e>(events: &'e [Value], kind: &'e str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["event"] == kind)
}

/// Whether these come in this order, whatever stands between.
fn in_order(all: &[&str], wanted: &[&str]) -> bool {
    let mut all = all.iter();
    wanted.iter().all(|name| all.any(|one| one == name))
}

/// Each side knows one connection, by the same two addresses, and nothing is taken for a protocol that is none.
fn is_one_conversation(server: &[Value], client: &[Value]) {
    for side in [server, client] {
        assert_eq!(of(side, "opened").count(), 1, "{side:?}");
        assert_eq!(of(side, "closed").count(), 1);
        assert_eq!(of(side, "protocol").count(), 0);
        let numbers = side.iter().filter_map(|event| event["connection"].as_u64());
        assert!(numbers.into_iter().all(|number| number == 1));
    }
    let (theirs, ours) = (
        of(server, "closed").next().unwrap(),
        of(client, "closed").next().unwrap(),
    );
    assert!(theirs["local"].is_string() && ours["local"].is_string());
    assert_eq!(theirs["local"], ours["peer"]);
    assert_eq!(theirs["peer"], ours["local"]);
}

#[test]
fn an_echo_by_hand_makes_the_calls_of_the_textbook() {
    let (server, client) = echoed("blocking");
    is_one_conversation(&server, &client);
    let mut alone = calls(&server, None);
    // Where the limit of descriptors is not as high as it may be.
    alone.retain(|name| *name != "setrlimit");
    let begin = [
        "getrlimit",
        "socket",
        "setsockopt",
        "setsockopt",
        "bind",
        "listen",
        "getsockname",
    ];
    assert_eq!(alone[..begin.len()], begin);
    let conversation = [
        "accept4",
        "setsockopt",
        "setsockopt",
        "recv",
        "send",
        "recv",
        "shutdown",
        "close",
    ];
    assert_eq!(calls(&server, Some(1)), conversation);
    // Another thread shuts the listener, and ends the accept that waits in vain.
    let shut = server.iter().find(|event| event["thread_name"] == "stop");
    assert_eq!(shut.unwrap()["name"], "shutdown");
    let last = of(&server, "call").filter(|event| event["thread_name"] == "main");
    let last: Vec<_> = last.map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(last[last.len() - 2..], ["accept4", "close"]);

    let conversation = [
        "connect",
        "getsockopt",
        "getsockname",
        "send",
        "shutdown",
        "recv",
        "close",
    ];
    assert!(in_order(&calls(&client, Some(1)), &conversation));
    let alone = ["socket", "setsockopt", "poll", "read", "poll", "write"];
    assert!(in_order(&calls(&client, None), &alone));
}

#[test]
fn an_echo_with_a_thread_for_each_connection_tells_who_made_which_call() {
    let (server, client) = echoed("threads");
    is_one_conversation(&server, &client);
    let mut threads: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in of(&server, "call").filter(|event| event["connection"] == 1) {
        let thread = event["thread_name"].as_str().unwrap();
        let names = threads.entry(thread).or_default();
        names.push(event["name"].as_str().unwrap());
    }
    assert_eq!(threads["main"], ["accept4"]);
    let conversation = ["recv", "send", "recv", "shutdown", "close"];
    assert_eq!(threads["connection 1"][2..], conversation);
}

#[test]
fn an_echo_on_the_loop_waits_in_one_place() {
    for model in ["epoll", "mio"] {
        let (server, client) = echoed(model);
        is_one_conversation(&server, &client);
        let begin = ["socket", "setsockopt", "bind", "listen", "getsockname"];
        assert!(in_order(&calls(&server, None), &begin), "{model}");
        let conversation = ["accept4", "recv", "send", "recv", "close"];
        let of_it = calls(&server, Some(1));
        assert!(in_order(&of_it, &conversation), "{model}: {of_it:?}");
        assert!(of_it.contains(&"getpeername"), "{model}: who it was");
        let waits: &[_] = match model {
            "epoll" => &["epoll_wait", "epoll_pwait2"],
            _ => &["mio::Poll::poll"],
        };
        let turns: Vec<_> = of(&server, "turn").collect();
        assert!(turns.len() >= 2, "{model}: {turns:?}");
        for turn in turns {
            assert!(waits.contains(&turn["name"].as_str().unwrap()), "{turn}");
        }
    }
}

#[test]
fn an_echo_on_a_ring_has_submissions_in_place_of_calls() {
    if !has_ring() {
        return;
    }
    let (server, client) = echoed("io-uring");
    is_one_conversation(&server, &client);
    assert!(calls(&server, Some(1)).is_empty());
    let completed: Vec<_> = of(&server, "completed")
        .filter(|event| event["connection"] == 1)
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    let conversation = ["accept", "recv", "send", "recv", "close"];
    assert!(in_order(&completed, &conversation), "{completed:?}");
}

/// Direction and text of everything that the bytes meant.
fn meaning(events: &[Value]) -> Vec<String> {
    of(events, "protocol")
        .map(|event| {
            let direction = event["direction"].as_str().unwrap();
            format!("{direction} {}", event["text"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn both_sides_of_a_conversation_mean_the_same() {
    let folder = Folder::new("sides");
    let (theirs, ours) = (folder.path("server"), folder.path("client"));
    let trace = ["trace", "--json", "--output", &theirs];
    let server = Server::start(
        &[],
        &trace,
        &["--backend", "epoll"],
        Stdio::inherit(),
        &folder,
    );
    let client = |path: &str, more: &[&str], input: &str| {
        let before = ["trace", "--json", "--output", &ours];
        let url = format!("{path}://{}", server.address) + more[0];
        let mut words = vec![url.as_str()];
        words.extend(&more[1..]);
        connect(&[], &before, &words, input);
        events(&ours)
    };
    let asked = client("http", &["/plaintext", "/nowhere"], "");
    let upgraded = client("ws", &["/ws"], "ahoy\n");
    server.stop();
    let served = events(&theirs);
    let of_connection = |number: u64| {
        let events = served.iter().filter(|event| event["connection"] == number);
        events.cloned().collect::<Vec<_>>()
    };
    let swapped = |lines: Vec<String>| -> Vec<String> {
        let swap = |line: String| match line.strip_prefix("sent ") {
            Some(rest) => format!("received {rest}"),
            None => line.replacen("received ", "sent ", 1),
        };
        lines.into_iter().map(swap).collect()
    };
    let http = meaning(&asked);
    assert_eq!(
        http[..2],
        [
            "sent GET /plaintext",
            "received GET /plaintext → 200, 13 bytes"
        ]
    );
    assert!(
        http[3].starts_with("received GET /nowhere → 404, "),
        "{http:?}"
    );
    assert_eq!(swapped(meaning(&of_connection(1))), http);
    let frames = meaning(&upgraded);
    let expected = [
        "sent GET /ws, asks to upgrade",
        "received GET /ws → upgrade to WebSocket",
        "sent text 4 bytes, masked, fin",
        "sent close 1000, masked, fin",
        "received text 4 bytes, fin",
        "received close 1000, fin",
    ];
    // The echo may come before the end of the input is seen.
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let expected = sorted(expected.map(str::to_owned).to_vec());
    assert_eq!(sorted(frames), expected);
    assert_eq!(sorted(swapped(meaning(&of_connection(2)))), expected);
    for (number, events) in [(1, &asked), (2, &upgraded)] {
        let theirs = of_connection(number);
        let (theirs, ours) = (theirs.last().unwrap(), of(events, "closed").next().unwrap());
        assert_eq!(
            (&theirs["local"], &theirs["peer"]),
            (&ours["peer"], &ours["local"])
        );
    }
}

/// What the main thread did about sockets and waiting, by both accounts. Standard streams and files are the runtime's.
const COMPARED: &str = "socket,bind,listen,accept4,connect,getsockname,getpeername,setsockopt,getsockopt,recvfrom,\
    sendto,epoll_create1,epoll_ctl,epoll_wait,epoll_pwait2,eventfd2,shutdown";

fn agrees(name: &str, calls: &str, json: &str) {
    let events = events(json);
    let main = events.iter().find(|event| event["thread_name"] == "main");
    let main = main.unwrap()["thread"].as_i64().unwrap();
    let is_compared = |seen: &Seen| COMPARED.split(',').any(|name| name.trim() == seen.name);
    let traced: Vec<Seen> = events
        .iter()
        .filter_map(of_trace)
        .filter(|(thread, seen)| *thread == main && is_compared(seen))
        .map(|(_, seen)| seen)
        .collect();
    let text = fs::read_to_string(format!("{calls}.{main}")).unwrap();
    let strace: Vec<Seen> = text.lines().filter_map(of_strace).collect();
    assert!(traced.len() > 6, "{name}: {traced:?}");
    assert_eq!(traced, strace, "{name}: ours, then strace's");
}

#[test]
fn echo_and_connect_agree_with_strace() {
    if !has_strace() {
        return;
    }
    let filter = format!("trace={COMPARED}");
    for model in ["blocking", "threads", "epoll"] {
        let folder = Folder::new(&format!("agrees-{model}"));
        let (theirs, ours) = (folder.path("server"), folder.path("client"));
        let (their_calls, our_calls) = (folder.path("server.strace"), folder.path("client.strace"));
        let wrapper = [
            "strace",
            "-ff",
            "-s",
            "0",
            "-e",
            &filter,
            "-o",
            &their_calls,
        ];
        let server = Server::echo(&wrapper, &["trace", "--json", "--output", &theirs], model);
        let wrapper = ["strace", "-ff", "-s", "0", "-e", &filter, "-o", &our_calls];
        let before = ["trace", "--json", "--output", &ours];
        connect(&wrapper, &before, &[&server.address.to_string()], "Hello\n");
        server.stop();
        agrees(model, &their_calls, &theirs);
        agrees(&format!("the client of {model}"), &our_calls, &ours);
    }
}

/// What a trace saw opened and did not see closed. Not eventfds: the last to hold one may be a thread that the end of the
/// program overtakes.
fn left_open(events: &[Value]) -> BTreeSet<i64> {
    let mut open = BTreeSet::new();
    for event in of(events, "call") {
        let seen = of_trace(event).unwrap().1;
        match seen.name.as_str() {
            "close" => _ = open.remove(&seen.first.unwrap()),
            "socket" | "accept4" | "epoll_create1" | "io_uring_setup" => {
                open.extend(Some(seen.result).filter(|fd| *fd >= 0));
            }
            _ => {}
        }
    }
    open
}

fn called(events: &[Value], name: &str) -> bool {
    of(events, "call").any(|event| event["name"] == name)
}

#[test]
fn whatever_an_echo_opens_is_closed_in_its_trace() {
    for model in ["blocking", "epoll", "io-uring"] {
        if model == "io-uring" && !has_ring() {
            continue;
        }
        for kind in ["udp", "tcp"] {
            let folder = Folder::new(&format!("closes-{model}-{kind}"));
            let path = folder.path("trace.jsonl");
            let server = Server::echo_of(kind, &[], &["trace", "--json", "--output", &path], model);
            let target = format!("{kind}://{}", server.address);
            connect(&[], &[], &[&target], "Hello\n");
            server.stop();
            let events = events(&path);
            assert!(called(&events, "socket"), "{model} {kind}");
            assert_eq!(left_open(&events), BTreeSet::new(), "{model} {kind}");
        }
    }
}

#[test]
fn a_failed_start_closes_what_it_had_opened() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = Folder::new("failed-start");
    let path = folder.path("trace.jsonl");
    let program = |words: &[&str]| {
        let mut command = program();
        command.args(["trace", "--json", "--output", &path]);
        let output = command.args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let events = events(&path);
        assert!(called(&events, "socket"), "{words:?}");
        assert_eq!(left_open(&events), BTreeSet::new(), "{words:?}");
    };
    program(&["serve", "-l", "127.0.0.1:0", "-l", &taken, "--workers", "2"]);
    program(&["echo", "-l", &taken]);
    program(&["echo", "-m", "epoll", "-l", &taken]);
}

#[test]
fn a_trace_at_the_limit_of_file_sizes_is_cut_and_says_so() {
    let folder = Folder::new("limit");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().to_string();
    for option in ["--output", "--perfetto"] {
        let path = folder.path(&option[2..]);
        let program = Command::new("prlimit")
            .args(["--fsize=100", PROGRAM, "trace", option, &path])
            .args(["connect", &target])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(listener.accept().unwrap());
        let output = program.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{option}: {text}");
        let last = text.lines().last().unwrap();
        assert!(
            last.starts_with("longshore: the trace is cut") && last.contains("File too large"),
            "{option}: {text}"
        );
        assert!(fs::metadata(&path).unwrap().len() <= 100);
    }
}
