//! Runs `examples/07` and `12` to `14`, and talks to them as their head comments say that one can.
//!
//! It does not know how they work inside: only what they print, and what their bytes must be.
#![cfg(feature = "server")]

mod built;
#[path = "built/ended.rs"]
mod ended;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, fs, process};

use built::built;
use ended::{PATIENCE, ended};
use longshore::client::{Event, Options, WebSocket};
use longshore::ws::{CloseCode, Kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running example, killed if a test fails before it was stopped.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    /// What it printed before it listened.
    before: String,
    address: SocketAddr,
}

impl Server {
    fn start(example: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(built(example))
            .arg("127.0.0.1:0")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built the examples");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut before = String::new();
        let address = loop {
            let mut line = String::new();
            let count = output.read_line(&mut line).unwrap();
            assert_ne!(count, 0, "{example} does not listen: {before}");
            match line.strip_prefix("listening on http://") {
                Some(address) => break address.trim().parse().unwrap(),
                None => before += &line,
            }
        };
        Self {
            process,
            output,
            before,
            address,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends `request` on a connection of its own; the reply, up to the server's end.
    fn ask(&self, request: &str) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        reply
    }

    /// GET on a connection of its own: head and content.
    fn get(&self, path: &str, fields: &str) -> (String, Vec<u8>) {
        let reply = self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n"
        ));
        let end = reply.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, content) = reply.split_at(end.expect("a head") + 4);
        (String::from_utf8(head.to_vec()).unwrap(), content.to_vec())
    }

    fn websocket(&self, path: &str) -> WebSocket<TcpStream> {
        let uri = format!("ws://{}{path}", self.address);
        let options = Options {
            read_timeout: Some(PATIENCE),
            ..Options::default()
        };
        WebSocket::connect(&uri, &options).unwrap()
    }

    /// Stops it as a terminal does. What it printed after its first lines.
    fn stop(mut self) -> String {
        kill(
            Pid::from_raw(self.process.id().cast_signed()),
            Signal::SIGINT,
        )
        .unwrap();
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

fn hears(socket: &mut WebSocket<TcpStream>, expected: &str) {
    assert_eq!(socket.next().unwrap(), Event::Text(expected));
}

#[test]
fn chat() {
    let server = Server::start("07_chat", &[]);
    let (head, page) = server.get("/", "");
    assert!(head.contains("Content-Type: text/html; charset=utf-8\r\n"));
    assert!(String::from_utf8(page).unwrap().contains("new WebSocket("));
    let (head, _) = server.get("/room", "");
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");

    let mut ada = server.websocket("/room");
    ada.send_text(" Ada ").unwrap();
    hears(&mut ada, "Ada has come in");
    let mut bob = server.websocket("/room");
    bob.send_text("Bob").unwrap();
    hears(&mut bob, "Ada has come in"); // the history
    hears(&mut bob, "Bob has come in");
    bob.send_text("<b>Hi!</b>").unwrap();
    hears(&mut ada, "Bob has come in");
    for socket in [&mut ada, &mut bob] {
        hears(socket, "Bob: <b>Hi!</b>");
    }
    bob.send(Kind::Text, &[b'x'; 2001]).unwrap();
    let refused = bob.next().unwrap();
    assert!(matches!(
        refused,
        Event::Closed(Some(CloseCode::TOO_BIG), _)
    ));
    hears(&mut ada, "Bob has left");

    let mut nameless = server.websocket("/room");
    nameless.send_text("   ").unwrap();
    let refused = nameless.next().unwrap();
    assert!(matches!(refused, Event::Closed(Some(CloseCode::POLICY), _)));

    // Ada answers the server's farewell on this thread while the other one waits for it to end.
    let told = std::thread::spawn(move || {
        let farewell = ada.next().unwrap();
        matches!(farewell, Event::Closed(Some(CloseCode::GOING_AWAY), _))
    });
    assert!(server.stop().ends_with("messages heard\n"));
    assert!(told.join().unwrap());
}

#[test]
fn parser_only() {
    let server = Server::start("12_parser_only", &[]);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut stream = server.connect();
    stream.set_nodelay(true).unwrap();
    // Byte by byte, and the last byte with two more requests: one with a body, one that is the last.
    let (most, last) = request.split_at(request.len() - 1);
    for byte in most.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
    }
    let rest = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET GET /x HTTP/1.1\r\nHost: a\r\n\
                Connection: close\r\n\r\n";
    stream
        .write_all(format!("{last}{rest}").as_bytes())
        .unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    let status: Vec<_> = replies
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &replies[at + 9..at + 12])
        .collect();
    assert_eq!(status, ["200", "200", "404"], "{replies}");

    let refused = server.ask("GET / HTTP/1.1\nHost: a\n\n");
    assert!(refused.starts_with(b"HTTP/1.1 400 "), "bare LF");
    let huge = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(20_000));
    assert!(server.ask(&huge).starts_with(b"HTTP/1.1 431 "));
    let (head, _) = server.get("/echo", "");
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    assert!(head.contains("Upgrade: websocket\r\n"), "{head}");

    let mut socket = server.websocket("/echo");
    for text in ["ahoy", "", &"ä".repeat(100_000)] {
        socket.send_text(text).unwrap();
        hears(&mut socket, text);
    }
    socket.ping(b"?").unwrap();
    assert_eq!(socket.next().unwrap(), Event::Pong(b"?"));
    socket.close(Some(CloseCode::NORMAL), "done").unwrap();
    let end = socket.next().unwrap();
    assert_eq!(end, Event::Closed(Some(CloseCode::NORMAL), ""));
}

