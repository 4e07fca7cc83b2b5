//! Runs the examples of protocols over raw sockets (08 to 11, and 16) on every backend, and does what their head comments
//! say.
//!
//! It does not know how they work inside: only what they print, and what their bytes must be.
#![cfg(all(feature = "epoll", feature = "io-uring", feature = "mio"))]

mod built;
#[path = "built/ended.rs"]
mod ended;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use built::built;
use ended::{PATIENCE, ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const BACKENDS: [&str; 4] = ["epoll", "io-uring", "mio", "auto"];
/// A running example, killed if a test fails before it was stopped.
struct Example {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        Self::spawned(Command::new(built(name)).args(arguments))
    }

    fn spawned(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built the examples");
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut example = Self {
            process,
            output,
            address: String::new(),
        };
        let line = example.line();
        let address = line.strip_prefix("listening on ").expect("the first line");
        address.clone_into(&mut example.address);
        example
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn inet(&self) -> SocketAddr {
        self.address.parse().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.inet()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Stops it as a terminal does. What it printed since the last line that was read.
    fn stop(mut self) -> String {
        kill(
            Pid::from_raw(self.process.id().cast_signed()),
            Signal::SIGINT,
        )
        .unwrap();
        self.rest()
    }

    /// What it prints up to its end.
    fn rest(&mut self) -> String {
        let status = ended(&mut self.process);
        assert!(status.success(), "{status}");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Fails when the process has ended already, as it should have.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn expect(stream: &mut impl Read, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, expected);
}

#[test]
fn own_protocol() {
    for backend in BACKENDS {
        let example = Example::start("08_own_protocol", &["127.0.0.1:0", backend]);
        let mut stream = example.connect();
        // Each byte comes by itself, so most of a frame is kept between two of them.
        stream.set_nodelay(true).unwrap();
        for byte in b"\0\0\0\x04ahoy" {
            stream.write_all(&[*byte]).unwrap();
        }
        expect(&mut stream, b"\0\0\0\x04yoha");
        let mut frames = Vec::new();
        let mut expected = Vec::new();
        for length in [0_u32, 1, 1000, 65_536] {
            let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
            frames.extend(length.to_be_bytes());
            frames.extend(&payload);
            expected.extend(length.to_be_bytes());
            expected.extend(payload.iter().rev());
        }
        stream.write_all(&frames).unwrap();
        expect(&mut stream, &expected);
        drop(stream);

        let mut greedy = example.connect();
        greedy.write_all(b"\x7f\0\0\0").unwrap();
        let end = greedy.read(&mut [0; 8]);
        assert!(!matches!(end, Ok(1..)), "{backend}: {end:?}");
        let printed = example.stop();
        assert!(printed.contains("has left after 5 frames\n"), "{printed}");
        assert!(printed.ends_with("5 frames answered\n"), "{printed}");
    }
}

#[test]
fn udp() {
    for backend in BACKENDS {
        let mut example = Example::start("09_udp", &["127.0.0.1:0", backend]);
        let borders: Vec<_> = (0..3).map(|_| example.line()).collect();
        let into = "into 6 bytes, truncated";
        let expected = [
            format!("sent  4 bytes, received \"four\" {into}: false"),
            format!("sent  0 bytes, received \"\" {into}: false"),
            format!("sent 12 bytes, received \"twelve\" {into}: true"),
        ];
        assert_eq!(borders, expected);
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(example.inet()).unwrap();
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                client
            })
            .collect();
        let mut buf = [0; 2048];
        let mut ask = |client: &UdpSocket, payload: &[u8]| {
            client.send(payload).unwrap();
            let count = client.recv(&mut buf).unwrap();
            buf[..count].to_vec()
        };
        assert_eq!(ask(&clients[0], b""), b"", "an empty one is one");
        assert_eq!(ask(&clients[0], &[b'x'; 1400]), [b'x'; 1400]);
        assert_eq!(ask(&clients[1], b"join"), b"1 members\n");
        assert_eq!(ask(&clients[2], b"join\n"), b"2 members\n");
        clients[0].send(b"all: hear me").unwrap();
        for member in &clients[1..] {
            let count = member.recv(&mut [0; 64]).unwrap();
            assert_eq!(count, b"hear me".len(), "{backend}");
        }
        assert!(example.stop().ends_with("5 datagrams taken, 0 lost\n"));
    }
}

#[test]
fn unix_sockets() {
    for backend in BACKENDS {
        let directory = std::env::temp_dir().join(format!("longshore-10-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("socket");
        let address = format!("unix:{}", path.display());
        let mut example = Example::start("10_unix_sockets", &[&address, backend]);
        assert_eq!(example.address, address);
        assert_eq!(example.line(), format!("datagrams to {address}.datagrams"));
        let stream = UnixStream::connect(&path).unwrap();
        greeted_and_echoed(stream);

        let ours = directory.join("ours");
        let socket = UnixDatagram::bind(&ours).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        for payload in [&b"one"[..], b"", b"three"] {
            socket
                .send_to(payload, directory.join("socket.datagrams"))
                .unwrap();
            let mut buf = [0; 16];
            let count = socket.recv(&mut buf).unwrap();
            assert_eq!(&buf[..count], payload, "{backend}");
        }
        assert!(example.stop().ends_with("1 clients, 3 datagrams\n"));
        let left: Vec<_> = std::fs::read_dir(&directory).unwrap().collect();
        assert_eq!(left.len(), 1, "only our own path is left: {left:?}");
        std::fs::remove_dir_all(&directory).unwrap();

        let name = format!("longshore-10-{backend}-{}", std::process::id());
        let example = Example::start("10_unix_sockets", &[&format!("unix:@{name}"), backend]);
        let at = UnixAddress::from_abstract_name(&name).unwrap();
        greeted_and_echoed(UnixStream::connect_addr(&at).unwrap());
        example.stop();
    }
}

fn greeted_and_echoed(mut stream: UnixStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let me = std::fs::metadata("/proc/self").unwrap();
    let (process, user, group) = (std::process::id(), me.uid(), me.gid());
    let greeting = format!("you are process {process} of user {user}, group {group}\n");
    expect(&mut stream, greeting.as_bytes());
    stream.write_all(b"ahoy").unwrap();
    expect(&mut stream, b"ahoy");
}

#[test]
fn foreign_loop() {
    for backend in BACKENDS {
        let mut example = Example::start("11_foreign_loop", &["127.0.0.1:0", backend]);
        let mut guests = [example.connect(), example.connect()];
        for guest in &mut guests {
            expect(guest, b"welcome\n");
        }
        let counts = [example.line(), example.line()];
        assert_eq!(counts, ["1 guests", "2 guests"]);
        let mut input = example.process.stdin.take().unwrap();
        for round in 0..10 {
            let line = format!("round {round}\n");
            input.write_all(line.as_bytes()).unwrap();
            for guest in &mut guests {
                expect(guest, line.as_bytes());
            }
            guests[0].write_all(b"heard\n").unwrap();
            assert_eq!(example.line(), "a guest says: heard", "{backend}");
        }
        drop(input);
        for guest in &mut guests {
            assert_eq!(guest.read(&mut [0; 8]).unwrap(), 0, "it ends in good order");
        }
        drop(guests);
        let printed = example.rest();
        let turns = printed.lines().last().unwrap().strip_suffix(" turns");
        let turns: u32 = turns.unwrap().parse().unwrap();
        assert!(turns < 500, "{backend}: {turns} turns for some 40 events");
    }
}

#[test]
fn several_reactors() {
    for backend in BACKENDS {
        for way in ["share", "hand"] {
            let example = Example::start("16_several_reactors", &["127.0.0.1:0", way, backend]);
            let mut greeted = [0; 4];
            for _ in 0..32 {
                let mut stream = example.connect();
                let mut line = [0; 7];
                stream.read_exact(&mut line).unwrap();
                assert_eq!(&line[..5], b"loop ");
                greeted[usize::from(line[5] - b'0')] += 1;
                stream.write_all(b"echo").unwrap();
                expect(&mut stream, b"echo");
            }
            let printed = example.stop();
            let lines = printed.lines().zip(greeted.iter().enumerate());
            for (line, (number, clients)) in lines {
                assert_eq!(line, format!("loop {number}: {clients} clients"));
            }
            assert_eq!(printed.lines().count(), 4, "{backend} {way}");
            if way == "hand" {
                assert_eq!(greeted, [8; 4], "handed round");
            } else {
                let served = greeted.iter().filter(|clients| **clients > 0).count();
                assert!(served > 1, "the kernel spreads clients: {greeted:?}");
            }
        }
    }
}

#[test]
fn the_environment_shows_their_calls() {
    for (name, arguments) in [
        ("08_own_protocol", &["127.0.0.1:0", "epoll"][..]),
        ("09_udp", &["127.0.0.1:0", "epoll"]),
        ("16_several_reactors", &["127.0.0.1:0", "share", "epoll"]),
    ] {
        let mut command = Command::new(built(name));
        // A trace of nothing but the start: it fits into the pipe.
        let command = command.args(arguments).env("LONGSHORE_TRACE", "1");
        let mut example = Example::spawned(command.stderr(Stdio::piped()));
        let mut stderr = example.process.stderr.take().unwrap();
        example.stop();
        let mut trace = String::new();
        stderr.read_to_string(&mut trace).unwrap();
        assert!(
            trace.contains("epoll_create1(EPOLL_CLOEXEC) = "),
            "{name}: {trace}"
        );
    }
}
