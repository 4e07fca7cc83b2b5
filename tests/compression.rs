//! Compressed replies, as peers of every kind get them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use longshore::http::Status;
use longshore::sys::Address;
use longshore::{
    Backend, BodySender, Compression, Handler, Replied, Reply, Request, Response, Server, Stopper,
    Workers,
};

struct Application(Sender<BodySender>);

fn text() -> String {
    "A sentence that comes again and again. ".repeat(100)
}

fn with_field(reply: Reply<'_>, name: &str, value: &str) -> Replied {
    let reply = reply.status(Status::OK).field(name, value);
    reply
        .expect("a field")
        .content("text/plain", text().as_bytes())
}

impl Handler for Application {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/short" => reply.text("short"),
            b"/octets" => reply.ok("application/octet-stream", text().as_bytes()),
            b"/noise" => {
                let mut state = 1_u32;
                let noise: Vec<u8> = std::iter::repeat_with(|| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .take(5000)
                .collect();
                reply.ok("text/plain", &noise)
            }
            b"/coded" => with_field(reply, "Content-Encoding", "br"),
            b"/tagged" => with_field(reply, "ETag", "\"a\""),
            b"/weakly-tagged" => with_field(reply, "ETag", "W/\"a\""),
            b"/no-transform" => with_field(reply, "Cache-Control", "max-age=5, no-transform"),
            b"/deferred" => {
                let (replied, ticket) = reply.defer();
                let response = Response::new(Status::OK)
                    .field("Content-Type", "text/plain")
                    .expect("a field");
                ticket.answer(response.content(text()));
                replied
            }
            b"/stream" => {
                let fields = reply
                    .status(Status::OK)
                    .field("Content-Type", "text/event-stream")
                    .expect("a field");
                let (replied, sender) = fields.channel();
                let _ = self.0.send(sender);
                replied
            }
            _ => reply.text(&text()),
        }
    }
}

struct Running {
    port: u16,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<()>>,
    senders: Receiver<BodySender>,
}

fn start() -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(Backend::Epoll)
        .workers(Workers::Count(1))
        .compression(Compression {
            streams_max: 1,
            ..Compression::default()
        })
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let (tell, senders) = channel();
    let thread = thread::spawn(move || {
        bound
            .run(|_| Application(tell.clone()))
            .expect("the server runs");
    });
    Running {
        port,
        stopper,
        thread: Some(thread),
        senders,
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

impl Running {
    fn send(&self, method: &str, path: &str, accept: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        let accept = accept.map_or(String::new(), |accept| {
            format!("Accept-Encoding: {accept}\r\n")
        });
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{accept}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        stream
    }

    fn ask(&self, path: &str, accept: Option<&str>) -> (String, Vec<u8>) {
        split(&mut self.send("GET", path, accept))
    }
}

fn split(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("closed in order");
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(bytes[..end + 2].to_vec()).expect("text");
    (head, bytes[end + 4..].to_vec())
}

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut content)
        .expect("gzip");
    content
}

#[test]
fn what_is_accepted_and_worth_while_is_compressed() {
    let server = start();
    for accept in [
        "gzip",
        "x-gzip",
        "GZIP;q=0.5",
        "br, gzip;q=0.001",
        "*",
        "deflate, *;q=0.1",
    ] {
        let (head, body) = server.ask("/", Some(accept));
        assert!(
            head.contains("\r\nContent-Encoding: gzip\r\n"),
            "{accept}: {head}"
        );
        assert!(head.contains("\r\nVary: Accept-Encoding\r\n"), "{head}");
        assert!(
            head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(body.len() < 500 && decode(&body) == text().as_bytes());
    }
    let (head, body) = server.ask("/deferred", Some("gzip"));
    assert!(head.contains("Content-Encoding: gzip"), "{head}");
    assert_eq!(decode(&body), text().as_bytes());
    let (head, _) = server.ask("/weakly-tagged", Some("gzip"));
    assert!(head.contains("Content-Encoding: gzip"), "{head}");
}

#[test]
fn who_does_not_accept_it_gets_it_plain_and_caches_are_told() {
    let server = start();
    for accept in [
        None,
        Some(""),
        Some("br"),
        Some("gzip;q=0"),
        Some("*;q=0"),
        Some("gzip;q=2"),
    ] {
        let (head, body) = server.ask("/", accept);
        assert!(!head.contains("Content-Encoding"), "{accept:?}: {head}");
        assert!(head.contains("\r\nVary: Accept-Encoding\r\n"), "{head}");
        assert_eq!(body, text().as_bytes());
    }
}

#[test]
fn what_must_stay_as_it_is_does() {
    let server = start();
    for path in ["/short", "/octets", "/coded", "/tagged", "/no-transform"] {
        let (head, _) = server.ask(path, Some("gzip"));
        assert!(!head.contains("Content-Encoding: gzip"), "{path}: {head}");
        assert!(!head.contains("Vary"), "{path}: {head}");
    }
    let (head, body) = server.ask("/noise", Some("gzip"));
    assert!(
        !head.contains("Content-Encoding"),
        "gzip would be longer: {head}"
    );
    assert_eq!(body.len(), 5000);
}

#[test]
fn head_describes_what_get_would_bring() {
    let server = start();
    let (get, _) = server.ask("/", Some("gzip"));
    let (head, body) = split(&mut server.send("HEAD", "/", Some("gzip")));
    let without_date = |head: &str| {
        let lines = head.lines().filter(|line| !line.starts_with("Date"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_date(&head), without_date(&get));
    assert!(body.is_empty());
}

/// The data of one chunk.
fn chunk(stream: &mut TcpStream) -> Vec<u8> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more");
        line.push(byte[0]);
    }
    let size = std::str::from_utf8(&line).expect("hex").trim();
    let mut data = vec![0; usize::from_str_radix(size, 16).expect("hex") + 2];
    stream.read_exact(&mut data).expect("more");
    data.truncate(data.len() - 2);
    data
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

#[test]
fn a_stream_is_compressed_and_its_news_are_not_held_back() {
    let server = start();
    let mut stream = server.send("GET", "/stream", Some("gzip"));
    assert!(head(&mut stream).contains("Content-Encoding: gzip"));
    let sender = server.senders.recv().expect("a sender");

    // There is room for one: the next is sent as it is.
    let mut second = server.send("GET", "/stream", Some("gzip"));
    let plain = head(&mut second);
    assert!(
        !plain.contains("Content-Encoding") && plain.contains("Vary"),
        "{plain}"
    );
    let to_second = server.senders.recv().expect("a sender");
    to_second.send("data: plain\n\n").expect("it is there");
    assert_eq!(chunk(&mut second), b"data: plain\n\n");
    to_second.finish();

    let mut coded = Vec::new();
    for news in ["data: first\n\n", "data: second\n\n"] {
        sender.send(news).expect("it is there");
        coded.extend(chunk(&mut stream));
        let mut decoder = flate2::read::GzDecoder::new(coded.as_slice());
        let mut said = vec![0; if news.contains("first") { 13 } else { 13 + 14 }];
        decoder.read_exact(&mut said).expect("it was flushed");
        assert!(said.ends_with(news.as_bytes()));
    }
    sender.finish();
    coded.extend(chunk(&mut stream));
    assert_eq!(decode(&coded), b"data: first\n\ndata: second\n\n");
    assert!(chunk(&mut stream).is_empty(), "the last chunk");

    // Its place is free again.
    let mut third = server.send("GET", "/stream", Some("gzip"));
    assert!(head(&mut third).contains("Content-Encoding: gzip"));
}