#[test]
fn frames_right_behind_the_handshake_are_frames() {
    let server = Server::start("12_parser_only", &[]);
    // The key of RFC 6455 §1.3, the frame of §5.7, and a Close with code 1000 under a mask of zeros: one write.
    let mut bytes =
        b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
    bytes
        .extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\0\0\0\0\x03\xe8");
    let mut stream = server.connect();
    stream.write_all(&bytes).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let text = String::from_utf8_lossy(&reply);
    assert!(text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
    assert!(
        reply.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xe8"),
        "{text}"
    );
}

#[test]
fn other_threads() {
    let server = Server::start("13_other_threads", &[]);
    for (below, primes) in [(0, 0), (2, 0), (3, 1), (100, 25), (1_000_000, 78_498)] {
        let (_, content) = server.get(&format!("/primes?below={below}"), "");
        let expected = format!("{primes} primes below {below}\n");
        assert_eq!(String::from_utf8(content).unwrap(), expected);
    }
    for query in ["", "?below=", "?below=x", "?below=-1", "?below=100000001"] {
        let (head, _) = server.get(&format!("/primes{query}"), "");
        assert!(head.starts_with("HTTP/1.1 400 "), "{query}: {head}");
    }

    // More jobs than the pool and its queue hold, each long enough that none is done before all have come.
    let mut waiting: Vec<_> = (0..30).map(|_| server.connect()).collect();
    for stream in &mut waiting {
        let job = "GET /primes?below=9000000 HTTP/1.1\r\nHost: a\r\n\r\n\
                   GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(job.as_bytes()).unwrap();
    }
    // The one worker is free.
    let (_, content) = server.get("/", "");
    assert_eq!(content, b"Ask for /primes?below=1000\n");
    let mut counted = 0;
    for stream in &mut waiting {
        let mut replies = String::new();
        stream.read_to_string(&mut replies).unwrap();
        let is_counted = replies.starts_with("HTTP/1.1 200 ");
        assert!(
            is_counted || replies.starts_with("HTTP/1.1 503 "),
            "{replies}"
        );
        assert_eq!(replies.contains("602489 primes"), is_counted);
        assert!(
            replies.ends_with("Ask for /primes?below=1000\n"),
            "in order"
        );
        counted += usize::from(is_counted);
    }
    assert!((2..30).contains(&counted), "{counted} of 30");
    assert_eq!(server.stop(), "71 requests answered\n");
}

#[test]
fn files() {
    let folder = Folder::new();
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    fs::write(folder.0.join("big.bin"), &content).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.0.join("way-out")).unwrap();
    for backend in ["epoll", "mio", "auto"] {
        let server = Server::start("14_files", &[folder.0.to_str().unwrap(), backend]);
        let calls = &server.before;
        assert!(
            calls.contains("O_DIRECTORY") && calls.contains("RESOLVE_BENEATH"),
            "{calls}"
        );
        let (head, whole) = server.get("/big.bin", "");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(whole == content, "{} bytes", whole.len());
        let (head, part) = server.get("/big.bin", "Range: bytes=70-79\r\n");
        assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
        assert_eq!(part, content[70..80]);
        for path in ["/way-out", "/nothing"] {
            let (head, _) = server.get(path, "");
            assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
        }
        let printed = server.stop();
        assert!(printed.starts_with("4 requests answered\n"), "{printed}");
        let bytes = |call: &str| -> u64 {
            let mut lines = printed.lines();
            let line = lines.find(|line| line.split_whitespace().next() == Some(call));
            let last = line.and_then(|line| line.split_whitespace().last());
            last.map_or(0, |digits| digits.parse().unwrap())
        };
        if printed.contains("io_uring_enter") {
            assert_eq!(bytes("sendfile"), 0, "{printed}");
            assert!(bytes("send") > 3_000_000, "{printed}");
        } else {
            assert_eq!(bytes("sendfile"), 3_000_000, "{printed}");
            assert!(bytes("send") < 10_000, "heads alone: {printed}");
        }
    }
}

/// A folder for one test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("longshore-example-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
