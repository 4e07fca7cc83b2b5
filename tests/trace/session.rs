//! A server that is traced, and a scripted session with it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::ended::{PATIENCE, ended};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_longshore");
/// Stands before a program that is run to its end. One that never ends is killed, and fails its test.
pub(crate) const BOUNDED: [&str; 3] = ["timeout", "--kill-after=5", "60"];
/// Above what is read into memory, so that a poller sends it with sendfile(2).
const LARGE_BYTES: usize = 100_000;

/// A folder of the test's own, removed at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("longshore-trace-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("www")).unwrap();
        fs::write(path.join("www/small.txt"), "small\n").unwrap();
        fs::write(path.join("www/large.bin"), vec![b'x'; LARGE_BYTES]).unwrap();
        // A file with a sibling that stands in for it, where both are opened, and a directory without an index.
        fs::write(path.join("www/page.txt"), "page\n").unwrap();
        fs::write(path.join("www/page.txt.gz"), "as if compressed\n").unwrap();
        fs::create_dir_all(path.join("www/empty")).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running `longshore trace … serve`, perhaps beneath strace.
pub(crate) struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    /// The program itself.
    pid: Pid,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `wrapper… longshore before… serve after…`.
    pub(crate) fn start(
        wrapper: &[&str],
        before: &[&str],
        after: &[&str],
        stderr: Stdio,
        folder: &Folder,
    ) -> Self {
        let mut words = wrapper.to_vec();
        words.push(PROGRAM);
        words.extend(before);
        let root = folder.path("www");
        words.extend(["serve", "--listen", "127.0.0.1:0", "--workers", "1"]);
        words.extend(["--root", &root]);
        words.extend(after);
        Self::launch(&words, !wrapper.is_empty(), stderr)
    }

    /// Starts `wrapper… longshore before… echo --model model`.
    pub(crate) fn echo(wrapper: &[&str], before: &[&str], model: &str) -> Self {
        Self::echo_of("tcp", wrapper, before, model)
    }

    /// The same for another kind of socket with addresses of the internet: `udp`.
    pub(crate) fn echo_of(kind: &str, wrapper: &[&str], before: &[&str], model: &str) -> Self {
        let mut words = wrapper.to_vec();
        words.push(PROGRAM);
        words.extend(before);
        words.extend(["echo", kind, "--listen", "127.0.0.1:0", "--model", model]);
        Self::launch(&words, !wrapper.is_empty(), Stdio::inherit())
    }

    fn launch(words: &[&str], wrapped: bool, stderr: Stdio) -> Self {
        let mut process = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("listening on http://")
            .or(line.strip_prefix("listening on tcp "))
            .or(line.strip_prefix("listening on udp "))
            .unwrap_or_default();
        let address = address.split(' ').next().unwrap();
        let address = address.parse().unwrap_or_else(|_| panic!("{line:?}"));
        let own = process.id().cast_signed();
        let pid = if wrapped {
            let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
            children.unwrap().trim().parse().unwrap()
        } else {
            own
        };
        Self {
            process,
            output,
            pid: Pid::from_raw(pid),
            address,
        }
    }

    pub(crate) fn take_stderr(&mut self) -> std::process::ChildStderr {
        self.process.stderr.take().unwrap()
    }

    /// Stops it as a terminal does; it must end well. What it printed after its first line.
    pub(crate) fn stop(mut self) -> String {
        kill(self.pid, Signal::SIGTERM).unwrap();
        let status = ended(&mut self.process);
        assert!(status.success(), "{status}");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The whole script: kept connections, a file of each kind, a WebSocket, a half-close, a refusal and a reset.
    pub(crate) fn session(&self) {
        let mut kept = self.connect();
        for _ in 0..3 {
            assert!(ask(&mut kept, "GET", "/plaintext").starts_with("HTTP/1.1 200 "));
        }
        assert!(ask(&mut kept, "GET", "/nowhere").starts_with("HTTP/1.1 404 "));
        assert!(ask(&mut kept, "GET", "/static/small.txt").ends_with("small\n"));
        let large = ask(&mut kept, "GET", "/static/large.bin");
        assert!(large.len() > LARGE_BYTES);
        let sibling = ask_with(
            &mut kept,
            "GET",
            "/static/page.txt",
            "Accept-Encoding: gzip\r\n",
        );
        assert!(sibling.ends_with("as if compressed\n"), "{sibling}");
        assert!(ask(&mut kept, "GET", "/static/empty").starts_with("HTTP/1.1 301 "));
        assert!(ask(&mut kept, "GET", "/static/empty/").starts_with("HTTP/1.1 404 "));
        end(kept);
        self.websocket();
        let mut half = self.connect();
        half.write_all(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        half.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        half.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        let mut refused = self.connect();
        refused.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut reply = String::new();
        refused.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
        self.reset();
        // Whoever is answered after the reset knows that it was seen.
        let mut last = self.connect();
        assert!(ask(&mut last, "GET", "/plaintext").starts_with("HTTP/1.1 200 "));
        end(last);
    }

    pub(crate) fn websocket(&self) {
        let mut stream = self.connect();
        // The key and the answer of RFC 6455 §1.3.
        let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(handshake.as_bytes()).unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 101 "));
        // The masked "Hello" of RFC 6455 §5.7, then a Close with code 1000 under a mask of zeros.
        stream
            .write_all(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
            .unwrap();
        let mut echo = [0; 7];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"\x81\x05Hello");
        stream.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"\x88\x02\x03\xe8");
    }

    /// Asks, and breaks the connection off with an RST in place of a FIN.
    fn reset(&self) {
        let stream = self.connect();
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        (&stream)
            .write_all(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut byte = [0];
        (&stream).read_exact(&mut byte).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already, as it should have.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = self.process.wait();
    }
}

/// Lets the server see the end, and waits for its own.
pub(crate) fn end(mut stream: TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
}

/// Runs `wrapper… longshore before… connect target…` with this input to its end; what it printed.
pub(crate) fn connect(wrapper: &[&str], before: &[&str], target: &[&str], input: &str) -> String {
    let mut words = BOUNDED.to_vec();
    words.extend(wrapper);
    words.push(PROGRAM);
    words.extend(before);
    words.push("connect");
    words.extend(target);
    let mut client = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The program, to be run to its end.
pub(crate) fn program() -> Command {
    let mut command = Command::new(BOUNDED[0]);
    command.args(&BOUNDED[1..]).arg(PROGRAM);
    command
}

/// Reads a head, byte by byte.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Asks on a kept connection; the reply whose length its head says.
pub(crate) fn ask(stream: &mut TcpStream, method: &str, path: &str) -> String {
    ask_with(stream, method, path, "")
}

/// The same with further fields, each with its CRLF.
fn ask_with(stream: &mut TcpStream, method: &str, path: &str, fields: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    // In one piece, so that it is one packet.
    stream.write_all(request.as_bytes()).unwrap();
    let head = head(stream);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// The events of a trace that was written as JSON lines.
pub(crate) fn events(path: impl AsRef<Path>) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "lines are whole");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// Whether io_uring may be used here.
pub(crate) fn has_ring() -> bool {
    let doctor = Command::new(PROGRAM).args(["doctor", "--json"]).output();
    let text = String::from_utf8(doctor.unwrap().stdout).unwrap();
    let has = text.contains("\"name\":\"io-uring\",\"ok\":true");
    if !has {
        eprintln!("SKIPPED on io-uring, which is refused here: {text}");
    }
    has
}

/// Whether strace is installed and may trace here.
pub(crate) fn has_strace() -> bool {
    let tried = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    let has = tried.is_ok_and(|status| status.success());
    if !has {
        eprintln!("SKIPPED: strace is not installed, or may not trace here; nothing was compared");
    }
    has
}
