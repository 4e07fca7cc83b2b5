//! The access log of the program: what it says, where, and what signals do to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::fails;
use crate::frames::HANDSHAKE;
use crate::peer::Peer;
use crate::server::{PROGRAM, Server, ended, eventually, on_each_backend, rest_of};

/// A folder for one test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("longshore-blackbox-log-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        let path = self.0.join(name);
        path.to_str().expect("a plain name").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lines(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a log");
    text.lines().map(str::to_owned).collect()
}

/// A line of the text formats with its time, which is checked, replaced by `[]`.
fn without_time(line: &str) -> String {
    let (front, rest) = line.split_once('[').expect("a time begins");
    let (time, back) = rest.split_once(']').expect("a time ends");
    assert_eq!(time.len(), "10/Oct/2026:13:55:36 +0000".len(), "{line}");
    assert!(time.ends_with(" +0000"), "{line}");
    format!("{front}[]{back}")
}

#[test]
fn every_request_has_its_line() {
    on_each_backend(|backend| {
        let folder = Folder::new();
        let path = folder.file("log");
        let server = Server::start(backend, &["--access-log", &path]);
        let mut peer = server.connect();
        peer.send(
            "GET /pipeline?x HTTP/1.1\r\nHost: a\r\nReferer: http://b/\r\nUser-Agent: c \"d\" \\ \u{e9}\r\n\r\n",
        );
        assert_eq!(peer.reply().text(), "ok");
        // Two in one segment, the second of which is not found.
        peer.send(
            "HEAD /pipeline HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        peer.reply_to("HEAD");
        let missing = peer.reply();
        assert_eq!(missing.status, 404);
        let mut upload = server.connect();
        upload.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
        upload.send("c");
        assert_eq!(upload.reply().text(), "3");
        let mut websocket = server.connect();
        websocket.send(HANDSHAKE);
        assert_eq!(websocket.reply().status, 101);
        let mut bad = server.connect();
        bad.send("nonsense\r\n\r\n");
        let refused = bad.reply();
        assert_eq!(refused.status, 400);
        drop((peer, upload, websocket, bad));
        server.stop();

        let lines: Vec<String> = lines(&path).iter().map(|line| without_time(line)).collect();
        let host = "127.0.0.1 - - []";
        let handshake = HANDSHAKE.lines().next().expect("a request line");
        assert_eq!(
            lines,
            [
                format!(
                    r#"{host} "GET /pipeline?x HTTP/1.1" 200 2 "http://b/" "c \x22d\x22 \x5C \xC3\xA9""#
                ),
                format!(r#"{host} "HEAD /pipeline HTTP/1.1" 200 0 "-" "-""#),
                format!(
                    r#"{host} "GET /none HTTP/1.1" 404 {} "-" "-""#,
                    missing.body.len()
                ),
                format!(r#"{host} "POST /upload HTTP/1.1" 200 1 "-" "-""#),
                format!(r#"{host} "{handshake}" 101 0 "-" "-""#),
                format!(r#"{host} "nonsense" 400 {} "-" "-""#, refused.body.len()),
            ],
            "{backend}"
        );
    });
}

#[test]
fn a_refusal_is_told_with_its_own_request_line() {
    on_each_backend(|backend| {
        let folder = Folder::new();
        let path = folder.file("log");
        let server = Server::start(backend, &["--access-log", &path]);
        let mut peer = server.connect();
        // What stands behind the head is a body, whatever it looks like.
        peer.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nContent-Length: 99999999\r\n\r\n\
             GET /forged HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        let refused = peer.reply();
        assert_eq!(refused.status, 413);
        drop(peer);
        server.stop();
        let lines: Vec<String> = lines(&path).iter().map(|line| without_time(line)).collect();
        let expected = format!(
            r#"127.0.0.1 - - [] "POST /echo HTTP/1.1" 413 {} "-" "me""#,
            refused.body.len()
        );
        assert_eq!(lines, [expected], "{backend}");
    });
}

#[test]
fn the_format_is_chosen() {
    on_each_backend(|backend| {
        let folder = Folder::new();
        let common = folder.file("common");
        let server = Server::start(
            backend,
            &["--access-log", &common, "--access-log-format", "common"],
        );
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        server.stop();
        let line = without_time(&lines(&common)[0]);
        assert_eq!(line, r#"127.0.0.1 - - [] "GET /pipeline HTTP/1.1" 200 2"#);

        let json = folder.file("json");
        let server = Server::start(
            backend,
            &["--access-log", &json, "--access-log-format", "json"],
        );
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        server.stop();
        let line = &lines(&json)[0];
        for part in [
            "{\"time\":\"20",
            "Z\",\"peer\":\"127.0.0.1\",\"method\":\"GET\",\"target\":\"/pipeline\",\"version\":\"HTTP/1.1\"",
            ",\"status\":200,\"bytes\":2,\"duration_us\":",
            ",\"referer\":null,\"user_agent\":null}",
        ] {
            assert!(line.contains(part), "{backend}: {part} in {line}");
        }
    });
}

#[test]
fn a_hangup_signal_opens_the_log_anew() {
    on_each_backend(|backend| {
        let folder = Folder::new();
        let (path, old) = (folder.file("log"), folder.file("log.1"));
        let server = Server::start(backend, &["--access-log", &path]);
        let mut peer = server.connect();
        assert_eq!(peer.fetch("/pipeline?old").text(), "ok");
        // The line is handed over behind the reply.
        eventually("the line is there", || lines(&path).len() == 1);
        fs::rename(&path, &old).expect("it exists");
        server.signal(Signal::SIGHUP);
        eventually("there is a new file", || {
            fs::exists(&path).expect("a folder")
        });
        // The file is there a moment before it is used. A line is in it soon, not only at the end.
        let mut fetched = 0;
        eventually("a line is in the new file", || {
            assert_eq!(peer.fetch("/pipeline?new").text(), "ok");
            fetched += 1;
            !lines(&path).is_empty()
        });
        server.stop();
        let (new, old) = (lines(&path), lines(&old));
        assert!(
            new.iter().all(|line| line.contains("GET /pipeline?new ")),
            "{backend}: {new:?}"
        );
        assert!(old[0].contains("GET /pipeline?old "), "{old:?}");
        assert_eq!(
            old.len() + new.len(),
            1 + fetched,
            "{backend}: none is lost"
        );
    });
}

#[test]
fn without_a_file_a_hangup_signal_stops_in_order() {
    for log in [&[][..], &["--access-log", "-"]] {
        // Under nohup(1) the tests ignore the signal, and so would it.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP", PROGRAM, "serve", "--workers", "1"]);
        command
            .args(["--listen", "127.0.0.1:0", "--count-calls"])
            .args(log);
        let server = Server::spawn(command, "auto", 1);
        server.signal(Signal::SIGHUP);
        server.ended_well();
    }
}

/// The address in the first line of a server's output.
fn address_from(stdout: &mut impl BufRead) -> SocketAddr {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("text");
    let address = line
        .strip_prefix("listening on http://")
        .and_then(|rest| rest.split(' ').next());
    address.expect("it listens").parse().expect("an address")
}

/// `longshore serve` with a log, inside a terminal of its own, which goes when the returned process is killed.
fn in_a_terminal(path: &str) -> Option<Child> {
    let command = format!("{PROGRAM} serve --listen 127.0.0.1:0 --workers 1 --access-log {path}");
    let mut script = Command::new("script");
    let script = script
        .args(["--quiet", "--command", &command, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    script.spawn().ok()
}

#[test]
fn a_terminal_that_goes_ends_the_program_even_so() {
    let folder = Folder::new();
    let Some(mut terminal) = in_a_terminal(&folder.file("log")) else {
        eprintln!("SKIPPED: there is no script(1) to make a terminal with");
        return;
    };
    let mut stdout = BufReader::new(terminal.stdout.take().expect("piped"));
    let address = address_from(&mut stdout);
    assert_eq!(Peer::connect(address).fetch("/pipeline").text(), "ok");
    terminal.kill().expect("it runs");
    terminal.wait().expect("our child");
    eventually("it stops", || TcpStream::connect(address).is_err());
    eventually("what was logged is written", || {
        lines(&folder.file("log")).len() == 1
    });
}

#[test]
fn standard_output_can_be_the_log() {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--workers", "1"]);
    command.args(["--access-log", "-", "--access-log-format", "common"]);
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
    let address = address_from(&mut stdout);
    assert_eq!(Peer::connect(address).fetch("/pipeline").text(), "ok");
    let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("it runs");
    assert!(ended(&mut process).success());
    let line = rest_of(&mut stdout);
    assert!(
        line.ends_with("\"GET /pipeline HTTP/1.1\" 200 2\n") && line.lines().count() == 1,
        "{line}"
    );
    assert_eq!(rest_of(process.stderr.take().expect("piped")), "");
}

/// Three requests to a server whose log, at `log`, takes nothing; what it says of that at its end.
fn lost(mut command: Command, log: &str) -> String {
    command.args(["--workers", "1", "--access-log", log]);
    // Not started as a `Server`: whoever stops one expects nothing on its standard error.
    let folder = Folder::new();
    let said = folder.file("stderr");
    let stderr = fs::File::create(&said).expect("a new file");
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("the program starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
    let mut peer = Peer::connect(address_from(&mut stdout));
    for _ in 0..3 {
        assert_eq!(peer.fetch("/pipeline").text(), "ok");
    }
    drop(peer);
    let pid = Pid::from_raw(i32::try_from(process.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("it runs");
    assert!(ended(&mut process).success());
    fs::read_to_string(&said).expect("text")
}

#[test]
fn a_log_that_cannot_be_written_costs_its_lines() {
    on_each_backend(|backend| {
        let said = lost(Server::command(backend, "127.0.0.1:0"), "/dev/full");
        assert!(
            said.starts_with("longshore: the access log lost 3 lines: No space left")
                && said.lines().count() == 1,
            "{backend}: {said}"
        );
    });
}

#[test]
fn a_log_at_the_limit_of_file_sizes_costs_its_lines() {
    on_each_backend(|backend| {
        let folder = Folder::new();
        let path = folder.file("log");
        // Longer than what is said on standard error, a file too, and so long already that no line fits.
        let full = "a line of a day before\n".repeat(20);
        fs::write(&path, &full).expect("a new file");
        let program = Server::command(backend, "127.0.0.1:0");
        let mut command = Command::new("prlimit");
        command.arg(format!("--fsize={}", full.len()));
        command.arg(program.get_program()).args(program.get_args());
        let said = lost(command, &path);
        assert!(
            said.starts_with("longshore: the access log lost 3 lines: File too large")
                && said.lines().count() == 1,
            "{backend}: {said}"
        );
        assert_eq!(fs::read_to_string(&path).expect("a log"), full);
    });
}

#[test]
fn a_log_that_cannot_be_opened_is_named_with_advice() {
    let folder = Folder::new();
    let fifo = folder.file("fifo");
    let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
    nix::unistd::mkfifo(fifo.as_str(), mode).expect("a new name");
    let table = [
        (folder.file("none/log"), "create its directory"),
        (folder.file(""), "name a file in that directory"),
        (fifo, "start the reader"),
    ];
    for (path, advice) in table {
        let said = fails(
            1,
            &["serve", "--listen", "127.0.0.1:0", "--access-log", &path],
        );
        assert!(said.contains(&path) && said.contains(advice), "{said}");
    }
    let said = fails(2, &["serve", "--access-log-format", "json"]);
    assert!(said.contains("--access-log <PATH>"), "{said}");
    let said = fails(
        2,
        &["serve", "--access-log", "-", "--access-log-format", "xml"],
    );
    assert!(said.contains("common, combined, json"), "{said}");
}
