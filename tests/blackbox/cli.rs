//! The command line: mistakes get one helpful line, and output can be read by people and programs.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::frames::{TEXT, frame};
use crate::peer::Peer;
use crate::server::{PROGRAM, Server, backends, ended, may_open, on_each_backend};

/// Runs the program to its end. One that serves, although it should not, is stopped, and then fails the test.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", "120", PROGRAM])
        .args(arguments);
    command
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Runs the program, which must end with `code`, and gives its complaint. With 1 that is one line.
pub(crate) fn fails(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    assert!(!said.contains("panicked"), "{said}");
    if code == 1 {
        assert!(
            said.starts_with("longshore: ") && said.lines().count() == 1,
            "{said:?}"
        );
    }
    said
}

#[test]
fn mistakes_are_named_with_the_right_way_beside_them() {
    let table: [(&[&str], &str); 17] = [
        (&["serve", "--listen", "nonsense"], "nonsense"),
        (&["serve", "--listen", "127.0.0.1"], "127.0.0.1"),
        (&["serve", "--listen", "127.0.0.1:99999"], "99999"),
        (&["serve", "--listen", "no such host:80"], "no such host"),
        (&["serve", "--listen", "unix:"], "unix:"),
        (&["serve", "--listen", ""], "--listen"),
        (&["serve", "--backend", "kqueue"], "epoll, io-uring, mio"),
        (&["serve", "--workers", "0"], "1 to 1024"),
        (&["serve", "--workers", "many"], "auto"),
        (&["serve", "--unix-mode", "999"], "octal"),
        (&["serve", "--head-timeout", "soon"], "seconds"),
        (&["serve", "--head-timeout", "0"], "0.05"),
        (&["serve", "--head-timeout", "nan"], "0.05"),
        (&["serve", "--backlog", "0"], "backlog"),
        (&["serve", "--no-such-option"], "--no-such-option"),
        (&["sail"], "sail"),
        (&["serve", "stray"], "stray"),
    ];
    for (arguments, hint) in table {
        let said = fails(2, arguments);
        assert!(
            said.starts_with("error: ") && said.contains(hint),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("--help"), "{arguments:?}: {said}");
    }
    assert!(fails(2, &[]).contains("Usage: longshore"));
    let said = fails(1, &["serve", "--listen", "192.0.2.1:0"]);
    assert!(
        said.contains("192.0.2.1") && said.contains("no interface"),
        "{said}"
    );
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["doctor", "--help"],
        &["--version"],
    ] {
        let output = run(arguments);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{arguments:?}: {output:?}"
        );
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    let help = text(&run(&["serve", "--help"]).stdout);
    for option in [
        "--listen",
        "--backend",
        "--workers",
        "--count-calls",
        "--head-timeout",
        "--reuse-port",
    ] {
        assert!(help.contains(option), "{option}");
    }
    assert!(text(&run(&["--version"]).stdout).starts_with("longshore "));
}

#[test]
fn a_privileged_port_is_refused_with_advice() {
    const FIRST_FREE: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first_free = std::fs::read_to_string(FIRST_FREE).unwrap_or_default();
    if first_free.trim().parse().unwrap_or(1024) <= 81 {
        eprintln!("SKIPPED: every port is free for all here");
        return;
    }
    let arguments = ["serve", "--listen", "127.0.0.1:81"];
    let owner = std::fs::metadata("/proc/self").map(|process| process.uid());
    let output = if owner.is_ok_and(|uid| uid == 0) {
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        let mut command = Command::new("setpriv");
        command.args(nobody).arg(PROGRAM).args(arguments);
        // 126, 127: nobody may not reach the program, or there is none to change the user with.
        match command.output() {
            Ok(output) if !matches!(output.status.code(), Some(126 | 127)) => output,
            other => {
                eprintln!("SKIPPED: the program cannot be run as another user: {other:?}");
                return;
            }
        }
    } else {
        run(&arguments)
    };
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("127.0.0.1:81") && said.contains("CAP_NET_BIND_SERVICE"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn calls_are_counted_on_request() {
    on_each_backend(|backend| {
        let server = Server::start(backend, &[]);
        let mut http = server.connect();
        for _ in 0..10 {
            assert_eq!(http.fetch("/pipeline").text(), "ok");
        }
        let mut websocket = Peer::websocket(server.address());
        websocket.send(frame(TEXT, b"hello"));
        assert_eq!(websocket.frame().0, TEXT);
        drop((http, websocket));
        server.signal(Signal::SIGTERM);
        let (_, printed) = server.ended_well();
        assert!(
            printed.starts_with("2 connections, 11 requests, 1 messages\n"),
            "{printed}"
        );
        let wait = match backend {
            "io-uring" => "io_uring_enter",
            "mio" => "mio::Poll::poll",
            _ => "epoll_",
        };
        for line in ["system call", wait, "per request or message: "] {
            assert!(printed.contains(line), "{backend}: {line} in {printed}");
        }
        assert_eq!(
            printed.contains("ring operation "),
            backend == "io-uring",
            "{printed}"
        );
    });
}

#[test]
fn the_first_line_says_where_and_how() {
    for backend in backends() {
        let mut command = Command::new(PROGRAM);
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--backend",
            backend,
            "--workers",
            "2",
        ]);
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
        assert!(!line.contains(":0 "), "the real port: {line}");
        assert!(
            line.ends_with(&format!(" ({backend}, 2 workers)\n")),
            "{line}"
        );
        // Its output was closed by the reader of the first line; that must neither kill nor upset it.
        let address = line["listening on http://".len()..]
            .split(' ')
            .next()
            .expect("an address");
        let address = address.parse().expect("an address");
        assert_eq!(
            Peer::connect(address).fetch("/pipeline").text(),
            "ok",
            "{backend}"
        );
        let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid"));
        kill(pid, Signal::SIGTERM).expect("it runs");
        assert!(ended(&mut process).success(), "{backend}");
    }
}

