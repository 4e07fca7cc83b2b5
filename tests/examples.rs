//! Runs `examples/01` and `15`, and talks to 05 and 06 over raw TCP, as their head comments say that one can.
//!
//! It does not know how they work inside: only what they print, and what their bytes must be.
#![cfg(all(feature = "server", feature = "trace"))]

mod built;
#[path = "built/ended.rs"]
mod ended;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use built::built;
use ended::{PATIENCE, ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running example, killed if a test fails before it was stopped.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start(example: &str) -> Self {
        Self::spawned(&mut Command::new(built(example)))
    }

    /// Starts it with its trace on standard error, which the caller has to read. Its few lines fit into the pipe.
    fn traced(example: &str) -> Self {
        let mut command = Command::new(built(example));
        Self::spawned(command.env("LONGSHORE_TRACE", "1").stderr(Stdio::piped()))
    }

    fn spawned(command: &mut Command) -> Self {
        let mut process = command
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built the examples");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.expect("the first line").parse().unwrap();
        Self {
            process,
            output,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends `request` on a connection of its own; the reply, up to the server's end.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Stops it as a terminal or a service manager does. What it printed after its first line.
    fn stop(mut self, signal: Signal) -> String {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
        let status = ended(&mut self.process);
        assert!(status.success(), "{status}");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when the process has ended already, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program that says little to its end.
fn run(command: &mut Command) -> Output {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    ended(&mut process);
    process.wait_with_output().unwrap()
}

#[test]
fn the_verbs_come_in_order() {
    let output = run(&mut Command::new(built("01_the_verbs")));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut calls: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with(['#', ' ']))
        .map(|line| line.split('(').next().unwrap())
        .collect();
    // TCP may bring two writes in one read or in two.
    calls.dedup();
    let expected = "socket setsockopt bind getsockname listen socket connect accept4 \
        getsockname getpeername getsockname getpeername \
        write read write read shutdown read write read close read close";
    assert_eq!(calls.join(" "), expected);
    let facts = |name| -> Vec<&str> {
        let values = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(name));
        values.map(str::trim).collect()
    };
    assert_eq!(facts("protocol"), ["TCP", "TCP"]);
    assert_eq!(facts("local address"), ["127.0.0.1", "127.0.0.1"]);
    assert_eq!(facts("remote address"), ["127.0.0.1", "127.0.0.1"]);
    let (local, remote) = (facts("local port"), facts("remote port"));
    assert_eq!(local.len(), 2);
    assert_eq!(
        [local[0], local[1]],
        [remote[1], remote[0]],
        "one connection, seen from its two ends"
    );
}

#[test]
fn http_hello() {
    let server = Server::start("05_http_hello");
    let get = |path: &str, last: bool| {
        let close = if last { "Connection: close\r\n" } else { "" };
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n{close}\r\n")
    };
    let pipelined = get("/", false) + &get("/nowhere", false) + &get("/", true);
    let replies = server.ask(&pipelined);
    let status: Vec<_> = replies
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &replies[at + 9..at + 12])
        .collect();
    assert_eq!(status, ["200", "404", "200"], "{replies}");
    assert!(replies.ends_with("\r\n\r\nHello, World!"), "{replies}");

    let refused = server.ask("GET / HTTP/1.1\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 400 "), "no Host: {refused}");
    assert_eq!(server.stop(Signal::SIGTERM), "3 requests answered\n");
}

#[test]
fn websocket_echo() {
    let server = Server::start("06_websocket_echo");
    let page = server.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(
        page.contains("Content-Type: text/html; charset=utf-8\r\n"),
        "{page}"
    );
    assert!(
        page.contains("new WebSocket(") && page.ends_with("</html>\n"),
        "{page}"
    );
    let plain = server.ask("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(plain.starts_with("HTTP/1.1 426 "), "{plain}");

    let mut stream = server.connect();
    // The key and the answer of RFC 6455 §1.3.
    let handshake = "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(handshake.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    expect(&mut stream, b"\x81\x04ahoy");
    // The masked "Hello" of RFC 6455 §5.7, then a Close with code 1000 under a mask of zeros.
    stream
        .write_all(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
        .unwrap();
    expect(&mut stream, b"\x81\x05Hello");
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
    expect(&mut stream, b"\x88\x02\x03\xe8");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "the server ends the connection");
    drop(stream);

    let printed = server.stop(Signal::SIGINT);
    assert!(
        printed.contains("a client has left after 1 messages\n"),
        "{printed}"
    );
    assert!(printed.ends_with("1 messages echoed\n"), "{printed}");
}

#[test]
fn the_trace_shows_a_request() {
    let run = |backend: &str| {
        let output = run(Command::new(built("15_trace")).arg(backend));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run("epoll");
    let place = |wanted: &str| {
        text.find(wanted)
            .unwrap_or_else(|| panic!("{wanted}: {text}"))
    };
    assert!(place("accept4(") < place("recv(") && place("recv(") < place("<< GET /\n"));
    assert!(
        place("<< GET /\n") < place("send(") && place("send(") < place(">> GET / → 200, 13 bytes")
    );
    assert!(place(">> GET / → 200") < place("the client got: HTTP/1.1 200 OK"));
    assert!(
        text.contains("   1 accept4\n") && text.contains("   1 send\n"),
        "{text}"
    );
    if std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
        .is_ok_and(|text| text.trim() == "0")
    {
        let text = run("io-uring");
        assert!(
            text.contains("[sqe] send(slot 0, ") && text.contains("[cqe] send = "),
            "{text}"
        );
    }
}

#[test]
fn the_environment_turns_the_trace_on() {
    // A server that starts all the same would never end.
    let output = run(Command::new(built("05_http_hello"))
        .arg("127.0.0.1:0")
        .env("LONGSHORE_TRACE", "yes"));
    assert_eq!(output.stdout, b"");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("LONGSHORE_TRACE must be 1"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");

    let mut server = Server::traced("05_http_hello");
    let mut stderr = server.process.stderr.take().unwrap();
    let reply = server.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(reply.ends_with("Hello, World!"), "{reply}");
    assert_eq!(server.stop(Signal::SIGTERM), "1 requests answered\n");
    let mut trace = String::new();
    stderr.read_to_string(&mut trace).unwrap();
    assert!(trace.contains(">> GET / → 200, 13 bytes"), "{trace}");
}

fn expect(stream: &mut TcpStream, frame: &[u8]) {
    let mut bytes = vec![0; frame.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, frame);
}
