//! Bodies that are produced while the peer reads, and bodies that are taken in as fast as somebody can use them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use longshore::http::{Head, Status};
use longshore::sys::Address;
use longshore::{
    Backend, Body, BodySender, Handler, Incoming, Produced, Replied, Reply, Request, Response,
    SendError, Server, Source, Stopper, Ticket, Wake, Workers,
};

const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Mio];

/// `left` bytes of a pattern, some at a time.
struct Pattern {
    left: u64,
    at: u64,
    asked: Arc<AtomicU64>,
    trailers: Vec<(String, Vec<u8>)>,
    ending: Produced,
}

impl Source for Pattern {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        let count = self.left.min(1000);
        out.extend((self.at..self.at + count).map(pattern));
        self.at += count;
        self.left -= count;
        self.asked.fetch_add(count, Ordering::SeqCst);
        if self.left == 0 {
            self.ending
        } else {
            Produced::More
        }
    }

    fn trailers(&mut self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.trailers)
    }
}

fn pattern(at: u64) -> u8 {
    (at % 251) as u8
}

fn patterned(count: u64) -> Vec<u8> {
    (0..count).map(pattern).collect()
}

struct Panics;

impl Source for Panics {
    fn produce(&mut self, _: &mut Vec<u8>) -> Produced {
        panic!("a source's bug")
    }
}

/// Says what it finds in its box, and waits for a wake when that is empty.
struct Box1(Arc<Mutex<Option<&'static str>>>);

impl Source for Box1 {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        match self.0.lock().expect("no panic").take() {
            Some("end") => Produced::End,
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Produced::More
            }
            None => Produced::Later,
        }
    }
}

enum Told {
    Waits(Wake, Arc<Mutex<Option<&'static str>>>),
    Sends(BodySender),
    Ticket(Ticket),
    Paused(Wake),
}

struct Application {
    tell: Sender<Told>,
    asked: Arc<AtomicU64>,
}

impl Application {
    fn source(&self, bytes: u64) -> Pattern {
        Pattern {
            left: bytes,
            at: 0,
            asked: self.asked.clone(),
            trailers: Vec::new(),
            ending: Produced::End,
        }
    }
}

fn number(query: Option<&[u8]>) -> u64 {
    let text = std::str::from_utf8(query.unwrap_or_default()).expect("digits");
    text.parse().unwrap_or(0)
}

impl Handler for Application {
    type Connection = u64;

    fn head(&mut self, head: &Head<'_>, _: &mut u64) -> Body {
        match head.target.path() {
            b"/in" | b"/in-paused" | b"/in-refused" => Body::Stream,
            _ => Body::Collect,
        }
    }

    fn body(&mut self, piece: &mut [u8], incoming: &mut Incoming<'_>, received: &mut u64) {
        *received += piece.len() as u64;
        // The last byte of a paused body says that somebody has time again.
        if piece[0] == b'p' {
            let _ = self.tell.send(Told::Paused(incoming.pause()));
        }
        if piece[0] == b'r' {
            incoming.refuse(Status::FORBIDDEN);
        }
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, received: &mut u64) -> Replied {
        let bytes = number(request.query());
        match request.path() {
            b"/chunked" => reply.status(Status::OK).stream(self.source(bytes)),
            b"/sized" => {
                let source = self.source(bytes);
                reply.status(Status::OK).length(bytes).stream(source)
            }
            b"/too-many" => {
                let source = self.source(bytes + 1);
                reply.status(Status::OK).length(bytes).stream(source)
            }
            b"/too-few" => {
                let source = self.source(bytes);
                reply.status(Status::OK).length(bytes + 1).stream(source)
            }
            b"/trailers" => {
                let mut source = self.source(bytes);
                source.trailers = vec![("Digest".to_owned(), b"abc".to_vec())];
                reply.status(Status::OK).stream(source)
            }
            b"/bad-trailers" => {
                let mut source = self.source(bytes);
                source.trailers = vec![("Content-Length".to_owned(), b"5".to_vec())];
                reply.status(Status::OK).stream(source)
            }
            b"/fails" => {
                let mut source = self.source(bytes);
                source.ending = Produced::Failed;
                reply.status(Status::OK).stream(source)
            }
            b"/panics" => reply.status(Status::OK).stream(Panics),
            b"/not-modified" => reply.status(Status::NOT_MODIFIED).stream(Panics),
            b"/waits" => {
                let said = Arc::default();
                let _ = self.tell.send(Told::Waits(reply.wake(), Arc::clone(&said)));
                reply.status(Status::OK).stream(Box1(said))
            }
            b"/sends" => {
                let (replied, sender) = reply.status(Status::OK).channel();
                let _ = self.tell.send(Told::Sends(sender));
                replied
            }
            b"/ticket" => {
                let (replied, ticket) = reply.defer();
                let _ = self.tell.send(Told::Ticket(ticket));
                replied
            }
            b"/redirect" => reply
                .redirect(Status::FOUND, "/elsewhere")
                .expect("a plain location"),
            b"/split" => match reply.redirect(Status::FOUND, "/a\r\nSet-Cookie: b=c") {
                Ok(replied) => replied,
                Err(error) => panic!("refused, as it should be: {error:?}"),
            },
            b"/ws" => reply
                .websocket_with(&request, &[("X-Server", b"of mine")])
                .expect("a plain field"),
            b"/ws-split" => match reply.websocket_with(&request, &[("X-A", b"a\r\nX-B: c")]) {
                Ok(replied) => replied,
                Err(error) => panic!("refused, as it should be: {error:?}"),
            },
            b"/in" | b"/in-paused" => reply.text(&std::mem::take(received).to_string()),
            _ => reply.text("plain"),
        }
    }
}

struct Running {
    port: u16,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<()>>,
    told: Receiver<Told>,
    asked: Arc<AtomicU64>,
}

fn start(backend: Backend) -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(1))
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let (tell, told) = channel();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = asked.clone();
    let thread = thread::spawn(move || {
        let make = |_| Application {
            tell: tell.clone(),
            asked: counter.clone(),
        };
        bound.run(make).expect("the server runs");
    });
    Running {
        port,
        stopper,
        thread: Some(thread),
        told,
        asked,
    }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        stream
    }

    /// Sends a GET that closes and reads everything.
    fn ask(&self, target: &str) -> (String, Vec<u8>) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        split(&read_all(&mut self.send(&request)))
    }

    fn told(&self) -> Told {
        self.told
            .recv_timeout(Duration::from_secs(20))
            .expect("the handler tells")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

/// Everything until the end, however that came.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    bytes
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more");
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).expect("text")
}

