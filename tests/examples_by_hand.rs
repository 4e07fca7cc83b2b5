//! Starts the hand-written servers of the course (`examples/02` to `04`) and talks to them over raw TCP.
//!
//! The three must behave alike whatever the peer does with its bytes: pipelined requests, a request that arrives byte by
//! byte, a half-close, a reset, a peer that reads late, a head without an end. Each server is told after how many
//! connections to end, so that a test also proves that every one of them was closed.
//!
//! It does not know how they work inside: only the address that they print, and the bytes of their reply.

mod built;
#[path = "built/ended.rs"]
mod ended;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use built::built;
use ended::{PATIENCE, ended};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: longshore\r\n\r\n";
const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/// A running example, killed if a test fails before the example has ended.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    /// `None` when the kernel refuses what the example is about: then there is nothing to test here.
    fn start(example: &str, connections: u32) -> Option<Self> {
        let mut process = Command::new(built(example))
            .args(["127.0.0.1:0", "--once", &connections.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cargo has built the examples");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            let mut why = String::new();
            let mut stderr = process.stderr.take().unwrap();
            stderr.read_to_string(&mut why).unwrap();
            process.wait().unwrap();
            assert!(why.contains("io_uring is refused here"), "{example}: {why}");
            eprintln!("SKIPPED {example}: {why}");
            return None;
        };
        let address = address.parse().unwrap();
        Some(Self { process, address })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The example has seen all its connections closed and says goodbye by itself.
    fn ends(mut self) {
        // One that goes on running has a connection that it did not close.
        let status = ended(&mut self.process);
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when the process has ended already, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_replies(stream: &mut TcpStream, count: usize) {
    let mut bytes = vec![0; REPLY.len() * count];
    stream.read_exact(&mut bytes).unwrap();
    assert!(bytes == REPLY.repeat(count), "a reply differs");
}

fn read_end(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "bytes behind the last reply");
}

fn keep_alive_then_pipelined(server: &Server) {
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(REQUEST).unwrap();
        read_replies(&mut stream, 1);
    }
    stream.write_all(&REQUEST.repeat(100)).unwrap();
    read_replies(&mut stream, 100);
}

fn byte_by_byte(server: &Server) {
    let mut stream = server.connect();
    for byte in REQUEST.repeat(2) {
        stream.write_all(&[byte]).unwrap();
        thread::sleep(Duration::from_micros(200));
    }
    read_replies(&mut stream, 2);
}

fn half_close(server: &Server) {
    let mut stream = server.connect();
    stream.write_all(&REQUEST.repeat(5)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    read_replies(&mut stream, 5);
    read_end(&mut stream);
}

/// With a linger time of zero, close(2) sends RST instead of FIN.
fn reset(server: &Server) {
    for request in [&b""[..], b"GET / HT", REQUEST] {
        let mut stream = server.connect();
        stream.write_all(request).unwrap();
        let zero = Some(Duration::ZERO);
        socket2::SockRef::from(&stream).set_linger(zero).unwrap();
    }
}

/// Sends far more requests than replies fit into the sockets' buffers, and reads only then.
fn late_reader(server: &Server) {
    const REQUESTS: usize = 300_000;
    let mut stream = server.connect();
    let mut sender = stream.try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&REQUEST.repeat(REQUESTS)));
    thread::sleep(Duration::from_millis(300));
    read_replies(&mut stream, REQUESTS);
    sending.join().unwrap().unwrap();
}

fn head_without_end(server: &Server) {
    let mut stream = server.connect();
    // The server may close while we still write.
    let written = stream.write_all(&b"a".repeat(20_000));
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => assert_eq!(rest, b""),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{written:?}"),
    }
}

fn many_at_once(server: &Server, count: usize) {
    let mut streams: Vec<_> = (0..count).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(&REQUEST.repeat(3)).unwrap();
    }
    for stream in streams.iter_mut().rev() {
        read_replies(stream, 3);
    }
}

fn everything(example: &str) {
    let Some(server) = Server::start(example, 8 + 40) else {
        return;
    };
    keep_alive_then_pipelined(&server);
    byte_by_byte(&server);
    half_close(&server);
    reset(&server); // three connections
    late_reader(&server);
    many_at_once(&server, 40);
    head_without_end(&server);
    server.ends();
}

#[test]
fn blocking_threads() {
    everything("02_blocking_threads");
}

#[test]
fn epoll_by_hand() {
    everything("03_epoll_by_hand");
}

#[cfg(feature = "io-uring")]
#[test]
fn io_uring_by_hand() {
    everything("04_io_uring_by_hand");
}