#[test]
fn closed_output_neither_kills_nor_upsets() {
    // As `longshore serve | head -1`, also when nobody reads the complaints.
    for streams in [">/dev/full", ">&-", ">&- 2>&-"] {
        let script =
            format!("exec \"$0\" serve --listen 127.0.0.1:0 --workers 1 --count-calls {streams}");
        let mut command = Command::new("sh");
        let process = command
            .args(["-c", &script, PROGRAM])
            .stderr(Stdio::piped())
            .spawn();
        let mut process = process.expect("a shell");
        let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid"));
        let serves = || {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
            tasks.flatten().any(|task| {
                let name = std::fs::read_to_string(task.path().join("comm"));
                name.is_ok_and(|name| name.trim() == "worker-0")
            })
        };
        crate::server::eventually("it serves", serves);
        kill(pid, Signal::SIGTERM).expect("it runs");
        ended(&mut process);
        let output = process.wait_with_output().expect("our child");
        assert!(output.status.success(), "{streams}: {output:?}");
        assert!(
            output.stderr.is_empty(),
            "{streams}: {}",
            text(&output.stderr)
        );
    }
    let script = "timeout --kill-after=5 20 \"$0\" serve --listen 192.0.2.1:0 >/dev/full 2>/dev/full; echo $?";
    let output = Command::new("sh").args(["-c", script, PROGRAM]).output();
    // No panic, which would be 101.
    assert_eq!(text(&output.expect("a shell").stdout), "1\n");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    for (arguments, asked) in [
        ("doctor", true),
        ("doctor --json", true),
        ("doctor --connections 4", true),
        ("--help", true),
        ("serve --help", true),
        ("--version", true),
        ("lab", true),
        // A mistake is said elsewhere.
        ("serve --no-such-option", false),
    ] {
        let script = format!("exec \"$0\" {arguments} >/dev/full");
        let mut command = Command::new("sh");
        let output = command.args(["-c", &script, PROGRAM]).output();
        let output = output.expect("a shell");
        let said = text(&output.stderr);
        let (code, names_it) = (output.status.code(), said.contains("standard output"));
        let expected = if asked {
            (Some(1), true)
        } else {
            (Some(2), false)
        };
        assert_eq!((code, names_it), expected, "{arguments}: {said}");
        assert!(!asked || said.lines().count() == 1, "{arguments}: {said}");
    }
}