fn split(bytes: &[u8]) -> (String, Vec<u8>) {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(bytes[..end + 2].to_vec()).expect("text");
    (head, bytes[end + 4..].to_vec())
}

/// The data of chunks, and what stands behind the last one; `None` if there is no last one.
fn unchunk(mut bytes: &[u8]) -> Option<(Vec<u8>, String)> {
    let mut data = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some((data, String::from_utf8(bytes.to_vec()).ok()?));
        }
        data.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

fn on_every_backend(test: impl Fn(&Running)) {
    for backend in BACKENDS {
        println!("{backend}");
        test(&start(backend));
    }
}

#[test]
fn a_body_of_unknown_length_comes_in_chunks() {
    on_every_backend(|server| {
        for bytes in [0, 1, 999, 1000, 1001, 300_000] {
            let (head, body) = server.ask(&format!("/chunked?{bytes}"));
            assert!(
                head.contains("\r\nTransfer-Encoding: chunked\r\n"),
                "{head}"
            );
            assert!(!head.contains("Content-Length"), "{head}");
            let (data, rest) = unchunk(&body).expect("whole");
            assert!(data == patterned(bytes) && rest == "\r\n", "{bytes}");
        }
    });
}

#[test]
fn an_old_peer_gets_it_until_the_connection_ends() {
    on_every_backend(|server| {
        let request = "GET /chunked?200000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        let (head, body) = split(&read_all(&mut server.send(request)));
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert!(body == patterned(200_000));
    });
}

#[test]
fn a_declared_length_is_kept_or_the_connection_is_cut() {
    on_every_backend(|server| {
        let (head, body) = server.ask("/sized?70000");
        assert!(head.contains("\r\nContent-Length: 70000\r\n"), "{head}");
        assert!(body == patterned(70_000));
        let (head, body) = server.ask("/too-few?3000");
        assert!(head.contains("\r\nContent-Length: 3001\r\n"), "{head}");
        assert!(body.len() <= 3000);
        let (head, body) = server.ask("/too-many?3000");
        assert!(head.contains("\r\nContent-Length: 3000\r\n"), "{head}");
        assert!(body.len() <= 3000, "not one byte more than was declared");
    });
}

#[test]
fn trailers_stand_behind_the_last_chunk() {
    on_every_backend(|server| {
        let (_, body) = server.ask("/trailers?5000");
        let (data, rest) = unchunk(&body).expect("whole");
        assert!(data == patterned(5000));
        assert_eq!(rest, "Digest: abc\r\n\r\n");
        let (_, body) = server.ask("/bad-trailers?5000");
        assert_eq!(unchunk(&body), None, "framing has no place in trailers");
    });
}