#[test]
fn the_doctor_weighs_connections() {
    let output = run(&["doctor", "--connections", "64"]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let table = text(&output.stdout);
    for name in ["64 idle", "user", "kernel", "longest turn", "epoll", "mio"] {
        assert!(table.contains(name), "{name} in {table}");
    }
    let output = run(&["doctor", "--json", "--connections", "64"]);
    let json = text(&output.stdout);
    assert_eq!(value(json.trim()), Some(""), "{json}");
    if may_open(5000) {
        // The records of a connection alone have more than 100 bytes: less means that memory of something else was used again.
        let output = run(&["doctor", "--json", "--connections", "2000"]);
        let json = text(&output.stdout);
        let costs: Vec<f64> = json
            .split("\"user_bytes\":")
            .skip(1)
            .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
            .collect();
        assert!(costs.len() >= 2, "epoll and mio at least: {json}");
        assert!(costs.iter().all(|cost| *cost > 100.0), "{json}");
    }
    let output = run(&["doctor", "--json", "--connections", "64", "-b", "mio"]);
    let json = text(&output.stdout);
    assert!(
        json.matches("backend").count() == 1 && json.contains("mio"),
        "{json}"
    );
    fails(2, &["doctor", "-b", "mio"]);
    let refused = fails(1, &["doctor", "--connections", "4000000000"]);
    assert!(refused.contains("ask for at most"), "{refused}");
}

#[test]
fn the_doctor_looks_at_everything() {
    let output = run(&["doctor"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let table = text(&output.stdout);
    for name in [
        "kernel",
        "epoll",
        "io-uring",
        "mio",
        "descriptors",
        "backlog",
        "client ports",
    ] {
        assert!(table.contains(name), "{name} in {table}");
    }
    for line in table.lines() {
        let marked = ["ok  ", "look"].iter().any(|mark| line.starts_with(mark));
        assert!(marked || line.trim_start().starts_with('→'), "{line}");
    }

    let output = run(&["doctor", "--json"]);
    let json = text(&output.stdout);
    let rest = value(json.trim()).unwrap_or_else(|| panic!("not JSON: {json}"));
    assert_eq!(rest, "", "behind the value");
    for key in ["\"name\":\"epoll\"", "\"ok\":", "\"found\":", "\"advice\":"] {
        assert!(json.contains(key), "{key} in {json}");
    }
}

/// Reads one JSON value (RFC 8259) at the front of `text` and gives what is behind it; `None` if there is none.
fn value(text: &str) -> Option<&str> {
    let text = text.trim_start();
    match text.chars().next()? {
        '[' => members(&text[1..], ']', value),
        '{' => members(&text[1..], '}', |pair| {
            value(string(pair.trim_start())?.trim_start().strip_prefix(':')?)
        }),
        '"' => string(text),
        _ => {
            let word = ["true", "false", "null"]
                .iter()
                .find_map(|word| text.strip_prefix(word));
            word.or_else(|| {
                let digits = text
                    .trim_start_matches('-')
                    .trim_start_matches(|c: char| c.is_ascii_digit());
                (digits.len() < text.trim_start_matches('-').len()).then_some(digits)
            })
        }
    }
}

/// The members of a list or an object, separated by commas, up to `end`.
fn members<'t>(
    text: &'t str,
    end: char,
    member: impl Fn(&'t str) -> Option<&'t str>,
) -> Option<&'t str> {
    if let Some(rest) = text.trim_start().strip_prefix(end) {
        return Some(rest);
    }
    let mut text = text;
    loop {
        text = member(text)?.trim_start();
        if let Some(rest) = text.strip_prefix(end) {
            return Some(rest);
        }
        text = text.strip_prefix(',')?;
    }
}

fn string(text: &str) -> Option<&str> {
    let mut rest = text.strip_prefix('"')?.chars();
    loop {
        match rest.next()? {
            '"' => return Some(rest.as_str()),
            '\\' => match rest.next()? {
                'u' => (0..4).try_for_each(|_| rest.next()?.is_ascii_hexdigit().then_some(()))?,
                escaped => "\"\\/bfnrt".contains(escaped).then_some(())?,
            },
            control if control < ' ' => return None,
            _ => {}
        }
    }
}

#[test]
fn the_json_reader_is_no_yes_man() {
    for good in ["[]", "{}", "[1, -2]", r#"{"a": ["\u00e9\n", true, null]}"#] {
        assert_eq!(value(good), Some(""), "{good}");
    }
    for bad in [
        "", "[1,]", "{\"a\"}", "{a:1}", "[\"\n\"]", r#""\x""#, "[1", "tru",
    ] {
        assert_eq!(value(bad), None, "{bad}");
    }
}

/// Whoever is refused a number finds in the help which ones there are.
#[test]
fn the_help_names_every_range() {
    let help = text(&run(&["serve", "--help"]).stdout);
    let mut ranges = 0;
    for (at, _) in help.match_indices("--").collect::<Vec<_>>() {
        let entry = &help[at..];
        let Some((
            flag,
            "<MS>" | "<N>" | "<LEVEL>" | "<BITS>" | "<SECONDS>" | "<BYTES>" | "<COUNT>"
            | "<MICROSECONDS>",
        )) = entry
            .lines()
            .next()
            .and_then(|line| line.trim_end().split_once(' '))
        else {
            continue;
        };
        let entry = entry.split("\n      --").next().expect("one at least");
        for wrong in ["0", "999999999999"] {
            let said = text(&run(&["serve", flag, wrong, "--listen", "nonsense"]).stderr);
            let Some((_, range)) = said.split_once(" is not in ") else {
                continue;
            };
            let range = range.lines().next().expect("the first");
            let (least, most) = range.split_once("..").expect("a range");
            let most = most.trim_start_matches('=');
            let plain: String = entry.split_whitespace().collect::<Vec<_>>().join(" ");
            ranges += 1;
            for bound in [least, most] {
                // Of what has no negative numbers 0 goes without saying, and so does what the type can hold.
                let is_plain = bound.is_empty()
                    || bound == "0"
                    || bound
                        .parse::<u64>()
                        .is_ok_and(|bound| bound >= u64::from(i32::MAX.unsigned_abs()));
                assert!(
                    is_plain || plain.contains(bound),
                    "{flag} is in {range}: {plain}"
                );
            }
        }
    }
    assert!(ranges > 10, "{ranges}");
    let said = text(&run(&["serve", "--head-timeout", "0"]).stderr);
    let range = "0.05 to 100000000";
    assert!(said.contains(range) && help.contains(range), "{said}");
}