#[test]
fn a_body_that_fails_is_never_taken_for_whole() {
    on_every_backend(|server| {
        assert_eq!(unchunk(&server.ask("/fails?5000").1), None);
        let bytes = read_all(&mut server.send("GET /panics HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!bytes.ends_with(b"0\r\n\r\n"));
        assert_eq!(server.ask("/").1, b"plain", "others are served");
    });
}

#[test]
fn head_and_not_modified_get_no_body_and_ask_no_source() {
    on_every_backend(|server| {
        let mut stream = server.send(
            "HEAD /chunked?9999 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /sized?77 HTTP/1.1\r\nHost: a\r\n\r\n\
             GET /not-modified HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        let text = String::from_utf8(read_all(&mut stream)).expect("text");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 4, "{text}");
        assert!(
            text.contains("Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200"),
            "{text}"
        );
        assert!(
            text.contains("Content-Length: 77\r\n\r\nHTTP/1.1 304"),
            "{text}"
        );
        assert!(text.ends_with("plain"), "{text}");
        assert_eq!(server.asked.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn pipelined_requests_wait_for_the_end_of_the_body() {
    on_every_backend(|server| {
        let request = "GET /sized?100000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3)
            + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut rest = read_all(&mut server.send(&request));
        for _ in 0..3 {
            let (head, body) = split(&rest);
            assert!(head.contains("Content-Length: 100000"));
            assert!(body[..100_000] == patterned(100_000));
            rest = body[100_000..].to_vec();
        }
        assert_eq!(split(&rest).1, b"plain");
    });
}

#[test]
fn a_peer_that_does_not_read_stops_the_source() {
    on_every_backend(|server| {
        let endless = u64::from(u32::MAX);
        let stream = server.send(&format!("GET /sized?{endless} HTTP/1.1\r\nHost: a\r\n\r\n"));
        // Until nothing is asked for any more. What the kernel takes in its buffers is not ours.
        let (mut before, start) = (u64::MAX, Instant::now());
        loop {
            thread::sleep(Duration::from_millis(200));
            let asked = server.asked.load(Ordering::SeqCst);
            if asked == before && asked > 0 {
                break;
            }
            before = asked;
            assert!(start.elapsed() < Duration::from_secs(30), "it never stops");
        }
        assert!(
            before < 64 << 20,
            "{before} bytes wait for a peer that does not read"
        );
        assert_eq!(server.ask("/").1, b"plain", "others are served");
        drop(stream);
    });
}

#[test]
fn a_fast_reader_does_not_hold_the_loop() {
    on_every_backend(|server| {
        let endless = u64::from(u32::MAX);
        let mut greedy = server.send(&format!("GET /sized?{endless} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let stop = Arc::new(AtomicU64::new(0));
        let stopped = stop.clone();
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while stopped.load(Ordering::SeqCst) == 0 {
                assert!(greedy.read(&mut buffer).expect("endless") > 0);
            }
        });
        for _ in 0..50 {
            assert_eq!(server.ask("/").1, b"plain");
        }
        assert!(
            server.asked.load(Ordering::SeqCst) < endless,
            "it had not ended"
        );
        stop.store(1, Ordering::SeqCst);
        reader.join().expect("it read");
    });
}

#[test]
fn a_source_without_news_waits_for_a_wake() {
    on_every_backend(|server| {
        let mut stream = server.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = read_until(&mut stream, "\r\n\r\n");
        assert!(head.contains("chunked"), "{head}");
        let Told::Waits(wake, said) = server.told() else {
            panic!("it waits")
        };
        for news in ["first", "second"] {
            *said.lock().expect("no panic") = Some(news);
            wake.wake();
            let chunk = read_until(&mut stream, &format!("{news}\r\n"));
            assert_eq!(chunk, format!("{:x}\r\n{news}\r\n", news.len()));
        }
        *said.lock().expect("no panic") = Some("end");
        wake.wake();
        assert_eq!(read_until(&mut stream, "0\r\n\r\n"), "0\r\n\r\n");
        // The exchange is over: a late wake concerns nobody, and the connection goes on.
        wake.wake();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("sent");
        assert!(read_until(&mut stream, "plain").starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn another_thread_sends_the_body() {
    on_every_backend(|server| {
        let mut stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        let reader = thread::spawn(move || split(&read_all(&mut stream)));
        let whole = patterned(3_000_000);
        for piece in whole.chunks(7001) {
            sender.send(piece).expect("the peer reads");
        }
        sender.finish_with(vec![("X-Sum".to_owned(), b"1".to_vec())]);
        let (_, body) = reader.join().expect("read");
        let (data, rest) = unchunk(&body).expect("whole");
        assert!(data == whole);
        assert_eq!(rest, "X-Sum: 1\r\n\r\n");
    });
}

#[test]
fn a_sender_that_is_dropped_cuts_and_one_whose_peer_has_gone_is_told() {
    on_every_backend(|server| {
        let mut stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        sender.send("half").expect("the peer reads");
        drop(sender);
        assert_eq!(unchunk(&split(&read_all(&mut stream)).1), None);

        let stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        drop(stream);
        let start = Instant::now();
        // Blocks while the queue is full, ends when the connection does.
        while sender.send(vec![0; 4096]) != Err(SendError::Gone) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "it is never told"
            );
        }
        assert!(sender.is_gone());
    });
}

#[test]
fn a_full_queue_gives_the_piece_back() {
    on_every_backend(|server| {
        let stream = server.send("GET /sends HTTP/1.1\r\nHost: a\r\n\r\n");
        let Told::Sends(sender) = server.told() else {
            panic!("it sends")
        };
        let mut sent = 0_u64;
        let refused = loop {
            match sender.try_send(vec![7; 30_000]) {
                Ok(()) => sent += 30_000,
                Err(SendError::Full(piece)) => {
                    // The reactor may only have been slow: full for good is what counts.
                    thread::sleep(Duration::from_millis(300));
                    if matches!(sender.try_send(vec![7; 30_000]), Err(SendError::Full(_))) {
                        break piece;
                    }
                    sent += 30_000;
                }
                Err(SendError::Gone) => panic!("it is there"),
            }
            assert!(sent < 64 << 20, "it is never full");
        };
        assert_eq!(refused, vec![7; 30_000]);
        drop(stream);
    });
}

#[test]
fn a_ticket_can_answer_with_a_stream() {
    on_every_backend(|server| {
        let mut stream =
            server.send("GET /ticket HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let Told::Ticket(ticket) = server.told() else {
            panic!("it defers")
        };
        let response = Response::new(Status::CREATED).length(11);
        let sender = ticket.stream(response);
        sender.send("hello, ").expect("the peer reads");
        sender.send("late").expect("the peer reads");
        sender.finish();
        let (head, body) = split(&read_all(&mut stream));
        assert!(head.starts_with("HTTP/1.1 201 ") && head.contains("Content-Length: 11"));
        assert_eq!(body, b"hello, late");
    });
}

#[test]
fn a_paused_body_stays_with_the_peer() {
    on_every_backend(|server| {
        let bytes = 64 << 20;
        let mut stream = server.send(&format!(
            "POST /in-paused HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\np"
        ));
        let Told::Paused(wake) = server.told() else {
            panic!("it pauses")
        };
        // As much as the kernel's buffers take, and no more.
        stream.set_nonblocking(true).expect("non-blocking");
        let block = vec![b'x'; 1 << 16];
        let (mut sent, mut refused) = (1, 0);
        while refused < 20 {
            match stream.write(&block) {
                Ok(count) => (sent, refused) = (sent + count, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    refused += 1;
                    thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{error}"),
            }
            assert!(sent < bytes / 2, "{sent} bytes were taken of a paused body");
        }
        wake.wake();
        stream.set_nonblocking(false).expect("blocking");
        let rest = vec![b'x'; bytes - sent];
        stream.write_all(&rest).expect("taken now");
        let reply = read_until(&mut stream, &bytes.to_string());
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    });
}

#[test]
fn a_body_can_be_refused_in_the_middle() {
    on_every_backend(|server| {
        let mut stream = server.send(
            "POST /in-refused HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\nrest follows",
        );
        let mut writer = stream.try_clone().expect("a second handle");
        let sending = thread::spawn(move || {
            // The reply reaches a peer that is still sending.
            let _ = writer.write_all(&vec![b'x'; 100_000]);
        });
        let text = read_until(&mut stream, "wanted.\n");
        assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
        assert!(text.contains("Connection: close"), "{text}");
        sending.join().expect("it ended");
        let _ = stream.shutdown(Shutdown::Write);
        assert!(read_all(&mut stream).is_empty());
    });
}

#[test]
fn no_value_writes_fields_of_its_own() {
    on_every_backend(|server| {
        let (head, _) = server.ask("/redirect");
        assert!(head.starts_with("HTTP/1.1 302 ") && head.contains("Location: /elsewhere"));
        let (head, _) = server.ask("/split");
        assert!(
            head.starts_with("HTTP/1.1 500 ") && !head.contains("Set-Cookie"),
            "{head}"
        );
        let upgrade = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
        };
        let head = read_until(&mut server.send(&upgrade("/ws")), "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("\r\nX-Server: of mine\r\n"), "{head}");
        let head = read_until(&mut server.send(&upgrade("/ws-split")), "\r\n\r\n");
        assert!(
            head.starts_with("HTTP/1.1 500 ") && !head.contains("X-B"),
            "{head}"
        );
    });
}
